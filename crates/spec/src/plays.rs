use crate::alerts::{check_name, default_owner, nothing, twice};
use crate::{At, Component, Loaded, Message, Project, Version1};
use cscopilot_diag::{Diagnostics, suggest};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// `configs/plays/<name>.yaml`: what to do about an account: its next best actions.
///
/// A play sees the same row as an alert rule, and `open_alert_count`, `opportunity_count` and `opportunity_arr`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plays {
    /// The format's version.
    pub version: Version1,
    /// What they are about.
    #[serde(default)]
    pub description: Option<String>,
    /// How many actions an account gets at most; the smallest number of all files counts.
    #[serde(default = "default_max_per_account")]
    pub max_per_account: At<u32>,
    /// The plays; names are unique over all files.
    pub plays: BTreeMap<String, Play>,
}

fn default_max_per_account() -> At<u32> {
    At::nowhere(3)
}

/// When to do something, and what. All conditions that are given must hold; at least one must be given.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Play {
    /// What to do, for people.
    pub title: At<Message>,
    /// One of these alert rules has an open alert for the account.
    #[serde(default)]
    pub alerts: Vec<At<String>>,
    /// The account has one of these kinds of opportunity.
    #[serde(default)]
    pub opportunities: Vec<At<String>>,
    /// SQL condition; only true counts.
    #[serde(default)]
    pub when: Option<At<String>>,
    /// 1 comes first.
    pub priority: At<u32>,
    /// SQL expression of a number: among plays of the same priority more comes first.
    #[serde(default)]
    pub rank_by: Option<At<String>>,
    /// Days until it is due, counted from the first night on which it was advised without a break.
    pub due_in_days: At<u32>,
    /// SQL expression of who does it.
    #[serde(default = "default_owner")]
    pub owner: At<String>,
    /// Why, in a sentence with `{placeholders}`.
    pub reason: At<Message>,
    /// What is to be gained, in a sentence with `{placeholders}`.
    #[serde(default)]
    pub expected_effect: Option<At<Message>>,
}

impl Component for Plays {
    const KIND: &'static str = "plays";
    const LOCATION: &'static str = "configs/plays";

    fn validate(loaded: &Loaded<Self>, project: &Project, out: &mut Diagnostics) {
        for other in project.plays.values().filter(|other| other.name < loaded.name) {
            for play in other.value.plays.keys() {
                if let Some(mine) = loaded.value.plays.get(play) {
                    out.push(twice(loaded, &mine.title, "play", play, &other.path));
                }
            }
        }
        if loaded.value.plays.is_empty() {
            out.push(nothing(&loaded.path, "plays"));
        }
        if loaded.value.max_per_account.value == 0 {
            let message = "`max_per_account` is 0, so there would be no actions";
            out.push(loaded.error("SPC460", &loaded.value.max_per_account, message).with_help("write 1 or more, or remove the file"));
        }
        let rules: Vec<&str> = project.alerts.values().flat_map(|a| a.value.rules.keys()).map(String::as_str).collect();
        let kinds: Vec<&str> = project.opportunities.values().flat_map(|o| o.value.kinds.keys()).map(String::as_str).collect();
        for (name, play) in &loaded.value.plays {
            check_name(loaded, &play.title, name, out);
            if play.alerts.is_empty() && play.opportunities.is_empty() && play.when.is_none() {
                let message = format!("the play `{name}` has no condition, so every account would get it");
                out.push(loaded.error("SPC461", &play.title, message).with_help("add `when:`, `alerts:` or `opportunities:`"));
            }
            if !project.is_broken("configs/alerts", None) {
                check_known(loaded, &play.alerts, "alert rule", &rules, out);
            }
            if !project.is_broken("configs/opportunities", None) {
                check_known(loaded, &play.opportunities, "kind of opportunity", &kinds, out);
            }
            if play.priority.value == 0 {
                out.push(loaded.error("SPC462", &play.priority, "priorities start at 1").with_help("1 comes first"));
            }
            if play.due_in_days.value > 3_650 {
                let message = format!("`due_in_days` is {}, more than ten years", play.due_in_days);
                out.push(loaded.error("SPC464", &play.due_in_days, message));
            }
        }
    }
}

fn check_known(loaded: &Loaded<Plays>, names: &[At<String>], what: &str, known: &[&str], out: &mut Diagnostics) {
    for name in names.iter().filter(|name| !known.contains(&name.value.as_str())) {
        out.push(
            loaded.error("SPC463", name, format!("there is no {what} `{name}`")).with_help_opt(suggest::help(name, known.iter().copied())),
        );
    }
}
