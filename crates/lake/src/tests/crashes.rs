use crate::testing::*;
use crate::*;

#[tokio::test]
async fn data_files_without_a_log_entry_are_not_seen() {
    let (_folder, lake) = local().await;
    lake.commit(write(Mode::Append, &[(1, "a", 1)], "r1")).await.unwrap();
    lake.commit(write(Mode::Overwrite, &[(2, "b", 2)], "r2")).await.unwrap();
    let folder = lake.local_root().unwrap().join("tables/staging/t");
    // As if the process had died after the data was written and before the log entry.
    std::fs::remove_file(folder.join("_delta_log/00000000000000000001.json")).unwrap();
    std::fs::write(folder.join("_delta_log/00000000000000000001.json#4711"), "{\"half").unwrap();
    let again = Lake::open(lake.location(), LakeOptions::default()).await.unwrap();
    assert_eq!(read(&again).await, [(1, "a".into(), 1)]);
    // The same run does its work again and finds its place free.
    let done = again.commit(write(Mode::Overwrite, &[(2, "b", 2)], "r2")).await.unwrap();
    assert_eq!((done.version, done.skipped), (1, false));
    assert_eq!(read(&again).await, [(2, "b".into(), 2)]);
}

#[tokio::test]
async fn the_lock_refuses_a_second_owner_and_frees_itself() {
    let (_folder, disk) = local().await;
    for lake in [disk, memory().await] {
        let first = lake.lock(&LockOwner { who: "run 1".into(), host: "h".into(), pid: 7 }).await.unwrap().unwrap();
        let held = lake.lock(&LockOwner::this_process("run 2")).await.unwrap().unwrap_err();
        assert!(held.to_string().starts_with("the lake is in use by run 1 (process 7 on h) since 20"), "{held}");
        drop(first);
        lake.lock(&LockOwner::this_process("run 3")).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn the_next_holder_sweeps_what_a_killed_one_left_and_nothing_else() {
    let (_folder, lake) = local().await;
    let root = lake.local_root().unwrap();
    lake.commit(write(Mode::Append, &[(1, "a", 1)], "r1")).await.unwrap();
    lake.objects().put("models/m/v1/card.json", "{}").await.unwrap();
    let unfinished = ["tables/staging/t/part.parquet#1", "tables/staging/t/_delta_log/1.json#4711", "models/m/v1/card.json#23897000257"];
    let others = ["tables/staging/t/a#b", "notes#1"];
    for path in unfinished.iter().chain(&others) {
        std::fs::write(root.join(path), "half").unwrap();
    }
    let there = || unfinished.iter().filter(|path| root.join(path).exists()).count();

    // A holder that ended in good order leaves nothing: nobody looks.
    drop(lake.lock(&LockOwner::this_process("run 1")).await.unwrap().unwrap());
    drop(lake.lock(&LockOwner::this_process("run 2")).await.unwrap().unwrap());
    assert_eq!(there(), 3);
    // A killed one leaves its record.
    std::fs::write(root.join(".lock"), "{\"owner\"").unwrap();
    drop(lake.lock(&LockOwner::this_process("run 3")).await.unwrap().unwrap());
    assert_eq!(there(), 0);
    assert!(others.iter().all(|path| root.join(path).exists()));
    assert_eq!(read(&lake).await, [(1, "a".into(), 1)]);
    assert!(lake.objects().exists("models/m/v1/card.json").await.unwrap());
}

#[cfg(feature = "failpoints")]
mod failpoints {
    use super::*;

    #[tokio::test]
    async fn whatever_fails_a_retry_ends_with_the_same_rows() {
        let scenario = fail::FailScenario::setup();
        for point in ["lake::before_data", "lake::after_data", "lake::after_commit"] {
            let (_folder, lake) = local().await;
            // A table of its own: other tests run in the same process.
            let merge = |run: &str| Write { table: name("staging.failing"), ..write(merge_by_id(), &[(1, "b", 2), (2, "b", 2)], run) };
            let rows = async |lake: &Lake| lake.table(&name("staging.failing")).await.unwrap().unwrap().rows.unwrap();
            lake.commit(Write { table: name("staging.failing"), ..write(Mode::Append, &[(1, "a", 1)], "r1") }).await.unwrap();
            let here = format!("{point}(staging.failing)");
            fail::cfg(&here, "return").unwrap();
            let died = lake.commit(merge("r2")).await.unwrap_err();
            assert!(matches!(died, Error::Failpoint(_)), "{died:?}");
            fail::remove(&here);
            let lake = Lake::open(lake.location(), LakeOptions::default()).await.unwrap();
            let published = point == "lake::after_commit";
            assert_eq!(rows(&lake).await, if published { 2 } else { 1 }, "{point}");
            assert_eq!(lake.commit(merge("r2")).await.unwrap().skipped, published, "{point}");
            assert_eq!(rows(&lake).await, 2, "{point}");
            let new = lake.query("SELECT id FROM staging.failing WHERE part = 'b'", &Params::new()).await.unwrap();
            assert_eq!(new.iter().map(RecordBatch::num_rows).sum::<usize>(), 2, "{point}");
        }
        scenario.teardown();
    }
}
