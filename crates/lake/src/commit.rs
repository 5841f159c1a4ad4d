//! One atomic commit: stage the files, then publish them with one log entry.
//!
//! Staging writes data files that nothing refers to. Publishing puts the next log entry, which exists wholly or not at all and whose
//! name only one writer can get. Whoever loses that race, or gets an error and so does not know, first reads the log again: a commit by
//! this run and step that is there counts; else the entry is made anew on top of what is there now.

use std::collections::BTreeSet;
use std::sync::Arc;

use cscopilot_diag::clock;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use deltalake::DeltaTableError;
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::transaction::{CommitData, TransactionError};
use deltalake::kernel::{Action, Add, Metadata, MetadataExt, Protocol, StructType, Transaction, Version, new_metadata};
use deltalake::logstore::CommitOrBytes;
use deltalake::protocol::{DeltaOperation, SaveMode};
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use uuid::Uuid;

use crate::log::{DataFile, LAYOUT, NOTE, Note, TableVersion, run_number};
use crate::merge::{Keys, Rewrite, rewrite};
use crate::parquet_out::{Output, Written, discard};
use crate::schema::{self, Plan, conform, storage_schema};
use crate::stats::may_partition;
use crate::{Committed, Error, Lake, Mode, Result, SchemaPolicy, TableName, Txn, Write};

/// How often an entry is tried before we say that others keep winning.
const ATTEMPTS: u32 = 30;
/// How many errors of unknown outcome are outlived.
const ERRORS: u32 = 3;
/// A checkpoint of the log is made every so many versions.
const CHECKPOINT: u64 = 20;

/// Errors out where a test says so: at every table (`lake::after_data`) or at one (`lake::after_data(staging.t)`).
macro_rules! failpoint {
    ($name:literal, $table:expr) => {
        fail::fail_point!($name, |_| Err(Error::Failpoint($name)));
        fail::fail_point!(&format!("{}({})", $name, $table), |_| Err(Error::Failpoint($name)));
    };
}

pub(crate) async fn commit(lake: &Lake, write: Write) -> Result<Committed> {
    let table = write.table.clone();
    if !table.is_plain() {
        return Err(Error::BadName { name: table.to_string() });
    }
    let current = lake.newest(&table).await?;
    if let Some(done) = repeated(current.as_deref(), &write.txn).await? {
        tracing::debug!(%table, version = done.version, "this run and step had committed before");
        return Ok(done);
    }
    if current.is_none() && lake.view(&table).await?.is_some() {
        return Err(Error::BadWrite { table, problem: "there is a view of that name; drop it first".to_owned() });
    }
    let store = Arc::clone(&lake.inner().root.store);
    let staged = stage(&store, current.as_deref(), write).await?;
    let done = publish(lake, &store, current, &staged).await;
    if let Err(Error::Conflict { .. } | Error::Schema { .. } | Error::BadWrite { .. }) = &done {
        // Surely not committed, so the files are of no use. After any other error they may be.
        discard(store.as_ref(), &table, &staged.files).await;
    }
    done
}

/// The commit that this run and step made before, if it did.
async fn repeated(current: Option<&TableVersion>, txn: &Txn) -> Result<Option<Committed>> {
    let Some(current) = current else { return Ok(None) };
    let found = current.committed_by(&txn.app, &txn.run).await?;
    Ok(found.map(|(version, note)| Committed { version, rows: note.map_or(0, |n| n.rows), skipped: true }))
}

/// A write whose rows are on disk.
struct Staged {
    table: TableName,
    mode: Mode,
    policy: SchemaPolicy,
    txn: Txn,
    fingerprint: Option<String>,
    state: Option<serde_json::Value>,
    incoming: arrow::datatypes::SchemaRef,
    wanted_partitions: Vec<String>,
    plan: Plan,
    partition_by: Vec<String>,
    files: Vec<Written>,
    keys: Option<Keys>,
}

impl Staged {
    fn rows(&self) -> u64 {
        self.files.iter().map(|f| f.rows).sum()
    }

    fn bad(&self, problem: impl Into<String>) -> Error {
        Error::BadWrite { table: self.table.clone(), problem: problem.into() }
    }
}

/// Writes the rows as files.
async fn stage(store: &Arc<dyn ObjectStore>, current: Option<&TableVersion>, write: Write) -> Result<Staged> {
    let table = write.table.clone();
    failpoint!("lake::before_data", table);
    let incoming = storage_schema(&write.schema)?;
    let bad = |problem: String| Error::BadWrite { table: table.clone(), problem };
    if write.policy == SchemaPolicy::Replace && write.mode != Mode::Overwrite {
        return Err(bad("the schema can only be replaced together with all rows".to_owned()));
    }
    if let Some(foreign) = current.filter(|t| !t.ours) {
        return Err(bad(format!("version {} was made by another program; its rows can be read, not changed", foreign.version)));
    }
    let plan = schema::plan(&table, current.map(|t| &t.schema), &incoming, write.policy)?;
    let partition_by = partitions(&table, current, &write.partition_by, write.policy)?;
    for name in &partition_by {
        let field = plan.files.field_with_name(name).map_err(|_| bad(format!("there is no column `{name}` to partition by")))?;
        if !may_partition(field.data_type()) {
            return Err(bad(format!("`{name}` has the type {}, by which tables can't be partitioned", field.data_type())));
        }
    }
    if write.mode == Mode::OverwritePartitions && partition_by.is_empty() {
        return Err(bad("overwriting partitions needs partition columns".to_owned()));
    }
    let mut keys = match &write.mode {
        Mode::Merge { keys } => Some(Keys::new(&table, keys, &plan.files)?),
        _ => None,
    };
    let version = current.map_or(0, |t| t.version + 1);
    let mut output = Output::new(Arc::clone(store), &table, Arc::clone(&plan.files), &partition_by, version, 0)?;
    let Write { mode, data, policy, txn, fingerprint, state, late_state, partition_by: wanted_partitions, .. } = write;
    let files = match pour(&table, data, &plan, keys.as_mut(), &mut output).await {
        Ok(()) => output.finish().await?,
        Err(error) => {
            output.abort().await;
            return Err(error);
        }
    };
    let state = late_state.as_ref().and_then(crate::LateState::get).or(state);
    Ok(Staged { table, mode, policy, txn, fingerprint, state, incoming, wanted_partitions, plan, partition_by, files, keys })
}

async fn pour(
    table: &TableName,
    data: SendableRecordBatchStream,
    plan: &Plan,
    mut keys: Option<&mut Keys>,
    output: &mut Output,
) -> Result<()> {
    let failed = |source: DataFusionError| Error::Data { table: table.clone(), source: Box::new(source) };
    let mut data = beside(data);
    while let Some(batch) = data.try_next().await.map_err(failed)? {
        let batch = conform(&batch, &plan.files).map_err(|e| failed(e.into()))?;
        if let Some(keys) = keys.as_deref_mut() {
            keys.add(&batch)?;
        }
        output.write(&batch).await?;
    }
    Ok(())
}

/// The same stream, made on a task of its own: rows are computed while earlier ones are encoded.
fn beside(mut data: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let mut builder = RecordBatchReceiverStream::builder(data.schema(), 4);
    let sender = builder.tx();
    builder.spawn(async move {
        while let Some(batch) = data.next().await {
            let last = batch.is_err();
            if sender.send(batch).await.is_err() || last {
                break;
            }
        }
        Ok(())
    });
    builder.build()
}

/// The partition columns a table has after a write.
fn partitions(table: &TableName, current: Option<&TableVersion>, wanted: &[String], policy: SchemaPolicy) -> Result<Vec<String>> {
    match current {
        Some(current) if policy != SchemaPolicy::Replace => {
            if !wanted.is_empty() && wanted != current.partition_by {
                let has = if current.partition_by.is_empty() { "nothing".to_owned() } else { current.partition_by.join(", ") };
                let problem = format!("it is partitioned by {has}, not by {}", wanted.join(", "));
                let help = "rebuild the table with --full-refresh to partition it anew".to_owned();
                return Err(Error::Schema { table: table.clone(), problem, help });
            }
            Ok(current.partition_by.clone())
        }
        _ => Ok(wanted.to_vec()),
    }
}

/// Publishes staged files with one log entry.
async fn publish(lake: &Lake, store: &Arc<dyn ObjectStore>, first: Option<Arc<TableVersion>>, staged: &Staged) -> Result<Committed> {
    failpoint!("lake::after_data", staged.table);
    let token = Uuid::new_v4().to_string();
    let (mut current, mut errors) = (first, 0);
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(u64::from(attempt.min(10)) * 5)).await;
            current = lake.newest(&staged.table).await?;
            if let Some(done) = ours(current.as_deref(), staged, &token).await? {
                return Ok(done);
            }
        }
        let entry = Entry::build(store, current.as_deref(), staged, &token).await?;
        let log = match &current {
            Some(table) => table.log_store(),
            None => lake.inner().root.log_store(&staged.table).ok_or_else(|| Error::BadName { name: staged.table.to_string() })?,
        };
        match log.write_commit_entry(entry.version, CommitOrBytes::LogBytes(entry.bytes.clone()), Uuid::new_v4()).await {
            Ok(()) => {
                failpoint!("lake::after_commit", staged.table);
                after(lake, &staged.table, entry.version).await;
                return Ok(Committed { version: entry.version, rows: staged.rows(), skipped: false });
            }
            Err(TransactionError::VersionAlreadyExists(_)) => {
                tracing::debug!(table = %staged.table, version = entry.version, "another writer was quicker");
                discard(store.as_ref(), &staged.table, &entry.rewritten).await;
            }
            Err(error) => {
                // It may have been written all the same: the log is read before anything else.
                errors += 1;
                tracing::warn!(table = %staged.table, %error, "a commit had an unknown outcome; reading the log again");
                if errors >= ERRORS {
                    let now = lake.newest(&staged.table).await?;
                    return match ours(now.as_deref(), staged, &token).await? {
                        Some(done) => Ok(done),
                        None => Err(Error::delta(&staged.table)(DeltaTableError::from(error))),
                    };
                }
            }
        }
    }
    Err(Error::Conflict { table: staged.table.clone(), attempts: ATTEMPTS })
}

/// Our own commit, if the log has it after all. One by the same run and step but another attempt counts as a repetition.
async fn ours(current: Option<&TableVersion>, staged: &Staged, token: &str) -> Result<Option<Committed>> {
    let Some(current) = current else { return Ok(None) };
    let Some((version, note)) = current.committed_by(&staged.txn.app, &staged.txn.run).await? else { return Ok(None) };
    let mine = note.as_ref().is_some_and(|n| n.token == token);
    Ok(Some(Committed { version, rows: note.map_or(0, |n| n.rows), skipped: !mine }))
}

/// A log entry ready to be put.
struct Entry {
    version: Version,
    bytes: bytes::Bytes,
    /// Files written for this very version, useless if it is lost.
    rewritten: Vec<Written>,
}

impl Entry {
    async fn build(store: &Arc<dyn ObjectStore>, current: Option<&TableVersion>, staged: &Staged, token: &str) -> Result<Self> {
        let plan = schema::plan(&staged.table, current.map(|t| &t.schema), &staged.incoming, staged.policy)?;
        let partition_by = partitions(&staged.table, current, &staged.wanted_partitions, staged.policy)?;
        if plan.files != staged.plan.files || partition_by != staged.partition_by {
            return Err(staged.bad("its columns changed while the rows were being written; run it again"));
        }
        let version = current.map_or(0, |t| t.version + 1);
        let change = match (&staged.mode, current, &staged.keys) {
            (Mode::Append, _, _) | (_, None, _) => Rewrite::default(),
            (Mode::Overwrite, Some(current), _) => Rewrite { removed: current.files.clone(), kept: vec![] },
            (Mode::OverwritePartitions, Some(current), _) => Rewrite { removed: same_partitions(current, &staged.files), kept: vec![] },
            (Mode::Merge { .. }, Some(current), Some(keys)) => {
                let number = u32::try_from(staged.files.len()).unwrap_or(u32::MAX / 2);
                let output = Output::new(Arc::clone(store), &staged.table, Arc::clone(&plan.table), &partition_by, version, number)?;
                rewrite(store, current, &plan.table, keys, &staged.files, output).await?
            }
            (Mode::Merge { .. }, Some(_), None) => return Err(staged.bad("the keys are missing")),
        };
        let mut actions = vec![];
        let repartitioned = current.is_none_or(|t| t.partition_by != partition_by);
        if current.is_none() {
            actions.push(Action::Protocol(protocol(&staged.table)?));
        }
        if plan.changed || repartitioned {
            actions.push(Action::Metadata(metadata(current, staged, &plan, &partition_by)?));
        }
        let now = clock::now().timestamp_millis();
        actions.extend(change.removed.iter().map(|file| {
            let mut remove = file.remove.clone();
            remove.deletion_timestamp = Some(now);
            Action::Remove(remove)
        }));
        actions.extend(staged.files.iter().chain(&change.kept).map(|file| Action::Add(add(file, now))));
        let changed = plan.changed || !change.removed.is_empty() || !staged.files.is_empty();
        let note = Note {
            step: staged.txn.app.clone(),
            run: staged.txn.run.clone(),
            token: token.to_owned(),
            mode: staged.mode.name().to_owned(),
            rows: staged.rows(),
            data_version: match current {
                Some(table) if !changed => table.note.as_ref().map_or(table.version, |n| n.data_version),
                _ => version,
            },
            fingerprint: staged.fingerprint.clone(),
            state: staged.state.clone(),
        };
        let note = serde_json::to_value(note).map_err(|source| Error::Json { path: staged.table.to_string(), source })?;
        let operation = DeltaOperation::Write {
            mode: if staged.mode == Mode::Append { SaveMode::Append } else { SaveMode::Overwrite },
            partition_by: Some(partition_by).filter(|p| !p.is_empty()),
            predicate: None,
        };
        let txn = Transaction::new_with_last_update(&staged.txn.app, run_number(&staged.txn.run), Some(now));
        let data = CommitData::new(actions, operation, [(NOTE.to_owned(), note)].into(), vec![txn]);
        let bytes = data.get_bytes().map_err(|e| Error::delta(&staged.table)(e.into()))?;
        Ok(Self { version, bytes, rewritten: change.kept })
    }
}

/// The files of the partitions that the new files are in.
fn same_partitions(current: &TableVersion, new: &[Written]) -> Vec<DataFile> {
    let key = |partition: &std::collections::BTreeMap<String, Option<String>>| {
        current.partition_by.iter().map(|name| partition.get(name).cloned().flatten().filter(|v| !v.is_empty())).collect::<Vec<_>>()
    };
    let touched: BTreeSet<_> = new.iter().map(|f| key(&f.partition)).collect();
    current.files.iter().filter(|f| touched.contains(&key(&f.partition))).cloned().collect()
}

fn protocol(table: &TableName) -> Result<Protocol> {
    serde_json::from_value(serde_json::json!({"minReaderVersion": 1, "minWriterVersion": 2}))
        .map_err(|source| Error::Json { path: table.to_string(), source })
}

fn metadata(current: Option<&TableVersion>, staged: &Staged, plan: &Plan, partition_by: &[String]) -> Result<Metadata> {
    let kernel = |e: &dyn std::fmt::Display| staged.bad(format!("delta refuses its columns: {e}"));
    let schema: StructType = plan.table.as_ref().try_into_kernel().map_err(|e| kernel(&e))?;
    let metadata = new_metadata(&schema, partition_by, [(LAYOUT, "1")]).map_err(|e| kernel(&e))?;
    match current.map(|t| t.delta.snapshot()) {
        // The table stays the same one when its columns change.
        Some(Ok(state)) => metadata.with_table_id(state.metadata().id().to_owned()).map_err(|e| kernel(&e)),
        _ => Ok(metadata),
    }
}

fn add(file: &Written, now: i64) -> Add {
    Add {
        path: file.path.to_string(),
        partition_values: file.partition.clone().into_iter().collect(),
        size: i64::try_from(file.size).unwrap_or(i64::MAX),
        modification_time: now,
        data_change: true,
        stats: Some(file.stats.clone()),
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    }
}

/// What is nice to have after a commit: the new version in memory, now and then a checkpoint. Failing at it is no failure.
async fn after(lake: &Lake, table: &TableName, version: Version) {
    match lake.newest(table).await {
        Ok(Some(newest)) if (version + 1).is_multiple_of(CHECKPOINT) => {
            if let Err(error) = deltalake::checkpoints::create_checkpoint(&newest.delta, None).await {
                tracing::warn!(%table, version, %error, "the log's checkpoint could not be written");
            }
        }
        Ok(_) => {}
        Err(error) => tracing::debug!(%table, %error, "the new version could not be read at once"),
    }
}
