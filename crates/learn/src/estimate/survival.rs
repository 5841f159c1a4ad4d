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

mod evaluate;
#[cfg(test)]
mod tests;

use chrono::NaiveDate;
use cscopilot_shap::Predictor;
use cscopilot_spec::{Model, Xgboost};

use crate::data::dataset::{Dataset, Seen, Table};
use crate::data::split::thin;
use crate::error::{Error, Result};
use crate::estimate::boosted::{self, BoostedModel, Matrix, Objective, Setting, Staged, Target, best_rounds};
use crate::metrics::sigmoid;
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
/// With fewer events a hazard over a year can't be learned.
const LEAST_EVENTS: usize = 50;
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
}

impl SurvivalModel {
    /// Fits with a number of rounds on what is known of rows.
    pub fn fit(data: &Dataset, seen: &Seen, rows: &[usize], rounds: u32, setting: Setting<'_>) -> Result<Self> {
        Ok(Self { boosted: boosted::fit(&periods(data, seen, rows)?, rounds, setting)? })
    }

    /// Survival to the end of each period, row by row: `PERIODS` values each.
    fn curves(&self, table: &Table, rows: &[usize]) -> Result<Vec<f64>> {
        let predictor = Predictor::new(&self.boosted.ensemble()?);
        let width = table.columns.len() + 1;
        let mut curves = Vec::with_capacity(rows.len() * PERIODS);
        for chunk in rows.chunks(CHUNK) {
            let mut values = Vec::with_capacity(chunk.len() * PERIODS * width);
            for row in table.matrix(chunk).chunks_exact(width - 1) {
                for period in 0..PERIODS {
                    values.extend_from_slice(row);
                    values.push(middle(period));
                }
            }
            let margins = predictor.margins(&values, width).map_err(Error::Explanation)?;
            for margins in margins.chunks_exact(PERIODS) {
                let mut left = 1.0;
                curves.extend(margins.iter().map(|m| {
                    left *= 1.0 - sigmoid(*m);
                    left
                }));
            }
        }
        Ok(curves)
    }

    /// What is expected of rows.
    pub fn outlook(&self, table: &Table, rows: &[usize]) -> Result<Vec<Outlook>> {
        Ok(self.curves(table, rows)?.chunks_exact(PERIODS).map(outlook_of).collect())
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
    let rows = thin(data, &between(from, test_from), MOST_ROWS);
    let test = between(test_from, NaiveDate::MAX);
    let known = times.known_by(test_from);
    let events = |rows: &[usize], seen: &Seen| rows.iter().filter(|r| seen.observed[**r] && seen.days[**r] > 0.0).count();
    if test.is_empty() || events(&rows, &known) < LEAST_EVENTS {
        return Ok(None);
    }
    // The number of rounds is decided in the same way within the development period.
    let cut = data.dates[rows[rows.len() * 3 / 4]];
    let (earlier, later): (Vec<usize>, Vec<usize>) = rows.iter().partition(|r| data.dates[**r] < cut);
    let by_cut = times.known_by(cut);
    if events(&earlier, &by_cut) == 0 || events(&later, &known) == 0 {
        return Ok(None);
    }
    let (xgboost, monotone) = (trees_of(model), model.features.bounds());
    let setting = Setting { xgboost: &xgboost, monotone: &monotone, threads: model.threads.value, seed: model.seed };
    let rounds = {
        let (matrix, watched) = (periods(data, &by_cut, &earlier)?, periods(data, &known, &later)?);
        let mut staged = Staged::new(&matrix, &watched, setting)?;
        staged.advance(xgboost.max_rounds)?;
        best_rounds(std::slice::from_ref(&staged)).0
    };
    let judged = SurvivalModel::fit(data, &known, &rows, rounds, setting)?;
    let all = times.known_by(NaiveDate::MAX);
    let figures = figures(&judged.curves(&data.table, &test)?, &all, &test);
    let model = SurvivalModel::fit(data, &all, &thin(data, &between(from, NaiveDate::MAX), MOST_ROWS), rounds, setting)?;
    Ok(Some(Trained { model, figures }))
}

/// The trees' settings: those of the estimator in the list, else the defaults.
pub(super) fn trees_of(model: &Model) -> Xgboost {
    let trees = |e| if let cscopilot_spec::Estimator::Xgboost(x) = e { Some(x) } else { None };
    model.estimators().into_iter().find_map(trees).unwrap_or_default()
}
