use super::support::{base, check_files, diagnose, params};
use crate::Embargoes;
use cscopilot_diag::Diagnostics;
use std::sync::Arc;

const ACCOUNTS: &str = "SELECT account_id, name, arr, signed_on FROM raw.crm__accounts";

#[test]
fn every_model_gets_the_columns_that_its_table_will_have() {
    let files = [
        ("sql/staging/accounts.sql", ACCOUNTS),
        (
            "sql/features/usage.sql",
            "SELECT account_id, sum(n) AS events, max(day) AS last_day FROM raw.app__events WHERE day <= $as_of GROUP BY account_id",
        ),
        (
            "sql/marts/accounts.sql",
            "SELECT a.account_id, coalesce(u.events, 0) AS events, $as_of - u.last_day AS idle_days FROM staging.accounts a LEFT JOIN features.usage u USING (account_id)",
        ),
    ];
    let mut out = Diagnostics::new();
    let schemas = check_files(&files, &mut out);
    assert_eq!(out.to_string(), "");
    let text: Vec<String> = schemas
        .iter()
        .map(|(t, s)| {
            format!(
                "{t}: {}",
                s.fields().iter().map(|f| format!("{} {}", f.name(), crate::type_name(f.data_type()))).collect::<Vec<_>>().join(", ")
            )
        })
        .collect();
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn broken_sql_is_shown_at_its_line_and_column() {
    let cases = [
        ("syntax", "SELECT account_id,\n  name\nFORM raw.crm__accounts\nWHERE )"),
        ("unfinished", "SELECT account_id FROM"),
        ("empty", "-- nothing yet\n"),
        ("two_queries", "SELECT 1 AS a;\nSELECT 2 AS b"),
        ("not_a_query", "CREATE TABLE x AS SELECT 1"),
        ("bare_table", "SELECT account_id\nFROM crm__accounts"),
        ("unknown_table", "SELECT account_id\nFROM raw.crm__acounts"),
        ("unknown_schema", "SELECT account_id\nFROM landing.accounts"),
        ("unknown_column", "SELECT account_id,\n       nmae\nFROM raw.crm__accounts"),
        ("unknown_function", "SELECT account_id,\n  totl(arr) AS t FROM raw.crm__accounts"),
        ("type_error", "SELECT account_id\nFROM raw.crm__accounts\nWHERE signed_on + arr > 1"),
        ("missing_group_by", "SELECT account_id,\n  sum(n) AS n\nFROM raw.app__events"),
        ("unknown_parameter", "SELECT account_id FROM raw.crm__accounts\nWHERE signed_on <= $asof"),
        ("two_columns_of_one_name", "SELECT a.account_id, e.account_id FROM raw.crm__accounts a JOIN raw.app__events e USING (account_id)"),
        ("no_name", "SELECT account_id, count(*) FROM raw.app__events GROUP BY account_id"),
        ("no_type", "SELECT account_id, NULL AS segment FROM raw.crm__accounts"),
        ("ambiguous", "SELECT account_id FROM raw.crm__accounts a JOIN raw.app__events e ON a.account_id = e.account_id"),
        ("itself", "SELECT * FROM staging.broken"),
    ];
    for (name, sql) in cases {
        insta::assert_snapshot!(format!("broken_{name}"), diagnose(&[("sql/staging/broken.sql", sql)]));
    }
}

#[test]
fn positions_count_from_the_top_of_the_file_with_a_header() {
    let sql = "/*---\ndescription: Accounts.\nmaterialized: table\n---*/\nSELECT\n  acount_id\nFROM raw.crm__accounts";
    insta::assert_snapshot!(diagnose(&[("sql/staging/broken.sql", sql)]));
}

#[test]
fn headers_are_held_against_the_columns() {
    let cases = [
        ("unknown_key", "/*---\nmaterialized: table\npartition_by: [signedon]\n---*/\n"),
        ("bad_partition_type", "/*---\nmaterialized: table\npartition_by: [arr]\n---*/\n"),
        ("unknown_check_column", "/*---\nchecks:\n  - not_null: [account_id, nam]\n---*/\n"),
        ("bad_accepted_value", "/*---\nchecks:\n  - accepted_values: {column: arr, values: [1, many]}\n---*/\n"),
        ("range_of_text", "/*---\nchecks:\n  - range: {column: name, min: 1}\n---*/\n"),
        ("bad_range_date", "/*---\nchecks:\n  - range: {column: signed_on, min: 2020-13-01}\n---*/\n"),
        ("freshness_of_number", "/*---\nchecks:\n  - freshness: {column: arr, max_age_days: 3}\n---*/\n"),
        ("relationship_table", "/*---\nchecks:\n  - relationship: {column: account_id, to: raw.app__event.account_id}\n---*/\n"),
        ("relationship_column", "/*---\nchecks:\n  - relationship: {column: account_id, to: raw.app__events.acount_id}\n---*/\n"),
        ("relationship_type", "/*---\nchecks:\n  - relationship: {column: account_id, to: raw.app__events.n}\n---*/\n"),
        ("expression_column", "/*---\nchecks:\n  - expression: {name: positive, sql: \"ar > 0\"}\n---*/\n"),
        ("expression_type", "/*---\nchecks:\n  - expression: {name: positive, sql: \"arr + 1\"}\n---*/\n"),
        ("expression_syntax", "/*---\nchecks:\n  - expression: {name: positive, sql: \"arr >\"}\n---*/\n"),
        ("expression_param", "/*---\nchecks:\n  - expression: {name: positive, sql: \"arr > $most\"}\n---*/\n"),
        ("declared_type", "/*---\ncolumns:\n  arr: {type: DOUBLE, description: Yearly revenue.}\n---*/\n"),
        ("declared_column", "/*---\ncolumns:\n  revenue: {description: Yearly revenue.}\n---*/\n"),
        ("driver_not_read", "/*---\nmaterialized: incremental\non: raw.app__events\npartition_by: [signed_on]\n---*/\n"),
        ("driver_without_watermark", "/*---\nmaterialized: incremental\non: raw.crm__accounts\nunique_key: [account_id]\n---*/\n"),
    ];
    for (name, header) in cases {
        insta::assert_snapshot!(format!("header_{name}"), diagnose(&[("sql/staging/accounts.sql", &format!("{header}{ACCOUNTS}"))]));
    }
}

#[test]
fn a_loop_is_named_once_and_what_reads_it_is_left_alone() {
    let files = [
        ("sql/a/x.sql", "SELECT * FROM b.y"),
        ("sql/b/y.sql", "SELECT *\nFROM c.z"),
        ("sql/c/z.sql", "SELECT * FROM a.x"),
        ("sql/d/w.sql", "SELECT anything FROM a.x"),
    ];
    insta::assert_snapshot!(diagnose(&files));
}

#[test]
fn one_broken_model_does_not_make_others_look_broken() {
    let files = [
        ("sql/staging/accounts.sql", "SELECT acount_id FROM raw.crm__accounts"),
        ("sql/marts/accounts.sql", "SELECT whatever FROM staging.accounts"),
    ];
    let text = diagnose(&files);
    assert_eq!(text.matches("error[").count(), 1, "{text}");
}

#[test]
fn a_table_of_another_step_can_not_be_made_twice() {
    let mut out = Diagnostics::new();
    let file = cscopilot_spec::SqlModel::parse("sql/marts/health.sql", Arc::from("SELECT 1 AS a"), None).unwrap();
    let mut schemas = base();
    schemas.insert("marts.health".parse().unwrap(), super::support::schema(&[]));
    let models = crate::compile([&file], &params(), &Embargoes::default(), &mut out);
    crate::check_models(&models, &schemas, &params(), &mut out);
    assert_eq!(out.iter().map(|d| d.code).collect::<Vec<_>>(), ["TRF008"]);
}

#[test]
fn templates_are_rendered_and_checked() {
    let sql = "SELECT account_id{% for w in [7, 28] %},\n  sum(n) FILTER (WHERE day > $as_of - INTERVAL '{{ w }} days') AS events_{{ w }}d{% endfor %}\nFROM raw.app__events GROUP BY account_id";
    let mut out = Diagnostics::new();
    let schemas = check_files(&[("sql/features/usage.sql.j2", sql)], &mut out);
    assert_eq!(out.to_string(), "");
    let columns: Vec<_> = schemas.values().flat_map(|s| s.fields().iter().map(|f| f.name().clone())).collect();
    assert_eq!(columns, ["account_id", "events_7d", "events_28d"]);
    insta::assert_snapshot!("template_undefined", diagnose(&[("sql/features/usage.sql.j2", "SELECT\n {{ params.nothing }} AS a")]));
    insta::assert_snapshot!(
        "template_sql_error",
        diagnose(&[("sql/features/usage.sql.j2", "{% set c = 'acount_id' %}SELECT\n {{ c }}\nFROM raw.app__events")])
    );
}

#[test]
fn a_template_that_asks_when_rows_were_known_needs_all_of_a_raw_table() {
    let sql = "SELECT account_id, {{ known_on('raw.app__events', 'day') }} AS known_on FROM raw.app__events";
    insta::assert_snapshot!("known_on_unknown_source", diagnose(&[("sql/staging/events.sql.j2", sql)]));
    let header = "/*---\nmaterialized: incremental\non: raw.app__events\nunique_key: [account_id]\n---*/\n";
    insta::assert_snapshot!("known_on_of_driver", diagnose(&[("sql/staging/events.sql.j2", &format!("{header}{sql}"))]));
}

#[test]
fn only_parameters_that_are_used_count() {
    let mut out = Diagnostics::new();
    let model = |sql: &str, out: &mut Diagnostics| {
        let file = cscopilot_spec::SqlModel::parse("sql/a/x.sql", Arc::from(sql), None).unwrap();
        crate::compile([&file], &params(), &Embargoes::default(), out).models.into_values().next().unwrap()
    };
    assert!(!model("SELECT 1 AS a -- $as_of", &mut out).depends_on_as_of());
    assert!(model("SELECT $as_of AS a", &mut out).depends_on_as_of());
    let with_check = model("/*---\nchecks: [{freshness: {column: a, max_age_days: 1}}]\n---*/SELECT 1 AS a WHERE 1 < $least", &mut out);
    assert_eq!(with_check.params_used().iter().map(String::as_str).collect::<Vec<_>>(), ["as_of", "least"]);
    assert!(!out.has_errors());
}

#[tokio::test]
async fn a_parameter_that_nothing_uses_is_a_warning() {
    let world = super::support::World::new().await;
    world.file("sql/staging/users.sql", "SELECT 1 AS a");
    let mut out = Diagnostics::new();
    crate::check(&world.project(), &base(), &mut out);
    insta::assert_snapshot!(out.to_string());
    world.file("sql/staging/users.sql", "SELECT $least AS a");
    let mut out = Diagnostics::new();
    crate::check(&world.project(), &base(), &mut out);
    assert!(out.is_empty(), "{out}");
}
