//! Rows that the raw table has already, so that reading a record again doesn't add it again.
//!
//! Windows overlap what was read before, to catch what came late; lists without a cursor are read whole every night. Rows are compared by
//! 64-bit hashes of all their columns: 8 bytes a row that lies in the overlap, 16 bytes a key for whole lists.

use crate::error::Result;
use crate::keys::key_hashes;
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::SchemaRef;
use chrono::DateTime;
use cscopilot_lake::{Lake, Params, TableName};
use futures::TryStreamExt;
use std::collections::BTreeMap;

/// What is known of a stream's rows.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Hashes of rows in the overlap, sorted.
    rows: Vec<u64>,
    /// The hash of each key's latest row.
    latest: BTreeMap<u64, u64>,
    /// Keys that were met in this read, where vanished ones matter.
    met: Option<Vec<u64>>,
    by_key: bool,
}

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

    /// The hash of each row, by all columns and `_op`.
    pub(crate) fn row_hashes(&self, batch: &RecordBatch) -> Vec<u64> {
        let schema = batch.schema();
        let names = self.columns.iter().map(String::as_str).chain(std::iter::once("_op"));
        let all: Vec<usize> = names.filter_map(|name| schema.index_of(name).ok()).collect();
        key_hashes(batch, &all)
    }
}

pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Known {
    /// Rows whose cursor is at or after an instant.
    ///
    /// # Errors
    /// Those of the query.
    pub(crate) async fn since(lake: &Lake, shape: &Shape<'_>, have: &SchemaRef, cursor: &str, from_micros: i64) -> Result<Self> {
        let kind = have.field_with_name(cursor).map(|f| f.data_type().clone());
        let at = DateTime::from_timestamp_micros(from_micros).unwrap_or_default();
        use arrow::datatypes::DataType;
        let (condition, params) = match kind {
            Ok(DataType::Timestamp(_, _)) => (format!("WHERE {} >= $from", quoted(cursor)), Params::new().with("from", at)),
            Ok(DataType::Date32) => (format!("WHERE {} >= $from", quoted(cursor)), Params::new().with("from", at.date_naive())),
            _ => (String::new(), Params::new()),
        };
        let sql = format!("SELECT {} FROM {} {condition}", shape.select(have), shape.table);
        let mut rows = Vec::new();
        let mut stream = lake.stream(&sql, &params).await?;
        while let Some(batch) = stream.try_next().await.map_err(lake_error)? {
            rows.extend(shape.row_hashes(&plain(&batch)?));
        }
        rows.sort_unstable();
        rows.dedup();
        Ok(Self { rows, ..Self::default() })
    }

    /// The latest row of every key. With `vanished`, keys that a complete read doesn't meet can be told.
    ///
    /// # Errors
    /// Those of the query.
    pub(crate) async fn latest(lake: &Lake, shape: &Shape<'_>, have: &SchemaRef, vanished: bool) -> Result<Self> {
        let mut known = Self { by_key: true, met: vanished.then(Vec::new), ..Self::default() };
        let mut stream = lake.stream(&latest_sql(shape, have), &Params::new()).await?;
        while let Some(batch) = stream.try_next().await.map_err(lake_error)? {
            let batch = plain(&batch)?;
            let keys = key_hashes(&batch, &shape.key);
            known.latest.extend(keys.into_iter().zip(shape.row_hashes(&batch)));
        }
        Ok(known)
    }

    /// Whether [`Known::new_rows`] looks at keys.
    pub(crate) fn by_key(&self) -> bool {
        self.by_key
    }

    /// Which rows are new, by row hash and, if they matter ([`Known::by_key`]), key hash; notes the keys that were met.
    pub(crate) fn new_rows(&mut self, hashes: &[u64], keys: &[u64]) -> Vec<bool> {
        if let Some(met) = &mut self.met {
            met.extend_from_slice(keys);
        }
        if self.by_key {
            return hashes.iter().zip(keys).map(|(hash, key)| self.latest.get(key) != Some(hash)).collect();
        }
        if self.rows.is_empty() {
            return vec![true; hashes.len()];
        }
        hashes.iter().map(|hash| self.rows.binary_search(hash).is_err()).collect()
    }

    /// The live rows whose keys a complete read didn't meet, as they were.
    ///
    /// # Errors
    /// Those of the query.
    pub(crate) async fn vanished(&mut self, lake: &Lake, shape: &Shape<'_>, have: &SchemaRef) -> Result<Vec<RecordBatch>> {
        let Some(mut met) = self.met.take() else { return Ok(Vec::new()) };
        met.sort_unstable();
        let mut gone = Vec::new();
        let mut stream = lake.stream(&latest_sql(shape, have), &Params::new()).await?;
        while let Some(batch) = stream.try_next().await.map_err(lake_error)? {
            let batch = plain(&batch)?;
            let keys = key_hashes(&batch, &shape.key);
            let ops = batch.column(shape.columns.len()).as_string::<i32>();
            let keep: Vec<bool> =
                keys.iter().enumerate().map(|(row, key)| ops.value(row) != "delete" && met.binary_search(key).is_err()).collect();
            if keep.contains(&true) {
                gone.push(arrow::compute::filter_record_batch(&batch, &arrow::array::BooleanArray::from(keep))?);
            }
        }
        Ok(gone)
    }
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
    use arrow::datatypes::{DataType, Field, Schema};
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
