//! A binary-split tree ensemble with one output, as XGBoost trains it.

use crate::categories::Categories;
use crate::error::Error;

/// One node of a tree.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// `value < threshold` goes left, else right; a missing value (NaN) goes to the default side.
    Split {
        /// Index of the feature.
        feature: usize,
        /// Threshold, compared in `f32` as XGBoost does.
        threshold: f32,
        /// Index of the left child.
        left: usize,
        /// Index of the right child.
        right: usize,
        /// Whether a missing value goes left.
        default_left: bool,
    },
    /// The categories listed go right, all others left; a missing value (NaN) goes to the default side.
    Categorical {
        /// Index of the feature.
        feature: usize,
        /// The categories that go right.
        to_right: Categories,
        /// Index of the left child.
        left: usize,
        /// Index of the right child.
        right: usize,
        /// Whether a missing value goes left.
        default_left: bool,
    },
    /// The value that the tree adds to the margin.
    Leaf {
        /// Value in margin space, learning rate included.
        value: f64,
    },
}

/// What all kinds of splits have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Branch {
    pub(crate) feature: usize,
    pub(crate) left: usize,
    pub(crate) right: usize,
    pub(crate) default_left: bool,
}

impl Node {
    /// The split's feature and children; nothing for a leaf.
    pub(crate) fn branch(&self) -> Option<Branch> {
        match *self {
            Self::Split { feature, left, right, default_left, .. } | Self::Categorical { feature, left, right, default_left, .. } => {
                Some(Branch { feature, left, right, default_left })
            }
            Self::Leaf { .. } => None,
        }
    }

    /// Whether a row goes left at a split; `false` for a leaf.
    pub(crate) fn goes_left(&self, row: &[f32]) -> bool {
        match self {
            Self::Split { feature, threshold, default_left, .. } => {
                let x = row[*feature];
                x < *threshold || x.is_nan() && *default_left
            }
            Self::Categorical { feature, to_right, default_left, .. } => {
                let x = row[*feature];
                if x.is_nan() { *default_left } else { !to_right.contains(x) }
            }
            Self::Leaf { .. } => false,
        }
    }
}

/// A tree: nodes with their training cover (sum of hessians); node 0 is the root.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    nodes: Vec<Node>,
    cover: Vec<f64>,
}

impl Tree {
    /// Builds a tree after checking that it is one: children exist, come after their parent and have one parent each.
    pub fn new(nodes: Vec<Node>, cover: Vec<f64>) -> Result<Self, Error> {
        let bad = |what: &str| Err(Error::Malformed(format!("a tree has {what}")));
        if nodes.is_empty() || nodes.len() != cover.len() {
            return bad("no nodes or a different number of covers");
        }
        if cover.iter().any(|c| !c.is_finite() || *c < 0.0) {
            return bad("a cover that is negative or not finite");
        }
        let mut has_parent = vec![false; nodes.len()];
        for (at, node) in nodes.iter().enumerate() {
            match node {
                Node::Split { threshold, .. } if threshold.is_nan() => return bad("a split without a threshold"),
                Node::Leaf { value } if !value.is_finite() => return bad("a leaf that is not finite"),
                _ => {}
            }
            if let Some(Branch { left, right, .. }) = node.branch() {
                for child in [left, right] {
                    // A child behind its parent and owned once: walks end, and no cycle exists.
                    match has_parent.get_mut(child) {
                        Some(seen) if !*seen && child > at => *seen = true,
                        _ => return bad("a child that does not exist or has two parents"),
                    }
                }
            }
        }
        Ok(Self { nodes, cover })
    }

    /// The nodes, root first.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The nodes' training cover (sum of hessians), in the nodes' order.
    pub fn cover(&self) -> &[f64] {
        &self.cover
    }

    /// Share of a node's cover that goes left, and right. The shares of the two children add to one exactly.
    pub(crate) fn shares(&self, left: usize, right: usize) -> (f64, f64) {
        let total = self.cover[left] + self.cover[right];
        if total > 0.0 { (self.cover[left] / total, self.cover[right] / total) } else { (0.5, 0.5) }
    }

    /// The value that the tree gives a row.
    pub fn value(&self, row: &[f32]) -> f64 {
        let mut at = 0;
        loop {
            let node = &self.nodes[at];
            at = match node {
                Node::Leaf { value } => return *value,
                Node::Split { left, right, .. } | Node::Categorical { left, right, .. } => {
                    if node.goes_left(row) {
                        *left
                    } else {
                        *right
                    }
                }
            };
        }
    }
}

/// Trees whose values add up to a margin.
#[derive(Debug, Clone)]
pub struct TreeEnsemble {
    /// The trees in boosting order.
    pub(crate) trees: Vec<Tree>,
    pub(crate) base_margin: f64,
    pub(crate) num_features: usize,
    pub(crate) feature_names: Vec<String>,
}

impl TreeEnsemble {
    /// Builds an ensemble of trees that split on features `0..num_features`.
    pub fn new(trees: Vec<Tree>, base_margin: f64, num_features: usize) -> Result<Self, Error> {
        let widest = trees.iter().flat_map(|t| &t.nodes).filter_map(Node::branch).map(|b| b.feature).max();
        if widest.is_some_and(|f| f >= num_features) {
            return Err(Error::Malformed("a split on a feature that the model does not have".into()));
        }
        Ok(Self { trees, base_margin, num_features, feature_names: Vec::new() })
    }

    /// Reads a model that XGBoost saved as JSON or UBJSON (`model.json`, `model.ubj`).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        crate::xgboost::read(bytes)
    }

    /// The margin of a row: base margin plus the value of each tree.
    pub fn margin(&self, row: &[f32]) -> f64 {
        self.base_margin + self.trees.iter().map(|t| t.value(row)).sum::<f64>()
    }

    /// The trees in boosting order.
    pub fn trees(&self) -> &[Tree] {
        &self.trees
    }

    /// The margin before any tree: XGBoost's base score through the link function.
    pub fn base_margin(&self) -> f64 {
        self.base_margin
    }

    /// Number of features of a row.
    pub fn num_features(&self) -> usize {
        self.num_features
    }

    /// Names saved with the model; empty if it has none.
    pub fn feature_names(&self) -> &[String] {
        &self.feature_names
    }
}
