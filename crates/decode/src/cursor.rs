//! How far a file was read: the highest cursor value, and which rows stood at it.
//!
//! When a file has grown, rows below the highest value seen in it were read before. Rows *at* it may be old or new, so
//! their hashes are kept, and only those that weren't there count as new. Nothing is lost, nothing comes twice.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type, TimestampMicrosecondType};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A value of a cursor column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CursorValue {
    /// Days, microseconds, units of the last place.
    Number(i128),
    /// Text.
    Text(String),
}

/// The highest cursor value of a file, and the rows at it. It is kept with the table, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    pub(crate) value: CursorValue,
    /// How often each row stands at the value, by the hash of its text.
    pub(crate) rows: BTreeMap<u64, u32>,
}

/// The value of a row; nothing where it is NULL.
pub(crate) fn value_at(array: &dyn Array, row: usize) -> Option<CursorValue> {
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Int64 => CursorValue::Number(array.as_primitive::<Int64Type>().value(row).into()),
        DataType::Date32 => CursorValue::Number(array.as_primitive::<Date32Type>().value(row).into()),
        DataType::Timestamp(_, _) => CursorValue::Number(array.as_primitive::<TimestampMicrosecondType>().value(row).into()),
        DataType::Decimal128(_, _) => CursorValue::Number(array.as_primitive::<Decimal128Type>().value(row)),
        DataType::Utf8 => CursorValue::Text(array.as_string::<i32>().value(row).to_owned()),
        _ => return None,
    })
}

/// Adds a row to the highest value seen so far.
pub(crate) fn advance(edge: &mut Option<Edge>, value: CursorValue, row_hash: impl FnOnce() -> u64) {
    match edge {
        Some(edge) if value < edge.value => {}
        Some(edge) if value == edge.value => *edge.rows.entry(row_hash()).or_default() += 1,
        _ => *edge = Some(Edge { value, rows: BTreeMap::from([(row_hash(), 1)]) }),
    }
}

impl Edge {
    /// Whether its value is higher than that of another edge.
    #[must_use]
    pub fn is_beyond(&self, other: &Self) -> bool {
        self.value > other.value
    }

    /// The higher of two edges; rows of equal ones add up.
    #[must_use]
    pub fn join(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (None, edge) | (edge, None) => edge,
            (Some(a), Some(b)) if a.value > b.value => Some(a),
            (Some(a), Some(b)) if a.value < b.value => Some(b),
            (Some(mut a), Some(b)) => {
                for (hash, count) in b.rows {
                    *a.rows.entry(hash).or_default() += count;
                }
                Some(a)
            }
        }
    }
}

/// A hash of a row's text, 64 bits of BLAKE3: the same in every run.
#[must_use]
pub fn row_hash(text: &[u8]) -> u64 {
    let hash = blake3::hash(text);
    hash.as_bytes().first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn edge_of(rows: &[(i128, u64)]) -> Option<Edge> {
        let mut edge = None;
        for (value, hash) in rows {
            advance(&mut edge, CursorValue::Number(*value), || *hash);
        }
        edge
    }

    proptest! {
        #[test]
        fn edges_of_parts_join_to_the_edge_of_all(rows in prop::collection::vec((0_i128..4, 0_u64..3), 0..20), cut in 0_usize..20) {
            let cut = cut.min(rows.len());
            prop_assert_eq!(Edge::join(edge_of(&rows[..cut]), edge_of(&rows[cut..])), edge_of(&rows));
        }
    }

    #[test]
    fn survives_json() {
        let edge = edge_of(&[(i128::from(i64::MAX), u64::MAX), (i128::from(i64::MAX), 1)]);
        let text = serde_json::to_string(&edge).unwrap();
        assert_eq!(serde_json::from_str::<Option<Edge>>(&text).unwrap(), edge);
    }
}
