//! Logistic regression with an elastic net, in `f64`, by Newton's method.
//!
//! Small data is where it wins, and small data has heavy tails and holes: each feature is pulled in at its outer quantiles,
//! taken logarithmically if its tail is heavy, filled with its median where it is missing (with an indicator beside it) and
//! standardised; categories become indicators. Everything that this needs is learned from the training rows and saved with the model.

mod inputs;
mod newton;

use cscopilot_shap::{Explanations, LinearModel};
use cscopilot_spec::LogisticRegression;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::data::dataset::Table;
use crate::error::{Error, Result};
use inputs::{design, inputs_of};
use newton::minimise;

pub use inputs::Input;
pub use newton::Penalty;

/// A fitted model: saved as `logistic.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogisticModel {
    /// Features in the order of the columns.
    pub features: Vec<String>,
    /// How the inputs are made.
    pub inputs: Vec<Input>,
    /// Strength of the penalty it was fitted with.
    pub penalty: f64,
    /// Which share of it was L1.
    pub l1_ratio: f64,
    /// The linear part.
    pub linear: LinearModel,
}

impl LogisticModel {
    /// The margins of rows.
    pub fn margins(&self, table: &Table, rows: &[usize]) -> Vec<f64> {
        let inputs = self.inputs.len();
        if inputs == 0 {
            return vec![self.linear.intercept; rows.len()];
        }
        design(&self.inputs, table, rows).par_chunks(inputs).map(|row| self.linear.margin(row)).collect()
    }

    /// What each feature adds to the margins of rows.
    pub fn explain(&self, table: &Table, rows: &[usize]) -> Result<Explanations> {
        let width = self.features.len();
        if self.inputs.is_empty() {
            return Ok(Explanations::new(self.linear.intercept, width, vec![0.0; rows.len() * width]));
        }
        let groups: Vec<usize> = self.inputs.iter().map(Input::feature).collect();
        self.linear.explain(&design(&self.inputs, table, rows), &groups, width).map_err(Error::Explanation)
    }
}

/// Training rows made ready once, to be fitted with several penalties.
pub struct Prepared {
    features: Vec<String>,
    inputs: Vec<Input>,
    design: Vec<f64>,
    events: Vec<bool>,
}

impl Prepared {
    /// Learns the inputs from the training rows.
    pub fn new(table: &Table, rows: &[usize], events: Vec<bool>, settings: &LogisticRegression) -> Self {
        let inputs: Vec<Input> =
            (0..table.columns.len()).into_par_iter().flat_map_iter(|feature| inputs_of(feature, table, rows, settings)).collect();
        let design = design(&inputs, table, rows);
        Self { features: table.features.clone(), inputs, design, events }
    }

    /// Fits with one penalty, from the coefficients of another fit if there is one.
    pub fn fit(&self, penalty: Penalty, start: Option<&LogisticModel>) -> Result<LogisticModel> {
        let start = start.map(|m| (m.linear.intercept, m.linear.coefficients.clone()));
        let (intercept, coefficients) = minimise(&self.design, self.inputs.len(), &self.events, penalty, start)?;
        // Inputs are standardised on the training rows: their means are zero there.
        let means = vec![0.0; coefficients.len()];
        let linear = LinearModel { intercept, coefficients, means };
        let Penalty { strength, l1_ratio } = penalty;
        Ok(LogisticModel { features: self.features.clone(), inputs: self.inputs.clone(), penalty: strength, l1_ratio, linear })
    }
}

#[cfg(test)]
mod tests;
