use super::check;
use crate::testing::project;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use cscopilot_diag::Diagnostics;
use cscopilot_lake::TableName;
use std::collections::BTreeMap;
use std::sync::Arc;

fn schemas() -> BTreeMap<TableName, SchemaRef> {
    let schema = |fields: &[(&str, DataType)]| -> SchemaRef {
        Arc::new(Schema::new(fields.iter().map(|(n, t)| Field::new(*n, t.clone(), true)).collect::<Vec<_>>()))
    };
    let reason = DataType::Struct(vec![Field::new("feature", DataType::Utf8, true), Field::new("text", DataType::Utf8, true)].into());
    BTreeMap::from([
        (
            "features.account_features".parse().unwrap(),
            schema(&[
                ("account_id", DataType::Utf8),
                ("as_of", DataType::Date32),
                ("logins", DataType::Int64),
                ("segment", DataType::Utf8),
            ]),
        ),
        (
            "marts.accounts".parse().unwrap(),
            schema(&[("account_id", DataType::Utf8), ("arr", DataType::Decimal128(18, 2)), ("renewal_date", DataType::Date32)]),
        ),
        (
            "marts.account_scores".parse().unwrap(),
            schema(&[
                ("account_id", DataType::Utf8),
                ("as_of", DataType::Date32),
                ("csm_id", DataType::Utf8),
                ("health_score", DataType::Float64),
                ("expansion_probability", DataType::Float64),
                ("top_reasons", DataType::List(Arc::new(Field::new("element", reason, true)))),
            ]),
        ),
    ])
}

fn errors(files: &[(&str, &str)], schemas: &BTreeMap<TableName, SchemaRef>) -> String {
    let mut out = Diagnostics::new();
    check(&project(files), schemas, &mut out);
    out.sort();
    out.to_string()
}

const CARD: &str = "version: 1
from: features.account_features
segment: segment
bands: {good: 50, bad: 0}
groups:
  all:
    weight: 100
    measures:
      logins: {label: Logins, weight: 100, value: 1.0 * logins / 7, better: higher, score: {linear: {red: 0, green: 9}}}
";
const ALERTS: &str = "version: 1
rules:
  low:
    title: Low
    severity: high
    when: health_score < 40 and days_to_renewal < 90
    message: '{main_reason} {arr:money} {share}'
    evidence: {share: 'arr / nullif(logins, 0)'}
";
const OFFERS: &str = "version: 1
kinds:
  seats: {title: Seats, product: Seats, when: logins > 9, expected_arr: arr * 0.2, message: more}
";
const PLAYS: &str = "version: 1
plays:
  call: {title: Call, alerts: [low], when: open_alert_count > 1, rank_by: arr, priority: 1, due_in_days: 3, reason: '{alert_message}'}
";

fn all<'a>(card: &'a str, alerts: &'a str, offers: &'a str, plays: &'a str) -> [(&'static str, &'a str); 4] {
    [
        ("configs/scorecards/c.yaml", card),
        ("configs/alerts/a.yaml", alerts),
        ("configs/opportunities/o.yaml", offers),
        ("configs/plays/p.yaml", plays),
    ]
}

#[test]
fn a_right_project_has_no_errors() {
    assert_eq!(errors(&all(CARD, ALERTS, OFFERS, PLAYS), &schemas()), "");
}

#[test]
fn expressions_are_checked_at_their_place_in_the_file() {
    let found = |card: &str, alerts: &str, offers: &str, plays: &str| errors(&all(card, alerts, offers, plays), &schemas());
    insta::assert_snapshot!("measure_column", found(&CARD.replace("1.0 * logins / 7", "login / 7"), ALERTS, OFFERS, PLAYS));
    insta::assert_snapshot!("measure_division", found(&CARD.replace("1.0 * logins / 7", "logins / 7"), ALERTS, OFFERS, PLAYS));
    insta::assert_snapshot!("measure_type", found(&CARD.replace("1.0 * logins / 7", "segment"), ALERTS, OFFERS, PLAYS));
    insta::assert_snapshot!("measure_aggregate", found(&CARD.replace("1.0 * logins / 7", "sum(logins)"), ALERTS, OFFERS, PLAYS));
    insta::assert_snapshot!(
        "measure_clock",
        found(&CARD.replace("1.0 * logins / 7", "\"logins / date_part('day', now())\""), ALERTS, OFFERS, PLAYS)
    );
    insta::assert_snapshot!(
        "measure_as_of",
        found(&CARD.replace("1.0 * logins / 7", "\"date_part('day', $as_of)\""), ALERTS, OFFERS, PLAYS)
    );
    insta::assert_snapshot!(
        "condition_type",
        found(CARD, &ALERTS.replace("health_score < 40 and days_to_renewal < 90", "health_score"), OFFERS, PLAYS)
    );
    insta::assert_snapshot!("condition_column", found(CARD, &ALERTS.replace("days_to_renewal < 90", "days_to_renewl < 90"), OFFERS, PLAYS));
    insta::assert_snapshot!(
        "condition_syntax",
        found(CARD, &ALERTS.replace("health_score < 40 and", "health_score < 40 und"), OFFERS, PLAYS)
    );
    insta::assert_snapshot!("placeholder", found(CARD, &ALERTS.replace("{share}", "{sher}"), OFFERS, PLAYS));
    insta::assert_snapshot!("placeholder_list", found(CARD, &ALERTS.replace("{share}", "{top_reasons}"), OFFERS, PLAYS));
    insta::assert_snapshot!("two_expressions", found(CARD, ALERTS, &OFFERS.replace("arr * 0.2", "'arr, 2'"), PLAYS));
    insta::assert_snapshot!("play_answer", found(CARD, ALERTS, OFFERS, &PLAYS.replace("{alert_message}", "{opportunity_message}")));
}

#[test]
fn missing_tables_and_columns_are_named() {
    let mut without = schemas();
    without.remove(&"marts.account_scores".parse().unwrap());
    insta::assert_snapshot!("no_scores", errors(&all(CARD, ALERTS, OFFERS, PLAYS), &without));
    insta::assert_snapshot!(
        "no_features",
        errors(&all(&CARD.replace("account_features", "acount_features"), ALERTS, OFFERS, PLAYS), &schemas())
    );
    let mut bare = schemas();
    let scores: TableName = "marts.account_scores".parse().unwrap();
    let fields: Vec<Field> = bare[&scores].fields().iter().filter(|f| f.name() != "csm_id").map(|f| f.as_ref().clone()).collect();
    bare.insert(scores, Arc::new(Schema::new(fields)));
    insta::assert_snapshot!("default_owner", errors(&all(CARD, ALERTS, OFFERS, PLAYS), &bare));
}
