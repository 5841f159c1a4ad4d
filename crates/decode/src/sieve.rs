//! What the rows of an API's answers pass on their way to the log: those outside their window, those that the table has, and those that
//! the same read gave before are left out; the others are numbered.

use crate::cursor::{CursorValue, value_at};
use crate::error::Result;
use crate::known::Known;
use crate::log::DELETE;
use crate::recent::Recent;
use arrow::array::{AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::DataType;
use cscopilot_spec::connector::{CursorFormat, Incremental};
use std::sync::Arc;

/// What all rows of one window pass.
#[derive(Debug)]
pub struct Sieve {
    recent: Recent,
    next_line: i64,
    newest_first: bool,
}

/// The rows that passed.
#[derive(Debug)]
pub struct Sifted {
    /// The new rows.
    pub batch: RecordBatch,
    /// How many were left out here: known ones, and repetitions.
    pub known: u64,
    /// How many of the new rows are deletions.
    pub deletes: u64,
}

impl Sieve {
    /// A window's sieve. `newest_first`: answers give the newest rows first.
    #[must_use]
    pub fn new(newest_first: bool) -> Self {
        Self { recent: Recent::default(), next_line: 1, newest_first }
    }

    /// Leaves out rows that are known, and numbers the rows of a window through, so that of two versions of a record the later one has the
    /// higher number. `keep` says which rows are wanted at all; hashes are those of the rows ([`crate::Hashed`]).
    ///
    /// # Errors
    /// [`crate::Error::Arrow`], where the batch lacks a column of the log.
    pub fn pass(&mut self, batch: RecordBatch, hashes: &[u64], keys: &[u64], mut keep: Vec<bool>, known: &mut Known) -> Result<Sifted> {
        let mut left = 0;
        for (row, new) in known.new_rows(hashes, keys).into_iter().enumerate() {
            if keep[row] && !(new && self.recent.is_new(hashes[row])) {
                keep[row] = false;
                left += 1;
            }
        }
        let schema = batch.schema();
        let ops = batch.column(schema.index_of("_op")?).as_string::<i32>();
        let deletes = keep.iter().enumerate().filter(|(row, keep)| **keep && ops.value(*row) == DELETE).count() as u64;
        let rows = i64::try_from(batch.num_rows()).unwrap_or(i64::MAX);
        let lines = (self.next_line..self.next_line + rows).map(|n| if self.newest_first { -n } else { n });
        self.next_line += rows;
        let mut columns = batch.columns().to_vec();
        columns[schema.index_of("_line")?] = Arc::new(Int64Array::from_iter_values(lines));
        let batch = RecordBatch::try_new(schema, columns)?;
        let batch = if keep.contains(&false) { filter_record_batch(&batch, &BooleanArray::from(keep))? } else { batch };
        Ok(Sifted { batch, known: left, deletes })
    }
}

/// Leaves out rows whose cursor is outside a window `[start, end)` in microseconds since 1970; how many. Rows before it are only left out if
/// the read filters or keeps to its windows.
pub fn outside(batch: &RecordBatch, incremental: &Incremental, start: i64, end: i64, keep: &mut [bool]) -> u64 {
    let Some(array) = batch.column_by_name(&incremental.cursor) else { return 0 };
    let unit: i128 = match (array.data_type(), &incremental.format) {
        (DataType::Date32, _) => 86_400_000_000,
        (DataType::Int64, CursorFormat::UnixMillis) => 1_000,
        (DataType::Int64, _) => 1_000_000,
        _ => 1,
    };
    let mut left = 0;
    for (row, keep) in keep.iter_mut().enumerate() {
        let Some(CursorValue::Number(value)) = value_at(array, row) else { continue };
        let at = value * unit;
        let before = (incremental.filter || incremental.exact) && at < i128::from(start);
        if *keep && (before || at >= i128::from(end)) {
            *keep = false;
            left += 1;
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Meta, UPSERT, log_schema};
    use arrow::array::{ArrayRef, StringArray};
    use arrow::datatypes::Int64Type;

    fn batch(ids: &[&str], op: &str) -> RecordBatch {
        let id: ArrayRef = Arc::new(StringArray::from(ids.to_vec()));
        let meta = Meta { extracted_at_micros: 0, op, batch: "b", file: "f" };
        let columns = std::iter::once(id).chain(meta.columns_from(1, ids.len())).collect();
        RecordBatch::try_new(log_schema([("id", DataType::Utf8)]), columns).unwrap()
    }

    fn lines(sifted: &Sifted) -> Vec<i64> {
        sifted.batch.column_by_name("_line").unwrap().as_primitive::<Int64Type>().values().to_vec()
    }

    #[test]
    fn new_rows_pass_once_and_are_numbered_through_the_window() {
        let mut known = Known::of_rows(vec![2]);
        let mut sieve = Sieve::new(false);
        let first = sieve.pass(batch(&["a", "b", "c"], UPSERT), &[1, 2, 3], &[], vec![true; 3], &mut known).unwrap();
        assert_eq!((lines(&first), first.known, first.deletes), (vec![1, 3], 1, 0));
        let second = sieve.pass(batch(&["c", "d", "e"], DELETE), &[3, 4, 5], &[], vec![true, true, false], &mut known).unwrap();
        assert_eq!((lines(&second), second.known, second.deletes), (vec![5], 1, 1));
    }

    #[test]
    fn of_answers_with_the_newest_first_the_first_row_is_the_latest() {
        let sifted = Sieve::new(true).pass(batch(&["a", "b"], UPSERT), &[1, 2], &[], vec![true; 2], &mut Known::default()).unwrap();
        assert_eq!(lines(&sifted), [-1, -2]);
    }
}
