//! The one HTTP client: everything that leaves the machine goes through it.
//!
//! Vendors throttle, fail and hang. A [`Client`] sends a [`Request`] in one of two ways. [`Client::send`] is for calls whose errors mean the
//! same everywhere: it tries until there is a good answer or it is clear that there won't be, waits as `Retry-After` says, else longer each
//! time, and gives up after a bounded number of attempts. [`Client::open`] is for readers that know better what an error means: one attempt,
//! any status, the body piece by piece. Such readers bring their own patience ([`Backoff`]), share a vendor's [`Limits`] and prove who they
//! are through an [`Authenticator`]. Exchanges can be recorded and replayed ([`Client::recording`], [`Client::replaying`]).
//!
//! Secrets never reach a log, an error, an excerpt or a recording: whatever a request or an authenticator carries as a [`Secret`] is taken
//! out of every text that leaves this crate.
//!
//! [`Secret`]: cscopilot_diag::Secret
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod answer;
mod auth;
mod backoff;
mod client;
mod error;
mod limits;
mod redact;
mod redirect;
mod request;
mod response;
mod retry;
mod tape;

pub use answer::Answer;
pub use auth::{Authenticator, Credentials, Generation, Grant, KeepToken, TokenRequest};
pub use backoff::Backoff;
pub use bytes::Bytes;
pub use client::{Client, ClientOptions};
pub use error::{Error, Result};
pub use limits::{BudgetRule, LimitRule, Limits, Permit, QuotaRule, Spent, SpentRule};
pub use request::Request;
pub use reqwest::Method;
pub use response::Response;
pub use retry::retry_after;
pub use url::Url;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
