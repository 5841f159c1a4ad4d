use super::QuotaRule;
use super::quota::Quota;
use std::collections::BTreeMap;

/// Which headers of answers tell what is left.
#[derive(Debug, Clone, Default)]
pub struct BudgetRule {
    /// The header with the requests that are left in the current window.
    pub remaining: Option<String>,
    /// The header with the end of the window.
    pub reset: Option<String>,
    /// Whether `reset` counts seconds from now (else it is a Unix time in seconds).
    pub reset_in_secs: bool,
    /// At so many requests left, the next one waits for the end of the window.
    pub keep: u32,
    /// The header that tells how much of a day's quota is spent.
    pub quota: Option<QuotaRule>,
}

/// What answers said.
#[derive(Debug)]
pub(super) struct Budget {
    rule: BudgetRule,
    /// How long a window lasts where answers don't say when it ends.
    guess_ms: Option<u64>,
    seen: Option<u64>,
    /// As seen, less what was sent since: answers of requests under way are yet to come.
    left: Option<u64>,
    /// When the window ends, and whether that is a guess.
    ends: Option<(u64, bool)>,
    quota: Option<Quota>,
}

impl Budget {
    pub(super) fn new(mut rule: BudgetRule, guess_ms: Option<u64>) -> Self {
        let quota = rule.quota.take().and_then(Quota::new);
        Self { rule, guess_ms, seen: None, left: None, ends: None, quota }
    }

    /// The first moment, from now on, at which one more request is allowed.
    pub(super) fn free_at(&mut self, now: u64) -> u64 {
        if self.ends.is_some_and(|(end, _)| end <= now) {
            // A new window, of which nothing is known yet.
            (self.left, self.ends) = (None, None);
        }
        match (self.left, self.ends) {
            (Some(left), Some((end, _))) if left <= u64::from(self.rule.keep) => end,
            _ => now,
        }
    }

    /// Counts one request.
    pub(super) fn count(&mut self) {
        self.left = self.left.map(|left| left.saturating_sub(1));
    }

    pub(super) fn observe(&mut self, headers: &BTreeMap<String, String>, now: u64) {
        if let Some(quota) = &mut self.quota
            && let Some(value) = headers.get(quota.header())
        {
            quota.observe(value);
        }
        let header = |name: &Option<String>| Some(headers.get(&name.as_ref()?.to_ascii_lowercase())?.trim());
        let Some(seen) = header(&self.rule.remaining).and_then(number) else { return };
        let seen = seen.max(0.0) as u64;
        self.seen = Some(seen);
        let said = header(&self.rule.reset).and_then(number).map(|at| moment(at, self.rule.reset_in_secs, now));
        let ends = said.map(|end| (end, false)).or_else(|| self.guess_ms.map(|guess| (now.saturating_add(guess), true)));
        // Answers come in another order than requests went out.
        match (self.ends, ends) {
            (Some((old, false)), Some((new, false))) if old > now && new.saturating_add(SAME_MS) < old => {
                // About a window that is over.
            }
            (Some((old, false)), Some((new, _))) if old > now && new <= old.saturating_add(SAME_MS) => {
                // Within a window the smaller number is the newer one.
                self.left = Some(self.left.map_or(seen, |left| left.min(seen)));
            }
            // A guessed end says nothing of windows: believe what was said last.
            _ => {
                self.left = Some(seen);
                self.ends = ends;
            }
        }
    }

    pub(super) fn last_seen(&self) -> Option<u64> {
        self.seen
    }

    pub(super) fn quota_spent(&self) -> Option<(u64, u64, bool)> {
        self.quota.as_ref()?.spent()
    }
}

/// Ends that are so close are the same end, told in whole seconds at different moments.
const SAME_MS: u64 = 1500;

fn number(value: &str) -> Option<f64> {
    value.parse::<f64>().ok().filter(|number| number.is_finite())
}

/// When a window ends.
fn moment(value: f64, from_now: bool, now: u64) -> u64 {
    // Some send milliseconds since 1970; in seconds that would be some thousand years ahead.
    const SURELY_MS: f64 = 100_000_000_000.0;
    let ms = match value.max(0.0) {
        ms if !from_now && ms >= SURELY_MS => ms,
        secs => secs * 1000.0,
    };
    if from_now { now.saturating_add(ms as u64) } else { ms as u64 }
}
