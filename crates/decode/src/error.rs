use crate::page::PageError;
use cscopilot_diag::{Coded, Domain};

/// Why bytes can't become rows. The codes are those of extraction, of which decoding is a part.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Neither the declaration nor the name tells how the files are written.
    #[error("the ending of `{files}` doesn't tell how the files are written")]
    UnknownFormat {
        /// The pattern.
        files: String,
    },
    /// An encoding that nobody knows.
    #[error("`{label}` is no known encoding")]
    UnknownEncoding {
        /// What was declared.
        label: String,
    },
    /// A zone that nobody knows.
    #[error("`{zone}` is no known time zone")]
    UnknownZone {
        /// What was declared.
        zone: String,
    },
    /// A file or folder that can't be read.
    #[error("can't read {path}: {reason}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// Compressed data that ends early or is damaged.
    #[error("{path} can't be decompressed beyond line {line} (byte {byte} of the text): {reason}")]
    Truncated {
        /// The file.
        path: String,
        /// The line up to which the text was whole.
        line: u64,
        /// Its position in the decompressed text.
        byte: u64,
        /// Why.
        reason: String,
    },
    /// A file whose name promises compression that it lacks.
    #[error("{path} is named like a compressed file but isn't one")]
    NotCompressed {
        /// The file.
        path: String,
    },
    /// A file without the header that was declared.
    #[error("{path} has no header")]
    NoHeader {
        /// The file.
        path: String,
    },
    /// A header or Parquet schema that lacks a declared column.
    #[error("{path} has no column `{column}`")]
    NoColumn {
        /// The file.
        path: String,
        /// The column as files should name it.
        column: String,
        /// The columns that are there.
        found: Vec<String>,
    },
    /// A header that names a wanted column twice.
    #[error("{path} has the column `{column}` twice")]
    ColumnTwice {
        /// The file.
        path: String,
        /// The column.
        column: String,
    },
    /// A Parquet file that can't be read as such.
    #[error("{path} is not a readable Parquet file: {reason}")]
    Parquet {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// An API's answer could not be turned into rows.
    #[error(transparent)]
    Page(#[from] PageError),
    /// A batch could not be built.
    #[error("a batch of rows can't be built")]
    Arrow(#[from] arrow::error::ArrowError),
    /// A database sent a row with another number of values than was asked for, which none does.
    #[error("a reading task stopped: a row has {found} values where {wanted} were asked for")]
    ValueCount {
        /// How many there are.
        found: usize,
        /// How many were asked for.
        wanted: usize,
    },
}

impl Error {
    /// The error of a file or folder that can't be read.
    #[must_use]
    pub fn read(path: &str, reason: &dyn std::fmt::Display) -> Self {
        Self::Read { path: path.to_owned(), reason: reason.to_string() }
    }

    /// The error of a file or table that lacks a column.
    #[must_use]
    pub fn no_column(path: &str, column: &str, found: &[String]) -> Self {
        Self::NoColumn { path: path.to_owned(), column: column.to_owned(), found: found.to_vec() }
    }

    /// Whether an API's answer is cut or damaged, so that asking again may help.
    #[must_use]
    pub fn is_unsound_answer(&self) -> bool {
        match self {
            Self::Truncated { .. } => true,
            Self::Page(error) => error.is_unsound(),
            _ => false,
        }
    }
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownFormat { .. } => "EXT002",
            Self::UnknownEncoding { .. } => "EXT003",
            Self::UnknownZone { .. } => "EXT004",
            Self::Read { .. } => "EXT008",
            Self::Truncated { .. } => "EXT009",
            Self::NotCompressed { .. } => "EXT010",
            Self::NoHeader { .. } => "EXT012",
            Self::NoColumn { .. } => "EXT013",
            Self::ColumnTwice { .. } => "EXT014",
            Self::Parquet { .. } => "EXT015",
            Self::Page(error) => error.code(),
            Self::Arrow(_) => "EXT098",
            Self::ValueCount { .. } => "EXT099",
        }
    }

    fn domain(&self) -> Domain {
        match self {
            Self::Page(error) => error.domain(),
            Self::Read { .. } | Self::Truncated { .. } => Domain::External,
            Self::Arrow(_) | Self::ValueCount { .. } => Domain::Internal,
            _ => Domain::User,
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::UnknownFormat { .. } => "add `format: {csv: {}}`, `format: {jsonl: {}}` or `format: {parquet: {}}`".to_owned(),
            Self::UnknownEncoding { .. } => "take a web label such as utf-8, windows-1252, iso-8859-15, utf-16le, shift_jis".to_owned(),
            Self::UnknownZone { .. } => "take a name such as `Europe/Berlin` or an offset such as `+02:00`".to_owned(),
            Self::Read { .. } => "check that the file exists and that this process may read it".to_owned(),
            Self::Truncated { .. } => "the file is cut or damaged: have it written again; nothing of it was published".to_owned(),
            Self::NotCompressed { .. } => "rename the file, or have it written again".to_owned(),
            Self::NoHeader { .. } => "if files really have none, set `header: false`".to_owned(),
            Self::NoColumn { column, found, .. } => {
                let hint = cscopilot_diag::suggest::help(column, found.iter().map(String::as_str)).unwrap_or_default();
                format!("{hint} (set `from:` to the file's name of the column, or `optional: true`)").trim_start().to_owned()
            }
            Self::ColumnTwice { .. } => "rename one of them in the file, or remove the column from the declaration".to_owned(),
            Self::Parquet { .. } => "have the file written again; nothing of it was published".to_owned(),
            Self::Page(error) => return error.help(),
            Self::Arrow(_) | Self::ValueCount { .. } => return None,
        })
    }
}

/// The result of this crate.
pub type Result<T> = std::result::Result<T, Error>;
