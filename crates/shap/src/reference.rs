//! Tests against Shapley values by definition: every subset of the features, one walk of the tree each. Where there are too many
//! subsets, against the sum over leaves.

use proptest::prelude::*;

use crate::by_leaf::{contributions, goes_left};
use crate::categories::Categories;
use crate::ensemble::{Node, Tree, TreeEnsemble};
use crate::explain::Explainer;
use crate::kernels::Instructions;
use crate::lanes::LANES;
use crate::margins::Predictor;

/// The expectation of the tree when only the features in `known` are known.
fn expectation(tree: &Tree, at: usize, row: &[f32], known: u32) -> f64 {
    let node = &tree.nodes()[at];
    let Some(split) = node.branch() else {
        let Node::Leaf { value } = node else { unreachable!() };
        return *value;
    };
    if known >> split.feature & 1 == 1 {
        return expectation(tree, if goes_left(node, row) { split.left } else { split.right }, row, known);
    }
    let (l, r) = tree.shares(split.left, split.right);
    l * expectation(tree, split.left, row, known) + r * expectation(tree, split.right, row, known)
}

fn shapley(trees: &[Tree], row: &[f32]) -> Vec<f64> {
    let n = row.len();
    let factorial = |k: usize| (1..=k).map(|x| x as f64).product::<f64>();
    (0..n)
        .map(|j| {
            let mut phi = 0.0;
            for subset in 0u32..1 << n {
                if subset >> j & 1 == 1 {
                    continue;
                }
                let s = subset.count_ones() as usize;
                let weight = factorial(s) * factorial(n - s - 1) / factorial(n);
                let gain: f64 = trees.iter().map(|t| expectation(t, 0, row, subset | 1 << j) - expectation(t, 0, row, subset)).sum();
                phi += weight * gain;
            }
            phi
        })
        .collect()
}

/// What one node is made of: feature, value (of a leaf, or the threshold), default side, cover, and whether to stop here.
pub(crate) type Choice = (u8, i8, bool, u8, u8);

/// A random tree grown from a list of choices; features repeat on paths, some splits are categorical and some covers zero.
pub(crate) fn grow(choices: &[Choice], depth: usize, features: usize) -> Tree {
    let mut nodes = Vec::new();
    let mut cover = Vec::new();
    let mut next = choices.iter().cycle();
    build(&mut nodes, &mut cover, &mut next, depth, features);
    Tree::new(nodes, cover).unwrap()
}

fn build<'a>(
    nodes: &mut Vec<Node>,
    cover: &mut Vec<f64>,
    next: &mut impl Iterator<Item = &'a Choice>,
    depth: usize,
    features: usize,
) -> usize {
    let (feature, value, default_left, weight, stop) = *next.next().unwrap();
    let at = nodes.len();
    nodes.push(Node::Leaf { value: f64::from(value) / 7.0 });
    cover.push(f64::from(weight));
    if depth > 0 && stop > 40 {
        let left = build(nodes, cover, next, depth - 1, features);
        let right = build(nodes, cover, next, depth - 1, features);
        let feature = feature as usize % features;
        nodes[at] = if value % 5 == 0 {
            let to_right = Categories::new((0..4).filter(|category| stop >> category & 1 == 1)).unwrap();
            Node::Categorical { feature, to_right, left, right, default_left }
        } else {
            Node::Split { feature, threshold: f32::from(value % 4), left, right, default_left }
        };
    }
    at
}

pub(crate) fn choices(most: usize) -> impl Strategy<Value = Vec<Choice>> {
    // A cover of zero often, so that both children of a split have one at times.
    let weight = prop_oneof![1 => Just(0u8), 4 => any::<u8>()];
    proptest::collection::vec((any::<u8>(), any::<i8>(), any::<bool>(), weight, any::<u8>()), 1..most)
}

pub(crate) fn value() -> impl Strategy<Value = f32> {
    prop_oneof![4 => (-5i8..5).prop_map(f32::from), 1 => Just(f32::NAN), 1 => Just(f32::INFINITY), 1 => Just(f32::NEG_INFINITY)]
}

/// The contributions that each instruction set computes, which must be the same bits.
fn explain(ensemble: &TreeEnsemble, rows: &[f32]) -> crate::Explanations {
    let all: Vec<_> = Instructions::available()
        .into_iter()
        .map(|instructions| Explainer::with_instructions(ensemble, instructions).explain(rows, ensemble.num_features()).unwrap())
        .collect();
    for other in &all[1..] {
        assert_eq!(&all[0], other);
    }
    all[0].clone()
}

fn close(a: &[f64], b: &[f64]) -> bool {
    a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-10)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn equals_shapley_values_by_definition(
        choices in choices(60),
        depth in 0usize..7,
        features in 1usize..8,
        values in proptest::collection::vec(value(), 7 * 3),
    ) {
        let half = choices.len().div_ceil(2);
        let trees = vec![grow(&choices, depth, features), grow(&choices[..half], depth, features)];
        let ensemble = TreeEnsemble::new(trees, 0.25, features).unwrap();
        let rows = &values[..features * 3];
        let explained = explain(&ensemble, rows);
        let margins = Predictor::new(&ensemble).margins(rows, features).unwrap();
        for (i, row) in rows.chunks(features).enumerate() {
            let expected = shapley(&ensemble.trees, row);
            prop_assert!(close(explained.row(i), &expected), "{:?} {:?}", explained.row(i), expected);
            prop_assert!(close(&contributions(&ensemble.trees, row), &expected));
            prop_assert!((explained.margin(i) - ensemble.margin(row)).abs() < 1e-10);
            prop_assert_eq!(margins[i], ensemble.margin(row));
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn deep_trees_of_many_features_agree_with_the_sum_over_leaves(
        choices in choices(300),
        depth in 7usize..12,
        features in 9usize..40,
        values in proptest::collection::vec(value(), 40 * 2),
    ) {
        let ensemble = TreeEnsemble::new(vec![grow(&choices, depth, features)], -1.0, features).unwrap();
        let rows = &values[..features * 2];
        let explained = explain(&ensemble, rows);
        for (i, row) in rows.chunks(features).enumerate() {
            let expected = contributions(&ensemble.trees, row);
            prop_assert!(close(explained.row(i), &expected), "{:?} {:?}", explained.row(i), expected);
            prop_assert!((explained.margin(i) - ensemble.margin(row)).abs() < 1e-10);
        }
    }
}

/// A tree of one path: split `k` is on feature `k`, or one seen before if there are fewer features.
fn chain(splits: usize, features: usize) -> TreeEnsemble {
    let mut nodes = Vec::new();
    let mut cover = Vec::new();
    for k in 0..splits {
        let (leaf, on) = (2 * k + 1, 2 * k + 2);
        let (left, right) = if k % 3 == 0 { (on, leaf) } else { (leaf, on) };
        nodes.push(Node::Split { feature: k % features, threshold: (k % 5) as f32 - 1.5, left, right, default_left: k % 2 == 0 });
        cover.push(100.0);
        nodes.push(Node::Leaf { value: (k % 11) as f64 - 4.0 });
        cover.push(1.0 + (k % 7) as f64);
    }
    nodes.push(Node::Leaf { value: -3.0 });
    cover.push(5.0);
    // The cover of a split counts as its sibling's counterpart, so it has to fall along the chain.
    for k in 0..splits {
        cover[2 * k] = 10.0 + (splits - k) as f64 * 4.0;
    }
    TreeEnsemble::new(vec![Tree::new(nodes, cover).unwrap()], 0.0, features).unwrap()
}

#[test]
fn a_path_of_any_length_is_exact() {
    for (splits, features) in [(20, 20), (33, 33), (64, 64), (90, 7), (1000, 30)] {
        let ensemble = chain(splits, features);
        let rows: Vec<f32> = (0..features * 5).map(|i| if i % 7 == 0 { f32::NAN } else { (i * 31 % 13) as f32 / 2.0 - 3.0 }).collect();
        let explained = explain(&ensemble, &rows);
        for (i, row) in rows.chunks(features).enumerate() {
            let expected = contributions(&ensemble.trees, row);
            assert!(close(explained.row(i), &expected), "{splits} {:?} {expected:?}", explained.row(i));
            assert!((explained.margin(i) - ensemble.margin(row)).abs() < 1e-10);
        }
    }
}

#[test]
fn a_tree_without_splits_and_features_without_use_contribute_nothing() {
    let leaf = Tree::new(vec![Node::Leaf { value: 0.75 }], vec![3.0]).unwrap();
    let explained = explain(&TreeEnsemble::new(vec![leaf.clone()], 0.5, 2).unwrap(), &[1.0, f32::NAN]);
    assert_eq!((explained.base_value(), explained.row(0)), (1.25, &[0.0, 0.0][..]));
    let split = Node::Split { feature: 1, threshold: 0.0, left: 1, right: 2, default_left: false };
    let split = Tree::new(vec![split, Node::Leaf { value: 1.0 }, Node::Leaf { value: 3.0 }], vec![4.0, 1.0, 3.0]).unwrap();
    let explained = explain(&TreeEnsemble::new(vec![leaf, split], 0.0, 3).unwrap(), &[9.0, -1.0, 9.0]);
    assert_eq!((explained.base_value(), explained.row(0)), (3.25, &[0.0, -1.5, 0.0][..]));
}

/// Rows and trees with something of everything.
fn sample(rows: usize) -> (TreeEnsemble, Vec<f32>) {
    let choices: Vec<Choice> = (0..50u8).map(|i| (i.wrapping_mul(37), i as i8, i % 2 == 0, 100 - i, 200)).collect();
    let trees = vec![grow(&choices, 6, 9), grow(&choices[7..], 9, 9)];
    let rows = (0..9 * rows).map(|i| if i % 17 == 0 { f32::NAN } else { (i % 13) as f32 - 6.0 }).collect();
    (TreeEnsemble::new(trees, 0.0, 9).unwrap(), rows)
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let (ensemble, rows) = sample(1000);
    let explainer = Explainer::new(&ensemble);
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let three = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let a = one.install(|| explainer.explain(&rows, 9).unwrap());
    let b = three.install(|| explainer.explain(&rows, 9).unwrap());
    assert_eq!(a, b);
}

#[test]
fn a_row_has_the_same_explanation_whatever_rows_are_beside_it() {
    let (ensemble, rows) = sample(2 * LANES + 1);
    let (explainer, predictor) = (Explainer::new(&ensemble), Predictor::new(&ensemble));
    for count in [0, 1, LANES - 1, LANES, LANES + 1, 2 * LANES + 1] {
        let together = explainer.explain(&rows[..count * 9], 9).unwrap();
        let margins = predictor.margins(&rows[..count * 9], 9).unwrap();
        assert_eq!((together.len(), margins.len()), (count, count));
        for (i, row) in rows[..count * 9].chunks(9).enumerate() {
            assert_eq!(together.row(i), explainer.explain(row, 9).unwrap().row(0), "row {i} of {count}");
            assert_eq!(margins[i], ensemble.margin(row), "row {i} of {count}");
        }
    }
    assert!(explainer.explain(&rows[..10], 9).is_err());
    assert!(explainer.explain(&rows[..8], 8).is_err());
    assert!(predictor.margins(&rows[..10], 9).is_err());
    assert!(predictor.margins(&rows[..8], 8).is_err());
}
