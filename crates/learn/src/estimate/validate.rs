//! The competition within the development period: each estimator predicts every fold from what lies before it.

use cscopilot_spec::{Estimator, LogisticRegression, Model, Xgboost};
use serde::Serialize;

use crate::data::dataset::Dataset;
use crate::data::split::Fold;
use crate::error::Result;
use crate::estimate::blend::{self, BlendModel};
use crate::estimate::boosted::{Matrix, Setting, Staged, best_rounds};
use crate::estimate::fitted::{Chosen, Fitted, Trees};
use crate::estimate::logistic::{LogisticModel, Penalty, Prepared};
use crate::estimate::search::{Effort, search};
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
    /// Each fold's model; none where the folds of a cross-validation decided apart from each other.
    pub models: Vec<Fitted>,
    /// What the search for its settings did, if there was one.
    pub search: Option<Effort>,
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

/// Runs the model's estimators over the folds, in the order of the list; the blend comes last.
pub fn compete(model: &Model, data: &Dataset, folds: &[Fold]) -> Result<Vec<Validated>> {
    let mut done: Vec<Validated> = Vec::new();
    let mut blended = false;
    for estimator in model.estimators() {
        let decided = match &estimator {
            Estimator::Xgboost(settings) => trees(settings, model, data, folds)?,
            Estimator::LogisticRegression(settings) => regression(settings, data, folds)?,
            Estimator::Blend(_) => {
                blended = true;
                continue;
            }
        };
        done.push(validated(decided, data, folds));
    }
    if blended {
        done.extend(blend_of(&done, data, folds));
    }
    Ok(done)
}

/// The blend of what has been validated already: it needs no training of its own.
fn blend_of(done: &[Validated], data: &Dataset, folds: &[Fold]) -> Option<Validated> {
    let (trees, a, boosted) = done.iter().find_map(|v| match &v.chosen {
        Chosen::Xgboost(trees) => Some((trees.clone(), &v.margins, &v.models)),
        _ => None,
    })?;
    let (settings, penalty, b, logistic) = done.iter().find_map(|v| match &v.chosen {
        Chosen::Logistic { settings, penalty } => Some((settings.clone(), *penalty, &v.margins, &v.models)),
        _ => None,
    })?;
    let both = |pair: (&Fitted, &Fitted)| match pair {
        (Fitted::Boosted(boosted), Fitted::Logistic(logistic)) => {
            Some(Fitted::Blend(BlendModel { boosted: boosted.clone(), logistic: logistic.clone() }))
        }
        _ => None,
    };
    let models = boosted.iter().zip(logistic).filter_map(both).collect();
    let chosen = Chosen::Blend { trees, settings, penalty };
    Some(validated(Decided { chosen, margins: blend::means(a, b), models, search: None }, data, folds))
}

/// The figures of margins on the folds' later rows.
fn validated(decided: Decided, data: &Dataset, folds: &[Fold]) -> Validated {
    let Decided { chosen, margins, models, search } = decided;
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
    let auc = if weight > 0.0 { weighted / weight } else { 0.5 };
    Validated { chosen, rows, margins, auc, log_loss, folds: figures, models, search }
}

/// What the folds decided of an estimator, with their later rows' margins and their models.
struct Decided {
    chosen: Chosen,
    margins: Vec<f64>,
    models: Vec<Fitted>,
    search: Option<Effort>,
}

fn trees(settings: &Xgboost, model: &Model, data: &Dataset, folds: &[Fold]) -> Result<Decided> {
    let monotone = model.features.bounds();
    let setting = Setting { xgboost: settings, monotone: &monotone, threads: model.threads.value, seed: model.seed };
    let make = |f: &Fold| Ok((Matrix::of_events(data, &f.train)?, Matrix::of_events(data, &f.valid)?));
    let matrices: Vec<(Matrix, Matrix)> = folds.iter().map(make).collect::<Result<_>>()?;
    let (settings, staged, effort) = match &settings.search {
        Some(space) => {
            let found = search(&matrices, space, setting)?;
            // What was found is what the recipe says: it is not searched for again.
            (Xgboost { search: None, ..found.xgboost }, found.folds, Some(found.effort))
        }
        None => {
            let mut staged: Vec<Staged<'_>> = matrices.iter().map(|(m, later)| Staged::new(m, later, setting)).collect::<Result<_>>()?;
            for fold in &mut staged {
                fold.advance(settings.max_rounds)?;
            }
            (settings.clone(), staged, None)
        }
    };
    let (rounds, _) = best_rounds(&staged);
    let (mut margins, mut models) = (Vec::new(), Vec::new());
    for fold in &staged {
        margins.extend(fold.margins_after(rounds)?);
        models.push(Fitted::Boosted(fold.model_after(rounds)?));
    }
    let (threads, seed) = (setting.threads, setting.seed);
    let chosen = Chosen::Xgboost(Trees { settings, monotone, rounds, threads, seed });
    Ok(Decided { chosen, margins, models, search: effort })
}

fn regression(settings: &LogisticRegression, data: &Dataset, folds: &[Fold]) -> Result<Decided> {
    let rows: Vec<usize> = folds.iter().flat_map(|f| f.valid.iter().copied()).collect();
    let events = data.events_of(&rows);
    let prepare = |f: &Fold| Prepared::new(&data.table, &f.train, data.events_of(&f.train), settings);
    let prepared: Vec<Prepared> = folds.iter().map(prepare).collect();
    let mut strengths = settings.penalty.clone();
    strengths.sort_by(|a, b| b.total_cmp(a));
    let mut best: Option<(f64, Penalty, Vec<f64>, Vec<Fitted>)> = None;
    for &l1_ratio in &settings.l1_ratio {
        // From the strongest penalty to the weakest: each fit starts near the next one's solution, and once a weaker penalty
        // no longer helps, still weaker ones won't: the loss has one valley.
        let mut last: Vec<Option<LogisticModel>> = vec![None; folds.len()];
        let mut least = f64::INFINITY;
        for &strength in &strengths {
            let penalty = Penalty { strength, l1_ratio };
            let mut margins = Vec::with_capacity(rows.len());
            for ((fold, prepared), last) in folds.iter().zip(&prepared).zip(&mut last) {
                let fitted = prepared.fit(penalty, last.as_ref())?;
                margins.extend(fitted.margins(&data.table, &fold.valid));
                *last = Some(fitted);
            }
            let loss = log_loss(&margins.iter().map(|m| sigmoid(*m)).collect::<Vec<_>>(), &events);
            if loss >= least {
                break;
            }
            least = loss;
            if best.as_ref().is_none_or(|(b, ..)| loss < *b) {
                let models = last.iter().flatten().cloned().map(Fitted::Logistic).collect();
                best = Some((loss, penalty, margins, models));
            }
        }
    }
    let (_, penalty, margins, models) = best.unwrap_or((0.0, Penalty { strength: 1.0, l1_ratio: 0.0 }, vec![0.0; rows.len()], vec![]));
    Ok(Decided { chosen: Chosen::Logistic { settings: settings.clone(), penalty }, margins, models, search: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::Table;
    use crate::estimate::fitted::FILES;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::BTreeMap;

    /// Half of what can be known is a line, the other half a step between two features: each estimator misses one of them in part.
    fn world() -> (Dataset, Vec<Fold>) {
        let n = 3000;
        let mut random = ChaCha8Rng::seed_from_u64(8);
        let mut columns: Vec<Vec<f64>> = (0..5).map(|_| (0..n).map(|_| random.random_range(-1.0..1.0)).collect()).collect();
        let line = |i: usize| columns[0][i] + columns[1][i] + columns[2][i];
        let step = |i: usize| if columns[3][i] * columns[4][i] > 0.0 { 0.5 } else { -0.5 };
        let events = (0..n).map(|i| random.random_range(0.0..1.0) < sigmoid(line(i) + step(i) - 1.0)).collect();
        columns.push((0..n).map(|i| (i % 3) as f64).collect());
        let mut categories = vec![None; 5];
        categories.push(Some(["a", "b", "c"].map(String::from).to_vec()));
        let data = Dataset {
            events,
            dates: vec![chrono::NaiveDate::default(); n],
            accounts: (0..n as u32).collect(),
            table: Table { features: (0..6).map(|k| format!("f{k}")).collect(), columns, rows: n, categories },
            ..Dataset::default()
        };
        let folds = [1000, 2000].map(|at| Fold { train: (0..at).collect(), valid: (at..at + 1000).collect() });
        (data, folds.to_vec())
    }

    fn model(estimators: &str) -> Model {
        crate::estimate::model_of(&format!(
            "version: 1\nlabel: {{table: labels.churn, column: churned, horizon_days: 28}}\n\
             features: {{table: features.account_features}}\nestimators: [{estimators}]\n"
        ))
    }

    #[test]
    fn a_blend_competes_with_its_parts_and_comes_back_from_its_files() {
        let (data, folds) = world();
        let model = model("blend: {}, xgboost: {eta: 0.1, max_rounds: 200}, logistic_regression: {}");
        let done = compete(&model, &data, &folds).unwrap();
        assert_eq!(done.iter().map(|v| v.chosen.name()).collect::<Vec<_>>(), ["xgboost", "logistic_regression", "blend"]);
        assert!(done[2].log_loss < done[0].log_loss.min(done[1].log_loss), "{:?}", done.iter().map(|v| v.log_loss).collect::<Vec<_>>());
        for (m, (a, b)) in done[2].margins.iter().zip(done[0].margins.iter().zip(&done[1].margins)) {
            assert!((m - (a + b) / 2.0).abs() < 1e-12);
        }

        let rows: Vec<usize> = (0..data.len()).collect();
        let fitted = done[2].chosen.fit(&data, &rows).unwrap();
        let margins = fitted.margins(&data.table, &rows).unwrap();
        let explained = fitted.explain(&data.table, &rows).unwrap();
        for row in [0, 17, 2999] {
            assert!((explained.margin(row) - margins[row]).abs() < 1e-4);
        }
        let files: BTreeMap<&'static str, Vec<u8>> =
            fitted.files().unwrap().into_iter().map(|(name, bytes)| (FILES.into_iter().find(|f| *f == name).unwrap(), bytes)).collect();
        assert_eq!(files.len(), 3);
        assert_eq!(Fitted::read("models/churn/v0001", files.clone()).unwrap(), fitted);
        let mut torn = files;
        torn.remove("logistic.json");
        let error = Fitted::read("models/churn/v0001", torn).unwrap_err().to_string();
        assert!(error.contains("v0001/logistic.json") && error.contains("missing"), "{error}");
    }

    #[test]
    fn the_folds_choose_penalty_and_l1_ratio() {
        let (data, folds) = world();
        let done = compete(&model("logistic_regression: {penalty: [1, 1000], l1_ratio: [0, 1]}"), &data, &folds).unwrap();
        let Chosen::Logistic { penalty, .. } = done[0].chosen else { panic!() };
        // 1000 L1 leaves nothing but the intercept.
        assert_eq!(penalty.strength, 1.0);
        let strong = compete(&model("logistic_regression: {penalty: [1000], l1_ratio: [1]}"), &data, &folds).unwrap();
        assert!(strong[0].log_loss > done[0].log_loss + 0.05);
        assert!((strong[0].auc - 0.5).abs() < 1e-9);
    }
}
