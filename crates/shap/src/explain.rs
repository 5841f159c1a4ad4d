//! Explaining rows: blocks of them in parallel, every tree walked once a block.

use rayon::prelude::*;

use crate::ensemble::TreeEnsemble;
use crate::error::Error;
use crate::explanations::Explanations;
use crate::kernels::{Instructions, Scratch};
use crate::lanes::{Column, LANES, Lanes};
use crate::program::{self, Program};

/// A tree ensemble prepared for explanation.
///
/// Holds about 130 bytes for each split of the ensemble, and 16 more for each quadrature point of a split that repeats a feature of
/// its path: 3 MB for 300 trees of depth 6. Each thread that explains holds 8 KiB for each level of the deepest tree, and 1 KiB for
/// each feature.
#[derive(Debug, Clone)]
pub struct Explainer {
    programs: Vec<Program>,
    columns: Vec<Column>,
    depth: usize,
    base_value: f64,
    num_features: usize,
    instructions: Instructions,
}

impl Explainer {
    /// Compiles the ensemble's trees.
    pub fn new(ensemble: &TreeEnsemble) -> Self {
        Self::with_instructions(ensemble, Instructions::best())
    }

    /// Compiles for one instruction set, which the processor must have.
    pub(crate) fn with_instructions(ensemble: &TreeEnsemble, instructions: Instructions) -> Self {
        let columns = program::columns(ensemble);
        let position = |column: Column| columns.binary_search(&column).unwrap_or(0) as u32;
        let programs: Vec<Program> = ensemble.trees.par_iter().map(|tree| Program::new(tree, position)).collect();
        let depth = programs.iter().map(|program| program.depth).max().unwrap_or(0);
        let base_value = ensemble.base_margin + programs.iter().map(|program| program.expected).sum::<f64>();
        Self { programs, columns, depth, base_value, num_features: ensemble.num_features, instructions }
    }

    /// The margin that is expected when nothing is known about a row.
    pub fn base_value(&self) -> f64 {
        self.base_value
    }

    /// Explains rows given in row-major order (`width` values each, NaN = missing).
    ///
    /// The result is the same, to the bit, for any number of threads and on any processor.
    pub fn explain(&self, rows: &[f32], width: usize) -> Result<Explanations, Error> {
        if width != self.num_features || (width > 0 && !rows.len().is_multiple_of(width)) {
            return Err(Error::Width { given: rows.len(), expected: self.num_features });
        }
        let mut contributions = vec![0.0; rows.len()];
        if width > 0 {
            contributions.par_chunks_mut(LANES * width).zip(rows.par_chunks(LANES * width)).for_each_init(
                || Scratch::new(self.columns.len(), width, self.depth),
                |scratch, (out, block)| self.explain_block(block, out, scratch),
            );
        }
        Ok(Explanations::new(self.base_value, width, contributions))
    }

    fn explain_block(&self, block: &[f32], out: &mut [f64], scratch: &mut Scratch) {
        for (column, lanes) in self.columns.iter().zip(&mut scratch.columns) {
            column.fill(block, self.num_features, lanes);
        }
        scratch.contributions.fill(Lanes([0.0; LANES]));
        for program in &self.programs {
            self.instructions.run(program, scratch);
        }
        for (lane, row) in out.chunks_exact_mut(self.num_features).enumerate() {
            for (value, sum) in row.iter_mut().zip(&scratch.contributions) {
                *value = sum.0[lane];
            }
        }
    }
}
