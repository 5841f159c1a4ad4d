//! What can go wrong in the lake.

use cscopilot_diag::{Coded, Domain};
use datafusion::error::DataFusionError;

use crate::{SqlError, TableName};

/// A result of the lake.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in the lake.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A table's name is not `schema.table` in snake_case.
    #[error("`{name}` is not a table name")]
    BadName {
        /// What was given.
        name: String,
    },
    /// The lake's location can't be used.
    #[error("the lake can't be opened at `{location}`: {reason}")]
    BadLocation {
        /// What was given.
        location: String,
        /// Why not.
        reason: String,
    },
    /// The object store failed.
    #[error("the lake's storage failed: {what}")]
    Storage {
        /// What was being done.
        what: String,
        /// What the store said.
        #[source]
        source: object_store::Error,
    },
    /// The local disk failed.
    #[error("the disk failed: {what}")]
    Disk {
        /// What was being done.
        what: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Delta Lake failed.
    #[error("table `{table}` can't be read or written")]
    Delta {
        /// The table.
        table: TableName,
        /// What delta said.
        #[source]
        source: Box<deltalake::DeltaTableError>,
    },
    /// SQL that can't be planned.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// A query that failed while running.
    #[error("the query failed")]
    Query(#[source] Box<DataFusionError>),
    /// The rows to be written could not be produced.
    #[error("the rows for `{table}` could not be produced")]
    Data {
        /// The table.
        table: TableName,
        /// Why not.
        #[source]
        source: Box<DataFusionError>,
    },
    /// A file could not be written or read as Parquet.
    #[error("a parquet file of `{table}` can't be {action}")]
    Parquet {
        /// The table.
        table: TableName,
        /// `written` or `read`.
        action: &'static str,
        /// What parquet said.
        #[source]
        source: Box<parquet::errors::ParquetError>,
    },
    /// The schema policy refuses the data's schema.
    #[error("the columns of `{table}` don't fit: {problem}")]
    Schema {
        /// The table.
        table: TableName,
        /// What differs.
        problem: String,
        /// What to do.
        help: String,
    },
    /// A column has a type that no table can hold.
    #[error("column `{column}` has the type {data_type}, which can't be stored")]
    UnsupportedType {
        /// The column.
        column: String,
        /// Its type.
        data_type: String,
    },
    /// A merge got the same key twice.
    #[error("the rows to be merged into `{table}` hold the key {key} more than once")]
    DuplicateKey {
        /// The table.
        table: TableName,
        /// The first such key.
        key: String,
    },
    /// A write that can't be done, such as a partition column that the data lacks.
    #[error("the write to `{table}` can't be done: {problem}")]
    BadWrite {
        /// The table.
        table: TableName,
        /// Why not.
        problem: String,
    },
    /// Other writers kept winning.
    #[error("other writers changed `{table}` {attempts} times while this commit was being made")]
    Conflict {
        /// The table.
        table: TableName,
        /// How often it was tried.
        attempts: u32,
    },
    /// A table that isn't there.
    #[error("there is no table `{table}` in the lake")]
    NoTable {
        /// The table.
        table: TableName,
    },
    /// An object's path outside the folders for objects.
    #[error("`{path}` is not a path of the lake's objects")]
    BadPath {
        /// What was given.
        path: String,
    },
    /// An object that is not the JSON it should be.
    #[error("`{path}` in the lake is not what it should be")]
    Json {
        /// Its path.
        path: String,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// A failpoint of a test fired.
    #[error("failpoint `{0}` fired")]
    Failpoint(&'static str),
}

impl Error {
    pub(crate) fn storage(what: impl Into<String>) -> impl FnOnce(object_store::Error) -> Self {
        let what = what.into();
        move |source| Self::Storage { what, source }
    }

    pub(crate) fn disk(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Disk { what, source }
    }

    pub(crate) fn delta(table: &TableName) -> impl FnOnce(deltalake::DeltaTableError) -> Self + use<> {
        let table = table.clone();
        move |source| Self::Delta { table, source: Box::new(source) }
    }

    pub(crate) fn query(source: DataFusionError) -> Self {
        Self::Query(Box::new(source))
    }

    /// The caller's own error, when the stream of rows it handed over failed with it (see [`crate::stream_error`]).
    #[must_use]
    pub fn from_producer<E: std::error::Error + 'static>(&self) -> Option<&E> {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = cause {
            if let Some(found) = error.downcast_ref::<E>() {
                return Some(found);
            }
            if let Some(DataFusionError::External(inner)) = error.downcast_ref::<DataFusionError>()
                && let Some(found) = inner.downcast_ref::<E>()
            {
                return Some(found);
            }
            cause = error.source();
        }
        None
    }
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::BadName { .. } => "LAK001",
            Self::BadLocation { .. } => "LAK002",
            Self::Storage { .. } => "LAK003",
            Self::Disk { .. } => "LAK004",
            Self::Delta { .. } => "LAK005",
            Self::Sql(error) => error.code(),
            Self::Query(_) => "LAK007",
            Self::Data { .. } => "LAK008",
            Self::Parquet { .. } => "LAK009",
            Self::Schema { .. } => "LAK010",
            Self::UnsupportedType { .. } => "LAK011",
            Self::DuplicateKey { .. } => "LAK012",
            Self::BadWrite { .. } => "LAK013",
            Self::Conflict { .. } => "LAK014",
            Self::NoTable { .. } => "LAK015",
            Self::BadPath { .. } => "LAK016",
            Self::Json { .. } => "LAK017",
            Self::Failpoint(_) => "LAK019",
        }
    }

    fn domain(&self) -> Domain {
        match self {
            Self::Storage { .. } | Self::Disk { .. } | Self::Conflict { .. } => Domain::External,
            Self::Delta { .. } | Self::Parquet { .. } => Domain::External,
            Self::BadWrite { .. } | Self::BadPath { .. } | Self::Failpoint(_) => Domain::Internal,
            _ => Domain::User,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::BadName { .. } => Some("write it as `schema.table`, in lower case with underscores".to_owned()),
            Self::BadLocation { .. } => Some(
                "use a folder, or a URL such as s3://bucket/prefix, gs://bucket/prefix, az://container/prefix or memory://name".to_owned(),
            ),
            Self::Storage { .. } => {
                Some("check credentials and network; nothing half-written is visible, so the run can be retried".to_owned())
            }
            Self::Disk { .. } => {
                Some("check free space and permissions; nothing half-written is visible, so the run can be retried".to_owned())
            }
            Self::Sql(error) => error.help.clone(),
            Self::Schema { help, .. } => Some(help.clone()),
            Self::UnsupportedType { column, data_type } => Some(if data_type == "Null" {
                format!("give the NULL a type: CAST(NULL AS VARCHAR) AS {column}")
            } else {
                format!(
                    "cast `{column}` to a type that tables hold: strings, numbers, decimals, booleans, dates, timestamps, lists or structs of them"
                )
            }),
            Self::DuplicateKey { .. } => {
                Some("make the key unique, for example with row_number() OVER (PARTITION BY … ORDER BY …) = 1".to_owned())
            }
            Self::Conflict { .. } => Some("let one run write to the lake at a time, then retry".to_owned()),
            _ => None,
        }
    }
}
