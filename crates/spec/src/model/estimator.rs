//! The estimators that compete, and how margins become probabilities.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An estimator that competes.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Estimator {
    /// Gradient-boosted trees.
    Xgboost(Xgboost),
    /// Logistic regression with a ridge penalty: the permanent rival, it often wins on small data.
    LogisticRegression(LogisticRegression),
}

impl Estimator {
    /// The estimator's name: `xgboost`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Xgboost(_) => "xgboost",
            Self::LogisticRegression(_) => "logistic_regression",
        }
    }
}

/// Settings of gradient-boosted trees. The defaults are shallow and strongly regularised: they suit small data.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Xgboost {
    /// How deep a tree may be.
    pub max_depth: u32,
    /// Learning rate.
    pub eta: f64,
    /// Most boosting rounds; early stopping usually ends before.
    pub max_rounds: u32,
    /// Stop when the log loss on the later folds has not improved for this many rounds.
    pub early_stopping_rounds: u32,
    /// Smallest sum of hessians in a leaf.
    pub min_child_weight: f64,
    /// Share of the rows that each tree sees.
    pub subsample: f64,
    /// Share of the features that each tree sees.
    pub colsample_bytree: f64,
    /// L2 penalty of leaf values.
    pub lambda: f64,
    /// L1 penalty of leaf values.
    pub alpha: f64,
    /// Least gain of a split.
    pub gamma: f64,
    /// Number of histogram bins of a feature.
    pub max_bin: u32,
}

impl Default for Xgboost {
    fn default() -> Self {
        Self {
            max_depth: 3,
            eta: 0.03,
            max_rounds: 600,
            early_stopping_rounds: 50,
            min_child_weight: 5.0,
            subsample: 0.8,
            colsample_bytree: 0.5,
            lambda: 10.0,
            alpha: 0.0,
            gamma: 0.0,
            max_bin: 64,
        }
    }
}

/// Settings of logistic regression.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogisticRegression {
    /// Ridge penalties to choose from, on standardised features; the later folds decide.
    pub l2: Vec<f64>,
    /// Values beyond this quantile (and its mirror) of the training rows are pulled in to it; 0 switches that off.
    pub winsorise: f64,
    /// Whether heavy-tailed features are taken logarithmically: `sign(x) ln(1 + |x|)`.
    pub log_heavy_tails: bool,
}

impl Default for LogisticRegression {
    fn default() -> Self {
        Self { l2: vec![1.0, 10.0, 100.0, 1000.0], winsorise: 0.005, log_heavy_tails: true }
    }
}

/// How margins become probabilities.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Calibration {
    /// The map with the least log loss on later rows than those it was fitted on; isotonic competes from 200 events on.
    #[default]
    Auto,
    /// A rising step function.
    Isotonic,
    /// A logistic curve with two parameters.
    Platt,
    /// A logistic curve on both tails' logarithms, with three parameters (Kull, Silva Filho and Flach 2017).
    Beta,
}

impl Estimator {
    /// What is wrong with the settings, if anything.
    pub(super) fn problem(&self) -> Option<&'static str> {
        let problems = match self {
            Self::Xgboost(x) => {
                let share = |s: f64| s > 0.0 && s <= 1.0;
                let penalty = |p: f64| (0.0..=1e9).contains(&p);
                vec![
                    (!(1..=12).contains(&x.max_depth), "`max_depth` must lie between 1 and 12"),
                    (!share(x.eta), "`eta` must lie above 0 and at most at 1"),
                    (!(1..=20_000).contains(&x.max_rounds), "`max_rounds` must lie between 1 and 20000"),
                    (x.early_stopping_rounds == 0, "`early_stopping_rounds` must be at least 1"),
                    (
                        !share(x.subsample) || !share(x.colsample_bytree),
                        "`subsample` and `colsample_bytree` must lie above 0 and at most at 1",
                    ),
                    (![x.lambda, x.alpha, x.gamma, x.min_child_weight].into_iter().all(penalty), "penalties must not be negative"),
                    (!(2..=1024).contains(&x.max_bin), "`max_bin` must lie between 2 and 1024"),
                ]
            }
            Self::LogisticRegression(l) => vec![
                (l.l2.is_empty() || !l.l2.iter().all(|p| *p > 0.0 && *p <= 1e9), "`l2` needs at least one number, each above 0"),
                (!(0.0..=0.2).contains(&l.winsorise), "`winsorise` must lie between 0 and 0.2"),
            ],
        };
        problems.into_iter().find_map(|(wrong, problem)| wrong.then_some(problem))
    }
}
