//! What can go wrong while learning and scoring.

use cscopilot_diag::{Coded, Domain};

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
    /// A thread of ours died.
    #[error("training stopped unexpectedly: {0}")]
    Thread(String),
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
            Self::Thread(_) => "LRN040",
        }
    }

    fn domain(&self) -> Domain {
        match self {
            Self::Lake(error) => error.domain(),
            Self::NoModel(_) | Self::NoTable(_) | Self::Column(_) | Self::NoFeatures(_) | Self::Leak(_) => Domain::User,
            Self::BadModel { .. } | Self::MissingFeatures { .. } => Domain::User,
            _ => Domain::Internal,
        }
    }

    fn help(&self) -> Option<String> {
        let text = match self {
            Self::Lake(error) => return error.help(),
            Self::NoModel(_) => "models are the files in `configs/models/`",
            Self::NoTable(_) => "run the transform step that makes it first",
            Self::Column(_) | Self::NoFeatures(_) => "correct the model's YAML file, or the SQL file of the table",
            Self::Leak(_) => {
                "make the feature's SQL use only what was known on `as_of`, or list it under `features: exclude:`; \
                 if it is right after all, raise `leak_auc` in the model's YAML file"
            }
            Self::NotConverging => "raise the penalties under `penalty:` of the logistic regression",
            Self::BadModel { .. } => "delete the model's folder and its rows in `ops.model_runs`, then train it again",
            Self::MissingFeatures { .. } => "bring the columns back, or train the model again",
            _ => return None,
        };
        Some(text.to_owned())
    }
}
