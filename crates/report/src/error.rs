//! What can go wrong while the site is made.

use cscopilot_diag::{Coded, Diagnostics, Domain};

/// An error of the report.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Templates that don't compile, or that use what is not there.
    #[error("{0}")]
    Templates(Diagnostics),
    /// A chart that could not be drawn.
    #[error("a chart could not be drawn: {0}")]
    Chart(String),
    /// A page larger than a page may be.
    #[error("page {path} is {bytes} bytes, more than the {limit} that a page may have")]
    TooLarge {
        /// The page.
        path: String,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A file or object of the site that could not be written.
    #[error("the site could not be written: {what}")]
    Io {
        /// What was being done.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A table that lacks what its contract promises.
    #[error("table {table} {problem}")]
    Table {
        /// The table.
        table: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The lake.
    #[error(transparent)]
    Lake(#[from] cscopilot_lake::Error),
}

impl Error {
    /// A chart error, whatever the back end said.
    pub(crate) fn chart(cause: impl std::fmt::Display) -> Self {
        Self::Chart(cause.to_string())
    }

    /// An I/O error with what was being done.
    pub(crate) fn io(what: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Templates(_) => "RPT001",
            Self::Chart(_) => "RPT002",
            Self::TooLarge { .. } => "RPT003",
            Self::Io { .. } => "RPT004",
            Self::Table { .. } => "RPT005",
            Self::Lake(e) => e.code(),
        }
    }

    fn domain(&self) -> Domain {
        match self {
            Self::Templates(_) | Self::TooLarge { .. } | Self::Table { .. } => Domain::User,
            Self::Io { .. } => Domain::External,
            Self::Chart(_) => Domain::Internal,
            Self::Lake(e) => e.domain(),
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::TooLarge { .. } => Some("show less on it, or set a smaller `rows_per_page` in configs/site.yaml".to_owned()),
            Self::Io { .. } => Some("look at free space and rights of the lake's `site` folder, then run again".to_owned()),
            Self::Table { table, .. } => Some(format!("see the columns promised for {table} in the reference of tables")),
            Self::Lake(e) => e.help(),
            Self::Templates(_) | Self::Chart(_) => None,
        }
    }
}
