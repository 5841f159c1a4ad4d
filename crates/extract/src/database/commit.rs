//! One commit a window: rows go to Parquet as they come, and are published together with the state when the window closes.

use crate::error::{Error, Result};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use cscopilot_lake::step::StepContext;
use cscopilot_lake::{BatchSender, Committed, LateState, Mode, TableName, Txn, Write, channel};
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Makes the commits of one stream.
pub(crate) struct Committer<'a> {
    ctx: &'a StepContext,
    table: TableName,
    schema: SchemaRef,
    open: Option<Open>,
}

/// A commit whose rows are still coming.
struct Open {
    sender: BatchSender,
    late: LateState,
    task: JoinHandle<cscopilot_lake::Result<Committed>>,
}

/// The transaction of a run's n-th commit: unlike a step that commits once, a window must not be mistaken for the one before it.
pub(crate) fn txn(ctx: &StepContext, commit: &str) -> Txn {
    Txn::new(ctx.step.clone(), format!("{}#{commit}", ctx.run_id))
}

impl<'a> Committer<'a> {
    pub(crate) fn new(ctx: &'a StepContext, table: TableName, schema: SchemaRef) -> Self {
        Self { ctx, table, schema, open: None }
    }

    /// Adds rows to the n-th commit.
    pub(crate) async fn send(&mut self, commit: u64, rows: RecordBatch) -> Result<()> {
        let sent = self.opened(commit).sender.send(rows).await;
        if sent {
            return Ok(());
        }
        // The commit ended before its rows did: its own error says why.
        let Some(Open { task, .. }) = self.open.take() else { return Ok(()) };
        task.await.map_err(|e| Error::Task(e.to_string()))??;
        Err(Error::Task(format!("the commit {commit} of {} had been made before", self.table)))
    }

    /// Publishes the rows sent so far, and the state; how many rows there were.
    pub(crate) async fn close(&mut self, commit: u64, state: serde_json::Value) -> Result<u64> {
        self.opened(commit);
        let Some(Open { sender, late, task }) = self.open.take() else { return Ok(0) };
        late.set(state);
        sender.finish().await;
        let committed = task.await.map_err(|e| Error::Task(e.to_string()))??;
        Ok(committed.rows)
    }

    /// Gives the open commit up; nothing of it is published.
    pub(crate) async fn abort(&mut self, reason: &Error) {
        if let Some(Open { sender, task, .. }) = self.open.take() {
            sender.fail(std::io::Error::other(reason.to_string())).await;
            drop(task.await);
        }
    }

    fn opened(&mut self, commit: u64) -> &mut Open {
        self.open.get_or_insert_with(|| {
            let (sender, data) = channel(Arc::clone(&self.schema), 2);
            let late = LateState::new();
            let write =
                Write::new(self.table.clone(), Mode::Append, data, txn(self.ctx, &commit.to_string())).with_late_state(late.clone());
            let lake = self.ctx.lake.clone();
            // A task of its own, so that encoding on one core doesn't hold up reading on the others.
            let task = tokio::spawn(async move { lake.commit(write).await });
            Open { sender, late, task }
        })
    }
}
