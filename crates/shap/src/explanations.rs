//! Contributions of features to margins.

use crate::error::Error;

/// Contributions of each feature to each row's margin.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanations {
    base_value: f64,
    width: usize,
    contributions: Vec<f64>,
}

impl Explanations {
    /// Puts contributions (row-major) and their base value together.
    pub fn new(base_value: f64, width: usize, contributions: Vec<f64>) -> Self {
        Self { base_value, width, contributions }
    }

    /// The margin that is expected when nothing is known about a row.
    pub fn base_value(&self) -> f64 {
        self.base_value
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.contributions.len().checked_div(self.width).unwrap_or(0)
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.contributions.is_empty()
    }

    /// The contributions of one row, in feature order.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.contributions[row * self.width..(row + 1) * self.width]
    }

    /// Base value plus the row's contributions: equals the model's margin.
    pub fn margin(&self, row: usize) -> f64 {
        self.base_value + self.row(row).iter().sum::<f64>()
    }

    /// Explanations by group: the contributions of a group's features added up, for features that say the same thing.
    ///
    /// `groups[i]` is the group of feature `i`, below `width`. Sums of contributions, and so the margins, stay.
    pub fn grouped(&self, groups: &[usize], width: usize) -> Result<Self, Error> {
        if groups.len() != self.width || groups.iter().any(|group| *group >= width) {
            return Err(Error::Groups { given: groups.len(), features: self.width, width });
        }
        let mut contributions = vec![0.0; self.len() * width];
        if width > 0 {
            for (row, out) in self.contributions.chunks_exact(self.width).zip(contributions.chunks_exact_mut(width)) {
                for (value, group) in row.iter().zip(groups) {
                    out[*group] += value;
                }
            }
        }
        Ok(Self { base_value: self.base_value, width, contributions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_the_sum_of_its_features() {
        let explained = Explanations::new(0.5, 3, vec![1.0, 2.0, 4.0, -1.0, 0.0, 8.0]);
        let grouped = explained.grouped(&[1, 0, 1], 2).unwrap();
        assert_eq!((grouped.row(0), grouped.row(1)), (&[2.0, 5.0][..], &[0.0, 7.0][..]));
        assert_eq!(grouped.margin(1), explained.margin(1));
        assert!(explained.grouped(&[0, 1], 2).is_err());
        assert!(explained.grouped(&[0, 1, 2], 2).is_err());
    }
}
