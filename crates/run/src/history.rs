//! `ops.runs`: one row a run that did work. The only table with wall-clock times.

use crate::summary::{RunSummary, TaskStatus};
use arrow::array::{ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use cscopilot_lake::{Lake, Mode, Result, TableName, Txn, Write, stream_of_batches};
use std::sync::Arc;

/// The table's name.
pub(crate) fn table() -> TableName {
    TableName::new("ops", "runs")
}

/// The table's columns.
pub(crate) fn schema() -> SchemaRef {
    let int = |name: &str| Field::new(name, DataType::Int64, false);
    Arc::new(Schema::new(vec![
        Field::new("run_id", DataType::Utf8, false),
        Field::new("pipeline", DataType::Utf8, false),
        Field::new("as_of", DataType::Date32, false),
        Field::new("ended_at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        Field::new("seconds", DataType::Float64, false),
        int("exit_code"),
        int("tasks"),
        int("tasks_failed"),
        int("rows_in"),
        int("rows_rejected"),
    ]))
}

/// Adds a run's row.
pub(crate) async fn append(lake: &Lake, run: &RunSummary) -> Result<()> {
    let int = |n: u64| Arc::new(Int64Array::from(vec![i64::try_from(n).unwrap_or(i64::MAX)])) as ArrayRef;
    let epoch = chrono::NaiveDate::default();
    let day = i32::try_from(run.as_of.signed_duration_since(epoch).num_days()).unwrap_or(0);
    let worked = || run.tasks.iter().filter(|t| t.status == TaskStatus::Done);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![run.run_id.as_str()])),
        Arc::new(StringArray::from(vec![run.pipeline.as_str()])),
        Arc::new(Date32Array::from(vec![day])),
        Arc::new(TimestampMicrosecondArray::from(vec![cscopilot_diag::clock::now().timestamp_micros()]).with_timezone("UTC")),
        Arc::new(Float64Array::from(vec![run.seconds])),
        int(u64::from(run.exit_code)),
        int(run.tasks.len() as u64),
        int(run.tasks.iter().filter(|t| !t.succeeded()).count() as u64),
        int(worked().map(|t| t.outcome.rows_in).sum()),
        int(worked().map(|t| t.outcome.rows_rejected).sum()),
    ];
    let Ok(batch) = RecordBatch::try_new(schema(), columns) else { return Ok(()) };
    let data = stream_of_batches(schema(), vec![batch]);
    lake.commit(Write::new(table(), Mode::Append, data, Txn::new("run", run.run_id.clone()))).await.map(|_committed| ())
}
