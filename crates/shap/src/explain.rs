//! Explaining rows: mask per leaf, look up, add; blocks of rows in parallel.

use rayon::prelude::*;

use crate::ensemble::TreeEnsemble;
use crate::error::Error;
use crate::leaf::{Leaf, MAX_TABLE_VALUES, Rules, Scratch, leaves};

/// Rows explained together: their masks are computed in vector lanes, and a leaf's table stays in cache for them.
const LANES: usize = 64;

/// A tree ensemble prepared for explanation.
#[derive(Debug, Clone)]
pub struct Explainer {
    leaves: Vec<Leaf>,
    rules: Rules,
    base_value: f64,
    num_features: usize,
}

impl Explainer {
    /// Tabulates each leaf's contributions.
    pub fn new(ensemble: &TreeEnsemble) -> Self {
        let mut all: Vec<Leaf> = ensemble.trees.iter().flat_map(leaves).collect();
        let longest = all.iter().map(|l| l.conditions.len()).max().unwrap_or(0);
        let rules = Rules::up_to(longest);
        let mut room = MAX_TABLE_VALUES;
        let tabulated: Vec<bool> = all
            .iter()
            .map(|leaf| match leaf.table_len() {
                Some(len) if len <= room => {
                    room -= len;
                    true
                }
                _ => false,
            })
            .collect();
        all.par_iter_mut().zip(tabulated).for_each(|(leaf, wanted)| {
            if wanted {
                leaf.tabulate(&rules);
            }
        });
        let base_value = ensemble.base_margin + all.iter().map(Leaf::expected).sum::<f64>();
        Self { leaves: all, rules, base_value, num_features: ensemble.num_features }
    }

    /// The margin that is expected when nothing is known about a row.
    pub fn base_value(&self) -> f64 {
        self.base_value
    }

    /// Explains rows given in row-major order (`width` values each, NaN = missing).
    ///
    /// The result is the same for any number of threads.
    pub fn explain(&self, rows: &[f32], width: usize) -> Result<Explanations, Error> {
        if width != self.num_features || (width > 0 && !rows.len().is_multiple_of(width)) {
            return Err(Error::Width { given: rows.len(), expected: self.num_features });
        }
        let mut contributions = vec![0.0; rows.len()];
        if width > 0 {
            contributions
                .par_chunks_mut(LANES * width)
                .zip(rows.par_chunks(LANES * width))
                .for_each(|(out, block)| self.explain_block(block, out));
        }
        Ok(Explanations { base_value: self.base_value, width, contributions })
    }

    fn explain_block(&self, block: &[f32], out: &mut [f64]) {
        let width = self.num_features;
        let count = block.len() / width;
        // Transposed, so that a condition runs over neighbouring lanes.
        let mut columns = vec![[f32::NAN; LANES]; width];
        for (lane, row) in block.chunks_exact(width).enumerate() {
            for (column, x) in columns.iter_mut().zip(row) {
                column[lane] = *x;
            }
        }
        let mut sums = vec![[0.0f64; LANES]; width];
        let mut scratch = Scratch::default();
        let mut values = Vec::new();
        for leaf in &self.leaves {
            let m = leaf.conditions.len();
            if m == 0 {
                continue;
            }
            if leaf.table.is_empty() {
                values.resize(m, 0.0);
                for lane in 0..count {
                    let holds = |k: usize| {
                        let condition = &leaf.conditions[k];
                        condition.holds(columns[condition.feature][lane])
                    };
                    leaf.contributions(holds, &self.rules, &mut scratch, &mut values);
                    for (condition, value) in leaf.conditions.iter().zip(&values) {
                        sums[condition.feature][lane] += value;
                    }
                }
                continue;
            }
            let mut masks = [0u32; LANES];
            for (bit, condition) in leaf.conditions.iter().enumerate() {
                let column = &columns[condition.feature];
                for (mask, x) in masks.iter_mut().zip(column) {
                    *mask |= u32::from(condition.holds(*x)) << bit;
                }
            }
            for (k, condition) in leaf.conditions.iter().enumerate() {
                let sum = &mut sums[condition.feature];
                for (total, mask) in sum[..count].iter_mut().zip(&masks) {
                    *total += leaf.table[*mask as usize * m + k];
                }
            }
        }
        for (lane, row) in out.chunks_exact_mut(width).enumerate() {
            for (value, sum) in row.iter_mut().zip(&sums) {
                *value = sum[lane];
            }
        }
    }
}

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
}
