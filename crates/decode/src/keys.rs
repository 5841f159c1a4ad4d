//! Counts primary keys that stand more than once among the rows of one read.
//!
//! The raw table keeps such rows, since it is a log, and staging picks one of them. But how many there are is a fact about
//! the data's quality. Keys are compared by 64-bit hashes: at 20 million rows, one false find in 100,000 reads.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType};

const PARTS: usize = 256;

/// The key hashes of all rows so far, in parts that fit a cache when they are sorted.
#[derive(Debug)]
pub struct KeyCounter {
    parts: Vec<Vec<u64>>,
}

impl Default for KeyCounter {
    fn default() -> Self {
        Self::new()
    }
}

impl KeyCounter {
    /// No keys yet.
    #[must_use]
    pub fn new() -> Self {
        Self { parts: vec![Vec::new(); PARTS] }
    }

    /// Adds the keys of some rows, by their hashes.
    pub fn add(&mut self, hashes: &[u64]) {
        for hash in hashes {
            self.parts[(hash >> 56) as usize].push(*hash);
        }
    }

    /// How many rows repeat the key of an earlier row.
    #[must_use]
    pub fn repeated(self) -> u64 {
        let mut repeated = 0;
        for mut part in self.parts {
            part.sort_unstable();
            repeated += part.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64;
        }
        repeated
    }
}

/// What stands for NULL in a hash.
const NULL: u64 = 0x6e75_6c6c;

/// The hash of some columns of every row, 64 bits. Hashes are compared within one run and never stored.
#[must_use]
pub fn key_hashes(batch: &RecordBatch, columns: &[usize]) -> Vec<u64> {
    hashes_of(batch.num_rows(), columns.iter().map(|column| Some(batch.column(*column))))
}

/// The hash of every row of some columns; nothing stands for a column of NULLs.
pub(crate) fn hashes_of<'a>(rows: usize, columns: impl Iterator<Item = Option<&'a ArrayRef>>) -> Vec<u64> {
    let mut hashes = vec![0x9e37_79b9_7f4a_7c15_u64; rows];
    for column in columns {
        let Some(array) = column.filter(|array| array.data_type() != &DataType::Null) else {
            hashes.iter_mut().for_each(|hash| *hash = mix(*hash, NULL));
            continue;
        };
        let nulls = array.nulls().filter(|n| n.null_count() > 0);
        let null = |row: usize| nulls.is_some_and(|n| n.is_null(row));
        macro_rules! fixed {
            ($kind:ty) => {{
                let values = array.as_primitive::<$kind>().values();
                for (row, (hash, value)) in hashes.iter_mut().zip(values.iter()).enumerate() {
                    *hash = if null(row) { mix(*hash, NULL) } else { mix_bytes(*hash, &value.to_le_bytes()) };
                }
            }};
        }
        match array.data_type() {
            DataType::Int64 => fixed!(Int64Type),
            DataType::Float64 => fixed!(Float64Type),
            DataType::Date32 => fixed!(Date32Type),
            DataType::Timestamp(_, _) => fixed!(TimestampMicrosecondType),
            DataType::Decimal128(_, _) => fixed!(Decimal128Type),
            DataType::Boolean => {
                let values = array.as_boolean();
                for (row, hash) in hashes.iter_mut().enumerate() {
                    *hash = mix(*hash, if null(row) { NULL } else { u64::from(values.value(row)) });
                }
            }
            DataType::Utf8 => {
                let values = array.as_string::<i32>();
                let (offsets, bytes) = (values.value_offsets(), values.value_data());
                for (row, (hash, ends)) in hashes.iter_mut().zip(offsets.windows(2)).enumerate() {
                    *hash = if null(row) { mix(*hash, NULL) } else { mix_bytes(*hash, &bytes[ends[0] as usize..ends[1] as usize]) };
                }
            }
            _ => {}
        }
    }
    hashes
}

/// Folded multiplication, as the fast string hashes do it.
fn mix(hash: u64, word: u64) -> u64 {
    let product = u128::from(hash ^ word).wrapping_mul(0x2d35_8dcc_aa6c_78a5_8bb8_4b93_962e_acc9);
    #[allow(clippy::cast_possible_truncation)]
    let folded = (product as u64) ^ ((product >> 64) as u64);
    folded.wrapping_add(0x8bb8_4b93_962e_acc9)
}

fn mix_bytes(hash: u64, bytes: &[u8]) -> u64 {
    let mut hash = mix(hash, bytes.len() as u64);
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        hash = mix(hash, word.try_into().map_or(0, u64::from_le_bytes));
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        hash = mix(hash, u64::from_le_bytes(last));
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, StringArray};
    use std::collections::BTreeSet;
    use std::sync::Arc;

    #[test]
    fn counts_rows_that_repeat_a_key() {
        let id: ArrayRef = Arc::new(StringArray::from(vec!["a", "a", "b", "a", "ab", ""]));
        let day: ArrayRef = Arc::new(Int64Array::from(vec![1, 1, 1, 2, 1, 1]));
        let batch = RecordBatch::try_from_iter([("id", id), ("day", day)]).unwrap();
        let count = |columns: &[usize]| {
            let mut counter = KeyCounter::new();
            counter.add(&key_hashes(&batch, columns));
            counter.repeated()
        };
        assert_eq!((count(&[0, 1]), count(&[0]), count(&[1])), (1, 2, 4));
    }

    #[test]
    fn what_lies_under_a_null_does_not_count() {
        use arrow::buffer::{NullBuffer, ScalarBuffer};
        let of = |under: i64| -> ArrayRef {
            Arc::new(Int64Array::new(ScalarBuffer::from(vec![under, 1]), Some(NullBuffer::from(vec![false, true]))))
        };
        let hashes = |array: ArrayRef| key_hashes(&RecordBatch::try_from_iter_with_nullable([("n", array, true)]).unwrap(), &[0]);
        assert_eq!(hashes(of(5)), hashes(of(7)));
        assert_ne!(hashes(of(5)), hashes(Arc::new(Int64Array::from(vec![0, 1]))));
    }

    #[test]
    fn similar_keys_have_different_hashes() {
        let ids: Vec<String> = (0..200_000).map(|n| format!("U-{n:06x}")).collect();
        let id: ArrayRef = Arc::new(StringArray::from(ids));
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..200_000));
        let batch = RecordBatch::try_from_iter([("id", id), ("n", numbers)]).unwrap();
        for column in [0, 1] {
            let hashes: BTreeSet<u64> = key_hashes(&batch, &[column]).into_iter().collect();
            assert_eq!(hashes.len(), 200_000);
        }
    }
}
