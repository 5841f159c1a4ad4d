use crate::At;
use schemars::JsonSchema;
use serde::Deserialize;

/// What an answer of a certain kind means.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorRule {
    /// Statuses; any by default, also those of success.
    #[serde(default)]
    pub status: Vec<u16>,
    /// What must hold for the answer.
    #[serde(default)]
    pub when: Option<Predicate>,
    /// A text that the body contains, whatever its form.
    #[serde(default)]
    pub body_contains: Option<String>,
    /// What to do.
    pub action: At<Action>,
    /// When to try again, for `retry`.
    #[serde(default)]
    pub wait: Option<WaitUntil>,
    /// What to tell the user.
    #[serde(default)]
    pub message: Option<String>,
}

/// What to do about an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Send it again, after a while.
    Retry,
    /// Get a new token and send it again, once.
    Refresh,
    /// A quota is used up: stop, keep what is committed, tell the user; the run is not green.
    StopWithQuota,
    /// Ask for the two halves of the window instead.
    SplitWindow,
    /// Begin again at the first page.
    Restart,
    /// There is nothing: as good as an empty page.
    Empty,
    /// Leave it out, with a counted warning; the run is not green.
    Ignore,
    /// Read the stream by requests instead of a job.
    WithoutJob,
    /// Give up.
    Fail,
}

/// When to try again.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum WaitUntil {
    /// A header that holds seconds or a date, like `Retry-After`.
    Header(String),
    /// A header that holds a Unix time in seconds.
    UnixSecsHeader(String),
    /// So many seconds.
    Secs(f64),
}

/// Something that holds for an answer or a record, or doesn't: one place, and one comparison with it.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Predicate {
    /// A path into the JSON body or the record.
    #[serde(default)]
    pub path: Option<At<String>>,
    /// A header of the answer.
    #[serde(default)]
    pub header: Option<At<String>>,
    /// It is this.
    #[serde(default)]
    pub equals: Option<serde_json::Value>,
    /// It is one of these.
    #[serde(default)]
    pub one_of: Option<Vec<serde_json::Value>>,
    /// It is text that contains this.
    #[serde(default)]
    pub contains: Option<String>,
    /// It is text that ends so.
    #[serde(default)]
    pub ends_with: Option<String>,
    /// It is there and not null, or isn't.
    #[serde(default)]
    pub present: Option<bool>,
}

impl Predicate {
    /// Whether it holds for a value; nothing stands for a place that isn't there. Numbers and booleans equal their texts, since headers
    /// and many APIs write everything as text.
    #[must_use]
    pub fn holds(&self, value: Option<&serde_json::Value>) -> bool {
        let value = value.filter(|v| !v.is_null());
        if let Some(present) = self.present
            && present != value.is_some()
        {
            return false;
        }
        let text = |v: &serde_json::Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
        let same = |want: &serde_json::Value| match value {
            None => want.is_null(),
            Some(value) => value == want || text(value) == text(want),
        };
        self.equals.as_ref().is_none_or(same)
            && self.one_of.as_ref().is_none_or(|all| all.iter().any(same))
            && self.contains.as_ref().is_none_or(|part| value.is_some_and(|v| text(v).contains(part.as_str())))
            && self.ends_with.as_ref().is_none_or(|part| value.is_some_and(|v| text(v).ends_with(part.as_str())))
    }
}
