//! Checks of a model file beyond its shape.

use cscopilot_diag::Diagnostics;

use super::Model;
use crate::Loaded;

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
}
