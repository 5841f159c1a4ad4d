//! What a raw table remembers of what it is read from. It commits with the rows, so the two can't disagree.
//!
//! Files, APIs and databases remember different things (`run`, `rest`, `database` have a `state` each), in the same way.

use crate::error::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A state that is kept with a table, as JSON.
pub(crate) trait Stored: Serialize + DeserializeOwned {
    /// The form in which states are written now.
    const VERSION: u32 = 1;

    /// The state of a stream that was never read.
    fn fresh() -> Self;

    /// The form of this state.
    fn version(&self) -> u32;

    /// The state of a table; a fresh one where it has none.
    ///
    /// # Errors
    /// [`Error::BadState`] for one of another form.
    fn parse(table: &str, value: Option<&serde_json::Value>) -> Result<Self> {
        let Some(value) = value else { return Ok(Self::fresh()) };
        let bad = |reason: String| Error::BadState { table: table.to_owned(), reason };
        let state: Self = serde_json::from_value(value.clone()).map_err(|e| bad(e.to_string()))?;
        let version = state.version();
        if version == Self::VERSION { Ok(state) } else { Err(bad(format!("it has version {version}, not {}", Self::VERSION))) }
    }

    /// The state as it is kept.
    fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// The name of the batch that follows so many commits: names sort in the order of the commits.
pub(crate) fn batch_after(commits: u64) -> String {
    format!("{:010}", commits + 1)
}
