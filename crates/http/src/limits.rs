//! How many requests a vendor allows, for all streams that share an account.
//!
//! Three things hold a request back: rules that are known beforehand (so many in so many seconds), what the vendor's answers say about
//! requests that are left, and how many requests are under way. Rules over an hour and longer outlive a process: what was spent can be
//! saved and restored, so that tomorrow's run knows.

mod budget;
mod ledger;
mod quota;
mod spent;
mod window;

pub use budget::BudgetRule;
pub use quota::QuotaRule;
pub use spent::{Spent, SpentRule};

use cscopilot_diag::clock::{self, Stopwatch};
use ledger::Ledger;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many requests in any time of this length.
#[derive(Debug, Clone)]
pub struct LimitRule {
    /// How many.
    pub requests: u32,
    /// In how long a time.
    pub per: Duration,
    /// Holds only for URLs whose path contains this.
    pub path: Option<String>,
}

/// The limits of one account at a vendor. Clones share them.
#[derive(Clone)]
pub struct Limits(Arc<Shared>);

struct Shared {
    ledger: Mutex<Ledger>,
    under_way: Arc<Semaphore>,
    clock: Clock,
}

/// Leave to send one request. Hold it until the answer has been read.
#[derive(Debug)]
#[must_use = "a request counts as under way only while its permit is held"]
pub struct Permit {
    _slot: Option<OwnedSemaphorePermit>,
}

impl Limits {
    /// Limits by rules, by what answers say, and by how many requests may be under way at a time (at least one).
    #[must_use]
    pub fn new(rules: Vec<LimitRule>, budget: Option<BudgetRule>, concurrency: u32) -> Self {
        let ledger = Mutex::new(Ledger::new(rules, budget));
        let slots = usize::try_from(concurrency.max(1)).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Shared { ledger, under_way: Arc::new(Semaphore::new(slots)), clock: Clock::start() }))
    }

    /// Waits until a request to this path may be sent, and counts it.
    pub async fn permit(&self, path: &str) -> Permit {
        // What answers say may shorten a long wait, so look again now and then.
        const LOOK_AGAIN: Duration = Duration::from_secs(10);
        let mut told = false;
        loop {
            // The slot comes first, so that the request is counted when it is really sent; but nobody sleeps on a slot.
            // The semaphore is never closed; if it were, the limit on requests under way would be the only thing lost.
            let slot = Arc::clone(&self.0.under_way).acquire_owned().await.ok();
            let Some(wait) = self.ledger().take(path, self.0.clock.now()) else { return Permit { _slot: slot } };
            drop(slot);
            if !told && wait >= Duration::from_secs(1) {
                told = true;
                tracing::info!(path, wait_ms = wait.as_millis(), "waiting for the vendor's limit");
            }
            tokio::time::sleep(wait.min(LOOK_AGAIN)).await;
        }
    }

    /// How long a request to this path would have to wait now, requests under way aside: for whoever would rather stop than wait for hours.
    #[must_use]
    pub fn pause(&self, path: &str) -> Duration {
        self.ledger().wait(path, self.0.clock.now()).unwrap_or_default()
    }

    /// Takes in what an answer's headers (names in lower case) say about the requests that are left.
    pub fn observe(&self, headers: &BTreeMap<String, String>) {
        self.ledger().observe(headers, self.0.clock.now());
    }

    /// How much of the quota is spent, of how much, and whether it is time to stop; nothing until an answer said so.
    #[must_use]
    pub fn quota_spent(&self) -> Option<(u64, u64, bool)> {
        self.ledger().quota_spent()
    }

    /// How many requests are left, as the last answer said.
    #[must_use]
    pub fn left(&self) -> Option<u64> {
        self.ledger().left()
    }

    /// How many requests were permitted so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.ledger().requests()
    }

    /// What was spent of the rules over an hour and longer.
    #[must_use]
    pub fn spent(&self) -> Spent {
        self.ledger().spent(self.0.clock.now())
    }

    /// Takes in what earlier runs spent. Doing it twice does no harm.
    pub fn restore(&self, spent: &Spent) {
        self.ledger().restore(spent, self.0.clock.now());
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits").field("ledger", &*self.ledger()).field("slots", &self.0.under_way.available_permits()).finish()
    }
}

/// Milliseconds since 1970, which later runs understand too, and which never go backwards within this one.
struct Clock {
    start_ms: u64,
    since: Stopwatch,
}

impl Clock {
    fn start() -> Self {
        Self { start_ms: u64::try_from(clock::now().timestamp_millis()).unwrap_or(0), since: Stopwatch::start() }
    }

    fn now(&self) -> u64 {
        self.start_ms + millis(self.since.elapsed())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
