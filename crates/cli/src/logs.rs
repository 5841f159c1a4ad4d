//! Logs go to stderr; `-v` and `-q` decide how much, `RUST_LOG` overrides.

use crate::args::{Format, Global};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts logging.
pub(crate) fn start(global: &Global) {
    let level = match (global.quiet, global.verbose) {
        (true, _) => "error",
        // Delta warns of statistics that columns of partitions don't have.
        (_, 0) => "warn,deltalake_core=error,delta_kernel=error,buoyant_kernel=error",
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
