//! What the raw table has already, read from the table itself.
//!
//! Windows overlap what was read before, to catch what came late, and what has no cursor is read whole every night. Rows are compared by
//! hashes of all their columns and `_op` ([`Known`]).

use crate::error::{Error, Result};
use arrow::array::{AsArray, RecordBatch};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use cscopilot_decode::log::DELETE;
use cscopilot_decode::{Hashing, Known, LogRows, key_hashes};
use cscopilot_lake::{Lake, Params, TableName};
use futures::{Stream, TryStreamExt};
use std::sync::Arc;

/// How the versions of a row are ordered in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lines {
    /// `_line` rises from commit to commit.
    Rise,
    /// `_line` begins anew with every `_batch`.
    Restart,
}

/// The part of a raw table that rows are compared by: all columns but the log's own, and `_op`.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) table: TableName,
    /// The declared columns, those that are added, and those that the stream has gained.
    pub(crate) columns: Vec<String>,
    /// The primary key's positions among them; without a key, equal rows are counted.
    pub(crate) key: Vec<usize>,
    pub(crate) lines: Lines,
}

/// Rows of a log.
struct Part {
    /// The columns of the shape, `_op` and `_line`.
    batch: RecordBatch,
    lines: Vec<i64>,
    deletes: Vec<bool>,
}

pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Shape {
    /// How rows are hashed; by their keys as well where `by_key` says so.
    pub(crate) fn hashing(&self, by_key: bool) -> Hashing {
        Hashing::new(&self.columns, if by_key { &self.key } else { &[] })
    }

    /// The hashes by which rows are found: of the key, or of all columns where there is none.
    fn keys(&self, batch: &RecordBatch) -> Vec<u64> {
        if self.key.is_empty() {
            return key_hashes(batch, &(0..self.columns.len()).collect::<Vec<_>>());
        }
        key_hashes(batch, &self.key)
    }

    fn select(&self, have: &SchemaRef) -> String {
        // A column that was declared later is NULL in older rows.
        let column = |name: &String| match have.field_with_name(name) {
            Ok(_) => quoted(name),
            Err(_) => format!("NULL AS {}", quoted(name)),
        };
        let columns: Vec<String> = self.columns.iter().map(column).collect();
        format!("{}, \"_op\", \"_line\"", columns.join(", "))
    }

    /// All rows under a condition.
    fn all(&self, have: &SchemaRef, condition: &str) -> String {
        format!("SELECT {} FROM {} {condition}", self.select(have), self.table)
    }

    /// The latest row of every key.
    fn latest(&self, have: &SchemaRef) -> String {
        let keys: Vec<String> = self.key.iter().map(|k| quoted(&self.columns[*k])).collect();
        let outer: Vec<String> = self.columns.iter().map(|c| quoted(c)).collect();
        format!(
            "SELECT {}, \"_op\", \"_line\" FROM (SELECT {}, ROW_NUMBER() OVER (PARTITION BY {} ORDER BY \"_batch\" DESC, \"_line\" DESC) \
             AS \"_nth\" FROM {}) WHERE \"_nth\" = 1",
            outer.join(", "),
            self.select(have),
            keys.join(", "),
            self.table
        )
    }
}

/// Rows under a condition, in any version.
///
/// # Errors
/// Those of the query.
pub(crate) async fn any_version(lake: &Lake, shape: &Shape, have: &SchemaRef, condition: &str, params: &Params) -> Result<Known> {
    let hashing = shape.hashing(false);
    let mut rows = Vec::new();
    let mut parts = Box::pin(read(lake, shape, &shape.all(have, condition), params).await?);
    while let Some(part) = parts.try_next().await? {
        rows.extend(hashing.rows(&part.batch));
    }
    Ok(Known::of_rows(rows))
}

/// The latest row of every key, or without a key how many equal rows there are. Where lines rise, only of rows under a condition.
///
/// # Errors
/// Those of the query.
pub(crate) async fn latest(lake: &Lake, shape: &Shape, have: &SchemaRef, condition: &str, params: &Params) -> Result<Known> {
    let hashing = shape.hashing(false);
    let mut known = if shape.key.is_empty() { Known::of_counts() } else { Known::of_keys() };
    let rise = shape.lines == Lines::Rise;
    let sql = if rise { shape.all(have, condition) } else { shape.latest(have) };
    let mut parts = Box::pin(read(lake, shape, &sql, params).await?);
    while let Some(Part { batch, lines, deletes }) = parts.try_next().await? {
        let (keys, rows) = (shape.keys(&batch), hashing.rows(&batch));
        known.add(&LogRows { keys: &keys, rows: &rows, lines: rise.then_some(&lines), deletes: &deletes });
    }
    known.settle();
    Ok(known)
}

/// The live rows that a complete read didn't meet, as they were; nothing if there are none.
///
/// # Errors
/// Those of the query.
pub(crate) async fn vanished(
    known: &Known,
    lake: &Lake,
    shape: &Shape,
    have: &SchemaRef,
) -> Result<Option<impl Stream<Item = Result<RecordBatch>> + use<>>> {
    let mut gone = known.vanished();
    if gone.is_empty() {
        return Ok(None);
    }
    let rise = shape.lines == Lines::Rise;
    let sql = if rise { shape.all(have, "") } else { shape.latest(have) };
    let parts = read(lake, shape, &sql, &Params::new()).await?;
    let shape = shape.clone();
    Ok(Some(parts.try_filter_map(move |Part { batch, lines, deletes }| {
        // Of a key only the latest row; of equal rows any.
        let by_line = rise && !shape.key.is_empty();
        let keep = gone.pick(&shape.keys(&batch), by_line.then_some(&lines), &deletes);
        let picked = if keep.contains(&true) { filter_record_batch(&batch, &keep.into()).map(Some) } else { Ok(None) };
        std::future::ready(picked.map_err(Error::from))
    })))
}

/// The rows of a query that selects a shape.
async fn read(lake: &Lake, shape: &Shape, sql: &str, params: &Params) -> Result<impl Stream<Item = Result<Part>> + use<>> {
    let (table, own) = (shape.table.to_string(), shape.columns.len());
    let rows = lake.stream(sql, params).await?;
    Ok(rows
        .map_err(move |e| Error::Task(format!("{table} can't be read: {e}")))
        .and_then(move |batch| std::future::ready(part(&batch, own))))
}

fn part(batch: &RecordBatch, own: usize) -> Result<Part> {
    let batch = plain(batch)?;
    let deletes = batch.column(own).as_string::<i32>().iter().map(|op| op == Some(DELETE)).collect();
    let lines = batch.column(own + 1).as_primitive::<Int64Type>().values().to_vec();
    Ok(Part { batch, lines, deletes })
}

/// Query results may hold string views; hashes are made of plain strings.
fn plain(batch: &RecordBatch) -> Result<RecordBatch> {
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let kind = match field.data_type() {
            DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
            other => other.clone(),
        };
        columns.push(cast(column, &kind)?);
        fields.push(Field::new(field.name(), kind, true));
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}
