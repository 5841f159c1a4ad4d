use super::{Auth, Endpoint, ErrorRule, Template};
use crate::At;
use crate::source::Ordered;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// How requests of all streams are sent.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientSpec {
    /// What the paths of endpoints follow on.
    pub base_url: At<Template>,
    /// Headers of every request.
    #[serde(default)]
    pub headers: BTreeMap<String, Template>,
    /// Query parameters of every request.
    #[serde(default)]
    pub params: BTreeMap<String, Template>,
    /// The ways to authenticate, by name; a source picks one, the first by default.
    #[serde(default)]
    pub auth: Ordered<Auth>,
    /// How many requests the vendor allows.
    #[serde(default)]
    pub rates: Vec<Rate>,
    /// What answers say about the requests that are left.
    #[serde(default)]
    pub budget: Option<Budget>,
    /// How many requests are under way at a time.
    #[serde(default = "four")]
    pub concurrency: At<u32>,
    /// How patient the client is.
    #[serde(default)]
    pub retry: Retry,
    /// What errors mean; the first rule that fits holds. Behind them stand the rules of every API: 401 renews the token once, 408, 425, 429,
    /// 500, 502, 503 and 504 are tried again (after `Retry-After`, where it is given), all else fails.
    #[serde(default)]
    pub errors: Vec<ErrorRule>,
    /// A cheap request by which `doctor` tells whether credentials and permissions are right.
    #[serde(default)]
    pub probe: Option<Probe>,
}

fn four() -> At<u32> {
    At::nowhere(4)
}

/// So many requests in so many seconds.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// How many.
    pub requests: At<u32>,
    /// In how many seconds: 1, 10, 60, 3600, 86400. What was spent of rates over an hour and longer is kept in the lake.
    pub per_secs: At<u32>,
    /// Holds only for endpoints whose path contains this.
    #[serde(default)]
    pub path: Option<String>,
    /// A setting that replaces `requests` where the source gives it: what a vendor allows depends on the plan.
    #[serde(default)]
    pub setting: Option<At<String>>,
}

/// What answers say about the requests that are left.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// The header with the requests that are left in the current window.
    #[serde(default)]
    pub remaining: Option<String>,
    /// The header with the end of the window.
    #[serde(default)]
    pub reset: Option<String>,
    /// Whether `reset` counts seconds from now (else it is a Unix time in seconds).
    #[serde(default)]
    pub reset_in_secs: bool,
    /// At so many requests left, the next one waits for the end of the window.
    #[serde(default)]
    pub keep: u32,
    /// A header that tells how much of a day's quota is spent.
    #[serde(default)]
    pub quota: Option<QuotaHeader>,
}

/// A header such as `api-usage=18/5000`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuotaHeader {
    /// The header's name.
    pub header: String,
    /// A regular expression with the groups `used` and `limit`.
    pub pattern: At<String>,
    /// The run stops, with what it has, when so many percent are spent.
    #[serde(default = "eighty")]
    pub stop_at_pct: At<f64>,
}

fn eighty() -> At<f64> {
    At::nowhere(80.0)
}

/// How patient a client is.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// How often a request is sent at most.
    pub attempts: u32,
    /// The wait before the second attempt; it doubles each time, with jitter.
    pub first_wait_secs: f64,
    /// The longest wait, also where the server asks for more.
    pub longest_wait_secs: f64,
    /// How long one attempt may go without receiving anything.
    pub timeout_secs: f64,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 6, first_wait_secs: 0.5, longest_wait_secs: 120.0, timeout_secs: 120.0 }
    }
}

/// A cheap request that tells whether credentials are right.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// The request.
    pub endpoint: Endpoint,
    /// What it shows: a template over `answer`, such as `{{ answer.DailyApiRequests.Remaining }} calls left today`.
    #[serde(default)]
    pub shows: Option<Template>,
}
