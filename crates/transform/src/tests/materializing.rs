use super::support::World;
use cscopilot_lake::step::{CheckResult, CheckStatus};
use cscopilot_lake::{Mode, TableKind, TableName};

const USERS: &str = "SELECT * FROM (VALUES ('a', 'open', 5, DATE '2023-09-30'), ('b', 'shut', 9, DATE '2023-09-20'), ('c', NULL, NULL, NULL)) AS v(id, state, n, day)";

async fn world() -> World {
    let world = World::new().await;
    world.fill("raw.app__users", Mode::Overwrite, USERS).await;
    world
}

fn text(checks: &[CheckResult]) -> String {
    let line = |c: &CheckResult| {
        format!(
            "{} {} {}/{} {} [{}]",
            c.status.as_str(),
            c.check,
            c.failing_rows,
            c.total_rows,
            c.detail.as_deref().unwrap_or("-"),
            c.sample.as_deref().unwrap_or("")
        )
    };
    checks.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_table_holds_the_rows_of_its_query() {
    let world = world().await;
    world.file("sql/staging/users.sql", "SELECT id, n + $least AS n FROM raw.app__users WHERE day <= $as_of");
    let outcome = world.run("staging.users").await.unwrap();
    assert_eq!((outcome.rows_in, outcome.rows_out), (3, 2));
    assert_eq!(world.rows("SELECT * FROM staging.users ORDER BY id").await, ["a 8", "b 12"]);
}

#[tokio::test]
async fn small_tables_are_stored_in_key_order() {
    let world = world().await;
    world.file("sql/staging/users.sql", "/*---\nchecks:\n  - unique: [id]\n---*/\nSELECT id FROM raw.app__users ORDER BY id DESC LIMIT 3");
    world.run("staging.users").await.unwrap();
    // The query's own order is kept.
    assert_eq!(world.rows("SELECT id FROM staging.users").await, ["c", "b", "a"]);
    world.file(
        "sql/staging/users.sql",
        "/*---\nchecks:\n  - unique: [id]\n---*/\nSELECT * FROM (SELECT id FROM raw.app__users ORDER BY id DESC LIMIT 3) AS s",
    );
    world.run("staging.users").await.unwrap();
    assert_eq!(world.rows("SELECT id FROM staging.users").await, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_view_stores_no_rows_and_follows_its_sources() {
    let world = world().await;
    world.file(
        "sql/staging/users.sql",
        "/*---\nmaterialized: view\nchecks:\n  - not_null: [id]\n---*/\nSELECT id FROM raw.app__users WHERE n > $least",
    );
    let outcome = world.run("staging.users").await.unwrap();
    assert_eq!(outcome.checks.len(), 1);
    world.file("sql/marts/users.sql", "SELECT count(*) AS n FROM staging.users");
    world.run("marts.users").await.unwrap();
    assert_eq!(world.rows("SELECT * FROM marts.users").await, ["2"]);
    world.fill("raw.app__users", Mode::Append, "SELECT 'd' AS id, 'open' AS state, CAST(7 AS BIGINT) AS n, DATE '2023-10-01' AS day").await;
    assert_eq!(world.rows("SELECT * FROM staging.users ORDER BY id").await, ["a", "b", "d"]);
}

#[tokio::test]
async fn a_table_may_become_a_view_and_back() {
    let world = world().await;
    let name: TableName = "staging.users".parse().unwrap();
    world.file("sql/staging/users.sql", "SELECT id FROM raw.app__users");
    for (header, kind) in [("", TableKind::Table), ("/*---\nmaterialized: view\n---*/", TableKind::View), ("", TableKind::Table)] {
        world.file("sql/staging/users.sql", &format!("{header}SELECT id FROM raw.app__users"));
        world.run("staging.users").await.unwrap();
        assert_eq!(world.lake.table(&name).await.unwrap().unwrap().kind, kind);
        assert_eq!(world.rows("SELECT id FROM staging.users ORDER BY id").await, ["a", "b", "c"]);
    }
}

#[tokio::test]
async fn every_kind_of_check_counts_and_shows_what_fails() {
    let world = world().await;
    world.fill("raw.app__more", Mode::Overwrite, "SELECT * FROM (VALUES ('a'), ('c')) AS v(id)").await;
    world.file(
        "sql/staging/users.sql",
        "/*---
checks:
  - not_null: {columns: [state, n], severity: warn}
  - unique: {columns: [state], severity: warn}
  - unique: [id]
  - accepted_values: {column: state, values: [open], severity: warn}
  - range: {column: n, min: 6, severity: warn}
  - range: {column: day, min: 2023-09-01, max: 2023-10-01}
  - relationship: {column: id, to: raw.app__more.id, severity: warn}
  - freshness: {column: day, max_age_days: 0, severity: warn}
  - freshness: {column: day, max_age_days: 1}
  - row_count: {min: 10, severity: warn}
  - row_count: {min: 1, max: 4}
  - expression: {name: n_is_small, sql: \"n < $least + 3 -- in plain words\", severity: warn}
---*/
SELECT * FROM raw.app__users UNION ALL SELECT 'e' AS id, 'open' AS state, 8 AS n, DATE '2023-09-25' AS day",
    );
    let outcome = world.run("staging.users").await.unwrap();
    insta::assert_snapshot!(text(&outcome.checks));
    assert_eq!(crate::last_checks(&world.lake, &"staging.users".parse().unwrap()).await.unwrap(), outcome.checks);
}

#[tokio::test]
async fn a_sample_shows_the_key_and_what_the_expression_names() {
    let world = world().await;
    let header = "/*---\nchecks:\n  - unique: [id]\n  - expression: {name: day_is_old, sql: \"day < $as_of - INTERVAL '2 days'\", severity: warn}\n---*/\n";
    world.file("sql/staging/users.sql", &format!("{header}SELECT id, state, n, day FROM raw.app__users"));
    let outcome = world.run("staging.users").await.unwrap();
    assert_eq!(outcome.checks[1].sample.as_deref(), Some("id=a, day=2023-09-30"));
}

#[tokio::test]
async fn a_failed_check_of_severity_error_keeps_the_old_table() {
    let world = world().await;
    let header = "/*---\nchecks:\n  - accepted_values: {column: state, values: [open, shut]}\n  - not_null: {columns: [state], severity: warn}\n---*/\n";
    world.file("sql/staging/users.sql", &format!("{header}SELECT id, state FROM raw.app__users"));
    world.run("staging.users").await.unwrap();
    world.file("sql/staging/users.sql", &format!("{header}SELECT id, concat(state, '!') AS state FROM raw.app__users"));
    let error = world.run("staging.users").await.unwrap_err();
    insta::assert_snapshot!(error.to_string());
    assert_eq!(error.checks().iter().filter(|c| c.status == CheckStatus::Failed).count(), 1);
    assert_eq!(world.rows("SELECT state FROM staging.users ORDER BY id").await, ["open", "shut", "NULL"]);
}

#[tokio::test]
async fn a_view_that_fails_its_check_is_not_replaced() {
    let world = world().await;
    let header = "/*---\nmaterialized: view\nchecks:\n  - row_count: {min: 3}\n---*/\n";
    world.file("sql/staging/users.sql", &format!("{header}SELECT id FROM raw.app__users"));
    world.run("staging.users").await.unwrap();
    world.file("sql/staging/users.sql", &format!("{header}SELECT id FROM raw.app__users WHERE n > 0"));
    assert!(world.run("staging.users").await.is_err());
    assert_eq!(world.rows("SELECT count(*) FROM staging.users").await, ["3"]);
}

#[tokio::test]
async fn a_query_that_fails_half_way_publishes_nothing() {
    let world = world().await;
    world.file("sql/staging/users.sql", "SELECT id, CAST(state AS BIGINT) AS s FROM raw.app__users");
    let error = world.run("staging.users").await.unwrap_err();
    assert!(matches!(error, crate::Error::Query { .. }), "{error:?}");
    assert!(world.lake.table(&"staging.users".parse().unwrap()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_repeated_commit_of_the_same_run_is_skipped_and_keeps_its_check_results() {
    let world = world().await;
    world.file("sql/staging/users.sql", "/*---\nchecks:\n  - row_count: {min: 1}\n---*/\nSELECT id FROM raw.app__users");
    let ctx = world.context("2023-10-01");
    let table = "staging.users".parse().unwrap();
    let first = crate::run(&ctx, &table).await.unwrap();
    let second = crate::run(&ctx, &table).await.unwrap();
    assert_eq!(first.checks, second.checks);
    assert_eq!(world.lake.table(&table).await.unwrap().unwrap().version, 0);
}

#[tokio::test]
async fn rows_kept_for_checks_move_to_a_file_when_they_are_many() {
    let world = world().await;
    let session = world.lake.session();
    let batches = session.query("SELECT * FROM raw.app__users ORDER BY id", &super::support::params()).await.unwrap();
    let mut stage = crate::stage::Stage::new("a.b".parse().unwrap(), &batches[0].schema(), vec![0, 2]).unwrap().with_limit(1);
    for batch in batches.iter().chain(&batches) {
        stage.push(batch).unwrap();
    }
    session.register_provider(&"local.kept".parse().unwrap(), stage.finish().unwrap());
    for _ in 0..2 {
        let rows = session.query("SELECT count(*) AS rows, sum(n) AS n FROM kept", &super::support::params()).await.unwrap();
        let cells = crate::rows::cells(&rows, &["rows".to_owned(), "n".to_owned()]).unwrap();
        assert_eq!((cells[0][0].text.as_str(), cells[0][1].text.as_str()), ("6", "28"));
    }
}

#[tokio::test]
async fn a_model_that_is_not_there_is_an_error_with_a_hint() {
    use cscopilot_diag::Coded;
    let world = world().await;
    world.file("sql/staging/users.sql", "SELECT 1 AS a");
    let error = world.run("staging.user").await.unwrap_err();
    assert_eq!((error.code(), error.help().as_deref()), ("TRF051", Some("did you mean `staging.users`?")));
}
