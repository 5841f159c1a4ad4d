//! What one night knows, as plain data between the lake and the pages.
//!
//! [`crate::read`] fills it, [`crate::view`] words it. Everything is sorted here, once, so that pages can't differ between
//! two runs over the same data.

use chrono::NaiveDate;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// An amount of money in hundredths: sums stay exact.
pub(crate) type Cents = i64;

/// Everything the site shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Night {
    /// Tonight.
    pub(crate) as_of: NaiveDate,
    /// The night that movements are compared with.
    pub(crate) compared_with: Option<NaiveDate>,
    /// Accounts, those that need attention first.
    pub(crate) accounts: Vec<Account>,
    /// The portfolio at earlier dates and tonight.
    pub(crate) portfolio: Vec<Point>,
    /// Trainings, by model and version, newest first.
    pub(crate) trainings: Vec<Training>,
    /// Models of the project, whether trained or not: name and what they predict.
    pub(crate) models: Vec<ModelCard>,
    /// Results of data checks and rejected rows.
    pub(crate) checks: Vec<Check>,
    /// Keys that no account could be found for: source, reason, how many, examples.
    pub(crate) unmatched: Vec<Unmatched>,
    /// Row counts of the tables.
    pub(crate) tables: Vec<TableCount>,
    /// Tables of the contract that this lake doesn't have.
    pub(crate) absent: BTreeSet<String>,
}

/// One customer account.
#[derive(Debug, Clone, Default)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The page's file name without `.html`.
    pub(crate) slug: String,
    pub(crate) csm_id: Option<String>,
    pub(crate) csm_name: Option<String>,
    pub(crate) segment: Option<String>,
    pub(crate) plan: Option<String>,
    pub(crate) arr: Option<Cents>,
    pub(crate) renewal: Option<NaiveDate>,
    pub(crate) tenure_days: Option<i64>,
    pub(crate) crm_id: Option<String>,
    pub(crate) domain: Option<String>,
    /// Further columns of `marts.accounts`, such as entitlements: name and value.
    pub(crate) facts: Vec<(Arc<str>, Fact)>,
    pub(crate) health: Option<Health>,
    /// Health on the night of comparison.
    pub(crate) before: Option<Health>,
    pub(crate) risk: Option<Risk>,
    /// What moved the risk; nothing for an account that was not scored before.
    pub(crate) risk_moved: Option<Moved>,
    pub(crate) expansion: Option<f64>,
    /// Health over time, oldest first.
    pub(crate) trend: Vec<(NaiveDate, f64)>,
    pub(crate) measures: Vec<Measure>,
    pub(crate) alerts: Vec<Alert>,
    pub(crate) opportunities: Vec<Opportunity>,
    pub(crate) actions: Vec<Action>,
    /// ARR × risk in cents; what lists are sorted by.
    pub(crate) attention: Cents,
}

impl Account {
    /// The change of health since the night of comparison.
    pub(crate) fn moved(&self) -> Option<f64> {
        Some(self.health.as_ref()?.score - self.before.as_ref()?.score)
    }

    /// Alerts that are not resolved.
    pub(crate) fn open_alerts(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.iter().filter(|a| a.is_open())
    }
}

/// What a further column says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fact {
    Number(f64),
    Date(NaiveDate),
    Text(String),
}

/// A health score.
#[derive(Debug, Clone, Default)]
pub(crate) struct Health {
    pub(crate) score: f64,
    pub(crate) band: Arc<str>,
    pub(crate) coverage_pct: Option<f64>,
}

/// The risk of churn, where a model was promoted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Risk {
    pub(crate) probability: f64,
    pub(crate) decile: Option<i64>,
    /// The chance to be a customer still after 30, 90 and 180 days, where the model says so.
    pub(crate) stays: Option<[f64; 3]>,
    pub(crate) reasons: Vec<Reason>,
}

/// What moved a risk since the model scored last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Moved {
    /// The night of the last score.
    pub(crate) since: Option<NaiveDate>,
    /// The change of the probability.
    pub(crate) change: f64,
    /// The largest parts of it, the largest first.
    pub(crate) parts: Vec<Reason>,
}

/// Why a risk is what it is, or a part of its change.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reason {
    pub(crate) feature: String,
    pub(crate) contribution: f64,
    pub(crate) text: String,
}

/// One measure of the health score.
#[derive(Debug, Clone, Default)]
pub(crate) struct Measure {
    pub(crate) name: Arc<str>,
    pub(crate) group: Arc<str>,
    pub(crate) label: Arc<str>,
    pub(crate) unit: Option<Arc<str>>,
    pub(crate) value: Option<f64>,
    pub(crate) score: Option<f64>,
    pub(crate) weight: f64,
    pub(crate) band: Option<Arc<str>>,
    pub(crate) missing: bool,
}

/// An alert.
#[derive(Debug, Clone, Default)]
pub(crate) struct Alert {
    pub(crate) rule: String,
    pub(crate) title: Option<String>,
    pub(crate) severity: String,
    pub(crate) state: String,
    pub(crate) opened: Option<NaiveDate>,
    pub(crate) updated: Option<NaiveDate>,
    pub(crate) owner: Option<String>,
    pub(crate) evidence: Option<String>,
}

impl Alert {
    /// Whether it still asks for something.
    pub(crate) fn is_open(&self) -> bool {
        self.state != "resolved"
    }

    /// Most severe first.
    pub(crate) fn rank(&self) -> u8 {
        match self.severity.as_str() {
            "critical" | "urgent" => 0,
            "high" | "error" => 1,
            "medium" | "warning" | "warn" => 2,
            _ => 3,
        }
    }
}

/// A chance to sell more.
#[derive(Debug, Clone, Default)]
pub(crate) struct Opportunity {
    pub(crate) kind: String,
    pub(crate) title: Option<String>,
    pub(crate) product: Option<String>,
    pub(crate) propensity: Option<f64>,
    pub(crate) expected_arr: Option<Cents>,
    pub(crate) evidence: Option<String>,
}

/// A next best action.
#[derive(Debug, Clone, Default)]
pub(crate) struct Action {
    pub(crate) play: String,
    pub(crate) title: Option<String>,
    pub(crate) rank: Option<i64>,
    pub(crate) reason: Option<String>,
    pub(crate) due: Option<NaiveDate>,
    pub(crate) owner: Option<String>,
    pub(crate) effect: Option<String>,
}

/// The portfolio at one date.
#[derive(Debug, Clone, Default)]
pub(crate) struct Point {
    pub(crate) as_of: NaiveDate,
    pub(crate) mean_health: f64,
}

/// A model of the project.
#[derive(Debug, Clone, Default)]
pub(crate) struct ModelCard {
    pub(crate) name: String,
    /// What the project calls it.
    pub(crate) title: Option<String>,
    /// The horizon of the label in days.
    pub(crate) horizon_days: Option<i64>,
    /// Accounts it scored tonight; 0 where no champion is in use.
    pub(crate) scored: u64,
    /// The version in use tonight.
    pub(crate) version: Option<String>,
    /// The estimator in use tonight.
    pub(crate) estimator: Option<String>,
}

/// One training of a model.
#[derive(Debug, Clone, Default)]
pub(crate) struct Training {
    pub(crate) model: String,
    pub(crate) version: String,
    pub(crate) as_of: Option<NaiveDate>,
    pub(crate) estimator: Option<String>,
    pub(crate) promoted: bool,
    pub(crate) reason: Option<String>,
    /// Figures by name: `auc`, `auc_low`, `rows_train` …
    pub(crate) figures: BTreeMap<String, f64>,
    pub(crate) dates: BTreeMap<String, NaiveDate>,
    /// Calibration curve, gains, importance, other estimators.
    pub(crate) detail: serde_json::Value,
}

/// The result of one data check.
#[derive(Debug, Clone, Default)]
pub(crate) struct Check {
    pub(crate) subject: String,
    pub(crate) check: String,
    pub(crate) severity: String,
    pub(crate) status: String,
    pub(crate) failing: i64,
    pub(crate) total: i64,
    pub(crate) detail: Option<String>,
    pub(crate) sample: Option<String>,
}

/// Keys of a source that could not be matched to an account.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unmatched {
    pub(crate) source: String,
    pub(crate) reason: String,
    pub(crate) count: i64,
    pub(crate) examples: Vec<String>,
}

/// How large a table is.
#[derive(Debug, Clone, Default)]
pub(crate) struct TableCount {
    pub(crate) name: String,
    pub(crate) rows: Option<u64>,
}
