//! What is wrong with a model's files, found before anything computes with them: of another program, or not fitting together.

use std::collections::BTreeMap;

use cscopilot_shap::TreeEnsemble;
use serde::de::IgnoredAny;

use crate::calibrate::Calibrator;
use crate::estimate::fitted::Fitted;
use crate::estimate::logistic::{Input, LogisticModel};
use crate::registry::{FeatureList, Registered};

/// Vets `model.ubj`.
///
/// # Errors
/// What is wrong with it, in words.
pub fn boosted(bytes: &[u8]) -> Result<TreeEnsemble, String> {
    match foreign(bytes) {
        Some(other) => Err(format!("it is {other}")),
        None => TreeEnsemble::from_bytes(bytes).map_err(|e| e.to_string()),
    }
}

const OTHER_JSON: &str = "JSON of another program: it has no `learner`";

/// What a file is that is no XGBoost model, where its beginning tells.
pub fn foreign(bytes: &[u8]) -> Option<&'static str> {
    const MAGIC: [(&[u8], &str); 10] = [
        (b"tree\n", "a LightGBM model"),
        (b"CBM1", "a CatBoost model"),
        (b"binf", "a model in XGBoost's old binary format"),
        (b"bs64", "a model in XGBoost's old binary format"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\x1f\x8b", "a gzip archive"),
        (b"PAR1", "a Parquet file"),
        (b"version https://git-lfs", "a pointer of Git LFS in place of the file"),
        (b"<", "an HTML or XML page"),
        (b"\x80", "a Python pickle"),
    ];
    if bytes.is_empty() {
        return Some("empty");
    }
    if let Some((_, what)) = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Some(what);
    }
    let text = bytes.trim_ascii_start();
    let may_be_json = text.first().is_some_and(|b| b"{[\"".contains(b));
    match serde_json::from_slice::<BTreeMap<String, IgnoredAny>>(text) {
        Ok(fields) if !fields.contains_key("learner") => Some(OTHER_JSON),
        Err(e) if may_be_json && e.is_data() => Some(OTHER_JSON),
        _ => None,
    }
}

/// Vets what was read of a version: that its files fit together.
///
/// # Errors
/// The file that is to blame, and what is wrong with it.
pub fn together(model: &Registered) -> Result<(), (&'static str, String)> {
    let names = match &model.fitted {
        Fitted::Boosted(boosted) => {
            let ensemble = boosted.ensemble().map_err(|e| ("model.ubj", e.to_string()))?;
            same_features(ensemble.num_features(), &model.features)?;
            ensemble.feature_names().to_vec()
        }
        Fitted::Logistic(regression) => {
            logistic(regression).map_err(|problem| ("logistic.json", problem))?;
            same_features(regression.features.len(), &model.features)?;
            regression.features.clone()
        }
    };
    let listed = model.features.names();
    if let Some((theirs, ours)) = names.iter().zip(&listed).find(|(theirs, ours)| theirs != ours) {
        return Err(("features.json", format!("the model's feature `{theirs}` stands where the list has `{ours}`")));
    }
    calibrator(&model.calibrator).map_err(|problem| ("calibration.json", problem))
}

fn same_features(expected: usize, list: &FeatureList) -> Result<(), (&'static str, String)> {
    let listed = list.features.len();
    if expected == listed { Ok(()) } else { Err(("features.json", format!("the model has {expected} features, the list {listed}"))) }
}

fn logistic(model: &LogisticModel) -> Result<(), String> {
    let inputs = model.inputs.len();
    if model.linear.coefficients.len() != inputs || model.linear.means.len() != inputs {
        return Err("its inputs, coefficients and means differ in number".to_owned());
    }
    for input in &model.inputs {
        if input.feature() >= model.features.len() {
            return Err(format!("an input is made from feature {}, there are {}", input.feature(), model.features.len()));
        }
        if let Input::Value { low, high, .. } = input
            && low > high
        {
            return Err("the bounds of an input are the wrong way round".to_owned());
        }
    }
    Ok(())
}

fn calibrator(calibrator: &Calibrator) -> Result<(), String> {
    if let Calibrator::Isotonic { margins, probabilities } = calibrator {
        if margins.len() != probabilities.len() {
            return Err("it has another number of margins than of probabilities".to_owned());
        }
        let rising = |values: &[f64]| values.windows(2).all(|w| w[0] <= w[1]);
        if !rising(margins) || !rising(probabilities) {
            return Err("its margins or probabilities do not rise".to_owned());
        }
    }
    Ok(())
}
