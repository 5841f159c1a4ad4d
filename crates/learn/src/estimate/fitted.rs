//! A fitted model of any kind, and what was chosen to fit it.

use std::collections::BTreeMap;

use cscopilot_shap::{Explainer, Explanations};
use cscopilot_spec::{Direction, LogisticRegression, Xgboost};
use serde::{Deserialize, Serialize};

use crate::data::dataset::{Dataset, Table};
use crate::error::{Error, Result};
use crate::estimate::blend::{BlendFile, BlendModel};
use crate::estimate::boosted::{self, BoostedModel, Matrix, Setting};
use crate::estimate::logistic::{LogisticModel, Penalty, Prepared};
use crate::registry::vet;

/// An estimator with everything decided that the folds decide.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Chosen {
    /// Trees.
    Xgboost(Trees),
    /// Regression: settings and the penalty.
    Logistic {
        /// Settings.
        settings: LogisticRegression,
        /// Penalty.
        penalty: Penalty,
    },
    /// The mean of the margins of trees and a regression.
    Blend {
        /// Trees.
        trees: Trees,
        /// The regression's settings.
        settings: LogisticRegression,
        /// The regression's penalty.
        penalty: Penalty,
    },
}

/// Trees with everything decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trees {
    /// Hyper-parameters.
    pub settings: Xgboost,
    /// Features by which the margin may only rise, or only fall.
    pub monotone: BTreeMap<String, Direction>,
    /// Rounds.
    pub rounds: u32,
    /// Threads.
    pub threads: u32,
    /// Seed.
    pub seed: u64,
}

impl Trees {
    fn fit(&self, data: &Dataset, rows: &[usize]) -> Result<BoostedModel> {
        let setting = Setting { xgboost: &self.settings, monotone: &self.monotone, threads: self.threads, seed: self.seed };
        boosted::fit(&Matrix::of_events(data, rows)?, self.rounds, setting)
    }

    fn choice(&self) -> TreesChoice {
        let x = &self.settings;
        TreesChoice {
            rounds: self.rounds,
            max_depth: x.max_depth,
            eta: x.eta,
            min_child_weight: x.min_child_weight,
            subsample: x.subsample,
            colsample_bytree: x.colsample_bytree,
            lambda: x.lambda,
            alpha: x.alpha,
            gamma: x.gamma,
        }
    }
}

/// What the folds decided, for cards.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Choice {
    /// Of trees.
    Xgboost(TreesChoice),
    /// Of a regression.
    Logistic(PenaltyChoice),
    /// Of both parts of a blend.
    Blend {
        /// The trees.
        xgboost: TreesChoice,
        /// The regression.
        logistic_regression: PenaltyChoice,
    },
}

/// What the folds decided of trees.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TreesChoice {
    /// Boosting rounds.
    pub rounds: u32,
    /// Depth of the trees.
    pub max_depth: u32,
    /// Learning rate.
    pub eta: f64,
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
}

/// What the folds decided of a regression.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PenaltyChoice {
    /// Strength of the penalty.
    pub penalty: f64,
    /// Which share of it is L1.
    pub l1_ratio: f64,
}

impl From<Penalty> for PenaltyChoice {
    fn from(penalty: Penalty) -> Self {
        Self { penalty: penalty.strength, l1_ratio: penalty.l1_ratio }
    }
}

impl Chosen {
    /// The estimator's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Xgboost(_) => "xgboost",
            Self::Logistic { .. } => "logistic_regression",
            Self::Blend { .. } => "blend",
        }
    }

    /// What the folds decided.
    pub fn choice(&self) -> Choice {
        match self {
            Self::Xgboost(trees) => Choice::Xgboost(trees.choice()),
            Self::Logistic { penalty, .. } => Choice::Logistic((*penalty).into()),
            Self::Blend { trees, penalty, .. } => Choice::Blend { xgboost: trees.choice(), logistic_regression: (*penalty).into() },
        }
    }

    /// Fits on rows.
    pub fn fit(&self, data: &Dataset, rows: &[usize]) -> Result<Fitted> {
        let regression = |settings: &LogisticRegression, penalty: &Penalty| {
            Prepared::new(&data.table, rows, data.events_of(rows), settings).fit(*penalty, None)
        };
        match self {
            Self::Xgboost(trees) => trees.fit(data, rows).map(Fitted::Boosted),
            Self::Logistic { settings, penalty } => regression(settings, penalty).map(Fitted::Logistic),
            Self::Blend { trees, settings, penalty } => {
                Ok(Fitted::Blend(BlendModel { boosted: trees.fit(data, rows)?, logistic: regression(settings, penalty)? }))
            }
        }
    }
}

/// A fitted model.
#[derive(Debug, Clone, PartialEq)]
pub enum Fitted {
    /// Trees.
    Boosted(BoostedModel),
    /// Regression.
    Logistic(LogisticModel),
    /// Both.
    Blend(BlendModel),
}

/// The files that a model may have in the registry.
pub const FILES: [&str; 3] = [BLEND, TREES, REGRESSION];
const BLEND: &str = "blend.json";
const TREES: &str = "model.ubj";
const REGRESSION: &str = "logistic.json";

impl Fitted {
    /// The estimator's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Boosted(_) => "xgboost",
            Self::Logistic(_) => "logistic_regression",
            Self::Blend(_) => "blend",
        }
    }

    /// Number of features.
    pub fn width(&self) -> Result<usize> {
        match self {
            Self::Boosted(model) => Ok(model.ensemble()?.num_features()),
            Self::Logistic(LogisticModel { features, .. }) | Self::Blend(BlendModel { logistic: LogisticModel { features, .. }, .. }) => {
                Ok(features.len())
            }
        }
    }

    /// The files for the registry: name and content.
    pub fn files(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let trees = |model: &BoostedModel| (TREES.to_owned(), model.bytes.clone());
        let regression = |model: &LogisticModel| Ok::<_, Error>((REGRESSION.to_owned(), pretty(model)?));
        match self {
            Self::Boosted(model) => Ok(vec![trees(model)]),
            Self::Logistic(model) => Ok(vec![regression(model)?]),
            Self::Blend(model) => {
                let parts = BlendFile::of_equal_parts([TREES, REGRESSION]);
                Ok(vec![(BLEND.to_owned(), pretty(&parts)?), trees(&model.boosted), regression(&model.logistic)?])
            }
        }
    }

    /// Reads a model from those of [`FILES`] that are there. `folder` is where they come from, for messages.
    pub fn read(folder: &str, mut files: BTreeMap<&'static str, Vec<u8>>) -> Result<Self> {
        let bad = |name: &str, problem: String| Error::BadModel { path: format!("{folder}/{name}"), problem };
        let missing = |name: &str| bad(name, "the file is missing".to_owned());
        let trees = |bytes: Vec<u8>| {
            // Parsed here as well, so that a damaged file has a name before XGBoost sees it.
            vet::boosted(&bytes).map_err(|problem| bad(TREES, problem))?;
            Ok::<_, Error>(BoostedModel { bytes })
        };
        let regression = |bytes: Vec<u8>| serde_json::from_slice(&bytes).map_err(|e| bad(REGRESSION, e.to_string()));
        match (files.remove(BLEND), files.remove(TREES), files.remove(REGRESSION)) {
            (Some(blend), boosted, logistic) => {
                let parts: BlendFile = serde_json::from_slice(&blend).map_err(|e| bad(BLEND, e.to_string()))?;
                if parts != BlendFile::of_equal_parts([TREES, REGRESSION]) {
                    return Err(bad(BLEND, "only equal parts of trees and a regression are known".to_owned()));
                }
                let boosted = trees(boosted.ok_or_else(|| missing(TREES))?)?;
                Ok(Self::Blend(BlendModel { boosted, logistic: regression(logistic.ok_or_else(|| missing(REGRESSION))?)? }))
            }
            (None, Some(bytes), _) => trees(bytes).map(Self::Boosted),
            (None, None, Some(bytes)) => regression(bytes).map(Self::Logistic),
            (None, None, None) => Err(missing(TREES)),
        }
    }

    /// The margins of rows.
    pub fn margins(&self, table: &Table, rows: &[usize]) -> Result<Vec<f64>> {
        match self {
            Self::Boosted(model) => model.margins(table, rows),
            Self::Logistic(model) => Ok(model.margins(table, rows)),
            Self::Blend(model) => model.margins(table, rows),
        }
    }

    /// What each feature adds to the margins of rows.
    pub fn explain(&self, table: &Table, rows: &[usize]) -> Result<Explanations> {
        match self {
            Self::Boosted(model) => {
                let ensemble = model.ensemble()?;
                Explainer::new(&ensemble).explain(&table.matrix(rows), table.columns.len()).map_err(Error::Explanation)
            }
            Self::Logistic(model) => model.explain(table, rows),
            Self::Blend(model) => model.explain(table, rows),
        }
    }
}

fn pretty(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|e| Error::Handover(e.to_string()))?;
    text.push(b'\n');
    Ok(text)
}
