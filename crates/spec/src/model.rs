use crate::{At, Component, Loaded, Project, Version1};
use cscopilot_diag::{Diagnostics, suggest};
use schemars::JsonSchema;
use serde::Deserialize;

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
    /// What is to be predicted.
    pub label: Label,
    /// What it is predicted from.
    pub features: FeatureSet,
    /// How the past is cut into what is learned from and what is judged on.
    #[serde(default)]
    pub split: Split,
    /// The estimators that compete; without it XGBoost and logistic regression, each with its defaults.
    #[serde(default)]
    pub estimators: Vec<At<Estimator>>,
    /// How margins become probabilities.
    #[serde(default)]
    pub calibration: Calibration,
    /// What a trained model must reach to become champion.
    #[serde(default)]
    pub gates: Gates,
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
    /// The table with one row per `account_id` and `as_of`.
    pub table: At<String>,
    /// The boolean column. NULL means that the window is not over yet; such rows are left out and counted.
    pub column: At<String>,
    /// Length of the window in which the event counts, in days.
    pub horizon_days: At<u32>,
    /// Days between `as_of` and the window's start: the time to act.
    #[serde(default)]
    pub lead_days: At<u32>,
}

/// What a model learns from: every numeric and boolean column of a table.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeatureSet {
    /// The table with one row per `account_id` and `as_of`.
    pub table: At<String>,
    /// Columns that are no features.
    #[serde(default)]
    pub exclude: Vec<At<String>>,
    /// Only these columns; all numeric and boolean ones without it.
    #[serde(default)]
    pub include: Vec<At<String>>,
    /// The dictionary with the features' words, a file in `configs/features/`; the one named like the table without it.
    #[serde(default)]
    pub dictionary: Option<At<String>>,
}

/// How the past is cut: development period, then, after a gap as long as the label's window, the test period.
///
/// Within the development period the estimators are compared, early stopping is decided and probabilities are calibrated
/// on folds that roll forward in time: each fold is predicted by a model of what lies before it, gap included.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Split {
    /// Share of the rows, the latest ones, that are kept for the test.
    pub test_fraction: At<f64>,
    /// First `as_of` of the test period, instead of a share.
    pub test_from: Option<At<chrono::NaiveDate>>,
    /// How many folds the development period has.
    pub folds: At<u32>,
    /// Share of the development rows, the earliest ones, that the first fold's model learns from.
    pub first_train_fraction: At<f64>,
    /// Days between the end of what is learned from and what is judged on; the label's lead plus horizon without it.
    pub gap_days: Option<At<u32>>,
    /// At least this many different accounts with the event must be in the test period, else the model is refused.
    pub min_test_events: At<u32>,
    /// Earlier rows are left out of training.
    pub train_from: Option<At<chrono::NaiveDate>>,
}

impl Default for Split {
    fn default() -> Self {
        Self {
            test_fraction: At::nowhere(0.3),
            test_from: None,
            folds: At::nowhere(3),
            first_train_fraction: At::nowhere(0.5),
            gap_days: None,
            min_test_events: At::nowhere(10),
            train_from: None,
        }
    }
}

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
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Calibration {
    /// Isotonic where there are enough events (200), else Platt.
    #[default]
    Auto,
    /// A rising step function.
    Isotonic,
    /// A logistic curve with two parameters.
    Platt,
}

/// What a trained model must reach on the test slice to become champion.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Gates {
    /// The lower bound of the AUC's confidence interval must lie above this.
    pub min_auc_ci_low: At<f64>,
    /// Confidence of the intervals.
    pub confidence: At<f64>,
    /// Largest expected calibration error (quantile bins).
    pub max_calibration_error: At<f64>,
    /// The ratio of observed to expected events may lie between this and its inverse; it counts as off only when its whole
    /// confidence interval lies outside.
    pub max_calibration_ratio: At<f64>,
    /// How many bootstrap samples, drawn by account, make an interval.
    pub bootstrap_samples: At<u32>,
}

impl Default for Gates {
    fn default() -> Self {
        Self {
            min_auc_ci_low: At::nowhere(0.5),
            confidence: At::nowhere(0.95),
            max_calibration_error: At::nowhere(0.05),
            max_calibration_ratio: At::nowhere(1.5),
            bootstrap_samples: At::nowhere(1000),
        }
    }
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

impl Model {
    /// Days from `as_of` to the end of the label's window.
    #[must_use]
    pub fn window_days(&self) -> u32 {
        self.label.lead_days.value.saturating_add(self.label.horizon_days.value)
    }

    /// Days between what is learned from and what is judged on.
    #[must_use]
    pub fn gap_days(&self) -> u32 {
        self.split.gap_days.as_ref().map_or_else(|| self.window_days(), |d| d.value)
    }

    /// The competing estimators, defaults filled in.
    #[must_use]
    pub fn estimators(&self) -> Vec<Estimator> {
        if self.estimators.is_empty() {
            return vec![Estimator::Xgboost(Xgboost::default()), Estimator::LogisticRegression(LogisticRegression::default())];
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
        check_numbers(loaded, out);
        check_estimators(loaded, out);
    }
}

fn check_numbers(loaded: &Loaded<Model>, out: &mut Diagnostics) {
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

fn check_estimators(loaded: &Loaded<Model>, out: &mut Diagnostics) {
    let mut seen = Vec::new();
    for at in &loaded.value.estimators {
        let name = at.value.name();
        if seen.contains(&name) {
            out.push(loaded.error("SPC065", at, format!("the estimator `{name}` is listed twice")).with_help("list each estimator once"));
        }
        seen.push(name);
        if let Some(problem) = estimator_problem(&at.value) {
            out.push(
                loaded.error("SPC066", at, format!("in `{name}`, {problem}")).with_help("see the reference of model files for the ranges"),
            );
        }
    }
}

fn estimator_problem(estimator: &Estimator) -> Option<&'static str> {
    let problems = match estimator {
        Estimator::Xgboost(x) => {
            let share = |s: f64| s > 0.0 && s <= 1.0;
            let penalty = |p: f64| (0.0..=1e9).contains(&p);
            vec![
                (!(1..=12).contains(&x.max_depth), "`max_depth` must lie between 1 and 12"),
                (!share(x.eta), "`eta` must lie above 0 and at most at 1"),
                (!(1..=20_000).contains(&x.max_rounds), "`max_rounds` must lie between 1 and 20000"),
                (x.early_stopping_rounds == 0, "`early_stopping_rounds` must be at least 1"),
                (!share(x.subsample) || !share(x.colsample_bytree), "`subsample` and `colsample_bytree` must lie above 0 and at most at 1"),
                (![x.lambda, x.alpha, x.gamma, x.min_child_weight].into_iter().all(penalty), "penalties must not be negative"),
                (!(2..=1024).contains(&x.max_bin), "`max_bin` must lie between 2 and 1024"),
            ]
        }
        Estimator::LogisticRegression(l) => vec![
            (l.l2.is_empty() || !l.l2.iter().all(|p| *p > 0.0 && *p <= 1e9), "`l2` needs at least one number, each above 0"),
            (!(0.0..=0.2).contains(&l.winsorise), "`winsorise` must lie between 0 and 0.2"),
        ],
    };
    problems.into_iter().find_map(|(wrong, problem)| wrong.then_some(problem))
}
