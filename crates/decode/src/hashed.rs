//! The hashes that a page's rows are compared by. They don't depend on the pages before, so they are made beside the next request.

use crate::keys::hashes_of;
use crate::page::PageRows;
use arrow::array::RecordBatch;
use std::sync::Arc;

/// Rows with their hashes.
#[derive(Debug)]
pub struct Hashed {
    /// The rows.
    pub rows: PageRows,
    /// Row by row a hash of all columns and `_op`.
    pub hashes: Vec<u64>,
    /// Row by row a hash of the primary key, where keys are compared.
    pub keys: Vec<u64>,
}

/// Hashes the rows of a stream.
#[derive(Debug, Clone)]
pub struct Hashing {
    columns: Arc<[String]>,
    key: Arc<[String]>,
}

impl Hashing {
    /// By the columns of the stream and `_op`, and by its key if there is one: the positions of its columns.
    #[must_use]
    pub fn new(columns: &[String], key: &[usize]) -> Self {
        Self {
            columns: columns.iter().cloned().chain(std::iter::once("_op".to_owned())).collect(),
            key: key.iter().map(|k| columns[*k].clone()).collect(),
        }
    }

    /// The rows with their hashes; a column that they lack is NULL in all of them.
    #[must_use]
    pub fn hash(&self, rows: PageRows) -> Hashed {
        let hashes = by_names(&rows.batch, &self.columns);
        let keys = if self.key.is_empty() { Vec::new() } else { by_names(&rows.batch, &self.key) };
        Hashed { rows, hashes, keys }
    }

    /// The hash of each row of a batch with all columns.
    #[must_use]
    pub fn rows(&self, batch: &RecordBatch) -> Vec<u64> {
        by_names(batch, &self.columns)
    }
}

fn by_names(batch: &RecordBatch, names: &[String]) -> Vec<u64> {
    hashes_of(batch.num_rows(), names.iter().map(|name| batch.column_by_name(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, StringArray, new_null_array};
    use arrow::datatypes::DataType;

    #[test]
    fn a_column_that_is_not_there_counts_as_null() {
        let text = |values: [Option<&str>; 2]| -> ArrayRef { Arc::new(StringArray::from_iter(values)) };
        let columns = [("id", text([Some("a"), Some("b")])), ("_op", text([Some("upsert"), Some("delete")]))];
        let without = RecordBatch::try_from_iter_with_nullable(columns.clone().map(|(n, a)| (n, a, true))).unwrap();
        let null = [columns[0].clone(), ("note", new_null_array(&DataType::Utf8, 2)), columns[1].clone()];
        let with = RecordBatch::try_from_iter_with_nullable(null.map(|(n, a)| (n, a, true))).unwrap();
        let names = ["id", "note", "_op"].map(str::to_owned);
        assert_eq!(by_names(&without, &names), by_names(&with, &names));
        assert_ne!(by_names(&without, &names), by_names(&without, &names[..1]));
    }
}
