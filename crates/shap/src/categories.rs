//! The categories that a categorical split sends to the right.

use crate::error::Error;

/// The largest category that a split may name: a damaged file must not ask for gigabytes.
const LARGEST: u32 = 65_535;
/// The first whole number that XGBoost no longer takes for a category: above it `f32` has gaps.
const OUT_OF_RANGE: f32 = 16_777_216.0;

/// A set of categories, which are whole numbers from 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Categories {
    words: Vec<u32>,
}

impl Categories {
    /// The set of the categories given. Categories above 65,535 are refused.
    pub fn new(categories: impl IntoIterator<Item = u32>) -> Result<Self, Error> {
        let mut words = Vec::new();
        for category in categories {
            if category > LARGEST {
                return Err(Error::Unsupported(format!("a category above {LARGEST}")));
            }
            let word = category as usize / 32;
            if word >= words.len() {
                words.resize(word + 1, 0);
            }
            words[word] |= 1 << (category % 32);
        }
        Ok(Self { words })
    }

    /// Whether the category of a value is in the set. As in XGBoost a fraction is cut off, and what is no category at all
    /// (negative, too large, NaN) is in no set.
    pub fn contains(&self, x: f32) -> bool {
        self.has(index(x))
    }

    /// The same for the category's [`index`].
    #[inline]
    pub(crate) fn has(&self, index: i32) -> bool {
        // What is no category is negative, hence a word far behind the end.
        self.words.get((index >> 5) as usize).is_some_and(|word| word >> (index & 31) & 1 == 1)
    }
}

/// The category that a value stands for; −1 for what is none.
#[inline]
pub(crate) fn index(x: f32) -> i32 {
    // The comparison fails for NaN as well.
    if (0.0..OUT_OF_RANGE).contains(&x) { x as i32 } else { -1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_xgboost_would_find_in_its_bit_field() {
        let set = Categories::new([0, 31, 32, 70]).unwrap();
        for x in [0.0, 0.9, -0.0, 31.0, 32.5, 70.0] {
            assert!(set.contains(x), "{x}");
        }
        for x in [1.0, -0.5, -32.0, 33.0, 71.0, 96.0, 1e9, 16_777_216.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
            assert!(!set.contains(x), "{x}");
        }
        assert!(!Categories::default().contains(0.0));
        assert!(Categories::new([65_535]).unwrap().contains(65_535.0));
        assert!(Categories::new([65_536]).is_err());
    }
}
