//! The page about the models: in use or refused, how good they are and how that is known.

use super::{View, iso_opt, title};
use crate::chart::{self, Calibrated};
use crate::error::Error;
use crate::format::{clip, humanise};
use crate::night::{ModelCard, Training};
use minijinja::{Value, context};
use serde_json::Value as Json;

/// Features listed by importance.
const FEATURES: usize = 12;
/// Earlier trainings listed.
const HISTORY: usize = 6;

pub(super) fn context(view: &View<'_>) -> Result<Value, Error> {
    // Charts take room: from the fifth model on a page only words are shown.
    let models: Vec<Value> = view.night.models.iter().take(12).enumerate().map(|(i, m)| model(view, m, i < 4)).collect::<Result<_, _>>()?;
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
    let bins = calibration_bins(&training.detail);
    let gains = gains(&training.detail);
    let calibration = if charts && !bins.is_empty() {
        let desc = format!("{} groups of customers: predicted against observed share.", bins.len());
        Some(Value::from_safe_string(chart::calibration(&bins, "Calibration curve", &desc)?))
    } else {
        None
    };
    let gain_at = |share: f64| gains.iter().find(|(x, _)| (*x - share).abs() < 1e-6).map(|(_, y)| *y);
    let gains_chart = if charts && gains.len() > 1 {
        Some(Value::from_safe_string(chart::gains(&gains, "Cumulative gains", "Share found among those with the highest risk.")?))
    } else {
        None
    };
    let test = training.detail.get("test").unwrap_or(&Json::Null);
    let interval = |name: &str| {
        let found = test.get("uncertainty").and_then(|u| u.get(name))?;
        Some(context! { value => number(found, "value")?, low => number(found, "low"), high => number(found, "high") })
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
        estimators => estimators(&training.detail),
        ratio => interval("calibration_ratio"),
        slope => interval("calibration_slope"),
        log_loss_of_rate => number(test, "log_loss_of_rate"),
        event_accounts => number(test, "event_accounts"),
        censored => figure("rows_censored"),
        refitted => training.detail.get("refitted_on_all").and_then(Json::as_bool).unwrap_or(false),
    })
}

/// A finite number of a JSON object.
fn number(object: &Json, name: &str) -> Option<f64> {
    object.get(name).and_then(Json::as_f64).filter(|v| v.is_finite())
}

fn list<'a>(detail: &'a Json, name: &str) -> impl Iterator<Item = &'a Json> {
    detail.get(name).and_then(Json::as_array).into_iter().flatten()
}

/// Groups of rows by probability, with the interval of what was observed.
fn calibration_bins(detail: &Json) -> Vec<Calibrated> {
    let mut bins: Vec<Calibrated> = list(detail, "calibration")
        .filter_map(|bin| {
            Some(Calibrated {
                predicted: number(bin, "predicted")?,
                observed: number(bin, "observed")?,
                interval: number(bin, "low").zip(number(bin, "high")),
            })
        })
        .take(20)
        .collect();
    bins.sort_by(|a, b| a.predicted.total_cmp(&b.predicted).then_with(|| a.observed.total_cmp(&b.observed)));
    bins
}

/// Share of those who left, by the share of customers looked at.
fn gains(detail: &Json) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = list(detail, "gains")
        .filter_map(|gain| Some((number(gain, "top_pct")? / 100.0, number(gain, "captured_pct")? / 100.0)))
        .take(50)
        .collect();
    if !points.is_empty() {
        points.push((1.0, 1.0));
    }
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.total_cmp(&b.1)));
    points
}

/// Features by importance, the largest as 100 percent of the bar.
fn importance(view: &View<'_>, detail: &Json) -> Vec<Value> {
    let mut all: Vec<(&str, f64, Option<&str>)> = list(detail, "importance")
        .filter_map(|item| {
            let label = item.get("label").and_then(Json::as_str);
            Some((item.get("feature")?.as_str()?, number(item, "mean_abs_contribution").filter(|v| *v > 0.0)?, label))
        })
        .collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let most = all.first().map_or(1.0, |a| a.1);
    let total: f64 = all.iter().map(|a| a.1).sum();
    all.iter()
        .take(FEATURES)
        .map(|(name, value, label)| {
            context! {
                label => label.map_or_else(|| title(&view.titles.features, name), |l| clip(l, 80)),
                share => value / total,
                width => (value / most * 100.0).round(),
            }
        })
        .collect()
}

/// All estimators that were compared, the chosen one marked.
fn estimators(detail: &Json) -> Vec<Value> {
    list(detail, "candidates")
        .filter_map(|item| {
            Some(context! {
                name => super::estimator(item.get("estimator")?.as_str()?),
                choice => choice(item.get("choice").unwrap_or(&Json::Null)),
                chosen => item.get("chosen").and_then(Json::as_bool).unwrap_or(false),
                validation_auc => number(item, "validation_auc"),
                validation_log_loss => number(item, "validation_log_loss"),
                test_auc => number(item, "test_auc"),
                test_lift => number(item, "test_lift_10pct"),
            })
        })
        .take(8)
        .collect()
}

/// What the folds decided, in few words: `rounds 60, max depth 2`.
fn choice(choice: &Json) -> Option<String> {
    // Externally tagged: one object inside the object.
    let inner = choice.as_object().and_then(|o| o.values().next()).filter(|v| v.is_object()).unwrap_or(choice);
    let words: Vec<String> = inner
        .as_object()?
        .iter()
        .filter(|(_, value)| value.is_number())
        .map(|(name, value)| format!("{} {value}", name.replace('_', " ")))
        .collect();
    (!words.is_empty()).then(|| words.join(", "))
}
