//! What predictions are worth, and how sure one can be of it: figures of ranking, calibration and profit, and their intervals.
//!
//! A crate of its own because a bootstrap walks over all rows a thousand times: these loops are compiled with all optimisations also in
//! development, and need nothing of the rest.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod bootstrap;
pub mod measure;
pub mod profit;
mod psi;
mod rank;
mod ranking;
mod slope;
mod walk;

pub use psi::{psi, psi_by_chance};
pub use rank::rank_correlation;
pub use ranking::{Bin, auc, average_precision, brier, calibration_bins, calibration_error, captured, lift, log_loss, logit, sigmoid};
pub use slope::calibration_slope;
