//! All figures of a set of predictions in one pass over its rows, made to be repeated under many weights.
//!
//! A bootstrap measures the same rows a thousand times, each time with another number of copies of each account. So the rows
//! are put in order once; a measurement then walks over them and needs neither sorting nor copies. Rows with the same score
//! count as if their order were random, so no figure depends on it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::metrics::bootstrap::Interval;
use crate::metrics::profit::{Campaign, Hull};
use crate::metrics::ranking::{bin_count, falling};

/// A figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Area under the ROC curve.
    Auc,
    /// Mean precision at each event.
    AveragePrecision,
    /// Mean negative log likelihood of the probabilities.
    LogLoss,
    /// Mean squared error of the probabilities.
    Brier,
    /// Expected calibration error over bins of equal size. Noise in the bins adds to it, and in each sample adds again: its
    /// interval lies high.
    CalibrationError,
    /// Observed events divided by expected ones.
    CalibrationRatio,
    /// Share of the events among the first 5 % of the rows, divided by 5 %.
    #[serde(rename = "lift_5pct")]
    Lift5,
    /// The same of the first 10 %.
    #[serde(rename = "lift_10pct")]
    Lift10,
    /// The same of the first 20 %.
    #[serde(rename = "lift_20pct")]
    Lift20,
    /// Share of the events among the first 5 % of the rows: the gain.
    #[serde(rename = "captured_5pct")]
    Captured5,
    /// The same among the first 10 %.
    #[serde(rename = "captured_10pct")]
    Captured10,
    /// The same among the first 20 %.
    #[serde(rename = "captured_20pct")]
    Captured20,
    /// Expected maximum profit of a campaign, per row, in money. Only where the campaign is known.
    ExpectedProfit,
    /// The share of the rows that this campaign contacts.
    ContactedShare,
}

impl Figure {
    /// All figures, in the order of [`Figures`].
    pub const ALL: [Self; 14] = [
        Self::Auc,
        Self::AveragePrecision,
        Self::LogLoss,
        Self::Brier,
        Self::CalibrationError,
        Self::CalibrationRatio,
        Self::Lift5,
        Self::Lift10,
        Self::Lift20,
        Self::Captured5,
        Self::Captured10,
        Self::Captured20,
        Self::ExpectedProfit,
        Self::ContactedShare,
    ];
}

/// Values of [`Figure::ALL`], in that order; NaN where a figure isn't known.
pub type Figures = [f64; Figure::ALL.len()];

/// Figures with their intervals.
pub type Measured = BTreeMap<Figure, Interval>;

/// The shares of the list that lift and gains are given for.
const SHARES: [f64; 3] = [0.05, 0.1, 0.2];

/// What is known of each row of a slice; all vectors have the same length.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// What puts the rows in order: higher means more likely.
    pub scores: &'a [f64],
    /// Calibrated probabilities.
    pub probabilities: &'a [f64],
    /// Whether the event happened.
    pub events: &'a [bool],
    /// Each row's account, an index below the number of accounts that the bootstrap draws from.
    pub accounts: &'a [u32],
    /// What each row is worth, at least 0; each row counts the same without it. The list of lift and gains is counted in rows
    /// even so: a CSM can call so many customers, however large they are.
    pub values: Option<&'a [f64]>,
}

/// Rows in falling order of score, ready to be measured.
#[derive(Debug, Clone)]
pub struct Slice {
    rows: Vec<Row>,
    /// Each account of the slice with its number of rows.
    sizes: Vec<(u32, f64)>,
    bins: usize,
    campaign: Option<Campaign>,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    account: u32,
    /// Calibration bin, by probability.
    bin: u8,
    event: bool,
    /// Whether the next row has another score.
    ends_tie: bool,
    value: f64,
    probability: f64,
    loss: f64,
}

impl Slice {
    /// Puts rows in order. `campaign` gives the expected profit, which is known only where all rows count the same.
    pub fn new(rows: Rows<'_>, campaign: Option<Campaign>) -> Self {
        let n = rows.scores.len();
        // Bins of the whole slice, kept in every sample: their borders are part of the figure's definition.
        let mut bin_of = vec![0u8; n];
        let bins = bin_count(rows.events);
        let by_probability = falling(rows.probabilities);
        for (rank, at) in by_probability.iter().enumerate() {
            bin_of[*at] = (((rank + 1) * bins).div_ceil(n.max(1)) - 1) as u8;
        }
        let order = falling(rows.scores);
        let mut made = Vec::with_capacity(n);
        for (rank, &at) in order.iter().enumerate() {
            let (p, event) = (rows.probabilities[at], rows.events[at]);
            let safe = p.clamp(1e-12, 1.0 - 1e-12);
            made.push(Row {
                account: rows.accounts[at],
                bin: bin_of[at],
                event,
                ends_tie: order.get(rank + 1).is_none_or(|next| rows.scores[*next] != rows.scores[at]),
                value: rows.values.map_or(1.0, |v| v[at]),
                probability: p,
                loss: -(if event { safe } else { 1.0 - safe }).ln(),
            });
        }
        let mut accounts: Vec<u32> = rows.accounts.to_vec();
        accounts.sort_unstable();
        let sizes = accounts.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() as f64)).collect();
        Self { rows: made, sizes, bins, campaign: campaign.filter(|_| rows.values.is_none()) }
    }

    /// The figures with `copies[account]` copies of each account's rows; `None` unless both classes occur.
    pub fn measure(&self, copies: &[f64]) -> Option<Figures> {
        let listed: f64 = self.sizes.iter().map(|(account, size)| copies[*account as usize] * size).sum();
        let mut sums = Sums::new(listed, self.campaign.is_some());
        let mut bins = [0.0; 16];
        let mut tie = [0.0; 3];
        for row in &self.rows {
            let count = copies[row.account as usize];
            if count > 0.0 {
                let value = count * row.value;
                tie[0] += count;
                tie[if row.event { 1 } else { 2 }] += value;
                let error = row.probability - if row.event { 1.0 } else { 0.0 };
                sums.expected += value * row.probability;
                sums.loss += value * row.loss;
                sums.square += value * error * error;
                bins[usize::from(row.bin) & 15] += value * error;
            }
            if row.ends_tie && tie[0] > 0.0 {
                sums.tie_ends(tie);
                tie = [0.0; 3];
            }
        }
        sums.figures(&bins[..self.bins], self.campaign)
    }
}

/// What one walk over the rows adds up.
struct Sums {
    positives: f64,
    negatives: f64,
    wins: f64,
    precision: f64,
    expected: f64,
    loss: f64,
    square: f64,
    /// Where the list's shares end, and how much of it is behind.
    ends: [f64; 3],
    listed: f64,
    captured: [f64; 3],
    hull: Option<Hull>,
}

impl Sums {
    fn new(listed: f64, with_hull: bool) -> Self {
        Self {
            positives: 0.0,
            negatives: 0.0,
            wins: 0.0,
            precision: 0.0,
            expected: 0.0,
            loss: 0.0,
            square: 0.0,
            ends: SHARES.map(|share| share * listed),
            listed: 0.0,
            captured: [f64::NAN; 3],
            hull: with_hull.then(Hull::default),
        }
    }

    /// Takes rows with the same score in: how many, and the worth of those with and without the event.
    fn tie_ends(&mut self, [rows, hits, misses]: [f64; 3]) {
        for (captured, end) in self.captured.iter_mut().zip(self.ends) {
            if captured.is_nan() && self.listed + rows >= end {
                *captured = self.positives + hits * (end - self.listed) / rows;
            }
        }
        self.listed += rows;
        // Each miss loses to all events before, and draws with those of its own score.
        self.wins += misses * (self.positives + hits / 2.0);
        self.positives += hits;
        self.negatives += misses;
        if hits > 0.0 {
            self.precision += hits * self.positives / (self.positives + self.negatives);
        }
        if let Some(hull) = &mut self.hull {
            hull.push(self.negatives, self.positives);
        }
    }

    fn figures(self, bins: &[f64], campaign: Option<Campaign>) -> Option<Figures> {
        let (positives, negatives) = (self.positives, self.negatives);
        if positives <= 0.0 || negatives <= 0.0 || self.expected <= 0.0 {
            return None;
        }
        let total = positives + negatives;
        let captured = self.captured.map(|c| c / positives);
        let (profit, contacted) = match (campaign, self.hull) {
            (Some(campaign), Some(hull)) => hull.expected_profit(campaign),
            _ => (f64::NAN, f64::NAN),
        };
        Some([
            self.wins / (positives * negatives),
            self.precision / positives,
            self.loss / total,
            self.square / total,
            bins.iter().map(|b| b.abs()).sum::<f64>() / total,
            positives / self.expected,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{calibration_bins, calibration_error};

    struct Sample {
        scores: Vec<f64>,
        probabilities: Vec<f64>,
        events: Vec<bool>,
        values: Vec<f64>,
        accounts: Vec<u32>,
    }

    /// 60 rows with many ties; each its own account.
    fn sample() -> Sample {
        let scores: Vec<f64> = (0..60).map(|i| (f64::from((i * 7919) % 101) / 101.0 * 10.0).round() / 10.0).collect();
        Sample {
            probabilities: scores.iter().map(|s| 0.02 + 0.9 * s).collect(),
            events: scores.iter().enumerate().map(|(i, s)| (((i * 31) % 17) as f64) < 1.0 + 9.0 * s).collect(),
            values: (0..60).map(|i| 1.0 + f64::from((i * 13) % 7)).collect(),
            accounts: (0..60).collect(),
            scores,
        }
    }

    fn slice(s: &Sample, weighted: bool) -> Slice {
        let rows = Rows {
            scores: &s.scores,
            probabilities: &s.probabilities,
            events: &s.events,
            accounts: &s.accounts,
            values: weighted.then_some(&s.values),
        };
        Slice::new(rows, Some(Campaign { clv: 200.0, incentive: 10.0, contact_cost: 1.0, alpha: 6.0, beta: 14.0 }))
    }

    fn assert_figures(found: Figures, expected: &[(Figure, f64)]) {
        for (figure, value) in expected {
            let found = found[*figure as usize];
            assert!((found - value).abs() < 1e-9, "{figure:?}: {found}, not {value}");
        }
    }

    #[test]
    fn agrees_with_scikit_learn() {
        // scikit-learn 1.9: roc_auc_score, average_precision_score, log_loss, brier_score_loss; gains by numpy.
        let s = sample();
        let found = slice(&s, false).measure(&[1.0; 60]).unwrap();
        assert_figures(
            found,
            &[
                (Figure::Auc, 0.742_368_742_368_742_4),
                (Figure::AveragePrecision, 0.589_677_476_519_581_8),
                (Figure::LogLoss, 0.621_975_958_630_197_6),
                (Figure::Brier, 0.208_255),
                (Figure::CalibrationRatio, 0.761_697_497_279_651_7),
                (Figure::Captured5, 0.095_238_095_238_095_23),
                (Figure::Captured10, 0.214_285_714_285_714_27),
                (Figure::Lift20, 0.390_476_190_476_190_4 / 0.2),
                (Figure::CalibrationError, calibration_error(&calibration_bins(&s.probabilities, &s.events, &s.accounts))),
            ],
        );
        assert!(Figure::ALL.iter().enumerate().all(|(at, f)| *f as usize == at));
    }

    #[test]
    fn agrees_with_scikit_learn_where_rows_have_weights() {
        let found = slice(&sample(), true).measure(&[1.0; 60]).unwrap();
        assert_figures(
            found,
            &[
                (Figure::Auc, 0.765_050_941_648_657),
                (Figure::AveragePrecision, 0.581_618_986_794_612_3),
                (Figure::LogLoss, 0.585_113_079_449_098_5),
                (Figure::Brier, 0.199_802_469_135_802_5),
                (Figure::CalibrationRatio, 0.711_327_210_516_837_8),
                // The list is counted in rows, what it holds in worth.
                (Figure::Captured5, 0.075_949_367_088_607_6),
                (Figure::Captured20, 0.4),
            ],
        );
        assert!(found[Figure::ExpectedProfit as usize].is_nan());
    }

    #[test]
    fn copies_of_an_account_are_copies_of_its_rows() {
        let s = sample();
        let mut copies = [1.0; 60];
        (copies[3], copies[7], copies[20]) = (0.0, 2.0, 3.0);
        let mut drawn = Sample { scores: vec![], probabilities: vec![], events: vec![], values: vec![], accounts: vec![] };
        for (at, times) in copies.iter().enumerate() {
            for _ in 0..*times as usize {
                drawn.scores.push(s.scores[at]);
                drawn.probabilities.push(s.probabilities[at]);
                drawn.events.push(s.events[at]);
                drawn.values.push(s.values[at]);
                drawn.accounts.push(at as u32);
            }
        }
        let (found, expected) = (slice(&s, false).measure(&copies).unwrap(), slice(&drawn, false).measure(&[1.0; 60]).unwrap());
        for (at, figure) in Figure::ALL.into_iter().enumerate().filter(|(_, f)| *f != Figure::CalibrationError) {
            assert!((found[at] - expected[at]).abs() < 1e-12, "{figure:?}");
        }
    }

    #[test]
    fn one_class_has_no_figures() {
        let s = Sample { events: vec![false; 60], ..sample() };
        assert!(slice(&s, false).measure(&[1.0; 60]).is_none());
        let mut copies = [0.0; 60];
        copies[0] = 1.0;
        assert!(slice(&sample(), false).measure(&copies).is_none());
    }
}
