//! All figures of a set of predictions in one pass over its rows, made to be repeated under many weights.
//!
//! A bootstrap measures the same rows a thousand times, each time with another number of copies of each account. So the rows
//! are put in order once; a measurement then walks over them and needs neither sorting nor copies. One walk measures
//! [`LANES`] samples side by side: what is read of a row serves all of them, and an account's copies lie together in memory.
//! Rows with the same score count as if their order were random, so no figure depends on it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::bootstrap::Interval;
use crate::profit::Campaign;
use crate::ranking::{bin_count, falling};
use crate::walk::{Sums, Tie, Walk};

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

/// Samples that are measured in one walk.
pub const LANES: usize = 8;

/// A number for each of these samples.
pub type Lanes = [f64; LANES];

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
    accounts: Vec<Account>,
    /// By bin, then account.
    errors: Vec<BinError>,
    bins: usize,
    campaign: Option<Campaign>,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    account: u32,
    event: bool,
    /// Whether the next row has another score.
    ends_tie: bool,
    value: f64,
}

/// What an account's rows add to sums that need no order.
#[derive(Debug, Clone, Copy, Default)]
struct Account {
    account: u32,
    rows: f64,
    loss: f64,
    square: f64,
}

/// Expected less observed events of an account's rows in a calibration bin.
#[derive(Debug, Clone, Copy)]
struct BinError {
    bin: u8,
    account: u32,
    error: f64,
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
        let value = |at: usize| rows.values.map_or(1.0, |v| v[at]);
        let made = order.iter().enumerate().map(|(rank, &at)| Row {
            account: rows.accounts[at],
            event: rows.events[at],
            ends_tie: order.get(rank + 1).is_none_or(|next| rows.scores[*next] != rows.scores[at]),
            value: value(at),
        });
        let (mut accounts, mut errors) = (Vec::with_capacity(n), Vec::with_capacity(n));
        for (at, bin) in bin_of.into_iter().enumerate() {
            let (account, p, event) = (rows.accounts[at], rows.probabilities[at], rows.events[at]);
            let (safe, error) = (p.clamp(1e-12, 1.0 - 1e-12), p - if event { 1.0 } else { 0.0 });
            let loss = -(if event { safe } else { 1.0 - safe }).ln();
            accounts.push(Account { account, rows: 1.0, loss: value(at) * loss, square: value(at) * error * error });
            errors.push(BinError { bin, account, error: value(at) * error });
        }
        accounts.sort_by_key(|a| a.account);
        let whole = |run: &[Account]| {
            run.iter().fold(Account { account: run[0].account, ..Account::default() }, |sum, a| Account {
                rows: sum.rows + a.rows,
                loss: sum.loss + a.loss,
                square: sum.square + a.square,
                ..sum
            })
        };
        errors.sort_by_key(|e| (e.bin, e.account));
        let same = |a: &BinError, b: &BinError| (a.bin, a.account) == (b.bin, b.account);
        let together = |run: &[BinError]| BinError { error: run.iter().map(|e| e.error).sum(), ..run[0] };
        Self {
            rows: made.collect(),
            accounts: accounts.chunk_by(|a, b| a.account == b.account).map(whole).collect(),
            errors: errors.chunk_by(same).map(together).collect(),
            bins,
            campaign: campaign.filter(|_| rows.values.is_none()),
        }
    }

    /// The figures of each sample with `copies[account][sample]` copies of each account's rows; `None` unless both classes occur in it.
    pub fn measure(&self, copies: &[Lanes]) -> [Option<Figures>; LANES] {
        let (mut listed, mut loss, mut square) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
        for sums in &self.accounts {
            for (k, copies) in copies[sums.account as usize].iter().enumerate() {
                listed[k] += copies * sums.rows;
                loss[k] += copies * sums.loss;
                square[k] += copies * sums.square;
            }
        }
        let mut bins = vec![[0.0; LANES]; self.bins];
        for run in self.errors.chunk_by(|a, b| a.bin == b.bin) {
            let mut sum = [0.0; LANES];
            for error in run {
                sum.iter_mut().zip(&copies[error.account as usize]).for_each(|(sum, copies)| *sum += copies * error.error);
            }
            if let Some(bin) = bins.get_mut(usize::from(run[0].bin)) {
                *bin = sum;
            }
        }
        let mut walk = Walk::new(&listed, self.campaign.is_some());
        let mut tie = Tie::default();
        for row in &self.rows {
            let copies = &copies[row.account as usize];
            if row.ends_tie && tie.rows_in_all == 0 {
                walk.row(copies, row.value, row.event);
                continue;
            }
            tie.add(copies, row.value, row.event);
            if row.ends_tie {
                walk.tie_ends(&tie);
                tie = Tie::default();
            }
        }
        std::array::from_fn(|k| {
            let errors = || bins.iter().map(|errors| errors[k]);
            let found = Sums { loss: loss[k], square: square[k], error: errors().sum(), bin_errors: errors().map(f64::abs).sum() };
            walk.figures(k, &found, self.campaign)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{calibration_bins, calibration_error};

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

    /// The figures of a sample; the walk's other samples hold other copies, and change nothing.
    fn measured(slice: &Slice, copies: &[f64]) -> Option<Figures> {
        let lanes: Vec<Lanes> =
            copies.iter().enumerate().map(|(at, c)| std::array::from_fn(|k| if k == 5 { *c } else { ((at * 7 + k) % 3) as f64 })).collect();
        slice.measure(&lanes)[5]
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
        let found = measured(&slice(&s, false), &[1.0; 60]).unwrap();
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
        let found = measured(&slice(&sample(), true), &[1.0; 60]).unwrap();
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
        let (found, expected) = (measured(&slice(&s, false), &copies).unwrap(), measured(&slice(&drawn, false), &[1.0; 60]).unwrap());
        for (at, figure) in Figure::ALL.into_iter().enumerate().filter(|(_, f)| *f != Figure::CalibrationError) {
            assert!((found[at] - expected[at]).abs() < 1e-12, "{figure:?}");
        }
    }

    #[test]
    fn one_class_has_no_figures() {
        let s = Sample { events: vec![false; 60], ..sample() };
        assert!(measured(&slice(&s, false), &[1.0; 60]).is_none());
        let mut copies = [0.0; 60];
        copies[0] = 1.0;
        assert!(measured(&slice(&sample(), false), &copies).is_none());
    }
}
