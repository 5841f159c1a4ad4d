//! A seeded random search over the settings of trees, by successive halving (Jamieson and Talwalkar 2016).
//!
//! All trials get a few rounds, the best third of them three times as many, and so on. A trial that goes on is trained on from where it
//! was, and all share the matrices and their bins. Trials are compared at the same *distance* (learning rate × rounds), since after the
//! same number of rounds a slow learner always looks bad. The budget is counted, not timed: see [`CELLS_A_SECOND`].

use cscopilot_spec::{Axis, Search, Xgboost};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::error::Result;
use crate::estimate::boosted::{Matrix, Setting, Staged, best_rounds};

/// Cells (rows × features × depth × rounds) that count as a second of the budget: about what one core of a usual server does. Fixed, so
/// that a faster machine finds the same model.
pub const CELLS_A_SECOND: f64 = 250e6;

/// Of how many trials one goes on.
const KEEP_ONE_OF: usize = 3;

/// What a search did.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Effort {
    /// Settings tried.
    pub trials: u32,
    /// What it cost, in counted seconds.
    pub counted_secs: f64,
}

/// The best setting, trained on the folds.
pub struct Found<'m> {
    /// The setting.
    pub xgboost: Xgboost,
    /// Its boosters, in the order of the folds.
    pub folds: Vec<Staged<'m>>,
    /// What the search did.
    pub effort: Effort,
}

struct Trial<'m> {
    xgboost: Xgboost,
    folds: Vec<Staged<'m>>,
}

impl Trial<'_> {
    /// Trains on up to a distance, or to the end. Returns the cost in cells.
    fn advance(&mut self, distance: f64) -> Result<f64> {
        let rounds = (distance / self.xgboost.eta).ceil().clamp(1.0, f64::from(self.xgboost.max_rounds)) as u32;
        let mut cost = 0.0;
        for fold in &mut self.folds {
            let done = fold.advance(rounds)?;
            cost += f64::from(done) * fold.cells() as f64 * f64::from(self.xgboost.max_depth);
        }
        Ok(cost)
    }

    fn loss(&self) -> f64 {
        best_rounds(&self.folds).1
    }
}

/// Searches over the folds, each a matrix to learn from and one of later rows.
pub fn search<'m>(folds: &'m [(Matrix, Matrix)], search: &Search, setting: Setting<'_>) -> Result<Found<'m>> {
    let begin = |xgboost: Xgboost| -> Result<Trial<'m>> {
        let setting = Setting { xgboost: &xgboost, ..setting };
        let folds = folds.iter().map(|(train, later)| Staged::new(train, later, setting)).collect::<Result<_>>()?;
        Ok(Trial { xgboost, folds })
    };
    let settings = settings(setting.xgboost, search, setting.seed);
    let count = settings.len();
    let budget = search.budget_secs * CELLS_A_SECOND;
    let rungs = (0..).take_while(|rung| KEEP_ONE_OF.pow(*rung) <= count).count() as i32;
    let whole = setting.xgboost.eta * f64::from(setting.xgboost.max_rounds);
    let mut spent = 0.0;
    let mut trials: Vec<Trial<'m>> = Vec::new();
    for xgboost in settings {
        // The setting that was given is tried whatever it costs.
        if trials.is_empty() || spent < budget {
            let mut trial = begin(xgboost)?;
            spent += trial.advance(whole * (KEEP_ONE_OF as f64).powi(1 - rungs))?;
            trials.push(trial);
        }
    }
    let tried = trials.len() as u32;
    for rung in 1..rungs {
        trials = best_first(trials);
        trials.truncate((trials.len() / KEEP_ONE_OF).max(1));
        let last = rung == rungs - 1;
        for trial in &mut trials {
            if spent < budget {
                spent += trial.advance(if last { f64::INFINITY } else { whole * (KEEP_ONE_OF as f64).powi(rung + 1 - rungs) })?;
            }
        }
    }
    let mut trials = best_first(trials);
    // The first always exists: the setting that was given. It is trained to the end even if the budget is spent.
    let mut best = if trials.is_empty() { begin(setting.xgboost.clone())? } else { trials.swap_remove(0) };
    spent += best.advance(f64::INFINITY)?;
    Ok(Found { xgboost: best.xgboost, folds: best.folds, effort: Effort { trials: tried, counted_secs: spent / CELLS_A_SECOND } })
}

/// By rising loss; in a draw the earlier trial. A stable sort keeps that order.
fn best_first(trials: Vec<Trial<'_>>) -> Vec<Trial<'_>> {
    let mut rated: Vec<(f64, Trial<'_>)> = trials.into_iter().map(|t| (t.loss(), t)).collect();
    rated.sort_by(|a, b| a.0.total_cmp(&b.0));
    rated.into_iter().map(|(_, trial)| trial).collect()
}

/// The setting that was given, then random ones.
fn settings(given: &Xgboost, search: &Search, seed: u64) -> Vec<Xgboost> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut settings = vec![given.clone()];
    for _ in 1..search.trials {
        let mut x = given.clone();
        let space = &search.space;
        let mut draw = |axis: &Option<Axis>, value: &mut f64| {
            // One number a setting, listed or not: a longer list does not change the others.
            let u = random.random_range(0.0..1.0);
            if let Some(axis) = axis {
                *value = at(axis, u);
            }
        };
        let mut depth = f64::from(x.max_depth);
        draw(&space.max_depth, &mut depth);
        x.max_depth = depth.round().max(1.0) as u32;
        draw(&space.eta, &mut x.eta);
        draw(&space.min_child_weight, &mut x.min_child_weight);
        draw(&space.subsample, &mut x.subsample);
        draw(&space.colsample_bytree, &mut x.colsample_bytree);
        draw(&space.lambda, &mut x.lambda);
        draw(&space.alpha, &mut x.alpha);
        draw(&space.gamma, &mut x.gamma);
        settings.push(x);
    }
    settings
}

/// The value at a share of an axis.
fn at(axis: &Axis, share: f64) -> f64 {
    match axis {
        Axis::Choices(values) => {
            values.get(((values.len() as f64 * share) as usize).min(values.len().saturating_sub(1))).copied().unwrap_or_default()
        }
        Axis::Spread(r) if r.log => (r.low.ln() + share * (r.high.ln() - r.low.ln())).exp().clamp(r.low, r.high),
        Axis::Spread(r) => r.low + share * (r.high - r.low),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::data::dataset::{Dataset, Table};
    use cscopilot_spec::{Space, Spread};

    /// Two features that only together say something: stumps can't learn it.
    fn folds(n: usize) -> Vec<(Matrix, Matrix)> {
        let mut random = ChaCha8Rng::seed_from_u64(2);
        let columns: Vec<Vec<f64>> = (0..4).map(|_| (0..n).map(|_| random.random_range(-1.0..1.0)).collect()).collect();
        let chance = |i: usize| if columns[0][i] * columns[1][i] > 0.0 { 0.8 } else { 0.2 };
        let data = Dataset {
            events: (0..n).map(|i| random.random_range(0.0..1.0) < chance(i)).collect(),
            dates: vec![chrono::NaiveDate::default(); n],
            accounts: (0..n as u32).collect(),
            table: Table { features: (0..4).map(|k| format!("f{k}")).collect(), columns, rows: n, ..Table::default() },
            ..Dataset::default()
        };
        let matrix = |from: usize, to: usize| Matrix::of_events(&data, &(from..to).collect::<Vec<_>>()).unwrap();
        vec![(matrix(0, n / 2), matrix(n / 2, 3 * n / 4)), (matrix(0, 3 * n / 4), matrix(3 * n / 4, n))]
    }

    fn given() -> Xgboost {
        Xgboost { max_depth: 1, eta: 0.05, max_rounds: 200, early_stopping_rounds: 20, min_child_weight: 1.0, ..Xgboost::default() }
    }

    fn wish(trials: u32, budget_secs: f64) -> Search {
        let space = Space {
            max_depth: Some(Axis::Choices(vec![1.0, 2.0, 3.0])),
            eta: Some(Axis::Spread(Spread { low: 0.02, high: 0.3, log: true })),
            ..Space::default()
        };
        Search { trials, budget_secs, space }
    }

    fn run(folds: &[(Matrix, Matrix)], wish: &Search, seed: u64) -> (Xgboost, u32, f64, Effort) {
        let found = search(folds, wish, Setting { xgboost: &given(), monotone: &BTreeMap::new(), threads: 1, seed }).unwrap();
        let (rounds, loss) = best_rounds(&found.folds);
        (found.xgboost, rounds, loss, found.effort)
    }

    #[test]
    fn finds_settings_that_beat_the_given_ones_and_finds_them_again() {
        let folds = folds(1200);
        let (alone, _, before, effort) = run(&folds, &wish(1, 60.0), 7);
        assert_eq!((alone, effort.trials), (given(), 1));
        let (best, rounds, loss, effort) = run(&folds, &wish(12, 60.0), 7);
        assert!(best.max_depth > 1 && loss < 0.95 * before, "{best:?} {loss} {before}");
        assert_eq!(effort.trials, 12);
        let again = run(&self::folds(1200), &wish(12, 60.0), 7);
        assert_eq!(again, (best, rounds, loss, effort));
        assert_ne!(settings(&given(), &wish(12, 60.0), 7), settings(&given(), &wish(12, 60.0), 8));
    }

    #[test]
    fn a_spent_budget_ends_the_search_with_what_was_tried() {
        let folds = folds(600);
        let (_, _, _, all) = run(&folds, &wish(30, 60.0), 7);
        let (_, rounds, loss, some) = run(&folds, &wish(30, all.counted_secs / 4.0), 7);
        assert!(some.trials < all.trials && some.counted_secs < all.counted_secs, "{some:?} {all:?}");
        assert!(rounds >= 1 && loss.is_finite());
    }

    #[test]
    fn drawn_settings_lie_in_the_space_and_others_stay() {
        for x in settings(&given(), &wish(200, 60.0), 1).iter().skip(1) {
            assert!((1..=3).contains(&x.max_depth) && (0.02..=0.3).contains(&x.eta));
            assert_eq!(x.lambda, given().lambda);
        }
        // Evenly spread on the logarithm: half the trials below the geometric mean.
        let low = settings(&given(), &wish(200, 60.0), 1).iter().filter(|x| x.eta < (0.02f64 * 0.3).sqrt()).count();
        assert!((70..130).contains(&low), "{low}");
    }
}
