//! From features and scores to what a customer success manager should do: health, alerts, opportunities, next actions.
//!
//! All judgement is in the project's YAML: SQL expressions over one row per account. This crate turns each file into one
//! set-wise query ([`health`] over the features table, [`rules`] over tonight's row), and keeps the little state there
//! is: which alerts were open before tonight ([`alerts`]) and since when an action is advised ([`actions`]).
//!
//! Everything is a function of `as_of`, the tables read and the state *before* `as_of`, so a step can be repeated.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod actions;
pub mod alerts;
mod check;
mod error;
pub mod health;
pub mod opportunities;
mod outputs;
pub mod rules;
mod sql;
mod tasks;

#[cfg(test)]
mod testing;

pub use actions::run_actions;
pub use alerts::run_alerts;
pub use check::check;
pub use error::{Error, Result};
pub use health::run_health;
pub use opportunities::run_opportunities;
pub use outputs::outputs;
pub use tasks::{Task, tasks};
