//! Exact SHAP values of a linear model, features taken as independent.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::explanations::Explanations;

/// A linear model `intercept + Σ coefficient · x` with the background means of its inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinearModel {
    /// Constant term.
    pub intercept: f64,
    /// One coefficient per input.
    pub coefficients: Vec<f64>,
    /// Mean of each input over the training rows: the background that a contribution is measured against.
    pub means: Vec<f64>,
}

impl LinearModel {
    /// The margin of a row.
    pub fn margin(&self, row: &[f64]) -> f64 {
        self.intercept + self.coefficients.iter().zip(row).map(|(c, x)| c * x).sum::<f64>()
    }

    /// The margin at the background means.
    pub fn base_value(&self) -> f64 {
        self.margin(&self.means)
    }

    /// Contributions `coefficient · (x − mean)`, added up by group.
    ///
    /// `groups[i]` is the feature that input `i` was derived from: a value and its missing indicator are one
    /// feature to the reader. The result has `width` features.
    pub fn explain(&self, rows: &[f64], groups: &[usize], width: usize) -> Result<Explanations, Error> {
        let inputs = self.coefficients.len();
        if inputs == 0 || !rows.len().is_multiple_of(inputs) {
            return Err(Error::Width { given: rows.len(), expected: inputs });
        }
        if groups.len() != inputs || groups.iter().any(|g| *g >= width) {
            return Err(Error::Groups { given: groups.len(), features: inputs, width });
        }
        let mut contributions = vec![0.0; rows.len() / inputs * width];
        for (row, out) in rows.chunks_exact(inputs).zip(contributions.chunks_exact_mut(width)) {
            for (input, x) in row.iter().enumerate() {
                out[groups[input]] += self.coefficients[input] * (x - self.means[input]);
            }
        }
        Ok(Explanations::new(self.base_value(), width, contributions))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contributions_of_grouped_inputs_add_up_to_the_margin() {
        let model = LinearModel { intercept: -0.5, coefficients: vec![2.0, -1.0, 0.25], means: vec![0.5, 1.0, 4.0] };
        let rows = [1.0, 0.0, 4.0, -3.0, 2.0, 0.0];
        let explained = model.explain(&rows, &[0, 0, 1], 2).unwrap();
        assert_eq!(explained.row(0), [2.0, 0.0]);
        for (i, row) in rows.chunks(3).enumerate() {
            assert!((explained.margin(i) - model.margin(row)).abs() < 1e-12);
        }
        assert!(model.explain(&rows, &[0, 0], 2).is_err());
    }
}
