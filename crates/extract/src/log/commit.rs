//! One commit to the log: rows go to Parquet as they come, and are published together with the state they lead to.

use super::rows::fit;
use crate::error::{Error, Result};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use cscopilot_lake::step::StepContext;
use cscopilot_lake::{BatchSender, Committed, LateState, Mode, TableName, Txn, Write, channel};
use std::sync::Arc;
use tokio::task::JoinHandle;

/// The transaction of one of several commits of a run, by the commit's name: unlike a step that commits once, a window must not be mistaken for
/// the one before it.
pub(crate) fn txn(ctx: &StepContext, commit: &str) -> Txn {
    Txn::new(ctx.step.clone(), format!("{}{commit}", ctx.run_id))
}

/// A commit that is being made. It begins with its first rows, and nothing of it is published before [`Commit::close`].
pub(crate) struct Commit {
    ctx: StepContext,
    table: TableName,
    schema: SchemaRef,
    txn: Txn,
    open: Option<Open>,
    /// How it ended, if before its rows did.
    ended: Option<Committed>,
}

/// A commit whose rows are still coming.
struct Open {
    sender: BatchSender,
    late: LateState,
    task: JoinHandle<cscopilot_lake::Result<Committed>>,
}

impl Commit {
    pub(crate) fn new(ctx: &StepContext, table: &TableName, schema: SchemaRef, txn: Txn) -> Self {
        Self { ctx: ctx.clone(), table: table.clone(), schema, txn, open: None, ended: None }
    }

    /// Whether rows were sent.
    pub(crate) fn has_rows(&self) -> bool {
        self.open.is_some() || self.ended.is_some()
    }

    /// Adds rows; columns that they lack are NULL. Whether the commit wants more: not if this run and step had made it before.
    ///
    /// # Errors
    /// Why the commit ended before its rows did.
    pub(crate) async fn send(&mut self, rows: RecordBatch) -> Result<bool> {
        if self.ended.is_some() {
            return Ok(false);
        }
        let rows = fit(rows, &self.schema)?;
        if self.opened().sender.send(rows).await {
            return Ok(true);
        }
        if let Some(Open { task, .. }) = self.open.take() {
            self.ended = Some(joined(task).await?);
        }
        Ok(false)
    }

    /// Publishes the rows, and the state they lead to.
    pub(crate) async fn close(mut self, state: serde_json::Value) -> Result<Committed> {
        if let Some(ended) = self.ended {
            return Ok(ended);
        }
        self.opened();
        let Some(Open { sender, late, task }) = self.open else { return Err(Error::Task("a commit was not begun".to_owned())) };
        late.set(state);
        sender.finish().await;
        joined(task).await
    }

    /// Gives the commit up: nothing of it is published.
    pub(crate) async fn abandon(self, reason: &str) {
        if let Some(Open { sender, task, .. }) = self.open {
            sender.fail(std::io::Error::other(reason.to_owned())).await;
            // Its error is ours.
            let _failed = task.await;
        }
    }

    fn opened(&mut self) -> &mut Open {
        self.open.get_or_insert_with(|| {
            let (sender, data) = channel(Arc::clone(&self.schema), 2);
            let late = LateState::new();
            let write = Write::new(self.table.clone(), Mode::Append, data, self.txn.clone()).with_late_state(late.clone());
            let lake = self.ctx.lake.clone();
            // A task of its own, so that encoding on one core doesn't hold up reading on the others.
            let task = tokio::spawn(async move { lake.commit(write).await });
            Open { sender, late, task }
        })
    }
}

async fn joined(task: JoinHandle<cscopilot_lake::Result<Committed>>) -> Result<Committed> {
    Ok(task.await.map_err(|e| Error::Task(e.to_string()))??)
}
