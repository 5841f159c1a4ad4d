//! Rows in the form of the log: its own columns, and every column in its place.

use crate::error::Result;
use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use cscopilot_decode::log::{META_COLUMNS, Meta};
use std::sync::Arc;

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

/// Rows with the columns of the log, numbered on from a line. Columns are found by name and cast; those that are not there are NULL.
pub(crate) fn log_rows(own: &RecordBatch, schema: &SchemaRef, meta: &Meta<'_>, first_line: i64) -> Result<RecordBatch> {
    let rows = own.num_rows();
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields().iter().filter(|f| !META_COLUMNS.contains(&f.name().as_str())) {
        columns.push(match own.column_by_name(field.name()) {
            Some(column) => cast(column, field.data_type())?,
            None => new_null_array(field.data_type(), rows),
        });
    }
    columns.extend(meta.columns_from(first_line, rows));
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}
