//! Sources: files in folders and buckets, APIs and databases become Arrow batches in the raw change log.
//!
//! One stream is one task ([`run`]): it finds what is new, and appends its rows to `raw.<source>__<stream>`. What can't be read lands in
//! `raw.<source>__<stream>__rejected` with reason and position. APIs are in `rest`, databases in `database`; all else reads files. Bytes become
//! rows in `cscopilot-decode`; this crate gets the bytes and publishes the rows, whatever they come from by the same steps: `log`.
//!
//! The way of a file's row: `files` (which files, what content) → `read` (opened, decoded on all cores) → `run` (one commit).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod check;
mod database;
mod error;
mod files;
mod log;
mod plan;
mod read;
mod report;
mod rest;
mod run;
mod state;

pub use check::check;
pub use cscopilot_decode::Error as DecodeError;
pub use cscopilot_decode::page::PageError;
pub use error::{Error, Result};
pub use plan::{TaskInfo, outputs, tasks};
pub use rest::{Connections, Finding, RestError, StreamStatus, Tape, doctor, preview, status};
pub use run::run;

#[cfg(test)]
mod tests;
