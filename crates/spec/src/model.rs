//! `configs/models/`: what is predicted, from what, by which estimators, and what a model must reach.

mod check;
mod estimator;
mod gates;
mod rows;
mod scoring;
mod search;
mod spine;
mod split;
#[cfg(test)]
mod tests;

pub use estimator::{Blend, Calibration, Estimator, LogisticRegression, Xgboost};
pub use gates::{ChampionGate, Gates, OnDrift};
pub use rows::{Profit, Tenure};
pub use scoring::{Drift, Explain};
pub use search::{Axis, Search, Space, Spread};
pub use spine::Spine;
pub use split::{CrossValidation, Split};

use crate::{At, Component, Loaded, Project, Version1};
use cscopilot_diag::{Diagnostics, suggest};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `configs/models/<name>.yaml`: a model that predicts which accounts will churn, or expand.
///
/// The nightly pipeline trains it where there is no champion or the champion is too old, and then scores tonight's
/// accounts. A trained model becomes champion only if it passes the gates on a test slice that is later than everything
/// it learned from; else the night goes on with rules alone.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The format's version.
    pub version: Version1,
    /// The model's name for people; the file's name without it.
    #[serde(default)]
    pub title: Option<String>,
    /// What the model predicts and what it is meant for, for the model card.
    #[serde(default)]
    pub description: Option<String>,
    /// What the predicted probability is called in reasons: `risk` gives "raises the risk". Without it `risk` for models named
    /// after churn, else `chance`.
    #[serde(default)]
    pub outcome: Option<String>,
    /// The column that says what a row is about: `account_id`, or something that an account has several of, such as
    /// `subscription_id` (text or whole numbers). The label's and the features' tables then have one row per that column and `as_of`, and
    /// the features' table has `account_id` as well: rows of one account are alike, so folds and intervals go by account whatever is
    /// scored. Scores of anything but accounts are in tables of their own, `marts.entity_scores` and `marts.entity_movements`.
    #[serde(default = "default_entity")]
    pub entity: At<String>,
    /// What is to be predicted.
    pub label: Label,
    /// What it is predicted from.
    pub features: FeatureSet,
    /// Which rows it learns from; all that have a label without it.
    #[serde(default)]
    pub spine: Option<Spine>,
    /// The numeric column of the features table that says what a row is worth, such as its yearly revenue. Figures are also
    /// given weighted by it; training never is, as weights ruin calibration. A missing or negative value weighs nothing.
    #[serde(default)]
    pub weight: Option<At<String>>,
    /// Columns of the features table (text, booleans or whole numbers) whose values are segments: results are given for each.
    #[serde(default)]
    pub segments: Vec<At<String>>,
    /// How long an account must have been a customer, and in which bands of tenure results are given.
    #[serde(default)]
    pub tenure: Option<Tenure>,
    /// What a campaign costs and brings; with it the expected maximum profit is among the figures.
    #[serde(default)]
    pub profit: Option<Profit>,
    /// How the past is cut into what is learned from and what is judged on.
    #[serde(default)]
    pub split: Split,
    /// The estimators that compete; without it XGBoost, logistic regression and their blend, each with its defaults.
    #[serde(default)]
    pub estimators: Vec<At<Estimator>>,
    /// How margins become probabilities.
    #[serde(default)]
    pub calibration: Calibration,
    /// What a trained model must reach to become champion.
    #[serde(default)]
    pub gates: Gates,
    /// Which scores are explained.
    #[serde(default)]
    pub explain: Explain,
    /// When tonight's accounts count as different from those that the model learned from.
    #[serde(default)]
    pub drift: Drift,
    /// After this many days the nightly pipeline trains anew.
    #[serde(default = "default_retrain_after_days")]
    pub retrain_after_days: At<u32>,
    /// The seed of everything random.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// A feature that alone separates the classes this well (AUC, in either direction) is taken for a leak: training stops.
    #[serde(default = "default_leak_auc")]
    pub leak_auc: At<f64>,
    /// How many threads XGBoost uses. Part of the model's definition: another number may change its last bits. More than one
    /// helps only from some 100,000 rows on.
    #[serde(default = "default_threads")]
    pub threads: At<u32>,
}

/// What is to be predicted.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The table with one row per `account_id`, or what `entity` names, and `as_of`.
    pub table: At<String>,
    /// The boolean column. NULL means that the window is not over yet; such rows are left out and counted.
    pub column: At<String>,
    /// Length of the window in which the event counts, in days.
    pub horizon_days: At<u32>,
    /// Days between `as_of` and the window's start: the time to act.
    #[serde(default)]
    pub lead_days: At<u32>,
    /// A column with the event's amount, such as the revenue of an expansion. With it a second model predicts the amount where the event
    /// happens, and scores get the expected amount. Only rows with the event and an amount above 0 count.
    #[serde(default)]
    pub amount: Option<At<String>>,
    /// Columns with the time to the event. With them scores get the chance to be there after 30, 90 and 180 days, and the median time.
    #[serde(default)]
    pub survival: Option<Survival>,
}

/// The columns of the label's table with the time to the event.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Survival {
    /// Days from `as_of` to the event, or to the last day that was looked at if there was none by then.
    pub days: At<String>,
    /// Whether the event was seen: FALSE where the days only say how long there was none.
    pub observed: At<String>,
}

/// How a feature may change the prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// More of the feature never lowers the probability.
    Rising,
    /// More of the feature never raises the probability.
    Falling,
}

/// What a model learns from: every numeric and boolean column of a table.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeatureSet {
    /// The table with one row per `account_id`, or what `entity` names, and `as_of`.
    pub table: At<String>,
    /// Columns that are no features.
    #[serde(default)]
    pub exclude: Vec<At<String>>,
    /// Only these columns; all numeric and boolean ones without it.
    #[serde(default)]
    pub include: Vec<At<String>>,
    /// Only columns that have one of these tags in the dictionary.
    #[serde(default)]
    pub tags: Vec<At<String>>,
    /// Text columns that are features as well: their values are categories. One that was not learned from counts as missing.
    #[serde(default)]
    pub categorical: Vec<At<String>>,
    /// Features by which the trees' prediction may only rise, or only fall: what everybody knows need not be learned from few rows.
    #[serde(default)]
    pub monotone: BTreeMap<String, At<Direction>>,
    /// The dictionary with the features' words, a file in `configs/features/`; the one named like the table without it.
    #[serde(default)]
    pub dictionary: Option<At<String>>,
}

/// The column of accounts, which models are about unless they say otherwise.
const ACCOUNT: &str = "account_id";

fn default_entity() -> At<String> {
    At::nowhere(ACCOUNT.to_owned())
}

fn default_retrain_after_days() -> At<u32> {
    At::nowhere(30)
}

fn default_seed() -> u64 {
    42
}

fn default_leak_auc() -> At<f64> {
    At::nowhere(0.95)
}

fn default_threads() -> At<u32> {
    At::nowhere(1)
}

impl FeatureSet {
    /// The features by which the prediction may only rise, or only fall.
    #[must_use]
    pub fn bounds(&self) -> BTreeMap<String, Direction> {
        self.monotone.iter().map(|(feature, direction)| (feature.clone(), direction.value)).collect()
    }
}

impl Model {
    /// The column of what is scored, where that isn't the account but something that an account has several of.
    #[must_use]
    pub fn sub_entity(&self) -> Option<&str> {
        Some(self.entity.value.as_str()).filter(|column| *column != ACCOUNT)
    }

    /// Days from `as_of` to the end of the label's window.
    #[must_use]
    pub fn window_days(&self) -> u32 {
        self.label.lead_days.value.saturating_add(self.label.horizon_days.value)
    }

    /// Days between what is learned from and what is judged on; none where rows have no order in time.
    #[must_use]
    pub fn gap_days(&self) -> u32 {
        if self.split.cross_validation.is_some() {
            return 0;
        }
        self.split.gap_days.as_ref().map_or_else(|| self.window_days(), |d| d.value)
    }

    /// The competing estimators, defaults filled in.
    #[must_use]
    pub fn estimators(&self) -> Vec<Estimator> {
        if self.estimators.is_empty() {
            return vec![
                Estimator::Xgboost(Xgboost::default()),
                Estimator::LogisticRegression(LogisticRegression::default()),
                Estimator::Blend(Blend {}),
            ];
        }
        self.estimators.iter().map(|e| e.value.clone()).collect()
    }

    /// What the predicted probability is called in reasons.
    #[must_use]
    pub fn outcome(&self, name: &str) -> &str {
        let default = if name.contains("churn") { "risk" } else { "chance" };
        self.outcome.as_deref().unwrap_or(default)
    }

    /// The name of the dictionary with the features' words.
    #[must_use]
    pub fn dictionary(&self) -> &str {
        let table = self.features.table.value.as_str();
        self.features.dictionary.as_ref().map_or_else(|| table.split_once('.').map_or(table, |(_, name)| name), |d| d.value.as_str())
    }
}

impl Component for Model {
    const KIND: &'static str = "model";
    const LOCATION: &'static str = "configs/models";

    fn validate(loaded: &Loaded<Self>, project: &Project, out: &mut Diagnostics) {
        let model = &loaded.value;
        for table in [&model.label.table, &model.features.table] {
            if table.split_once('.').is_none_or(|(schema, name)| schema.is_empty() || name.is_empty() || name.contains('.')) {
                out.push(
                    loaded
                        .error("SPC060", table, format!("`{table}` is not a table name"))
                        .with_help("write it as `schema.table`, for example `features.account_features`"),
                );
            }
        }
        if model.label.horizon_days.value == 0 {
            out.push(
                loaded
                    .error("SPC061", &model.label.horizon_days, "the horizon must be at least one day")
                    .with_help("`horizon_days` is the length of the window in which the event counts"),
            );
        }
        if let Some(name) = &model.features.dictionary
            && !project.features.contains_key(&name.value)
        {
            out.push(
                loaded
                    .error("SPC062", name, format!("there is no feature dictionary `{name}`"))
                    .with_help_opt(suggest::help(name, project.features.keys().map(String::as_str))),
            );
        }
        check::entity(loaded, out);
        check::tags(loaded, project, out);
        check::numbers(loaded, out);
        check::split(loaded, out);
        check::rows(loaded, out);
        check::estimators(loaded, out);
        check::features(loaded, out);
    }
}
