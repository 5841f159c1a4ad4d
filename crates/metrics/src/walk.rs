//! What depends on the order of the rows, added up from the highest score down for several samples at once.

use crate::measure::{Figures, LANES, Lanes};
use crate::profit::{Campaign, Hull};

/// The shares of the list that lift and gains are given for.
const SHARES: [f64; 3] = [0.05, 0.1, 0.2];

/// Rows with the same score: how many, and the worth of those with and without the event.
#[derive(Default)]
pub(crate) struct Tie {
    rows: Lanes,
    hits: Lanes,
    misses: Lanes,
    /// Whoever was drawn.
    pub(crate) rows_in_all: usize,
    hits_in_all: usize,
}

impl Tie {
    pub(crate) fn add(&mut self, copies: &Lanes, value: f64, event: bool) {
        let worth = if event { &mut self.hits } else { &mut self.misses };
        for ((rows, worth), copies) in self.rows.iter_mut().zip(worth).zip(copies) {
            *rows += copies;
            *worth += copies * value;
        }
        self.rows_in_all += 1;
        self.hits_in_all += usize::from(event);
    }
}

/// What is added up whatever the order of the rows.
pub(crate) struct Sums {
    pub(crate) loss: f64,
    pub(crate) square: f64,
    /// Expected less observed events.
    pub(crate) error: f64,
    /// The same, added up over the bins without the sign.
    pub(crate) bin_errors: f64,
}

/// What depends on the order of the rows.
pub(crate) struct Walk {
    positives: Lanes,
    negatives: Lanes,
    wins: Lanes,
    precision: Lanes,
    listed: Lanes,
    /// Where the list's shares end, and what was found before.
    ends: [Lanes; 3],
    captured: [Lanes; 3],
    /// The next end of each sample.
    next: Lanes,
    hulls: Option<[Hull; LANES]>,
}

impl Walk {
    pub(crate) fn new(listed: &Lanes, with_hull: bool) -> Self {
        let ends = SHARES.map(|share| listed.map(|all| share * all));
        Self {
            positives: [0.0; LANES],
            negatives: [0.0; LANES],
            wins: [0.0; LANES],
            precision: [0.0; LANES],
            listed: [0.0; LANES],
            next: ends[0],
            ends,
            captured: [[f64::NAN; LANES]; 3],
            hulls: with_hull.then(|| std::array::from_fn(|_| Hull::default())),
        }
    }

    /// Takes in a row whose score no other has: what [`Walk::tie_ends`] does of a tie of one, with less to do.
    pub(crate) fn row(&mut self, copies: &Lanes, value: f64, event: bool) {
        if event || self.hulls.is_some() || self.crosses(copies) {
            let mut tie = Tie::default();
            tie.add(copies, value, event);
            return self.tie_ends(&tie);
        }
        for (k, copies) in copies.iter().enumerate() {
            self.listed[k] += copies;
            self.wins[k] += copies * value * self.positives[k];
            self.negatives[k] += copies * value;
        }
    }

    /// Whether a share of some sample's list ends within so many more rows.
    fn crosses(&self, rows: &Lanes) -> bool {
        self.listed.iter().zip(rows).zip(&self.next).fold(false, |any, ((listed, rows), next)| any | (listed + rows >= *next))
    }

    /// Takes rows with the same score in.
    pub(crate) fn tie_ends(&mut self, tie: &Tie) {
        if self.crosses(&tie.rows) {
            self.shares_end(tie);
        }
        for k in 0..LANES {
            self.listed[k] += tie.rows[k];
            // Each miss loses to all events before, and draws with those of its own score.
            self.wins[k] += tie.misses[k] * (self.positives[k] + tie.hits[k] / 2.0);
            self.positives[k] += tie.hits[k];
            self.negatives[k] += tie.misses[k];
        }
        if tie.hits_in_all > 0 {
            for k in 0..LANES {
                // Nobody drawn yet: nothing divided by nothing.
                let all = (self.positives[k] + self.negatives[k]).max(f64::MIN_POSITIVE);
                self.precision[k] += tie.hits[k] * self.positives[k] / all;
            }
        }
        if let Some(hulls) = &mut self.hulls {
            for (k, hull) in hulls.iter_mut().enumerate().filter(|(k, _)| tie.rows[*k] > 0.0) {
                hull.push(self.negatives[k], self.positives[k]);
            }
        }
    }

    /// Notes what was found where a share of the list ends among the tie's rows.
    fn shares_end(&mut self, tie: &Tie) {
        for k in (0..LANES).filter(|k| tie.rows[*k] > 0.0) {
            let listed = self.listed[k] + tie.rows[k];
            self.next[k] = f64::INFINITY;
            for (captured, ends) in self.captured.iter_mut().zip(&self.ends) {
                if captured[k].is_nan() && listed >= ends[k] {
                    captured[k] = self.positives[k] + tie.hits[k] * (ends[k] - self.listed[k]) / tie.rows[k];
                }
                if captured[k].is_nan() {
                    self.next[k] = self.next[k].min(ends[k]);
                }
            }
        }
    }

    pub(crate) fn figures(&self, k: usize, sums: &Sums, campaign: Option<Campaign>) -> Option<Figures> {
        let (positives, negatives) = (self.positives[k], self.negatives[k]);
        let expected = positives + sums.error;
        if positives <= 0.0 || negatives <= 0.0 || expected <= 0.0 {
            return None;
        }
        let total = positives + negatives;
        let captured = self.captured.map(|c| c[k] / positives);
        let (profit, contacted) = match (campaign, &self.hulls) {
            (Some(campaign), Some(hulls)) => hulls[k].expected_profit(campaign),
            _ => (f64::NAN, f64::NAN),
        };
        Some([
            self.wins[k] / (positives * negatives),
            self.precision[k] / positives,
            sums.loss / total,
            sums.square / total,
            sums.bin_errors / total,
            positives / expected,
            captured[0] / SHARES[0],
            captured[1] / SHARES[1],
            captured[2] / SHARES[2],
            captured[0],
            captured[1],
            captured[2],
            profit,
            contacted,
        ])
    }
}
