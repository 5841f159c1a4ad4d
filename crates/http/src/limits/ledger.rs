//! The accounts behind [`Limits`](super::Limits), without time or waiting of their own: a caller says what time it is.

use super::budget::{Budget, BudgetRule};
use super::spent::{Spent, SpentRule};
use super::window::Window;
use super::{LimitRule, millis};
use chrono::DateTime;
use std::collections::BTreeMap;
use std::time::Duration;

/// Rules over so long a time outlive a process.
const LONG: Duration = Duration::from_secs(3600);

#[derive(Debug)]
pub(super) struct Ledger {
    windows: Vec<Window>,
    budget: Budget,
    requests: u64,
}

impl Ledger {
    pub(super) fn new(rules: Vec<LimitRule>, budget: Option<BudgetRule>) -> Self {
        // Where answers tell what is left but not until when, the shortest general rule is the best guess.
        let guess = rules.iter().filter(|rule| rule.path.is_none()).map(|rule| millis(rule.per)).min();
        let budget = Budget::new(budget.unwrap_or_default(), guess);
        Self { windows: rules.into_iter().map(Window::new).collect(), budget, requests: 0 }
    }

    /// How long a request to this path has to wait; nothing where it need not.
    pub(super) fn wait(&mut self, path: &str, now: u64) -> Option<Duration> {
        let windows = self.windows.iter_mut().filter(|window| window.holds_for(path)).map(|window| window.free_at(now)).max();
        let free = windows.unwrap_or(now).max(self.budget.free_at(now));
        (free > now).then(|| Duration::from_millis(free - now))
    }

    /// Counts a request to this path, or says how long it has to wait.
    pub(super) fn take(&mut self, path: &str, now: u64) -> Option<Duration> {
        let wait = self.wait(path, now);
        if wait.is_none() {
            self.windows.iter_mut().filter(|window| window.holds_for(path)).for_each(|window| window.count(now));
            self.budget.count();
            self.requests += 1;
        }
        wait
    }

    pub(super) fn observe(&mut self, headers: &BTreeMap<String, String>, now: u64) {
        self.budget.observe(headers, now);
    }

    pub(super) fn quota_spent(&self) -> Option<(u64, u64, bool)> {
        self.budget.quota_spent()
    }

    pub(super) fn left(&self) -> Option<u64> {
        self.budget.last_seen()
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests
    }

    pub(super) fn spent(&mut self, now: u64) -> Spent {
        let long = self.windows.iter_mut().filter(|window| window.rule.per >= LONG);
        let rules = long.map(|window| {
            let sent = window.buckets(now).filter_map(|(start, count)| {
                let start = DateTime::from_timestamp_millis(i64::try_from(start).ok()?)?;
                Some((start, count))
            });
            let sent = sent.collect();
            SpentRule { per_secs: window.rule.per.as_secs(), path: window.rule.path.clone(), sent }
        });
        Spent { rules: rules.collect() }
    }

    pub(super) fn restore(&mut self, spent: &Spent, now: u64) {
        for window in self.windows.iter_mut().filter(|window| window.rule.per >= LONG) {
            let same = |rule: &&SpentRule| rule.per_secs == window.rule.per.as_secs() && rule.path == window.rule.path;
            let Some(rule) = spent.rules.iter().find(same) else { continue };
            let buckets: Vec<(u64, u32)> =
                rule.sent.iter().map(|(at, count)| (u64::try_from(at.timestamp_millis()).unwrap_or(0), *count)).collect();
            window.merge(buckets.into_iter(), now);
        }
    }
}
