//! What a change of a row's values did to its margin, feature by feature.
//!
//! The features that changed are the players, the margin of a row that has some of its new values and otherwise its old ones is what
//! they earn together, and each gets its Shapley value: *baseline Shapley* (Sundararajan & Najmi 2020), the interventional SHAP of
//! Lundberg et al. (2020) with the old row as the only background row. So the contributions add up to the change of the margin, and a
//! feature that did not change has none, which the difference of two rows' path-dependent SHAP values does not promise.
//!
//! A leaf is reached by the mixtures that take the new values of some features, `x` of them, and the old values of others, `r` of them:
//! those at whose splits the two rows part. It adds `leaf · (x−1)! r! / (x+r)!` to each of the former and takes
//! `leaf · x! (r−1)! / (x+r)!` from each of the latter. One walk of the tree finds all such leaves: it goes one way where both rows do,
//! and both ways where they part. Rows that changed little cost little more than their margins.

use crate::ensemble::{Node, Tree, TreeEnsemble};
use crate::error::Error;

/// Where a feature stands on the path of a walk.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Side {
    /// The rows have not parted at it.
    Both,
    /// Its new value was taken.
    New,
    /// Its old value was taken.
    Old,
}

/// Splits changes of margins: an ensemble with room to work in. One thread uses one.
#[derive(Debug, Clone)]
pub struct Changes<'a> {
    ensemble: &'a TreeEnsemble,
    /// `weights[x][r]` is `(x−1)! r! / (x+r)!`.
    weights: Vec<Vec<f64>>,
    sides: Vec<Side>,
}

/// Two rows on their way down a tree.
struct Walk<'a> {
    tree: &'a Tree,
    old: &'a [f32],
    new: &'a [f32],
    weights: &'a [Vec<f64>],
    sides: &'a mut [Side],
    out: &'a mut [f64],
}

impl<'a> Changes<'a> {
    /// Prepares an ensemble.
    pub fn new(ensemble: &'a TreeEnsemble) -> Self {
        let features = ensemble.num_features();
        let most = ensemble.trees().iter().map(depth).max().unwrap_or(0).min(features);
        let weights = (0..=most).map(|x| (0..=most - x).map(|r| weight(x, r)).collect()).collect();
        Self { ensemble, weights, sides: vec![Side::Both; features] }
    }

    /// Writes what each feature's step from `old` to `new` (NaN = missing) added to the margin to `out`: one value a feature.
    pub fn split(&mut self, old: &[f32], new: &[f32], out: &mut [f64]) -> Result<(), Error> {
        let expected = self.ensemble.num_features();
        if let Some(wrong) = [old.len(), new.len(), out.len()].into_iter().find(|len| *len != expected) {
            return Err(Error::Width { given: wrong, expected });
        }
        out.fill(0.0);
        // Most rows are tonight as they were yesterday.
        if old.iter().zip(new).all(|(old, new)| old.to_bits() == new.to_bits()) {
            return Ok(());
        }
        for tree in self.ensemble.trees() {
            Walk { tree, old, new, weights: &self.weights, sides: &mut self.sides, out }.below(0, 0, 0);
        }
        Ok(())
    }
}

impl Walk<'_> {
    /// What the leaves below a node add to each feature whose new value was taken, and take from each whose old value was, when `x`
    /// features have parted to the new side and `r` to the old one.
    fn below(&mut self, at: usize, x: usize, r: usize) -> (f64, f64) {
        let node = &self.tree.nodes()[at];
        let Some(split) = node.branch() else {
            let Node::Leaf { value } = node else { return (0.0, 0.0) };
            let taken = |x: usize, r: usize| if x > 0 { value * self.weights[x][r] } else { 0.0 };
            return (taken(x, r), taken(r, x));
        };
        let child = |row: &[f32]| if node.goes_left(row) { split.left } else { split.right };
        match self.sides[split.feature] {
            Side::New => self.below(child(self.new), x, r),
            Side::Old => self.below(child(self.old), x, r),
            Side::Both => {
                let (new, old) = (child(self.new), child(self.old));
                if new == old {
                    return self.below(new, x, r);
                }
                self.sides[split.feature] = Side::New;
                let to_new = self.below(new, x + 1, r);
                self.sides[split.feature] = Side::Old;
                let to_old = self.below(old, x, r + 1);
                self.sides[split.feature] = Side::Both;
                self.out[split.feature] += to_new.0 - to_old.1;
                (to_new.0 + to_old.0, to_new.1 + to_old.1)
            }
        }
    }
}

/// `(x−1)! r! / (x+r)!`, the factors paired so that none overflows; 0 for `x = 0`, which has no such feature.
fn weight(x: usize, r: usize) -> f64 {
    if x == 0 {
        return 0.0;
    }
    // = 1/(x+r) · Π (k / (x−1+k)) over k = 1..=r
    (1..=r).map(|k| k as f64 / (x - 1 + k) as f64).product::<f64>() / (x + r) as f64
}

/// The number of splits on the longest path.
fn depth(tree: &Tree) -> usize {
    let mut depths = vec![0; tree.nodes().len()];
    for (at, node) in tree.nodes().iter().enumerate() {
        // Children come after their parents.
        if let Some(branch) = node.branch() {
            depths[branch.left] = depths[at] + 1;
            depths[branch.right] = depths[at] + 1;
        }
    }
    depths.into_iter().max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{choices, grow, value};
    use proptest::prelude::*;

    /// Shapley values by definition over all subsets of the features.
    fn by_definition(ensemble: &TreeEnsemble, old: &[f32], new: &[f32]) -> Vec<f64> {
        let n = old.len();
        let factorial = |k: usize| (1..=k).map(|x| x as f64).product::<f64>();
        let margin = |subset: u32| {
            let row: Vec<f32> = (0..n).map(|j| if subset >> j & 1 == 1 { new[j] } else { old[j] }).collect();
            ensemble.margin(&row)
        };
        let of = |j: usize| {
            let without = (0u32..1 << n).filter(|subset| subset >> j & 1 == 0);
            let gains = without.map(|subset| {
                let s = subset.count_ones() as usize;
                factorial(s) * factorial(n - s - 1) / factorial(n) * (margin(subset | 1 << j) - margin(subset))
            });
            gains.sum()
        };
        (0..n).map(of).collect()
    }

    proptest! {
        #[test]
        fn changes_are_split_as_shapley_defined_it(
            choices in choices(60),
            depth in 0usize..7,
            features in 1usize..8,
            old in prop::collection::vec(value(), 7),
            new in prop::collection::vec(value(), 7),
        ) {
            let half = choices.len().div_ceil(2);
            let trees = vec![grow(&choices, depth, features), grow(&choices[..half], depth, features)];
            let (old, new) = (&old[..features], &new[..features]);
            let ensemble = TreeEnsemble::new(trees, 0.25, features).unwrap();
            let mut out = vec![f64::NAN; features];
            Changes::new(&ensemble).split(old, new, &mut out).unwrap();
            for (ours, theirs) in out.iter().zip(by_definition(&ensemble, old, new)) {
                prop_assert!((ours - theirs).abs() < 1e-9, "{ours} {theirs}");
            }
            let change = ensemble.margin(new) - ensemble.margin(old);
            prop_assert!((out.iter().sum::<f64>() - change).abs() < 1e-9);
            for (j, value) in out.iter().enumerate() {
                prop_assert!(old[j] != new[j] && !(old[j].is_nan() && new[j].is_nan()) || *value == 0.0);
            }
        }
    }

    #[test]
    fn rows_of_another_width_are_refused() {
        let ensemble = TreeEnsemble::new(Vec::new(), 0.0, 2).unwrap();
        assert!(Changes::new(&ensemble).split(&[0.0; 2], &[0.0; 3], &mut [0.0; 2]).is_err());
    }
}
