use crate::{At, Component, Loaded, Project, Version1};
use cscopilot_diag::{Diagnostic, Diagnostics, Place};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// `configs/features/<name>.yaml`: the words for features, used by reasons and reports.
///
/// The file is named like the table whose columns it describes: `account_features.yaml` describes
/// `features.account_features`. A feature that it doesn't list is shown by its column name.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeatureDictionary {
    /// The format's version.
    pub version: Version1,
    /// The features by column name.
    pub features: BTreeMap<String, FeatureWords>,
}

/// The words for one feature.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeatureWords {
    /// The feature's name for people: `Logins, 28 days`.
    pub label: At<String>,
    /// What the value counts, behind the number: `days`, `logins`; `%` and `€` work as well.
    #[serde(default)]
    pub unit: Option<String>,
    /// What the feature measures, for the model card.
    #[serde(default)]
    pub description: Option<String>,
    /// How the value is shown.
    #[serde(default)]
    pub format: FeatureFormat,
    /// Digits behind the point; chosen by the value's size without it.
    #[serde(default)]
    pub decimals: Option<u8>,
    /// Whether a higher value is good for the account.
    #[serde(default)]
    pub higher_is: Option<Valence>,
    /// What a value above the typical one means: `logs in more than usual`.
    #[serde(default)]
    pub up: Option<String>,
    /// What a value below the typical one means: `logs in less than usual`.
    #[serde(default)]
    pub down: Option<String>,
    /// By which models choose features: `usage`, `billing`.
    #[serde(default)]
    pub tags: Vec<At<String>>,
    /// What a missing value means: `never logged in`.
    #[serde(default)]
    pub missing: Option<String>,
}

/// How a feature's value is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FeatureFormat {
    /// As a number.
    #[default]
    Number,
    /// A share from 0 to 1 as a percentage.
    Percent,
    /// As a signed change: `+3`, `−3`.
    Change,
    /// A share as a signed percentage: `+12%`.
    PercentChange,
    /// As `yes` or `no`.
    YesNo,
}

/// Whether something is good or bad for the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Valence {
    /// It is good.
    Good,
    /// It is bad.
    Bad,
}

impl Component for FeatureDictionary {
    const KIND: &'static str = "features";
    const LOCATION: &'static str = "configs/features";

    fn validate(loaded: &Loaded<Self>, _project: &Project, out: &mut Diagnostics) {
        if loaded.value.features.is_empty() {
            out.push(
                Diagnostic::error("SPC070", "the dictionary lists no features")
                    .at(Place::file(loaded.path.clone()))
                    .with_help("add at least one under `features:`, or delete the file"),
            );
        }
        for (name, words) in &loaded.value.features {
            if words.label.trim().is_empty() {
                out.push(
                    loaded
                        .error("SPC071", &words.label, format!("the label of `{name}` is empty"))
                        .with_help("write how people call the feature, for example `Logins, 28 days`"),
                );
            }
        }
    }
}
