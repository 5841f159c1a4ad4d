//! The page about the models: in use or refused, how good they are and how that is known.

use super::{View, iso_opt, title};
use crate::chart;
use crate::error::Error;
use crate::format::humanise;
use crate::night::{ModelCard, Training};
use minijinja::{Value, context};
use serde_json::Value as Json;

/// Features listed by importance.
const FEATURES: usize = 12;
/// Earlier trainings listed.
const HISTORY: usize = 6;

pub(super) fn context(view: &View<'_>) -> Result<Value, Error> {
    // Charts take room: from the fifth model on a page only words are shown.
    let models: Vec<Value> =
        view.night.models.iter().take(12).enumerate().map(|(i, m)| model(view, m, i < 4)).collect::<Result<_, _>>()?;
    Ok(context! { root => "", page => "models", models => models })
}

fn model(view: &View<'_>, card: &ModelCard, charts: bool) -> Result<Value, Error> {
    let trainings: Vec<&Training> = view.night.trainings.iter().filter(|t| t.model == card.name).collect();
    // The training behind the scores: the version in use, else the newest one that was promoted, else the newest at all.
    let in_use = trainings
        .iter()
        .find(|t| card.version.as_deref().is_some_and(|v| v == t.version))
        .or_else(|| trainings.iter().find(|t| t.promoted && card.scored > 0));
    let shown = in_use.or(trainings.first());
    let state = match (card.scored > 0, shown) {
        (true, _) => "champion",
        (false, Some(t)) if t.promoted => "idle",
        (false, Some(_)) => "refused",
        (false, None) => "untrained",
    };
    Ok(context! {
        name => card.title.clone().unwrap_or_else(|| humanise(&card.name)),
        state => state,
        scored => card.scored,
        horizon => card.horizon_days,
        training => shown.map(|t| training(view, t, charts)).transpose()?,
        newest_refused => in_use.is_some() && trainings.first().is_some_and(|t| !t.promoted),
        newest_reason => trainings.first().and_then(|t| t.reason.as_deref()),
        history => trainings.iter().take(HISTORY).map(|t| history(t)).collect::<Vec<_>>(),
    })
}

fn history(training: &Training) -> Value {
    context! {
        version => training.version.as_str(),
        as_of => iso_opt(training.as_of),
        estimator => training.estimator.as_deref().map(super::estimator),
        promoted => training.promoted,
        reason => training.reason.as_deref(),
        auc => training.figures.get("auc").copied(),
        low => training.figures.get("auc_low").copied(),
        high => training.figures.get("auc_high").copied(),
    }
}

fn training(view: &View<'_>, training: &Training, charts: bool) -> Result<Value, Error> {
    let figure = |name: &str| training.figures.get(name).copied();
    let date = |name: &str| iso_opt(training.dates.get(name).copied());
    let curve = pairs(&training.detail, "calibration", &["predicted", "mean_predicted", "x"], &["observed", "rate", "y"]);
    let gains = pairs(&training.detail, "gains", &["share", "contacted", "population", "x"], &["found", "captured", "recall", "y"]);
    let calibration = if charts && curve.len() > 1 {
        let desc = format!("{} groups of customers: predicted against observed share.", curve.len());
        Some(Value::from_safe_string(chart::calibration(&curve, "Calibration curve", &desc)?))
    } else {
        None
    };
    let gain_at = |share: f64| gains.iter().find(|(x, _)| (*x - share).abs() < 1e-6).map(|(_, y)| *y);
    let gains_chart = if charts && gains.len() > 1 {
        Some(Value::from_safe_string(chart::gains(&gains, "Cumulative gains", "Share found among those with the highest risk.")?))
    } else {
        None
    };
    Ok(context! {
        version => training.version.as_str(),
        as_of => iso_opt(training.as_of),
        estimator => training.estimator.as_deref().map(super::estimator),
        promoted => training.promoted,
        reason => training.reason.as_deref(),
        auc => figure("auc"),
        low => figure("auc_low"),
        high => figure("auc_high"),
        average_precision => figure("average_precision"),
        log_loss => figure("log_loss"),
        brier => figure("brier"),
        lift => figure("lift_10pct"),
        calibration_error => figure("calibration_error"),
        rows_train => figure("rows_train"),
        rows_test => figure("rows_test"),
        positives_test => figure("positives_test"),
        base_rate => match (figure("positives_test"), figure("rows_test")) {
            (Some(p), Some(n)) if n > 0.0 => Some(p / n),
            _ => None,
        },
        train_from => date("train_from"),
        train_to => date("train_to"),
        test_from => date("test_from"),
        test_to => date("test_to"),
        calibration => calibration,
        gains => gains_chart,
        gain_10 => gain_at(0.1),
        gain_20 => gain_at(0.2),
        features => importance(view, &training.detail),
        estimators => estimators(&training.detail, training.estimator.as_deref()),
    })
}

/// A number under the first of several names.
fn number(object: &Json, names: &[&str]) -> Option<f64> {
    names.iter().find_map(|name| object.get(name)).and_then(Json::as_f64).filter(|v| v.is_finite())
}

/// Points of a curve: objects with one of the given names each, or pairs.
fn pairs(detail: &Json, key: &str, x: &[&str], y: &[&str]) -> Vec<(f64, f64)> {
    let list = detail.get(key).and_then(|v| v.as_array().or_else(|| v.get("points").and_then(Json::as_array)));
    let mut points: Vec<(f64, f64)> = list
        .into_iter()
        .flatten()
        .filter_map(|item| match item {
            Json::Array(pair) => Some((pair.first()?.as_f64()?, pair.get(1)?.as_f64()?)),
            object => Some((number(object, x)?, number(object, y)?)),
        })
        .collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.total_cmp(&b.1)));
    // A curve of many points is drawn from about fifty of them.
    let step = points.len().div_ceil(50).max(1);
    let last = points.len().saturating_sub(1);
    points.iter().enumerate().filter(|(i, _)| i % step == 0 || *i == last).map(|(_, p)| *p).collect()
}

/// Features by importance, the largest as 100 percent of the bar.
fn importance(view: &View<'_>, detail: &Json) -> Vec<Value> {
    let mut all: Vec<(String, f64, Option<String>)> = match detail.get("importance") {
        Some(Json::Array(items)) => items
            .iter()
            .filter_map(|i| {
                let name = i.get("feature").or_else(|| i.get("name"))?.as_str()?;
                let label = i.get("label").and_then(Json::as_str).map(str::to_owned);
                Some((name.to_owned(), number(i, &["importance", "share", "mean_abs_contribution", "value", "gain"])?, label))
            })
            .collect(),
        Some(Json::Object(map)) => map.iter().filter_map(|(k, v)| Some((k.clone(), v.as_f64()?, None))).collect(),
        _ => Vec::new(),
    };
    all.retain(|(_, value, _)| value.abs() > 0.0);
    all.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then_with(|| a.0.cmp(&b.0)));
    let most = all.first().map_or(1.0, |a| a.1.abs());
    let total: f64 = all.iter().map(|a| a.1.abs()).sum();
    all.iter()
        .take(FEATURES)
        .map(|(name, value, label)| {
            context! {
                label => label.clone().unwrap_or_else(|| title(&view.titles.features, name)),
                share => if total > 0.0 { value.abs() / total } else { 0.0 },
                width => (value.abs() / most * 100.0).round(),
            }
        })
        .collect()
}

/// All estimators that were compared, the chosen one marked.
fn estimators(detail: &Json, chosen: Option<&str>) -> Vec<Value> {
    let list: Vec<(String, &Json)> = match detail.get("estimators").or_else(|| detail.get("candidates")) {
        Some(Json::Array(items)) => items
            .iter()
            .filter_map(|i| Some((i.get("estimator").or_else(|| i.get("name"))?.as_str()?.to_owned(), i)))
            .collect(),
        Some(Json::Object(map)) => map.iter().map(|(k, v)| (k.clone(), v)).collect(),
        _ => Vec::new(),
    };
    list.iter()
        .take(8)
        .map(|(name, item)| {
            let figures = item.get("metrics").unwrap_or(item);
            context! {
                name => super::estimator(name),
                chosen => Some(name.as_str()) == chosen,
                auc => number(figures, &["auc"]),
                low => number(figures, &["auc_low"]),
                high => number(figures, &["auc_high"]),
                average_precision => number(figures, &["average_precision"]),
                log_loss => number(figures, &["log_loss"]),
                brier => number(figures, &["brier"]),
                lift => number(figures, &["lift_10pct"]),
                calibration_error => number(figures, &["calibration_error"]),
            }
        })
        .collect()
}
