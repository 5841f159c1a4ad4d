//! What a model may predict beside the probability: the time to the event, and its amount.

use std::collections::BTreeMap;

use cscopilot_spec::Model;
use serde::Serialize;

use crate::data::dataset::{Dataset, Table};
use crate::data::split::Plan;
use crate::error::{Error, Result};
use crate::estimate::amount::{self, AmountFigures, AmountModel};
use crate::estimate::boosted::BoostedModel;
use crate::estimate::survival::{self, Outlook, SurvivalFigures, SurvivalModel};
use crate::registry::card::pretty;
use crate::registry::manifest;

/// The files that extras may have in the registry.
pub const FILES: [&str; 3] = [SURVIVAL, SURVIVAL_CALIBRATION, AMOUNT];
const SURVIVAL: &str = "survival.ubj";
const SURVIVAL_CALIBRATION: &str = "survival_calibration.json";
const AMOUNT: &str = "amount.ubj";

/// The models beside the probability's; none where the label does not ask for one, or too few events were seen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extras {
    /// Time to the event.
    pub survival: Option<SurvivalModel>,
    /// Amount of the event.
    pub amount: Option<AmountModel>,
}

/// How extras did on the test slice.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ExtrasFigures {
    /// Time to the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub survival: Option<SurvivalFigures>,
    /// Amount of the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<AmountFigures>,
}

/// What extras say of rows: one entry per row, or nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expected {
    /// Time to the event.
    pub outlooks: Option<Vec<Outlook>>,
    /// Probability × amount.
    pub amounts: Option<Vec<f64>>,
}

/// Trains the extras that the label asks for: judged as the probability's model is, then learned from all rows.
pub fn train(model: &Model, data: &Dataset, plan: &Plan, all: &[usize]) -> Result<(Extras, ExtrasFigures)> {
    let survival = match (data.span(all), data.span(&plan.test)) {
        (Some((from, _)), Some((test_from, _))) => survival::train(model, data, from, test_from)?,
        _ => None,
    };
    let amount = amount::train(model, data, &plan.development, &plan.test, all)?;
    let figures =
        ExtrasFigures { survival: survival.as_ref().map(|t| t.figures.clone()), amount: amount.as_ref().and_then(|t| t.figures.clone()) };
    Ok((Extras { survival: survival.map(|t| t.model), amount: amount.map(|t| t.model) }, figures))
}

impl Extras {
    /// The files for the registry: name and content.
    pub fn files(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let mut files = Vec::new();
        if let Some(model) = &self.survival {
            files.push((SURVIVAL.to_owned(), model.boosted.bytes.clone()));
            files.push((SURVIVAL_CALIBRATION.to_owned(), pretty(&model.calibrator)?));
        }
        files.extend(self.amount.as_ref().map(|m| (AMOUNT.to_owned(), m.boosted.bytes.clone())));
        Ok(files)
    }

    /// Reads those of [`FILES`] that are there, for a model of so many features. `folder` is where they come from, for messages.
    pub fn read(folder: &str, width: usize, mut files: BTreeMap<&'static str, Vec<u8>>) -> Result<Self> {
        let bad = |name: &str, problem: String| Error::BadModel { path: format!("{folder}/{name}"), problem };
        let calibration = files.remove(SURVIVAL_CALIBRATION);
        let mut trees = |name: &'static str, width: usize| {
            let Some(bytes) = files.remove(name) else { return Ok(None) };
            let ensemble = cscopilot_shap::TreeEnsemble::from_bytes(&bytes).map_err(|e| bad(name, e.to_string()))?;
            if ensemble.num_features() != width {
                return Err(bad(name, format!("it has {} features instead of {width}", ensemble.num_features())));
            }
            Ok(Some(BoostedModel { bytes }))
        };
        let survival = match (trees(SURVIVAL, width + 1)?, calibration) {
            (Some(boosted), Some(bytes)) => {
                let calibrator = manifest::json(&format!("{folder}/{SURVIVAL_CALIBRATION}"), &bytes)?;
                Some(SurvivalModel { boosted, calibrator })
            }
            (Some(_), None) => return Err(bad(SURVIVAL_CALIBRATION, format!("it is missing beside {SURVIVAL}"))),
            (None, _) => None,
        };
        let amount = trees(AMOUNT, width)?.map(|boosted| AmountModel { boosted });
        Ok(Self { survival, amount })
    }

    /// What is expected of some rows, given the probabilities of all.
    pub fn expected(&self, table: &Table, rows: &[usize], probabilities: &[f64]) -> Result<Expected> {
        let outlooks = self.survival.as_ref().map(|m| m.outlook(table, rows)).transpose()?;
        let amounts = match &self.amount {
            Some(model) => Some(model.amounts(table, rows)?.iter().zip(rows).map(|(amount, row)| amount * probabilities[*row]).collect()),
            None => None,
        };
        Ok(Expected { outlooks, amounts })
    }
}

#[cfg(test)]
mod tests {
    use cscopilot_spec::Xgboost;

    use super::*;
    use crate::calibrate::PeriodCalibrator;
    use crate::estimate::boosted::{self, Matrix, Objective, Setting, Target};

    fn hazard() -> Extras {
        let values: Vec<f32> = (0..80).map(|i| i as f32 / 10.0).collect();
        let labels = (0..40).map(|i| if i % 3 == 0 { 1.0 } else { 0.0 }).collect();
        let target = Target { objective: Objective::Event, labels, weights: Vec::new() };
        let matrix = Matrix::new(vec!["x".into(), "days_ahead".into()], vec![false; 2], &values, target).unwrap();
        let (xgboost, free) = (Xgboost { min_child_weight: 1.0, ..Xgboost::default() }, BTreeMap::new());
        let boosted = boosted::fit(&matrix, 3, Setting { xgboost: &xgboost, monotone: &free, threads: 1, seed: 1 }).unwrap();
        let calibrator = PeriodCalibrator { slope: 0.1 + 0.2, near_slope: 0.25, intercept: -1.0 / 3.0, near_intercept: 1e-17 };
        Extras { survival: Some(SurvivalModel { boosted, calibrator }), amount: None }
    }

    fn read(width: usize, files: &[(String, Vec<u8>)]) -> Result<Extras> {
        let named = |name: &str| FILES.into_iter().find(|f| *f == name).unwrap();
        Extras::read("models/churn/v0001", width, files.iter().map(|(name, bytes)| (named(name), bytes.clone())).collect())
    }

    #[test]
    fn a_hazard_and_its_curve_come_back_as_they_were() {
        let extras = hazard();
        assert_eq!(read(1, &extras.files().unwrap()).unwrap(), extras);
    }

    #[test]
    fn a_hazard_without_a_readable_curve_or_of_other_features_is_refused_by_name() {
        let files = hazard().files().unwrap();
        let refused = |width: usize, files: &[(String, Vec<u8>)]| read(width, files).unwrap_err().to_string();
        let alone = refused(1, &files[..1]);
        assert!(alone.contains("survival_calibration.json") && alone.contains("missing beside survival.ubj"), "{alone}");
        let mut damaged = files.clone();
        damaged[1].1.truncate(20);
        assert!(refused(1, &damaged).contains("survival_calibration.json"));
        assert!(refused(4, &files).contains("survival.ubj"));
    }
}
