//! What a raw table remembers of the files it was read from. It commits with the rows, so the two can't disagree.

use crate::error::{Error, Result};
use crate::files::InputFile;
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

const VERSION: u32 = 1;

impl State {
    pub(crate) fn parse(table: &str, value: Option<&serde_json::Value>) -> Result<Self> {
        let Some(value) = value else { return Ok(Self { version: VERSION, ..Self::default() }) };
        let bad = |reason: String| Error::BadState { table: table.to_owned(), reason };
        let state: Self = serde_json::from_value(value.clone()).map_err(|e| bad(e.to_string()))?;
        if state.version == VERSION { Ok(state) } else { Err(bad(format!("it has version {}, not {VERSION}", state.version))) }
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The files that are new or have changed.
    pub(crate) fn changed(&self, files: Vec<InputFile>) -> Vec<InputFile> {
        files
            .into_iter()
            .filter(|file| self.files.get(&file.key).is_none_or(|known| known.size != file.size || known.content != file.content))
            .collect()
    }
}
