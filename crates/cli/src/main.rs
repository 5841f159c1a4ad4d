//! `cscopilot`: the command line.
//!
//! Data goes to stdout, logs and progress to stderr. Exit codes: 0 done, 1 failed, 2 the project or the command line is
//! wrong and nothing was started, 3 done with rejected records or refused rows.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
// The one crate that talks to the terminal.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod args;
mod commands;
mod context;
mod logs;
mod render;

use args::Cli;
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    logs::start(&cli.global);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(8 << 20).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the program can't start its threads: {error}");
            return ExitCode::from(1);
        }
    };
    let global = cli.global.clone();
    let exit = match runtime.block_on(commands::dispatch(cli)) {
        Ok(exit) => exit,
        Err(failure) => {
            render::diagnostics::print(&failure.diagnostics, &global);
            failure.exit
        }
    };
    // Work that a failed task left behind must not keep the process alive.
    runtime.shutdown_background();
    ExitCode::from(exit.code())
}
