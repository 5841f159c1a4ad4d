use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use futures::StreamExt;
use serde_json::json;
use std::sync::Arc;

use crate::testing::*;
use crate::*;

#[tokio::test]
async fn rows_come_back_from_every_kind_of_place() {
    let (_folder, disk) = local().await;
    for lake in [memory().await, disk] {
        let done = lake.commit(write(Mode::Append, &[(1, "a", 10), (2, "b", 20)], "r1")).await.unwrap();
        assert_eq!(done, Committed { version: 0, rows: 2, skipped: false });
        let done = lake.commit(write(Mode::Append, &[(3, "a", 30)], "r2")).await.unwrap();
        assert_eq!(done.version, 1);
        assert_eq!(read(&lake).await, [(1, "a".into(), 10), (2, "b".into(), 20), (3, "a".into(), 30)]);
        // Another handle sees the same.
        let other = Lake::open(lake.location(), LakeOptions::default()).await.unwrap();
        assert_eq!(read(&other).await.len(), 3);
        let info = other.table(&name("staging.t")).await.unwrap().unwrap();
        assert_eq!((info.version, info.rows, info.files), (1, Some(3), 2));
        assert_eq!(info.schema, columns());
    }
}

#[tokio::test]
async fn a_repeated_commit_is_skipped_without_reading_its_rows() {
    let lake = memory().await;
    lake.commit(write(Mode::Append, &[(1, "a", 1)], "r1")).await.unwrap();
    let failing = futures::stream::once(async { Err(stream_error(std::io::Error::other("read"))) });
    let again = Write { data: stream_of(columns(), failing), ..write(Mode::Append, &[], "r1") };
    assert_eq!(lake.commit(again).await.unwrap(), Committed { version: 0, rows: 1, skipped: true });
    // Another run of the same step is not a repetition, nor is another step of the same run.
    assert!(!lake.commit(write(Mode::Append, &[(2, "a", 2)], "r2")).await.unwrap().skipped);
    let other = Write { txn: Txn::new("other", "r1"), ..write(Mode::Append, &[(3, "a", 3)], "") };
    assert!(!lake.commit(other).await.unwrap().skipped);
    // A second handle knows too.
    let handle = Lake::open(lake.location(), LakeOptions::default()).await.unwrap();
    assert!(handle.commit(write(Mode::Append, &[(2, "a", 2)], "r2")).await.unwrap().skipped);
    assert_eq!(read(&lake).await.len(), 3);
}

#[tokio::test]
async fn overwriting_replaces_rows_and_columns() {
    let lake = memory().await;
    lake.commit(write(Mode::Append, &[(1, "a", 1), (2, "b", 2)], "r1")).await.unwrap();
    let schema = Arc::new(Schema::new(vec![Field::new("other", DataType::Utf8, false)]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(StringArray::from(vec!["x"]))]).unwrap();
    let replace = Write::new(name("staging.t"), Mode::Overwrite, stream_of_batches(schema, vec![batch]), Txn::new("step", "r2"));
    lake.commit(replace).await.unwrap();
    insta::assert_snapshot!(table(&lake, "SELECT * FROM staging.t").await, @r"
    +-------+
    | other |
    +-------+
    | x     |
    +-------+
    ");
    // No rows at all is a table too.
    let empty = Write::new(name("staging.t"), Mode::Overwrite, stream_of_batches(columns(), vec![]), Txn::new("step", "r3"));
    lake.commit(empty).await.unwrap();
    assert_eq!(lake.table(&name("staging.t")).await.unwrap().unwrap().rows, Some(0));
    assert_eq!(read(&lake).await, []);
}

#[tokio::test]
async fn overwriting_partitions_leaves_the_others() {
    let lake = memory().await;
    let by_part = |data: &[(i64, &str, i64)], run: &str| write(Mode::OverwritePartitions, data, run).partitioned_by(["part"]);
    lake.commit(by_part(&[(1, "a", 1), (2, "b", 2), (3, "a", 3), (4, "", 4)], "r1")).await.unwrap();
    assert_eq!(lake.table(&name("staging.t")).await.unwrap().unwrap().files, 3);
    lake.commit(by_part(&[(5, "b", 5), (6, "c", 6)], "r2")).await.unwrap();
    assert_eq!(read(&lake).await, [(1, "a".into(), 1), (3, "a".into(), 3), (4, String::new(), 4), (5, "b".into(), 5), (6, "c".into(), 6)]);
    lake.commit(by_part(&[(7, "", 7)], "r3")).await.unwrap();
    assert_eq!(read(&lake).await.iter().map(|r| r.0).collect::<Vec<_>>(), [1, 3, 5, 6, 7]);
    let wrong = lake.commit(write(Mode::OverwritePartitions, &[(1, "a", 1)], "r4").partitioned_by(["id"])).await.unwrap_err();
    insta::assert_snapshot!(wrong, @"the columns of `staging.t` don't fit: it is partitioned by part, not by id");
}

#[tokio::test]
async fn what_commits_with_the_rows_comes_back_with_the_table() {
    let lake = memory().await;
    let late = LateState::new();
    let first = write(Mode::Append, &[(1, "a", 1)], "r1").with_fingerprint(Some("abc".into())).with_state(json!({"cursor": 7}));
    lake.commit(first).await.unwrap();
    let info = lake.table(&name("staging.t")).await.unwrap().unwrap();
    assert_eq!(
        (info.fingerprint.as_deref(), info.state, info.written_by.as_deref()),
        (Some("abc"), Some(json!({"cursor": 7})), Some("step"))
    );
    late.set(json!({"cursor": 9}));
    lake.commit(write(Mode::Append, &[(2, "a", 2)], "r2").with_state(json!({})).with_late_state(late)).await.unwrap();
    let info = lake.table(&name("staging.t")).await.unwrap().unwrap();
    assert_eq!((info.fingerprint, info.state), (None, Some(json!({"cursor": 9}))));
}

#[tokio::test]
async fn a_commit_without_rows_does_not_count_as_new_data() {
    let lake = memory().await;
    lake.commit(write(Mode::Append, &[(1, "a", 1)], "r1")).await.unwrap();
    lake.commit(write(Mode::Append, &[], "r2")).await.unwrap();
    let info = lake.table(&name("staging.t")).await.unwrap().unwrap();
    assert_eq!((info.version, info.data_version), (1, 0));
    lake.commit(write(Mode::Append, &[(2, "a", 1)], "r3")).await.unwrap();
    assert_eq!(lake.table(&name("staging.t")).await.unwrap().unwrap().data_version, 2);
}

#[tokio::test]
async fn new_columns_are_null_in_old_rows_unless_the_schema_is_frozen() {
    let lake = memory().await;
    lake.commit(write(Mode::Append, &[(1, "a", 1)], "r1")).await.unwrap();
    let schema = Arc::new(Schema::new(vec![Field::new("seats", DataType::Int64, true), Field::new("id", DataType::Int32, false)]));
    let batch = || {
        let id = arrow::array::Int32Array::from(vec![2]);
        RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(Int64Array::from(vec![5])), Arc::new(id)]).unwrap()
    };
    let more = |run: &str| {
        Write::new(name("staging.t"), Mode::Append, stream_of_batches(Arc::clone(&schema), vec![batch()]), Txn::new("step", run))
    };
    let refused = lake.commit(more("r2").with_policy(SchemaPolicy::Freeze)).await.unwrap_err();
    insta::assert_snapshot!(refused, @"the columns of `staging.t` don't fit: `part` is missing; `value` is missing; `seats` is new");
    lake.commit(more("r3")).await.unwrap();
    insta::assert_snapshot!(table(&lake, "SELECT * FROM staging.t ORDER BY id").await, @r"
    +----+------+-------+-------+
    | id | part | value | seats |
    +----+------+-------+-------+
    | 1  | a    | 1     |       |
    | 2  |      |       | 5     |
    +----+------+-------+-------+
    ");
}

#[tokio::test]
async fn a_stream_that_fails_leaves_the_table_and_gives_its_error_back() {
    #[derive(Debug, PartialEq, thiserror::Error)]
    #[error("line 3 is bad")]
    struct Bad;
    let (_folder, lake) = local().await;
    lake.commit(write(Mode::Append, &[(1, "a", 1)], "r1")).await.unwrap();
    let stream = futures::stream::iter([Ok(rows(&[(9, "z", 9)])), Err(stream_error(Bad))]).boxed();
    let failing = Write { data: stream_of(columns(), stream), ..write(Mode::Overwrite, &[], "r2") };
    let error = lake.commit(failing).await.unwrap_err();
    assert_eq!(error.from_producer::<Bad>(), Some(&Bad));
    assert_eq!(read(&lake).await, [(1, "a".into(), 1)]);
    let folder = lake.local_root().unwrap().join("tables/staging/t");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 2, "one data file and the log");
}

#[tokio::test]
async fn a_producer_on_another_thread_can_fail_or_vanish() {
    let lake = memory().await;
    let from = |data, run: &str| Write { data, ..write(Mode::Append, &[], run) };
    let (sender, data) = channel(columns(), 2);
    let producer = std::thread::spawn(move || {
        for i in 0..10 {
            assert!(sender.send_blocking(rows(&[(i, "a", i)])));
        }
        sender.finish_blocking();
    });
    assert_eq!(lake.commit(from(data, "r1")).await.unwrap().rows, 10);
    producer.join().unwrap();

    let (sender, data) = channel(columns(), 2);
    std::thread::spawn(move || drop((sender.send_blocking(rows(&[(1, "a", 1)])), sender))).join().unwrap();
    let vanished = lake.commit(from(data, "r2")).await.unwrap_err();
    assert!(matches!(vanished, Error::Data { .. }), "{vanished:?}");
    assert_eq!(read(&lake).await.len(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_at_once_all_get_their_rows_in() {
    let (_folder, lake) = local().await;
    let tasks = (0..8).map(|i| {
        let location = lake.location().to_owned();
        tokio::spawn(async move {
            let lake = Lake::open(&location, LakeOptions::default()).await.unwrap();
            let step = Write { txn: Txn::new(format!("step{i}"), "r1"), ..write(Mode::Append, &[(i, "a", i)], "") };
            lake.commit(step).await.unwrap().version
        })
    });
    let mut versions = futures::future::join_all(tasks).await.into_iter().map(Result::unwrap).collect::<Vec<_>>();
    versions.sort_unstable();
    assert_eq!(versions, (0..8).collect::<Vec<_>>());
    assert_eq!(read(&lake).await.iter().map(|r| r.0).collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merges_at_once_lose_no_update() {
    let lake = memory().await;
    lake.commit(write(Mode::Append, &(0..6).map(|i| (i, "a", 0)).collect::<Vec<_>>(), "r0")).await.unwrap();
    let tasks = (0..6).map(|i| {
        let lake = Lake::clone(&lake);
        tokio::spawn(async move {
            let step = Write { txn: Txn::new(format!("step{i}"), "r1"), ..write(merge_by_id(), &[(i, "b", i)], "") };
            lake.commit(step).await.unwrap();
        })
    });
    futures::future::join_all(tasks).await.into_iter().for_each(Result::unwrap);
    assert_eq!(read(&lake).await, (0..6).map(|i| (i, "b".to_owned(), i)).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_long_log_gets_checkpoints_and_stays_readable() {
    let (_folder, lake) = local().await;
    for i in 0..22 {
        lake.commit(write(Mode::Append, &[(i, "a", i)], &format!("r{i}"))).await.unwrap();
    }
    let log = lake.local_root().unwrap().join("tables/staging/t/_delta_log");
    assert!(log.join("_last_checkpoint").exists());
    let other = Lake::open(lake.location(), LakeOptions::default()).await.unwrap();
    assert_eq!(read(&other).await.len(), 22);
    assert!(other.commit(write(Mode::Append, &[(99, "a", 99)], "r21")).await.unwrap().skipped);
    // The statistics survive the checkpoint.
    let info = other.table(&name("staging.t")).await.unwrap().unwrap();
    assert_eq!(info.rows, Some(22));
}

#[tokio::test]
async fn a_dropped_table_is_gone_and_can_be_made_anew() {
    let (_folder, lake) = local().await;
    lake.commit(write(Mode::Append, &[(1, "a", 1)], "r1")).await.unwrap();
    assert!(lake.drop_table(&name("staging.t")).await.unwrap());
    assert!(!lake.drop_table(&name("staging.t")).await.unwrap());
    assert!(lake.table(&name("staging.t")).await.unwrap().is_none());
    assert!(lake.tables().await.unwrap().is_empty());
    lake.commit(write(Mode::Append, &[(2, "a", 2)], "r1")).await.unwrap();
    assert_eq!(read(&lake).await, [(2, "a".into(), 2)]);
}

#[tokio::test]
async fn vacuum_deletes_what_no_version_needs() {
    let (_folder, lake) = local().await;
    lake.commit(write(Mode::Append, &[(1, "a", 1)], "r1")).await.unwrap();
    lake.commit(write(Mode::Overwrite, &[(2, "a", 2)], "r2")).await.unwrap();
    assert_eq!(lake.vacuum(chrono::TimeDelta::days(1)).await.unwrap(), 0);
    assert_eq!(lake.vacuum(chrono::TimeDelta::seconds(-5)).await.unwrap(), 1);
    assert_eq!(read(&lake).await, [(2, "a".into(), 2)]);
}

#[tokio::test]
async fn writes_that_make_no_sense_say_why() {
    let lake = memory().await;
    let mut said = vec![];
    for bad in [
        write(Mode::OverwritePartitions, &[(1, "a", 1)], "r"),
        write(Mode::Append, &[(1, "a", 1)], "r").partitioned_by(["nope"]),
        write(Mode::Append, &[(1, "a", 1)], "r").with_policy(SchemaPolicy::Replace),
        write(Mode::Merge { keys: vec!["nope".into()] }, &[(1, "a", 1)], "r"),
        write(merge_by_id(), &[(1, "a", 1), (2, "b", 2), (1, "c", 3)], "r"),
        Write { table: TableName::new("Staging", "../t"), ..write(Mode::Append, &[], "r") },
    ] {
        said.push(lake.commit(bad).await.unwrap_err().to_string());
    }
    insta::assert_snapshot!(said.join("\n"), @r"
    the write to `staging.t` can't be done: overwriting partitions needs partition columns
    the write to `staging.t` can't be done: there is no column `nope` to partition by
    the write to `staging.t` can't be done: the schema can only be replaced together with all rows
    the write to `staging.t` can't be done: there is no key column `nope`
    the rows to be merged into `staging.t` hold the key (id = 1) more than once
    `Staging.../t` is not a table name
    ");
}
