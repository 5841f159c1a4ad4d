//! Gradient-boosted trees by XGBoost.
//!
//! The crate's own `Booster::train` prints to standard output, so rounds are driven here. Everything that could differ
//! between two runs is fixed: threads, seed, method, base score.

use cscopilot_shap::TreeEnsemble;
use cscopilot_spec::Xgboost;
use xgb::parameters::BoosterParameters;
use xgb::{Booster, DMatrix};

use crate::data::dataset::{Dataset, Table};
use crate::error::{Error, Result};

impl From<xgb::XGBError> for Error {
    fn from(error: xgb::XGBError) -> Self {
        // XGBoost appends a C++ stack trace; its first line says what is wrong.
        let text = error.to_string();
        Self::Xgboost(text.lines().next().unwrap_or_default().trim_start_matches("XGBoost error: ").to_owned())
    }
}

/// What fixes a training beside the data.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// Hyper-parameters.
    pub xgboost: &'a Xgboost,
    /// Threads.
    pub threads: u32,
    /// Seed.
    pub seed: u64,
}

/// A trained booster: XGBoost's own file.
#[derive(Debug, Clone, PartialEq)]
pub struct BoostedModel {
    /// `model.ubj`.
    pub bytes: Vec<u8>,
}

impl BoostedModel {
    /// The margins of rows, from XGBoost.
    pub fn margins(&self, table: &Table, rows: &[usize]) -> Result<Vec<f64>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let booster = Booster::load_buffer(&self.bytes)?;
        margins(&booster, &DMatrix::from_dense(&table.matrix(rows), rows.len())?)
    }

    /// The trees, for explanations.
    pub fn ensemble(&self) -> Result<TreeEnsemble> {
        TreeEnsemble::from_bytes(&self.bytes).map_err(Error::Explanation)
    }
}

/// Trains on rows for a fixed number of rounds.
pub fn fit(data: &Dataset, rows: &[usize], rounds: u32, setting: Setting<'_>) -> Result<BoostedModel> {
    let matrix = labelled(data, rows)?;
    let mut booster = start(data, rows, &[&matrix], setting)?;
    for round in 0..rounds {
        booster.update(&matrix, round as i32)?;
    }
    Ok(BoostedModel { bytes: booster.save_buffer(true)? })
}

/// A booster trained on a fold until its later rows got no better, kept to be cut at any round.
pub struct Staged {
    booster: Booster,
    valid: DMatrix,
    /// Summed log loss on the later rows after each round.
    pub losses: Vec<f64>,
}

impl Staged {
    /// Trains on `train`, watching the later rows `valid`.
    pub fn train(data: &Dataset, train: &[usize], valid: &[usize], setting: Setting<'_>) -> Result<Self> {
        let matrix = labelled(data, train)?;
        let later = labelled(data, valid)?;
        let events = data.events_of(valid);
        let mut booster = start(data, train, &[&matrix, &later], setting)?;
        let mut losses: Vec<f64> = Vec::new();
        let mut best = 0;
        for round in 0..setting.xgboost.max_rounds as usize {
            booster.update(&matrix, round as i32)?;
            let loss: f64 = margins(&booster, &later)?.iter().zip(&events).map(|(z, e)| log_loss_of(*z, *e)).sum();
            losses.push(loss);
            if loss < losses[best] {
                best = round;
            }
            if round - best >= setting.xgboost.early_stopping_rounds as usize {
                break;
            }
        }
        Ok(Self { booster, valid: later, losses })
    }

    /// The later rows' margins after a number of rounds.
    pub fn margins_after(&self, rounds: u32) -> Result<Vec<f64>> {
        let rounds = (rounds as usize).clamp(1, self.losses.len().max(1));
        margins(&self.booster.slice(0, rounds as i32)?, &self.valid)
    }
}

/// The number of rounds with the smallest log loss over all folds together; a fold that stopped keeps its last loss.
pub fn best_rounds(folds: &[Staged]) -> u32 {
    let longest = folds.iter().map(|f| f.losses.len()).max().unwrap_or(0);
    let total = |round: usize| -> f64 { folds.iter().filter_map(|f| f.losses.get(round.min(f.losses.len().saturating_sub(1)))).sum() };
    let mut best = 0;
    for round in 1..longest {
        if total(round) < total(best) {
            best = round;
        }
    }
    best as u32 + 1
}

fn log_loss_of(margin: f64, event: bool) -> f64 {
    margin.max(0.0) + (-margin.abs()).exp().ln_1p() - if event { margin } else { 0.0 }
}

fn labelled(data: &Dataset, rows: &[usize]) -> Result<DMatrix> {
    let mut matrix = DMatrix::from_dense(&data.table.matrix(rows), rows.len())?;
    let labels: Vec<f32> = rows.iter().map(|r| if data.events[*r] { 1.0 } else { 0.0 }).collect();
    matrix.set_labels(&labels)?;
    let names: Vec<&str> = data.table.features.iter().map(String::as_str).collect();
    matrix.set_feature_names(&names)?;
    Ok(matrix)
}

fn margins(booster: &Booster, matrix: &DMatrix) -> Result<Vec<f64>> {
    Ok(booster.predict_margin(matrix)?.into_iter().map(f64::from).collect())
}

fn start(data: &Dataset, rows: &[usize], matrices: &[&DMatrix], setting: Setting<'_>) -> Result<Booster> {
    let mut booster = Booster::new_with_cached_dmats(&BoosterParameters::default(), matrices)?;
    let x = setting.xgboost;
    let rate = (data.count_events(rows) as f64 / rows.len().max(1) as f64).clamp(1e-6, 1.0 - 1e-6);
    let settings = [
        ("verbosity", "0".to_owned()),
        ("booster", "gbtree".to_owned()),
        ("objective", "binary:logistic".to_owned()),
        ("base_score", rate.to_string()),
        ("tree_method", "hist".to_owned()),
        ("device", "cpu".to_owned()),
        ("nthread", setting.threads.to_string()),
        ("seed", setting.seed.to_string()),
        ("max_depth", x.max_depth.to_string()),
        ("eta", x.eta.to_string()),
        ("min_child_weight", x.min_child_weight.to_string()),
        ("subsample", x.subsample.to_string()),
        ("colsample_bytree", x.colsample_bytree.to_string()),
        ("lambda", x.lambda.to_string()),
        ("alpha", x.alpha.to_string()),
        ("gamma", x.gamma.to_string()),
        ("max_bin", x.max_bin.to_string()),
    ];
    for (name, value) in settings {
        booster.set_param(name, &value)?;
    }
    let names: Vec<&str> = data.table.features.iter().map(String::as_str).collect();
    booster.set_feature_names(&names)?;
    Ok(booster)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cscopilot_shap::Explainer;

    fn sample() -> Dataset {
        let n = 600;
        let u = |i: usize, k: usize| ((i * 7919 + k * 104_729 + i * i * 31) % 1009) as f64 / 1009.0;
        let columns: Vec<Vec<f64>> =
            (0..8).map(|k| (0..n).map(|i| if (i + k) % 9 == 0 { f64::NAN } else { u(i, k) * 10.0 - 5.0 }).collect()).collect();
        let event = |i: usize| u(i, 99) * 8.0 < columns[0][i].max(0.0) + if columns[1][i] > 2.0 { 2.0 } else { 0.5 };
        Dataset {
            events: (0..n).map(event).collect(),
            dates: vec![chrono::NaiveDate::default(); n],
            accounts: (0..n as u32).collect(),
            table: Table { features: (0..8).map(|k| format!("f{k}")).collect(), columns, rows: n },
            ..Dataset::default()
        }
    }

    #[test]
    fn explanations_agree_with_those_of_xgboost() {
        let data = sample();
        let rows: Vec<usize> = (0..data.len()).collect();
        for depth in [1, 3, 6] {
            let settings = Xgboost { max_depth: depth, eta: 0.2, ..Xgboost::default() };
            let model = fit(&data, &rows, 40, Setting { xgboost: &settings, threads: 1, seed: 7 }).unwrap();
            let matrix = data.table.matrix(&rows);
            let booster = Booster::load_buffer(&model.bytes).unwrap();
            let (theirs, (count, width)) = booster.predict_contributions(&DMatrix::from_dense(&matrix, rows.len()).unwrap()).unwrap();
            assert_eq!((count, width), (rows.len(), 9));
            let ensemble = model.ensemble().unwrap();
            assert_eq!(ensemble.feature_names(), data.table.features);
            let ours = Explainer::new(&ensemble).explain(&matrix, 8).unwrap();
            let margins = model.margins(&data.table, &rows).unwrap();
            for row in 0..rows.len() {
                let their_row = &theirs[row * width..(row + 1) * width];
                for (a, b) in ours.row(row).iter().zip(their_row) {
                    assert!((a - f64::from(*b)).abs() < 1e-4, "{a} {b}");
                }
                assert!((ours.base_value() - f64::from(their_row[8])).abs() < 1e-4);
                assert!((ours.margin(row) - margins[row]).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn the_same_training_gives_the_same_bytes() {
        let data = sample();
        let rows: Vec<usize> = (0..data.len()).collect();
        let settings = Xgboost::default();
        for threads in [1, 2] {
            let setting = Setting { xgboost: &settings, threads, seed: 7 };
            assert_eq!(fit(&data, &rows, 20, setting).unwrap(), fit(&data, &rows, 20, setting).unwrap());
        }
    }

    #[test]
    fn stops_early_and_can_be_cut_at_any_round() {
        let data = sample();
        let (train, valid): (Vec<usize>, Vec<usize>) = ((0..400).collect(), (400..600).collect());
        let settings = Xgboost { eta: 0.5, early_stopping_rounds: 5, max_rounds: 500, ..Xgboost::default() };
        let setting = Setting { xgboost: &settings, threads: 1, seed: 7 };
        let staged = Staged::train(&data, &train, &valid, setting).unwrap();
        assert!(staged.losses.len() < 500);
        let best = best_rounds(std::slice::from_ref(&staged));
        let margins = staged.margins_after(best).unwrap();
        let refit = fit(&data, &train, best, setting).unwrap().margins(&data.table, &valid).unwrap();
        for (a, b) in margins.iter().zip(&refit) {
            assert!((a - b).abs() < 1e-6);
        }
    }
}
