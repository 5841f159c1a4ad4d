//! From a planned query to a commit, with the checks in between.
//!
//! The rows are computed once. They flow through here into the commit, which publishes nothing before its stream has
//! ended well; on the way, the columns that checks look at are kept aside. When the last row has passed, the checks run,
//! and a failure of severity `error` ends the stream with an error: the old table stays.

use crate::checks::Checks;
use crate::condition::{RESULTING, STAGED};
use crate::error::{Error, Result};
use crate::run::keep_checks;
use crate::sorted::sort_small;
use crate::stage::Stage;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use cscopilot_lake::step::{CheckResult, CheckStatus, Progress};
use cscopilot_lake::{SendableRecordBatchStream, Session, TableName, stream_error, stream_of};
use datafusion::catalog::TableProvider;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;
use futures::future::BoxFuture;
use std::sync::{Arc, Mutex};

/// The schema of names that only the session knows.
const LOCAL: &str = "local";

/// How the table will look once these rows are published, as a query over `staged_rows` and the old table. Registered as
/// `resulting_rows` when a check asks for it.
pub(crate) type Resulting = Box<dyn FnOnce(Arc<Session>) -> BoxFuture<'static, Result<Option<DataFrame>>> + Send>;

/// Further tests of the kept rows that can stop the commit.
pub(crate) type Guard = Box<dyn FnOnce(Arc<Session>) -> BoxFuture<'static, Result<()>> + Send>;

/// What is needed to let rows through.
pub(crate) struct Gate {
    pub(crate) session: Arc<Session>,
    pub(crate) checks: Checks,
    /// The columns to keep for the checks and the guard.
    pub(crate) keep: Vec<usize>,
    /// Columns by which small results are put in order.
    pub(crate) order: Vec<usize>,
    pub(crate) resulting: Option<Resulting>,
    pub(crate) guard: Option<Guard>,
    pub(crate) progress: Progress,
}

/// What happened behind the gate; filled when the stream has ended.
#[derive(Clone, Default)]
pub(crate) struct Verdict(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    results: Vec<CheckResult>,
    error: Option<Error>,
    rows_in: u64,
}

impl Verdict {
    fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// The results of the checks.
    pub(crate) fn results(&self) -> Vec<CheckResult> {
        self.with(|inner| inner.results.clone())
    }

    /// Why the rows were stopped, if they were.
    pub(crate) fn take_error(&self) -> Option<Error> {
        self.with(|inner| inner.error.take())
    }

    /// Rows read from tables.
    pub(crate) fn rows_in(&self) -> u64 {
        self.with(|inner| inner.rows_in)
    }
}

/// Ends a stream whose reason stands in the verdict.
#[derive(Debug, thiserror::Error)]
#[error("the rows were stopped before they were published")]
struct Stopped;

/// The rows of a query on their way into a commit.
pub(crate) async fn through(table: &TableName, frame: DataFrame, gate: Gate) -> Result<(SendableRecordBatchStream, Verdict)> {
    let frame = one_thread(frame);
    let context = Arc::new(frame.task_ctx());
    let plan = frame.create_physical_plan().await.map_err(Error::query(table))?;
    let rows = execute_stream(Arc::clone(&plan), context).map_err(Error::query(table))?;
    let schema = rows.schema();
    let rows = sort_small(rows, gate.order.clone());
    let verdict = Verdict::default();
    let stage =
        if gate.keep.is_empty() && gate.checks.is_empty() { None } else { Some(Stage::new(table.clone(), &schema, gate.keep.clone())?) };
    let state = Rows { rows, stage, gate, plan, verdict: verdict.clone(), table: table.clone() };
    let guarded = futures::stream::unfold(Some(Box::new(state)), |state| async { step(state?).await });
    Ok((stream_of(schema, guarded), verdict))
}

/// The same query on one thread: rows come in the same order and float sums have the same last digit every time. Models
/// that don't need each other run beside each other, so the cores are busy anyway.
fn one_thread(frame: DataFrame) -> DataFrame {
    let (mut state, plan) = frame.into_parts();
    state.config_mut().options_mut().execution.target_partitions = 1;
    DataFrame::new(state, plan)
}

/// Rows on their way; nothing once they have all passed or were stopped.
struct Rows {
    rows: SendableRecordBatchStream,
    stage: Option<Stage>,
    gate: Gate,
    plan: Arc<dyn ExecutionPlan>,
    verdict: Verdict,
    table: TableName,
}

type Step = (Result<RecordBatch, DataFusionError>, Option<Box<Rows>>);

async fn step(mut state: Box<Rows>) -> Option<Step> {
    match state.rows.next().await {
        Some(Ok(batch)) => {
            state.gate.progress.rows(batch.num_rows() as u64);
            if let Some(stage) = &mut state.stage
                && let Err(error) = stage.push(&batch)
            {
                return Some(stop(&state.verdict, error));
            }
            Some((Ok(batch), Some(state)))
        }
        Some(Err(error)) => Some(stop(&state.verdict, Error::query(&state.table)(error))),
        None => {
            let Rows { rows, stage, gate, plan, verdict, table } = *state;
            verdict.with(|inner| inner.rows_in = rows_read(plan.as_ref()));
            drop(rows);
            match judge(stage?, gate, &verdict, &table).await {
                Ok(()) => None,
                Err(error) => Some(stop(&verdict, error)),
            }
        }
    }
}

fn stop(verdict: &Verdict, error: Error) -> Step {
    verdict.with(|inner| inner.error = Some(error));
    (Err(stream_error(Stopped)), None)
}

/// Runs the guard and the checks over the kept rows.
async fn judge(stage: Stage, gate: Gate, verdict: &Verdict, table: &TableName) -> Result<()> {
    let staged = stage.finish()?;
    register(&gate.session, STAGED, Arc::clone(&staged));
    if let Some(guard) = gate.guard {
        guard(Arc::clone(&gate.session)).await?;
    }
    if gate.checks.is_empty() {
        return Ok(());
    }
    gate.progress.note("checking");
    let resulting = match gate.resulting {
        Some(resulting) if gate.checks.need_resulting() => resulting(Arc::clone(&gate.session)).await?,
        _ => None,
    };
    match resulting {
        Some(frame) => register(&gate.session, RESULTING, frame.into_view()),
        None => register(&gate.session, RESULTING, staged),
    }
    let results = gate.checks.run(&gate.session).await?;
    let failed = results.iter().any(|r| r.status == CheckStatus::Failed);
    verdict.with(|inner| inner.results.clone_from(&results));
    if failed {
        return Err(Error::ChecksFailed { table: table.clone(), results });
    }
    keep_checks(gate.session.lake(), table, &results).await
}

pub(crate) fn register(session: &Session, name: &str, provider: Arc<dyn TableProvider>) {
    session.register_provider(&TableName::new(LOCAL, name), provider);
}

/// Rows that the leaves of a plan gave, once it has run.
fn rows_read(plan: &dyn ExecutionPlan) -> u64 {
    let children = plan.children();
    if children.is_empty() {
        return plan.metrics().and_then(|m| m.output_rows()).map_or(0, |n| n as u64);
    }
    children.into_iter().map(|child| rows_read(child.as_ref())).sum()
}

/// The positions of columns in a schema; those that it lacks are left out.
pub(crate) fn positions(schema: &SchemaRef, names: &[String]) -> Vec<usize> {
    names.iter().filter_map(|n| schema.index_of(n).ok()).collect()
}
