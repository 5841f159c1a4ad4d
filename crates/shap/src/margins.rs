//! Margins of many rows: blocks of them in parallel, each tree walked by several rows at a time.

use rayon::prelude::*;

use crate::categories::Categories;
use crate::ensemble::{Node, TreeEnsemble};
use crate::error::Error;
use crate::kernels::choose;
use crate::lanes::{Column, LANES, Lanes, key};
use crate::program::{self, RIGHT};

/// Rows that walk a tree side by side: while one waits for its next node, the others go on.
const ABREAST: usize = 16;

/// A node without a branch in it: the row goes to child 0 if the column's value is below the key, else to child 1. The children of a
/// leaf are the leaf itself.
#[derive(Debug, Clone, Copy)]
struct Fork {
    column: u32,
    key: i32,
    children: [u32; 2],
}

#[derive(Debug, Clone)]
struct Walk {
    forks: Vec<Fork>,
    values: Vec<f64>,
    depth: usize,
}

/// A categorical split, whose sides are a column of their own.
#[derive(Debug, Clone)]
struct Choice {
    column: usize,
    to_right: Categories,
    default_left: bool,
}

/// A tree ensemble prepared to give margins.
#[derive(Debug, Clone)]
pub struct Predictor {
    walks: Vec<Walk>,
    columns: Vec<Column>,
    choices: Vec<Choice>,
    base_margin: f64,
    num_features: usize,
}

impl Predictor {
    /// Prepares an ensemble's trees.
    pub fn new(ensemble: &TreeEnsemble) -> Self {
        let columns = program::columns(ensemble);
        let mut choices = Vec::new();
        let walks = ensemble.trees.iter().map(|tree| {
            let mut forks = Vec::new();
            let mut values = Vec::new();
            // Children come after their parents, so depths can be had in one go.
            let mut depths = vec![0usize; tree.nodes().len()];
            for (at, node) in tree.nodes().iter().enumerate() {
                let column = program::column(node).map_or(0, |column| columns.binary_search(&column).unwrap_or(0));
                let (column, key) = match node {
                    Node::Split { threshold, .. } => (column, key(*threshold)),
                    Node::Categorical { to_right, default_left, .. } => {
                        choices.push(Choice { column, to_right: to_right.clone(), default_left: *default_left });
                        (columns.len() + choices.len() - 1, RIGHT)
                    }
                    Node::Leaf { .. } => (0, 0),
                };
                let children = match node.branch() {
                    Some(branch) => {
                        depths[branch.left] = depths[at] + 1;
                        depths[branch.right] = depths[at] + 1;
                        [branch.left as u32, branch.right as u32]
                    }
                    None => [at as u32; 2],
                };
                forks.push(Fork { column: column as u32, key, children });
                values.push(if let Node::Leaf { value } = node { *value } else { 0.0 });
            }
            Walk { forks, values, depth: depths.into_iter().max().unwrap_or(0) }
        });
        let walks = walks.collect();
        Self { walks, columns, choices, base_margin: ensemble.base_margin, num_features: ensemble.num_features }
    }

    /// The margins of rows given in row-major order (`width` values each, NaN = missing): the same bits as
    /// [`TreeEnsemble::margin`] gives for each row.
    pub fn margins(&self, rows: &[f32], width: usize) -> Result<Vec<f64>, Error> {
        if width != self.num_features || width == 0 || !rows.len().is_multiple_of(width) {
            return Err(Error::Width { given: rows.len(), expected: self.num_features });
        }
        let mut margins = vec![0.0; rows.len() / width];
        margins.par_chunks_mut(LANES).zip(rows.par_chunks(LANES * width)).for_each_init(
            || vec![Lanes([0; LANES]); (self.columns.len() + self.choices.len()).max(1)],
            |columns, (out, block)| self.add_up(block, out, columns),
        );
        Ok(margins)
    }

    fn add_up(&self, block: &[f32], out: &mut [f64], columns: &mut [Lanes<i32>]) {
        for (column, lanes) in self.columns.iter().zip(columns.iter_mut()) {
            column.fill(block, self.num_features, lanes);
        }
        let (plain, chosen) = columns.split_at_mut(self.columns.len());
        for (choice, sides) in self.choices.iter().zip(chosen) {
            choose(&plain[choice.column], &choice.to_right, choice.default_left, sides);
        }
        let mut sums = [0.0; LANES];
        for walk in &self.walks {
            for start in (0..LANES).step_by(ABREAST) {
                let mut at = [0u32; ABREAST];
                for _ in 0..walk.depth {
                    for (lane, at) in at.iter_mut().enumerate() {
                        let fork = walk.forks[*at as usize];
                        let right = columns[fork.column as usize].0[start + lane] >= fork.key;
                        *at = fork.children[usize::from(right)];
                    }
                }
                for (lane, at) in at.iter().enumerate() {
                    sums[start + lane] += walk.values[*at as usize];
                }
            }
        }
        for (margin, sum) in out.iter_mut().zip(sums) {
            *margin = self.base_margin + sum;
        }
    }
}
