//! Alerts: rules over tonight's row, and the life of what they opened.

pub mod state;
mod store;
#[cfg(test)]
mod tests;

use crate::error::Result;
use crate::outputs::{alerts, alerts_schema};
use crate::rules::{Cell, Hit, Row, Rule, evaluate, evidence_json, render};
use crate::sql::bracket;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use cscopilot_lake::step::{Outcome, StepContext};
use cscopilot_lake::{Mode, SchemaPolicy, Write, stream_of_batches};
use cscopilot_spec::{AlertRule, Project};
use state::{Content, Firing, Night, night};

/// The name under which a rule's owner is asked for.
const OWNER: &str = "__owner";
/// The name under which a rule's key is asked for.
const KEY: &str = "__key";

/// A rule with its name and the file it stands in.
pub(crate) struct Named<'a, T> {
    pub(crate) name: &'a str,
    pub(crate) path: &'a str,
    pub(crate) item: &'a T,
}

/// The rules of all files, by name.
pub(crate) fn rules(project: &Project) -> Vec<Named<'_, AlertRule>> {
    let mut all: Vec<_> = project
        .alerts
        .values()
        .flat_map(|file| file.value.rules.iter().map(|(name, item)| Named { name, path: &file.path, item }))
        .collect();
    all.sort_by_key(|n| n.name);
    all
}

/// Opens, updates and resolves the alerts of `ops.alerts`.
///
/// # Errors
/// Where tonight's scores are missing, an expression fails on data, or the lake fails.
pub async fn run_alerts(ctx: &StepContext) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let info = ctx.lake.table(&alerts()).await?;
    let table = store::load(&ctx.lake, info.as_ref()).await?;
    let recorded: Option<NaiveDate> = info.and_then(|i| i.state).and_then(|s| serde_json::from_value(s["as_of"].clone()).ok());
    let last = table.iter().map(|a| a.opened_at.date_naive()).max().max(recorded);
    if let Some(last) = last.filter(|last| *last > ctx.as_of) {
        outcome.warn("ASM010", format!("alerts are at {last} already, so the earlier night of {} leaves them as they are", ctx.as_of));
        outcome.up_to_date = true;
        return Ok(outcome);
    }
    let rules = rules(&ctx.project);
    let hits = if rules.is_empty() {
        Vec::new()
    } else {
        let (row, before) = Row::tonight(ctx).await?;
        let row = row.sql(ctx.as_of, before);
        let queries: Vec<Rule<'_>> = rules.iter().map(query).collect();
        evaluate(&ctx.lake, &ctx.params, &row, &queries).await?
    };
    let firings: Vec<Firing> = hits.iter().map(|hit| firing(&rules[hit.rule], hit)).collect();
    let now = midnight(ctx.as_of);
    let Night { alerts: rows, opened, resolved, cooling } = night(table, &firings, now);
    let active = rows.iter().filter(|a| a.state != state::State::Resolved).count();
    outcome.rows_in = hits.len() as u64;
    outcome.fact("opened", opened);
    outcome.fact("resolved", resolved);
    outcome.fact("cooling_down", cooling);
    outcome.fact("active", active as u64);
    let data = stream_of_batches(alerts_schema(), vec![store::to_batch(&rows)?]);
    let write = Write::new(alerts(), Mode::Overwrite, data, ctx.txn())
        .with_policy(SchemaPolicy::Replace)
        .with_fingerprint(ctx.fingerprint.clone())
        .with_state(serde_json::json!({ "as_of": ctx.as_of }));
    outcome.rows_out = ctx.lake.commit(write).await?.rows;
    ctx.progress.rows(outcome.rows_out);
    Ok(outcome)
}

/// The logical time of a night.
pub(crate) fn midnight(as_of: NaiveDate) -> DateTime<Utc> {
    as_of.and_time(NaiveTime::MIN).and_utc()
}

fn query<'a>(named: &Named<'a, AlertRule>) -> Rule<'a> {
    let rule = named.item;
    let mut query = Rule::new(named.name, named.path, Some(&rule.when)).with(OWNER, &as_text(&rule.owner));
    if let Some(until) = &rule.until {
        // Between the two thresholds the condition counts as not known, which leaves the alert as it is.
        let (when, until) = (bracket(&rule.when), bracket(until));
        query.when = Some(format!("CASE WHEN {when} THEN TRUE WHEN {until} IS TRUE THEN FALSE END").into());
    }
    for (name, expression) in &rule.evidence {
        query = query.with(name, expression);
    }
    if let Some(key) = &rule.dedupe_key {
        query.keys.insert(KEY.to_owned(), as_text(key));
    }
    query.with_message(&rule.title).with_message(&rule.message)
}

/// Keys and owners may be numbers in the data; in tables they are text.
pub(crate) fn as_text(expression: &str) -> String {
    format!("CAST({} AS VARCHAR)", bracket(expression))
}

fn firing(named: &Named<'_, AlertRule>, hit: &Hit) -> Firing {
    let rule = named.item;
    let key = hit.values.get(KEY).and_then(Cell::text).map(str::to_owned);
    Firing {
        dedupe_key: key.unwrap_or_else(|| format!("{}:{}", named.name, hit.account_id)),
        holds: hit.holds == Some(true),
        cooldown_days: rule.cooldown_days,
        content: Content {
            account_id: hit.account_id.clone(),
            rule: named.name.to_owned(),
            severity: rule.severity,
            owner: hit.values.get(OWNER).and_then(Cell::text).map(str::to_owned),
            title: render(&rule.title, &hit.values),
            message: render(&rule.message, &hit.values),
            evidence: evidence_json(rule.evidence.keys().map(String::as_str), &hit.values),
        },
    }
}
