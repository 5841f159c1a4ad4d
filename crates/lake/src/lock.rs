//! One run at a time: the lock of a lake.
//!
//! A local lake is locked with the operating system's file lock, which is free again as soon as the process is gone, however it
//! ended. Whoever finds the record of a holder that was killed in the lock file sweeps out the unfinished files that it left. On an object store there is no such thing, so the lock is a lease: an object that names the owner and when it ends, renewed
//! by a heartbeat through conditional puts; a lease that has ended may be taken over. A lake in memory is locked within the process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use cscopilot_diag::{Coded, Domain, clock};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::store::Root;
use crate::{Error, Result};

/// Who wants the lock; shown to whoever comes second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockOwner {
    /// What is being done: the run's name.
    pub who: String,
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: u32,
}

impl LockOwner {
    /// This process on this machine.
    #[must_use]
    pub fn this_process(who: impl Into<String>) -> Self {
        let host = std::env::var("HOSTNAME").ok().or_else(|| std::fs::read_to_string("/etc/hostname").ok());
        Self { who: who.into(), host: host.map_or_else(|| "this machine".to_owned(), |h| h.trim().to_owned()), pid: std::process::id() }
    }
}

/// Someone else has the lock.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the lake is in use by {} (process {} on {}){}", .owner.who, .owner.pid, .owner.host, since_text(.since.as_ref()))]
pub struct LockHeld {
    /// Who has it.
    pub owner: LockOwner,
    /// Since when, if known.
    pub since: Option<DateTime<Utc>>,
}

fn since_text(since: Option<&DateTime<Utc>>) -> String {
    since.map_or_else(String::new, |at| format!(" since {}", at.format("%Y-%m-%d %H:%M:%S UTC")))
}

impl Coded for LockHeld {
    fn code(&self) -> &'static str {
        "LAK018"
    }

    fn domain(&self) -> Domain {
        Domain::External
    }

    fn help(&self) -> Option<String> {
        let how = "wait until it has ended; the lock frees itself when that process ends, also when it is killed (on an object store a minute later)";
        Some(how.to_owned())
    }
}

/// The lock, held until this is dropped.
#[derive(Debug)]
pub struct RunLock {
    _held: Held,
}

#[derive(Debug)]
enum Held {
    File(#[allow(dead_code)] FileLock),
    Lease(#[allow(dead_code)] Lease),
}

/// A locked file. Its record is taken out when the holder ends in good order, so a record that is found says that one was killed.
#[derive(Debug)]
struct FileLock(File);

impl Drop for FileLock {
    fn drop(&mut self) {
        drop(self.0.set_len(0)); // a record left here only makes the next holder look for leftovers
    }
}

/// What stands in the lock file or lease.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    owner: LockOwner,
    since: DateTime<Utc>,
    /// Tells one holder from the next.
    token: Uuid,
    /// Only of a lease.
    until: Option<DateTime<Utc>>,
}

impl Record {
    fn new(owner: &LockOwner) -> Self {
        Self { owner: owner.clone(), since: clock::now(), token: Uuid::new_v4(), until: None }
    }
}

const LEASE: Duration = Duration::from_secs(60);
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long giving a lease back may take; after that it is left to run out.
const RELEASE: Duration = Duration::from_secs(10);

pub(crate) async fn lock(root: &Root, owner: &LockOwner) -> Result<Result<RunLock, LockHeld>> {
    match &root.folder {
        Some(folder) => {
            let record = Record::new(owner);
            let path = folder.join(".lock");
            tokio::task::spawn_blocking(move || lock_file(&path, &record))
                .await
                .unwrap_or_else(|e| Err(Error::disk("taking the lock")(std::io::Error::other(e))))
        }
        None => lease(root, owner, LEASE, HEARTBEAT).await,
    }
}

/// Takes the lock as a lease of some length, renewed by a heartbeat.
pub(crate) async fn lease(root: &Root, owner: &LockOwner, length: Duration, beat: Duration) -> Result<Result<RunLock, LockHeld>> {
    Lease::take(root, Record::new(owner), length, beat).await
}

fn lock_file(path: &std::path::Path, record: &Record) -> Result<Result<RunLock, LockHeld>> {
    let what = || format!("taking the lock {}", path.display());
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(Error::disk(what()))?;
    match file.try_lock() {
        Ok(()) => {
            if file.metadata().map_err(Error::disk(what()))?.len() > 0
                && let Some(folder) = path.parent()
            {
                let swept = crate::maintain::sweep(folder)?;
                tracing::info!(swept, "the last holder of the lake's lock was killed: its unfinished files are deleted");
            }
            let text = serde_json::to_vec(record).map_err(|source| Error::Json { path: ".lock".to_owned(), source })?;
            file.set_len(0)
                .and_then(|()| file.seek(SeekFrom::Start(0)))
                .and_then(|_| file.write_all(&text))
                .map_err(Error::disk(what()))?;
            Ok(Ok(RunLock { _held: Held::File(FileLock(file)) }))
        }
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            drop(file.read_to_string(&mut text)); // what stands there is only for the message
            Ok(Err(held_by(serde_json::from_str(&text).ok())))
        }
        Err(TryLockError::Error(error)) => Err(Error::disk(what())(error)),
    }
}

fn held_by(record: Option<Record>) -> LockHeld {
    match record {
        Some(record) => LockHeld { owner: record.owner, since: Some(record.since) },
        None => LockHeld { owner: LockOwner { who: "another run".to_owned(), host: "an unknown machine".to_owned(), pid: 0 }, since: None },
    }
}

/// A lease on an object store.
#[derive(Debug)]
struct Lease {
    heartbeat: tokio::task::JoinHandle<()>,
    root: Root,
    token: Uuid,
}

fn lease_path() -> Path {
    Path::from("lock.json")
}

impl Lease {
    async fn take(root: &Root, mut record: Record, length: Duration, beat: Duration) -> Result<Result<RunLock, LockHeld>> {
        let store = &root.store;
        let failed = |e| Error::storage("taking the lock")(e);
        // A lease that can't be taken at once is someone's; one that has ended is taken over by replacing exactly what was read.
        for _ in 0..3 {
            record.until = Some(clock::now() + TimeDelta::from_std(length).unwrap_or(TimeDelta::MAX));
            let (mode, found) = match store.get(&lease_path()).await {
                Err(object_store::Error::NotFound { .. }) => (PutMode::Create, None),
                Err(error) => return Err(failed(error)),
                Ok(found) => {
                    let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
                    let bytes = found.bytes().await.map_err(failed)?;
                    (PutMode::Update(version), serde_json::from_slice::<Record>(&bytes).ok())
                }
            };
            // A put whose answer was lost is repeated by the client, and then refused: the lease is ours all the same.
            let ours = found.as_ref().is_some_and(|r| r.token == record.token);
            if let Some(other) = found.filter(|r| !ours && r.until.is_some_and(|until| until > clock::now())) {
                return Ok(Err(held_by(Some(other))));
            }
            if ours || put(store.as_ref(), &record, mode).await.map_err(failed)? {
                let heartbeat = tokio::spawn(renew(Arc::clone(store), record.clone(), length, beat));
                let lease = Self { heartbeat, root: root.clone(), token: record.token };
                return Ok(Ok(RunLock { _held: Held::Lease(lease) }));
            }
        }
        Ok(Err(held_by(None)))
    }
}

/// Puts the record; `false` if someone else was quicker.
async fn put(store: &dyn ObjectStore, record: &Record, mode: PutMode) -> Result<bool, object_store::Error> {
    let bytes = serde_json::to_vec(record).map_err(|e| object_store::Error::Generic { store: "lock", source: e.into() })?;
    match store.put_opts(&lease_path(), PutPayload::from(bytes), PutOptions { mode, ..PutOptions::default() }).await {
        Ok(_) => Ok(true),
        Err(
            object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. } | object_store::Error::NotFound { .. },
        ) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Extends the lease for as long as it is ours. An error is only logged: the next beat tries again, and commits are safe without the lock.
async fn renew(store: Arc<dyn ObjectStore>, mut record: Record, length: Duration, beat: Duration) {
    loop {
        tokio::time::sleep(beat).await;
        let Ok(found) = store.get(&lease_path()).await else { continue };
        let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
        let current: Option<Record> = match found.bytes().await {
            Ok(bytes) => serde_json::from_slice(&bytes).ok(),
            Err(_) => continue,
        };
        if current.is_none_or(|c| c.token != record.token) {
            tracing::warn!("the lake's lock was taken over by another run");
            return;
        }
        record.until = Some(clock::now() + TimeDelta::from_std(length).unwrap_or(TimeDelta::MAX));
        if let Err(error) = put(store.as_ref(), &record, PutMode::Update(version)).await {
            tracing::warn!(%error, "the lake's lock could not be renewed");
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.heartbeat.abort();
        let (store, token) = (Arc::clone(&self.root.store), self.token);
        let release = async move {
            if let Ok(found) = store.get(&lease_path()).await
                && let Ok(bytes) = found.bytes().await
                && serde_json::from_slice::<Record>(&bytes).is_ok_and(|record| record.token == token)
            {
                drop(store.delete(&lease_path()).await);
            }
        };
        // A drop can't wait. On a thread of its own the deletion ends also when the runtime is about to; else the lease just runs out.
        if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
            drop(std::thread::spawn(move || runtime.block_on(async { tokio::time::timeout(RELEASE, release).await })).join());
        }
    }
}
