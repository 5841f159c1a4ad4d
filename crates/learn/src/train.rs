//! From labelled rows to a judged model. Pure: same rows, same settings, same result.

use cscopilot_spec::{Calibration, Model};
use serde::Serialize;

use crate::calibrate::{Calibrator, ISOTONIC_EVENTS};
use crate::data::dataset::Dataset;
use crate::data::leaks::leaks;
use crate::data::split::{self, Plan};
use crate::error::{Error, Result};
use crate::estimate::fitted::{Choice, Chosen, Fitted};
use crate::estimate::validate::{FoldFigures, compete};
use crate::metrics::bootstrap::{Draws, Uncertainty, uncertainty};
use crate::metrics::{self, Bin};

/// At most about this many rows are learned from.
const MOST_ROWS: usize = 60_000;
/// And about this many in each fold, where estimators are only compared.
const MOST_FOLD_ROWS: usize = 40_000;

/// What came out of a training.
#[derive(Debug)]
pub struct Training {
    /// Whether the gates were passed.
    pub promoted: bool,
    /// Why, in plain words.
    pub reason: String,
    /// The judged model, unless there was too little to learn from.
    pub judged: Option<Judged>,
}

/// A model that was judged on the test slice.
#[derive(Debug)]
pub struct Judged {
    /// What was chosen.
    pub chosen: Chosen,
    /// The model for tonight: refitted on all labelled rows if promoted, else the one that was judged.
    pub fitted: Fitted,
    /// From margin to probability.
    pub calibrator: Calibrator,
    /// Every estimator's figures, the chosen one first.
    pub candidates: Vec<Candidate>,
    /// Figures on the test slice.
    pub test: TestFigures,
    /// Mean absolute contribution of each feature on the test slice, in the order of the features.
    pub importance: Vec<f64>,
    /// How the rows were used.
    pub plan: Plan,
    /// All labelled rows, or a sample of their accounts where there are very many: what the refitted model learned from.
    pub all: Vec<usize>,
}

/// How one estimator did.
#[derive(Debug, Clone, Serialize)]
pub struct Candidate {
    /// Its name.
    pub estimator: String,
    /// What the folds decided.
    pub choice: Choice,
    /// Whether it was chosen.
    pub chosen: bool,
    /// Mean AUC over the folds.
    pub validation_auc: f64,
    /// Log loss over the folds.
    pub validation_log_loss: f64,
    /// The folds.
    pub folds: Vec<FoldFigures>,
    /// AUC on the test slice. It played no part in the choice.
    pub test_auc: Option<f64>,
    /// Lift among the top tenth on the test slice.
    pub test_lift_10pct: Option<f64>,
}

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

/// Trains, judges, decides.
///
/// # Errors
/// A leak among the features, or a failure of an estimator. Too little data is no error but a refusal.
pub fn train(model: &Model, data: &Dataset) -> Result<Training> {
    let refused = |reason: String| Ok(Training { promoted: false, reason, judged: None });
    let mut plan = match split::plan(data, &model.split, model.gap_days()) {
        Ok(plan) => plan,
        Err(reason) => return refused(reason),
    };
    plan.development = split::thin(data, &plan.development, MOST_ROWS);
    for fold in &mut plan.folds {
        fold.train = split::thin(data, &fold.train, MOST_FOLD_ROWS);
    }
    let found = leaks(data, &plan.development, model.leak_auc.value);
    if !found.is_empty() {
        return Err(Error::Leak(found));
    }
    let event_accounts = data.accounts_with_event(&plan.test);
    let needed = model.split.min_test_events.value as usize;
    if event_accounts < needed {
        return refused(format!(
            "only {event_accounts} different accounts have the event in the test period, at least {needed} are needed to judge a model"
        ));
    }
    let mut validated = compete(model, data, &plan.folds)?;
    // Highest AUC on the folds first; in a draw the simpler one.
    validated.sort_by(|a, b| b.auc.total_cmp(&a.auc).then(a.chosen.name().cmp(b.chosen.name())));
    let Some(best) = validated.first() else { return refused("no estimator is listed".to_owned()) };

    let calibrator = calibrate(model.calibration, &best.margins, &data.events_of(&best.rows));
    let events = data.events_of(&plan.test);
    let mut candidates = Vec::new();
    let mut judged_fit = None;
    for (rank, candidate) in validated.iter().enumerate() {
        let fitted = candidate.chosen.fit(data, &plan.development)?;
        let margins = fitted.margins(&data.table, &plan.test)?;
        candidates.push(Candidate {
            estimator: candidate.chosen.name().to_owned(),
            choice: candidate.chosen.choice(),
            chosen: rank == 0,
            validation_auc: candidate.auc,
            validation_log_loss: candidate.log_loss,
            folds: candidate.folds.clone(),
            test_auc: metrics::auc(&margins, &events),
            test_lift_10pct: metrics::lift(&margins, &events, 0.1),
        });
        if rank == 0 {
            judged_fit = Some((fitted, margins));
        }
    }
    let Some((fitted, margins)) = judged_fit else { return refused("no estimator is listed".to_owned()) };
    let Some(test) = figures(model, data, &plan, &margins, &calibrator) else {
        return refused("the test period holds accounts with the event only, or none".to_owned());
    };
    let importance = importance(&fitted, data, &plan.test)?;
    let (promoted, reason) = decide(model, &test);
    let from = model.split.train_from.as_ref().map(|d| d.value);
    let all: Vec<usize> = (0..data.len()).filter(|r| from.is_none_or(|f| data.dates[*r] >= f)).collect();
    let all = split::thin(data, &all, MOST_ROWS);
    // A promoted model is fitted once more, with what the folds decided, on everything that is known tonight.
    let fitted = if promoted { best.chosen.fit(data, &all)? } else { fitted };
    let judged = Judged { chosen: best.chosen.clone(), fitted, calibrator, candidates, test, importance, plan, all };
    Ok(Training { promoted, reason, judged: Some(judged) })
}

fn calibrate(wish: Calibration, margins: &[f64], events: &[bool]) -> Calibrator {
    let enough = events.iter().filter(|e| **e).count() >= ISOTONIC_EVENTS;
    match wish {
        Calibration::Auto if enough => Calibrator::isotonic(margins, events),
        Calibration::Isotonic => Calibrator::isotonic(margins, events),
        Calibration::Auto | Calibration::Platt => Calibrator::platt(margins, events),
    }
}

fn figures(model: &Model, data: &Dataset, plan: &Plan, margins: &[f64], calibrator: &Calibrator) -> Option<TestFigures> {
    let events = data.events_of(&plan.test);
    let probabilities: Vec<f64> = margins.iter().map(|m| calibrator.probability(*m)).collect();
    let draws = Draws { samples: model.gates.bootstrap_samples.value, confidence: model.gates.confidence.value, seed: model.seed };
    let uncertainty = uncertainty(margins, &probabilities, &events, &data.accounts_of(&plan.test), draws)?;
    let calibration = metrics::calibration_bins(&probabilities, &events);
    let count = events.iter().filter(|e| **e).count();
    let rate = count as f64 / events.len() as f64;
    let gains = [5, 10, 20, 30, 50]
        .into_iter()
        .filter_map(|top_pct| {
            let captured = metrics::captured(margins, &events, f64::from(top_pct) / 100.0)?;
            Some(Gain { top_pct, captured_pct: captured * 100.0, lift: captured * 100.0 / f64::from(top_pct) })
        })
        .collect();
    Some(TestFigures {
        uncertainty,
        average_precision: metrics::average_precision(margins, &events)?,
        log_loss: metrics::log_loss(&probabilities, &events),
        log_loss_of_rate: metrics::log_loss(&vec![rate; events.len()], &events),
        brier: metrics::brier(&probabilities, &events),
        lift_10pct: metrics::lift(margins, &events, 0.1)?,
        calibration_error: metrics::calibration_error(&calibration),
        calibration,
        gains,
        rows: events.len(),
        events: count,
        event_accounts: data.accounts_with_event(&plan.test),
    })
}

fn importance(fitted: &Fitted, data: &Dataset, rows: &[usize]) -> Result<Vec<f64>> {
    let explained = fitted.explain(&data.table, rows)?;
    let mut sums = vec![0.0; data.table.features.len()];
    for row in 0..explained.len() {
        for (sum, phi) in sums.iter_mut().zip(explained.row(row)) {
            *sum += phi.abs();
        }
    }
    Ok(sums.into_iter().map(|s| s / explained.len().max(1) as f64).collect())
}

/// The promotion gate.
///
/// Calibration counts as off when the mean error over the bins is too large, or when the observed events differ from the
/// expected ones by more than the allowed factor beyond doubt: with few events the ratio alone is mostly chance, so it
/// counts only when its whole interval lies outside.
fn decide(model: &Model, test: &TestFigures) -> (bool, String) {
    let gates = &model.gates;
    let auc = test.uncertainty.auc;
    let percent = gates.confidence.value * 100.0;
    let measured = format!("its AUC on later data is {:.2} ({percent:.0}% interval {:.2} to {:.2})", auc.value, auc.low, auc.high);
    let bound = gates.min_auc_ci_low.value;
    if auc.low <= bound {
        let than = if bound == 0.5 { "no better than chance".to_owned() } else { format!("no better than the required {bound:.2}") };
        return (false, format!("{measured}, which may be {than}"));
    }
    let error = test.calibration_error;
    if error > gates.max_calibration_error.value {
        let allowed = gates.max_calibration_error.value * 100.0;
        return (
            false,
            format!("{measured}, but its probabilities are off by {:.1} points on average, {allowed:.1} are allowed", error * 100.0),
        );
    }
    let ratio = test.uncertainty.calibration_ratio;
    let allowed = gates.max_calibration_ratio.value;
    if ratio.low > allowed || ratio.high < 1.0 / allowed {
        return (
            false,
            format!(
                "{measured}, but {} events came where it expected {:.0}: its probabilities are off",
                test.events,
                test.events as f64 / ratio.value
            ),
        );
    }
    (true, format!("{measured}; its probabilities are off by {:.1} points on average", error * 100.0))
}
