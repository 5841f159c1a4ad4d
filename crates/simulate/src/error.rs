//! What can go wrong, with stable codes.

use std::path::PathBuf;

use cscopilot_diag::{Coded, Domain};

/// Why nothing was simulated or served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A number that makes no company.
    #[error("can't simulate this company: {0}")]
    Config(String),
    /// A file couldn't be written or read.
    #[error("can't {doing} {path}", path = path.display())]
    Io {
        /// What was being done: `write`, `create`, `read`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The fake can't listen there.
    #[error("can't listen on 127.0.0.1:{port}")]
    Listen {
        /// The port asked for.
        port: u16,
        /// What the system said.
        source: std::io::Error,
    },
    /// The fake's kept state is no state of ours.
    #[error("can't understand the kept state {path}: {reason}", path = path.display())]
    State {
        /// The state file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    pub(crate) fn io(doing: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { doing, path, source }
    }
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Config(_) => "SIM001",
            Self::Io { .. } => "SIM002",
            Self::Listen { .. } => "SIM003",
            Self::State { .. } => "SIM004",
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Config(_) => "choose other numbers for --accounts, --months or --events-per-day".to_string(),
            Self::Io { .. } => "check that the folder exists, is writable, and that the disk isn't full".to_string(),
            Self::Listen { .. } => "choose another port, or 0 for any free one".to_string(),
            Self::State { path, .. } => format!("delete {} to start from the simulated records again", path.display()),
        })
    }

    fn domain(&self) -> Domain {
        match self {
            Self::Config(_) | Self::State { .. } => Domain::User,
            Self::Io { .. } | Self::Listen { .. } => Domain::External,
        }
    }
}
