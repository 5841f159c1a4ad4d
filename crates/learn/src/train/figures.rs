//! Figures on the test slice, for the card and for the gates.

use serde::Serialize;

use crate::data::dataset::Dataset;
use crate::metrics::bootstrap::{Sampled, Uncertainty};
use crate::metrics::measure::Figure;
use crate::metrics::{self, Bin};
use crate::train::contender::Predicted;

/// Figures on the test slice.
#[derive(Debug, Clone, Serialize)]
pub struct TestFigures {
    /// AUC, calibration ratio and slope with their intervals.
    pub uncertainty: Uncertainty,
    /// Average precision.
    pub average_precision: f64,
    /// Log loss of the calibrated probabilities.
    pub log_loss: f64,
    /// Log loss of giving everybody the test slice's own rate: what a useful model must beat.
    pub log_loss_of_rate: f64,
    /// Brier score of the calibrated probabilities.
    pub brier: f64,
    /// Lift among the top tenth.
    pub lift_10pct: f64,
    /// Expected calibration error.
    pub calibration_error: f64,
    /// The calibration curve.
    pub calibration: Vec<Bin>,
    /// Share of the events found among the top shares of the rows.
    pub gains: Vec<Gain>,
    /// Rows.
    pub rows: usize,
    /// Events.
    pub events: usize,
    /// Different accounts with the event.
    pub event_accounts: usize,
}

/// A point of the gains curve.
#[derive(Debug, Clone, Serialize)]
pub struct Gain {
    /// The share of the rows with the highest scores, in percent.
    pub top_pct: u32,
    /// The share of the events among them, in percent.
    pub captured_pct: f64,
    /// How many times more than by chance.
    pub lift: f64,
}

impl TestFigures {
    /// The figures of predictions that were measured on the bench; `None` unless both classes occur.
    pub fn of(data: &Dataset, test: &Predicted, sampled: &Sampled, confidence: f64) -> Option<Self> {
        let (margins, probabilities) = (&test.margins, &test.probabilities);
        let events = data.events_of(&test.rows);
        let accounts = data.accounts_of(&test.rows);
        let count = accounts.iter().max().map_or(0, |a| *a as usize + 1);
        let calibration = metrics::calibration_bins(probabilities, &events, &accounts);
        let hits = events.iter().filter(|e| **e).count();
        let rate = hits as f64 / events.len() as f64;
        let gains = [5, 10, 20, 30, 50]
            .into_iter()
            .filter_map(|top_pct| {
                let captured = metrics::captured(margins, &events, f64::from(top_pct) / 100.0)?;
                Some(Gain { top_pct, captured_pct: captured * 100.0, lift: captured * 100.0 / f64::from(top_pct) })
            })
            .collect();
        Some(Self {
            uncertainty: Uncertainty {
                auc: sampled.interval(Figure::Auc)?,
                calibration_ratio: sampled.interval(Figure::CalibrationRatio)?,
                calibration_slope: metrics::calibration_slope(probabilities, &events, &accounts, count, confidence),
            },
            average_precision: metrics::average_precision(margins, &events)?,
            log_loss: metrics::log_loss(probabilities, &events),
            log_loss_of_rate: metrics::log_loss(&vec![rate; events.len()], &events),
            brier: metrics::brier(probabilities, &events),
            lift_10pct: metrics::lift(margins, &events, 0.1)?,
            calibration_error: metrics::calibration_error(&calibration),
            calibration,
            gains,
            rows: events.len(),
            events: hits,
            event_accounts: data.accounts_with_event(&test.rows),
        })
    }
}
