//! The columns that a raw table has besides those of the vendor: the raw table is a log of what was read, and they say when, how and where.

use arrow::array::{ArrayRef, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::sync::Arc;

/// Their names, in their order.
pub const META_COLUMNS: [&str; 5] = ["_extracted_at", "_op", "_batch", "_file", "_line"];

/// What `_op` says of a row that is there.
pub const UPSERT: &str = "upsert";
/// What `_op` says of a row that is gone.
pub const DELETE: &str = "delete";

/// The schema of a raw table: its own columns, and the log's.
pub fn log_schema(own: impl IntoIterator<Item = (impl Into<String>, DataType)>) -> SchemaRef {
    let meta = META_COLUMNS.map(|name| {
        let kind = match name {
            "_extracted_at" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            "_line" => DataType::Int64,
            _ => DataType::Utf8,
        };
        Field::new(name, kind, true)
    });
    let own = own.into_iter().map(|(name, kind)| Field::new(name, kind, true));
    Arc::new(Schema::new(own.chain(meta).collect::<Vec<_>>()))
}

/// What the log says of all rows of a batch alike.
#[derive(Debug, Clone, Copy)]
pub struct Meta<'a> {
    /// The run's logical time, in microseconds since 1970.
    pub extracted_at_micros: i64,
    /// [`UPSERT`] or [`DELETE`].
    pub op: &'a str,
    /// The commit that the rows belong to, or the file's content.
    pub batch: &'a str,
    /// The file, request or table that they come from.
    pub file: &'a str,
}

impl Meta<'_> {
    /// The columns of [`META_COLUMNS`] for rows with these numbers.
    #[must_use]
    pub fn columns(&self, lines: Int64Array) -> [ArrayRef; 5] {
        let rows = arrow::array::Array::len(&lines);
        [
            Arc::new(TimestampMicrosecondArray::from_value(self.extracted_at_micros, rows).with_timezone("UTC")),
            repeated(self.op, rows),
            repeated(self.batch, rows),
            repeated(self.file, rows),
            Arc::new(lines),
        ]
    }

    /// The same for rows that are numbered on from `first`.
    #[must_use]
    pub fn columns_from(&self, first: i64, rows: usize) -> [ArrayRef; 5] {
        self.columns(Int64Array::from_iter_values((first..).take(rows)))
    }
}

/// A text in every row.
fn repeated(text: &str, rows: usize) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows)))
}
