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
    /// A file that was written while it was read.
    #[error("{path} changed while it was read")]
    Changed {
        /// The file.
        path: String,
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
    /// Bytes could not be turned into rows.
    #[error(transparent)]
    Decode(#[from] cscopilot_decode::Error),
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
        matches!(self, Self::Decode(error) if error.is_unsound_answer())
    }
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::NoStream { .. } => "EXT001",
            Self::Unresolved { .. } => "EXT005",
            Self::NoFiles { .. } => "EXT006",
            Self::BadPattern { .. } => "EXT007",
            Self::Changed { .. } => "EXT011",
            Self::TooManyRejected { .. } => "EXT016",
            Self::TypeChanged { .. } => "EXT017",
            Self::BadState { .. } => "EXT018",
            Self::Rest(error) => error.code(),
            Self::Decode(error) => error.code(),
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
            Self::Decode(error) => error.domain(),
            Self::Lake(error) => error.domain(),
            Self::DatabaseConnect { .. } | Self::DatabaseLost { .. } => Domain::External,
            Self::Changed { .. } => Domain::External,
            Self::Arrow(_) | Self::Task(_) | Self::BadState { .. } => Domain::Internal,
            _ => Domain::User,
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::NoStream { .. } => "see `configs/sources/`".to_owned(),
            Self::Unresolved { .. } => "set the variable, or pass `--param name=value`".to_owned(),
            Self::NoFiles { .. } => "check the path and the pattern, or set `optional: true` on the stream".to_owned(),
            Self::BadPattern { .. } => "`*` is any text in a name, `**` any folders, `?` one character".to_owned(),
            Self::Changed { .. } => "run again once the writer is done; let writers rename finished files into place".to_owned(),
            Self::TooManyRejected { .. } => {
                "mend the files or the declared types; `max_rejected_pct` allows more. Nothing was published".to_owned()
            }
            Self::TypeChanged { .. } => {
                "raw tables are never rewritten: declare the column under a new name, or drop the table to read everything anew".to_owned()
            }
            Self::BadState { .. } => "was it written by a newer version? Drop the table to read everything anew".to_owned(),
            Self::Rest(error) => return error.help(),
            Self::Decode(error) => return error.help(),
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
