//! Rows that the raw table has already, so that reading a record again doesn't add it again.
//!
//! Windows overlap what was read before, to catch what came late; lists without a cursor are read whole every night. Rows are compared by
//! hashes of all their columns ([`Known`]).

use crate::error::Result;
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use chrono::DateTime;
use cscopilot_decode::log::DELETE;
use cscopilot_decode::{Hashing, Known, LogRows, key_hashes};
use cscopilot_lake::{Lake, Params, TableName};
use futures::TryStreamExt;

/// The table's columns that rows are compared by: all but the log's own, and `_op`.
pub(crate) struct Shape<'a> {
    pub(crate) table: &'a TableName,
    /// The declared columns, those that are added, and those that the stream has gained.
    pub(crate) columns: Vec<String>,
    /// The primary key's positions among them.
    pub(crate) key: Vec<usize>,
}

impl Shape<'_> {
    fn select(&self, have: &SchemaRef) -> String {
        // A column that was declared later is NULL in older rows.
        let column = |name: &String| match have.field_with_name(name) {
            Ok(_) => quoted(name),
            Err(_) => format!("NULL AS {}", quoted(name)),
        };
        let columns: Vec<String> = self.columns.iter().map(column).collect();
        format!("{}, \"_op\"", columns.join(", "))
    }

    /// How rows are hashed; by their keys as well where `by_key` says so.
    pub(crate) fn hashing(&self, by_key: bool) -> Hashing {
        Hashing::new(&self.columns, if by_key { &self.key } else { &[] })
    }
}

pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Rows whose cursor is at or after an instant.
///
/// # Errors
/// Those of the query.
pub(crate) async fn since(lake: &Lake, shape: &Shape<'_>, have: &SchemaRef, cursor: &str, from_micros: i64) -> Result<Known> {
    let kind = have.field_with_name(cursor).map(|f| f.data_type().clone());
    let at = DateTime::from_timestamp_micros(from_micros).unwrap_or_default();
    let (condition, params) = match kind {
        Ok(DataType::Timestamp(_, _)) => (format!("WHERE {} >= $from", quoted(cursor)), Params::new().with("from", at)),
        Ok(DataType::Date32) => (format!("WHERE {} >= $from", quoted(cursor)), Params::new().with("from", at.date_naive())),
        _ => (String::new(), Params::new()),
    };
    let sql = format!("SELECT {} FROM {} {condition}", shape.select(have), shape.table);
    let hashing = shape.hashing(false);
    let mut rows = Vec::new();
    let mut stream = lake.stream(&sql, &params).await?;
    while let Some(batch) = stream.try_next().await.map_err(lake_error)? {
        rows.extend(hashing.rows(&plain(&batch)?));
    }
    Ok(Known::of_rows(rows))
}

/// The latest row of every key.
///
/// # Errors
/// Those of the query.
pub(crate) async fn latest(lake: &Lake, shape: &Shape<'_>, have: &SchemaRef) -> Result<Known> {
    let hashing = shape.hashing(false);
    let mut known = Known::of_keys();
    let mut stream = lake.stream(&latest_sql(shape, have), &Params::new()).await?;
    while let Some(batch) = stream.try_next().await.map_err(lake_error)? {
        let batch = plain(&batch)?;
        let (keys, deletes) = (key_hashes(&batch, &shape.key), deletes(shape, &batch));
        known.add(&LogRows { keys: &keys, rows: &hashing.rows(&batch), lines: None, deletes: &deletes });
    }
    known.settle();
    Ok(known)
}

/// The live rows whose keys a complete read didn't meet, as they were.
///
/// # Errors
/// Those of the query.
pub(crate) async fn vanished(known: &Known, lake: &Lake, shape: &Shape<'_>, have: &SchemaRef) -> Result<Vec<RecordBatch>> {
    let mut vanished = known.vanished();
    if vanished.is_empty() {
        return Ok(Vec::new());
    }
    let mut gone = Vec::new();
    let mut stream = lake.stream(&latest_sql(shape, have), &Params::new()).await?;
    while let Some(batch) = stream.try_next().await.map_err(lake_error)? {
        let batch = plain(&batch)?;
        let keep = vanished.pick(&key_hashes(&batch, &shape.key), None, &deletes(shape, &batch));
        if keep.contains(&true) {
            gone.push(arrow::compute::filter_record_batch(&batch, &keep.into())?);
        }
    }
    Ok(gone)
}

/// Which rows of [`latest_sql`] are deletions.
fn deletes(shape: &Shape<'_>, batch: &RecordBatch) -> Vec<bool> {
    batch.column(shape.columns.len()).as_string::<i32>().iter().map(|op| op == Some(DELETE)).collect()
}

fn latest_sql(shape: &Shape<'_>, have: &SchemaRef) -> String {
    let keys: Vec<String> = shape.key.iter().map(|k| quoted(&shape.columns[*k])).collect();
    let select = shape.select(have);
    let outer: Vec<String> = shape.columns.iter().map(|c| quoted(c)).chain(std::iter::once("\"_op\"".to_owned())).collect();
    format!(
        "SELECT {} FROM (SELECT {select}, ROW_NUMBER() OVER (PARTITION BY {} ORDER BY \"_batch\" DESC, \"_line\" DESC) AS \"_nth\" FROM {}) \
         WHERE \"_nth\" = 1",
        outer.join(", "),
        keys.join(", "),
        shape.table
    )
}

fn lake_error(error: impl std::fmt::Display) -> crate::error::Error {
    crate::error::Error::Task(error.to_string())
}

/// Query results may hold string views; hashes are made of plain strings.
fn plain(batch: &RecordBatch) -> Result<RecordBatch> {
    use arrow::datatypes::{Field, Schema};
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let kind = match field.data_type() {
            DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
            other => other.clone(),
        };
        columns.push(arrow::compute::cast(column, &kind)?);
        fields.push(Field::new(field.name(), kind, true));
    }
    Ok(RecordBatch::try_new(std::sync::Arc::new(Schema::new(fields)), columns)?)
}
