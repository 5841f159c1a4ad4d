//! The only module that reads the system clock.
//!
//! Same inputs and same `--as-of` must give identical rows, models and pages, so nothing else may ask what time it is
//! (`clippy.toml` bans it). What uses this: the default of `--as-of`, durations in summaries, timestamps in logs.
#![allow(clippy::disallowed_methods)]

use chrono::{DateTime, NaiveDate, Utc};
use std::time::{Duration, Instant};

/// The current instant in UTC, for logs and journals; never for data.
#[must_use]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Today's date in UTC: the default of `--as-of`.
#[must_use]
pub fn today() -> NaiveDate {
    Utc::now().date_naive()
}

/// Measures how long something takes.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
