//! What predictions are worth, and how sure one can be of it.

pub mod bootstrap;
mod ranking;

pub use ranking::{Bin, auc, average_precision, brier, calibration_bins, calibration_error, captured, lift, log_loss, logit, sigmoid};
