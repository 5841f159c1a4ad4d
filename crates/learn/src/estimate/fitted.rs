//! A fitted model of either kind, and what was chosen to fit it.

use cscopilot_shap::{Explainer, Explanations};
use cscopilot_spec::{LogisticRegression, Xgboost};
use serde::{Deserialize, Serialize};

use crate::data::dataset::{Dataset, Table};
use crate::error::{Error, Result};
use crate::estimate::boosted::{self, BoostedModel, Setting};
use crate::estimate::logistic::{LogisticModel, Prepared};

/// An estimator with everything decided that the folds decide.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Chosen {
    /// Trees: hyper-parameters and the number of rounds.
    Xgboost {
        /// Hyper-parameters.
        settings: Xgboost,
        /// Rounds.
        rounds: u32,
        /// Threads.
        threads: u32,
        /// Seed.
        seed: u64,
    },
    /// Regression: settings and the penalty.
    Logistic {
        /// Settings.
        settings: LogisticRegression,
        /// Penalty.
        l2: f64,
    },
}

/// What the folds decided, for cards.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Choice {
    /// Of trees.
    Xgboost {
        /// Boosting rounds.
        rounds: u32,
        /// Depth of the trees.
        max_depth: u32,
        /// Learning rate.
        eta: f64,
    },
    /// Of a regression.
    Logistic {
        /// Ridge penalty.
        l2: f64,
    },
}

impl Chosen {
    /// The estimator's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Xgboost { .. } => "xgboost",
            Self::Logistic { .. } => "logistic_regression",
        }
    }

    /// What the folds decided.
    pub fn choice(&self) -> Choice {
        match self {
            Self::Xgboost { settings, rounds, .. } => Choice::Xgboost { rounds: *rounds, max_depth: settings.max_depth, eta: settings.eta },
            Self::Logistic { l2, .. } => Choice::Logistic { l2: *l2 },
        }
    }

    /// Fits on rows.
    pub fn fit(&self, data: &Dataset, rows: &[usize]) -> Result<Fitted> {
        match self {
            Self::Xgboost { settings, rounds, threads, seed } => {
                let setting = Setting { xgboost: settings, threads: *threads, seed: *seed };
                boosted::fit(data, rows, *rounds, setting).map(Fitted::Boosted)
            }
            Self::Logistic { settings, l2 } => {
                Prepared::new(&data.table, rows, data.events_of(rows), settings).fit(*l2, None).map(Fitted::Logistic)
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
}

impl Fitted {
    /// The file's name in the registry.
    pub fn file_name(&self) -> &'static str {
        match self {
            Self::Boosted(_) => "model.ubj",
            Self::Logistic(_) => "logistic.json",
        }
    }

    /// The file's content.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        match self {
            Self::Boosted(model) => Ok(model.bytes.clone()),
            Self::Logistic(model) => {
                let mut text = serde_json::to_vec_pretty(model).map_err(|e| Error::Handover(e.to_string()))?;
                text.push(b'\n');
                Ok(text)
            }
        }
    }

    /// Reads a model file.
    pub fn read(file_name: &str, path: &str, bytes: Vec<u8>) -> Result<Self> {
        let bad = |problem: String| Error::BadModel { path: path.to_owned(), problem };
        match file_name {
            "model.ubj" => {
                // Parsed here as well, so that a damaged file has a name before XGBoost sees it.
                cscopilot_shap::TreeEnsemble::from_bytes(&bytes).map_err(|e| bad(e.to_string()))?;
                Ok(Self::Boosted(BoostedModel { bytes }))
            }
            "logistic.json" => serde_json::from_slice(&bytes).map(Self::Logistic).map_err(|e| bad(e.to_string())),
            other => Err(bad(format!("files named `{other}` are not known"))),
        }
    }

    /// The margins of rows.
    pub fn margins(&self, table: &Table, rows: &[usize]) -> Result<Vec<f64>> {
        match self {
            Self::Boosted(model) => model.margins(table, rows),
            Self::Logistic(model) => Ok(model.margins(table, rows)),
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
        }
    }
}
