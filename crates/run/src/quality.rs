//! `ops.data_quality`: one row a check or stream and night.

use arrow::array::{ArrayRef, Date32Array, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use cscopilot_lake::step::{CheckResult, Outcome, StepContext};
use cscopilot_lake::{Mode, Result, TableName, Txn, Write, stream_of_batches};
use std::sync::Arc;

/// The table's name.
pub(crate) fn table() -> TableName {
    TableName::new("ops", "data_quality")
}

/// The table's columns.
pub(crate) fn schema() -> SchemaRef {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    Arc::new(Schema::new(vec![
        Field::new("as_of", DataType::Date32, false),
        text("subject", false),
        text("check", false),
        text("severity", false),
        text("status", false),
        Field::new("failing_rows", DataType::Int64, false),
        Field::new("total_rows", DataType::Int64, false),
        text("detail", true),
        text("sample", true),
    ]))
}

/// Writes the night's checks, replacing those of the same night.
pub(crate) async fn run(ctx: &StepContext, mut checks: Vec<CheckResult>) -> Result<Outcome> {
    checks.sort_by(|a, b| (&a.subject, &a.check).cmp(&(&b.subject, &b.check)));
    let rows = checks.len() as u64;
    let data = stream_of_batches(schema(), batch(ctx, &checks).into_iter().collect());
    // A run that is taken up again knows more checks than before: those are another commit, not the same one repeated.
    let version = ctx.fingerprint.as_deref().unwrap_or_default();
    let txn = Txn::new(ctx.step.clone(), format!("{}.{version}", ctx.run_id));
    let write =
        Write::new(table(), Mode::OverwritePartitions, data, txn).partitioned_by(["as_of"]).with_fingerprint(ctx.fingerprint.clone());
    ctx.lake.commit(write).await?;
    Ok(Outcome { rows_in: rows, rows_out: rows, ..Outcome::default() })
}

fn batch(ctx: &StepContext, checks: &[CheckResult]) -> Option<RecordBatch> {
    let epoch = chrono::NaiveDate::default();
    let day = i32::try_from(ctx.as_of.signed_duration_since(epoch).num_days()).unwrap_or(0);
    let text = |f: fn(&CheckResult) -> Option<&str>| Arc::new(checks.iter().map(f).collect::<StringArray>()) as ArrayRef;
    let count = |f: fn(&CheckResult) -> u64| {
        let counts: UInt64Array = checks.iter().map(|c| Some(f(c))).collect();
        arrow::compute::cast(&counts, &DataType::Int64).ok()
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Date32Array::from(vec![day; checks.len()])),
        text(|c| Some(&c.subject)),
        text(|c| Some(&c.check)),
        text(|c| Some(c.severity.as_str())),
        text(|c| Some(c.status.as_str())),
        count(|c| c.failing_rows)?,
        count(|c| c.total_rows)?,
        text(|c| c.detail.as_deref()),
        text(|c| c.sample.as_deref()),
    ];
    RecordBatch::try_new(schema(), columns).ok()
}
