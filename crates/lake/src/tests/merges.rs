use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::testing::*;
use crate::*;

#[tokio::test]
async fn merging_replaces_rows_of_the_same_key_and_adds_the_others() {
    let lake = memory().await;
    lake.commit(write(merge_by_id(), &[(1, "a", 1), (2, "a", 2)], "r1")).await.unwrap();
    lake.commit(write(merge_by_id(), &[(2, "b", 20), (3, "b", 30)], "r2")).await.unwrap();
    assert_eq!(read(&lake).await, [(1, "a".into(), 1), (2, "b".into(), 20), (3, "b".into(), 30)]);
}

#[tokio::test]
async fn files_without_a_matching_key_are_left_alone() {
    let lake = memory().await;
    for (run, data) in [("r1", [(1, "a", 1), (5, "a", 5)]), ("r2", [(10, "a", 10), (15, "a", 15)])] {
        lake.commit(write(Mode::Append, &data, run)).await.unwrap();
    }
    let before = lake.newest(&name("staging.t")).await.unwrap().unwrap();
    // 3 lies within the first file's bounds but isn't there; 15 is in the second.
    lake.commit(write(merge_by_id(), &[(3, "b", 3), (15, "b", 150)], "r3")).await.unwrap();
    let after = lake.newest(&name("staging.t")).await.unwrap().unwrap();
    assert!(after.files.iter().any(|f| f.path == before.files[0].path));
    assert!(!after.files.iter().any(|f| f.path == before.files[1].path));
    assert_eq!(read(&lake).await.len(), 5);
}

#[tokio::test]
async fn many_small_files_are_joined_by_a_merge() {
    let lake = memory().await;
    for i in 0..15 {
        lake.commit(write(merge_by_id(), &[(i, "a", i)], &format!("r{i}"))).await.unwrap();
    }
    let info = lake.table(&name("staging.t")).await.unwrap().unwrap();
    assert!(info.files < 14, "{} files", info.files);
    assert_eq!(read(&lake).await.len(), 15);
}

/// One write of a random history.
#[derive(Debug, Clone)]
enum Step {
    Append(Vec<(i64, u8, i64)>),
    Merge(BTreeMap<i64, (u8, i64)>),
    Partitions(Vec<(i64, u8, i64)>),
    Overwrite(Vec<(i64, u8, i64)>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let row = || (0..12_i64, 0..3_u8, 0..100_i64);
    let rows = || prop::collection::vec(row(), 0..6);
    let keyed = prop::collection::btree_map(0..12_i64, (0..3_u8, 0..100_i64), 0..6);
    let step = prop_oneof![
        1 => rows().prop_map(Step::Append),
        3 => keyed.prop_map(Step::Merge),
        2 => rows().prop_map(Step::Partitions),
        1 => rows().prop_map(Step::Overwrite),
    ];
    prop::collection::vec(step, 1..7)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn every_history_gives_the_rows_of_a_plain_list(history in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let lake = memory().await;
            let mut model: Vec<(i64, String, i64)> = vec![];
            for (number, step) in history.iter().enumerate() {
                let named = |rows: &[(i64, u8, i64)]| rows.iter().map(|r| (r.0, format!("p{}", r.1), r.2)).collect::<Vec<_>>();
                let (mode, rows) = match step {
                    Step::Append(rows) => (Mode::Append, named(rows)),
                    Step::Overwrite(rows) => (Mode::Overwrite, named(rows)),
                    Step::Partitions(rows) => (Mode::OverwritePartitions, named(rows)),
                    Step::Merge(rows) => (merge_by_id(), named(&rows.iter().map(|(k, v)| (*k, v.0, v.1)).collect::<Vec<_>>())),
                };
                match step {
                    Step::Append(_) => {}
                    Step::Overwrite(_) => model.clear(),
                    Step::Partitions(_) => model.retain(|old| rows.iter().all(|new| new.1 != old.1)),
                    Step::Merge(_) => model.retain(|old| rows.iter().all(|new| new.0 != old.0)),
                }
                model.extend(rows.iter().cloned());
                let data: Vec<_> = rows.iter().map(|r| (r.0, r.1.as_str(), r.2)).collect();
                lake.commit(write(mode, &data, &format!("r{number}")).partitioned_by(["part"])).await.unwrap();
            }
            model.sort();
            prop_assert_eq!(read(&lake).await, model);
            Ok(())
        })?;
    }
}
