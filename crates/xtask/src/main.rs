//! Development chores: generated files, the rules of the house as tests, benchmarks.
#![allow(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod bench;
#[cfg(test)]
mod house;
mod schemas;
mod study;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Development chores.
#[derive(Debug, Parser)]
struct Xtask {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Writes schemas/ from the types
    Schemas {
        /// Fails if they differ instead
        #[arg(long)]
        check: bool,
    },
    /// Studies models on simulated companies
    Study {
        #[command(subcommand)]
        what: study::Study,
    },
    /// Measures; prints JSON
    Bench {
        #[command(subcommand)]
        what: bench::Bench,
    },
}

fn main() -> ExitCode {
    let done = match Xtask::parse().chore {
        Chore::Schemas { check } => schemas::run(&root(), check),
        Chore::Study { what } => study::run(&root(), &what),
        Chore::Bench { what } => bench::run(&root(), &what),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

/// The repository's root.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}
