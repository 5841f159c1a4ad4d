//! What can go wrong while learning and scoring.

use cscopilot_diag::{Coded, Domain, ExitClass};

use crate::data::frame::ACCOUNT;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong while learning and scoring.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The project has no model of this name.
    #[error("there is no model `{0}`")]
    NoModel(String),
    /// The lake failed.
    #[error(transparent)]
    Lake(#[from] cscopilot_lake::Error),
    /// A table's name is not one.
    #[error("table `{0}` has no rows yet: it is not in the lake")]
    NoTable(String),
    /// A table lacks a column that names its rows.
    #[error("`{table}` has no column `{column}`, which a model of `{entity}` needs")]
    NoKey {
        /// The table.
        table: String,
        /// What it lacks.
        column: String,
        /// The column of what the model scores.
        entity: String,
    },
    /// A column is missing or of a type that can't be used.
    #[error("{0}")]
    Column(String),
    /// No column of the table can be a feature.
    #[error("table `{0}` has no numeric or boolean column that may be a feature")]
    NoFeatures(String),
    /// A feature knows the label.
    #[error("{}", leak_message(.0))]
    Leak(Vec<crate::data::leaks::Leak>),
    /// Arrow data could not be handed over to polars.
    #[error("the rows can't be handed over for training: {0}")]
    Handover(String),
    /// Polars failed.
    #[error("a table of rows can't be worked on")]
    Frame(#[from] polars::error::PolarsError),
    /// Arrow failed.
    #[error("rows can't be put together")]
    Arrow(#[from] arrow::error::ArrowError),
    /// XGBoost failed.
    #[error("xgboost failed: {0}")]
    Xgboost(String),
    /// The regression has no minimum that can be found.
    #[error("the logistic regression does not converge")]
    NotConverging,
    /// A model can't be explained.
    #[error("the model can't be explained: {0}")]
    Explanation(#[source] cscopilot_shap::Error),
    /// Reasons don't add up to the score.
    #[error("the reasons of model `{model}` don't add up to its score: off by {off:e} for one account")]
    NotAdditive {
        /// The model.
        model: String,
        /// The largest difference.
        off: f64,
    },
    /// A registered model is damaged.
    #[error("`{path}` in the lake is not a model of this program: {problem}")]
    BadModel {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A registered model needs a column that is gone.
    #[error("model `{model}` v{version:04} needs the columns {missing}, which `{table}` no longer has")]
    MissingFeatures {
        /// The model.
        model: String,
        /// Its version.
        version: i64,
        /// The columns, joined by commas.
        missing: String,
        /// The features table.
        table: String,
    },
    /// A model without any training.
    #[error("the model `{0}` has never been trained")]
    NeverTrained(String),
    /// A version that does not exist, or not yet on the date.
    #[error("the model `{model}` has no version {version} on {as_of}; it has {}", list(.known))]
    NoVersion {
        /// The model.
        model: String,
        /// What was asked for.
        version: i64,
        /// The date that was asked for.
        as_of: chrono::NaiveDate,
        /// The versions there are.
        known: Vec<i64>,
    },
    /// An alias that no version has.
    #[error("the model `{model}` has no {alias}")]
    NoAlias {
        /// The model.
        model: String,
        /// The alias.
        alias: &'static str,
    },
    /// A version whose training found too little to learn from.
    #[error("version {version} of `{model}` holds no model: {reason}")]
    NothingFitted {
        /// The model.
        model: String,
        /// The version.
        version: i64,
        /// Why.
        reason: String,
    },
    /// A rollback without an earlier champion.
    #[error("there is no earlier champion of `{model}`: {}", champion.map_or_else(|| "it has none".to_owned(), |v| format!("version {v} is the first")))]
    NothingBefore {
        /// The model.
        model: String,
        /// The champion.
        champion: Option<i64>,
    },
    /// A promotion that would change nothing.
    #[error("version {version} is the champion of `{model}` already")]
    ChampionAlready {
        /// The model.
        model: String,
        /// The version.
        version: i64,
    },
    /// MLflow can't be reached, or refuses.
    #[error(transparent)]
    Mlflow(#[from] cscopilot_http::Error),
    /// The settings of MLflow don't do.
    #[error("mlflow: {reason}")]
    MlflowSettings {
        /// Why not.
        reason: String,
        /// What to do.
        help: Option<String>,
    },
    /// MLflow's answer lacks something.
    #[error("mlflow's answer has no `{0}`")]
    MlflowAnswer(&'static str),
    /// A thread of ours died.
    #[error("training stopped unexpectedly: {0}")]
    Thread(String),
}

fn list(versions: &[i64]) -> String {
    let texts: Vec<String> = versions.iter().map(ToString::to_string).collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}

fn leak_message(leaks: &[crate::data::leaks::Leak]) -> String {
    let names: Vec<String> = leaks.iter().map(|l| format!("`{}` ({})", l.feature, l.evidence)).collect();
    let (verb, what) = if leaks.len() == 1 { ("knows", "feature") } else { ("know", "features") };
    format!("the {what} {} {verb} what happens later", names.join(", "))
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::NoModel(_) => "LRN001",
            Self::Lake(error) => error.code(),
            Self::NoTable(_) => "LRN002",
            Self::Column(_) => "LRN003",
            Self::NoFeatures(_) => "LRN004",
            Self::NoKey { .. } => "LRN005",
            Self::Leak(_) => "LRN010",
            Self::Handover(_) => "LRN020",
            Self::Frame(_) => "LRN021",
            Self::Arrow(_) => "LRN022",
            Self::Xgboost(_) => "LRN023",
            Self::NotConverging => "LRN024",
            Self::Explanation(_) => "LRN025",
            Self::NotAdditive { .. } => "LRN026",
            Self::BadModel { .. } => "LRN030",
            Self::MissingFeatures { .. } => "LRN031",
            Self::NeverTrained(_) => "LRN032",
            Self::NoVersion { .. } => "LRN033",
            Self::NothingFitted { .. } => "LRN034",
            Self::NothingBefore { .. } => "LRN035",
            Self::ChampionAlready { .. } => "LRN036",
            Self::NoAlias { .. } => "LRN037",
            Self::Mlflow(error) => error.code(),
            Self::MlflowSettings { .. } => "LRN056",
            Self::MlflowAnswer(_) => "LRN057",
            Self::Thread(_) => "LRN040",
        }
    }

    fn domain(&self) -> Domain {
        match self {
            Self::Lake(error) => error.domain(),
            Self::Mlflow(error) => error.domain(),
            Self::MlflowSettings { .. } => Domain::User,
            Self::MlflowAnswer(_) => Domain::External,
            Self::NoModel(_) | Self::NoTable(_) | Self::Column(_) | Self::NoFeatures(_) | Self::NoKey { .. } | Self::Leak(_) => {
                Domain::User
            }
            Self::BadModel { .. } | Self::MissingFeatures { .. } => Domain::User,
            Self::NeverTrained(_) | Self::NoVersion { .. } | Self::NothingFitted { .. } => Domain::User,
            Self::NothingBefore { .. } | Self::ChampionAlready { .. } | Self::NoAlias { .. } => Domain::User,
            _ => Domain::Internal,
        }
    }

    fn exit_class(&self) -> ExitClass {
        match self {
            Self::Lake(error) => error.exit_class(),
            // What the command line asks for is not there: nothing was started.
            Self::NeverTrained(_)
            | Self::NoVersion { .. }
            | Self::NothingFitted { .. }
            | Self::NothingBefore { .. }
            | Self::ChampionAlready { .. }
            | Self::NoAlias { .. } => ExitClass::Invalid,
            _ => ExitClass::Failed,
        }
    }

    fn help(&self) -> Option<String> {
        let text = match self {
            Self::Lake(error) => return error.help(),
            Self::Mlflow(error) => return error.help(),
            Self::MlflowSettings { help, .. } => return help.clone(),
            Self::MlflowAnswer(_) => "is this the address of an MLflow tracking server?",
            Self::NoModel(_) => "models are the files in `configs/models/`",
            Self::NoTable(_) => "run the transform step that makes it first",
            Self::Column(_) | Self::NoFeatures(_) => "correct the model's YAML file, or the SQL file of the table",
            Self::NoKey { column, entity, .. } if column == ACCOUNT && entity != ACCOUNT => {
                "add `account_id` in the table's SQL file: rows of one account are alike, so folds and intervals go by account, and scores name it"
            }
            Self::NoKey { entity, .. } => return Some(format!("features and labels have one row per `{entity}` and `as_of`")),
            Self::Leak(_) => {
                "make the feature's SQL use only what was known on `as_of`, or list it under `features: exclude:`; \
                 if it is right after all, raise `leak_auc` in the model's YAML file"
            }
            Self::NotConverging => "raise the penalties under `penalty:` of the logistic regression",
            Self::BadModel { .. } => {
                "put the file back from a backup, go on with another version through `cscopilot models promote` or `rollback`, or train \
                 this one again with `--full-refresh` and the date of its training"
            }
            Self::NeverTrained(_) => "`cscopilot models` lists those that were; `cscopilot run nightly` trains what is due",
            Self::NoVersion { .. } | Self::NoAlias { .. } | Self::NothingFitted { .. } | Self::ChampionAlready { .. } => {
                "`cscopilot models` lists all versions"
            }
            Self::NothingBefore { .. } => "make any other version champion with `cscopilot models promote`",
            Self::MissingFeatures { .. } => "bring the columns back, or train the model again",
            _ => return None,
        };
        Some(text.to_owned())
    }
}
