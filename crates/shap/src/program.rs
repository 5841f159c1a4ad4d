//! A tree compiled into the steps of a walk that visits every split once, for all rows of a block together.
//!
//! The mathematics is in the crate's documentation; the names here follow it: `z` is the share of the cover that follows a side,
//! `o` whether the row does, `u` a quadrature point, `P(u)` what the path down to a split weighs and `S(u)` what lies below it.

use crate::categories::Categories;
use crate::ensemble::{Node, Tree, TreeEnsemble};
use crate::lanes::{Column, Encoding, key};
use crate::quadrature::gauss_legendre;

/// What is done at a split, whose index it holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// Both children are leaves: all at once.
    Pair(u32),
    /// Finds out which side each row takes, and weighs the path to the first child.
    Descend(u32),
    /// The first child is done: weighs the path to the second.
    Turn(u32),
    /// Its only child that is no leaf is done.
    AscendOne(u32),
    /// Both children are done.
    AscendTwo(u32),
}

/// How a split finds out which side a row takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Test {
    /// Left if the column's value is below the key.
    Below(i32),
    /// Right if the column's category is in the set of this index.
    Category {
        /// Index of the set in the program.
        set: u32,
        /// Whether a missing value goes left.
        default_left: bool,
    },
}

/// A row went left.
pub(crate) const LEFT: i32 = 0;
/// A row went right.
pub(crate) const RIGHT: i32 = 1;
/// A row had left the path at an earlier split on the same feature.
pub(crate) const OFF: i32 = 2;

/// A split with the numbers that its steps need.
///
/// If only one of its children is a leaf, the other one is its first child, else the left one is.
#[derive(Debug, Clone)]
pub(crate) struct Split {
    pub(crate) test: Test,
    /// The column that the test reads.
    pub(crate) column: u32,
    /// The feature that the contribution belongs to.
    pub(crate) feature: u32,
    /// Number of splits above this one: where its `P(u)` stands.
    pub(crate) depth: u32,
    /// Where its `S(u)` goes.
    pub(crate) out: u32,
    /// The nearest split above on the same feature, by its depth, and the side of it that this split is on.
    pub(crate) above: Option<(u32, i32)>,
    /// Whether a split below needs to know which side the row took here.
    pub(crate) remembered: bool,
    /// Where its constants stand: `a(u)` for each point, then `b(u)`.
    pub(crate) constants: usize,
    /// `z` of the first child.
    pub(crate) share: f64,
    /// `o − z` of the first child for rows that go left.
    pub(crate) gain_left: f64,
    /// `o − z` of the first child for rows that go right.
    pub(crate) gain_right: f64,
    /// Pair: value of the first leaf less that of the second. One leaf: its value.
    pub(crate) value: f64,
    /// Pair: the values' mean, weighted with the shares.
    pub(crate) mean: f64,
}

/// A compiled tree.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) steps: Vec<Step>,
    pub(crate) splits: Vec<Split>,
    pub(crate) constants: Vec<f64>,
    pub(crate) sets: Vec<Categories>,
    /// Weights of the quadrature's points.
    pub(crate) weights: Vec<f64>,
    /// Number of splits on the longest path.
    pub(crate) depth: usize,
    /// The tree's value when nothing is known about a row.
    pub(crate) expected: f64,
}

impl Program {
    /// Compiles a tree; `column` gives the index of a column that holds a feature in an encoding.
    pub(crate) fn new(tree: &Tree, column: impl Fn(Column) -> u32) -> Self {
        let program = Self {
            steps: Vec::new(),
            splits: Vec::new(),
            constants: Vec::new(),
            sets: Vec::new(),
            weights: Vec::new(),
            depth: 0,
            expected: 0.0,
        };
        let mut compiler = Compiler { tree, column, program, path: Vec::new(), todo: Vec::new(), longest: 0, repeated: Vec::new() };
        compiler.walk();
        compiler.integrate();
        compiler.program
    }
}

/// The column that a node's test reads.
pub(crate) fn column(node: &Node) -> Option<Column> {
    let branch = node.branch()?;
    let encoding = match node {
        Node::Categorical { .. } => Encoding::Category,
        _ if branch.default_left => Encoding::MissingLow,
        _ => Encoding::MissingHigh,
    };
    Some(Column { feature: branch.feature, encoding })
}

/// The columns that an ensemble's splits read, in order.
pub(crate) fn columns(ensemble: &TreeEnsemble) -> Vec<Column> {
    let mut columns: Vec<Column> = ensemble.trees.iter().flat_map(Tree::nodes).filter_map(column).collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// An edge of the path from the root to the split at hand.
#[derive(Debug, Clone, Copy)]
struct Edge {
    split: usize,
    feature: usize,
    side: i32,
    /// Product of the shares of this feature's edges down to here.
    share: f64,
    /// Product of the shares of all edges down to here.
    reach: f64,
    /// Number of distinct features down to here.
    distinct: usize,
}

enum Todo {
    Visit { node: usize, edge: Option<Edge>, depth: usize, out: u32 },
    Push(Step),
}

struct Compiler<'a, F> {
    tree: &'a Tree,
    column: F,
    program: Program,
    path: Vec<Edge>,
    todo: Vec<Todo>,
    /// Most distinct features on a path.
    longest: usize,
    /// For each split on a feature that its path has seen: the product of the shares of that feature's edges above.
    repeated: Vec<f64>,
}

impl<F: Fn(Column) -> u32> Compiler<'_, F> {
    /// Goes through the tree. A list of what is left to do, not recursion: a tree may be of any depth.
    fn walk(&mut self) {
        self.todo.push(Todo::Visit { node: 0, edge: None, depth: 0, out: 0 });
        while let Some(next) = self.todo.pop() {
            match next {
                Todo::Push(step) => self.program.steps.push(step),
                Todo::Visit { node, edge, depth, out } => {
                    if let Some(edge) = edge {
                        self.path.truncate(depth - 1);
                        self.path.push(edge);
                    }
                    self.visit(node, depth, out);
                }
            }
        }
    }

    fn visit(&mut self, at: usize, depth: usize, out: u32) {
        let nodes = self.tree.nodes();
        let node = &nodes[at];
        let (reach, distinct) = self.path.last().map_or((1.0, 0), |edge| (edge.reach, edge.distinct));
        let (Some(branch), Some(column)) = (node.branch(), column(node)) else {
            // Other leaves are dealt with at their parents.
            if let Node::Leaf { value } = node {
                self.program.expected = *value;
            }
            return;
        };
        let above = self.path.iter().rev().find(|edge| edge.feature == branch.feature).copied();
        let distinct = distinct + usize::from(above.is_none());
        self.longest = self.longest.max(distinct);
        self.program.depth = self.program.depth.max(depth + 1);

        let split = self.program.splits.len();
        let step = split as u32;
        let (left_share, right_share) = self.tree.shares(branch.left, branch.right);
        let edge = |side, share| Edge {
            split,
            feature: branch.feature,
            side,
            share: above.map_or(1.0, |edge| edge.share) * share,
            reach: reach * share,
            distinct,
        };
        let (to_left, to_right) = (edge(LEFT, left_share), edge(RIGHT, right_share));
        let leaf = |node: usize| if let Node::Leaf { value } = nodes[node] { Some(value) } else { None };
        let leaves = (leaf(branch.left), leaf(branch.right));
        self.program.expected += leaves.0.map_or(0.0, |v| to_left.reach * v) + leaves.1.map_or(0.0, |v| to_right.reach * v);

        let first = |node, edge| Todo::Visit { node, edge: Some(edge), depth: depth + 1, out: 2 * (depth as u32 + 1) };
        let second = |node, edge| Todo::Visit { node, edge: Some(edge), depth: depth + 1, out: 2 * (depth as u32 + 1) + 1 };
        let (mut value, mut mean) = (0.0, 0.0);
        match leaves {
            (Some(a), Some(b)) => {
                self.program.steps.push(Step::Pair(step));
                (value, mean) = (a - b, b + left_share * (a - b));
            }
            (None, None) => {
                self.program.steps.push(Step::Descend(step));
                // Last in, first out.
                self.todo.push(Todo::Push(Step::AscendTwo(step)));
                self.todo.push(second(branch.right, to_right));
                self.todo.push(Todo::Push(Step::Turn(step)));
                self.todo.push(first(branch.left, to_left));
            }
            (Some(leaf), None) | (None, Some(leaf)) => {
                self.program.steps.push(Step::Descend(step));
                self.todo.push(Todo::Push(Step::AscendOne(step)));
                self.todo.push(if leaves.0.is_none() { first(branch.left, to_left) } else { first(branch.right, to_right) });
                value = leaf;
            }
        }
        let right_first = leaves.0.is_some() && leaves.1.is_none();
        let (share, gain_left, gain_right) =
            if right_first { (right_share, -right_share, left_share) } else { (left_share, right_share, -left_share) };

        let mut constants = 0;
        if let Some(edge) = above {
            self.repeated.push(edge.share);
            constants = self.repeated.len();
            self.program.splits[edge.split].remembered = true;
        }
        let test = match node {
            Node::Split { threshold, .. } => Test::Below(key(*threshold)),
            Node::Categorical { to_right, default_left, .. } => {
                self.program.sets.push(to_right.clone());
                Test::Category { set: self.program.sets.len() as u32 - 1, default_left: *default_left }
            }
            Node::Leaf { .. } => return,
        };
        self.program.splits.push(Split {
            test,
            column: (self.column)(column),
            feature: branch.feature as u32,
            depth: depth as u32,
            out,
            above: above.map(|edge| (self.program.splits[edge.split].depth, edge.side)),
            remembered: false,
            constants,
            share,
            gain_left,
            gain_right,
            value,
            mean,
        });
    }

    /// Chooses the quadrature and computes the constants of each of its points.
    fn integrate(&mut self) {
        // A path of m distinct features gives a polynomial of degree m − 1, which ⌈m/2⌉ points integrate exactly.
        let rule = gauss_legendre(self.longest.div_ceil(2));
        self.program.weights = rule.iter().map(|(_, weight)| *weight).collect();
        for split in &mut self.program.splits {
            split.constants *= 2 * rule.len();
        }
        // A feature that is new on the path is one whose edges above have the share 1.
        for share in std::iter::once(1.0).chain(std::mem::take(&mut self.repeated)) {
            let above = |u: f64| u + share * (1.0 - u);
            self.program.constants.extend(rule.iter().map(|(u, _)| u / above(*u)));
            self.program.constants.extend(rule.iter().map(|(u, _)| share / (above(*u) * above(*u))));
        }
    }
}
