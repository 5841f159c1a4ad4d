use super::state::{Alert, Content, Firing, Night, State, alert_id, night as live};
use super::{midnight, run_alerts};
use crate::testing::{day, lake, night, project, put, show};
use chrono::{DateTime, Days, Utc};
use cscopilot_lake::step::StepContext;
use cscopilot_lake::{Mode, Txn, Write};
use cscopilot_spec::Severity;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn at(n: u64) -> DateTime<Utc> {
    midnight(day("2025-01-01")).checked_add_days(Days::new(n)).unwrap()
}

fn firing(key: &str, holds: bool, cooldown_days: u32) -> Firing {
    let content = Content {
        account_id: key.to_owned(),
        rule: "r".to_owned(),
        severity: Severity::High,
        owner: None,
        title: "t".to_owned(),
        message: "m".to_owned(),
        evidence: "{}".to_owned(),
    };
    Firing { dedupe_key: key.to_owned(), holds, cooldown_days, content }
}

fn states(night: &Night) -> Vec<State> {
    night.alerts.iter().map(|a| a.state).collect()
}

#[test]
fn opens_stays_and_resolves() {
    let first = live(vec![], &[firing("a", true, 0)], at(0));
    assert_eq!((first.opened, states(&first)), (1, vec![State::Open]));
    let second = live(first.alerts, &[firing("a", true, 0)], at(1));
    assert_eq!((second.opened, second.alerts[0].opened_at, second.alerts[0].updated_at), (0, at(0), at(1)));
    let third = live(second.alerts, &[], at(2));
    assert_eq!((third.resolved, third.alerts[0].resolved_at, states(&third)), (1, Some(at(2)), vec![State::Resolved]));
}

#[test]
fn reopens_only_after_the_cooldown_and_as_a_new_alert() {
    let opened = live(vec![], &[firing("a", true, 3)], at(0)).alerts;
    let resolved = live(opened, &[], at(1)).alerts;
    let cooling = live(resolved.clone(), &[firing("a", true, 3)], at(3));
    assert_eq!((cooling.opened, cooling.cooling), (0, 1));
    // Exactly at the end of the cooldown it may open.
    let again = live(resolved, &[firing("a", true, 3)], at(4));
    assert_eq!(states(&again), [State::Resolved, State::Open]);
    assert_ne!(again.alerts[0].alert_id, again.alerts[1].alert_id);
}

#[test]
fn an_unknown_condition_neither_opens_nor_resolves() {
    assert!(live(vec![], &[firing("a", false, 0)], at(0)).alerts.is_empty());
    let opened = live(vec![], &[firing("a", true, 0)], at(0)).alerts;
    let unknown = live(opened.clone(), &[firing("a", false, 0)], at(1));
    assert_eq!(unknown.alerts, opened);
}

#[test]
fn firings_with_one_key_are_one_alert_of_the_most_severe_rule() {
    let mut mild = firing("k", true, 0);
    mild.content.severity = Severity::Low;
    mild.content.rule = "a_mild".into();
    let mut bad = firing("k", true, 0);
    bad.content.severity = Severity::Critical;
    bad.content.rule = "z_bad".into();
    let one = live(vec![], &[mild.clone(), bad], at(0));
    assert_eq!((one.alerts.len(), one.alerts[0].content.rule.as_str()), (1, "z_bad"));
    // It stays the same alert when only the milder rule is left.
    let next = live(one.alerts, &[mild], at(1));
    assert_eq!((next.alerts.len(), next.alerts[0].content.rule.as_str(), next.alerts[0].opened_at), (1, "a_mild", at(0)));
}

#[test]
fn what_people_said_is_respected() {
    let mut table = live(vec![], &[firing("a", true, 0), firing("b", true, 0)], at(0)).alerts;
    table[0].state = State::Acknowledged;
    table[1].state = State::Snoozed;
    table[1].snoozed_until = Some(at(2));
    let all = [firing("a", true, 0), firing("b", true, 0)];
    // Also when the very night that opened them is repeated.
    let repeated = live(table.clone(), &all, at(0));
    assert_eq!(repeated.alerts, table);
    let next = live(table, &all, at(1));
    assert_eq!(states(&next), [State::Acknowledged, State::Snoozed]);
    let later = live(next.alerts, &all, at(2));
    assert_eq!(states(&later), [State::Acknowledged, State::Open]);
    let resolved = live(later.alerts, &[], at(3));
    let again = live(resolved.alerts, &all, at(3));
    assert_eq!(states(&again), [State::Acknowledged, State::Open]);
}

#[test]
fn a_person_s_resolution_is_kept_and_starts_the_cooldown() {
    let mut table = live(vec![], &[firing("a", true, 5)], at(0)).alerts;
    table[0].state = State::Resolved;
    table[0].resolved_at = Some(at(0).checked_add_signed(chrono::TimeDelta::hours(9)).unwrap());
    table[0].resolved_from = Some(State::Open);
    let repeated = live(table.clone(), &[firing("a", true, 5)], at(0));
    assert_eq!(repeated.alerts, table);
    assert_eq!(live(table.clone(), &[firing("a", true, 5)], at(5)).cooling, 1);
    assert_eq!(live(table, &[firing("a", true, 5)], at(6)).opened, 1);
}

/// Nights of (key, holds or unknown).
fn history() -> impl Strategy<Value = Vec<BTreeMap<u8, bool>>> {
    prop::collection::vec(prop::collection::btree_map(0_u8..4, prop::bool::weighted(0.7), 0..4), 1..20)
}

proptest! {
    #[test]
    fn the_life_of_alerts_keeps_its_laws(nights in history(), cooldown in 0_u32..4) {
        let mut table: Vec<Alert> = vec![];
        for (n, facts) in nights.iter().enumerate() {
            let now = at(n as u64);
            let firings: Vec<Firing> = facts.iter().map(|(k, holds)| firing(&k.to_string(), *holds, cooldown)).collect();
            let before = table.clone();
            let after = live(before.clone(), &firings, now);

            // Repeating the night changes nothing.
            prop_assert_eq!(&live(after.alerts.clone(), &firings, now).alerts, &after.alerts);
            // A night whose facts were mended gives the life it would have had.
            let other = live(live(before.clone(), &[], now).alerts, &firings, now);
            prop_assert_eq!(&other.alerts.iter().map(|a| (&a.alert_id, a.state, a.resolved_at)).collect::<Vec<_>>(),
                &after.alerts.iter().map(|a| (&a.alert_id, a.state, a.resolved_at)).collect::<Vec<_>>());

            let ids: BTreeSet<&str> = after.alerts.iter().map(|a| a.alert_id.as_str()).collect();
            prop_assert_eq!(ids.len(), after.alerts.len());
            for key in 0_u8..4 {
                let name = key.to_string();
                let active: Vec<&Alert> = after.alerts.iter().filter(|a| a.dedupe_key == name && a.state != State::Resolved).collect();
                prop_assert!(active.len() <= 1);
                let was_active = before.iter().any(|a| a.dedupe_key == name && a.state != State::Resolved);
                let cooling = before.iter().any(|a| a.dedupe_key == name
                    && a.resolved_at.is_some_and(|r| now < r.checked_add_days(Days::new(u64::from(cooldown))).unwrap()));
                let expected = match facts.get(&key) {
                    Some(true) => was_active || !cooling,
                    Some(false) => was_active,
                    None => false,
                };
                prop_assert_eq!(active.len() == 1, expected, "key {} on night {}", key, n);
            }
            for alert in &after.alerts {
                prop_assert_eq!(&alert.alert_id, &alert_id(&alert.dedupe_key, alert.opened_at));
                prop_assert!(alert.opened_at <= alert.updated_at && alert.updated_at <= now);
                prop_assert_eq!(alert.state == State::Resolved, alert.resolved_at.is_some());
            }
            table = after.alerts;
        }
    }
}

const RULES: &str = "
version: 1
rules:
  unhealthy:
    title: Health is low
    severity: high
    when: health_score < 40
    message: 'Health is {health_score:int}, {arr:money} a year'
    evidence: {score: health_score, plan: plan}
    cooldown_days: 10
  big_and_idle:
    title: '{plan} account is idle'
    severity: critical
    when: logins = 0 and arr > $min_arr
    message: '{arr} at risk, renewal in {days_to_renewal} days'
    dedupe_key: \"'idle:' || account_id\"
";

async fn tables(ctx: &StepContext, scores: &str) {
    let as_of = ctx.as_of;
    put(
        &ctx.lake,
        "marts.account_scores",
        &format!("SELECT *, DATE '{as_of}' AS as_of FROM (VALUES {scores}) t(account_id, csm_id, health_score)"),
    )
    .await;
    put(
        &ctx.lake,
        "marts.accounts",
        "SELECT *, CAST(a AS DECIMAL(18,2)) AS arr, DATE '2025-03-01' AS renewal_date FROM (VALUES ('A', 'pro', 1200.5), ('B', 'free', 50)) t(account_id, plan, a)",
    )
    .await;
    put(
        &ctx.lake,
        "features.account_features",
        &format!("SELECT *, DATE '{as_of}' AS as_of FROM (VALUES ('A', 0), ('B', 0)) t(account_id, logins)"),
    )
    .await;
}

const SHOWN: &str = "SELECT account_id, rule, severity, state, CAST(opened_at AS DATE) AS opened, CAST(updated_at AS DATE) AS updated, \
    CAST(resolved_at AS DATE) AS resolved, owner, title, message, evidence FROM ops.alerts ORDER BY opened_at, dedupe_key";

#[tokio::test]
async fn rules_open_alerts_over_the_joined_row_and_later_nights_resolve_them() {
    let project = project(&[("configs/alerts/risk.yaml", RULES)]);
    let lake = lake().await;
    let first = night(&project, &lake, "2025-01-01");
    tables(&first, "('A', 'c1', 30.0), ('B', 'c2', 39.9)").await;
    let outcome = run_alerts(&first).await.unwrap();
    assert_eq!(outcome.facts["opened"], 3);
    insta::assert_snapshot!("first_night", show(&lake, SHOWN).await);

    let before = show(&lake, "SELECT * FROM ops.alerts").await;
    run_alerts(&night(&project, &lake, "2025-01-01")).await.unwrap();
    assert_eq!(show(&lake, "SELECT * FROM ops.alerts").await, before, "the same night again changes nothing");

    let second = night(&project, &lake, "2025-01-02");
    tables(&second, "('A', 'c1', NULL), ('B', 'c2', 40.0)").await;
    run_alerts(&second).await.unwrap();
    insta::assert_snapshot!("second_night", show(&lake, SHOWN).await);

    let earlier = run_alerts(&night(&project, &lake, "2025-01-01")).await.unwrap();
    assert_eq!(earlier.warnings[0].code, "ASM010");
}

#[tokio::test]
async fn without_tonights_scores_nothing_is_resolved() {
    let project = project(&[("configs/alerts/risk.yaml", RULES)]);
    let lake = lake().await;
    let first = night(&project, &lake, "2025-01-01");
    tables(&first, "('A', 'c1', 30.0)").await;
    run_alerts(&first).await.unwrap();
    let error = run_alerts(&night(&project, &lake, "2025-01-02")).await.unwrap_err();
    insta::assert_snapshot!(error, @"`marts.account_scores` has no rows for 2025-01-02");
    assert!(show(&lake, "SELECT state FROM ops.alerts").await.contains("open"));
}

#[tokio::test]
async fn an_expression_that_fails_on_data_is_named() {
    let rules = "
version: 1
rules:
  fine: {title: x, severity: low, when: health_score < 0, message: x}
  broken: {title: x, severity: low, when: 'CAST(plan AS INT) > 0', message: x}
";
    let project = project(&[("configs/alerts/risk.yaml", rules)]);
    let lake = lake().await;
    let first = night(&project, &lake, "2025-01-01");
    tables(&first, "('A', 'c1', 30.0)").await;
    let error = run_alerts(&first).await.unwrap_err();
    insta::assert_snapshot!(error, @"`broken` in configs/alerts/risk.yaml failed");
}

#[tokio::test]
async fn alerts_survive_a_table_that_a_person_changed() {
    let project = project(&[("configs/alerts/risk.yaml", RULES)]);
    let lake = lake().await;
    let first = night(&project, &lake, "2025-01-01");
    tables(&first, "('A', 'c1', 30.0)").await;
    run_alerts(&first).await.unwrap();
    let data = lake.stream("SELECT * EXCEPT (state), 'acknowledged' AS state FROM ops.alerts", &first.params).await.unwrap();
    lake.commit(Write::new("ops.alerts".parse().unwrap(), Mode::Overwrite, data, Txn::new("feedback", "x"))).await.unwrap();
    let second = night(&project, &lake, "2025-01-02");
    tables(&second, "('A', 'c1', 30.0)").await;
    run_alerts(&second).await.unwrap();
    assert_eq!(show(&lake, "SELECT DISTINCT state FROM ops.alerts").await.lines().nth(3), Some("| acknowledged |"));
}

#[tokio::test]
async fn an_alert_with_two_thresholds_does_not_flap() {
    let rules = "
version: 1
rules:
  low: {title: Low, severity: high, when: health_score < 40, until: health_score >= 50, message: 'Health {health_score}'}
";
    let project = project(&[("configs/alerts/risk.yaml", rules)]);
    let lake = lake().await;
    let mut states = vec![];
    for (date, health) in [("01", "45.0"), ("02", "39.0"), ("03", "45.0"), ("04", "CAST(NULL AS DOUBLE)"), ("05", "50.0"), ("06", "45.0")] {
        let ctx = night(&project, &lake, &format!("2025-01-{date}"));
        tables(&ctx, &format!("('A', 'c1', {health})")).await;
        run_alerts(&ctx).await.unwrap();
        let open = show(&lake, "SELECT state FROM ops.alerts").await;
        states.push(if open.contains("open") {
            "open"
        } else if open.contains("resolved") {
            "resolved"
        } else {
            "none"
        });
    }
    assert_eq!(states, ["none", "open", "open", "open", "resolved", "resolved"]);
}
