//! What a trained model must reach to become champion.

use crate::At;
use schemars::JsonSchema;
use serde::Deserialize;

/// What a trained model must reach on the test slice to become champion.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Gates {
    /// The lower bound of the AUC's confidence interval must lie above this.
    pub min_auc_ci_low: At<f64>,
    /// Confidence of the intervals.
    pub confidence: At<f64>,
    /// Largest expected calibration error (quantile bins).
    pub max_calibration_error: At<f64>,
    /// The ratio of observed to expected events may lie between this and its inverse; it counts as off only when its whole
    /// confidence interval lies outside.
    pub max_calibration_ratio: At<f64>,
    /// How many bootstrap samples, drawn by account, make an interval.
    pub bootstrap_samples: At<u32>,
}

impl Default for Gates {
    fn default() -> Self {
        Self {
            min_auc_ci_low: At::nowhere(0.5),
            confidence: At::nowhere(0.95),
            max_calibration_error: At::nowhere(0.05),
            max_calibration_ratio: At::nowhere(1.5),
            bootstrap_samples: At::nowhere(1000),
        }
    }
}
