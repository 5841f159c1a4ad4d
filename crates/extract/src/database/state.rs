//! What a raw table remembers of the database it is read from.

use crate::log::state::{Stored, batch_after};
use cscopilot_lake::step::CheckResult;
use serde::{Deserialize, Serialize};

/// The state of a stream.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    /// The form of this state.
    pub(crate) database_version: u32,
    /// How many commits there were; `_batch` counts them.
    pub(crate) commits: u64,
    /// How many rows the log has; `_line` counts them.
    pub(crate) lines: u64,
    /// The column that `after` belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cursor: Option<String>,
    /// How far the stream was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<Bound>,
    /// The data checks of the latest read that changed something.
    pub(crate) checks: Vec<CheckResult>,
}

/// A value of the cursor's column, in the form that the database itself compares.
///
/// The database orders the rows, so the value must go back to it exactly as it came: a rounded instant or another collation would leave
/// rows out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    /// As the database writes it.
    Text(String),
    /// SQLite's whole numbers, which it does not compare with text.
    Int(i64),
    /// SQLite's floating-point numbers.
    Real(f64),
    /// A value of an Arrow type, both as text.
    Arrow {
        /// The type.
        kind: String,
        /// The value.
        text: String,
    },
}

impl Bound {
    /// The value as text.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Text(text) | Self::Arrow { text, .. } => text.clone(),
            Self::Int(number) => number.to_string(),
            Self::Real(number) => format!("{number:?}"),
        }
    }
}

impl Stored for State {
    fn fresh() -> Self {
        Self { database_version: Self::VERSION, ..Self::default() }
    }

    fn version(&self) -> u32 {
        self.database_version
    }
}

impl State {
    /// Starts from the beginning where another column is the cursor now.
    pub(crate) fn follow(&mut self, cursor: Option<&str>) {
        if self.cursor.as_deref() != cursor {
            self.cursor = cursor.map(str::to_owned);
            self.after = None;
        }
    }

    /// The name of the next commit's batch.
    pub(crate) fn next_batch(&self) -> String {
        batch_after(self.commits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn bounds_survive_json() {
        let arrow = Bound::Arrow { kind: "Timestamp(µs, \"UTC\")".to_owned(), text: "2024-01-01T00:00:00Z".to_owned() };
        for bound in [Bound::Text("2024-01-01 00:00:00.000001+00".to_owned()), Bound::Int(i64::MAX), Bound::Real(0.1), arrow] {
            let state = State { after: Some(bound), cursor: Some("at".to_owned()), ..State::fresh() };
            assert_eq!(State::parse("raw.x", Some(&state.to_json())).unwrap(), state);
        }
    }

    #[test]
    fn another_cursor_starts_from_the_beginning() {
        let mut state = State { cursor: Some("at".to_owned()), after: Some(Bound::Int(3)), ..State::default() };
        state.follow(Some("at"));
        assert_eq!(state.after, Some(Bound::Int(3)));
        state.follow(Some("changed_at"));
        assert_eq!((state.cursor.as_deref(), state.after), (Some("changed_at"), None));
    }

    #[test]
    fn the_state_of_files_is_refused() {
        let state = serde_json::json!({"version": 1, "declaration": "x", "files": {}, "checks": []});
        assert!(matches!(State::parse("raw.x", Some(&state)), Err(Error::BadState { .. })));
    }
}
