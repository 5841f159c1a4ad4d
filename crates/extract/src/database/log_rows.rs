//! The columns that the raw table has besides the declared ones.

use super::request::Request;
use crate::error::Result;
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use std::sync::Arc;

/// What the log says of a row.
pub(crate) const UPSERT: &str = "upsert";
/// The same of a row that has vanished.
pub(crate) const DELETE: &str = "delete";

/// The declared columns with those of the log. Rows are numbered on from `first_line`, over all commits, so that the highest number of a
/// key is its latest version.
pub(crate) fn log_rows(
    request: &Request,
    declared: &RecordBatch,
    op: &str,
    batch: &str,
    first_line: u64,
    extracted_at_micros: i64,
) -> Result<RecordBatch> {
    let rows = declared.num_rows();
    let constant = |value: &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(std::iter::repeat_n(value, rows))) };
    let first = i64::try_from(first_line).unwrap_or(i64::MAX - 1 - i64::try_from(rows).unwrap_or(0));
    let mut columns = declared.columns().to_vec();
    columns.push(Arc::new(TimestampMicrosecondArray::from_value(extracted_at_micros, rows).with_timezone("UTC")));
    columns.push(constant(op));
    columns.push(constant(batch));
    columns.push(constant(&request.shown));
    columns.push(Arc::new(Int64Array::from_iter_values((first..).take(rows))));
    Ok(RecordBatch::try_new(Arc::clone(&request.plan.schema), columns)?)
}
