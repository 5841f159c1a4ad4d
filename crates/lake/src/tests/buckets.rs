//! The lake on object stores: on servers of S3 and of Azure that others wrote.
//!
//! One server for all of it, each part in a lake of its own: starting a server takes longer than most parts.

use chrono::TimeDelta;
use cscopilot_diag::{Secret, clock};
use cscopilot_servers::{Bucket, azure, s3};
use object_store::path::Path;
use object_store::{Attribute, ObjectStoreExt};
use serde_json::json;
use std::time::Duration;

use crate::testing::*;
use crate::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lake_on_s3_keeps_its_promises() {
    all_of_it(&s3()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lake_on_azure_keeps_its_promises() {
    if let Some(bucket) = azure() {
        all_of_it(&bucket).await;
    }
}

async fn all_of_it(bucket: &Bucket) {
    nothing_shows_the_credentials(&lake_at(bucket, "shown").await, bucket).await;
    rows_are_appended_merged_and_replaced(&lake_at(bucket, "rows").await).await;
    a_long_log_stays_readable(&lake_at(bucket, "log").await).await;
    a_large_file_goes_up_in_parts(&lake_at(bucket, "large").await).await;
    of_two_writers_of_a_version_one_wins_and_the_other_goes_on_top(bucket, "race").await;
    objects_are_put_once_listed_copied_and_deleted(&lake_at(bucket, "objects").await).await;
    dropped_tables_and_old_files_go(&lake_at(bucket, "sweep").await).await;
    one_at_a_time_holds_the_lock(bucket, "lock").await;
    a_lease_that_ran_out_is_taken_over_by_one(&lake_at(bucket, "lease").await).await;
    a_lease_is_renewed_and_a_lost_one_let_be(&lake_at(bucket, "renewed").await).await;
    if bucket.atomic {
        writers_at_once_all_get_their_rows_in(&lake_at(bucket, "writers").await).await;
        of_takers_at_once_one_gets_the_lock(&lake_at(bucket, "takers").await).await;
    }
}

async fn lake_at(bucket: &Bucket, folder: &str) -> Lake {
    let storage = bucket.options.iter().map(|(name, value)| (name.clone(), Secret::new(value.clone()))).collect();
    Lake::open(&format!("{}/nightly/{folder}", bucket.url), LakeOptions { storage, ..LakeOptions::default() }).await.unwrap()
}

async fn nothing_shows_the_credentials(lake: &Lake, bucket: &Bucket) {
    let lock = lake.lock(&LockOwner::this_process("run 1")).await.unwrap().unwrap();
    let shown = format!("{lake:?} {:?} {lock:?} {:?}", lake.objects(), lake.inner().root);
    assert!(!shown.to_lowercase().contains("credential"), "{shown}");
    assert!(bucket.options.iter().all(|(name, value)| !name.contains("key") || !shown.contains(value)), "{shown}");
}

async fn rows_are_appended_merged_and_replaced(lake: &Lake) {
    assert!(lake.tables().await.unwrap().is_empty());
    lake.commit(write(Mode::Append, &[(1, "a", 10), (2, "b", 20)], "r1")).await.unwrap();
    let done = lake.commit(write(merge_by_id(), &[(2, "c", 21), (3, "c", 30)], "r2")).await.unwrap();
    assert_eq!(done, Committed { version: 1, rows: 2, skipped: false });
    let again = lake.commit(write(merge_by_id(), &[(2, "c", 21), (3, "c", 30)], "r2")).await.unwrap();
    assert_eq!(again, Committed { version: 1, rows: 2, skipped: true });
    assert_eq!(read(lake).await, [(1, "a".into(), 10), (2, "c".into(), 21), (3, "c".into(), 30)]);

    let sql = "SELECT sum(value) AS total FROM staging.t".to_owned();
    lake.put_view(&View { table: name("marts.total"), sql, params: Params::new(), fingerprint: None }).await.unwrap();
    assert!(table(lake, "SELECT total FROM marts.total").await.contains("61"));
    let names: Vec<_> = lake.tables().await.unwrap().into_iter().map(|t| (t.name.to_string(), t.rows)).collect();
    assert_eq!(names, [("marts.total".to_owned(), None), ("staging.t".to_owned(), Some(3))]);

    lake.commit(write(Mode::Overwrite, &[(9, "z", 90)], "r3")).await.unwrap();
    assert_eq!(read(lake).await, [(9, "z".into(), 90)]);
}

async fn a_long_log_stays_readable(lake: &Lake) {
    for i in 0..22 {
        lake.commit(write(Mode::Append, &[(i, "a", i)], &format!("r{i}"))).await.unwrap();
    }
    let checkpoint = Path::from("tables/staging/t/_delta_log/_last_checkpoint");
    assert!(lake.inner().root.store.head(&checkpoint).await.is_ok());
    let other = reopened(lake).await;
    assert_eq!(read(&other).await.len(), 22);
    assert!(other.commit(write(Mode::Append, &[(99, "a", 99)], "r21")).await.unwrap().skipped);
}

/// The same lake, seen by a process that knows nothing of it yet.
async fn reopened(lake: &Lake) -> Lake {
    Lake::open(lake.location(), lake.inner().options.clone()).await.unwrap()
}

async fn a_large_file_goes_up_in_parts(lake: &Lake) {
    // Text that hardly shrinks: more than one part of an upload.
    let text: Vec<String> =
        (0..40_000).map(|_| std::array::from_fn::<_, 16, _>(|_| uuid::Uuid::new_v4().simple().to_string()).concat()).collect();
    let data: Vec<_> = text.iter().zip(0..).map(|(text, id)| (id, text.as_str(), 1)).collect();
    lake.commit(write(Mode::Append, &data, "r1")).await.unwrap();
    let info = lake.table(&name("staging.t")).await.unwrap().unwrap();
    assert!(info.files == 1 && info.bytes > 10 << 20, "{} files, {} bytes", info.files, info.bytes);
    let rows = read(&reopened(lake).await).await;
    assert!(rows.len() == text.len() && rows.iter().zip(&text).all(|(row, text)| row.1 == *text));
}

/// One commits while the other, who began on the same version, is still reading its rows.
async fn of_two_writers_of_a_version_one_wins_and_the_other_goes_on_top(bucket: &Bucket, folder: &str) {
    for mode in [Mode::Append, merge_by_id()] {
        let lake = lake_at(bucket, &format!("{folder}_{}", mode.name())).await;
        lake.commit(write(Mode::Append, &[(1, "a", 1)], "r1")).await.unwrap();
        let quicker = reopened(&lake).await;
        let rows = futures::stream::once(async move {
            let done = quicker.commit(write(merge_by_id(), &[(2, "quicker", 2)], "r2")).await.unwrap();
            assert_eq!(done.version, 1);
            Ok(rows(&[(3, "slower", 3)]))
        });
        let slower = Write { data: stream_of(columns(), rows), ..write(mode, &[], "r3") };
        assert_eq!(lake.commit(slower).await.unwrap(), Committed { version: 2, rows: 1, skipped: false });
        for lake in [reopened(&lake).await, lake] {
            assert_eq!(read(&lake).await, [(1, "a".into(), 1), (2, "quicker".into(), 2), (3, "slower".into(), 3)]);
        }
    }
}

async fn objects_are_put_once_listed_copied_and_deleted(lake: &Lake) {
    let objects = lake.objects();
    assert_eq!(objects.get("runs/r1/plan.json").await.unwrap(), None);
    assert!(objects.put_if_absent("runs/r1/plan.json", "first").await.unwrap());
    assert!(!objects.put_if_absent("runs/r1/plan.json", "second").await.unwrap());
    assert_eq!(objects.get("runs/r1/plan.json").await.unwrap().unwrap(), "first");
    objects.put("runs/r1/plan.json", "third").await.unwrap();
    objects.copy("runs/r1/plan.json", "runs/r2/äö plan.json").await.unwrap();
    assert_eq!(objects.get("runs/r2/äö plan.json").await.unwrap().unwrap(), "third");
    assert_eq!(objects.folders("runs").await.unwrap(), ["r1", "r2"]);
    let paths = async || objects.list("runs").await.unwrap().into_iter().map(|o| o.path).collect::<Vec<_>>();
    assert_eq!(paths().await, ["runs/r1/plan.json", "runs/r2/äö plan.json"]);
    objects.delete_folder("runs/r1").await.unwrap();
    assert!(!objects.delete("runs/r1/plan.json").await.unwrap());
    assert_eq!(paths().await, ["runs/r2/äö plan.json"]);

    // A browser shows a page, and asks what to do with a stream of bytes.
    for (path, kind) in [("site/index.html", "text/html; charset=utf-8"), ("site/assets/site.css", "text/css; charset=utf-8")] {
        objects.put(path, "…").await.unwrap();
        let got = lake.inner().root.store.get(&Path::from(path)).await.unwrap();
        assert_eq!(got.attributes.get(&Attribute::ContentType).map(AsRef::as_ref), Some(kind), "{path}");
    }
}

async fn dropped_tables_and_old_files_go(lake: &Lake) {
    lake.commit(write(Mode::Append, &[(1, "a", 1)], "r1")).await.unwrap();
    lake.commit(write(Mode::Overwrite, &[(2, "a", 2)], "r2")).await.unwrap();
    assert_eq!(lake.vacuum(TimeDelta::days(1)).await.unwrap(), 0);
    assert_eq!(lake.vacuum(TimeDelta::seconds(-5)).await.unwrap(), 1);
    assert_eq!(read(lake).await, [(2, "a".into(), 2)]);
    assert!(lake.drop_table(&name("staging.t")).await.unwrap());
    assert!(!lake.drop_table(&name("staging.t")).await.unwrap());
    assert!(reopened(lake).await.tables().await.unwrap().is_empty());
    lake.commit(write(Mode::Append, &[(3, "a", 3)], "r1")).await.unwrap();
    assert_eq!(read(lake).await, [(3, "a".into(), 3)]);
}

async fn one_at_a_time_holds_the_lock(bucket: &Bucket, folder: &str) {
    let (one, other) = (lake_at(bucket, folder).await, lake_at(bucket, folder).await);
    let first = one.lock(&LockOwner { who: "run 1".into(), host: "h".into(), pid: 7 }).await.unwrap().unwrap();
    let held = other.lock(&LockOwner::this_process("run 2")).await.unwrap().unwrap_err();
    assert!(held.to_string().starts_with("the lake is in use by run 1 (process 7 on h) since 20"), "{held}");
    drop(first);
    drop(other.lock(&LockOwner::this_process("run 3")).await.unwrap().unwrap());
    assert!(one.inner().root.store.head(&Path::from("lock.json")).await.is_err(), "the last holder has left nothing");
}

/// What a holder that was killed leaves, when it has not been renewed for some seconds.
async fn leave_a_lease(lake: &Lake, seconds_left: i64) {
    let until = clock::now() + TimeDelta::seconds(seconds_left);
    let owner = json!({"who": "killed", "host": "h", "pid": 7});
    let record = json!({"owner": owner, "since": clock::now(), "token": uuid::Uuid::new_v4(), "until": until});
    lake.inner().root.store.put(&Path::from("lock.json"), record.to_string().into()).await.unwrap();
}

async fn a_lease_that_ran_out_is_taken_over_by_one(lake: &Lake) {
    leave_a_lease(lake, 60).await;
    let held = lake.lock(&LockOwner::this_process("early")).await.unwrap().unwrap_err();
    assert_eq!(held.owner.who, "killed");
    leave_a_lease(lake, -1).await;
    let first = lake.lock(&LockOwner::this_process("first")).await.unwrap().unwrap();
    let held = lake.lock(&LockOwner::this_process("second")).await.unwrap().unwrap_err();
    assert_eq!(held.owner.who, "first");
    drop(first);
}

async fn a_lease_is_renewed_and_a_lost_one_let_be(lake: &Lake) {
    let store = &lake.inner().root.store;
    let until = async || {
        let found = store.get(&Path::from("lock.json")).await.unwrap().bytes().await.unwrap();
        serde_json::from_slice::<serde_json::Value>(&found).unwrap()["until"].clone()
    };
    let owner = LockOwner::this_process("run 1");
    let lease = crate::lock::lease(&lake.inner().root, &owner, Duration::from_secs(60), Duration::from_millis(50)).await;
    let (lease, first) = (lease.unwrap().unwrap(), until().await);
    while until().await == first {}
    leave_a_lease(lake, 60).await;
    drop(lease);
    assert!(store.head(&Path::from("lock.json")).await.is_ok(), "another's lease is not deleted");
}

async fn writers_at_once_all_get_their_rows_in(lake: &Lake) {
    let writers = (0..6).map(|i| async move {
        let step = Write { txn: Txn::new(format!("step{i}"), "r1"), ..write(Mode::Append, &[(i, "a", i)], "") };
        reopened(lake).await.commit(step).await.unwrap().version
    });
    let mut versions = futures::future::join_all(writers).await;
    versions.sort_unstable();
    assert_eq!(versions, (0..6).collect::<Vec<_>>());
    assert_eq!(read(lake).await.len(), 6);
}

async fn of_takers_at_once_one_gets_the_lock(lake: &Lake) {
    for ended in [false, true] {
        if ended {
            leave_a_lease(lake, -1).await;
        }
        let owners: Vec<_> = (0..4).map(|i| LockOwner::this_process(format!("run {i}"))).collect();
        let taken = futures::future::join_all(owners.iter().map(|owner| lake.lock(owner))).await;
        let winners = taken.iter().filter(|taken| matches!(taken, Ok(Ok(_)))).count();
        assert_eq!(winners, 1, "{taken:?}");
    }
}
