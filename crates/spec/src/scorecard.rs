mod check;
#[cfg(test)]
mod tests;

use crate::{At, Version1};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// `configs/scorecards/<name>.yaml`: how healthy an account is, from 0 to 100.
///
/// Each measure is a SQL expression over one row of the features table. Its value becomes a score from 0 to 100; the
/// account's health is the weighted mean of the scores, rounded to two decimals, and its band is read off that rounded
/// number. Everywhere a value exactly on a boundary belongs to the better band. A measure without a value (NULL, NaN or
/// infinite) is left out and the remaining weights are scaled up; the coverage says how much weight had data.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scorecard {
    /// The format's version.
    pub version: Version1,
    /// What the scorecard is for.
    #[serde(default)]
    pub description: Option<String>,
    /// The features table, one row per `account_id` and `as_of`; its columns are what expressions may use.
    pub from: At<String>,
    /// Marks the scorecard that is used where there are several files.
    #[serde(default)]
    pub default: bool,
    /// Below this coverage an account has the band `unknown`.
    #[serde(default = "default_min_coverage")]
    pub min_coverage_pct: At<f64>,
    /// SQL expression of an account's segment; needed where `segments:` is used below.
    #[serde(default)]
    pub segment: Option<At<String>>,
    /// SQL expression of an account's age in days; needed where `tenures:` is used below.
    #[serde(default)]
    pub tenure_days: Option<At<String>>,
    /// Tenure bands with their lower bounds in days, inclusive; the lowest is 0.
    #[serde(default)]
    pub tenure_bands: BTreeMap<String, At<f64>>,
    /// Health bands with their lower bounds, inclusive; the lowest is 0. The highest is the best.
    pub bands: BTreeMap<String, At<f64>>,
    /// Other bounds for some segments and tenure bands; the first entry that fits an account is used.
    #[serde(default)]
    pub band_overrides: Vec<BandOverride>,
    /// Groups of measures; their weights add to 100.
    pub groups: BTreeMap<String, MeasureGroup>,
}

fn default_min_coverage() -> At<f64> {
    At::nowhere(50.0)
}

/// Measures that belong together.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeasureGroup {
    /// The group's name for people; the key without it.
    #[serde(default)]
    pub label: Option<String>,
    /// The group's share of 100: the sum of its measures' weights.
    pub weight: At<f64>,
    /// The measures; names are unique over all groups.
    pub measures: BTreeMap<String, Measure>,
}

/// One number of an account, and how it is judged.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// The measure's name for people.
    pub label: String,
    /// What the value counts, for people.
    #[serde(default)]
    pub unit: Option<String>,
    /// The measure's share of 100.
    pub weight: At<f64>,
    /// SQL expression of the value: a number over the columns of the features table.
    pub value: At<String>,
    /// Whether a higher or a lower value is better.
    pub better: Better,
    /// How the value becomes a score from 0 to 100.
    pub score: At<Scoring>,
    /// Other scorings for some segments and tenure bands; the first entry that fits an account is used.
    #[serde(default)]
    pub overrides: Vec<MeasureOverride>,
}

/// Which direction of a value is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
}

/// How a value becomes a score.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Scoring {
    /// A straight line between two thresholds.
    Linear(Linear),
    /// A line through points, flat outside them; values ascend.
    Points(Vec<ScorePoint>),
    /// One score for each band of values.
    Steps(Steps),
}

/// A straight line between two thresholds.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    /// At this value or worse the score is 0.
    pub red: f64,
    /// At this value or better the score is 100.
    pub green: f64,
}

/// A value and its score.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScorePoint {
    /// The value.
    pub value: f64,
    /// Its score, 0 to 100.
    pub score: f64,
}

/// One score for each band of values.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Steps {
    /// The bands from best to worst.
    pub steps: Vec<ScoreStep>,
    /// The score of a value that reaches no limit.
    pub otherwise: f64,
}

/// A band of values: those at its limit or better.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScoreStep {
    /// The worst value of the band, inclusive.
    pub limit: f64,
    /// The score of the band, 0 to 100.
    pub score: f64,
}

/// Another scoring for some accounts.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeasureOverride {
    /// For accounts of one of these segments; all without it.
    #[serde(default)]
    pub segments: Vec<At<String>>,
    /// For accounts in one of these tenure bands; all without it.
    #[serde(default)]
    pub tenures: Vec<At<String>>,
    /// How their value becomes a score.
    pub score: At<Scoring>,
}

/// Other health bands for some accounts.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BandOverride {
    /// For accounts of one of these segments; all without it.
    #[serde(default)]
    pub segments: Vec<At<String>>,
    /// For accounts in one of these tenure bands; all without it.
    #[serde(default)]
    pub tenures: Vec<At<String>>,
    /// Their lower bounds; bands left out keep theirs.
    pub bands: BTreeMap<String, At<f64>>,
}

/// The band of an account with too little data.
pub const UNKNOWN_BAND: &str = "unknown";

impl Scorecard {
    /// The measures with their groups, in the order of the file.
    #[must_use]
    pub fn measures(&self) -> Vec<(&str, &MeasureGroup, &str, &Measure)> {
        let mut all: Vec<_> = self
            .groups
            .iter()
            .flat_map(|(group_name, group)| {
                group.measures.iter().map(move |(name, measure)| (group_name.as_str(), group, name.as_str(), measure))
            })
            .collect();
        all.sort_by_key(|(_, _, name, m)| (m.value.line, m.value.column, (*name).to_owned()));
        all
    }

    /// The health bands from best to worst with their usual lower bounds.
    #[must_use]
    pub fn bands_best_first(&self) -> Vec<(&str, f64)> {
        best_first(&self.bands)
    }

    /// The tenure bands from oldest to youngest.
    #[must_use]
    pub fn tenures_oldest_first(&self) -> Vec<(&str, f64)> {
        best_first(&self.tenure_bands)
    }

    /// The bounds of an override: the usual ones, those that it names replaced.
    #[must_use]
    pub fn overridden_bands(&self, entry: &BandOverride) -> Vec<(&str, f64)> {
        let mut bands = self.bands.clone();
        for (name, bound) in &entry.bands {
            bands.insert(name.clone(), *bound);
        }
        let order = best_first(&bands).into_iter().map(|(name, bound)| (name.to_owned(), bound)).collect::<Vec<_>>();
        order.into_iter().filter_map(|(name, bound)| self.bands.get_key_value(&name).map(|(known, _)| (known.as_str(), bound))).collect()
    }
}

fn best_first(bands: &BTreeMap<String, At<f64>>) -> Vec<(&str, f64)> {
    let mut all: Vec<_> = bands.iter().map(|(name, bound)| (name.as_str(), bound.value)).collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    all
}
