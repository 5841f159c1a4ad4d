//! The one HTTP client: everything that leaves the machine goes through it.
//!
//! Vendors throttle, fail and hang. A [`Client`] sends a [`Request`] until it is answered or it is clear that it won't be: it waits as
//! `Retry-After` says, else longer each time, keeps to a rate, and gives up after a bounded number of attempts. Secrets it was told
//! about never reach a log or an error.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod client;
mod error;
mod redact;
mod request;
mod retry;

pub use client::{Client, ClientOptions};
pub use error::{Error, Result};
pub use request::{Request, Response};
pub use reqwest::Method;
pub use url::Url;

#[cfg(test)]
mod tests;
