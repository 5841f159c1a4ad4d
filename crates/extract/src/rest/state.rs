//! What a raw table remembers of the API it is read from.

use crate::log::state::{Stored, batch_after};
use cscopilot_lake::step::CheckResult;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The state of a connector's stream.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// The form of this state.
    pub(crate) version: u32,
    /// How many commits there were; `_batch` counts them.
    pub(crate) commits: u64,
    /// When the latest read of everything began, in microseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) full_read_at: Option<i64>,
    /// How far each read got.
    pub(crate) reads: BTreeMap<String, ReadState>,
    /// The data checks of the latest read.
    #[serde(default)]
    pub(crate) checks: Vec<CheckResult>,
}

/// How far a read got, by partition (the empty name where there are none).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReadState {
    pub(crate) marks: BTreeMap<String, Mark>,
}

/// How far a partition got.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// The end of the last closed window, in microseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) upto: Option<i64>,
    /// The paginator's last token, for exports that can be gone on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
    /// The parent's last batch whose records were followed, and the last of its keys if that batch isn't done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parent: Option<ParentMark>,
}

/// How far a child stream followed its parent's rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ParentMark {
    /// All rows up to this batch were followed.
    pub(crate) batch: String,
    /// Of the rows up to this later batch, those with keys up to `key` were followed as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) open: Option<(String, String)>,
}

impl Stored for State {
    fn fresh() -> Self {
        Self { version: Self::VERSION, ..Self::default() }
    }

    fn version(&self) -> u32 {
        self.version
    }
}

impl State {
    pub(crate) fn mark(&self, read: &str, partition: &str) -> Option<&Mark> {
        self.reads.get(read).and_then(|r| r.marks.get(partition))
    }

    pub(crate) fn mark_mut(&mut self, read: &str, partition: &str) -> &mut Mark {
        self.reads.entry(read.to_owned()).or_default().marks.entry(partition.to_owned()).or_default()
    }

    /// The name of the next commit's batch.
    pub(crate) fn next_batch(&self) -> String {
        batch_after(self.commits)
    }
}
