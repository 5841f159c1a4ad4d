use super::Template;
use crate::At;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;

/// Which part of the records is read.
///
/// Time is cut into windows `[start, end)`. A window is closed when its last page was read; its rows and the cursor are one commit then. The
/// next run starts at the end of the last closed window, less `lookback_secs`; rows that are read again as they were are left out.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Incremental {
    /// The column that tells when a record changed.
    pub cursor: At<String>,
    /// How `window.start` and `window.end` are written.
    #[serde(default)]
    pub format: CursorFormat,
    /// Where the first window starts: a date. A source's `start` replaces it.
    #[serde(default = "beginning")]
    pub start: At<Template>,
    /// The length of a window; one window for all by default.
    #[serde(default)]
    pub step_days: Option<At<f64>>,
    /// How far before the last window's end the next run starts.
    #[serde(default)]
    pub lookback_secs: u64,
    /// How far behind the clock the last window ends.
    #[serde(default)]
    pub end_lag_secs: u64,
    /// Whether the API's lower bound is part of the window.
    #[serde(default = "inclusive")]
    pub lower: Edge,
    /// Whether the API's upper bound is part of the window.
    #[serde(default = "exclusive")]
    pub upper: Edge,
    /// The API knows no upper bound: rows beyond the window's end are left to the next.
    #[serde(default)]
    pub open_end: bool,
    /// Windows start and end at multiples of so many seconds: 86400 where the API knows only days. Taken from `format` by default.
    #[serde(default)]
    pub resolution_secs: Option<u64>,
    /// The API answers with the newest first: of two versions of a record with the same cursor, the first one counts.
    #[serde(default)]
    pub newest_first: bool,
    /// Rows outside the window are left out here, since the API is not exact.
    #[serde(default)]
    pub filter: bool,
    /// The API keeps to the window: an answer with rows outside it is not the one that was asked for, and is asked for again.
    #[serde(default)]
    pub exact: bool,
    /// What is kept for the next run.
    #[serde(default)]
    pub checkpoint: Checkpoint,
}

fn beginning() -> At<Template> {
    At::nowhere(Template::parse("2015-01-01").unwrap_or_else(|_| unreachable!("a date is a template")))
}

fn inclusive() -> Edge {
    Edge::Inclusive
}

fn exclusive() -> Edge {
    Edge::Exclusive
}

/// Whether a bound belongs to what it bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Edge {
    /// `>=` or `<=`.
    Inclusive,
    /// `>` or `<`.
    Exclusive,
}

/// What is kept for the next run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Checkpoint {
    /// The end of the last closed window.
    #[default]
    Window,
    /// The paginator's last token: exports that can be gone on with. There is one window, from `start` on.
    Token,
}

/// How instants are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CursorFormat {
    /// `2024-01-31T12:00:00.000Z`
    #[default]
    Iso,
    /// Seconds since 1970, a number.
    UnixSecs,
    /// Milliseconds since 1970, a number.
    UnixMillis,
    /// `2024-01-31`
    Date,
    /// A pattern such as `%Y%m%dT%H`.
    Pattern(String),
}

impl CursorFormat {
    /// The smallest step that the format can tell, in seconds; 0 stands for a millisecond.
    #[must_use]
    pub fn resolution_secs(&self) -> u64 {
        match self {
            Self::Iso | Self::UnixMillis => 0,
            Self::UnixSecs => 1,
            Self::Date => 86_400,
            Self::Pattern(p) if p.contains("%S") || p.contains("%T") || p.contains("%s") => 1,
            Self::Pattern(p) if p.contains("%M") => 60,
            Self::Pattern(p) if p.contains("%H") => 3600,
            Self::Pattern(_) => 86_400,
        }
    }
}

impl<'de> Deserialize<'de> for CursorFormat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(match text.as_str() {
            "iso" => Self::Iso,
            "unix_secs" => Self::UnixSecs,
            "unix_millis" => Self::UnixMillis,
            "date" => Self::Date,
            pattern if pattern.contains('%') => Self::Pattern(text),
            _ => {
                return Err(serde::de::Error::custom(format!(
                    "`{text}` is no form of an instant; known: iso, unix_secs, unix_millis, date, or a pattern such as `%Y%m%dT%H`"
                )));
            }
        })
    }
}

impl JsonSchema for CursorFormat {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "CursorFormat".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "examples": ["iso", "unix_secs", "unix_millis", "date", "%Y%m%dT%H"]})
    }
}
