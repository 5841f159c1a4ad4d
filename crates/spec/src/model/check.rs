//! Checks of a model file beyond its shape.

use cscopilot_diag::{Diagnostics, suggest};

use super::{Estimator, Model};
use crate::{At, Loaded, Project};

/// A column that can tell rows of a night apart.
pub(super) fn entity(loaded: &Loaded<Model>, out: &mut Diagnostics) {
    let entity = &loaded.value.entity;
    if entity.is_empty() || entity.value == "as_of" {
        out.push(
            loaded
                .error("SPC473", entity, format!("`{entity}` is no column that says what a row is about"))
                .with_help("name the column of what is scored, such as `subscription_id`; without `entity:` it is `account_id`"),
        );
    }
}

/// Tags that some feature of the dictionary has.
pub(super) fn tags(loaded: &Loaded<Model>, project: &Project, out: &mut Diagnostics) {
    let model = &loaded.value;
    let known: Vec<&str> = match project.features.get(model.dictionary()) {
        Some(dictionary) => dictionary.value.features.values().flat_map(|f| f.tags.iter().map(|t| t.value.as_str())).collect(),
        None => Vec::new(),
    };
    for tag in &model.features.tags {
        if !known.contains(&tag.value.as_str()) {
            let mut distinct = known.clone();
            distinct.sort_unstable();
            distinct.dedup();
            out.push(
                loaded
                    .error("SPC472", tag, format!("no feature of the dictionary `{}` has the tag `{tag}`", model.dictionary()))
                    .with_help_opt(suggest::help(tag, distinct).or_else(|| Some("give features `tags:` in the dictionary".to_owned()))),
            );
        }
    }
}

/// Numbers within their ranges.
pub(super) fn numbers(loaded: &Loaded<Model>, out: &mut Diagnostics) {
    let model = &loaded.value;
    let (split, gates) = (&model.split, &model.gates);
    let between = [
        (&split.test_fraction, "test_fraction", 0.05, 0.8),
        (&split.first_train_fraction, "first_train_fraction", 0.1, 0.9),
        (&gates.min_auc_ci_low, "min_auc_ci_low", 0.5, 1.0),
        (&gates.confidence, "confidence", 0.5, 0.999),
        (&gates.max_calibration_error, "max_calibration_error", 0.0, 1.0),
        (&gates.max_calibration_ratio, "max_calibration_ratio", 1.0, 100.0),
        (&gates.min_segment_auc, "min_segment_auc", 0.0, 1.0),
        (&gates.min_reason_stability, "min_reason_stability", -1.0, 1.0),
        (&gates.max_psi, "max_psi", 0.0, 100.0),
        (&gates.champion.max_auc_loss, "max_auc_loss", 0.0, 1.0),
        (&gates.champion.max_log_loss_increase_pct, "max_log_loss_increase_pct", 0.0, 1000.0),
        (&model.leak_auc, "leak_auc", 0.5, 1.0),
        (&model.drift.warn_psi, "warn_psi", 0.0, 100.0),
        (&model.drift.bad_psi, "bad_psi", 0.0, 100.0),
    ];
    for (at, name, low, high) in between {
        if !(low..=high).contains(&at.value) {
            out.push(
                loaded
                    .error("SPC063", at, format!("`{name}` is {at}, it must lie between {low} and {high}"))
                    .with_help(format!("set `{name}` to a number from {low} to {high}, or leave it out for the default")),
            );
        }
    }
    let whole = [
        (&split.folds, "folds", 1, 20),
        (&gates.bootstrap_samples, "bootstrap_samples", 100, 100_000),
        (&gates.min_segment_events, "min_segment_events", 1, 1_000_000),
        (&model.retrain_after_days, "retrain_after_days", 1, 3650),
        (&model.threads, "threads", 1, 256),
    ];
    for (at, name, low, high) in whole {
        if !(low..=high).contains(&at.value) {
            out.push(
                loaded
                    .error("SPC063", at, format!("`{name}` is {at}, it must lie between {low} and {high}"))
                    .with_help(format!("set `{name}` to a number from {low} to {high}, or leave it out for the default")),
            );
        }
    }
}

/// Either cuts in time or folds, and dates in their order.
pub(super) fn split(loaded: &Loaded<Model>, out: &mut Diagnostics) {
    let split = &loaded.value.split;
    if split.cross_validation.is_some() {
        let whole = |at: &At<u32>| at.map(|_| ());
        let share = |at: &At<f64>| at.map(|_| ());
        let date = |at: &Option<At<chrono::NaiveDate>>| at.map_or_else(|| At::nowhere(()), |d| d.map(|_| ()));
        let cuts = [
            ("test_fraction", share(&split.test_fraction)),
            ("test_from", date(&split.test_from)),
            ("folds", whole(&split.folds)),
            ("first_train_fraction", share(&split.first_train_fraction)),
            ("gap_days", split.gap_days.as_ref().map_or_else(|| At::nowhere(()), whole)),
            ("train_from", date(&split.train_from)),
        ];
        // What the file doesn't say has no place in it.
        for (name, at) in cuts.iter().filter(|(_, at)| at.line > 0) {
            out.push(
                loaded
                    .error(
                        "SPC069",
                        at,
                        format!("`{name}` cuts the rows in time, `cross_validation` takes the folds of a column: only one can be"),
                    )
                    .with_help(format!("take `{name}` out, or take `cross_validation` out if the rows have dates to go by")),
            );
        }
    }
    if let (Some(train), Some(test)) = (&split.train_from, &split.test_from)
        && train.value >= test.value
    {
        out.push(
            loaded
                .error("SPC064", train, format!("training would begin on {train}, but the test period begins on {test}"))
                .with_help("set `train_from` before `test_from`"),
        );
    }
}

/// Bands that rise, and money that makes sense.
pub(super) fn rows(loaded: &Loaded<Model>, out: &mut Diagnostics) {
    let model = &loaded.value;
    let bands = model.tenure.iter().flat_map(|t| t.bands_days.windows(2));
    for band in bands.filter(|b| b[1].value <= b[0].value) {
        out.push(
            loaded
                .error("SPC067", &band[1], format!("the bands of tenure fall: {} comes after {}", band[1], band[0]))
                .with_help("list where one band ends and the next begins, in days, from the smallest to the largest"),
        );
    }
    let Some(profit) = &model.profit else { return };
    let numbers = [
        (&profit.clv, "clv", profit.clv.value > 0.0, "above 0"),
        (&profit.incentive, "incentive", (0.0..profit.clv.value).contains(&profit.incentive.value), "at least 0 and less than `clv`"),
        (&profit.contact_cost, "contact_cost", profit.contact_cost.value >= 0.0, "at least 0"),
        (&profit.alpha, "alpha", profit.alpha.value > 0.0, "above 0"),
        (&profit.beta, "beta", profit.beta.value > 0.0, "above 0"),
    ];
    for (at, name, right, range) in numbers {
        if !right || !at.value.is_finite() {
            out.push(
                loaded
                    .error("SPC068", at, format!("`{name}` is {at}, it must be {range}"))
                    .with_help("`profit` holds the money that one customer costs and brings"),
            );
        }
    }
}

/// Each estimator once, with settings that make sense.
pub(super) fn estimators(loaded: &Loaded<Model>, out: &mut Diagnostics) {
    let mut seen = Vec::new();
    for at in &loaded.value.estimators {
        let name = at.value.name();
        if seen.contains(&name) {
            out.push(loaded.error("SPC065", at, format!("the estimator `{name}` is listed twice")).with_help("list each estimator once"));
        }
        seen.push(name);
        if let Some(problem) = at.value.problem() {
            out.push(
                loaded.error("SPC066", at, format!("in `{name}`, {problem}")).with_help("see the reference of model files for the ranges"),
            );
        }
    }
    let blend = loaded.value.estimators.iter().find(|e| matches!(e.value, Estimator::Blend(_)));
    if let Some(at) = blend
        && let Some(lacking) = ["xgboost", "logistic_regression"].into_iter().find(|name| !seen.contains(name))
    {
        out.push(
            loaded
                .error("SPC470", at, format!("`blend` needs `{lacking}` in the list"))
                .with_help("it is the mean of `xgboost` and `logistic_regression`: list both, or leave the blend out"),
        );
    }
}

/// Categorical features have no order that could be monotone.
pub(super) fn features(loaded: &Loaded<Model>, out: &mut Diagnostics) {
    let features = &loaded.value.features;
    for column in &features.categorical {
        if let Some(direction) = features.monotone.get(&column.value) {
            out.push(
                loaded
                    .error(
                        "SPC471",
                        direction,
                        format!("`{column}` is categorical: its values have no order in which it could rise or fall"),
                    )
                    .with_help("take it out of `monotone:` or out of `categorical:`"),
            );
        }
    }
}
