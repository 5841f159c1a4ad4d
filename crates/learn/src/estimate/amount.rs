//! How much an event is worth where it happens: trees for the logarithm of the expected amount, by Poisson's likelihood.
//!
//! Amounts are no counts, but the likelihood's maximum is the expected amount whatever the distribution (Santos Silva and Tenreyro
//! 2006), and what is predicted adds up to what was seen. A model of the mean logarithm needs a smearing factor on the way back,
//! which is right only if the spread is the same everywhere; the gamma likelihood balances ratios, so its totals drift.

use cscopilot_shap::Predictor;
use cscopilot_spec::Model;
use serde::Serialize;

use crate::data::dataset::{Dataset, Table};
use crate::error::{Error, Result};
use crate::estimate::boosted::{self, BoostedModel, Matrix, Objective, Setting, Staged, Target, best_rounds};
use crate::estimate::survival::trees_of;

/// With fewer events nothing is learned of their amounts.
const LEAST_EVENTS: usize = 30;

/// A fitted model of amounts.
#[derive(Debug, Clone, PartialEq)]
pub struct AmountModel {
    /// Trees for the log of the expected amount.
    pub boosted: BoostedModel,
}

/// How predicted amounts did on the later rows with an event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AmountFigures {
    /// Rows with an event and an amount.
    pub rows: usize,
    /// Boosting rounds; 0 where no tree helped, and everybody gets the mean.
    pub rounds: u32,
    /// Mean predicted amount.
    pub predicted: f64,
    /// Mean amount.
    pub observed: f64,
    /// Mean absolute error.
    pub mean_abs_error: f64,
    /// The same of giving everybody the mean of what was learned from.
    pub mean_abs_error_of_mean: f64,
}

/// The model for tonight, and how one of earlier rows did on later ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// The model.
    pub model: AmountModel,
    /// Figures on the test rows; none if there are no events among them.
    pub figures: Option<AmountFigures>,
}

impl AmountModel {
    /// The amounts to be expected of rows if the event happens.
    pub fn amounts(&self, table: &Table, rows: &[usize]) -> Result<Vec<f64>> {
        let predictor = Predictor::new(&self.boosted.ensemble()?);
        let margins = predictor.margins(&table.matrix(rows), table.columns.len()).map_err(Error::Explanation)?;
        Ok(margins.into_iter().map(f64::exp).collect())
    }
}

/// Learns from the development rows with an event, judges on the test rows, and learns again from all.
///
/// Nothing if the label has no amounts, or too few events have one.
pub fn train(model: &Model, data: &Dataset, development: &[usize], test: &[usize], all: &[usize]) -> Result<Option<Trained>> {
    let Some(amounts) = &data.amounts else { return Ok(None) };
    let with_amount = |rows: &[usize]| -> Vec<usize> { rows.iter().copied().filter(|r| data.events[*r] && amounts[*r] > 0.0).collect() };
    let rows = with_amount(development);
    if rows.len() < LEAST_EVENTS {
        return Ok(None);
    }
    let xgboost = trees_of(model);
    let setting = Setting { xgboost: &xgboost, monotone: &NO_BOUNDS, threads: model.threads.value, seed: model.seed };
    let matrix = |rows: &[usize]| {
        let labels: Vec<f32> = rows.iter().map(|r| amounts[*r] as f32).collect();
        // Weights of one over the mean make hessians about 1 a row, whatever the currency: penalties mean the same as elsewhere.
        let weight = 1.0 / mean(&rows.iter().map(|r| amounts[*r]).collect::<Vec<_>>());
        let target = Target { objective: Objective::Amount, weights: vec![weight as f32; labels.len()], labels };
        Matrix::new(data.table.features.clone(), data.table.categorical(), &data.table.matrix(rows), target)
    };
    let cut = rows.len() * 3 / 4;
    let rounds = {
        let (earlier, later) = (matrix(&rows[..cut])?, matrix(&rows[cut..])?);
        let mut staged = Staged::new(&earlier, &later, setting)?;
        staged.advance(xgboost.max_rounds)?;
        let (rounds, loss) = best_rounds(std::slice::from_ref(&staged));
        if loss < staged.loss_at_start() { rounds } else { 0 }
    };
    let fit = |rows: &[usize]| Ok::<_, Error>(AmountModel { boosted: boosted::fit(&matrix(rows)?, rounds, setting)? });
    let judged_on = with_amount(test);
    let figures = if judged_on.is_empty() {
        None
    } else {
        let predicted = fit(&rows)?.amounts(&data.table, &judged_on)?;
        let observed: Vec<f64> = judged_on.iter().map(|r| amounts[*r]).collect();
        let learned = mean(&rows.iter().map(|r| amounts[*r]).collect::<Vec<_>>());
        let off = |f: &dyn Fn(usize) -> f64| mean(&observed.iter().enumerate().map(|(i, y)| (f(i) - y).abs()).collect::<Vec<_>>());
        Some(AmountFigures {
            rows: judged_on.len(),
            rounds,
            predicted: mean(&predicted),
            observed: mean(&observed),
            mean_abs_error: off(&|i| predicted[i]),
            mean_abs_error_of_mean: off(&|_| learned),
        })
    };
    Ok(Some(Trained { model: fit(&with_amount(all))?, figures }))
}

/// The bounds of the probability say nothing about amounts.
static NO_BOUNDS: std::collections::BTreeMap<String, cscopilot_spec::Direction> = std::collections::BTreeMap::new();

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn data(n: usize, effect: f64) -> Dataset {
        let mut random = ChaCha8Rng::seed_from_u64(4);
        let x: Vec<f64> = (0..n).map(|_| random.random_range(0.0..2.0)).collect();
        // The spread grows with x: a factor for all would be wrong.
        let amount = |x: f64, u: f64| 1000.0 * (effect * x).exp() * if u < 0.5 { 1.0 - 0.4 * x } else { 1.0 + 0.4 * x };
        let amounts = x.iter().map(|x| amount(*x, random.random_range(0.0..1.0))).collect();
        Dataset {
            events: (0..n).map(|i| i % 4 != 0).collect(),
            dates: vec![NaiveDate::default(); n],
            accounts: (0..n as u32).collect(),
            table: Table { features: vec!["x".into()], columns: vec![x], rows: n, ..Table::default() },
            amounts: Some(amounts),
            ..Dataset::default()
        }
    }

    fn model() -> Model {
        crate::estimate::model_of(
            "version: 1\nlabel: {table: labels.expansion, column: expanded, horizon_days: 56, amount: arr_gained}\n\
             features: {table: features.account_features}\n\
             estimators: [xgboost: {eta: 0.1, lambda: 1.0, colsample_bytree: 1.0}]\n",
        )
    }

    #[test]
    fn the_mean_amount_is_right_at_every_level() {
        let data = data(20_000, 1.0);
        let (development, test): (Vec<usize>, Vec<usize>) = ((0..15_000).collect(), (15_000..20_000).collect());
        let trained = train(&model(), &data, &development, &test, &development).unwrap().unwrap();
        let figures = trained.figures.unwrap();
        assert!((figures.predicted / figures.observed - 1.0).abs() < 0.05, "{figures:?}");
        assert!(figures.mean_abs_error < 0.8 * figures.mean_abs_error_of_mean, "{figures:?}");
        for x in [0.3, 1.0, 1.7] {
            let table = Table { features: vec!["x".into()], columns: vec![vec![x]], rows: 1, ..Table::default() };
            let amount = trained.model.amounts(&table, &[0]).unwrap()[0];
            assert!((amount / (1000.0 * f64::exp(x)) - 1.0).abs() < 0.1, "{x} {amount}");
        }
    }

    #[test]
    fn few_events_give_no_model_and_none_at_all_no_error() {
        let mut data = data(40, 0.0);
        let rows: Vec<usize> = (0..40).collect();
        // Thirty events, but one has no amount.
        data.amounts.as_mut().unwrap()[1] = f64::NAN;
        assert!(train(&model(), &data, &rows, &[], &rows).unwrap().is_none());
        data.amounts = None;
        assert!(train(&model(), &data, &rows, &[], &rows).unwrap().is_none());
    }

    #[test]
    fn amounts_that_nothing_explains_are_all_near_the_mean() {
        let data = data(400, 0.0);
        let rows: Vec<usize> = (0..400).collect();
        let trained = train(&model(), &data, &rows[..300], &rows[300..], &rows).unwrap().unwrap();
        let amounts = trained.model.amounts(&data.table, &rows).unwrap();
        assert!(amounts.iter().all(|a| (600.0..1400.0).contains(a)));
    }
}
