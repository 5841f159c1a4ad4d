use cscopilot_diag::{Coded, Domain};

/// Why a stream could not be read. Nothing of the stream was published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The project has no such source or stream.
    #[error("there is no stream `{stream}` in a source `{source_name}`")]
    NoStream {
        /// The source asked for.
        source_name: String,
        /// The stream asked for.
        stream: String,
    },
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
    /// A text of the project that could not be resolved.
    #[error("`{text}` can't be resolved: {reason}")]
    Unresolved {
        /// The text as written.
        text: String,
        /// Why.
        reason: String,
    },
    /// No file matches, and the stream is not optional.
    #[error("no file matches `{pattern}` in {root}")]
    NoFiles {
        /// The pattern.
        pattern: String,
        /// The folder or bucket.
        root: String,
    },
    /// A pattern that is none.
    #[error("`{pattern}` is not a file pattern: {reason}")]
    BadPattern {
        /// The pattern.
        pattern: String,
        /// Why.
        reason: String,
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
    /// A file that was written while it was read.
    #[error("{path} changed while it was read")]
    Changed {
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
    /// More rows were rejected than the declaration allows.
    #[error("{rejected} of {total} rows of {table} can't be read ({pct:.2} %, allowed are {allowed} %): {summary}")]
    TooManyRejected {
        /// The raw table.
        table: String,
        /// How many.
        rejected: u64,
        /// Of how many.
        total: u64,
        /// The same as percent.
        pct: f64,
        /// `max_rejected_pct`.
        allowed: f64,
        /// The reasons, most frequent first, with an example each.
        summary: String,
    },
    /// The table has a column of another type than is declared now.
    #[error("{table}.{column} holds {stored} but is declared as {declared}")]
    TypeChanged {
        /// The raw table.
        table: String,
        /// The column.
        column: String,
        /// The type in the table.
        stored: String,
        /// The declared type.
        declared: String,
    },
    /// The state kept with the table can't be understood.
    #[error("the state of {table} can't be read: {reason}")]
    BadState {
        /// The raw table.
        table: String,
        /// Why.
        reason: String,
    },
    /// An API's stream could not be read to its end.
    #[error(transparent)]
    Rest(Box<crate::rest::RestError>),
    /// An API's answer could not be turned into rows.
    #[error(transparent)]
    Page(#[from] crate::page::PageError),
    /// An address that is none.
    #[error("the address of the database can't be understood: {reason}")]
    DatabaseAddress {
        /// Why; without secrets.
        reason: String,
    },
    /// A database that can't be reached, or doesn't let us in.
    #[error("can't connect to the database: {reason}")]
    DatabaseConnect {
        /// What the driver says; without secrets.
        reason: String,
    },
    /// A query that the database refuses.
    #[error("the database refuses to read {what}: {reason}")]
    DatabaseRefused {
        /// The table or stream.
        what: String,
        /// What the database says; without secrets.
        reason: String,
    },
    /// A connection that was lost while rows were read.
    #[error("reading {what} was cut off: {reason}")]
    DatabaseLost {
        /// The table or stream.
        what: String,
        /// What the driver says; without secrets.
        reason: String,
    },
    /// An ADBC driver that can't be loaded.
    #[error("the ADBC driver `{driver}` can't be loaded: {reason}")]
    NoDriver {
        /// The driver's name or path.
        driver: String,
        /// Why.
        reason: String,
    },
    /// A SQLite database that isn't there.
    #[error("there is no database file {path}")]
    NoDatabaseFile {
        /// The file.
        path: String,
    },
    /// The lake refused.
    #[error(transparent)]
    Lake(#[from] cscopilot_lake::Error),
    /// A batch could not be built.
    #[error("a batch of rows can't be built")]
    Arrow(#[from] arrow::error::ArrowError),
    /// A task of ours ended without a result.
    #[error("a reading task stopped: {0}")]
    Task(String),
}

impl Error {
    /// Whether an API's answer is cut or damaged, so that asking again may help.
    pub(crate) fn is_unsound_answer(&self) -> bool {
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
            Self::NoStream { .. } => "EXT001",
            Self::UnknownFormat { .. } => "EXT002",
            Self::UnknownEncoding { .. } => "EXT003",
            Self::UnknownZone { .. } => "EXT004",
            Self::Unresolved { .. } => "EXT005",
            Self::NoFiles { .. } => "EXT006",
            Self::BadPattern { .. } => "EXT007",
            Self::Read { .. } => "EXT008",
            Self::Truncated { .. } => "EXT009",
            Self::NotCompressed { .. } => "EXT010",
            Self::Changed { .. } => "EXT011",
            Self::NoHeader { .. } => "EXT012",
            Self::NoColumn { .. } => "EXT013",
            Self::ColumnTwice { .. } => "EXT014",
            Self::Parquet { .. } => "EXT015",
            Self::TooManyRejected { .. } => "EXT016",
            Self::TypeChanged { .. } => "EXT017",
            Self::BadState { .. } => "EXT018",
            Self::Rest(error) => error.code(),
            Self::Page(error) => error.code(),
            Self::DatabaseAddress { .. } => "EXT050",
            Self::DatabaseConnect { .. } => "EXT051",
            Self::DatabaseRefused { .. } => "EXT052",
            Self::DatabaseLost { .. } => "EXT053",
            Self::NoDriver { .. } => "EXT054",
            Self::NoDatabaseFile { .. } => "EXT055",
            Self::Lake(error) => error.code(),
            Self::Arrow(_) => "EXT098",
            Self::Task(_) => "EXT099",
        }
    }

    fn domain(&self) -> Domain {
        match self {
            Self::Rest(error) => error.domain(),
            Self::Page(error) => error.domain(),
            Self::Lake(error) => error.domain(),
            Self::DatabaseConnect { .. } | Self::DatabaseLost { .. } => Domain::External,
            Self::Read { .. } | Self::Truncated { .. } | Self::Changed { .. } => Domain::External,
            Self::Arrow(_) | Self::Task(_) | Self::BadState { .. } => Domain::Internal,
            _ => Domain::User,
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::NoStream { .. } => "see `configs/sources/`".to_owned(),
            Self::UnknownFormat { .. } => "add `format: {csv: {}}`, `format: {jsonl: {}}` or `format: {parquet: {}}`".to_owned(),
            Self::UnknownEncoding { .. } => "take a web label such as utf-8, windows-1252, iso-8859-15, utf-16le, shift_jis".to_owned(),
            Self::UnknownZone { .. } => "take a name such as `Europe/Berlin` or an offset such as `+02:00`".to_owned(),
            Self::Unresolved { .. } => "set the variable, or pass `--param name=value`".to_owned(),
            Self::NoFiles { .. } => "check the path and the pattern, or set `optional: true` on the stream".to_owned(),
            Self::BadPattern { .. } => "`*` is any text in a name, `**` any folders, `?` one character".to_owned(),
            Self::Read { .. } => "check that the file exists and that this process may read it".to_owned(),
            Self::Truncated { .. } => "the file is cut or damaged: have it written again; nothing of it was published".to_owned(),
            Self::NotCompressed { .. } => "rename the file, or have it written again".to_owned(),
            Self::Changed { .. } => "run again once the writer is done; let writers rename finished files into place".to_owned(),
            Self::NoHeader { .. } => "if files really have none, set `header: false`".to_owned(),
            Self::NoColumn { column, found, .. } => {
                let hint = cscopilot_diag::suggest::help(column, found.iter().map(String::as_str)).unwrap_or_default();
                format!("{hint} (set `from:` to the file's name of the column, or `optional: true`)").trim_start().to_owned()
            }
            Self::ColumnTwice { .. } => "rename one of them in the file, or remove the column from the declaration".to_owned(),
            Self::Parquet { .. } => "have the file written again; nothing of it was published".to_owned(),
            Self::TooManyRejected { .. } => {
                "mend the files or the declared types; `max_rejected_pct` allows more. Nothing was published".to_owned()
            }
            Self::TypeChanged { .. } => {
                "raw tables are never rewritten: declare the column under a new name, or drop the table to read everything anew".to_owned()
            }
            Self::BadState { .. } => "was it written by a newer version? Drop the table to read everything anew".to_owned(),
            Self::Rest(error) => return error.help(),
            Self::Page(error) => return error.help(),
            Self::DatabaseAddress { .. } => {
                "write `postgres://user:password@host:5432/database`; signs such as `@` in a password become `%40`".to_owned()
            }
            Self::DatabaseConnect { .. } => {
                "check address, user, password and what the URL says of TLS; the database must be reachable from here".to_owned()
            }
            Self::DatabaseRefused { .. } => "check the names in `table`, `query` and `from`, and that the user may read them".to_owned(),
            Self::DatabaseLost { .. } => "run again: windows that were committed stay, and the stream goes on from there".to_owned(),
            Self::NoDriver { .. } => {
                "install the driver, such as PyPI's `adbc-driver-postgresql`, and give the path of its shared library in `driver:`"
                    .to_owned()
            }
            Self::NoDatabaseFile { .. } => "check `path:` of the source; a relative one starts at the project".to_owned(),
            Self::Lake(error) => return error.help(),
            Self::Arrow(_) | Self::Task(_) => return None,
        })
    }
}

/// The result of this crate.
pub type Result<T> = std::result::Result<T, Error>;
