use crate::testing::{lake, night, project, put, show};
use crate::{run_actions, run_alerts, run_opportunities};
use cscopilot_lake::Lake;
use cscopilot_lake::step::StepContext;

const ALERTS: &str = "version: 1
rules:
  unhealthy: {title: Health is low, severity: high, when: health_score < 40, message: 'Health {health_score:int}'}
";
const OFFERS: &str = "version: 1
kinds:
  seats_full:
    title: Seats nearly used up
    product: Seats
    when: seats > 0 AND used >= 0.9 * seats
    expected_arr: arr * used / seats * 0.1
    message: '{used} of {seats} seats in use'
    evidence: {share: used / seats}
  upgrade: {title: Upgrade, product: Pro, when: plan = 'free' AND expansion_probability > 0.3, message: likely}
";
const PLAYS: &str = "version: 1
max_per_account: 2
plays:
  rescue:
    title: Call {account_name}
    alerts: [unhealthy]
    priority: 1
    due_in_days: 3
    reason: '{alert_message}. {main_reason}'
    expected_effect: keeps {arr:money} a year
  offer_seats:
    title: Offer {opportunity_product}
    opportunities: [seats_full]
    priority: 2
    rank_by: opportunity_arr
    due_in_days: 14
    reason: '{opportunity_message}'
  check_in:
    title: Check in
    when: open_alert_count > 0
    priority: 2
    rank_by: arr
    due_in_days: 7
    owner: \"'team'\"
    reason: '{open_alert_count} open'
  greet: {title: Greet, when: 'TRUE', priority: 9, due_in_days: 1, reason: hello}
";

async fn tables(ctx: &StepContext, rows: &str) {
    let as_of = ctx.as_of;
    let sql = format!(
        "SELECT *, DATE '{as_of}' AS as_of, [named_struct('feature', 'logins', 'text', 'fewer logins')] AS top_reasons, \
         CAST(p AS DOUBLE) AS expansion_probability FROM (VALUES {rows}) t(account_id, account_name, csm_id, health_score, p)"
    );
    put(&ctx.lake, "marts.account_scores", &sql).await;
    let accounts = "SELECT account_id, plan, CAST(a AS DECIMAL(18,2)) AS arr FROM (VALUES ('A', 'pro', 1000), ('B', 'free', 50), ('C', 'free', 9)) t(account_id, plan, a)";
    put(&ctx.lake, "marts.accounts", accounts).await;
    let features =
        format!("SELECT *, DATE '{as_of}' AS as_of FROM (VALUES ('A', 95, 100), ('B', 0, 0), ('C', 9, 10)) t(account_id, used, seats)");
    put(&ctx.lake, "features.account_features", &features).await;
}

const ROWS: &str = "('A', 'Acme', 'c1', 30.0, NULL), ('B', 'Best', 'c2', 80.0, 0.5), ('C', 'Core', NULL, 90.0, 0.1)";

async fn run(ctx: &StepContext) {
    run_alerts(ctx).await.unwrap();
    run_opportunities(ctx).await.unwrap();
    run_actions(ctx).await.unwrap();
}

fn files() -> [(&'static str, &'static str); 3] {
    [("configs/alerts/a.yaml", ALERTS), ("configs/opportunities/o.yaml", OFFERS), ("configs/plays/p.yaml", PLAYS)]
}

async fn all(lake: &Lake) -> String {
    let mut text = String::new();
    for (table, order) in
        [("ops.alerts", "alert_id"), ("marts.opportunities", "as_of, account_id, kind"), ("marts.next_actions", "as_of, account_id, rank")]
    {
        text.push_str(&show(lake, &format!("SELECT * FROM {table} ORDER BY {order}")).await);
        text.push('\n');
    }
    text
}

#[tokio::test]
async fn opportunities_and_actions_come_from_the_joined_row() {
    let project = project(&files());
    let lake = lake().await;
    let first = night(&project, &lake, "2025-01-01");
    tables(&first, ROWS).await;
    run(&first).await;
    insta::assert_snapshot!("opportunities", show(&lake, "SELECT * FROM marts.opportunities").await);
    insta::assert_snapshot!("next_actions", show(&lake, "SELECT * FROM marts.next_actions").await);

    let before = all(&lake).await;
    run(&night(&project, &lake, "2025-01-01")).await;
    assert_eq!(all(&lake).await, before, "the same night again changes nothing");
}

#[tokio::test]
async fn an_action_keeps_its_due_date_while_it_is_advised() {
    let project = project(&files());
    let lake = lake().await;
    for (date, health) in [("2025-01-01", "30.0"), ("2025-01-02", "20.0"), ("2025-01-03", "99.0"), ("2025-01-04", "30.0")] {
        let ctx = night(&project, &lake, date);
        tables(&ctx, &ROWS.replace("30.0", health)).await;
        run(&ctx).await;
    }
    let sql = "SELECT as_of, since, due_on FROM marts.next_actions WHERE play = 'rescue' ORDER BY as_of";
    insta::assert_snapshot!(show(&lake, sql).await, @"
    +------------+------------+------------+
    | as_of      | since      | due_on     |
    +------------+------------+------------+
    | 2025-01-01 | 2025-01-01 | 2025-01-04 |
    | 2025-01-02 | 2025-01-01 | 2025-01-04 |
    | 2025-01-04 | 2025-01-04 | 2025-01-07 |
    +------------+------------+------------+
    ");
}

#[tokio::test]
async fn a_repeated_night_without_opportunities_removes_them() {
    let project = project(&files());
    let lake = lake().await;
    for date in ["2025-01-01", "2025-01-02"] {
        let ctx = night(&project, &lake, date);
        tables(&ctx, ROWS).await;
        run_opportunities(&ctx).await.unwrap();
    }
    let again = night(&project, &lake, "2025-01-02");
    tables(&again, "('B', 'Best', 'c2', 80.0, 0.0)").await;
    run_opportunities(&again).await.unwrap();
    let left = show(&lake, "SELECT DISTINCT as_of FROM marts.opportunities").await;
    assert!(left.contains("2025-01-01") && !left.contains("2025-01-02"), "{left}");
}

#[tokio::test]
async fn the_row_knows_the_health_of_four_weeks_ago() {
    let falling = format!(
        "{ALERTS}  falling: {{title: Falling, severity: low, when: health_score < health_score_28d_ago, message: 'was {{health_score_28d_ago:int}}'}}\n"
    );
    let project = project(&[("configs/scorecards/h.yaml", SCORECARD), ("configs/alerts/a.yaml", &falling)]);
    let lake = lake().await;
    let ctx = night(&project, &lake, "2025-02-01");
    tables(&ctx, ROWS).await;
    let sql = "SELECT 'A' AS account_id, CAST(d AS DATE) AS as_of, h AS health_score FROM (VALUES ('2024-12-31', 70.0), ('2025-01-04', 60.0), ('2025-01-31', 50.0)) t(d, h)";
    put(&lake, "marts.health_scores", sql).await;
    run_alerts(&ctx).await.unwrap();
    let falling = show(&lake, "SELECT account_id, message FROM ops.alerts WHERE rule = 'falling'").await;
    assert!(falling.contains("| A          | was 60  |"), "{falling}");
}

const SCORECARD: &str = "version: 1
from: features.account_features
bands: {good: 50, bad: 0}
groups: {all: {weight: 100, measures: {used: {label: Used, weight: 100, value: used, better: higher, score: {linear: {red: 0, green: 9}}}}}}
";

#[tokio::test]
async fn without_rules_the_tables_are_there_and_empty() {
    let project = project(&[]);
    let lake = lake().await;
    run(&night(&project, &lake, "2025-01-01")).await;
    let empty = show(&lake, "SELECT (SELECT count(*) FROM ops.alerts) + (SELECT count(*) FROM marts.opportunities) + (SELECT count(*) FROM marts.next_actions) AS n").await;
    assert!(empty.contains("| 0 |"), "{empty}");
}
