//! The page about the night's data: checks, rejected rows, keys without an account, row counts.

use super::View;
use crate::error::Error;
use crate::format::clip;
use crate::night::Check;
use crate::tone::Tone;
use minijinja::{Value, context};

/// Checks that didn't pass, shown in full.
const TROUBLES: usize = 20;
/// Checks that passed, shown in short.
const PASSED: usize = 40;
/// Streams with rejected rows.
const STREAMS: usize = 20;
/// Tables with their row counts.
const TABLES: usize = 60;

fn is_rejection(check: &Check) -> bool {
    check.check == "rejected_rows"
}

fn is_freshness(check: &Check) -> bool {
    check.check.starts_with("freshness")
}

/// The figures that the overview shows too.
pub(super) fn counts(view: &View<'_>) -> Value {
    let count = |status: &str| view.night.checks.iter().filter(|c| c.status == status).count();
    let rejected: i64 = view.night.checks.iter().filter(|c| is_rejection(c)).map(|c| c.failing).sum();
    let unmatched: i64 = view.night.unmatched.iter().map(|u| u.count).sum();
    context! {
        known => !view.night.checks.is_empty(),
        passed => count("passed"),
        warned => count("warned"),
        failed => count("failed"),
        rejected => rejected,
        unmatched => unmatched,
    }
}

pub(super) fn context(view: &View<'_>) -> Result<Value, Error> {
    let checks = &view.night.checks;
    let mut troubles: Vec<&Check> = checks.iter().filter(|c| c.status != "passed").collect();
    troubles.sort_by(|a, b| {
        let key = |c: &Check| (c.status != "failed", std::cmp::Reverse(c.failing));
        key(a).cmp(&key(b)).then_with(|| (&a.subject, &a.check).cmp(&(&b.subject, &b.check)))
    });
    let passed: Vec<&Check> = checks.iter().filter(|c| c.status == "passed" && !is_rejection(c)).collect();
    let mut streams: Vec<&Check> = checks.iter().filter(|c| is_rejection(c)).collect();
    streams.sort_by(|a, b| b.failing.cmp(&a.failing).then_with(|| a.subject.cmp(&b.subject)));
    let fresh: Vec<&Check> = checks.iter().filter(|c| is_freshness(c)).collect();
    let unmatched: Vec<Value> = view
        .night
        .unmatched
        .iter()
        .take(20)
        .map(|u| {
            let examples: Vec<String> = u.examples.iter().take(5).map(|e| clip(e, 40)).collect();
            context! { source => u.source.as_str(), reason => clip(&u.reason, 80), count => u.count, examples => examples }
        })
        .collect();
    let tables: Vec<Value> = view.night.tables.iter().take(TABLES).map(|t| context! { name => t.name.as_str(), rows => t.rows }).collect();
    Ok(context! {
        root => "",
        page => "quality",
        counts => counts(view),
        troubles => troubles.iter().take(TROUBLES).map(|c| check(c)).collect::<Vec<_>>(),
        troubles_left => troubles.len().saturating_sub(TROUBLES),
        passed => passed.iter().take(PASSED).map(|c| check(c)).collect::<Vec<_>>(),
        passed_left => passed.len().saturating_sub(PASSED),
        passed_count => passed.len(),
        streams => streams.iter().take(STREAMS).map(|c| check(c)).collect::<Vec<_>>(),
        streams_left => streams.len().saturating_sub(STREAMS),
        fresh => fresh.iter().take(20).map(|c| check(c)).collect::<Vec<_>>(),
        unmatched => unmatched,
        tables => tables,
        tables_left => view.night.tables.len().saturating_sub(TABLES),
        absent => view.night.absent.iter().map(|t| Value::from(t.as_str())).collect::<Vec<_>>(),
    })
}

fn check(check: &Check) -> Value {
    context! {
        subject => clip(&check.subject, 60),
        check => clip(&check.check, 60),
        severity => check.severity.as_str(),
        status => crate::format::humanise(&check.status),
        tone => Tone::of_status(&check.status).class(),
        failing => check.failing,
        total => check.total,
        share => (check.total > 0).then(|| check.failing as f64 / check.total as f64),
        detail => check.detail.as_deref().map(|d| clip(d, 140)),
        sample => check.sample.as_deref().map(|s| clip(s, 100)),
    }
}
