use super::{Endpoint, ErrorRule, Paginator, Predicate, ResponseFormat};
use crate::At;
use schemars::JsonSchema;
use serde::Deserialize;

/// Records that come from a job: it is created, polled until it is done, its results are fetched, and it is deleted.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Jobs are dear: below so many records the read's own endpoint is used.
    #[serde(default)]
    pub at_least: Option<Count>,
    /// Creates it.
    pub create: Endpoint,
    /// The path of its id in the answer; templates see it as `job.id`.
    pub id: At<String>,
    /// Asks how far it is.
    pub poll: Poll,
    /// Fetches what it found.
    pub results: JobResults,
    /// Deletes it, also when it failed.
    #[serde(default)]
    pub delete: Option<Endpoint>,
    /// Rules for errors of its creation.
    #[serde(default)]
    pub errors: Vec<ErrorRule>,
}

/// A request that tells how many records there are.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// The request.
    pub endpoint: Endpoint,
    /// The number's path.
    pub path: At<String>,
    /// From so many on, a job is worth it.
    pub records: u64,
}

/// How a job is watched.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Poll {
    /// The request.
    pub endpoint: Endpoint,
    /// It is done.
    pub done: Predicate,
    /// It has failed or was given up.
    pub failed: Predicate,
    /// The path of the reason.
    #[serde(default)]
    pub message: Option<At<String>>,
    /// The path of the number of records it found.
    #[serde(default)]
    pub total: Option<At<String>>,
    /// The wait before the second question; it doubles up to `longest_wait_secs`.
    #[serde(default = "half_a_second")]
    pub first_wait_secs: f64,
    /// The longest wait.
    #[serde(default = "ten_seconds")]
    pub longest_wait_secs: f64,
    /// After so long it counts as failed.
    #[serde(default = "two_hours")]
    pub timeout_secs: f64,
}

fn half_a_second() -> f64 {
    0.5
}

fn ten_seconds() -> f64 {
    10.0
}

fn two_hours() -> f64 {
    7200.0
}

/// Where a job's records are.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JobResults {
    /// The request.
    pub endpoint: Endpoint,
    /// How the answer is written.
    #[serde(default)]
    pub response: ResponseFormat,
    /// How the next page is asked for.
    #[serde(default)]
    pub paginator: Option<Paginator>,
}
