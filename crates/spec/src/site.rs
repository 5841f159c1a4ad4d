//! `configs/site.yaml`: how the report site looks and counts.

use crate::{At, Component, Loaded, Project, Version1};
use cscopilot_diag::Diagnostics;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `configs/site.yaml`: title, company, currency, number format and colour of the report. Every setting has a default, and
/// so has the whole file. The templates are in `templates/` and `assets/` of the project's `reports` folder.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// The format's version.
    pub version: Version1,
    /// The site's title, on every page.
    #[serde(default = "default_title")]
    pub title: String,
    /// The company whose customers these are; by default the project's name.
    #[serde(default)]
    pub company: Option<String>,
    /// The currency of `arr` and other amounts.
    #[serde(default)]
    pub currency: Currency,
    /// How numbers are written.
    #[serde(default)]
    pub numbers: Numbers,
    /// How dates are written, in the notation of `strftime`; `%-d %b %Y` gives 1 Oct 2023.
    #[serde(default = "default_date_format")]
    pub date_format: At<String>,
    /// The colour of links, lines and the brand, as `#rrggbb`. The dark theme uses a lighter shade of it.
    #[serde(default = "default_accent")]
    pub accent: At<String>,
    /// What a health band means, where its name alone doesn't tell (`healthy`, `watch`, `at_risk`, `green`, `red` … do).
    #[serde(default)]
    pub bands: BTreeMap<String, Tone>,
    /// Movements compare tonight with the newest night that is at least so many days earlier.
    #[serde(default = "default_compare_days")]
    pub compare_days: u32,
    /// Accounts on one page of a customer success manager.
    #[serde(default = "default_rows_per_page")]
    pub rows_per_page: At<u32>,
    /// Published versions of the site that are kept, tonight's included.
    #[serde(default = "default_keep_versions")]
    pub keep_versions: At<u32>,
}

/// A currency.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Currency {
    /// What stands beside the amount: `$`, `€`, `CHF`.
    pub symbol: String,
    /// On which side of the amount it stands.
    #[serde(default)]
    pub position: Position,
}

impl Default for Currency {
    fn default() -> Self {
        Self { symbol: "$".to_owned(), position: Position::Before }
    }
}

/// A side of an amount.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// `$1,200`
    #[default]
    Before,
    /// `1.200 €`
    After,
}

/// How numbers are written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    /// Before the decimals.
    #[serde(default = "default_decimal")]
    pub decimal: String,
    /// Between groups of three digits.
    #[serde(default = "default_thousands")]
    pub thousands: String,
}

impl Default for Numbers {
    fn default() -> Self {
        Self { decimal: default_decimal(), thousands: default_thousands() }
    }
}

/// What a health band means to the eye.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// In trouble.
    Bad,
    /// To be watched.
    Warn,
    /// Neither good nor bad.
    Calm,
    /// Doing well.
    Good,
}

fn default_title() -> String {
    "Customer health".to_owned()
}
fn default_date_format() -> At<String> {
    "%-d %b %Y".to_owned().into()
}
fn default_accent() -> At<String> {
    "#4f46e5".to_owned().into()
}
fn default_compare_days() -> u32 {
    28
}
fn default_rows_per_page() -> At<u32> {
    25.into()
}
fn default_keep_versions() -> At<u32> {
    5.into()
}
fn default_decimal() -> String {
    ".".to_owned()
}
fn default_thousands() -> String {
    ",".to_owned()
}

impl Site {
    /// The settings of a project without the file.
    #[must_use]
    pub fn standard() -> Self {
        Self {
            version: Version1,
            title: default_title(),
            company: None,
            currency: Currency::default(),
            numbers: Numbers::default(),
            date_format: default_date_format(),
            accent: default_accent(),
            bands: BTreeMap::new(),
            compare_days: default_compare_days(),
            rows_per_page: default_rows_per_page(),
            keep_versions: default_keep_versions(),
        }
    }
}

/// Most accounts on one page: more would not fit into 40 KB.
const MOST_ROWS: u32 = 40;

impl Component for Site {
    const KIND: &'static str = "site";
    const LOCATION: &'static str = "configs/site.yaml";

    fn validate(loaded: &Loaded<Self>, _project: &Project, out: &mut Diagnostics) {
        let site = &loaded.value;
        let hex = site.accent.strip_prefix('#').is_some_and(|h| h.len() == 6 && h.chars().all(|c| c.is_ascii_hexdigit()));
        if !hex {
            out.push(
                loaded
                    .error("SPC701", &site.accent, format!("`{}` is not a colour", site.accent))
                    .with_help("write it as `#rrggbb`, in quotes, for example \"#4f46e5\""),
            );
        }
        let items = chrono::format::StrftimeItems::new(&site.date_format);
        if items.into_iter().any(|item| matches!(item, chrono::format::Item::Error)) || site.date_format.contains("%H") {
            out.push(
                loaded
                    .error("SPC702", &site.date_format, format!("`{}` is not a format of dates", site.date_format))
                    .with_help("use %Y, %m, %b, %d, %-d; for example \"%-d %b %Y\" or \"%Y-%m-%d\""),
            );
        }
        if !(1..=MOST_ROWS).contains(&site.rows_per_page.value) {
            out.push(
                loaded
                    .error("SPC703", &site.rows_per_page, format!("a page can't show {} accounts", site.rows_per_page))
                    .with_help(format!("choose 1 to {MOST_ROWS}, so that no page is larger than 40 KB")),
            );
        }
        if site.keep_versions.value == 0 {
            out.push(
                loaded
                    .error("SPC704", &site.keep_versions, "at least one version of the site must be kept")
                    .with_help("tonight's version counts: 1 keeps no older one"),
            );
        }
    }
}
