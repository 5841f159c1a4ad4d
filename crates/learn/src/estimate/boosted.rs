//! Gradient-boosted trees by XGBoost.
//!
//! The crate's own `Booster::train` prints to standard output, so rounds are driven here. Everything that could differ
//! between two runs is fixed: threads, seed, method, base score.
//!
//! # Determinism
//! XGBoost 3.4 gives each booster a random generator of its own, so what else is trained in between changes nothing. The number of
//! threads changes nothing either where sums are exact, and they nearly always are: gradients are `f32` (24 bits), histograms `f64`
//! (53 bits), which leaves 29 bits for the number of rows and the spread of the gradients' exponents. What is left is a difference
//! in the last of 53 bits, before gains are rounded to `f32` and compared. (No setting is needed for that; row sampling skips ahead
//! in one random sequence, and quantiles are cut feature by feature.)

use std::collections::BTreeMap;

use cscopilot_shap::TreeEnsemble;
use cscopilot_spec::{Direction, Xgboost};
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
    /// Features by which the margin may only rise, or only fall.
    pub monotone: &'a BTreeMap<String, Direction>,
    /// Threads.
    pub threads: u32,
    /// Seed.
    pub seed: u64,
}

/// What trees predict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objective {
    /// Whether something happens: labels are 0 and 1, the margin is the log of the odds.
    Event,
    /// How much it is, above 0: the margin is the log of the expected amount, by Poisson's likelihood.
    Amount,
}

impl Objective {
    fn name(self) -> &'static str {
        match self {
            Self::Event => "binary:logistic",
            Self::Amount => "count:poisson",
        }
    }

    /// The loss of a margin, up to what does not depend on it.
    fn loss(self, margin: f64, label: f64) -> f64 {
        match self {
            Self::Event => margin.max(0.0) + (-margin.abs()).exp().ln_1p() - label * margin,
            Self::Amount => margin.exp() - label * margin,
        }
    }
}

/// What is to be learned from rows.
#[derive(Debug, Clone)]
pub struct Target {
    /// What trees predict.
    pub objective: Objective,
    /// One label per row.
    pub labels: Vec<f32>,
    /// One weight per row; empty if all count the same.
    pub weights: Vec<f32>,
}

impl Target {
    /// Labels and weights of the rows.
    fn weighted(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.labels.iter().enumerate().map(|(i, y)| (f64::from(*y), self.weights.get(i).map_or(1.0, |w| f64::from(*w))))
    }

    fn mean(&self) -> f64 {
        let (sum, weight) = self.weighted().fold((0.0, 0.0), |(sum, weight), (y, w)| (sum + w * y, weight + w));
        let mean = sum / f64::max(weight, 1e-9);
        match self.objective {
            Objective::Event => mean.clamp(1e-6, 1.0 - 1e-6),
            Objective::Amount => mean.max(1e-6),
        }
    }

    /// The summed loss of margins.
    fn loss(&self, margins: impl Iterator<Item = f64>) -> f64 {
        margins.zip(self.weighted()).map(|(z, (y, w))| w * self.objective.loss(z, y)).sum()
    }
}

/// Labelled rows as XGBoost keeps them.
///
/// XGBoost cuts the features into bins when it first trains on a matrix and keeps them with it: every training on the same matrix with
/// the same `max_bin` shares them.
pub struct Matrix {
    inner: DMatrix,
    features: Vec<String>,
    categorical: Vec<bool>,
    target: Target,
}

impl Matrix {
    /// Rows in row-major order. `categorical` says of each feature whether its values are codes of categories.
    pub fn new(features: Vec<String>, categorical: Vec<bool>, values: &[f32], target: Target) -> Result<Self> {
        let mut inner = DMatrix::from_dense(values, target.labels.len())?;
        inner.set_labels(&target.labels)?;
        if !target.weights.is_empty() {
            inner.set_weights(&target.weights)?;
        }
        let names: Vec<&str> = features.iter().map(String::as_str).collect();
        inner.set_feature_names(&names)?;
        if categorical.contains(&true) {
            inner.set_feature_types(&types(&categorical))?;
        }
        Ok(Self { inner, features, categorical, target })
    }

    /// Rows with their events.
    pub fn of_events(data: &Dataset, rows: &[usize]) -> Result<Self> {
        let labels = rows.iter().map(|r| if data.events[*r] { 1.0 } else { 0.0 }).collect();
        let target = Target { objective: Objective::Event, labels, weights: Vec::new() };
        Self::new(data.table.features.clone(), data.table.categorical(), &data.table.matrix(rows), target)
    }

    /// Number of values.
    pub fn cells(&self) -> usize {
        self.target.labels.len() * self.features.len()
    }
}

fn types(categorical: &[bool]) -> Vec<&'static str> {
    categorical.iter().map(|c| if *c { "c" } else { "q" }).collect()
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

/// Trains for a fixed number of rounds.
pub fn fit(matrix: &Matrix, rounds: u32, setting: Setting<'_>) -> Result<BoostedModel> {
    let mut booster = start(matrix, &[&matrix.inner], setting)?;
    for round in 0..rounds {
        booster.update(&matrix.inner, round as i32)?;
    }
    Ok(BoostedModel { bytes: booster.save_buffer(true)? })
}

/// A booster in training on rows, watched on later ones until these get no better. It can be cut at any round.
pub struct Staged<'m> {
    booster: Booster,
    train: &'m Matrix,
    later: &'m Matrix,
    patience: usize,
    best: usize,
    /// Summed loss on the later rows after each round.
    pub losses: Vec<f64>,
}

impl<'m> Staged<'m> {
    /// A booster without rounds.
    pub fn new(train: &'m Matrix, later: &'m Matrix, setting: Setting<'_>) -> Result<Self> {
        let booster = start(train, &[&train.inner, &later.inner], setting)?;
        let patience = setting.xgboost.early_stopping_rounds as usize;
        Ok(Self { booster, train, later, patience, best: 0, losses: Vec::new() })
    }

    /// Trains on until there are so many rounds, or until the later rows got no better for too long. Returns how many rounds that took.
    pub fn advance(&mut self, rounds: u32) -> Result<u32> {
        let before = self.losses.len();
        while self.losses.len() < rounds as usize && !self.stopped() {
            let round = self.losses.len();
            self.booster.update(&self.train.inner, round as i32)?;
            // The booster keeps the later rows' margins and adds the new tree to them.
            let loss = self.later.target.loss(margins(&self.booster, &self.later.inner)?.into_iter());
            self.losses.push(loss);
            if loss < self.losses[self.best] {
                self.best = round;
            }
        }
        Ok((self.losses.len() - before) as u32)
    }

    /// Whether the later rows got no better for too long.
    pub fn stopped(&self) -> bool {
        self.losses.len() > self.best + self.patience
    }

    /// The later rows' loss without any tree.
    pub fn loss_at_start(&self) -> f64 {
        let mean = self.train.target.mean();
        let margin = match self.train.target.objective {
            Objective::Event => (mean / (1.0 - mean)).ln(),
            Objective::Amount => mean.ln(),
        };
        self.later.target.loss(std::iter::repeat_n(margin, self.later.target.labels.len()))
    }

    /// What a round costs: cells of the rows learned from.
    pub fn cells(&self) -> usize {
        self.train.cells()
    }

    /// The later rows' margins after a number of rounds.
    pub fn margins_after(&self, rounds: u32) -> Result<Vec<f64>> {
        margins(&self.cut(rounds)?, &self.later.inner)
    }

    /// The model after a number of rounds: what [`fit`] makes of them.
    pub fn model_after(&self, rounds: u32) -> Result<BoostedModel> {
        Ok(BoostedModel { bytes: self.cut(rounds)?.save_buffer(true)? })
    }

    fn cut(&self, rounds: u32) -> Result<Booster> {
        let rounds = (rounds as usize).clamp(1, self.losses.len().max(1));
        Ok(self.booster.slice(0, rounds as i32)?)
    }
}

/// The number of rounds with the smallest loss over all folds together, and that loss; a fold that stopped keeps its last loss.
pub fn best_rounds(folds: &[Staged<'_>]) -> (u32, f64) {
    let longest = folds.iter().map(|f| f.losses.len()).max().unwrap_or(0);
    let total = |round: usize| -> f64 { folds.iter().filter_map(|f| f.losses.get(round.min(f.losses.len().saturating_sub(1)))).sum() };
    let mut best = (0, total(0));
    for round in 1..longest {
        let loss = total(round);
        if loss < best.1 {
            best = (round, loss);
        }
    }
    (best.0 as u32 + 1, best.1)
}

fn margins(booster: &Booster, matrix: &DMatrix) -> Result<Vec<f64>> {
    Ok(booster.predict_margin(matrix)?.into_iter().map(f64::from).collect())
}

fn start(matrix: &Matrix, cached: &[&DMatrix], setting: Setting<'_>) -> Result<Booster> {
    let mut booster = Booster::new_with_cached_dmats(&BoosterParameters::default(), cached)?;
    let x = setting.xgboost;
    let mut settings = vec![
        ("verbosity", "0".to_owned()),
        ("booster", "gbtree".to_owned()),
        ("objective", matrix.target.objective.name().to_owned()),
        ("base_score", matrix.target.mean().to_string()),
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
    let bound: Vec<&str> = matrix
        .features
        .iter()
        .map(|feature| match setting.monotone.get(feature) {
            Some(Direction::Rising) => "1",
            Some(Direction::Falling) => "-1",
            None => "0",
        })
        .collect();
    if bound.iter().any(|b| *b != "0") {
        settings.push(("monotone_constraints", format!("({})", bound.join(","))));
    }
    for (name, value) in settings {
        booster.set_param(name, &value)?;
    }
    let names: Vec<&str> = matrix.features.iter().map(String::as_str).collect();
    booster.set_feature_names(&names)?;
    if matrix.categorical.contains(&true) {
        booster.set_feature_info("feature_type", &types(&matrix.categorical))?;
    }
    Ok(booster)
}

#[cfg(test)]
mod tests;
