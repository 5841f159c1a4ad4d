use super::run_health;
use crate::testing::{lake, night, project, put_partitions, show};
use cscopilot_lake::Lake;
use rstest::rstest;

const CARD: &str = "version: 1
from: features.account_features
min_coverage_pct: 50
segment: segment
tenure_days: tenure_days
tenure_bands: {onboarding: 0, mature: 365}
bands: {healthy: 70, watch: 40, at_risk: 0}
band_overrides:
  - {segments: [Enterprise], tenures: [onboarding], bands: {healthy: 60}}
groups:
  adoption:
    label: Adoption
    weight: 60
    measures:
      logins: {label: Logins, unit: logins, weight: 40, value: 'logins / nullif(seats, 0)', better: higher, score: {linear: {red: 1, green: 5}}}
      trend: {label: Trend, weight: 20, value: trend, better: higher, score: {points: [{value: -1, score: 0}, {value: 0, score: 60}, {value: 1, score: 100}]}}
  support:
    weight: 40
    measures:
      tickets:
        label: Tickets
        weight: 40
        value: tickets
        better: lower
        score: {steps: {steps: [{limit: 0, score: 100}, {limit: 2, score: 50}], otherwise: 0}}
        overrides:
          - {segments: [SMB], tenures: [mature], score: {linear: {red: 10, green: 0}}}
";

/// Features of these accounts on a date: account, segment, tenure, logins, seats, trend, tickets.
async fn features(lake: &Lake, rows: &str) {
    let sql = format!(
        "SELECT account_id, CAST(d AS DATE) AS as_of, CAST(segment AS VARCHAR) AS segment, CAST(tenure_days AS INT) AS tenure_days, CAST(logins AS DOUBLE) AS logins, CAST(seats AS INT) AS seats, CAST(trend AS DOUBLE) AS trend, \
         CAST(tickets AS BIGINT) AS tickets FROM (VALUES {rows}) t(account_id, d, segment, tenure_days, logins, seats, trend, tickets)"
    );
    put_partitions(lake, "features.account_features", &sql).await;
}

async fn health(rows: &str) -> (Lake, String) {
    let project = project(&[("configs/scorecards/health.yaml", CARD)]);
    let lake = lake().await;
    features(&lake, rows).await;
    run_health(&night(&project, &lake, "2025-01-31")).await.unwrap();
    let scores =
        show(&lake, "SELECT health_score, health_band, health_coverage_pct, tenure_band FROM marts.health_scores ORDER BY account_id")
            .await;
    (lake, scores)
}

/// One account's score, band, coverage and tenure band.
async fn one(values: &str) -> String {
    let (_, scores) = health(&format!("('A', '2025-01-31', {values})")).await;
    let line = scores.lines().nth(3).unwrap().to_owned();
    line.split('|').map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join(" ")
}

#[rstest]
// logins 5 per seat: exactly green is 100; trend 1: 100; no tickets: exactly the limit is the better step, 100.
#[case::all_best("'Mid', 400, 5, 1, 1, 0", "100.0 healthy 100.0 mature")]
#[case::all_worst("'Mid', 400, 1, 1, -1, 3", "0.0 at_risk 100.0 mature")]
// Halfway: (3 - 1) / (5 - 1) = 50, trend 0 = 60, 2 tickets = 50: 40*.5 + 20*.6 + 40*.5 = 52
#[case::halfway("'Mid', 400, 3, 1, 0, 2", "52.0 watch 100.0 mature")]
// 40*75% + 20*100% + 40*50% = 70: exactly on the bound of `healthy`
#[case::on_the_bound("'Mid', 400, 4, 1, 1, 2", "70.0 healthy 100.0 mature")]
#[case::just_below("'Mid', 400, 3.99, 1, 1, 2", "69.9 watch 100.0 mature")]
// 40*50% + 20*100% + 40*50% = 60
#[case::override_by_segment_and_tenure("'Enterprise', 364, 3, 1, 1, 2", "60.0 healthy 100.0 onboarding")]
#[case::tenure_on_the_bound_is_the_older_band("'Enterprise', 365, 3, 1, 1, 2", "60.0 watch 100.0 mature")]
#[case::override_needs_both("'SMB', 10, 3, 1, 1, 2", "60.0 watch 100.0 onboarding")]
// SMB and mature: 2 tickets of 10 = 80 instead of 50
#[case::measure_override("'SMB', 400, 3, 1, 1, 2", "72.0 healthy 100.0 mature")]
#[case::unknown_segment_has_no_override("NULL, 400, 3, 1, 1, 2", "60.0 watch 100.0 mature")]
// No seats: logins is missing, its weight of 40 is spread over the rest: (20*60 + 40*50) / 60
#[case::missing_measures_are_left_out("'Mid', 400, 3, 0, 0, 2", "53.33 watch 60.0 mature")]
#[case::nan_and_infinity_are_missing("'Mid', 400, 'Infinity', 1, 'NaN', 2", "50.0 unknown 40.0 mature")]
#[case::too_little_coverage_is_unknown("'Mid', 400, NULL, 1, NULL, 0", "100.0 unknown 40.0 mature")]
#[case::nothing_known("'Mid', NULL, NULL, 1, NULL, NULL", "unknown 0.0")]
#[tokio::test]
async fn scores_follow_the_scorecard(#[case] values: &str, #[case] expected: &str) {
    assert_eq!(one(values).await, expected);
}

#[tokio::test]
async fn coverage_exactly_at_the_minimum_is_enough() {
    let card = CARD.replace("min_coverage_pct: 50", "min_coverage_pct: 60");
    let project = project(&[("configs/scorecards/health.yaml", card.as_str())]);
    let lake = lake().await;
    features(&lake, "('A', '2025-01-31', 'Mid', 400, 3, 0, 0, 2)").await;
    run_health(&night(&project, &lake, "2025-01-31")).await.unwrap();
    assert!(show(&lake, "SELECT health_band FROM marts.health_scores").await.contains("watch"));
}

#[tokio::test]
async fn measures_are_rows_in_the_order_of_the_file() {
    let (lake, _) = health("('B', '2025-01-31', 'SMB', 400, 3, 1, 0, 2), ('A', '2025-01-31', 'Mid', 10, NULL, 1, 1, 7)").await;
    insta::assert_snapshot!(show(&lake, "SELECT * FROM marts.health_measures").await);
}

#[tokio::test]
async fn only_dates_that_lack_a_current_score_are_computed() {
    let first = project(&[("configs/scorecards/health.yaml", CARD)]);
    let lake = lake().await;
    let row = |date: &str, logins: u32| format!("('A', '{date}', 'Mid', 400, {logins}, 1, 1, 2)");
    features(&lake, &[row("2024-12-31", 4), row("2025-01-31", 4)].join(",")).await;
    let dates = |outcome: cscopilot_lake::step::Outcome| outcome.facts["dates"].as_u64();
    assert_eq!(dates(run_health(&night(&first, &lake, "2025-01-31")).await.unwrap()), Some(2));
    let rows = show(&lake, "SELECT * FROM marts.health_scores ORDER BY as_of").await;
    // The same night again: nothing to do, and nothing differs.
    assert_eq!(dates(run_health(&night(&first, &lake, "2025-01-31")).await.unwrap()), Some(0));
    assert_eq!(show(&lake, "SELECT * FROM marts.health_scores ORDER BY as_of").await, rows);
    // A new date.
    features(&lake, &row("2025-02-28", 4)).await;
    assert_eq!(dates(run_health(&night(&first, &lake, "2025-02-28")).await.unwrap()), Some(1));
    // Late data changed the features of a past date.
    features(&lake, &row("2024-12-31", 3)).await;
    assert_eq!(dates(run_health(&night(&first, &lake, "2025-02-28")).await.unwrap()), Some(1));
    assert!(show(&lake, "SELECT health_score FROM marts.health_scores WHERE as_of = DATE '2024-12-31'").await.contains("| 60.0 "));
    // Another scorecard: the whole trend, so that it is comparable.
    let second = project(&[("configs/scorecards/health.yaml", &CARD.replace("green: 5", "green: 9"))]);
    assert_eq!(dates(run_health(&night(&second, &lake, "2025-02-28")).await.unwrap()), Some(3));
    let scores = show(&lake, "SELECT DISTINCT health_score FROM marts.health_scores").await;
    assert_eq!(scores.lines().count(), 6, "{scores}");
    // A full refresh gives the same rows.
    let rows = show(&lake, "SELECT * FROM marts.health_measures ORDER BY as_of, measure").await;
    let mut full = night(&second, &lake, "2025-02-28");
    full.full_refresh = true;
    assert_eq!(dates(run_health(&full).await.unwrap()), Some(3));
    assert_eq!(show(&lake, "SELECT * FROM marts.health_measures ORDER BY as_of, measure").await, rows);
}

#[tokio::test]
async fn without_tonights_features_it_fails_and_names_the_table() {
    let project = project(&[("configs/scorecards/health.yaml", CARD)]);
    let lake = lake().await;
    features(&lake, "('A', '2024-12-31', 'Mid', 400, 3, 0, 0, 2)").await;
    let error = run_health(&night(&project, &lake, "2025-01-31")).await.unwrap_err();
    insta::assert_snapshot!(error, @"`features.account_features` has no rows for 2025-01-31");
}

#[tokio::test]
async fn a_measure_that_fails_on_data_is_named() {
    let card = CARD.replace("value: trend", "value: CAST(segment AS DOUBLE)");
    let project = project(&[("configs/scorecards/health.yaml", card.as_str())]);
    let lake = lake().await;
    features(&lake, "('A', '2025-01-31', 'Mid', 400, 3, 0, 0, 2)").await;
    let error = run_health(&night(&project, &lake, "2025-01-31")).await.unwrap_err();
    insta::assert_snapshot!(error, @"`measures.trend.value` in configs/scorecards/health.yaml failed");
}

/// What the scorecard above means, written a second time and row by row.
mod reference {
    pub(super) struct Row {
        pub(super) segment: Option<String>,
        pub(super) tenure: Option<f64>,
        pub(super) values: [Option<f64>; 3],
    }

    fn round(v: f64) -> f64 {
        (v * 100.0).round() / 100.0
    }

    pub(super) fn health(row: &Row) -> (Option<f64>, f64, &'static str) {
        let (segment, mature) = (row.segment.as_deref(), row.tenure.map(|t| t >= 365.0));
        let [logins, trend, tickets] = row.values.map(|v| v.filter(|v| v.is_finite()));
        let scores = [
            (40.0, logins.map(|v| ((v - 1.0) / 4.0 * 100.0).clamp(0.0, 100.0))),
            (20.0, trend.map(|v| if v < 0.0 { 60.0 * (v.max(-1.0) + 1.0) } else { 60.0 + 40.0 * v.min(1.0) })),
            (
                40.0,
                tickets.map(|v| match (segment, mature) {
                    (Some("SMB"), Some(true)) => ((10.0 - v) * 10.0).clamp(0.0, 100.0),
                    _ if v <= 0.0 => 100.0,
                    _ if v <= 2.0 => 50.0,
                    _ => 0.0,
                }),
            ),
        ];
        let covered: f64 = scores.iter().filter(|(_, s)| s.is_some()).map(|(w, _)| w).sum();
        if covered == 0.0 {
            return (None, 0.0, "unknown");
        }
        let health = round(scores.iter().filter_map(|(w, s)| s.map(|s| w * round(s))).sum::<f64>() / covered);
        let healthy = if segment == Some("Enterprise") && mature == Some(false) { 60.0 } else { 70.0 };
        let band = match health {
            _ if covered < 50.0 => "unknown",
            h if h >= healthy => "healthy",
            h if h >= 40.0 => "watch",
            _ => "at_risk",
        };
        (Some(health), covered, band)
    }
}

#[tokio::test]
async fn the_query_agrees_with_a_plain_calculation_on_every_combination_of_edges() {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::Float64Type;
    let lake = lake().await;
    let values = |values: &str, name: &str| format!("(SELECT {name} FROM (VALUES {values}) t({name}))");
    let sql = format!(
        "SELECT CAST(row_number() OVER () AS VARCHAR) AS account_id, DATE '2025-01-31' AS as_of, CAST(segment AS VARCHAR) AS segment, \
         CAST(tenure_days AS DOUBLE) AS tenure_days, CAST(logins AS DOUBLE) AS logins, 1 AS seats, CAST(trend AS DOUBLE) AS trend, \
         CAST(tickets AS DOUBLE) AS tickets FROM {} CROSS JOIN {} CROSS JOIN {} CROSS JOIN {} CROSS JOIN {}",
        values("('SMB'), ('Enterprise'), ('Mid'), (NULL)", "segment"),
        values("(NULL), (0), (364), (365), (9000)", "tenure_days"),
        values("(NULL), ('NaN'), ('-Infinity'), (-1), (1), (2.2), (3), (5), (9)", "logins"),
        values("(NULL), (-2), (-1), (-0.37), (0), (0.5), (1), (2)", "trend"),
        values("(NULL), (0), (1), (2), (2.5), (10), (11)", "tickets"),
    );
    put_partitions(&lake, "features.account_features", &sql).await;
    let project = project(&[("configs/scorecards/health.yaml", CARD)]);
    let ctx = night(&project, &lake, "2025-01-31");
    run_health(&ctx).await.unwrap();
    let sql = "SELECT f.segment, f.tenure_days, f.logins, f.trend, f.tickets, h.health_score, h.health_coverage_pct, h.health_band \
         FROM features.account_features f JOIN marts.health_scores h ON f.account_id = h.account_id AND f.as_of = h.as_of";
    let mut rows = 0;
    for batch in lake.query(sql, &ctx.params).await.unwrap() {
        let number = |column: usize, row: usize| {
            let column = batch.column(column).as_primitive::<Float64Type>();
            (!column.is_null(row)).then(|| column.value(row))
        };
        let text = |column: usize, row: usize| {
            let column = batch.column(column).as_string::<i32>();
            (!column.is_null(row)).then(|| column.value(row).to_owned())
        };
        for row in 0..batch.num_rows() {
            let facts =
                reference::Row { segment: text(0, row), tenure: number(1, row), values: [number(2, row), number(3, row), number(4, row)] };
            let (score, coverage, band) = reference::health(&facts);
            let found = (number(5, row), number(6, row).unwrap(), text(7, row).unwrap());
            let near = match (score, found.0) {
                (Some(a), Some(b)) => (a - b).abs() < 1e-9,
                (a, b) => a == b,
            };
            assert!(
                near && (coverage, band) == (found.1, found.2.as_str()),
                "{:?} {:?} {:?}: {score:?} {coverage} {band}, found {found:?}",
                facts.segment,
                facts.tenure,
                facts.values
            );
            rows += 1;
        }
    }
    assert_eq!(rows, 4 * 5 * 9 * 8 * 7);
}
