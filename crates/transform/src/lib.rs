//! SQL models: one `.sql` file is one table.
//!
//! - [`check`] compiles all of a project without data: syntax, tables, columns, types, parameters, headers, loops.
//! - [`tasks`] says what each model reads and writes, and what its fingerprint must cover.
//! - [`run`] makes one table: it computes the rows once, tests them while they wait, and publishes them in one commit.
//! - [`test`] runs the SQL unit tests, in memory.
//! - [`lineage`] follows tables and columns to their sources.
//!
//! Which tables a model depends on is read off its parsed SQL, so dropping a file into `sql/` is all it takes.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod arrival;
mod check;
mod checks;
mod compile;
mod condition;
mod diff;
mod error;
mod graph;
mod header;
mod incremental;
mod lineage;
mod locate;
mod parse;
mod project;
mod publish;
mod render;
mod rows;
mod run;
mod sorted;
mod stage;
mod unit_test;

pub use arrival::Embargoes;
pub use check::{Schemas, check_models};
pub use compile::{Model, Models, compile};
pub use error::{Error, Result};
pub use header::type_name;
pub use lineage::{Column, Graph, Node, lineage};
pub use project::{Task, check, model, models, params, tasks, test};
pub use run::{last_checks, run};
pub use unit_test::{TestResult, run_tests};

#[cfg(test)]
mod tests;
