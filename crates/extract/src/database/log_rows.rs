//! The columns that the raw table has besides the declared ones.

use super::request::Request;
use crate::error::Result;
use arrow::array::RecordBatch;
use cscopilot_decode::log::Meta;
use std::sync::Arc;

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
    let first = i64::try_from(first_line).unwrap_or(i64::MAX - 1 - i64::try_from(rows).unwrap_or(0));
    let mut columns = declared.columns().to_vec();
    columns.extend(Meta { extracted_at_micros, op, batch, file: &request.shown }.columns_from(first, rows));
    Ok(RecordBatch::try_new(Arc::clone(&request.plan.rows.schema), columns)?)
}
