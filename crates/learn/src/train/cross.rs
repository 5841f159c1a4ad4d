//! Cross-validation for tables without a time axis: each fold is predicted by what was learned from the others.
//!
//! Everything that is decided by later rows elsewhere (rounds, penalty, search, and which estimator) is decided on a fifth of the
//! rows that a model may learn from, so the predicted fold decides nothing: nested cross-validation (Varma and Simon, "Bias in
//! error estimation when using cross-validation for model selection", 2006) with a single inner split. Then the model learns
//! from all the rows it may learn from. Tonight's model is made by the same steps from all rows.

use cscopilot_spec::{Calibration, Model};

use crate::calibrate::{Outside, choose_by_folds};
use crate::data::dataset::Dataset;
use crate::data::folds;
use crate::data::split::Plan;
use crate::error::Result;
use crate::estimate::fitted::Chosen;
use crate::estimate::validate::{self, FoldFigures, Validated};
use crate::metrics::auc;
use crate::train::contender::{Contender, Part, Predicted};

/// Runs the estimators over the folds, in the order of the list.
///
/// Of each, `margins` are those of the folds' rows in order, each by a model that never saw the row's fold; `chosen` is what was
/// decided for all rows; `auc` and `log_loss`, by which estimators are compared, are means over the inner splits.
pub(super) fn compete(model: &Model, data: &Dataset, plan: &Plan) -> Result<Vec<Validated>> {
    let rows: Vec<usize> = plan.folds.iter().flat_map(|f| f.valid.iter().copied()).collect();
    let bare =
        |v: Validated| Validated { rows: rows.clone(), margins: vec![], auc: 0.0, log_loss: 0.0, folds: vec![], models: vec![], ..v };
    let mut all: Vec<Validated> = decide(model, data, &plan.development)?.into_iter().map(bare).collect();
    let count = plan.folds.len() as f64;
    for fold in &plan.folds {
        let events = data.events_of(&fold.valid);
        for (whole, inside) in all.iter_mut().zip(decide(model, data, &fold.train)?) {
            let margins = inside.chosen.fit(data, &fold.train)?.margins(&data.table, &fold.valid)?;
            if let Some((from, to)) = data.span(&fold.valid) {
                whole.folds.push(FoldFigures {
                    from,
                    to,
                    rows_train: fold.train.len(),
                    rows: fold.valid.len(),
                    events: data.count_events(&fold.valid),
                    auc: auc(&margins, &events),
                });
            }
            whole.margins.extend(margins);
            whole.auc += inside.auc / count;
            whole.log_loss += inside.log_loss / count;
        }
    }
    Ok(all)
}

/// What each estimator decides on rows that it may learn from.
fn decide(model: &Model, data: &Dataset, rows: &[usize]) -> Result<Vec<Validated>> {
    let inner = [folds::inner(data, rows, model.seed)];
    validate::compete(model, data, &inner)
}

/// Fits on all rows, and calibrates each fold's margins by those of the other folds. `margins` are those of the folds' rows, in
/// order, each by a model that never saw the row's fold.
pub(super) fn contender(chosen: Chosen, margins: &[f64], data: &Dataset, plan: &Plan, asked: Calibration) -> Result<Contender> {
    let events: Vec<Vec<bool>> = plan.folds.iter().map(|f| data.events_of(&f.valid)).collect();
    let mut rest = margins;
    let mut outside = Vec::with_capacity(events.len());
    for events in &events {
        let (own, after) = rest.split_at(events.len());
        outside.push(Outside { margins: own, events });
        rest = after;
    }
    let mut cutoffs = Vec::with_capacity(plan.folds.len() + 1);
    let mut each: Vec<(usize, f64, f64)> = Vec::with_capacity(margins.len());
    for (k, (fold, own)) in plan.folds.iter().zip(&outside).enumerate() {
        let others: Vec<Outside<'_>> = outside.iter().enumerate().filter(|(j, _)| *j != k).map(|(_, o)| *o).collect();
        let probabilities = choose_by_folds(asked, &others).0.probabilities(own.margins);
        each.extend(fold.valid.iter().zip(own.margins).zip(&probabilities).map(|((row, margin), p)| (*row, *margin, *p)));
        cutoffs.push(Predicted {
            part: Part::Fold,
            rows: fold.valid.clone(),
            rows_train: fold.train.len(),
            margins: own.margins.to_vec(),
            probabilities,
        });
    }
    // The test's rows are in the order of the dataset, as everywhere.
    each.sort_by_key(|(row, ..)| *row);
    cutoffs.push(Predicted {
        part: Part::Test,
        rows: each.iter().map(|e| e.0).collect(),
        rows_train: plan.folds.last().map_or(0, |f| f.train.len()),
        margins: each.iter().map(|e| e.1).collect(),
        probabilities: each.iter().map(|e| e.2).collect(),
    });
    let (calibrator, calibration) = choose_by_folds(asked, &outside);
    let fitted = chosen.fit(data, &plan.development)?;
    Ok(Contender { chosen, fitted, calibrator, calibration, cutoffs })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::{SegmentColumn, Table};
    use crate::metrics::sigmoid;
    use crate::train::train;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::sync::Arc;

    const ROWS: usize = 1500;

    /// One row for each of 1500 accounts. `signal` is how much the first feature says; the others say nothing.
    fn customers(signal: f64, seed: u64) -> Dataset {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let columns: Vec<Vec<f64>> = (0..5).map(|_| (0..ROWS).map(|_| rng.random_range(-2.0..2.0)).collect()).collect();
        let events = columns[0].iter().map(|x| rng.random_range(0.0..1.0) < sigmoid(signal * x - 1.0)).collect();
        let codes = (0..ROWS as u32).map(|i| i * 7 % 5).collect();
        Dataset {
            events,
            dates: vec![chrono::NaiveDate::default(); ROWS],
            accounts: (0..ROWS as u32).collect(),
            folds: Some(SegmentColumn { name: "fold".into(), codes, labels: (1..=5).map(|k| k.to_string()).collect() }),
            table: Table { features: (0..5).map(|k| format!("f{k}")).collect(), columns, rows: ROWS, ..Table::default() },
            ..Dataset::default()
        }
    }

    /// Trees deep enough to learn rows by heart, and regression.
    fn model() -> Model {
        let yaml = "version: 1\nlabel: {table: labels.churn, column: churned, horizon_days: 30}\n\
            features: {table: features.account_features}\nsplit: {cross_validation: {fold_column: fold}}\n\
            estimators:\n  - xgboost: {max_depth: 8, eta: 0.3, min_child_weight: 0, lambda: 0, max_rounds: 60, early_stopping_rounds: 60}\n  \
            - logistic_regression: {l2: [1]}\ngates: {bootstrap_samples: 200}\n";
        cscopilot_spec::parse("churn.yaml", &Arc::from(yaml), yaml, 0).unwrap()
    }

    #[test]
    fn noise_learned_by_heart_is_refused_and_signal_is_promoted() {
        let noise = train(&model(), &customers(0.0, 5), None).unwrap();
        assert!(!noise.promoted, "{}", noise.reason);
        assert!(noise.reason.contains("rows of folds it had not seen"), "{}", noise.reason);

        let data = customers(1.5, 3);
        let found = train(&model(), &data, None).unwrap();
        assert!(found.promoted, "{}", found.reason);
        let judged = found.judged.unwrap();
        assert_eq!((judged.chosen.name(), judged.test.rows, judged.candidates.len()), ("logistic_regression", ROWS, 2));
        assert!(judged.test.uncertainty.auc.value < 0.9 && judged.test.log_loss < judged.test.log_loss_of_rate);
        // One cut-off for each fold, then all of them together.
        let backtest = &judged.judgement.backtest[0];
        assert_eq!(backtest.cutoffs.iter().map(|c| c.rows).collect::<Vec<_>>(), [300, 300, 300, 300, 300, ROWS]);
        assert_eq!(backtest.pooled.rows, ROWS);
        assert!(judged.judgement.gates.iter().all(|g| g.passed && g.gate != "drift"));
        // The model for tonight has learned from everybody.
        let all: Vec<usize> = (0..ROWS).collect();
        assert_eq!(judged.fitted, judged.chosen.fit(&data, &all).unwrap());
    }

    #[test]
    fn a_folds_predictions_do_not_depend_on_its_own_labels() {
        let (model, data) = (model(), customers(1.5, 3));
        let plan = folds::plan(&data, data.folds.as_ref().unwrap()).unwrap();
        let mut turned = data.clone();
        for row in &plan.folds[0].valid {
            turned.events[*row] = !turned.events[*row];
        }
        for (before, after) in compete(&model, &data, &plan).unwrap().iter().zip(compete(&model, &turned, &plan).unwrap()) {
            assert_eq!(before.margins[..300], after.margins[..300], "{}", before.chosen.name());
            assert_ne!(before.margins[300..], after.margins[300..]);
        }
    }

    #[test]
    fn a_folds_probabilities_come_from_a_map_of_the_other_folds() {
        let (model, data) = (model(), customers(1.5, 3));
        let plan = folds::plan(&data, data.folds.as_ref().unwrap()).unwrap();
        let found = compete(&model, &data, &plan).unwrap().remove(1);
        let made = |data: &Dataset| contender(found.chosen.clone(), &found.margins, data, &plan, Calibration::Auto).unwrap();
        let mut turned = data.clone();
        for row in &plan.folds[0].valid {
            turned.events[*row] = !turned.events[*row];
        }
        let (before, after) = (made(&data), made(&turned));
        assert_eq!(before.cutoffs[0].probabilities, after.cutoffs[0].probabilities);
        assert_ne!(before.cutoffs[1].probabilities, after.cutoffs[1].probabilities);
        let test = before.test().unwrap();
        assert_eq!(test.rows, plan.test);
        let third = &before.cutoffs[2];
        assert_eq!(test.probabilities[third.rows[5]], third.probabilities[5]);
    }
}
