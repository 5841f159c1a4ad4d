use super::support::{World, base};
use crate::TestResult;

const USAGE: &str = "/*---
description: Events of an account up to a day.
---*/
SELECT a.account_id, $as_of AS as_of, coalesce(sum(e.n), 0) AS events, count(*) FILTER (WHERE e.n > $least) AS large
FROM raw.crm__accounts a LEFT JOIN raw.app__events e ON e.account_id = a.account_id AND e.day <= $as_of
GROUP BY a.account_id";

fn project_of(world: &World) -> cscopilot_spec::Project {
    // Raw tables are declared by the caller here, so the project needs no sources.
    world.project()
}

async fn test(tests: &str, select: &[&str]) -> Vec<TestResult> {
    let world = World::new().await;
    world.file("sql/features/usage.sql", USAGE);
    world.file("sql/tests/usage.yaml", tests);
    let select: Vec<String> = select.iter().map(|s| (*s).to_owned()).collect();
    crate::test(&project_of(&world), &base(), &select).await.unwrap()
}

fn shown(results: &[TestResult]) -> String {
    let one = |r: &TestResult| {
        let why = match (&r.difference, &r.problem) {
            (Some(d), _) => format!("\n{d}"),
            (_, Some(p)) => format!("\n{p}\n"),
            _ => String::new(),
        };
        format!("{} {} ({}:{}){why}", if r.passed { "ok" } else { "FAILED" }, r.name, r.path, r.line)
    };
    results.iter().map(one).collect::<Vec<_>>().join("\n")
}

const TESTS: &str = "version: 1
tests:
  - name: counts_events_up_to_as_of_only
    table: features.usage
    as_of: 2023-10-01
    given:
      raw.crm__accounts:
        rows:
          - {account_id: a}
          - {account_id: b}
      raw.app__events:
        rows:
          - {account_id: a, day: 2023-09-30, n: 5}
          - {account_id: a, day: 2023-10-02, n: 50}
    expect:
      rows:
        - {account_id: b, events: 0, large: 0}
        - {account_id: a, events: 5, large: 1}
  - name: respects_the_threshold
    table: features.usage
    as_of: 2023-10-01
    params: {least: 100}
    given:
      raw.crm__accounts: {rows: [{account_id: a}]}
      raw.app__events: {rows: [{account_id: a, day: 2023-09-30, n: 5}]}
    expect: {rows: [{account_id: a, large: 0}]}
";

#[tokio::test]
async fn tests_pass_when_the_rows_come_out() {
    let results = test(TESTS, &[]).await;
    assert_eq!(
        shown(&results),
        "ok counts_events_up_to_as_of_only (sql/tests/usage.yaml:3)\nok respects_the_threshold (sql/tests/usage.yaml:19)"
    );
}

#[tokio::test]
async fn tests_can_be_chosen() {
    assert_eq!(test(TESTS, &["respects_the_threshold"]).await.len(), 1);
    assert_eq!(test(TESTS, &["features"]).await.len(), 2);
    assert_eq!(test(TESTS, &["features.usage"]).await.len(), 2);
    assert_eq!(test(TESTS, &["usage"]).await.len(), 2);
    assert_eq!(test(TESTS, &["staging"]).await.len(), 0);
}

#[tokio::test]
async fn a_failing_test_shows_the_rows_that_differ() {
    let wrong = TESTS
        .replace("{account_id: a, events: 5, large: 1}", "{account_id: a, events: 55, large: 1}")
        .replace("{account_id: b, events: 0, large: 0}", "{account_id: c, events: 0, large: 0}");
    insta::assert_snapshot!(shown(&test(&wrong, &["counts_events_up_to_as_of_only"]).await));
}

#[tokio::test]
async fn a_test_that_is_wrong_itself_is_pointed_at() {
    let cases = [
        ("unknown_column", TESTS.replace("day: 2023-10-02", "dya: 2023-10-02")),
        ("bad_value", TESTS.replace("day: 2023-10-02", "day: tomorrow")),
        ("unknown_table", TESTS.replace("raw.crm__accounts:\n        rows", "raw.crm__account:\n        rows")),
        ("unknown_model", TESTS.replacen("table: features.usage", "table: features.usages", 1)),
        ("unknown_result_column", TESTS.replace("events: 5,", "event: 5,")),
        ("unused_param", TESTS.replace("as_of: 2023-10-01\n    given", "as_of: 2023-10-01\n    params: {most: 3}\n    given")),
        ("bad_expected_value", TESTS.replace("events: 5,", "events: many,")),
    ];
    for (name, tests) in cases {
        insta::assert_snapshot!(format!("test_{name}"), shown(&test(&tests, &["counts_events_up_to_as_of_only"]).await));
    }
}
