//! Connectors: files in folders and buckets become Arrow batches in the raw change log.
//!
//! One stream is one task ([`run`]): it lists the stream's files, leaves out those it has read, and appends the rows of the others to
//! `raw.<source>__<stream>`. What can't be read lands in `raw.<source>__<stream>__rejected` with reason and position.
//!
//! The way of a row: `files` (which files, what content) → `open` (decompressed, decoded) → `chunker` (cut at record
//! ends) → `codec` (places of values) → `convert` (typed arrays) → `parse` (the log's columns, cursor) → `run` (one commit).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod check;
mod chunker;
mod codec;
mod columnar;
mod convert;
mod cursor;
mod error;
mod files;
mod keys;
mod open;
mod parse;
mod plan;
mod read;
mod reject;
mod report;
mod run;
mod state;

pub use check::check;
pub use error::{Error, Result};
pub use plan::{TaskInfo, outputs, tasks};
pub use run::run;

#[cfg(test)]
mod roundtrip;
#[cfg(test)]
mod tests;
