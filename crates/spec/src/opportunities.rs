use crate::alerts::{check_name, nothing, twice};
use crate::{At, Component, Loaded, Message, Project, Version1};
use cscopilot_diag::Diagnostics;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// `configs/opportunities/<name>.yaml`: signs that an account could buy more.
///
/// A kind sees the same row as an alert rule.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Opportunities {
    /// The format's version.
    pub version: Version1,
    /// What they are about.
    #[serde(default)]
    pub description: Option<String>,
    /// The kinds of opportunity; names are unique over all files.
    pub kinds: BTreeMap<String, OpportunityKind>,
}

/// When there is an opportunity, and what it is worth.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpportunityKind {
    /// The headline for people.
    pub title: At<Message>,
    /// What they would buy, for people.
    pub product: String,
    /// SQL condition; only true counts.
    pub when: At<String>,
    /// SQL expression of the recurring revenue it would add in a year.
    #[serde(default)]
    pub expected_arr: Option<At<String>>,
    /// SQL expression of how likely it is, 0 to 1; by default the expansion model's probability, NULL where none is promoted.
    #[serde(default = "default_propensity")]
    pub propensity: At<String>,
    /// Why, in a sentence with `{placeholders}`.
    pub message: At<Message>,
    /// What it rests on: names with SQL expressions, kept as JSON with the opportunity.
    #[serde(default)]
    pub evidence: BTreeMap<String, At<String>>,
}

fn default_propensity() -> At<String> {
    At::nowhere("expansion_probability".to_owned())
}

impl Component for Opportunities {
    const KIND: &'static str = "opportunities";
    const LOCATION: &'static str = "configs/opportunities";

    fn validate(loaded: &Loaded<Self>, project: &Project, out: &mut Diagnostics) {
        for other in project.opportunities.values().filter(|other| other.name < loaded.name) {
            for kind in other.value.kinds.keys() {
                if let Some(mine) = loaded.value.kinds.get(kind) {
                    out.push(twice(loaded, &mine.when, "kind", kind, &other.path));
                }
            }
        }
        if loaded.value.kinds.is_empty() {
            out.push(nothing(&loaded.path, "kinds"));
        }
        for (name, kind) in &loaded.value.kinds {
            check_name(loaded, &kind.when, name, out);
            for (evidence, sql) in &kind.evidence {
                check_name(loaded, sql, evidence, out);
            }
        }
    }
}
