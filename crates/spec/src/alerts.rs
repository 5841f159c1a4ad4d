use crate::{At, Component, Loaded, Message, Project, Version1};
use cscopilot_diag::{Diagnostic, Diagnostics, Place};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// `configs/alerts/<name>.yaml`: rules that open an alert for an account.
///
/// A rule sees one row per account of tonight: the columns of `marts.account_scores`, of `marts.accounts` and of the
/// scorecard's features table (a name that occurs twice is taken from the first of them that has it), and, where their
/// inputs exist, `health_score_28d_ago`, `days_to_renewal` and `main_reason`. Columns are written without a table name.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alerts {
    /// The format's version.
    pub version: Version1,
    /// What the rules are about.
    #[serde(default)]
    pub description: Option<String>,
    /// The rules; names are unique over all files.
    pub rules: BTreeMap<String, AlertRule>,
}

/// When an alert is open, and what it says.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertRule {
    /// The headline for people.
    pub title: At<Message>,
    /// How urgent it is.
    pub severity: Severity,
    /// SQL condition: true opens, false resolves, NULL (not known) leaves the alert as it is.
    pub when: At<String>,
    /// SQL condition that an open alert waits for once `when` no longer holds, so that it doesn't flap around a
    /// threshold: `when: health_score < 40` with `until: health_score >= 45`. Without it, `when` alone decides.
    #[serde(default)]
    pub until: Option<At<String>>,
    /// What happened, in a sentence with `{placeholders}`.
    pub message: At<Message>,
    /// What the alert rests on: names with SQL expressions, kept as JSON with the alert.
    #[serde(default)]
    pub evidence: BTreeMap<String, At<String>>,
    /// SQL expression of the key: firings with the same key are one alert, of the most severe rule. Without it, the
    /// rule's name and the account.
    #[serde(default)]
    pub dedupe_key: Option<At<String>>,
    /// For so many days after it was resolved it is not opened again.
    #[serde(default)]
    pub cooldown_days: u32,
    /// SQL expression of who looks after it.
    #[serde(default = "default_owner")]
    pub owner: At<String>,
}

/// The owner of an alert or an action that names none.
pub(crate) fn default_owner() -> At<String> {
    At::nowhere("csm_id".to_owned())
}

/// How urgent an alert is; later ones are more urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Look this month.
    Medium,
    /// Look this week.
    High,
    /// Look today.
    Critical,
}

impl Severity {
    /// The word in YAML and tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Component for Alerts {
    const KIND: &'static str = "alerts";
    const LOCATION: &'static str = "configs/alerts";

    fn validate(loaded: &Loaded<Self>, project: &Project, out: &mut Diagnostics) {
        let others = project.alerts.values().map(|other| (&other.path, &other.name, other.value.rules.keys()));
        for (path, name, rules) in others {
            if *name >= loaded.name {
                continue;
            }
            for rule in rules {
                if let Some(mine) = loaded.value.rules.get(rule) {
                    out.push(twice(loaded, &mine.when, "rule", rule, path));
                }
            }
        }
        if loaded.value.rules.is_empty() {
            out.push(nothing(&loaded.path, "rules"));
        }
        for (name, rule) in &loaded.value.rules {
            check_name(loaded, &rule.when, name, out);
            for (evidence, sql) in &rule.evidence {
                check_name(loaded, sql, evidence, out);
            }
        }
    }
}

/// A name that another file of the same folder has too.
pub(crate) fn twice<T, V>(loaded: &Loaded<T>, at: &At<V>, what: &str, name: &str, other: &str) -> Diagnostic {
    loaded.error("SPC420", at, format!("the {what} `{name}` stands in {other} already")).with_help("rename one of the two")
}

/// A file without content.
pub(crate) fn nothing(path: &str, field: &str) -> Diagnostic {
    Diagnostic::error("SPC421", format!("`{field}` is empty")).at(Place::file(path)).with_help("add at least one, or remove the file")
}

/// Names end up in tables and placeholders, so they are plain.
pub(crate) fn check_name<T, V>(loaded: &Loaded<T>, at: &At<V>, name: &str, out: &mut Diagnostics) {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !plain {
        out.push(
            loaded
                .error("SPC422", at, format!("`{name}` is not a snake_case name"))
                .with_help("lower-case letters, digits and `_`, starting with a letter"),
        );
    }
}
