//! What one leaf gives to the features on its path.

use crate::ensemble::{Node, Tree};
use crate::quadrature::gauss_legendre;

/// Paths with at most this many distinct features get a table (2^8 × 8 values of 8 bytes = 16 KiB at the limit).
const MAX_TABLE_FEATURES: usize = 8;
/// An ensemble's tables together stay below this many values; later leaves are integrated per row.
pub(crate) const MAX_TABLE_VALUES: usize = 32 << 20;

/// What a row must satisfy in one feature to stay on a leaf's path: all of the path's splits on it merged.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    pub(crate) feature: usize,
    /// `x >= low`; `-inf` if there is no lower bound.
    pub(crate) low: f32,
    /// `!(x >= high)`; NaN if there is no upper bound, which makes the comparison always true.
    pub(crate) high: f32,
    /// Whether a missing value stays on the path.
    pub(crate) missing: bool,
    /// Share of the cover that stays on the path when the feature is unknown.
    pub(crate) share: f64,
}

impl Condition {
    #[inline]
    pub(crate) fn holds(&self, x: f32) -> bool {
        // `!(x >= high)` is not `x < high`: an absent bound is NaN and must let everything pass.
        #[allow(clippy::neg_cmp_op_on_partial_ord)]
        if x.is_nan() { self.missing } else { x >= self.low && !(x >= self.high) }
    }
}

/// A leaf with the conditions of its path, one per distinct feature.
#[derive(Debug, Clone)]
pub(crate) struct Leaf {
    pub(crate) conditions: Vec<Condition>,
    pub(crate) value: f64,
    /// Contributions by mask of satisfied conditions: `m` values for each of `2^m` masks; empty if too long.
    pub(crate) table: Vec<f64>,
}

impl Leaf {
    /// Weight of the leaf when nothing is known.
    pub(crate) fn expected(&self) -> f64 {
        self.value * self.conditions.iter().map(|c| c.share).product::<f64>()
    }

    /// Number of values the leaf's table would hold, or `None` if its path is too long.
    pub(crate) fn table_len(&self) -> Option<usize> {
        let m = self.conditions.len();
        (m <= MAX_TABLE_FEATURES).then(|| m << m)
    }

    pub(crate) fn tabulate(&mut self, rules: &Rules) {
        let m = self.conditions.len();
        let mut table = vec![0.0; m << m];
        let mut scratch = Scratch::default();
        for (mask, out) in table.chunks_exact_mut(m.max(1)).enumerate() {
            self.contributions(|k| mask >> k & 1 == 1, rules, &mut scratch, out);
        }
        self.table = table;
    }

    /// The contribution of each condition's feature when `holds(k)` says which conditions the row satisfies.
    pub(crate) fn contributions(&self, holds: impl Fn(usize) -> bool, rules: &Rules, scratch: &mut Scratch, out: &mut [f64]) {
        let m = self.conditions.len();
        out.fill(0.0);
        scratch.after.resize(m + 1, 1.0);
        for &(u, weight) in rules.for_path(m) {
            let factor = |k: usize| {
                let unknown = self.conditions[k].share * (1.0 - u);
                if holds(k) { u + unknown } else { unknown }
            };
            // The product without factor j: products of those before and of those after it.
            scratch.after[m] = 1.0;
            for k in (0..m).rev() {
                scratch.after[k] = scratch.after[k + 1] * factor(k);
            }
            let mut before = weight;
            for (k, phi) in out.iter_mut().enumerate().take(m) {
                *phi += before * scratch.after[k + 1];
                before *= factor(k);
            }
        }
        for (k, phi) in out.iter_mut().enumerate().take(m) {
            let own = if holds(k) { 1.0 } else { 0.0 };
            *phi *= self.value * (own - self.conditions[k].share);
        }
    }
}

/// Buffers reused between leaves.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    after: Vec<f64>,
}

/// Quadrature rules by path length.
#[derive(Debug, Clone)]
pub(crate) struct Rules(Vec<Vec<(f64, f64)>>);

impl Rules {
    pub(crate) fn up_to(longest_path: usize) -> Self {
        // ⌈m/2⌉ nodes integrate degree m − 1 exactly.
        Self((0..=longest_path.div_ceil(2)).map(gauss_legendre).collect())
    }

    fn for_path(&self, m: usize) -> &[(f64, f64)] {
        &self.0[m.div_ceil(2)]
    }
}

/// All leaves of a tree, with the splits of their paths merged by feature.
pub(crate) fn leaves(tree: &Tree) -> Vec<Leaf> {
    let mut found = Vec::new();
    // Right child pushed first, so that leaves come out from left to right: the order of sums is fixed.
    let mut open: Vec<(usize, Vec<Condition>)> = vec![(0, Vec::new())];
    while let Some((at, path)) = open.pop() {
        match &tree.nodes()[at] {
            Node::Leaf { value } => found.push(Leaf { conditions: path, value: *value, table: Vec::new() }),
            Node::Split { feature, threshold, left, right, default_left } => {
                let (left_share, right_share) = tree.shares(*left, *right);
                let mut to_right = path.clone();
                let right_condition = condition(&mut to_right, *feature);
                right_condition.low = right_condition.low.max(*threshold);
                right_condition.missing &= !*default_left;
                right_condition.share *= right_share;
                open.push((*right, to_right));

                let mut to_left = path;
                let left_condition = condition(&mut to_left, *feature);
                // `f32::min` ignores NaN: an absent bound yields to the threshold.
                left_condition.high = left_condition.high.min(*threshold);
                left_condition.missing &= *default_left;
                left_condition.share *= left_share;
                open.push((*left, to_left));
            }
        }
    }
    found
}

fn condition(path: &mut Vec<Condition>, feature: usize) -> &mut Condition {
    let at = match path.iter().position(|c| c.feature == feature) {
        Some(at) => at,
        None => {
            path.push(Condition { feature, low: f32::NEG_INFINITY, high: f32::NAN, missing: true, share: 1.0 });
            path.len() - 1
        }
    };
    &mut path[at]
}
