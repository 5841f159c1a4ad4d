//! One closed window: its rows, what was rejected, and the cursor become one commit.

use super::state::State;
use crate::error::{Error, Result};
use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::datatypes::SchemaRef;
use cscopilot_decode::{Rejected, RejectedOfFile, rejected_batch, rejected_schema};
use cscopilot_lake::step::StepContext;
use cscopilot_lake::{BatchSender, Committed, LateState, Mode, TableName, Txn, Write, channel, stream_of_batches};
use std::sync::Arc;
use tokio::task::JoinHandle;

/// The tables of a stream.
pub(crate) struct Tables {
    pub(crate) rows: TableName,
    pub(crate) rejected: TableName,
}

/// Rejected rows of one answer.
pub(crate) struct RejectedRows {
    pub(crate) file: String,
    pub(crate) rows: Vec<Rejected>,
}

/// A commit under way: rows are written as they come, and published when the window is closed.
pub(crate) struct OpenWindow {
    schema: SchemaRef,
    sender: BatchSender,
    late: LateState,
    commit: JoinHandle<cscopilot_lake::Result<Committed>>,
}

impl OpenWindow {
    pub(crate) fn new(ctx: &StepContext, tables: &Tables, schema: SchemaRef, batch: &str) -> Self {
        let (sender, data) = channel(Arc::clone(&schema), 2);
        let late = LateState::new();
        // The window's batch makes it a transaction of its own: a run makes many commits.
        let txn = Txn::new(ctx.step.clone(), format!("{}/{batch}", ctx.run_id));
        let write = Write::new(tables.rows.clone(), Mode::Append, data, txn).with_late_state(late.clone());
        let lake = ctx.lake.clone();
        let commit = tokio::spawn(async move { lake.commit(write).await });
        Self { schema, sender, late, commit }
    }

    /// Adds rows; columns that the batch lacks are NULL.
    pub(crate) async fn send(&self, batch: RecordBatch) -> Result<()> {
        let batch = fit(batch, &self.schema)?;
        // The commit has ended early: its error comes with `close`.
        let _listening = self.sender.send(batch).await;
        Ok(())
    }

    /// Publishes the rows with the state they lead to.
    pub(crate) async fn close(self, state: &State) -> Result<Committed> {
        self.late.set(state.to_json());
        self.sender.finish().await;
        Ok(self.commit.await.map_err(|e| Error::Task(e.to_string()))??)
    }

    /// Gives the window up: nothing of it is published.
    pub(crate) async fn abandon(self) {
        self.sender.fail(std::io::Error::other("the window was given up")).await;
        // Its error is ours.
        let _failed = self.commit.await;
    }
}

/// A batch in the form of a schema: columns by name, those that it lacks NULL.
pub(crate) fn fit(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    if batch.schema() == *schema {
        return Ok(batch);
    }
    let rows = batch.num_rows();
    let columns: Vec<ArrayRef> = schema
        .fields()
        .iter()
        .map(|field| batch.column_by_name(field.name()).map_or_else(|| new_null_array(field.data_type(), rows), Arc::clone))
        .collect();
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

/// Publishes rejected rows, before the rows that they stood among; a repetition after a crash is recognised.
pub(crate) async fn publish_rejected(
    ctx: &StepContext,
    tables: &Tables,
    batch: &str,
    at_micros: i64,
    rejected: &[RejectedRows],
) -> Result<()> {
    let info = ctx.lake.table(&tables.rejected).await?;
    if rejected.is_empty() && info.is_some() {
        return Ok(());
    }
    let mut batches = Vec::with_capacity(rejected.len());
    let mut hash = blake3::Hasher::new();
    for one in rejected {
        batches.push(rejected_batch(&RejectedOfFile { file: &one.file, batch, rows: &one.rows }, at_micros)?);
        for row in &one.rows {
            hash.update(row.raw.as_bytes());
        }
    }
    let fingerprint = format!("rejected:{batch}:{}", &hash.finalize().to_hex()[..16]);
    if info.is_some_and(|t| t.fingerprint.as_ref() == Some(&fingerprint)) {
        return Ok(());
    }
    let txn = Txn::new(ctx.step.clone(), format!("{}/{batch}", ctx.run_id));
    let write = Write::new(tables.rejected.clone(), Mode::Append, stream_of_batches(rejected_schema(), batches), txn)
        .with_fingerprint(Some(fingerprint));
    ctx.lake.commit(write).await?;
    Ok(())
}
