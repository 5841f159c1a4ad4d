//! What can go wrong while accounts are assessed.

use chrono::NaiveDate;
use cscopilot_diag::{Coded, Domain};
use cscopilot_lake::TableName;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong while accounts are assessed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The lake failed.
    #[error(transparent)]
    Lake(#[from] cscopilot_lake::Error),
    /// A table that has to be there is not.
    #[error("there is no table `{table}`, which {needed_by}")]
    NoTable {
        /// The table.
        table: TableName,
        /// Who needs it: `the scorecard reads`.
        needed_by: &'static str,
    },
    /// A table has no rows of tonight; going on would resolve every alert.
    #[error("`{table}` has no rows for {as_of}")]
    NoRows {
        /// The table.
        table: TableName,
        /// The night.
        as_of: NaiveDate,
    },
    /// An expression of a YAML file failed on some row.
    #[error("`{name}` in {path} failed")]
    Expression {
        /// The rule, measure, kind or play.
        name: String,
        /// Its file.
        path: String,
        /// What the query said.
        #[source]
        source: Box<cscopilot_lake::Error>,
    },
    /// A table's column is missing or of another type than this crate writes or needs.
    #[error("the columns of `{table}` are not what they should be: {problem}")]
    Columns {
        /// The table.
        table: String,
        /// What differs.
        problem: String,
    },
    /// Arrow refused a conversion.
    #[error("rows could not be converted")]
    Arrow(#[from] arrow::error::ArrowError),
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Lake(error) => error.code(),
            Self::NoTable { .. } => "ASM001",
            Self::NoRows { .. } => "ASM002",
            Self::Expression { .. } => "ASM003",
            Self::Columns { .. } => "ASM004",
            Self::Arrow(_) => "ASM005",
        }
    }

    fn domain(&self) -> Domain {
        match self {
            Self::Lake(error) => error.domain(),
            Self::Arrow(_) => Domain::Internal,
            _ => Domain::User,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Lake(error) => error.help(),
            Self::NoTable { table, .. } => {
                Some(format!("run the step that makes `{table}` first; a SQL model belongs into sql/{}/{}.sql", table.schema, table.name))
            }
            Self::NoRows { .. } => Some("run the steps before this one for the same --as-of; nothing was changed".to_owned()),
            Self::Expression { .. } => Some("guard divisions with nullif(x, 0) and casts with try_cast; nothing was changed".to_owned()),
            Self::Columns { .. } => Some("mend the SQL model that makes the table, or drop a table that an older version wrote".to_owned()),
            Self::Arrow(_) => None,
        }
    }
}
