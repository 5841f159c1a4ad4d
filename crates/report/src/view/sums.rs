//! Sums over accounts: the same figures for the whole portfolio, a segment or one customer success manager.

use crate::night::{Account, Cents};
use crate::tone::{Bands, Tone};
use chrono::{Duration, NaiveDate};
use minijinja::{Value, context};

/// Sums over some accounts.
#[derive(Debug, Clone, Default)]
pub(super) struct Sums {
    pub(super) accounts: usize,
    pub(super) arr: Cents,
    /// Σ ARR × probability of churn, or ARR × (100 − health) where no model is in use.
    pub(super) at_risk: Cents,
    health: f64,
    scored: usize,
    before: f64,
    compared: usize,
    /// Per band, in the order of the bands: accounts and ARR.
    pub(super) bands: Vec<(usize, Cents)>,
    pub(super) alerts: usize,
    pub(super) severe: usize,
    pub(super) opportunities: usize,
    pub(super) expected: Cents,
    pub(super) renewals: usize,
    /// Accounts whose renewal date is known at all.
    dated: usize,
    pub(super) renewing_arr: Cents,
    pub(super) bad: usize,
    pub(super) bad_arr: Cents,
}

/// Renewals so near are counted.
pub(super) const RENEWAL_DAYS: i64 = 90;

impl Sums {
    /// Adds everything up.
    pub(super) fn of<'a>(accounts: impl IntoIterator<Item = &'a Account>, bands: &Bands, as_of: NaiveDate) -> Self {
        let names: Vec<&str> = bands.iter().map(|b| b.name.as_str()).collect();
        let mut sums = Self { bands: vec![(0, 0); names.len()], ..Self::default() };
        for account in accounts {
            let arr = account.arr.unwrap_or(0);
            sums.accounts += 1;
            sums.arr += arr;
            sums.at_risk += account.attention;
            if let Some(health) = &account.health {
                sums.health += health.score;
                sums.scored += 1;
                if let Some(slot) = names.iter().position(|n| **n == *health.band).and_then(|i| sums.bands.get_mut(i)) {
                    slot.0 += 1;
                    slot.1 += arr;
                }
                if bands.tone(&health.band) == Tone::Bad {
                    sums.bad += 1;
                    sums.bad_arr += arr;
                }
                if let Some(before) = &account.before {
                    sums.before += before.score - health.score;
                    sums.compared += 1;
                }
            }
            for alert in account.open_alerts() {
                sums.alerts += 1;
                sums.severe += usize::from(alert.rank() < 2);
            }
            sums.opportunities += account.opportunities.len();
            sums.expected += account.opportunities.iter().filter_map(|o| o.expected_arr).sum::<Cents>();
            sums.dated += usize::from(account.renewal.is_some());
            if account.renewal.is_some_and(|r| r >= as_of && r <= as_of + Duration::days(RENEWAL_DAYS)) {
                sums.renewals += 1;
                sums.renewing_arr += arr;
            }
        }
        sums
    }

    /// Mean health of the accounts that have a score.
    pub(super) fn mean_health(&self) -> Option<f64> {
        (self.scored > 0).then(|| self.health / self.scored as f64)
    }

    /// Mean movement of the accounts that have a score on both nights.
    pub(super) fn mean_moved(&self) -> Option<f64> {
        (self.compared > 0).then(|| -self.before / self.compared as f64)
    }

    /// ARR at risk as a share of ARR.
    pub(super) fn at_risk_share(&self) -> Option<f64> {
        (self.arr > 0).then(|| self.at_risk as f64 / self.arr as f64)
    }

    /// As a template sees it.
    pub(super) fn value(&self, bands: &Bands) -> Value {
        let bands: Vec<Value> = bands
            .iter()
            .zip(&self.bands)
            .map(|(band, (count, arr))| {
                context! {
                    name => crate::format::humanise(&band.name),
                    tone => band.tone.class(),
                    count => *count,
                    arr => *arr,
                    share => if self.accounts > 0 { *count as f64 / self.accounts as f64 } else { 0.0 },
                }
            })
            .collect();
        context! {
            accounts => self.accounts,
            arr => self.arr,
            at_risk => self.at_risk,
            at_risk_share => self.at_risk_share(),
            health => self.mean_health(),
            moved => self.mean_moved(),
            scored => self.scored,
            bands => bands,
            alerts => self.alerts,
            severe => self.severe,
            opportunities => self.opportunities,
            expected => self.expected,
            renewals => (self.dated > 0).then_some(self.renewals),
            renewing_arr => (self.dated > 0).then_some(self.renewing_arr),
            bad => self.bad,
            bad_arr => self.bad_arr,
        }
    }
}
