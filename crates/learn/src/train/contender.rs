//! One estimator on its way through the past: at each cut-off a model of what lies before predicts what follows.

use chrono::{Days, NaiveDate};
use cscopilot_spec::Calibration;
use serde::Serialize;

use crate::calibrate::{self, Calibrator};
use crate::data::dataset::Dataset;
use crate::data::split::Plan;
use crate::error::Result;
use crate::estimate::fitted::{Chosen, Fitted};
use crate::metrics::sigmoid;
use crate::train::cross;

/// From this many events in earlier folds on, a fold's probabilities are calibrated.
const EVENTS_TO_CALIBRATE: usize = 10;

/// Where predicted rows lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// In a fold of the development period, where the folds' settings were chosen: a little too good.
    Development,
    /// In one fold of a cross-validation, predicted by a model of the others.
    Fold,
    /// In the test period, which no choice has seen; in a cross-validation, in all folds.
    Test,
    /// In all of them together.
    Pooled,
}

/// Predictions of rows by models of what lies before them.
#[derive(Debug, Clone)]
pub struct Predicted {
    /// Where the rows lie.
    pub part: Part,
    /// The rows, in order.
    pub rows: Vec<usize>,
    /// How many rows the model had learned from.
    pub rows_train: usize,
    /// Margins.
    pub margins: Vec<f64>,
    /// Calibrated probabilities, by what was known at the cut-off.
    pub probabilities: Vec<f64>,
}

/// An estimator with all its predictions.
#[derive(Debug, Clone)]
pub struct Contender {
    /// What the folds decided.
    pub chosen: Chosen,
    /// Fitted on the development rows.
    pub fitted: Fitted,
    /// From its margins to probabilities, fitted on its predictions of the folds.
    pub calibrator: Calibrator,
    /// How that map was chosen.
    pub calibration: calibrate::Choice,
    /// Its predictions: of each fold, then of the test period; in a cross-validation that is all folds together.
    pub cutoffs: Vec<Predicted>,
}

impl Contender {
    /// Fits on the development rows and predicts the test period. `margins` are those of the folds' later rows, in order.
    pub fn new(chosen: Chosen, margins: &[f64], data: &Dataset, plan: &Plan, asked: Calibration, gap_days: u32) -> Result<Self> {
        if plan.crossed {
            return cross::contender(chosen, margins, data, plan, asked);
        }
        let rows: Vec<usize> = plan.folds.iter().flat_map(|f| f.valid.iter().copied()).collect();
        let dates: Vec<NaiveDate> = rows.iter().map(|r| data.dates[*r]).collect();
        let events = data.events_of(&rows);
        let slice = calibrate::Slice { margins, events: &events, dates: &dates };
        let (calibrator, calibration) = calibrate::choose(asked, slice, gap_days);
        let mut cutoffs = Vec::with_capacity(plan.folds.len() + 1);
        let mut start = 0;
        for fold in &plan.folds {
            let margins = margins[start..start + fold.valid.len()].to_vec();
            let probabilities = earlier(slice, start, gap_days)
                .map_or_else(|| margins.iter().map(|m| sigmoid(*m)).collect::<Vec<f64>>(), |calibrator| calibrator.probabilities(&margins));
            start += fold.valid.len();
            let rows_train = fold.train.len();
            cutoffs.push(Predicted { part: Part::Development, rows: fold.valid.clone(), rows_train, margins, probabilities });
        }
        let fitted = chosen.fit(data, &plan.development)?;
        let margins = fitted.margins(&data.table, &plan.test)?;
        let probabilities = calibrator.probabilities(&margins);
        let rows_train = plan.development.len();
        cutoffs.push(Predicted { part: Part::Test, rows: plan.test.clone(), rows_train, margins, probabilities });
        Ok(Self { chosen, fitted, calibrator, calibration, cutoffs })
    }

    /// The predictions of the test period.
    pub fn test(&self) -> Option<&Predicted> {
        self.cutoffs.last()
    }

    /// The predictions of all cut-offs as one.
    pub fn pooled(&self) -> Predicted {
        let mut all = Predicted { part: Part::Pooled, rows: vec![], rows_train: 0, margins: vec![], probabilities: vec![] };
        // A fold's rows are among those of the cross-validation's test.
        for cutoff in self.cutoffs.iter().filter(|c| c.part != Part::Fold) {
            all.rows.extend(&cutoff.rows);
            all.margins.extend(&cutoff.margins);
            all.probabilities.extend(&cutoff.probabilities);
            all.rows_train = cutoff.rows_train;
        }
        all
    }
}

/// The calibration that was known when the fold from `start` on began: by the folds before it, as far as their labels were
/// known then. The first fold has none, and its probabilities are the estimator's own.
fn earlier(slice: calibrate::Slice<'_>, start: usize, gap_days: u32) -> Option<Calibrator> {
    let from = *slice.dates.get(start)?;
    let known = slice.dates[..start].partition_point(|d| d.checked_add_days(Days::new(u64::from(gap_days))).is_some_and(|end| end <= from));
    let events = &slice.events[..known];
    (events.iter().filter(|e| **e).count() >= EVENTS_TO_CALIBRATE).then(|| Calibrator::platt(&slice.margins[..known], events))
}
