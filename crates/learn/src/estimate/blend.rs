//! Trees and a regression together: the mean of their margins.
//!
//! Equal parts, not weights that are fitted to the folds (stacking): with two good rivals the weight is hardly determined by the data,
//! and a fitted one would need rows of its own to be judged fairly. What the mean gets wrong in scale, the calibration puts right.

use cscopilot_shap::{Explainer, Explanations};
use serde::{Deserialize, Serialize};

use crate::data::dataset::Table;
use crate::error::{Error, Result};
use crate::estimate::boosted::BoostedModel;
use crate::estimate::logistic::LogisticModel;

/// A fitted blend.
#[derive(Debug, Clone, PartialEq)]
pub struct BlendModel {
    /// The trees.
    pub boosted: BoostedModel,
    /// The regression.
    pub logistic: LogisticModel,
}

/// `blend.json`: which files' margins are added up, with which weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BlendFile {
    /// The parts.
    pub parts: Vec<BlendPart>,
}

/// A part of a blend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BlendPart {
    /// The part's file.
    pub file: String,
    /// What its margin is multiplied by.
    pub weight: f64,
}

impl BlendFile {
    /// Two files with the same weight.
    pub(super) fn of_equal_parts(files: [&str; 2]) -> Self {
        Self { parts: files.map(|file| BlendPart { file: file.to_owned(), weight: 0.5 }).into() }
    }
}

/// The mean of two margins.
fn mean(a: f64, b: f64) -> f64 {
    0.5 * (a + b)
}

/// The means of two lists.
pub(crate) fn means(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| mean(*a, *b)).collect()
}

/// What each of `width` features adds to the mean of two margins: the mean of what it adds to either.
pub(crate) fn together(a: &Explanations, b: &Explanations, width: usize) -> Explanations {
    let contributions = (0..a.len()).flat_map(|row| means(a.row(row), b.row(row))).collect();
    Explanations::new(mean(a.base_value(), b.base_value()), width, contributions)
}

impl BlendModel {
    /// The margins of rows.
    pub fn margins(&self, table: &Table, rows: &[usize]) -> Result<Vec<f64>> {
        Ok(means(&self.boosted.margins(table, rows)?, &self.logistic.margins(table, rows)))
    }

    /// What each feature adds to the margins of rows: the mean of what it adds to either part's.
    pub fn explain(&self, table: &Table, rows: &[usize]) -> Result<Explanations> {
        let width = table.columns.len();
        let ensemble = self.boosted.ensemble()?;
        let trees = Explainer::new(&ensemble).explain(&table.matrix(rows), width).map_err(Error::Explanation)?;
        Ok(together(&trees, &self.logistic.explain(table, rows)?, width))
    }
}
