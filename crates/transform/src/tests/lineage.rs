use super::support::{World, base, params};

#[tokio::test]
async fn columns_are_followed_through_ctes_joins_and_aggregates() {
    let world = World::new().await;
    world.file(
        "sql/staging/accounts.sql",
        "/*---\nmaterialized: view\n---*/SELECT account_id, upper(name) AS title, arr FROM raw.crm__accounts",
    );
    world.file(
        "sql/marts/accounts.sql",
        "/*---\ndescription: One row per account.\n---*/
         WITH usage AS (SELECT account_id, sum(n) AS events FROM raw.app__events WHERE day <= $as_of GROUP BY account_id)
         SELECT a.account_id, a.title || ' ' || CAST(u.events AS VARCHAR) AS label, rank() OVER (ORDER BY a.arr) AS place
         FROM staging.accounts a LEFT JOIN usage u USING (account_id)",
    );
    let graph = crate::lineage(&world.project(), &base(), &params()).await.unwrap();
    let mut text: Vec<String> = graph.tables.iter().map(|n| format!("{} {}", n.kind, n.table)).collect();
    text.extend(graph.edges.iter().map(|(a, b)| format!("{a} -> {b}")));
    text.extend(graph.columns.iter().map(|(a, b)| format!("{}.{} -> {}.{}", a.table, a.column, b.table, b.column)));
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn a_task_that_reads_a_view_also_depends_on_what_the_view_reads() {
    let world = tokio::runtime::Runtime::new().unwrap().block_on(World::new());
    world.file(
        "sql/staging/accounts.sql",
        "/*---\nmaterialized: view\n---*/SELECT account_id FROM raw.crm__accounts WHERE signed_on <= $as_of",
    );
    world.file("sql/marts/accounts.sql", "/*---\nchecks: [{relationship: {column: account_id, to: raw.app__events.account_id}}]\n---*/SELECT account_id FROM staging.accounts");
    let tasks = crate::tasks(&world.project(), &params());
    let names: Vec<String> = tasks.iter().map(|t| t.table.to_string()).collect();
    assert_eq!(names, ["staging.accounts", "marts.accounts"]);
    let reads: Vec<String> = tasks[1].reads.iter().map(ToString::to_string).collect();
    assert_eq!(reads, ["raw.app__events", "raw.crm__accounts", "staging.accounts"]);
    assert!(tasks[1].params.contains("as_of"));
}
