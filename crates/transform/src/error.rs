//! What can go wrong in a transform.

use cscopilot_diag::{Coded, Diagnostics, Domain};
use cscopilot_lake::TableName;
use cscopilot_lake::step::{CheckResult, CheckSeverity, CheckStatus};
use datafusion::error::DataFusionError;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in a transform.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The project's SQL doesn't compile.
    #[error("the project's SQL has errors\n{0}")]
    Invalid(Diagnostics),
    /// A model that the project doesn't have.
    #[error("there is no SQL model `{name}`")]
    UnknownModel {
        /// What was asked for.
        name: String,
        /// What to do.
        help: Option<String>,
    },
    /// Rows that break a rule of severity `error`.
    #[error("the new rows of `{table}` break {}, so the old table stays published", summary(.results))]
    ChecksFailed {
        /// The table.
        table: TableName,
        /// The results of all its checks.
        results: Vec<CheckResult>,
    },
    /// A result that holds a partition it was not asked for.
    #[error("the query of `{table}` made rows of the partition {partition}, which is not among the new partitions of `{driver}`")]
    StrayPartition {
        /// The table.
        table: TableName,
        /// The driver.
        driver: TableName,
        /// The first such partition.
        partition: String,
    },
    /// A partition that the table has came out empty; the whole table is then written anew, so nobody sees this.
    #[error("a partition of `{table}` came out empty")]
    EmptiedPartition {
        /// The table.
        table: TableName,
    },
    /// A query that failed while it ran.
    #[error("the query of `{table}` failed")]
    Query {
        /// The table.
        table: TableName,
        /// Why.
        #[source]
        source: Box<DataFusionError>,
    },
    /// A file for rows that wait for their checks can't be written or read.
    #[error("the rows of `{table}` can't be kept on disk for their checks")]
    Stage {
        /// The table.
        table: TableName,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The lake failed.
    #[error(transparent)]
    Lake(#[from] cscopilot_lake::Error),
}

impl Error {
    pub(crate) fn query(table: &TableName) -> impl Fn(DataFusionError) -> Self + '_ {
        move |source| Self::Query { table: table.clone(), source: Box::new(source) }
    }

    /// The results of the checks that stopped the table, if it was they that did.
    #[must_use]
    pub fn checks(&self) -> &[CheckResult] {
        match self {
            Self::ChecksFailed { results, .. } => results,
            Self::Lake(error) => error.from_producer::<Self>().map_or(&[], Self::checks),
            _ => &[],
        }
    }
}

fn summary(results: &[CheckResult]) -> String {
    let failed: Vec<String> = results
        .iter()
        .filter(|r| r.status == CheckStatus::Failed && r.severity == CheckSeverity::Error)
        .map(|r| match &r.detail {
            Some(detail) => format!("{} ({detail})", r.check),
            None => r.check.clone(),
        })
        .collect();
    match failed.len() {
        1 => format!("the check {}", failed[0]),
        n => format!("{n} checks: {}", failed.join("; ")),
    }
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "TRF050",
            Self::UnknownModel { .. } => "TRF051",
            Self::ChecksFailed { .. } => "TRF052",
            Self::StrayPartition { .. } => "TRF053",
            Self::Query { .. } => "TRF054",
            Self::Stage { .. } => "TRF055",
            Self::EmptiedPartition { .. } => "TRF056",
            Self::Lake(error) => error.code(),
        }
    }

    fn domain(&self) -> Domain {
        match self {
            Self::Stage { .. } => Domain::External,
            Self::EmptiedPartition { .. } => Domain::Internal,
            Self::Lake(error) => error.domain(),
            _ => Domain::User,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Invalid(_) => Some("`cscopilot check` shows them without starting a run".to_owned()),
            Self::UnknownModel { help, .. } => help.clone(),
            Self::ChecksFailed { .. } => {
                Some("look at the rows in the table's sources, mend the SQL, or set the check's `severity` to `warn`".to_owned())
            }
            Self::StrayPartition { driver, .. } => {
                Some(format!("take the partition columns from `{driver}`, so that its rows decide which partitions are written"))
            }
            Self::Query { .. } => Some("run the query with `cscopilot query` on a few rows to find the value at fault".to_owned()),
            Self::Stage { .. } => Some("check that the temporary folder has free space".to_owned()),
            Self::EmptiedPartition { .. } => None,
            Self::Lake(error) => error.help(),
        }
    }
}
