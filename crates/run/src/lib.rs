//! Runs a pipeline: plans it as a graph of tasks, executes it, keeps a journal, retries.
//!
//! A pipeline's steps are expanded into tasks (one a stream, a SQL file, a model; see [`task`]). Tasks are ordered by the
//! tables they read and write; independent ones run in parallel. Each finished task leaves one journal entry, put only if
//! absent, so that a killed run is taken up where it stopped ([`retry`]). A task whose inputs, definition and date are
//! those of its last success is not run again ([`plan`]).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod adapt;
mod check;
mod check_tests;
mod error;
mod events;
mod execute;
mod expand;
mod fingerprint;
mod graph;
mod history;
mod journal;
mod plan;
mod quality;
mod select;
mod session;
mod state;
mod summary;
pub mod task;

pub use check::{Checked, base_schemas, check};
pub use error::{Error, TaskError};
pub use events::{Event, Observer, Silent};
pub use plan::{Plan, Planned, PlannedTask, plan};
pub use session::{RunOptions, Runner, SyncError, extract, lone_step, pending, retry, run, sync};
pub use summary::{RunSummary, TaskStatus, TaskSummary};
