//! Models: datasets, training, calibration, explanation, registry and scoring.
//!
//! Start with [`run`], the learn step: it trains a model where that is due and scores tonight's accounts. The way of a
//! training: [`data::frame`] joins features with labels through the lake's SQL and hands the rows over from Arrow without a copy
//! (`data::bridge`); [`data::split`] cuts the past; [`estimate::validate`] lets the estimators compete on folds that roll forward in time;
//! [`mod@train`] judges the winner on a later slice, [`promote`] asks the gates; [`registry`] keeps what was made; [`score`] uses it.
//!
//! # Invariants
//! - What is learned from ends a whole label window before what is judged on begins.
//! - The test slice decides on promotion and on nothing else.
//! - Same rows, settings and date: byte-identical model, card and scores.
//! - Reasons add up to the margin that the model itself gives, or scoring fails.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod calibrate;
pub mod check;
pub mod data;
pub mod drift;
mod error;
pub mod estimate;
#[cfg(test)]
mod night;
pub mod promote;
pub mod registry;
pub mod score;
pub mod step;
#[cfg(test)]
mod studies;
#[cfg(test)]
mod subscriptions;
#[cfg(test)]
mod ten_nights;
pub mod train;

use cscopilot_metrics as metrics;

pub use check::{Task, check, outputs, reads_writes};
pub use data::leaks::{Leak, differences, leaks};
pub use error::{Error, Result};
pub use registry::compare::{Comparison, FigurePair, VersionName};
pub use registry::decisions::{Action, Decision, promote, rollback};
pub use registry::runs::ModelRun;
pub use registry::{Aliases, aliases};
pub use score::explain::{Contribution, Explained, ModelVersion, explain, models};
pub use score::reasons::Reason;
pub use step::{run, score, train};
