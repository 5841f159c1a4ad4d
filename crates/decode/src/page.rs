//! Answers of APIs become rows: the records of a body are found, checked and converted like those of files.
//!
//! No tree is built of a body. It is walked over once: `document` finds the list of records and notes the few values beside it that the
//! engine asks for, `take` does with each record what the connector says (filter, explode, unwrap) and notes where the columns' values
//! stand, `rows` converts them column by column. Where to go on is known before the conversion, so that runs beside the next request. `stream` reads bodies that don't fit into memory chunk by chunk (`lines` for JSON Lines,
//! `table` for CSV).

use arrow::array::RecordBatch;
use std::collections::BTreeSet;

mod condition;
mod document;
mod error;
mod join;
mod lines;
mod plan;
mod rows;
mod stream;
mod table;
mod take;
#[cfg(test)]
mod tests;

pub use document::{Found, find_records};
pub use error::PageError;
pub use join::join_chunks;
pub use plan::PagePlan;
pub use stream::parse_stream;

use crate::reject::Rejected;

/// What the engine knows of an answer.
#[derive(Debug, Clone)]
pub struct PageContext {
    /// The values of `records.add`, in its order; nothing where the template gave nothing.
    pub added: Vec<Option<String>>,
    /// The request, as `_file` says it: `GET /v1/customers`.
    pub file: String,
    /// The batch, as `_batch` says it.
    pub batch: String,
    /// The run's logical time, in microseconds since 1970.
    pub extracted_at_micros: i64,
    /// All records of this answer are deletions, whatever the read says.
    pub deletes: bool,
}

/// What came of an answer, or of a chunk of it.
#[derive(Debug)]
pub struct PageRows {
    /// The declared columns, those of `records.add`, the log's own, and behind them one of text for each field that `drift: evolve` keeps.
    pub batch: RecordBatch,
    /// What `_file` says in the batch: the request, and the file in an archive.
    pub file: String,
    /// Records in the answer, before the filter.
    pub records: u64,
    /// Records that the filter left out.
    pub filtered: u64,
    /// Records, or elements of them, that can't be read.
    pub rejected: Vec<Rejected>,
    /// The values at the envelope's paths. Whole numbers are numbers, others text as they stand; objects and lists of more than 64 KiB are empty.
    pub envelope: Vec<Option<serde_json::Value>>,
    /// The id of the answer's last record, where the paginator goes on from it.
    pub last_id: Option<String>,
    /// Fields that no column reads.
    pub unknown_fields: BTreeSet<String>,
}
