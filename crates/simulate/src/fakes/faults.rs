//! Faults on demand: which request of a vendor fails, and how.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

/// How a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// 429 with `Retry-After: 0` and the vendor's own body.
    RateLimited,
    /// 429 without `Retry-After`.
    RateLimitedBare,
    /// 500 with the vendor's own body.
    #[serde(rename = "status_500")]
    Status500,
    /// 502 with a page of HTML, as a load balancer answers.
    #[serde(rename = "status_502")]
    Status502,
    /// 503 with the vendor's own body.
    #[serde(rename = "status_503")]
    Status503,
    /// The connection is reset without an answer.
    Reset,
    /// Half of the body, then the connection is closed. JSON is sent without a length, so that only its syntax tells;
    /// anything else is sent in chunks whose end is missing, since half of a text is a text.
    Truncated,
    /// `Content-Length` is larger than what is sent.
    WrongLength,
    /// The whole answer in small pieces with 20 ms between, for at most a second.
    Drip,
    /// The previous answer to that path once more. Where there was none, the request is answered as ever.
    RepeatedCursor,
    /// A sound page without records whose cursor leads to the page that was asked for; 500 where the vendor has no page
    /// tokens.
    EmptyPage,
    /// The vendor's 401; where tokens are issued, all of those issued so far stop working.
    ExpiredToken,
    /// Before the answer, some records of the stream that is read change.
    Mutate,
    /// Mixpanel's own: an export breaks off in the middle and says so in its last line, under status 200.
    TerminatedEarly,
    /// Mixpanel's own: a record of an export is broken over two lines.
    SplitRecord,
    /// Amplitude's own: 400 as for more events than fit into an export.
    TooLarge,
    /// Amplitude's own: 504 after a while.
    TimedOut,
    /// Intercom's own: 500 that asks to restart the scroll, which is gone.
    RestartScroll,
    /// Intercom's own: 200 without a body.
    EmptyBody,
}

impl Kind {
    /// All kinds but those of a single vendor.
    pub const ALL: [Self; 13] = [
        Self::RateLimited,
        Self::RateLimitedBare,
        Self::Status500,
        Self::Status502,
        Self::Status503,
        Self::Reset,
        Self::Truncated,
        Self::WrongLength,
        Self::Drip,
        Self::RepeatedCursor,
        Self::EmptyPage,
        Self::ExpiredToken,
        Self::Mutate,
    ];
}

fn one() -> u64 {
    1
}

/// A fault that is to happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The vendor whose requests fail.
    pub vendor: String,
    /// How they fail.
    pub kind: Kind,
    /// Which data request fails, counted from 1 from when the fault was set. Data requests are those that are neither for
    /// tokens nor for the fakes' control.
    #[serde(default = "one")]
    pub at: u64,
    /// How many requests in a row fail.
    #[serde(default = "one")]
    pub times: u64,
    /// Only requests whose path and query contain this are counted and fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl Fault {
    /// The n-th data request of a vendor fails, once.
    #[must_use]
    pub fn new(vendor: &str, kind: Kind, at: u64) -> Self {
        Self { vendor: vendor.to_string(), kind, at, times: 1, path: None }
    }
}

/// A request extension: answer a sound page without records whose cursor leads to the page that was asked for, and say so
/// with the header `x-fake-empty: 1`.
#[derive(Debug, Clone, Copy)]
pub struct EmptyPage;

/// A request extension: the vendor's handlers make this fault, since it is one of theirs.
#[derive(Debug, Clone, Copy)]
pub struct VendorFault(pub Kind);

/// A fault, how many requests it has seen, and how many of them failed.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Watched {
    #[serde(flatten)]
    fault: Fault,
    seen: u64,
    fired: u64,
}

/// An answer that may be given again.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

#[derive(Debug, Default)]
struct Inner {
    watched: Vec<Watched>,
    epochs: BTreeMap<String, u64>,
    requests: BTreeMap<String, BTreeMap<String, u64>>,
    answers: BTreeMap<(String, String), Kept>,
}

/// The faults that were asked for, and the requests seen so far. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Inner>>);

impl Faults {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a fault; those that were set before stay.
    pub fn set(&self, fault: Fault) {
        self.inner().watched.push(Watched { fault, seen: 0, fired: 0 });
    }

    /// Removes all faults. Tokens that expired stay so.
    pub fn clear(&self) {
        let mut inner = self.inner();
        inner.watched.clear();
        inner.answers.clear();
    }

    /// How many requests failed by the faults that are set.
    #[must_use]
    pub fn fired(&self) -> u64 {
        self.inner().watched.iter().map(|watched| watched.fired).sum()
    }

    /// Requests so far, by vendor and path (without query), token requests included.
    #[must_use]
    pub fn requests(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        self.inner().requests.clone()
    }

    /// The number of a vendor's access tokens' generation: only those of the present one hold.
    #[must_use]
    pub fn epoch(&self, vendor: &str) -> u64 {
        self.inner().epochs.get(vendor).copied().unwrap_or_default()
    }

    pub(super) fn expire_tokens(&self, vendor: &str) {
        *self.inner().epochs.entry(vendor.to_string()).or_default() += 1;
    }

    pub(super) fn watched(&self) -> Vec<Watched> {
        self.inner().watched.clone()
    }

    /// Counts a request. For a data request: how it is to fail, if it is.
    pub(super) fn arrived(&self, vendor: &str, path: &str, path_and_query: &str, is_data: bool) -> Option<Kind> {
        let mut inner = self.inner();
        *inner.requests.entry(vendor.to_string()).or_default().entry(path.to_string()).or_default() += 1;
        if !is_data {
            return None;
        }
        let mut kind = None;
        for watched in &mut inner.watched {
            let fault = &watched.fault;
            if fault.vendor != vendor || fault.path.as_ref().is_some_and(|part| !path_and_query.contains(part.as_str())) {
                continue;
            }
            watched.seen += 1;
            if kind.is_none() && watched.seen >= fault.at && watched.seen - fault.at < fault.times {
                watched.fired += 1;
                kind = Some(fault.kind);
            }
        }
        kind
    }

    /// Are answers of this vendor to be kept for a repetition?
    pub(super) fn keeps(&self, vendor: &str) -> bool {
        self.inner().watched.iter().any(|w| w.fault.kind == Kind::RepeatedCursor && w.fault.vendor == vendor)
    }

    pub(super) fn keep(&self, vendor: &str, path: &str, answer: Kept) {
        self.inner().answers.insert((vendor.to_string(), path.to_string()), answer);
    }

    pub(super) fn kept(&self, vendor: &str, path: &str) -> Option<Kept> {
        self.inner().answers.get(&(vendor.to_string(), path.to_string())).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_data_request_fails_and_those_that_follow_as_often_as_asked() {
        let faults = Faults::default();
        faults.set(Fault { times: 2, ..Fault::new("stripe", Kind::Reset, 2) });
        faults.set(Fault { path: Some("/invoices".to_string()), ..Fault::new("stripe", Kind::Status500, 1) });
        let arrived = |vendor, path, is_data| faults.arrived(vendor, path, path, is_data);
        assert_eq!(arrived("stripe", "/v1/customers", true), None);
        assert_eq!(arrived("stripe", "/oauth/token", false), None, "tokens aren't counted");
        assert_eq!(arrived("zendesk", "/api", true), None, "nor other vendors");
        assert_eq!(arrived("stripe", "/v1/customers", true), Some(Kind::Reset));
        assert_eq!(arrived("stripe", "/v1/customers", true), Some(Kind::Reset));
        assert_eq!(arrived("stripe", "/v1/customers", true), None);
        assert_eq!(arrived("stripe", "/v1/invoices", true), Some(Kind::Status500));
        assert_eq!(faults.fired(), 3);
        assert_eq!(faults.requests()["stripe"]["/v1/customers"], 4);
        faults.clear();
        assert_eq!(arrived("stripe", "/v1/invoices", true), None);
    }

    #[test]
    fn kinds_are_written_as_the_control_path_takes_them() {
        let fault: Fault = serde_json::from_str(r#"{"vendor":"stripe","kind":"status_502","at":3}"#).unwrap();
        assert_eq!(fault, Fault::new("stripe", Kind::Status502, 3));
    }
}
