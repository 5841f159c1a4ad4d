//! Sources: files in folders and buckets, APIs and databases become Arrow batches in the raw change log.
//!
//! One stream is one task ([`run`]): it finds what is new, and appends its rows to `raw.<source>__<stream>`. What can't be read lands in
//! `raw.<source>__<stream>__rejected` with reason and position. APIs are in `rest` and `page`, databases in `database`; all else reads files.
//!
//! The way of a file's row: `files` (which files, what content) → `open` (decompressed, decoded) → `chunker` (cut at record
//! ends) → `codec` (places of values) → `convert` (typed arrays) → `parse` (the log's columns, cursor) → `run` (one commit).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod check;
mod chunker;
mod codec;
mod columnar;
mod convert;
mod cursor;
mod database;
mod error;
mod files;
mod keys;
mod open;
mod page;
mod parse;
mod plan;
mod read;
mod reject;
mod report;
mod rest;
mod run;
mod state;

pub use check::check;
pub use error::{Error, Result};
pub use page::PageError;
pub use plan::{TaskInfo, outputs, tasks};
pub use rest::{Connections, Finding, RestError, StreamStatus, Tape, doctor, preview, status};
pub use run::run;

#[cfg(test)]
mod roundtrip;
#[cfg(test)]
mod tests;
