//! How the past is cut into learning and judging.

use crate::At;
use schemars::JsonSchema;
use serde::Deserialize;

/// How the past is cut: development period, then, after a gap as long as the label's window, the test period.
///
/// Within the development period the estimators are compared, early stopping is decided and probabilities are calibrated
/// on folds that roll forward in time: each fold is predicted by a model of what lies before it, gap included.
///
/// A table whose rows have no order in time is cross-validated instead, on folds that a column names.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Split {
    /// Share of the rows, the latest ones, that are kept for the test.
    pub test_fraction: At<f64>,
    /// First `as_of` of the test period, instead of a share.
    pub test_from: Option<At<chrono::NaiveDate>>,
    /// How many folds the development period has.
    pub folds: At<u32>,
    /// Share of the development rows, the earliest ones, that the first fold's model learns from.
    pub first_train_fraction: At<f64>,
    /// Days between the end of what is learned from and what is judged on; the label's lead plus horizon without it.
    pub gap_days: Option<At<u32>>,
    /// At least this many different accounts with the event must be in the test period, else the model is refused.
    pub min_test_events: At<u32>,
    /// Earlier rows are left out of training.
    pub train_from: Option<At<chrono::NaiveDate>>,
    /// Instead of all that, for tables without a time axis: cross-validation on given folds.
    pub cross_validation: Option<CrossValidation>,
}

/// Cross-validation, for tables whose rows have no order in time. Each row is judged by a model that never saw its fold; the
/// model for tonight learns from all rows.
///
/// Whatever an estimator decides by later rows elsewhere (rounds, penalty, search) it decides on a stratified fifth of the rows
/// it may learn from, then learns from all of them. Probabilities of a fold are calibrated by the predictions of the others.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CrossValidation {
    /// The column of the features table (text or whole numbers) that says which fold a row belongs to. It is never a feature. All
    /// rows of an account belong to the same fold.
    pub fold_column: At<String>,
}

impl Default for Split {
    fn default() -> Self {
        Self {
            test_fraction: At::nowhere(0.3),
            test_from: None,
            folds: At::nowhere(3),
            first_train_fraction: At::nowhere(0.5),
            gap_days: None,
            min_test_events: At::nowhere(10),
            train_from: None,
            cross_validation: None,
        }
    }
}
