//! The vendors' rates with small numbers, so that a test sees them enforced within seconds.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cscopilot_diag::clock::Stopwatch;

/// What a vendor allows: requests in a window, and whether its 429 says when to come back.
fn rate(vendor: &str) -> (u32, Duration, bool) {
    let second = Duration::from_secs(1);
    match vendor {
        "salesforce" => (40, second, false),
        "hubspot" => (19, second, false),
        "zendesk" => (30, second, true),
        "intercom" => (17, second, false),
        "mixpanel" => (3, second, false),
        "amplitude" => (5, second, false),
        "stripe" => (25, second, false),
        "chargebee" => (25, second, true),
        _ => (50, second, true),
    }
}

/// Counts a vendor's requests in windows of time.
#[derive(Debug, Clone)]
pub(super) struct Limiter {
    requests: u32,
    window: Duration,
    tells: bool,
    counted: Arc<Mutex<(Stopwatch, u32)>>,
}

impl Limiter {
    pub(super) fn new(vendor: &str) -> Self {
        let (requests, window, tells) = rate(vendor);
        Self { requests, window, tells, counted: Arc::new(Mutex::new((Stopwatch::start(), 0))) }
    }

    /// Counts a request. If it is one too many: the seconds after which the window ends, where the vendor tells.
    pub(super) fn take(&self) -> Result<(), Option<u64>> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.0.elapsed() >= self.window {
            *counted = (Stopwatch::start(), 0);
        }
        counted.1 += 1;
        if counted.1 <= self.requests { Ok(()) } else { Err(self.tells.then_some(self.window.as_secs())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_over_the_rate_and_says_when_to_come_back_where_the_vendor_does() {
        for (vendor, requests, told) in [("mixpanel", 3, None), ("zendesk", 30, Some(1))] {
            let limiter = Limiter { window: Duration::from_secs(3_600), ..Limiter::new(vendor) };
            assert!((0..requests).all(|_| limiter.take().is_ok()), "{vendor}");
            assert!(limiter.take().is_err(), "{vendor}");
            assert_eq!(Limiter::new(vendor).tells, told.is_some());
        }
    }
}
