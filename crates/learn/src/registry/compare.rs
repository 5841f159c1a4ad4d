//! Two versions of a model side by side, and one version as its card tells it.

use cscopilot_lake::Lake;
use serde::Serialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::registry::figures::{Figure, figures};
use crate::registry::manifest::{Files, json};
use crate::registry::runs::{self, ModelRun};
use crate::registry::{FeatureList, folder, standing};

/// A version as people name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionName {
    /// By its number.
    Number(i64),
    /// The version that scores.
    Champion,
    /// The newest version, where it is not the champion.
    Challenger,
}

impl std::str::FromStr for VersionName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "champion" => Ok(Self::Champion),
            "challenger" => Ok(Self::Challenger),
            other => other
                .trim_start_matches('v')
                .parse()
                .map(Self::Number)
                .map_err(|_| "write a version's number, `champion` or `challenger`".to_owned()),
        }
    }
}

/// Two versions side by side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The model.
    pub model: String,
    /// The two versions.
    pub versions: [Side; 2],
    /// Whether both were judged on the same rows' dates: else their figures differ for that reason, too.
    pub same_test_period: bool,
    /// Their figures by name.
    pub figures: Vec<FigurePair>,
    /// Features that only the second has.
    pub features_added: Vec<String>,
    /// Features that only the first has.
    pub features_removed: Vec<String>,
    /// Features that both have, those whose weight changed most first.
    pub features_shifted: Vec<Shift>,
}

/// One of the two versions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// `champion`, `challenger`, or nothing.
    pub alias: Option<&'static str>,
    /// The training, without its details.
    #[serde(flatten)]
    pub run: ModelRun,
    /// What the folds decided, such as the number of rounds.
    pub choice: Value,
    /// How margins become probabilities.
    pub calibration: Option<String>,
}

/// One figure of both versions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FigurePair {
    /// Its name in machines' words.
    pub name: String,
    /// Its name for people.
    pub label: String,
    /// The first version's.
    pub before: Option<Figure>,
    /// The second version's.
    pub after: Option<Figure>,
}

/// How much of the margin's movement a feature makes up in each version.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shift {
    /// The column.
    pub feature: String,
    /// Its name for people.
    pub label: String,
    /// Its share of all contributions in the first version, in percent.
    pub before_pct: f64,
    /// The same in the second version.
    pub after_pct: f64,
}

/// Finds a version by its name.
///
/// # Errors
/// [`Error::NeverTrained`], [`Error::NoVersion`], [`Error::NoAlias`].
pub async fn find(lake: &Lake, model: &str, name: VersionName) -> Result<ModelRun> {
    let runs = runs::read(lake, Some(model)).await?;
    if runs.is_empty() {
        return Err(Error::NeverTrained(model.to_owned()));
    }
    let aliases = standing(&runs);
    let alias = |version: Option<i64>, alias: &'static str| version.ok_or(Error::NoAlias { model: model.to_owned(), alias });
    let version = match name {
        VersionName::Number(version) => version,
        VersionName::Champion => alias(aliases.champion, "champion")?,
        VersionName::Challenger => alias(aliases.challenger, "challenger")?,
    };
    let as_of = runs.iter().map(|r| r.as_of).max().unwrap_or_default();
    let found = runs.iter().find(|r| r.version == version).cloned();
    found.ok_or_else(|| Error::NoVersion { model: model.to_owned(), version, as_of, known: runs.iter().map(|r| r.version).collect() })
}

/// A file of a version, such as `card.md`.
///
/// # Errors
/// [`Error::BadModel`] for a file that is missing or damaged.
pub async fn file(lake: &Lake, model: &str, version: i64, name: &str) -> Result<Vec<u8>> {
    let objects = lake.objects();
    Files::open(&objects, folder(model, version)).await?.need(name).await
}

/// Compares two versions.
///
/// # Errors
/// [`Error::NeverTrained`], [`Error::NoVersion`], [`Error::NoAlias`], and [`Error::BadModel`] where a list of features is damaged.
pub async fn compare(lake: &Lake, model: &str, from: VersionName, to: VersionName) -> Result<Comparison> {
    let before = side(lake, model, from).await?;
    let after = side(lake, model, to).await?;
    let lists = [features(lake, &before.0.run).await?, features(lake, &after.0.run).await?];
    let names = |list: &FeatureList, other: &FeatureList| -> Vec<String> {
        let others = other.names();
        list.names().into_iter().filter(|name| !others.contains(name)).collect()
    };
    let span = |run: &ModelRun| (run.test_from, run.test_to);
    Ok(Comparison {
        model: model.to_owned(),
        same_test_period: span(&before.0.run) == span(&after.0.run),
        figures: pairs(&before.1, &after.1),
        features_added: names(&lists[1], &lists[0]),
        features_removed: names(&lists[0], &lists[1]),
        features_shifted: shifts(&lists[0], &lists[1]),
        versions: [before.0, after.0],
    })
}

async fn side(lake: &Lake, model: &str, name: VersionName) -> Result<(Side, Vec<Figure>)> {
    let mut run = find(lake, model, name).await?;
    let aliases = standing(&runs::read(lake, Some(model)).await?);
    // What can't be read of a detail shows as absent figures.
    let detail: Value = serde_json::from_str(&run.detail).unwrap_or_default();
    run.detail.clear();
    let chosen = detail["candidates"].as_array().into_iter().flatten().find(|c| c["chosen"] == true);
    let side = Side {
        alias: aliases.of(run.version),
        choice: chosen.map_or(Value::Null, |c| c["choice"].clone()),
        calibration: detail["calibration_method"].as_str().map(ToOwned::to_owned),
        run,
    };
    Ok((side, figures(&detail)))
}

async fn features(lake: &Lake, run: &ModelRun) -> Result<FeatureList> {
    if run.estimator.is_none() {
        return Ok(FeatureList::default());
    }
    let bytes = file(lake, &run.model, run.version, "features.json").await?;
    json(&format!("{}/features.json", folder(&run.model, run.version)), &bytes)
}

fn pairs(before: &[Figure], after: &[Figure]) -> Vec<FigurePair> {
    let named = |list: &[Figure], name: &str| list.iter().find(|f| f.name == name).cloned();
    let only_before = before.iter().filter(|f| named(after, &f.name).is_none());
    let all = after.iter().chain(only_before);
    all.map(|f| FigurePair { name: f.name.clone(), label: f.label.clone(), before: named(before, &f.name), after: named(after, &f.name) })
        .collect()
}

fn shifts(before: &FeatureList, after: &FeatureList) -> Vec<Shift> {
    let share = |list: &FeatureList, importance: f64| {
        let sum: f64 = list.features.iter().map(|f| f.importance).sum();
        if sum > 0.0 { 100.0 * importance / sum } else { 0.0 }
    };
    let mut shifts: Vec<Shift> = after
        .features
        .iter()
        .filter_map(|f| {
            let earlier = before.features.iter().find(|b| b.name == f.name)?;
            let (before_pct, after_pct) = (share(before, earlier.importance), share(after, f.importance));
            Some(Shift { feature: f.name.clone(), label: f.label.clone(), before_pct, after_pct })
        })
        .collect();
    let size = |s: &Shift| (s.after_pct - s.before_pct).abs();
    shifts.sort_by(|a, b| size(b).total_cmp(&size(a)).then_with(|| a.feature.cmp(&b.feature)));
    shifts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_named_by_number_or_alias() {
        let named = |text: &str| text.parse::<VersionName>();
        assert_eq!(named("3"), Ok(VersionName::Number(3)));
        assert_eq!(named("v0003"), Ok(VersionName::Number(3)));
        assert_eq!(named("champion"), Ok(VersionName::Champion));
        assert!(named("latest").is_err());
    }
}
