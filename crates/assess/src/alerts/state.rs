//! The life of an alert, as a pure function of what was before the night and of what holds tonight.
//!
//! ```text
//!            holds                     does not hold
//!  (none) ─────────▶ open ────────────────────────────▶ resolved
//!                    │  ▲ snooze over                      │
//!      by a person:  ▼  │                                  │ holds again, after the cooldown:
//!      acknowledged, snoozed  ──── does not hold ─▶ resolved └──▶ a new alert, open
//! ```
//!
//! "Not known" (a NULL condition) changes nothing. A night can be repeated: [`night`] first takes back what this very
//! night did before ([`rewind`]).

use chrono::{DateTime, Days, Utc};
use cscopilot_spec::Severity;
use std::collections::{BTreeMap, BTreeSet};

/// Where an alert is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It wants attention.
    Open,
    /// A person has seen it.
    Acknowledged,
    /// A person wants to hear of it later.
    Snoozed,
    /// Its condition no longer holds, or a person closed it.
    Resolved,
}

impl State {
    /// The word in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Snoozed => "snoozed",
            Self::Resolved => "resolved",
        }
    }

    /// The state with this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Open, Self::Acknowledged, Self::Snoozed, Self::Resolved].into_iter().find(|s| s.as_str() == word)
    }
}

/// What an alert says; it is replaced every night on which the condition holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The account.
    pub account_id: String,
    /// The rule.
    pub rule: String,
    /// How urgent it is.
    pub severity: Severity,
    /// Who looks after it.
    pub owner: Option<String>,
    /// The headline.
    pub title: String,
    /// What happened.
    pub message: String,
    /// What it rests on, as JSON.
    pub evidence: String,
}

/// A row of `ops.alerts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// The digest of the key and the time it was opened.
    pub alert_id: String,
    /// Alerts with the same key are one alert.
    pub dedupe_key: String,
    /// Where it is in its life.
    pub state: State,
    /// The night that opened it.
    pub opened_at: DateTime<Utc>,
    /// The last night on which its condition held, or that resolved it.
    pub updated_at: DateTime<Utc>,
    /// When it was resolved.
    pub resolved_at: Option<DateTime<Utc>>,
    /// The state before it was resolved.
    pub resolved_from: Option<State>,
    /// Until when a person doesn't want to hear of it.
    pub snoozed_until: Option<DateTime<Utc>>,
    /// What it says.
    pub content: Content,
}

/// A rule's condition for an account tonight: it holds, or it is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firing {
    /// The key.
    pub dedupe_key: String,
    /// Whether the condition holds; `false` means not known.
    pub holds: bool,
    /// For so many days after it was resolved it is not opened again.
    pub cooldown_days: u32,
    /// What the alert would say.
    pub content: Content,
}

/// What a night did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Night {
    /// All alerts, ordered by opening and key.
    pub alerts: Vec<Alert>,
    /// How many were opened.
    pub opened: u64,
    /// How many were resolved.
    pub resolved: u64,
    /// How many held but are still cooling down.
    pub cooling: u64,
}

/// The identity of an alert.
#[must_use]
pub fn alert_id(dedupe_key: &str, opened_at: DateTime<Utc>) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(dedupe_key.as_bytes());
    hasher.update(&[0]);
    hasher.update(&opened_at.timestamp_micros().to_le_bytes());
    hasher.finalize().to_hex()[..20].to_owned()
}

/// What the table said before this night: what the night did when it ran earlier is taken back.
///
/// Also gives back the alerts that the night had opened, by id, since a person may have acknowledged them since.
fn rewind(alerts: Vec<Alert>, now: DateTime<Utc>) -> (Vec<Alert>, BTreeMap<String, Alert>) {
    let mut before = Vec::with_capacity(alerts.len());
    let mut undone = BTreeMap::new();
    for mut alert in alerts {
        if alert.resolved_at == Some(now) {
            alert.state = alert.resolved_from.unwrap_or(State::Open);
            alert.resolved_at = None;
            alert.resolved_from = None;
        }
        // What a person resolved after the night stays as it is.
        if alert.opened_at >= now && alert.state != State::Resolved {
            undone.insert(alert.alert_id.clone(), alert);
        } else {
            before.push(alert);
        }
    }
    (before, undone)
}

/// The alerts after a night, from those in the table and what holds tonight.
#[must_use]
pub fn night(table: Vec<Alert>, firings: &[Firing], now: DateTime<Utc>) -> Night {
    let (before, undone) = rewind(table, now);
    let mut best: BTreeMap<&str, &Firing> = BTreeMap::new();
    let mut unknown: BTreeSet<&str> = BTreeSet::new();
    for firing in firings {
        if !firing.holds {
            unknown.insert(&firing.dedupe_key);
            continue;
        }
        let chosen = best.entry(&firing.dedupe_key).or_insert(firing);
        if precedence(firing) < precedence(chosen) {
            *chosen = firing;
        }
    }
    let mut result = Night::default();
    let mut active: BTreeSet<String> = BTreeSet::new();
    let mut cool_from: BTreeMap<String, DateTime<Utc>> = BTreeMap::new();
    for mut alert in before {
        if alert.state == State::Resolved {
            let at = alert.resolved_at.unwrap_or(alert.updated_at);
            let last = cool_from.entry(alert.dedupe_key.clone()).or_insert(at);
            *last = at.max(*last);
            result.alerts.push(alert);
            continue;
        }
        let firing = best.get(alert.dedupe_key.as_str());
        let first = !active.contains(&alert.dedupe_key);
        match firing {
            Some(firing) if first => {
                alert.content = firing.content.clone();
                alert.updated_at = now;
                wake(&mut alert, now);
                active.insert(alert.dedupe_key.clone());
            }
            None if first && unknown.contains(alert.dedupe_key.as_str()) => {
                wake(&mut alert, now);
                active.insert(alert.dedupe_key.clone());
            }
            _ => {
                alert.resolved_from = Some(alert.state);
                alert.state = State::Resolved;
                alert.resolved_at = Some(now);
                alert.updated_at = now;
                result.resolved += 1;
            }
        }
        result.alerts.push(alert);
    }
    for (key, firing) in best {
        if active.contains(key) {
            continue;
        }
        let cooled = cool_from.get(key).and_then(|at| at.checked_add_days(Days::new(u64::from(firing.cooldown_days))));
        if cooled.is_some_and(|until| now < until) {
            result.cooling += 1;
            continue;
        }
        result.opened += 1;
        result.alerts.push(open(firing, now, &undone));
    }
    result.alerts.sort_by(|a, b| (a.opened_at, &a.dedupe_key, &a.alert_id).cmp(&(b.opened_at, &b.dedupe_key, &b.alert_id)));
    result
}

/// The order among firings with the same key: severe first, then by name.
fn precedence(firing: &Firing) -> (std::cmp::Reverse<Severity>, &str, &str) {
    (std::cmp::Reverse(firing.content.severity), &firing.content.rule, &firing.content.account_id)
}

/// A snooze that is over makes the alert open again.
fn wake(alert: &mut Alert, now: DateTime<Utc>) {
    if alert.state == State::Snoozed && alert.snoozed_until.is_some_and(|until| until <= now) {
        alert.state = State::Open;
    }
}

fn open(firing: &Firing, now: DateTime<Utc>, undone: &BTreeMap<String, Alert>) -> Alert {
    let alert_id = alert_id(&firing.dedupe_key, now);
    let earlier = undone.get(&alert_id);
    Alert {
        state: earlier.map_or(State::Open, |e| e.state),
        snoozed_until: earlier.and_then(|e| e.snoozed_until),
        alert_id,
        dedupe_key: firing.dedupe_key.clone(),
        opened_at: now,
        updated_at: now,
        resolved_at: None,
        resolved_from: None,
        content: firing.content.clone(),
    }
}
