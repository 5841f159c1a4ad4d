//! Shapley values the slow way, for tests and the benchmark: leaf by leaf, the subsets of the path's features counted by size. Nothing
//! of this is shared with what it checks.

use super::{Node, Tree};

/// The contributions of trees to a row.
pub(crate) fn contributions(trees: &[Tree], row: &[f32]) -> Vec<f64> {
    let mut sums = vec![0.0; row.len()];
    for tree in trees {
        descend(tree, 0, row, &[], &mut sums);
    }
    sums
}

/// Whether a row goes left at a split.
pub(crate) fn goes_left(node: &Node, row: &[f32]) -> bool {
    match node {
        Node::Split { feature, threshold, default_left, .. } => {
            let x = row[*feature];
            if x.is_nan() { *default_left } else { x < *threshold }
        }
        Node::Categorical { feature, to_right, default_left, .. } => {
            let x = row[*feature];
            if x.is_nan() { *default_left } else { !to_right.contains(x) }
        }
        Node::Leaf { .. } => false,
    }
}

/// Goes down to the leaves. `path` has, for each feature above, whether the row satisfies its splits and the share of the cover that does.
fn descend(tree: &Tree, at: usize, row: &[f32], path: &[(usize, bool, f64)], sums: &mut [f64]) {
    let node = &tree.nodes()[at];
    let (feature, left, right) = match node {
        Node::Leaf { value } => return leaf(*value, path, sums),
        Node::Split { feature, left, right, .. } | Node::Categorical { feature, left, right, .. } => (*feature, *left, *right),
    };
    let total = tree.cover()[left] + tree.cover()[right];
    let share = |child: usize| if total > 0.0 { tree.cover()[child] / total } else { 0.5 };
    let to_left = goes_left(node, row);
    for (child, follows) in [(left, to_left), (right, !to_left)] {
        let mut below = path.to_vec();
        match below.iter_mut().find(|(on, ..)| *on == feature) {
            Some((_, holds, product)) => (*holds, *product) = (*holds && follows, *product * share(child)),
            None => below.push((feature, follows, share(child))),
        }
        descend(tree, child, row, &below, sums);
    }
}

fn leaf(value: f64, path: &[(usize, bool, f64)], sums: &mut [f64]) {
    let m = path.len();
    for (j, (feature, holds, share)) in path.iter().enumerate() {
        // Entry s: sum over the sets of s other features that are known.
        let mut by_size = vec![1.0];
        for (_, holds, share) in path[..j].iter().chain(&path[j + 1..]) {
            by_size.push(0.0);
            for s in (0..by_size.len()).rev() {
                let known = if s > 0 && *holds { by_size[s - 1] } else { 0.0 };
                by_size[s] = by_size[s] * share + known;
            }
        }
        // s! (m − 1 − s)! / m! = 1 / (m · binomial(m − 1, s))
        let mut binomial = 1.0;
        let mut sum = 0.0;
        for (s, of_size) in by_size.iter().enumerate() {
            sum += of_size / (m as f64 * binomial);
            binomial *= (m - 1 - s) as f64 / (s + 1) as f64;
        }
        sums[*feature] += value * (f64::from(*holds) - share) * sum;
    }
}
