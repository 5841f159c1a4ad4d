//! Time to the event: a discrete-time hazard (Singer and Willett 1993; Tutz and Schmid 2016).
//!
//! Each row becomes one row for each 30 days that were looked at, and trees learn the chance that the event falls into them, from the
//! features on `as_of` and the days ahead. Survival is the product of what is left. A period that observation ended in counts as much as
//! was seen of it.
//!
//! # Why not `survival:aft`
//! An accelerated failure time model assumes that every account's time has the same distribution but for its scale, and its spread is a
//! setting, not learned. Contracts end on renewal dates: an account 100 days before its renewal has no risk for three periods and a
//! large one in the fourth. A hazard by period learns that from the features' interaction with the days ahead, needs no distribution,
//! handles censoring by leaving periods out, and uses the same objective, settings and checks as the probability itself.
//!
//! # Calibration
//! Boosting learns first what holds for all periods, and stops before it has learned that tonight's features say more of the next period than
//! of the twelfth. So the chances of periods go through a curve whose slope changes with the time ahead ([`PeriodCalibrator`]). It is fitted
//! on accounts that the trees have not seen, not on later months: trees of the months before would see too little of the periods far ahead,
//! and a level that is right for some months is not for the next ones.

mod evaluate;
#[cfg(test)]
mod tests;

use chrono::NaiveDate;
use cscopilot_shap::Predictor;
use cscopilot_spec::{Model, Xgboost};

use crate::calibrate::PeriodCalibrator;
use crate::data::dataset::{Dataset, Seen, Table, Times};
use crate::data::split::{fold_of, scatter};
use crate::error::{Error, Result};
use crate::estimate::boosted::{self, BoostedModel, Matrix, Objective, Setting, Staged, Target, best_rounds};
pub(super) use evaluate::figures;
pub use evaluate::{AtHorizon, SurvivalFigures};

/// Length of a period in days.
const PERIOD_DAYS: f64 = 30.0;
/// How many periods are learned: about a year.
const PERIODS: usize = 12;
/// Days for which survival is given.
pub const HORIZONS: [u32; 3] = [30, 90, 180];
/// A median beyond this many days is a guess and not given.
const LONGEST_MEDIAN_DAYS: f64 = 3650.0;
/// About so many rows are learned from, before they are multiplied by the periods.
const MOST_ROWS: usize = 20_000;
/// About so many rows decide the curve: of the rows that are learned from, few have an event in the next period.
const MOST_ROWS_TO_CALIBRATE: usize = 100_000;
/// With fewer events a hazard over a year can't be learned.
const LEAST_EVENTS: usize = 50;
/// Folds of accounts, by which the number of rounds and the curve are decided.
const FOLDS: u64 = 3;
/// With fewer events a curve for the hazard can't be fitted; it is taken as it is.
const LEAST_EVENTS_TO_CALIBRATE: usize = 20;
/// Rows that are predicted together.
const CHUNK: usize = 8192;
/// The name of the feature that says how far ahead a period lies.
const AHEAD: &str = "days_ahead";

/// What is expected of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outlook {
    /// The chance that there is no event within 30, 90 and 180 days.
    pub survival: [f64; 3],
    /// Days until the event is as likely as not; none if that is more than ten years ahead.
    pub median_days: Option<f64>,
}

/// A fitted hazard.
#[derive(Debug, Clone, PartialEq)]
pub struct SurvivalModel {
    /// Trees for the log-odds of the event within a period; the last feature is `days_ahead`, the middle of the period.
    pub boosted: BoostedModel,
    /// From the trees' margin to the chance of the event within the period.
    pub calibrator: PeriodCalibrator,
}

impl SurvivalModel {
    /// Survival to the end of each period, row by row: `PERIODS` values each.
    fn curves(&self, table: &Table, rows: &[usize]) -> Result<Vec<f64>> {
        let mut curves = margins(&self.boosted, table, rows)?;
        for margins in curves.chunks_exact_mut(PERIODS) {
            let mut left = 1.0;
            for (period, value) in margins.iter_mut().enumerate() {
                left *= 1.0 - self.calibrator.probability(period, *value);
                *value = left;
            }
        }
        Ok(curves)
    }

    /// What is expected of rows.
    pub fn outlook(&self, table: &Table, rows: &[usize]) -> Result<Vec<Outlook>> {
        Ok(self.curves(table, rows)?.chunks_exact(PERIODS).map(outlook_of).collect())
    }
}

/// The trees' margins of each period, row by row: `PERIODS` values each.
fn margins(boosted: &BoostedModel, table: &Table, rows: &[usize]) -> Result<Vec<f64>> {
    let predictor = Predictor::new(&boosted.ensemble()?);
    let width = table.columns.len() + 1;
    let mut margins = Vec::with_capacity(rows.len() * PERIODS);
    for chunk in rows.chunks(CHUNK) {
        let mut values = Vec::with_capacity(chunk.len() * PERIODS * width);
        for row in table.matrix(chunk).chunks_exact(width - 1) {
            for period in 0..PERIODS {
                values.extend_from_slice(row);
                values.push(middle(period));
            }
        }
        margins.extend(predictor.margins(&values, width).map_err(Error::Explanation)?);
    }
    Ok(margins)
}

/// Periods that were over on some day, of rows that the trees have not seen.
#[derive(Default)]
struct Over {
    margins: Vec<(usize, f64)>,
    events: Vec<bool>,
}

impl Over {
    /// Adds the periods of rows, given the margins of all their periods.
    fn add(&mut self, margins: &[f64], times: &Times, known: &Seen, rows: &[usize], day: NaiveDate) {
        for (row, margins) in rows.iter().zip(margins.chunks_exact(PERIODS)) {
            let (days, looked_at) = (known.days[*row], day.signed_duration_since(times.rows.dates[*row]).num_days() as f64);
            for (period, margin) in margins.iter().enumerate() {
                let (begin, end) = (PERIOD_DAYS * period as f64, PERIOD_DAYS * (period + 1) as f64);
                let event = known.observed[*row] && days <= end;
                // A period that was not over counts neither with an event nor without: else those with one would be too many.
                if days.is_nan() || days <= begin || looked_at < end || !(event || days >= end) {
                    break;
                }
                self.margins.push((period, *margin));
                self.events.push(event);
            }
        }
    }

    /// The curve for them; none of its own where they are too few.
    fn calibrated(&self) -> PeriodCalibrator {
        if self.events.iter().filter(|e| **e).count() < LEAST_EVENTS_TO_CALIBRATE {
            return PeriodCalibrator::AS_IT_IS;
        }
        PeriodCalibrator::fit(&self.margins, &self.events)
    }
}

/// The days in the middle of a period.
fn middle(period: usize) -> f32 {
    (PERIOD_DAYS * (period as f64 + 0.5)) as f32
}

fn outlook_of(curve: &[f64]) -> Outlook {
    let at = |days: u32| curve[(f64::from(days) / PERIOD_DAYS) as usize - 1];
    Outlook { survival: HORIZONS.map(at), median_days: median_of(curve) }
}

/// Within a period the hazard counts as constant; beyond the last one it stays what it was on average over the second half.
fn median_of(curve: &[f64]) -> Option<f64> {
    let (mut before, half) = (1.0f64, 0.5f64);
    for (period, after) in curve.iter().enumerate() {
        if *after <= half {
            let share = (before / half).ln() / (before / after.max(1e-12)).ln();
            return Some(PERIOD_DAYS * (period as f64 + share));
        }
        before = *after;
    }
    let middle = curve[PERIODS / 2 - 1];
    let a_day = (middle / before).ln() / (PERIOD_DAYS * (PERIODS - PERIODS / 2) as f64);
    let days = PERIOD_DAYS * PERIODS as f64 + (before / half).ln() / a_day;
    (days <= LONGEST_MEDIAN_DAYS).then_some(days)
}

/// One row for each period that was looked at.
fn periods(data: &Dataset, seen: &Seen, rows: &[usize]) -> Result<Matrix> {
    let (mut values, mut labels, mut weights) = (Vec::new(), Vec::new(), Vec::new());
    for &row in rows {
        let (days, observed) = (seen.days[row], seen.observed[row]);
        for period in 0..PERIODS {
            let begin = PERIOD_DAYS * period as f64;
            let share = (days - begin).min(PERIOD_DAYS) / PERIOD_DAYS;
            // Not a number where the time is unknown: no period then.
            if share.is_nan() || share <= 0.0 {
                break;
            }
            let event = observed && days <= begin + PERIOD_DAYS;
            values.extend(data.table.columns.iter().map(|column| column[row] as f32));
            values.push(middle(period));
            labels.push(if event { 1.0 } else { 0.0 });
            weights.push(if event { 1.0 } else { share as f32 });
        }
    }
    let mut features = data.table.features.clone();
    // A column of the same name would be taken for it.
    features.push(if features.iter().any(|f| f == AHEAD) { format!("{AHEAD} (period)") } else { AHEAD.to_owned() });
    let mut categorical = data.table.categorical();
    categorical.push(false);
    Matrix::new(features, categorical, &values, Target { objective: Objective::Event, labels, weights })
}

/// The hazard for tonight, and how one of earlier rows did on later ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// The model.
    pub model: SurvivalModel,
    /// Figures on the test rows, of a model that knew nothing after they began.
    pub figures: SurvivalFigures,
}

/// Learns from the rows from a date on, as far as they were known when the test period began, judges on the rows of the test period, and
/// learns again from all. No gap is needed in between: what a row says ends where the test period begins.
///
/// Nothing if the label has no times, or too few events were seen.
pub fn train(model: &Model, data: &Dataset, from: NaiveDate, test_from: NaiveDate) -> Result<Option<Trained>> {
    let Some(times) = &data.times else { return Ok(None) };
    let data = &times.rows;
    let between =
        |begin: NaiveDate, end: NaiveDate| -> Vec<usize> { (0..data.len()).filter(|r| (begin..end).contains(&data.dates[*r])).collect() };
    let (earlier, test) = (between(from, test_from), between(test_from, NaiveDate::MAX));
    if test.is_empty() {
        return Ok(None);
    }
    let all = between(from, NaiveDate::MAX);
    // The two know nothing of each other.
    let (judged, learned) = rayon::join(|| learn(model, times, &earlier, test_from), || learn(model, times, &all, times.last_day()));
    let (Some(judged), Some(model)) = (judged?, learned?) else { return Ok(None) };
    let figures = figures(&judged.curves(&data.table, &test)?, &times.known_by(NaiveDate::MAX), &test);
    Ok(Some(Trained { model, figures }))
}

/// Learns from rows as far as they were known on a day. The number of rounds and the curve are decided on accounts that the trees have not
/// seen, fold by fold; then trees learn from all.
fn learn(model: &Model, times: &Times, rows: &[usize], day: NaiveDate) -> Result<Option<SurvivalModel>> {
    let (data, known) = (&times.rows, times.known_by(day));
    let mut folds = folds_of(&data.accounts, rows);
    let rows = scatter(rows, MOST_ROWS);
    let happened = |r: &usize| known.observed[*r] && known.days[*r] > 0.0;
    folds.retain(|fold| fold.others.iter().any(happened) && fold.unseen.iter().any(happened));
    if rows.iter().filter(|r| happened(r)).count() < LEAST_EVENTS || folds.is_empty() {
        return Ok(None);
    }
    let (xgboost, monotone) = (trees_of(model), model.features.bounds());
    let setting = Setting { xgboost: &xgboost, monotone: &monotone, threads: model.threads.value, seed: model.seed };
    let (rounds, calibrator) = decide(times, &known, day, &folds, setting)?;
    Ok(Some(SurvivalModel { boosted: boosted::fit(&periods(data, &known, &rows)?, rounds, setting)?, calibrator }))
}

/// Rows of some accounts, and of the others, from which the trees learn that predict them.
struct Fold {
    /// Rows of the other accounts.
    others: Vec<usize>,
    /// Rows by which the number of rounds is decided.
    unseen: Vec<usize>,
    /// Rows by which the curve is decided: `unseen` and more, since predicting is cheap beside learning.
    calibrating: Vec<usize>,
}

/// Each row in one fold, by its account.
fn folds_of(accounts: &[u32], rows: &[usize]) -> Vec<Fold> {
    let (learning, calibrating) = (scatter(rows, MOST_ROWS), scatter(rows, MOST_ROWS_TO_CALIBRATE));
    let is_in = |row: usize, fold: u64| fold_of(accounts[row], FOLDS) == fold;
    let fold = |fold: u64| {
        let (unseen, others) = learning.iter().partition(|r| is_in(**r, fold));
        Fold { others, unseen, calibrating: calibrating.iter().copied().filter(|r| is_in(*r, fold)).collect() }
    };
    (0..FOLDS).map(fold).collect()
}

/// The number of rounds, and the curve: each fold's rows are predicted by trees that learned from the others.
fn decide(times: &Times, known: &Seen, day: NaiveDate, folds: &[Fold], setting: Setting<'_>) -> Result<(u32, PeriodCalibrator)> {
    let data = &times.rows;
    let matrices = folds
        .iter()
        .map(|fold| Ok((periods(data, known, &fold.others)?, periods(data, known, &fold.unseen)?)))
        .collect::<Result<Vec<_>>>()?;
    let mut staged = matrices.iter().map(|(others, unseen)| Staged::new(others, unseen, setting)).collect::<Result<Vec<_>>>()?;
    for fold in &mut staged {
        fold.advance(setting.xgboost.max_rounds)?;
    }
    let rounds = best_rounds(&staged).0;
    let mut over = Over::default();
    for (trees, Fold { calibrating, .. }) in staged.iter().zip(folds) {
        over.add(&margins(&trees.model_after(rounds)?, &data.table, calibrating)?, times, known, calibrating, day);
    }
    Ok((rounds, over.calibrated()))
}

/// The trees' settings: those of the estimator in the list, else the defaults.
pub fn trees_of(model: &Model) -> Xgboost {
    let trees = |e| if let cscopilot_spec::Estimator::Xgboost(x) = e { Some(x) } else { None };
    model.estimators().into_iter().find_map(trees).unwrap_or_default()
}
