//! From labelled rows to a judged model: the competition, the judging and the decision. Pure: same rows, same settings, same result.

pub mod backtest;
pub mod contender;
mod cross;
pub mod figures;
#[cfg(test)]
pub(crate) mod permuted;
pub mod segments;

use chrono::NaiveDate;
use cscopilot_spec::Model;
use serde::Serialize;

use crate::calibrate::{self, Calibrator};
use crate::data::dataset::Dataset;
use crate::data::leaks::leaks;
use crate::data::split::{self, Plan};
use crate::error::{Error, Result};
use crate::estimate::fitted::{Choice, Chosen, Fitted};
use crate::estimate::search::Effort;
use crate::estimate::validate::{FoldFigures, Validated, compete};
use crate::metrics;
use crate::metrics::measure::Figure;
use crate::promote::champion::{Champion, Comparison};
use crate::promote::{self, Drift, Evidence, Gate, Stability};
use backtest::{Backtest, Bench, Places};
use contender::Contender;
pub use figures::{Gain, TestFigures};
use segments::{SegmentFigures, Segments};

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
    /// Everything that was measured beyond that.
    pub judgement: Judgement,
}

/// How a model was judged; `judgement` in `metrics.json`.
///
/// Wherever a figure has an interval it reads `{"value": 0.8, "low": 0.74, "high": 0.85}`, and figures are maps by name:
/// `auc`, `average_precision`, `log_loss`, `brier`, `calibration_error`, `calibration_ratio`, `lift_5pct`, `lift_10pct`,
/// `lift_20pct`, `captured_5pct`, `captured_10pct`, `captured_20pct` (shares from 0 to 1), and with `profit:` in the model's
/// file `expected_profit` (money per row) and `contacted_share`. The map is empty where only one class occurs.
///
/// ```json
/// {
///   "bootstrap": {"samples": 1000, "confidence": 0.95, "drawn_by": "account"},
///   "weight": "arr",
///   "backtest": [{
///     "estimator": "xgboost", "chosen": true,
///     "cutoffs": [{"part": "development", "from": "2022-09-04", "to": "2022-11-27", "rows_train": 4000, "rows": 2000,
///                  "events": 30, "event_accounts": 18, "by_rows": {"auc": {}}, "by_weight": {"auc": {}}},
///                 {"part": "test"}],
///     "pooled": {"part": "pooled"}
///   }],
///   "segments": [{"column": "plan", "segment": "pro", "rows": 900, "events": 30, "event_accounts": 21, "rate": 0.033,
///                 "predicted": 0.03, "by_rows": {}}],
///   "calibration": {"map": "platt", "why": "…", "rows": 5000, "compared_from": "2022-11-27", "compared_rows": 2000,
///                   "log_loss": [["platt", 0.06], ["beta", 0.061]]},
///   "stability": {"models": 4, "features": 40, "mean": 0.8, "lowest": 0.7},
///   "drift": {"score": 0.02, "features": [{"feature": "tenure_days", "psi": 0.3}]},
///   "champion": {"version": 3, "same_recipe": false, "champion_log_loss": 0.06, "champion_auc": 0.8, "log_loss": {}, "auc": {}},
///   "gates": [{"gate": "auc", "passed": true, "says": "is above 0.50 beyond doubt"}],
///   "rows_too_young": 12
/// }
/// ```
///
/// `by_weight` is there if the model names a weight, `champion` if there was one to compare with, `stability` if there were
/// at least two models to compare. In a cross-validation the cut-offs are the folds (`"part": "fold"`) and then, as `test`, all
/// their rows together, each with what the fold's model and calibration gave; nothing has drifted there.
#[derive(Debug, Serialize)]
pub struct Judgement {
    /// How intervals were made.
    pub bootstrap: Bootstrap,
    /// The column that rows are weighted by.
    pub weight: Option<String>,
    /// Every estimator at every cut-off, the chosen one first.
    pub backtest: Vec<Backtest>,
    /// The chosen estimator by segment and band of tenure, on the test period.
    pub segments: Vec<SegmentFigures>,
    /// How margins became probabilities.
    pub calibration: calibrate::Choice,
    /// Whether reasons stay the same from training to training.
    pub stability: Option<Stability>,
    /// How far features and scores moved between development and test period.
    pub drift: Drift,
    /// The comparison with the champion.
    pub champion: Option<Comparison>,
    /// What each gate said.
    pub gates: Vec<Gate>,
    /// Rows left out because their account had not been a customer for long enough.
    pub rows_too_young: usize,
}

/// How intervals were made.
#[derive(Debug, Clone, Serialize)]
pub struct Bootstrap {
    /// Samples.
    pub samples: u32,
    /// Confidence.
    pub confidence: f64,
    /// What was drawn.
    pub drawn_by: &'static str,
}

/// How one estimator did.
#[derive(Debug, Clone, Serialize)]
pub struct Candidate {
    /// Its name.
    pub estimator: String,
    /// What the folds decided.
    pub choice: Choice,
    /// What the search for its settings did, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<Effort>,
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

/// Trains, judges, decides. `champion` is the one that the new model would replace.
///
/// # Errors
/// A leak among the features, or a failure of an estimator. Too little data is no error but a refusal.
pub fn train(model: &Model, data: &Dataset, champion: Option<&Champion>) -> Result<Training> {
    let refused = |reason: String| Ok(Training { promoted: false, reason, judged: None });
    let plan = match plan(model, data)? {
        Ok(plan) => plan,
        Err(reason) => return refused(reason),
    };
    let mut validated = if plan.crossed { cross::compete(model, data, &plan)? } else { compete(model, data, &plan.folds)? };
    // Highest AUC on the folds first; in a draw the simpler one.
    validated.sort_by(|a, b| b.auc.total_cmp(&a.auc).then(a.chosen.name().cmp(b.chosen.name())));
    let gap = model.gap_days();
    let contend = |v: &Validated| Contender::new(v.chosen.clone(), &v.margins, data, &plan, model.calibration, gap);
    let contenders: Vec<Contender> = validated.iter().map(contend).collect::<Result<_>>()?;
    let Some(best) = contenders.first() else { return refused("no estimator is listed".to_owned()) };
    let Some(judged) = judge(model, data, &plan, &validated, &contenders, champion)? else {
        return refused("the test period holds accounts with the event only, or none".to_owned());
    };
    let Judging { test, importance, mut judgement, candidates } = judged;
    let pooled = judgement.backtest.first().and_then(|b| Some((*b.pooled.by_rows.get(&Figure::Auc)?, b.cutoffs.len())));
    let verdict = promote::judge(
        &model.gates,
        Evidence {
            test: &test,
            backtest: pooled,
            segments: &judgement.segments,
            stability: judgement.stability.as_ref(),
            drift: &judgement.drift,
            champion: judgement.champion.as_ref(),
            crossed: plan.crossed,
        },
    );
    judgement.gates = verdict.gates;
    let all = rows_from(data, model.split.train_from.as_ref().map(|d| d.value));
    let all = split::thin(data, &all, MOST_ROWS);
    // A promoted model is fitted once more, with what the folds decided, on everything that is known tonight.
    let fitted = if verdict.promoted && all != plan.development { best.chosen.fit(data, &all)? } else { best.fitted.clone() };
    let (chosen, calibrator) = (best.chosen.clone(), best.calibrator.clone());
    let judged = Judged { chosen, fitted, calibrator, candidates, test, importance, plan, all, judgement };
    Ok(Training { promoted: verdict.promoted, reason: verdict.reason, judged: Some(judged) })
}

fn rows_from(data: &Dataset, from: Option<NaiveDate>) -> Vec<usize> {
    (0..data.len()).filter(|r| from.is_none_or(|f| data.dates[*r] >= f)).collect()
}

/// How the rows are used, or in plain words why there are too few.
fn plan(model: &Model, data: &Dataset) -> Result<Result<Plan, String>> {
    let mut plan = match split::plan(data, &model.split, model.gap_days()) {
        Ok(plan) => plan,
        Err(reason) => return Ok(Err(reason)),
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
        return Ok(Err(format!(
            "only {event_accounts} different accounts have the event in the test period, at least {needed} are needed to judge a model"
        )));
    }
    Ok(Ok(plan))
}

/// What was measured before the gates are asked.
struct Judging {
    test: TestFigures,
    importance: Vec<f64>,
    judgement: Judgement,
    candidates: Vec<Candidate>,
}

/// Measures every contender, the segments and the champion under the same draws. `None` if the test period has one class only.
fn judge(
    model: &Model,
    data: &Dataset,
    plan: &Plan,
    validated: &[Validated],
    contenders: &[Contender],
    champion: Option<&Champion>,
) -> Result<Option<Judging>> {
    let Some((best, test)) = contenders.first().and_then(|c| Some((c, c.test()?))) else { return Ok(None) };
    let pooled = best.pooled();
    let mut bench = Bench::new(data, &pooled.rows, model.profit.as_ref());
    let places: Vec<Places> = contenders.iter().map(|c| Places::add(&mut bench, c)).collect();
    let segments = Segments::add(&mut bench, data, test, model.gates.min_segment_events.value as usize);
    let rival = match champion.filter(|c| !c.is_same(&best.chosen, model.calibration)) {
        Some(champion) => {
            let contender = champion.contend(data, plan, model.gap_days())?;
            contender.test().map(|t| (champion, bench.add(&t.rows, &t.margins, &t.probabilities, None)))
        }
        None => None,
    };
    let draws = backtest::draws(model);
    let found = bench.measure(draws);
    let Some(sampled) = places[0].test().and_then(|p| found.at(p)) else { return Ok(None) };
    let Some(figures) = TestFigures::of(data, test, sampled, draws.confidence) else { return Ok(None) };
    let importance = promote::importance(&best.fitted, data, &plan.test)?;
    let comparison = match (champion, rival) {
        (_, Some((champion, place))) => found.at(place).map(|theirs| champion.compare(sampled, theirs)),
        (Some(champion), None) => Some(Comparison::same(champion.version)),
        (None, None) => None,
    };
    let before: Vec<f64> = pooled.margins[..pooled.margins.len() - test.margins.len()].to_vec();
    let report = |(at, contender): (usize, &Contender)| places[at].report(data, contender, at == 0, &found);
    let judgement = Judgement {
        bootstrap: Bootstrap { samples: draws.samples, confidence: draws.confidence, drawn_by: "account" },
        weight: model.weight.as_ref().map(|w| w.value.clone()),
        backtest: contenders.iter().enumerate().map(report).collect(),
        segments: segments.report(&found),
        calibration: best.calibration.clone(),
        stability: promote::stability(&best.chosen, validated.first().map_or(&[], |v| v.models.as_slice()), data, plan, &importance)?,
        drift: if plan.crossed {
            Drift::default()
        } else {
            promote::drift(data, &plan.development, &plan.test, &importance, &before, &test.margins)
        },
        champion: comparison,
        gates: Vec::new(),
        rows_too_young: data.too_young,
    };
    let events = data.events_of(&plan.test);
    let candidate = |(rank, (v, c)): (usize, (&Validated, &Contender))| {
        let margins = c.test().map(|t| t.margins.as_slice()).unwrap_or_default();
        Candidate {
            estimator: c.chosen.name().to_owned(),
            choice: c.chosen.choice(),
            search: v.search,
            chosen: rank == 0,
            validation_auc: v.auc,
            validation_log_loss: v.log_loss,
            folds: v.folds.clone(),
            test_auc: metrics::auc(margins, &events),
            test_lift_10pct: metrics::lift(margins, &events, 0.1),
        }
    };
    let candidates = validated.iter().zip(contenders).enumerate().map(candidate).collect();
    Ok(Some(Judging { test: figures, importance, judgement, candidates }))
}
