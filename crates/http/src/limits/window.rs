use super::{LimitRule, millis};
use std::collections::VecDeque;

/// A window has so many buckets.
const BUCKETS: u64 = 60;

/// What was spent of one rule.
///
/// Not a bucket of tokens that fills up again: that would allow almost twice as many requests in a time that begins at the right moment,
/// and vendors count over sliding windows. Requests are counted in buckets of a sixtieth of the window, and all of a bucket counts until
/// the window has passed since its end: a little later than need be, never too early.
#[derive(Debug)]
pub(super) struct Window {
    pub(super) rule: LimitRule,
    pub(super) per_ms: u64,
    bucket_ms: u64,
    /// Beginning of the bucket → requests, oldest first.
    buckets: VecDeque<(u64, u32)>,
    spent: u64,
}

impl Window {
    pub(super) fn new(rule: LimitRule) -> Self {
        let per_ms = millis(rule.per).max(1);
        Self { rule, per_ms, bucket_ms: (per_ms / BUCKETS).max(1), buckets: VecDeque::new(), spent: 0 }
    }

    pub(super) fn holds_for(&self, path: &str) -> bool {
        self.rule.path.as_ref().is_none_or(|part| path.contains(part))
    }

    /// The first moment, from now on, at which one more request is allowed.
    pub(super) fn free_at(&mut self, now: u64) -> u64 {
        self.forget(now);
        let most = u64::from(self.rule.requests.max(1));
        let mut over = self.spent.saturating_sub(most - 1);
        let mut at = now;
        for (start, count) in &self.buckets {
            if over == 0 {
                break;
            }
            at = self.end_of(*start);
            over = over.saturating_sub(u64::from(*count));
        }
        at.max(now)
    }

    /// Counts one request.
    pub(super) fn count(&mut self, now: u64) {
        let start = now - now % self.bucket_ms;
        self.spent += 1;
        match self.buckets.back_mut() {
            // A restored bucket may be the current one, or, if the clock was set back, a later one.
            Some((last, count)) if *last >= start => *count = count.saturating_add(1),
            _ => self.buckets.push_back((start, 1)),
        }
    }

    /// The buckets that still count.
    pub(super) fn buckets(&mut self, now: u64) -> impl Iterator<Item = (u64, u32)> + '_ {
        self.forget(now);
        self.buckets.iter().copied()
    }

    /// Takes in buckets of an earlier run; of a bucket known to both, the larger count holds.
    pub(super) fn merge(&mut self, buckets: impl Iterator<Item = (u64, u32)>, now: u64) {
        let mut all: std::collections::BTreeMap<u64, u32> = self.buckets.drain(..).collect();
        for (start, count) in buckets {
            // A bucket of the future comes from another clock: it counts from now.
            let start = start.min(now);
            let known = all.entry(start - start % self.bucket_ms).or_default();
            *known = (*known).max(count);
        }
        self.buckets = all.into_iter().collect();
        self.spent = self.buckets.iter().map(|(_, count)| u64::from(*count)).sum();
        self.forget(now);
    }

    /// The moment from which on a bucket counts no more.
    fn end_of(&self, start: u64) -> u64 {
        start.saturating_add(self.bucket_ms).saturating_add(self.per_ms)
    }

    fn forget(&mut self, now: u64) {
        while let Some((start, count)) = self.buckets.front().copied() {
            if self.end_of(start) > now {
                break;
            }
            self.spent -= u64::from(count);
            self.buckets.pop_front();
        }
    }
}
