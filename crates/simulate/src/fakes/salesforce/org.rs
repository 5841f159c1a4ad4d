//! What the fake org remembers between requests: tokens, calls of the last day, open cursors and jobs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::objects::Object;
use super::soql::{Select, Soql};
use crate::fakes::tokens::Tokens;
use crate::fakes::world::DAY;
use crate::fakes::{FakeState, TOKEN};
use crate::ids;

/// A session holds for two hours.
const SESSION_SECS: i64 = 7_200;
/// Calls of 24 hours.
const DAILY_REQUESTS: u64 = 100_000;
/// Cursors that stay open; the oldest is closed.
const OPEN_CURSORS: usize = 200;

/// What the org is asked to do wrong, beside the faults that every fake knows: the body of `PUT /_fake/behaviour`. What is
/// left out is as usual.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Behaviour {
    /// Queries over REST that find more records than this end with `QUERY_TIMEOUT`.
    pub(super) query_timeout_above: Option<usize>,
    /// The next so many jobs don't end well,
    pub(super) jobs_ending_badly: u32,
    /// but `Failed` or `Aborted`.
    pub(super) jobs_end: JobEnd,
    /// Calls that the org may make in 24 hours.
    pub(super) daily_requests: Option<u64>,
}

/// How a job ends that doesn't complete.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum JobEnd {
    /// With an error.
    #[default]
    Failed,
    /// By somebody's hand.
    Aborted,
}

/// Records that a query found, as they were then.
pub(super) type Rows = Arc<Vec<Arc<Value>>>;

/// A query whose pages are being fetched.
#[derive(Debug, Clone)]
pub(super) struct Cursor {
    pub(super) object: &'static Object,
    pub(super) fields: Vec<&'static str>,
    pub(super) rows: Rows,
    pub(super) page: usize,
}

/// A query job.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) request: Value,
    pub(super) object: &'static Object,
    pub(super) fields: Vec<&'static str>,
    pub(super) rows: Rows,
    pub(super) created: i64,
    /// How often it was asked how far it is.
    pub(super) polls: u32,
    /// How it ends, if not well.
    pub(super) end: Option<JobEnd>,
}

/// What changes with requests.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) behaviour: Behaviour,
    pub(super) cursors: BTreeMap<String, Cursor>,
    pub(super) jobs: BTreeMap<String, Job>,
    calls: BTreeMap<i64, u64>,
    made: u64,
}

impl Kept {
    /// An id for something new.
    pub(super) fn next_id(&mut self, prefix: &str) -> String {
        self.made += 1;
        ids::salesforce(prefix, self.made)
    }

    /// Keeps a cursor open; its id.
    pub(super) fn open(&mut self, cursor: Cursor) -> String {
        let id = self.next_id("0r8");
        self.cursors.insert(id.clone(), cursor);
        if self.cursors.len() > OPEN_CURSORS {
            self.cursors.pop_first();
        }
        id
    }
}

/// The org.
#[derive(Debug)]
pub(super) struct Org {
    pub(super) state: FakeState,
    pub(super) tokens: Tokens,
    kept: Mutex<Kept>,
}

impl Org {
    pub(super) fn new(state: FakeState) -> Self {
        Self { state, tokens: Tokens::new("salesforce", SESSION_SECS), kept: Mutex::default() }
    }

    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// May whoever carries this token come in?
    pub(super) fn admits(&self, token: &str) -> bool {
        token == TOKEN || self.tokens.holds(&self.state, token)
    }

    /// Counts a call; calls of the last 24 hours and how many there may be.
    pub(super) fn call(&self) -> (u64, u64) {
        let now = self.state.world.now();
        let mut kept = self.kept();
        kept.calls.retain(|at, _| *at > now - DAY);
        *kept.calls.entry(now).or_default() += 1;
        (kept.calls.values().sum(), kept.behaviour.daily_requests.unwrap_or(DAILY_REQUESTS))
    }

    /// Calls of the last 24 hours and how many there may be.
    pub(super) fn calls(&self) -> (u64, u64) {
        let kept = self.kept();
        (kept.calls.values().sum(), kept.behaviour.daily_requests.unwrap_or(DAILY_REQUESTS))
    }

    /// The records that a query finds now. Deleted ones only if asked for.
    pub(super) fn find(&self, soql: &Soql, deleted_too: bool) -> Vec<Arc<Value>> {
        let now = self.state.world.now();
        let store = self.state.world.store("salesforce", soql.object.stream);
        let seen = store.all(now).filter(|(_, version)| deleted_too || !version.deleted).map(|(_, version)| &version.body);
        let mut rows: Vec<Arc<Value>> = seen.filter(|body| soql.filter.as_ref().is_none_or(|f| f.holds(body))).cloned().collect();
        for (field, descending) in soql.order.iter().rev() {
            rows.sort_by(|a, b| {
                let order = sortable(&a[*field]).cmp(&sortable(&b[*field]));
                if *descending { order.reverse() } else { order }
            });
        }
        rows.truncate(soql.limit.unwrap_or(usize::MAX));
        rows
    }
}

/// A value in an order of all values: nulls, booleans, numbers, texts.
fn sortable(value: &Value) -> (u8, i64, &str) {
    match value {
        Value::Bool(b) => (1, i64::from(*b), ""),
        // Money has two decimals at most.
        Value::Number(n) => (2, n.as_f64().map_or(0, |n| (n * 100.0) as i64), ""),
        Value::String(text) => (3, 0, text),
        _ => (0, 0, ""),
    }
}

/// The fields that a query shows of a record.
pub(super) fn shown(object: &Object, record: &Value, field: &str) -> Value {
    if field == "BillingAddress" {
        let country = &record["BillingCountry"];
        return serde_json::json!({"city": null, "country": country, "geocodeAccuracy": null, "latitude": null, "longitude": null,
                                  "postalCode": null, "state": null, "street": null});
    }
    debug_assert!(object.field(field).is_some(), "parsed queries name fields of their object");
    record[field].clone()
}

/// The fields that a query selects.
pub(super) fn selected(soql: &Soql) -> Vec<&'static str> {
    match &soql.select {
        Select::Count => Vec::new(),
        Select::Fields(fields) => fields.clone(),
    }
}
