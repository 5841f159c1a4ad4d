use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What was spent of the rules over an hour and longer, to be kept from run to run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spent {
    /// One for each rule.
    pub rules: Vec<SpentRule>,
}

/// What was spent of one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpentRule {
    /// The rule's time. Rules with other times know nothing of this one's requests.
    pub per_secs: u64,
    /// The rule's path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// When how many requests were sent: the beginning of a sixtieth of the rule's time, and how many in it.
    pub sent: Vec<(DateTime<Utc>, u32)>,
}

impl Spent {
    /// Whether nothing was spent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.iter().all(|rule| rule.sent.is_empty())
    }
}
