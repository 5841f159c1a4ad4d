//! What each page says: template contexts made from a [`Night`].
//!
//! Contexts hold plain values (cents, shares, ISO dates); templates word and format them through filters, so that a user can
//! change a page without touching Rust.

mod account;
mod csm;
mod directory;
mod models;
mod overview;
mod quality;
mod row;
mod sums;

use crate::error::Error;
use crate::night::Night;
use crate::tone::Bands;
use chrono::NaiveDate;
use minijinja::Value;
use std::collections::BTreeMap;

/// A page to be rendered: where it goes, the template, and the function that makes its context.
pub(crate) struct Page<'a> {
    /// Path below the site's root.
    pub(crate) path: String,
    /// The template.
    pub(crate) template: &'static str,
    /// Makes the context; called on the thread that renders.
    pub(crate) context: Box<dyn Fn() -> Result<Value, Error> + Send + Sync + 'a>,
}

/// What all pages need.
pub(crate) struct View<'a> {
    pub(crate) night: &'a Night,
    pub(crate) bands: &'a Bands,
    /// Words of alert rules, opportunity kinds and plays.
    pub(crate) titles: &'a Titles,
    pub(crate) rows_per_page: usize,
}

/// What the project calls its rules, kinds and plays.
#[derive(Debug, Clone, Default)]
pub(crate) struct Titles {
    pub(crate) rules: BTreeMap<String, String>,
    pub(crate) kinds: BTreeMap<String, String>,
    pub(crate) plays: BTreeMap<String, String>,
    pub(crate) groups: BTreeMap<String, String>,
    /// Labels of features.
    pub(crate) features: BTreeMap<String, String>,
}

/// The given words for a name, else the name made readable.
pub(crate) fn title(words: &BTreeMap<String, String>, name: &str) -> String {
    words.get(name).cloned().unwrap_or_else(|| crate::format::humanise(name))
}

/// All pages of a night, in a stable order.
pub(crate) fn pages<'a>(view: &'a View<'a>) -> Vec<Page<'a>> {
    let mut all = vec![
        Page { path: "index.html".into(), template: "overview.html", context: Box::new(|| overview::context(view)) },
        Page { path: "models.html".into(), template: "models.html", context: Box::new(|| models::context(view)) },
        Page { path: "quality.html".into(), template: "quality.html", context: Box::new(|| quality::context(view)) },
    ];
    all.extend(directory::pages(view));
    all.extend(csm::pages(view));
    all.extend(account::pages(view));
    all
}

/// A path below the site's root, made of slugs and so safe to print: escaping its slashes would only take room.
fn link(path: String) -> Value {
    Value::from_safe_string(path)
}

/// An estimator's name for people.
fn estimator(name: &str) -> String {
    match name {
        "xgboost" => "XGBoost".to_owned(),
        other => crate::format::humanise(other),
    }
}

/// What the search box looks through: a script, since pages opened from a disk may not fetch anything else.
pub(crate) fn search_index(night: &Night) -> String {
    let mut all: Vec<(String, &str, &str)> =
        night.accounts.iter().map(|a| (a.name.to_lowercase(), a.name.as_str(), a.slug.as_str())).collect();
    all.sort_unstable();
    let rows: Vec<serde_json::Value> = all.iter().map(|(_, name, slug)| serde_json::json!([name, slug])).collect();
    format!("accountIndex({});\n", serde_json::Value::from(rows))
}

/// A date for templates: ISO text, which the filters read.
fn iso(date: NaiveDate) -> String {
    date.format("%Y-%m-%d").to_string()
}

/// An optional date for templates.
fn iso_opt(date: Option<NaiveDate>) -> Option<String> {
    date.map(iso)
}

/// Links to the pages of a list: number, path, whether it is this one; neighbours, first and last, with gaps as `none`.
fn pager(path: &dyn Fn(usize) -> String, current: usize, count: usize) -> Option<Value> {
    if count < 2 {
        return None;
    }
    let mut links: Vec<Value> = Vec::new();
    let mut previous = 0;
    for number in 1..=count {
        let near = number.abs_diff(current) <= 2 || number == 1 || number == count;
        if !near {
            continue;
        }
        if number > previous + 1 {
            links.push(Value::from(()));
        }
        links.push(minijinja::context! { number => number, href => link(path(number)), current => number == current });
        previous = number;
    }
    Some(minijinja::context! {
        links => links,
        previous => (current > 1).then(|| link(path(current - 1))),
        next => (current < count).then(|| link(path(current + 1))),
    })
}
