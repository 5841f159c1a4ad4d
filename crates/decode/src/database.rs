//! Rows of databases: text as PostgreSQL copies it, values as text, or Arrow columns of an ADBC driver become typed columns.
//!
//! They are converted by the rules of files of text, except that a database says itself what is NULL. Rows come in the order of a query, in
//! pieces of some megabytes, each of which [`convert()`] turns into rows on any core.

mod arrow_rows;
mod cells;
mod convert;
mod copy_text;

use arrow::array::RecordBatch;

pub use cells::CellRows;
pub use convert::{Converted, RowHashes, convert, value};
pub use copy_text::copied_value;

/// Rows in the form in which they came.
#[derive(Debug)]
pub enum Rows {
    /// Whole lines of PostgreSQL's `COPY … (FORMAT text)`.
    Copy(Vec<u8>),
    /// Values as text.
    Cells(CellRows),
    /// Arrow columns, in the order of the plan.
    Batch(RecordBatch),
}
