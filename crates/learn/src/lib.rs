//! Models: datasets, training, calibration, explanation, registry and scoring.
//!
//! Start with [`run`], the learn step: it trains a model where that is due and scores tonight's accounts. The way of a
//! training: [`frame`] joins features with labels through the lake's SQL and hands the rows over from Arrow without a copy
//! ([`bridge`]); [`split`] cuts the past; [`validate`] lets the estimators compete on folds that roll forward in time;
//! [`train`] judges the winner on a later slice and decides; [`registry`] keeps what was made; [`score`] uses it.
//!
//! # Invariants
//! - What is learned from ends a whole label window before what is judged on begins.
//! - The test slice decides on promotion and on nothing else.
//! - Same rows, settings and date: byte-identical model, card and scores.
//! - Reasons add up to the margin that the model itself gives, or scoring fails.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod boosted;
pub mod bootstrap;
mod bridge;
pub mod calibrate;
pub mod card;
pub mod check;
pub mod dataset;
mod error;
pub mod explain;
pub mod frame;
pub mod leaks;
pub mod logistic;
pub mod metrics;
pub mod model;
#[cfg(test)]
mod night;
pub mod reasons;
pub mod registry;
pub mod runs;
pub mod score;
pub mod split;
pub mod step;
pub mod train;
pub mod validate;

pub use check::{Task, check, outputs, reads_writes};
pub use error::{Error, Result};
pub use explain::{Contribution, Explained, ModelVersion, explain, models};
pub use leaks::{Leak, differences, leaks};
pub use reasons::Reason;
pub use registry::{Aliases, aliases};
pub use runs::ModelRun;
pub use step::{run, score, train};
