//! `ops.sync_log`: what was written to which record, when, and what the CRM said.

use crate::Result;
use crate::decide::{Fields, Known};
use crate::plan::{log_schema, log_table};
use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use cscopilot_lake::step::StepContext;
use cscopilot_lake::{Mode, Txn, Write, stream_of_batches};
use futures::TryStreamExt;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a record fared. The words stand in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// The CRM has the values now.
    Ok,
    /// The CRM refused them; the next run tries again.
    Refused,
    /// A person's edit stays.
    KeptEdit,
}

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::KeptEdit => "kept_edit",
        }
    }
}

/// One row of the log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) record: String,
    pub(crate) attempt: i64,
    pub(crate) before: Fields,
    pub(crate) after: Fields,
    pub(crate) status: Status,
    pub(crate) error: Option<(String, String)>,
}

/// What the log tells of earlier runs.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) records: BTreeMap<String, Known>,
    /// The number of the latest run.
    pub(crate) sequence: i64,
}

/// Reads the log of one sync.
pub(crate) async fn history(ctx: &StepContext, sync: &str) -> Result<History> {
    let mut history = History::default();
    if ctx.lake.table(&log_table()).await?.is_none() {
        return Ok(history);
    }
    let sql = "SELECT \"record_key\", \"status\", \"before\", \"after\", \"sequence\" FROM ops.sync_log WHERE \"sync\" = $sync \
               AND \"status\" IN ('ok', 'kept_edit') ORDER BY \"sequence\", \"record_key\", \"attempt\"";
    let params = ctx.params.clone().with("sync", sync);
    let mut batches = ctx.lake.stream(sql, &params).await?;
    while let Some(batch) = batches.try_next().await.map_err(|e| cscopilot_lake::Error::Query(Box::new(e)))? {
        replay(&mut history, &batch)?;
    }
    // Runs in which everything was refused count, too.
    let newest = ctx.lake.query("SELECT max(\"sequence\") AS newest FROM ops.sync_log WHERE \"sync\" = $sync", &params).await?;
    for batch in newest.iter().filter(|b| b.num_rows() > 0) {
        let column = batch.column(0).as_primitive::<Int64Type>();
        if !column.is_null(0) {
            history.sequence = column.value(0);
        }
    }
    Ok(history)
}

fn replay(history: &mut History, batch: &RecordBatch) -> Result<()> {
    let texts: Vec<ArrayRef> = (0..4).map(|c| cast(batch.column(c), &DataType::Utf8)).collect::<std::result::Result<_, _>>()?;
    let text = |column: usize, row: usize| texts[column].as_string::<i32>().value(row);
    let fields = |column: usize, row: usize| serde_json::from_str::<Fields>(text(column, row)).unwrap_or_default();
    for row in 0..batch.num_rows() {
        let known = history.records.entry(text(0, row).to_owned()).or_default();
        if text(1, row) == Status::Ok.as_str() {
            for (field, value) in fields(3, row) {
                known.kept.remove(&field);
                known.written.insert(field, value);
            }
        } else {
            known.kept.extend(fields(2, row));
        }
    }
    Ok(())
}

/// Appends a run's entries in one commit.
pub(crate) async fn append(ctx: &StepContext, sync: &str, sequence: i64, entries: &[Entry]) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let json = |fields: &Fields| serde_json::to_string(fields).unwrap_or_default();
    let names = |fields: &Fields| serde_json::to_string(&fields.keys().collect::<Vec<_>>()).unwrap_or_default();
    let count = entries.len();
    let constant = |value: &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(std::iter::repeat_n(value, count))) };
    let texts = |of: &dyn Fn(&Entry) -> String| -> ArrayRef { Arc::new(StringArray::from_iter_values(entries.iter().map(of))) };
    let days = ctx.as_of.signed_duration_since(chrono::NaiveDate::default()).num_days();
    let error = |pick: fn(&(String, String)) -> &String| -> ArrayRef {
        Arc::new(entries.iter().map(|e| e.error.as_ref().map(pick)).collect::<StringArray>())
    };
    let columns: Vec<ArrayRef> = vec![
        constant(sync),
        constant(&ctx.run_id),
        Arc::new(Date32Array::from_value(i32::try_from(days).unwrap_or(i32::MAX), count)),
        Arc::new(Int64Array::from_value(sequence, count)),
        texts(&|e| e.record.clone()),
        Arc::new(Int64Array::from_iter_values(entries.iter().map(|e| e.attempt))),
        constant("update"),
        texts(&|e| names(&e.after)),
        texts(&|e| json(&e.before)),
        texts(&|e| json(&e.after)),
        texts(&|e| e.status.as_str().to_owned()),
        error(|e| &e.0),
        error(|e| &e.1),
    ];
    let batch = RecordBatch::try_new(log_schema(), columns)?;
    // The number is part of the transaction: a run that is retried after it has logged something may log what it does then.
    let txn = Txn::new(format!("{}#{sequence}", ctx.step), ctx.run_id.clone());
    let write =
        Write::new(log_table(), Mode::Append, stream_of_batches(log_schema(), vec![batch]), txn).with_fingerprint(ctx.fingerprint.clone());
    ctx.lake.commit(write).await?;
    Ok(())
}
