//! The model registry in the lake: `models/<name>/v0001/…`, and one small object with the aliases.
//!
//! A version's files are written before its row in `ops.model_runs` commits, and nothing refers to them until then: a
//! training that died leaves files that the next one overwrites. The aliases follow from the rows and are written last.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use cscopilot_lake::Objects;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::calibrate::Calibrator;
use crate::error::{Error, Result};
use crate::estimate::extras::{self, Extras};
use crate::estimate::fitted::{self, Fitted};
use crate::registry::manifest::{self, Files, Manifest};
use crate::registry::runs::{self, ModelRun};
use crate::registry::vet;

/// A feature as the model knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureInfo {
    /// The column.
    pub name: String,
    /// Its name for people.
    pub label: String,
    /// The middle value of the rows learned from: what is typical.
    pub median: Option<f64>,
    /// Their smallest value.
    pub min: Option<f64>,
    /// Their largest value.
    pub max: Option<f64>,
    /// Share of them without a value, in percent.
    pub missing_pct: f64,
    /// Mean absolute contribution to the margin on the test slice.
    pub importance: f64,
    /// The labels of its codes, if it is categorical: the model's value for the first is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub categories: Option<Vec<String>>,
}

/// `features.json`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FeatureList {
    /// The table they come from.
    pub table: String,
    /// The column of what is scored, where that isn't the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    /// The features in the order of the model's columns.
    pub features: Vec<FeatureInfo>,
    /// The columns' types in the table, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub types: BTreeMap<String, String>,
    /// Groups of features that say nearly the same thing ([`crate::score::groups`]): each makes one reason.
    #[serde(default)]
    pub correlated: Vec<Vec<String>>,
}

impl FeatureList {
    /// The columns' names.
    pub fn names(&self) -> Vec<String> {
        self.features.iter().map(|f| f.name.clone()).collect()
    }

    /// The names of the categorical ones.
    pub fn categorical(&self) -> Vec<String> {
        self.features.iter().filter(|f| f.categories.is_some()).map(|f| f.name.clone()).collect()
    }

    /// The labels of each feature's codes; none for numbers.
    pub fn categories(&self) -> Vec<Option<Vec<String>>> {
        self.features.iter().map(|f| f.categories.clone()).collect()
    }

    /// The group of each feature, numbered from 0 in the order of the features; most are alone in theirs.
    pub fn groups(&self) -> Vec<usize> {
        let mut leaders: Vec<&str> = Vec::new();
        let mut groups = Vec::with_capacity(self.features.len());
        for feature in &self.features {
            let alike = self.correlated.iter().find(|group| group.contains(&feature.name));
            let leader = alike.and_then(|group| group.first()).unwrap_or(&feature.name).as_str();
            let known = leaders.iter().position(|known| *known == leader);
            groups.push(known.unwrap_or_else(|| {
                leaders.push(leader);
                leaders.len() - 1
            }));
        }
        groups
    }
}

/// A model that can score.
#[derive(Debug, Clone)]
pub struct Registered {
    /// The model.
    pub fitted: Fitted,
    /// The models beside it.
    pub extras: Extras,
    /// From margin to probability.
    pub calibrator: Calibrator,
    /// Its features.
    pub features: FeatureList,
}

/// `aliases.json`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aliases {
    /// The version that scores.
    #[serde(default)]
    pub champion: Option<i64>,
    /// The newest version, where it is not the champion: it was refused, or withdrawn.
    #[serde(default)]
    pub challenger: Option<i64>,
}

impl Aliases {
    /// The alias of a version.
    pub fn of(&self, version: i64) -> Option<&'static str> {
        match Some(version) {
            v if v == self.champion => Some("champion"),
            v if v == self.challenger => Some("challenger"),
            _ => None,
        }
    }
}

/// A version's folder: `models/churn/v0001`.
pub fn folder(model: &str, version: i64) -> String {
    format!("models/{model}/v{version:04}")
}

fn aliases_path(model: &str) -> String {
    format!("models/{model}/aliases.json")
}

/// Writes a version's files, and a manifest of them. One that is there already with the same content stays untouched.
pub async fn write(objects: &Objects, model: &str, version: i64, files: &[(String, Vec<u8>)]) -> Result<()> {
    let manifest = (manifest::FILE.to_owned(), Manifest::of(files).to_bytes()?);
    for (name, bytes) in files.iter().chain([&manifest]) {
        let path = format!("{}/{name}", folder(model, version));
        if !objects.put_if_absent(&path, bytes.clone()).await? && objects.get(&path).await?.is_none_or(|there| there != bytes.as_slice()) {
            // Left behind by a training that died before its row was committed: nothing refers to it.
            objects.put(&path, bytes.clone()).await?;
        }
    }
    Ok(())
}

/// Reads a version for scoring.
///
/// # Errors
/// [`Error::BadModel`] for a file that is missing, damaged, of another program, or does not fit the others.
pub async fn read(objects: &Objects, model: &str, version: i64) -> Result<Registered> {
    let files = Files::open(objects, folder(model, version)).await?;
    let fitted = Fitted::read(files.folder(), files.those_of(&fitted::FILES).await?)?;
    let registered = Registered {
        extras: Extras::read(files.folder(), fitted.width()?, files.those_of(&extras::FILES).await?)?,
        fitted,
        calibrator: manifest::json(&files.path("calibration.json"), &files.need("calibration.json").await?)?,
        features: manifest::json(&files.path("features.json"), &files.need("features.json").await?)?,
    };
    vet::together(&registered).map_err(|(name, problem)| Error::BadModel { path: files.path(name), problem })?;
    Ok(registered)
}

/// Reads a JSON file of a version; nothing where the version never had it.
///
/// # Errors
/// [`Error::BadModel`] for a file that is missing, damaged or of something else.
pub async fn part<T: DeserializeOwned>(objects: &Objects, model: &str, version: i64, name: &str) -> Result<Option<T>> {
    let files = Files::open(objects, folder(model, version)).await?;
    files.get(name).await?.map(|bytes| manifest::json(&files.path(name), &bytes)).transpose()
}

/// Reads every file of a version and checks that none is damaged.
///
/// # Errors
/// [`Error::BadModel`] as for [`read`].
pub async fn verify(objects: &Objects, model: &str, version: i64) -> Result<Registered> {
    Files::open(objects, folder(model, version)).await?.all().await?;
    read(objects, model, version).await
}

/// The aliases of a model; none if it was never trained.
pub async fn aliases(objects: &Objects, model: &str) -> Result<Aliases> {
    Ok(objects.get_json(&aliases_path(model)).await?.unwrap_or_default())
}

/// The aliases that follow from one model's trainings and decisions, whatever their dates.
pub fn standing(runs: &[ModelRun]) -> Aliases {
    let champion = runs::champion(runs, NaiveDate::MAX).map(|r| r.version);
    let newest = runs.iter().max_by_key(|r| (r.as_of, r.version)).map(|r| r.version);
    Aliases { champion, challenger: newest.filter(|version| Some(*version) != champion) }
}

/// Sets the aliases in one atomic put; does nothing if they are so already.
pub async fn set_aliases(objects: &Objects, model: &str, wanted: &Aliases) -> Result<()> {
    if objects.exists(&aliases_path(model)).await? && aliases(objects, model).await? == *wanted {
        return Ok(());
    }
    Ok(objects.put_json(&aliases_path(model), wanted).await?)
}
