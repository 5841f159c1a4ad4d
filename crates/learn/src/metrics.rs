//! What predictions are worth, and how sure one can be of it.

pub mod bootstrap;
pub mod measure;
pub mod profit;
mod psi;
mod rank;
mod ranking;
mod slope;

pub use psi::{psi, psi_by_chance};
pub use rank::rank_correlation;
pub use ranking::{Bin, auc, average_precision, brier, calibration_bins, calibration_error, captured, lift, log_loss, logit, sigmoid};
pub use slope::calibration_slope;
