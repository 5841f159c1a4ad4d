//! Shapley values by definition, for tests: every subset of the features, one walk of the tree each.

use proptest::prelude::*;

use crate::ensemble::{Node, Tree, TreeEnsemble};
use crate::explain::Explainer;
use crate::leaf::leaves;

/// The expectation of the tree when only the features in `known` are known.
fn expectation(tree: &Tree, at: usize, row: &[f32], known: u32) -> f64 {
    match &tree.nodes()[at] {
        Node::Leaf { value } => *value,
        Node::Split { feature, threshold, left, right, default_left } => {
            if known >> feature & 1 == 1 {
                let x = row[*feature];
                let goes_left = if x.is_nan() { *default_left } else { x < *threshold };
                return expectation(tree, if goes_left { *left } else { *right }, row, known);
            }
            let (l, r) = tree.shares(*left, *right);
            l * expectation(tree, *left, row, known) + r * expectation(tree, *right, row, known)
        }
    }
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

/// A random tree grown from a list of choices; features repeat on paths, and some covers are zero.
fn grow(choices: &[(u8, i8, bool, u8, u8)], depth: usize, features: usize) -> Tree {
    let mut nodes = Vec::new();
    let mut cover = Vec::new();
    let mut next = choices.iter().cycle();
    build(&mut nodes, &mut cover, &mut next, depth, features);
    Tree::new(nodes, cover).unwrap()
}

fn build<'a>(
    nodes: &mut Vec<Node>,
    cover: &mut Vec<f64>,
    next: &mut impl Iterator<Item = &'a (u8, i8, bool, u8, u8)>,
    depth: usize,
    features: usize,
) -> usize {
    let (feature, value, default_left, weight, stop) = next.next().unwrap();
    let at = nodes.len();
    nodes.push(Node::Leaf { value: f64::from(*value) / 7.0 });
    cover.push(f64::from(*weight));
    if depth > 0 && *stop > 40 {
        let left = build(nodes, cover, next, depth - 1, features);
        let right = build(nodes, cover, next, depth - 1, features);
        nodes[at] = Node::Split {
            feature: *feature as usize % features,
            threshold: f32::from(*value % 4),
            left,
            right,
            default_left: *default_left,
        };
    }
    at
}

fn value() -> impl Strategy<Value = f32> {
    prop_oneof![4 => (-5i8..5).prop_map(f32::from), 1 => Just(f32::NAN), 1 => Just(f32::INFINITY), 1 => Just(f32::NEG_INFINITY)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn equals_shapley_values_by_definition(
        choices in proptest::collection::vec(any::<(u8, i8, bool, u8, u8)>(), 1..60),
        depth in 0usize..7,
        features in 1usize..8,
        values in proptest::collection::vec(value(), 7 * 3),
    ) {
        let half = choices.len().div_ceil(2);
        let trees = vec![grow(&choices, depth, features), grow(&choices[..half], depth, features)];
        let ensemble = TreeEnsemble::new(trees, 0.25, features).unwrap();
        let rows = &values[..features * 3];
        let explained = Explainer::new(&ensemble).explain(rows, features).unwrap();
        for (i, row) in rows.chunks(features).enumerate() {
            let expected = shapley(&ensemble.trees, row);
            for (a, b) in explained.row(i).iter().zip(&expected) {
                prop_assert!((a - b).abs() < 1e-10, "{:?} {:?}", explained.row(i), expected);
            }
            prop_assert!((explained.margin(i) - ensemble.margin(row)).abs() < 1e-10);
        }
    }

    #[test]
    fn a_table_and_direct_integration_agree(
        choices in proptest::collection::vec(any::<(u8, i8, bool, u8, u8)>(), 20..80),
        mask in any::<u32>(),
    ) {
        let tree = grow(&choices, 8, 12);
        for mut leaf in leaves(&tree) {
            let m = leaf.conditions.len();
            if m == 0 {
                continue;
            }
            let rules = crate::leaf::Rules::up_to(m);
            leaf.tabulate(&rules);
            let mask = mask as usize & ((1 << m) - 1);
            let mut direct = vec![0.0; m];
            leaf.contributions(|k| mask >> k & 1 == 1, &rules, &mut Default::default(), &mut direct);
            prop_assert_eq!(&leaf.table[mask * m..(mask + 1) * m], &direct[..]);
        }
    }
}

#[test]
fn a_path_too_long_for_a_table_still_adds_up() {
    // A chain of 20 features: no table, integrated per row.
    let mut nodes = Vec::new();
    let mut cover = Vec::new();
    for k in 0..20 {
        nodes.push(Node::Split { feature: k, threshold: 0.5, left: 2 * k + 1, right: 2 * k + 2, default_left: k % 2 == 0 });
        cover.push(100.0);
        nodes.push(Node::Leaf { value: k as f64 });
        cover.push(1.0 + k as f64);
    }
    nodes.push(Node::Leaf { value: -3.0 });
    cover.push(5.0);
    let ensemble = TreeEnsemble::new(vec![Tree::new(nodes, cover).unwrap()], 0.0, 20).unwrap();
    let rows: Vec<f32> = (0..40).map(|i| if i % 7 == 0 { f32::NAN } else { (i % 3) as f32 }).collect();
    let explained = Explainer::new(&ensemble).explain(&rows, 20).unwrap();
    for (i, row) in rows.chunks(20).enumerate() {
        assert!((explained.margin(i) - ensemble.margin(row)).abs() < 1e-12);
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let choices: Vec<(u8, i8, bool, u8, u8)> = (0..50u8).map(|i| (i.wrapping_mul(37), i as i8, i % 2 == 0, 100 - i, 200)).collect();
    let ensemble = TreeEnsemble::new(vec![grow(&choices, 6, 9)], 0.0, 9).unwrap();
    let rows: Vec<f32> = (0..9 * 1000).map(|i| (i % 13) as f32 - 6.0).collect();
    let explainer = Explainer::new(&ensemble);
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let three = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let a = one.install(|| explainer.explain(&rows, 9).unwrap());
    let b = three.install(|| explainer.explain(&rows, 9).unwrap());
    assert_eq!(a, b);
}
