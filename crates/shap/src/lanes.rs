//! Rows side by side: the form in which the kernels see a block of rows.

use crate::categories;

/// Rows explained together. Their values lie in neighbouring lanes, so that each step of a tree is a loop that the compiler turns
/// into vector instructions. 64 rows make the cost of finding out what the step is small, and what a walk needs stays in the caches
/// next to the core; with 16 and 32 rows it was slower.
pub(crate) const LANES: usize = 64;

/// One value a row, aligned so that a vector never straddles two cache lines.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Lanes<T>(pub(crate) [T; LANES]);

/// How the values of a feature are encoded for the splits that compare them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Encoding {
    /// Ordered as [`key`]; a missing value below all others, so that it goes left.
    MissingLow,
    /// Ordered as [`key`]; a missing value above all others, so that it goes right.
    MissingHigh,
    /// The category's index; −1 for none, [`MISSING`] for a missing value.
    Category,
}

/// A feature in one encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Column {
    pub(crate) feature: usize,
    pub(crate) encoding: Encoding,
}

/// A missing value in [`Encoding::Category`].
pub(crate) const MISSING: i32 = i32::MIN;

impl Column {
    fn encode(self, x: f32) -> i32 {
        match self.encoding {
            Encoding::MissingLow if x.is_nan() => i32::MIN,
            Encoding::MissingHigh if x.is_nan() => i32::MAX,
            Encoding::MissingLow | Encoding::MissingHigh => key(x),
            Encoding::Category if x.is_nan() => MISSING,
            Encoding::Category => categories::index(x),
        }
    }

    /// Encodes the feature of a block of up to [`LANES`] rows; the lanes of rows that are not there keep what they held.
    pub(crate) fn fill(self, block: &[f32], width: usize, lanes: &mut Lanes<i32>) {
        for (lane, row) in lanes.0.iter_mut().zip(block.chunks_exact(width)) {
            *lane = self.encode(row[self.feature]);
        }
    }
}

/// A whole number that is ordered as the value is: `key(a) < key(b)` if and only if `a < b`, for all but NaN.
///
/// The keys of infinities leave room for a missing value below and above them.
pub(crate) fn key(x: f32) -> i32 {
    // Adding zero makes a negative zero positive: the two are equal.
    let bits = (x + 0.0).to_bits() as i32;
    // Negative numbers are ordered by falling magnitude.
    if bits < 0 { bits ^ i32::MAX } else { bits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_ordered_as_the_values_are() {
        let ordered = [f32::NEG_INFINITY, f32::MIN, -1.5, -1.0, -f32::MIN_POSITIVE, -1e-45, 0.0, 1e-45, 0.5, 2.0, f32::MAX, f32::INFINITY];
        for (i, a) in ordered.iter().enumerate() {
            for (j, b) in ordered.iter().enumerate() {
                assert_eq!(key(*a) < key(*b), i < j, "{a} {b}");
            }
            assert!(i32::MIN < key(*a) && key(*a) < i32::MAX);
        }
        assert_eq!(key(-0.0), key(0.0));
    }
}
