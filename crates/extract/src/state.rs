//! What a raw table remembers of the files it was read from.

use crate::files::InputFile;
use crate::log::state::Stored;
use cscopilot_decode::Edge;
use cscopilot_lake::step::CheckResult;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The state of a stream.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// The form of this state.
    pub(crate) version: u32,
    /// A hash of the declaration that the latest files were read by.
    pub(crate) declaration: String,
    /// Every file that was read, by its path below the source's root.
    pub(crate) files: BTreeMap<String, FileState>,
    /// The data checks of the latest read.
    pub(crate) checks: Vec<CheckResult>,
}

/// What is known of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileState {
    pub(crate) size: u64,
    pub(crate) content: String,
    /// Sound rows in the file, whether they were new or not.
    pub(crate) rows: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) edge: Option<Edge>,
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
    /// The files that are new or have changed.
    pub(crate) fn changed(&self, files: Vec<InputFile>) -> Vec<InputFile> {
        files
            .into_iter()
            .filter(|file| self.files.get(&file.key).is_none_or(|known| known.size != file.size || known.content != file.content))
            .collect()
    }
}
