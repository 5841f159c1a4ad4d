//! What a caller says about a commit.

use arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use serde::{Deserialize, Serialize};

use crate::TableName;

/// One write to one table: staged as files first, then published by one atomic commit ([`crate::Lake::commit`]).
pub struct Write {
    /// The table; made by its first commit.
    pub table: TableName,
    /// What happens to the rows that are there.
    pub mode: Mode,
    /// The schema of `data`. The stored schema is [`crate::storage_schema`] of it.
    pub schema: SchemaRef,
    /// The rows. Their order is kept within a file.
    pub data: SendableRecordBatchStream,
    /// Partition columns (strings, integers, booleans, dates); fixed by the first commit unless `policy` is `Replace`.
    pub partition_by: Vec<String>,
    /// What to do when the schema differs from the table's.
    pub policy: SchemaPolicy,
    /// Who writes. The same run and step commits once to a table; a repetition is skipped.
    pub txn: Txn,
    /// The fingerprint of what this was computed from; kept with the commit, read back in [`crate::TableInfo`].
    pub fingerprint: Option<String>,
    /// Anything else that must commit with the rows, such as a cursor; kept with the commit, read back in [`crate::TableInfo`].
    pub state: Option<serde_json::Value>,
    /// The same, where it is known only once the last row was produced; it wins over `state`.
    pub late_state: Option<LateState>,
}

/// State that a producer of rows sets after its last row and before it ends the stream: how far it read, how many rows there were.
/// The commit takes it when the stream has ended.
#[derive(Debug, Clone, Default)]
pub struct LateState(std::sync::Arc<std::sync::OnceLock<serde_json::Value>>);

impl LateState {
    /// State that isn't known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says what it is; only the first time counts.
    pub fn set(&self, state: serde_json::Value) {
        let _first = self.0.set(state);
    }

    /// What it is, if that was said.
    pub(crate) fn get(&self) -> Option<serde_json::Value> {
        self.0.get().cloned()
    }
}

impl Write {
    /// A write with the schema of its data, no partitions, and the policy that fits the mode: [`SchemaPolicy::Replace`] for
    /// [`Mode::Overwrite`], else [`SchemaPolicy::Evolve`].
    #[must_use]
    pub fn new(table: TableName, mode: Mode, data: SendableRecordBatchStream, txn: Txn) -> Self {
        let policy = match mode {
            Mode::Overwrite => SchemaPolicy::Replace,
            _ => SchemaPolicy::Evolve,
        };
        Self {
            table,
            mode,
            schema: data.schema(),
            data,
            partition_by: vec![],
            policy,
            txn,
            fingerprint: None,
            state: None,
            late_state: None,
        }
    }

    /// Sets the partition columns.
    #[must_use]
    pub fn partitioned_by<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.partition_by = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the schema policy.
    #[must_use]
    pub fn with_policy(mut self, policy: SchemaPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets the fingerprint.
    #[must_use]
    pub fn with_fingerprint(mut self, fingerprint: Option<String>) -> Self {
        self.fingerprint = fingerprint;
        self
    }

    /// Sets where the state will be found once the rows were produced.
    #[must_use]
    pub fn with_late_state(mut self, state: LateState) -> Self {
        self.late_state = Some(state);
        self
    }

    /// Sets the state that commits with the rows.
    #[must_use]
    pub fn with_state(mut self, state: serde_json::Value) -> Self {
        self.state = Some(state);
        self
    }
}

/// What happens to the rows that are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// They stay; the new ones are added.
    Append,
    /// They go; the new ones are the table.
    Overwrite,
    /// Rows of the partitions present in the data go; other partitions stay. Needs `partition_by`.
    OverwritePartitions,
    /// Rows whose keys are in the data go; the new ones are added. Keys must be unique in the data; NULL equals NULL.
    Merge {
        /// The key columns.
        keys: Vec<String>,
    },
}

impl Mode {
    /// The name that stands in the log.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Overwrite => "overwrite",
            Self::OverwritePartitions => "overwrite_partitions",
            Self::Merge { .. } => "merge",
        }
    }
}

/// What to do when the schema of the data differs from the table's. Columns are matched by name; a column that the data lacks
/// becomes NULL (except under `Freeze`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaPolicy {
    /// Refuse: names and types must be the same.
    Freeze,
    /// Add new columns, as nullable ones, and widen nothing; refuse changed types.
    Evolve,
    /// Take the new schema; only with [`Mode::Overwrite`].
    Replace,
}

/// Who writes: the application transaction of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Txn {
    /// The step: `extract.crm.accounts`.
    pub app: String,
    /// The run.
    pub run: String,
}

impl Txn {
    /// A transaction of a step in a run.
    #[must_use]
    pub fn new(app: impl Into<String>, run: impl Into<String>) -> Self {
        Self { app: app.into(), run: run.into() }
    }
}

/// What a commit did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The version that holds it.
    pub version: u64,
    /// Rows of the data (for a skipped commit: of the commit that had been made).
    pub rows: u64,
    /// Whether the same run and step had committed before, so that nothing was written now. The data stream was not read then.
    pub skipped: bool,
}
