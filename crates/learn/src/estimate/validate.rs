//! The competition within the development period: each estimator predicts every fold from what lies before it.

use cscopilot_spec::{Estimator, LogisticRegression, Model, Xgboost};
use serde::Serialize;

use crate::data::dataset::Dataset;
use crate::data::split::Fold;
use crate::error::Result;
use crate::estimate::boosted::{Setting, Staged, best_rounds};
use crate::estimate::fitted::Chosen;
use crate::estimate::logistic::{LogisticModel, Prepared};
use crate::metrics::{auc, log_loss, sigmoid};

/// How an estimator did on the folds.
#[derive(Debug, Clone)]
pub struct Validated {
    /// The estimator with what the folds decided.
    pub chosen: Chosen,
    /// The folds' later rows, in order.
    pub rows: Vec<usize>,
    /// Their margins, each predicted by a model of what lies before its fold.
    pub margins: Vec<f64>,
    /// Mean AUC of the folds, weighted by events.
    pub auc: f64,
    /// Log loss over all these rows.
    pub log_loss: f64,
    /// Each fold's figures.
    pub folds: Vec<FoldFigures>,
}

/// The figures of one fold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FoldFigures {
    /// First date of the predicted rows.
    pub from: chrono::NaiveDate,
    /// Last date of the predicted rows.
    pub to: chrono::NaiveDate,
    /// Rows learned from.
    pub rows_train: usize,
    /// Rows predicted.
    pub rows: usize,
    /// Events among them.
    pub events: usize,
    /// AUC.
    pub auc: Option<f64>,
}

/// Runs one estimator over the folds.
pub fn validate(estimator: &Estimator, model: &Model, data: &Dataset, folds: &[Fold]) -> Result<Validated> {
    let (chosen, margins) = match estimator {
        Estimator::Xgboost(settings) => trees(settings, model, data, folds)?,
        Estimator::LogisticRegression(settings) => regression(settings, data, folds)?,
    };
    let rows: Vec<usize> = folds.iter().flat_map(|f| f.valid.iter().copied()).collect();
    let mut figures = Vec::new();
    let (mut weighted, mut weight, mut start) = (0.0, 0.0, 0);
    for fold in folds {
        let events = data.events_of(&fold.valid);
        let count = events.iter().filter(|e| **e).count();
        let auc = auc(&margins[start..start + fold.valid.len()], &events);
        start += fold.valid.len();
        if let Some(auc) = auc {
            weighted += auc * count as f64;
            weight += count as f64;
        }
        if let Some((from, to)) = data.span(&fold.valid) {
            figures.push(FoldFigures { from, to, rows_train: fold.train.len(), rows: fold.valid.len(), events: count, auc });
        }
    }
    let probabilities: Vec<f64> = margins.iter().map(|m| sigmoid(*m)).collect();
    let log_loss = log_loss(&probabilities, &data.events_of(&rows));
    Ok(Validated { chosen, rows, margins, auc: if weight > 0.0 { weighted / weight } else { 0.5 }, log_loss, folds: figures })
}

fn trees(settings: &Xgboost, model: &Model, data: &Dataset, folds: &[Fold]) -> Result<(Chosen, Vec<f64>)> {
    let setting = Setting { xgboost: settings, threads: model.threads.value, seed: model.seed };
    let staged: Vec<Staged> = folds.iter().map(|f| Staged::train(data, &f.train, &f.valid, setting)).collect::<Result<_>>()?;
    let rounds = best_rounds(&staged);
    let mut margins = Vec::new();
    for fold in &staged {
        margins.extend(fold.margins_after(rounds)?);
    }
    Ok((Chosen::Xgboost { settings: settings.clone(), rounds, threads: model.threads.value, seed: model.seed }, margins))
}

fn regression(settings: &LogisticRegression, data: &Dataset, folds: &[Fold]) -> Result<(Chosen, Vec<f64>)> {
    let rows: Vec<usize> = folds.iter().flat_map(|f| f.valid.iter().copied()).collect();
    let events = data.events_of(&rows);
    let prepare = |f: &Fold| Prepared::new(&data.table, &f.train, data.events_of(&f.train), settings);
    let prepared: Vec<Prepared> = folds.iter().map(prepare).collect();
    // From the strongest penalty to the weakest: each fit starts near the next one's solution, and once a weaker penalty
    // no longer helps, still weaker ones won't: the loss has one valley.
    let mut penalties = settings.l2.clone();
    penalties.sort_by(|a, b| b.total_cmp(a));
    let mut last: Vec<Option<LogisticModel>> = vec![None; folds.len()];
    let mut best: Option<(f64, f64, Vec<f64>)> = None;
    for l2 in penalties {
        let mut margins = Vec::with_capacity(rows.len());
        for ((fold, prepared), last) in folds.iter().zip(&prepared).zip(&mut last) {
            let fitted = prepared.fit(l2, last.as_ref())?;
            margins.extend(fitted.margins(&data.table, &fold.valid));
            *last = Some(fitted);
        }
        let loss = log_loss(&margins.iter().map(|m| sigmoid(*m)).collect::<Vec<_>>(), &events);
        match &best {
            Some((least, ..)) if loss >= *least => break,
            _ => best = Some((loss, l2, margins)),
        }
    }
    let (_, l2, margins) = best.unwrap_or((0.0, 1.0, vec![0.0; rows.len()]));
    Ok((Chosen::Logistic { settings: settings.clone(), l2 }, margins))
}
