use super::support::World;
use cscopilot_lake::Mode;
use serde_json::json;

const EVENTS: &str = "SELECT * FROM (VALUES
    ('e1', 'a', DATE '2023-08-31', 1, TIMESTAMP '2023-09-01T00:00:00Z'),
    ('e2', 'a', DATE '2023-09-30', 2, TIMESTAMP '2023-10-01T00:00:00Z'),
    ('e3', 'b', DATE '2023-09-30', 4, TIMESTAMP '2023-10-01T00:00:00Z')) AS v(event_id, account_id, day, n, _extracted_at)";

const BY_PARTITION: &str = "/*---
materialized: incremental
on: features.spine
partition_by: [as_of]
checks:
  - unique: [account_id, as_of]
---*/
SELECT s.account_id, s.as_of, coalesce(sum(e.n), 0) AS events
FROM features.spine s LEFT JOIN raw.app__events e ON e.account_id = s.account_id AND e.day <= s.as_of
GROUP BY s.account_id, s.as_of";

const BY_KEY: &str = "/*---
materialized: incremental
on: raw.app__events
unique_key: [event_id]
---*/
SELECT event_id, account_id, n * 10 AS n FROM raw.app__events
QUALIFY row_number() OVER (PARTITION BY event_id ORDER BY _extracted_at DESC) = 1";

async fn spine(world: &World, days: &[&str]) {
    let rows = days.iter().flat_map(|d| ["a", "b"].map(|a| format!("('{a}', DATE '{d}')"))).collect::<Vec<_>>().join(", ");
    world.fill("features.spine", Mode::Overwrite, &format!("SELECT * FROM (VALUES {rows}) AS v(account_id, as_of)")).await;
}

async fn by_partition() -> World {
    let world = World::new().await;
    world.fill("raw.app__events", Mode::Overwrite, EVENTS).await;
    spine(&world, &["2023-08-31", "2023-09-30"]).await;
    world.file("sql/features/usage.sql", BY_PARTITION);
    world
}

const ALL: &str = "SELECT as_of, account_id, events FROM features.usage ORDER BY 1, 2";

#[tokio::test]
async fn only_partitions_that_are_missing_are_computed() {
    let world = by_partition().await;
    assert_eq!(world.run("features.usage").await.unwrap().rows_out, 4);
    assert!(world.run("features.usage").await.unwrap().up_to_date);
    // Were the older partitions computed again, this would show in them.
    world.fill("raw.app__events", Mode::Overwrite, "SELECT 'e9' AS event_id, 'a' AS account_id, DATE '2023-01-01' AS day, CAST(100 AS BIGINT) AS n, TIMESTAMP '2023-10-02T00:00:00Z' AS _extracted_at").await;
    spine(&world, &["2023-08-31", "2023-09-30", "2023-10-31"]).await;
    let outcome = world.run("features.usage").await.unwrap();
    assert_eq!((outcome.rows_out, outcome.facts.get("partitions")), (2, Some(&json!(1))));
    assert_eq!(
        world.rows(ALL).await,
        ["2023-08-31 a 1", "2023-08-31 b 0", "2023-09-30 a 3", "2023-09-30 b 4", "2023-10-31 a 100", "2023-10-31 b 0"]
    );
}

#[tokio::test]
async fn lookback_computes_the_newest_partitions_again() {
    let world = by_partition().await;
    world.file("sql/features/usage.sql", &BY_PARTITION.replace("partition_by: [as_of]", "partition_by: [as_of]\nlookback: 1"));
    world.run("features.usage").await.unwrap();
    world.fill("raw.app__events", Mode::Append, "SELECT 'e9' AS event_id, 'b' AS account_id, DATE '2023-08-01' AS day, CAST(100 AS BIGINT) AS n, TIMESTAMP '2023-10-02T00:00:00Z' AS _extracted_at").await;
    world.run("features.usage").await.unwrap();
    assert_eq!(world.rows(ALL).await, ["2023-08-31 a 1", "2023-08-31 b 0", "2023-09-30 a 3", "2023-09-30 b 104"]);
}

#[tokio::test]
async fn a_full_refresh_equals_partition_by_partition() {
    let world = by_partition().await;
    spine(&world, &["2023-08-31"]).await;
    world.run("features.usage").await.unwrap();
    spine(&world, &["2023-08-31", "2023-09-30"]).await;
    world.run("features.usage").await.unwrap();
    let step_by_step = world.rows(ALL).await;
    let outcome = world.refresh("features.usage").await.unwrap();
    assert_eq!(outcome.rows_out, 4);
    assert_eq!(world.rows(ALL).await, step_by_step);
}

#[tokio::test]
async fn a_full_refresh_keeps_partitions_that_the_driver_no_longer_has() {
    let world = by_partition().await;
    world.run("features.usage").await.unwrap();
    spine(&world, &["2023-09-30"]).await;
    world.refresh("features.usage").await.unwrap();
    assert_eq!(world.rows("SELECT count(*) FROM features.usage").await, ["4"]);
}

#[tokio::test]
async fn another_query_makes_the_table_anew() {
    let world = by_partition().await;
    world.run("features.usage").await.unwrap();
    world.file("sql/features/usage.sql", &BY_PARTITION.replace("coalesce(sum(e.n), 0)", "coalesce(sum(e.n), 0) * 2"));
    world.run("features.usage").await.unwrap();
    assert_eq!(world.rows(ALL).await, ["2023-08-31 a 2", "2023-08-31 b 0", "2023-09-30 a 6", "2023-09-30 b 8"]);
    world.file(
        "sql/features/usage.sql",
        &BY_PARTITION.replace("coalesce(sum(e.n), 0)", "coalesce(sum(e.n), 0) * 2").replace("checks:", "checks:\n  - row_count: {min: 1}"),
    );
    assert!(world.run("features.usage").await.unwrap().up_to_date, "a check alone is no reason");
}

#[tokio::test]
async fn rows_of_a_partition_that_was_not_asked_for_are_stopped() {
    let world = by_partition().await;
    world.file(
        "sql/features/usage.sql",
        &BY_PARTITION.replace("s.as_of, coalesce", "s.as_of + INTERVAL '1 day' AS as_of, coalesce").replace(
            "SELECT s.account_id, s.as_of + INTERVAL '1 day' AS as_of",
            "SELECT s.account_id, CAST(s.as_of + INTERVAL '1 day' AS DATE) AS as_of",
        ),
    );
    let error = world.run("features.usage").await.unwrap_err();
    insta::assert_snapshot!(error.to_string(), @"the query of `features.usage` made rows of the partition as_of=2023-09-01, which is not among the new partitions of `features.spine`");
}

#[tokio::test]
async fn a_check_over_the_whole_table_sees_old_and_new_partitions() {
    let world = by_partition().await;
    let sql = BY_PARTITION.replace("checks:", "checks:\n  - row_count: {max: 5}\n  - unique: {columns: [account_id], severity: warn}\n  - freshness: {column: as_of, max_age_days: 1}");
    world.file("sql/features/usage.sql", &sql);
    world.run("features.usage").await.unwrap();
    spine(&world, &["2023-08-31", "2023-09-30", "2023-10-31"]).await;
    let error = world.run("features.usage").await.unwrap_err();
    let row_count = &error.checks()[0];
    assert_eq!((row_count.check.as_str(), row_count.total_rows), ("row_count", 6));
    assert_eq!(error.checks()[1].failing_rows, 4);
    assert_eq!(world.rows("SELECT count(*) FROM features.usage").await, ["4"]);
}

#[tokio::test]
async fn a_partition_that_comes_out_empty_loses_its_rows() {
    let world = by_partition().await;
    let sql = BY_PARTITION.replace("partition_by: [as_of]", "partition_by: [as_of]\nlookback: 1").replace("LEFT JOIN", "JOIN");
    world.file("sql/features/usage.sql", &sql);
    world.run("features.usage").await.unwrap();
    assert_eq!(world.rows(ALL).await, ["2023-08-31 a 1", "2023-09-30 a 3", "2023-09-30 b 4"]);
    world
        .fill(
            "raw.app__events",
            Mode::Overwrite,
            &EVENTS.replace("DATE '2023-08-31'", "DATE '2023-12-01'").replace("DATE '2023-09-30'", "DATE '2023-12-01'"),
        )
        .await;
    world.run("features.usage").await.unwrap();
    assert_eq!(world.rows(ALL).await, ["2023-08-31 a 1"]);
}

async fn by_key() -> World {
    let world = World::new().await;
    world.fill("raw.app__events", Mode::Overwrite, EVENTS).await;
    world.file("sql/staging/events.sql", BY_KEY);
    world.run("staging.events").await.unwrap();
    world
}

const NEW: &str = "SELECT * FROM (VALUES
    ('e3', 'b', DATE '2023-09-30', 5, TIMESTAMP '2023-10-02T00:00:00Z'),
    ('e4', 'c', DATE '2023-10-01', 6, TIMESTAMP '2023-10-02T00:00:00Z')) AS v(event_id, account_id, day, n, _extracted_at)";
const EVENTS_NOW: &str = "SELECT event_id, account_id, n FROM staging.events ORDER BY 1";

#[tokio::test]
async fn rows_appended_to_the_driver_are_merged_by_key() {
    let world = by_key().await;
    assert_eq!(world.rows(EVENTS_NOW).await, ["e1 a 10", "e2 a 20", "e3 b 40"]);
    assert!(world.run("staging.events").await.unwrap().up_to_date);
    world.fill("raw.app__events", Mode::Append, NEW).await;
    let outcome = world.run("staging.events").await.unwrap();
    // The rows of the last extraction (e2, and e3 as it was) are taken again with the new ones.
    assert_eq!(outcome.rows_out, 3);
    assert_eq!(world.rows(EVENTS_NOW).await, ["e1 a 10", "e2 a 20", "e3 b 50", "e4 c 60"]);
    let merged = world.rows(EVENTS_NOW).await;
    world.refresh("staging.events").await.unwrap();
    assert_eq!(world.rows(EVENTS_NOW).await, merged);
}

#[tokio::test]
async fn rows_of_the_same_extraction_that_come_later_are_not_missed() {
    let world = by_key().await;
    world.fill("raw.app__events", Mode::Append, "SELECT 'e5' AS event_id, 'd' AS account_id, DATE '2023-09-30' AS day, CAST(7 AS BIGINT) AS n, TIMESTAMP '2023-10-01T00:00:00Z' AS _extracted_at").await;
    world.run("staging.events").await.unwrap();
    assert_eq!(world.rows("SELECT n FROM staging.events WHERE event_id = 'e5'").await, ["70"]);
}

#[tokio::test]
async fn a_key_that_is_not_one_stops_the_merge() {
    let world = by_key().await;
    world.file("sql/staging/events.sql", &BY_KEY.split("QUALIFY").next().unwrap().replace("n * 10", "n * 10 + 0"));
    world.fill("raw.app__events", Mode::Append, NEW).await;
    let error = world.run("staging.events").await.unwrap_err();
    let unique = error.checks().last().unwrap();
    assert_eq!(
        (unique.check.as_str(), unique.failing_rows, unique.sample.as_deref()),
        ("unique(event_id)", 1, Some("event_id=e3, rows=2"))
    );
    assert_eq!(world.rows(EVENTS_NOW).await, ["e1 a 10", "e2 a 20", "e3 b 40"]);
}
