//! Reverse ETL: columns of a table become fields of a CRM, or hashes in an online store.
//!
//! A CRM belongs to the people who work in it, so a sync writes as little as it can: only fields that its mapping owns, only where the value
//! changed, and never over what a person has edited since the last write. It reads the CRM's current values first. That makes it safe to
//! die anywhere: a value that is there already counts as written.
//!
//! [`run`] writes and logs each record in `ops.sync_log`; [`diff`] only says what would be written.
//!
//! [`publish`] writes the newest features and scores to a store of our own, which it may replace as it likes.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod check;
mod decide;
mod error;
mod log;
mod plan;
mod publish;
mod rows;
mod run;
mod salesforce;
mod value;

pub use check::check;
pub use error::{Error, Result};
pub use plan::{Task, outputs, tasks};
pub use publish::{publish, published_tables};
pub use run::{Action, Change, Diff, diff, run};

#[cfg(test)]
mod tests;
