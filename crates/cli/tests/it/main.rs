//! The binary as users meet it: commands, exit codes, files.
//!
//! One test binary for all of it; it links nothing of ours but starts `cscopilot`. Tests over the shared real data take its folder
//! from `CSCOPILOT_SHARED` and print one line when it is absent.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod bad_projects;
mod buckets;
mod connector_faults;
mod connector_localstripe;
mod connector_ninth;
mod connector_subset;
mod connectors;
mod examples;
mod killed;
mod leak;
mod models;
mod nightly;
mod support;
