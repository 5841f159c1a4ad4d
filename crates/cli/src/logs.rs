//! Logs go to stderr; `-v` and `-q` decide how much, `RUST_LOG` overrides.

use crate::args::{Format, Global};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts logging.
pub(crate) fn start(global: &Global) {
    let level = match (global.quiet, global.verbose) {
        (true, _) => "error",
        // It warns of statistics that empty tables don't have.
        (_, 0) => "warn,datafusion_common::pruning=error",
        (_, 1) => "info,cscopilot=debug,datafusion=warn,deltalake=warn,delta_kernel=warn",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(global.verbose > 0);
    match global.format {
        Format::Json => logs.json().init(),
        Format::Text => logs.with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()).without_time().init(),
    }
}
