use super::support::World;
use cscopilot_lake::{Lake, LakeOptions, Mode};

/// Float sums depend on the order of the numbers, and so does which of two equal rows comes first.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sums_and_ties_are_the_same_each_time_whatever_the_threads() {
    let mut world = World::new().await;
    let options = LakeOptions { threads: 4, ..LakeOptions::default() };
    world.lake = Lake::open("memory://transform-determinism", options).await.unwrap();
    for part in 0..8 {
        let sql = format!(
            "SELECT v AS id, v % 7 AS grp, CAST(v AS DOUBLE) / 7 + {part} / 3.0 AS x, 'p{part}' AS part FROM generate_series(1, 3000) AS g(v)"
        );
        world.fill("raw.app__numbers", if part == 0 { Mode::Overwrite } else { Mode::Append }, &sql).await;
    }
    world.file(
        "sql/marts/sums.sql",
        "WITH ranked AS (SELECT *, row_number() OVER (PARTITION BY id ORDER BY id) AS r FROM raw.app__numbers)
         SELECT grp, sum(x) AS x, avg(x) AS mean, stddev(x) AS spread, max(part) FILTER (WHERE r = 1 AND id < 8) AS first_part FROM ranked GROUP BY grp",
    );
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..5 {
        world.run("marts.sums").await.unwrap();
        let sql = "SELECT grp, CAST(x AS VARCHAR) AS x, CAST(mean AS VARCHAR) AS m, CAST(spread AS VARCHAR) AS s, first_part FROM marts.sums ORDER BY grp";
        seen.insert(world.rows(sql).await);
    }
    assert_eq!(seen.len(), 1);
}
