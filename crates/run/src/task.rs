//! What a run is made of.

use cscopilot_lake::TableName;
use std::fmt;

/// What a task does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaskKind {
    /// Reads one stream of a source.
    Extract {
        /// The source.
        source: String,
        /// The stream.
        stream: String,
    },
    /// Builds one SQL model.
    Transform(TableName),
    /// Trains a model where that is due, and scores.
    Learn(String),
    /// Health scores.
    Health,
    /// Alerts.
    Alerts,
    /// Opportunities.
    Opportunities,
    /// Next best actions.
    Actions,
    /// The table of the night's data quality.
    Quality,
    /// The static site.
    Report,
    /// One mapping to a CRM.
    Sync(String),
    /// One online store.
    Publish(String),
}

/// The id of a task, such as `extract.crm.accounts` or `transform.marts.accounts`.
impl fmt::Display for TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Extract { source, stream } => write!(f, "extract.{source}.{stream}"),
            Self::Transform(table) => write!(f, "transform.{table}"),
            Self::Learn(model) => write!(f, "learn.{model}"),
            Self::Health => f.write_str("assess.health"),
            Self::Alerts => f.write_str("assess.alerts"),
            Self::Opportunities => f.write_str("assess.opportunities"),
            Self::Actions => f.write_str("assess.actions"),
            Self::Quality => f.write_str("quality"),
            Self::Report => f.write_str("report"),
            Self::Sync(name) => write!(f, "sync.{name}"),
            Self::Publish(name) => write!(f, "publish.{name}"),
        }
    }
}

/// One node of the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// What it does.
    pub kind: TaskKind,
    /// Its id: the kind's text.
    pub id: String,
    /// Tables it reads.
    pub reads: Vec<TableName>,
    /// Tables it writes.
    pub writes: Vec<TableName>,
    /// Hash of the files that define it: SQL, YAML, templates.
    pub definition: String,
    /// Whether its result depends on the run's date.
    pub dated: bool,
}
