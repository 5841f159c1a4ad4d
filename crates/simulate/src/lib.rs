//! A simulated B2B SaaS company in the vendors' record shapes, and fakes of their APIs.
//!
//! Real extracts can't be shipped with a program, and estimates can't be judged without the truth behind them. So this
//! crate makes a company whose churn follows a known hazard ([`hazard`]), writes what its vendors would have recorded
//! (Salesforce, Stripe, Zendesk, Mixpanel), spoils a known part of it, and keeps the truth beside the extracts.
//!
//! Every draw comes from a stream of random numbers named by what it is for (see [`rng`]), so the bytes depend on the
//! [`Config`] alone: not on the number of threads, and the company's past doesn't change when it is simulated for longer.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod calendar;
mod company;
mod config;
mod error;
pub mod hazard;
mod ids;
mod life;
mod names;
mod output;
pub mod rng;
mod simulate;
mod truth;
mod vendors;

pub mod fakes;
pub mod serve;

pub use config::Config;
pub use error::Error;
pub use simulate::{StreamCount, Summary, simulate};
