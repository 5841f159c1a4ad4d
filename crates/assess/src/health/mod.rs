//! Health: a scorecard over the features table, for every `as_of` that lacks a current score.
//!
//! Which dates are current is kept with the commit: per date, the digest of the scorecard and of the files that hold the
//! date's features. So an edited scorecard rewrites the whole trend, late data that changed the features of a past date
//! rewrites that date, and a usual night costs one date.

mod pivot;
mod sql;
#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use crate::outputs::{health_measures, health_measures_schema, health_scores, health_scores_schema};
use crate::rules::cells::{as_date, conform, integer};
use chrono::NaiveDate;
use cscopilot_lake::step::{Outcome, StepContext};
use cscopilot_lake::{Mode, Params, SendableRecordBatchStream, TableName, Write, stream_error, stream_of, stream_of_batches};
use cscopilot_spec::{Loaded, Project, Scorecard};
use futures::StreamExt;
use std::collections::BTreeMap;

/// The scorecard in use: the only one, or the one that says it is the default.
#[must_use]
pub fn scorecard(project: &Project) -> Option<&Loaded<Scorecard>> {
    let mut all = project.scorecards.values();
    match (all.next(), all.next()) {
        (Some(only), None) => Some(only),
        _ => project.scorecards.values().find(|s| s.value.default),
    }
}

/// Computes `marts.health_scores` and `marts.health_measures`.
///
/// # Errors
/// Where the features table or tonight's rows are missing, an expression fails on data, or the lake fails.
pub async fn run_health(ctx: &StepContext) -> Result<Outcome> {
    let Some(card) = scorecard(&ctx.project) else { return Ok(Outcome::up_to_date()) };
    let features: TableName = card.value.from.parse()?;
    if ctx.lake.table(&features).await?.is_none() {
        return Err(Error::NoTable { table: features, needed_by: "the scorecard reads" });
    }
    let there = dates(ctx, &features).await?;
    if !there.contains_key(&ctx.as_of) {
        return Err(Error::NoRows { table: features, as_of: ctx.as_of });
    }
    let current = current(ctx, card, &features, &there).await?;
    let mut outcome = Outcome::default();
    for table in [health_scores(), health_measures()] {
        ctx.progress.note(format!("computing {table}"));
        let stale = stale(ctx, &table, &there, &current, card.value.measures().len() as u64).await?;
        let written = write(ctx, card, &table, &stale, &current).await?;
        if table == health_scores() {
            outcome.rows_in = stale.todo.iter().filter_map(|d| there.get(d)).sum();
            outcome.fact("dates", stale.todo.len() as u64);
        }
        outcome.rows_out += written;
    }
    Ok(outcome)
}

/// A scorecard's query as a whole, to be planned without data.
pub(crate) fn whole(card: &Scorecard, as_of: NaiveDate) -> String {
    sql::measures(card, &[as_of])
}

/// Rows per date of a table.
async fn dates(ctx: &StepContext, table: &TableName) -> Result<BTreeMap<NaiveDate, u64>> {
    let sql = format!("SELECT as_of, count(*) AS n FROM {table} GROUP BY as_of");
    let mut all = BTreeMap::new();
    for batch in ctx.lake.query(&sql, &ctx.params).await? {
        for row in 0..batch.num_rows() {
            if let Some(date) = as_date(batch.column(0), row)? {
                all.insert(date, integer(batch.column(1), row)?.unwrap_or(0).unsigned_abs());
            }
        }
    }
    Ok(all)
}

/// By date, the digest of whatever its scores depend on: the scorecard, and the files that hold its features. Where the
/// features table has no partitions by date, any change of it is a change of each date.
async fn current(ctx: &StepContext, card: &Loaded<Scorecard>, features: &TableName, there: &BTreeMap<NaiveDate, u64>) -> Result<Digests> {
    let info = ctx.lake.table(features).await?;
    let by_date = info.as_ref().is_some_and(|i| i.partition_by.first().is_some_and(|c| c == "as_of"));
    let files = if by_date { ctx.lake.partition_files(features).await?.unwrap_or_default() } else { BTreeMap::new() };
    let version = info.map_or(0, |i| i.data_version);
    let own = digest(ctx, card);
    let digest = |date: &NaiveDate| {
        let mut hasher = blake3::Hasher::new();
        hasher.update(own.as_bytes());
        match files.get(&date.to_string()) {
            Some(files) => files.iter().for_each(|file| {
                hasher.update(file.as_bytes());
            }),
            None => {
                hasher.update(format!("version {version}").as_bytes());
            }
        }
        hasher.finalize().to_hex()[..16].to_owned()
    };
    Ok(there.keys().map(|date| (date.to_string(), digest(date))).collect())
}

type Digests = BTreeMap<String, String>;

/// What has to be computed for one table, and the digests of the dates it has.
struct Stale {
    todo: Vec<NaiveDate>,
    digests: Digests,
    whole: bool,
}

async fn stale(ctx: &StepContext, table: &TableName, there: &BTreeMap<NaiveDate, u64>, current: &Digests, measures: u64) -> Result<Stale> {
    let info = ctx.lake.table(table).await?;
    let Some(info) = info.filter(|_| !ctx.full_refresh) else {
        return Ok(Stale { todo: there.keys().copied().collect(), digests: Digests::new(), whole: true });
    };
    let digests: Digests = info.state.and_then(|s| serde_json::from_value(s["dates"].clone()).ok()).unwrap_or_default();
    let have = dates(ctx, table).await?;
    let factor = if *table == health_measures() { measures } else { 1 };
    let is_current = |date: &NaiveDate, rows: u64| {
        let key = date.to_string();
        digests.get(&key) == current.get(&key) && have.get(date) == Some(&(rows * factor))
    };
    let todo: Vec<NaiveDate> = there.iter().filter(|(date, rows)| !is_current(date, **rows)).map(|(date, _)| *date).collect();
    let whole = todo.len() == there.len() && have.keys().all(|date| there.contains_key(date));
    Ok(Stale { todo, digests, whole })
}

async fn write(ctx: &StepContext, card: &Loaded<Scorecard>, table: &TableName, stale: &Stale, current: &Digests) -> Result<u64> {
    let data = match (stale.todo.is_empty(), *table == health_scores()) {
        // Nothing changed, but the fingerprint of this run has to be recorded.
        (true, true) => Ok(stream_of_batches(health_scores_schema(), vec![])),
        (true, false) => Ok(stream_of_batches(health_measures_schema(), vec![])),
        (false, true) => scores(ctx, card, &stale.todo).await,
        (false, false) => measures(ctx, card, &stale.todo).await,
    };
    let data = match data {
        Ok(data) => data,
        Err(error) => return Err(blame(ctx, card, &stale.todo, error).await),
    };
    let mode = if stale.whole { Mode::Overwrite } else { Mode::OverwritePartitions };
    let mut digests = if stale.whole { Digests::new() } else { stale.digests.clone() };
    for date in &stale.todo {
        let key = date.to_string();
        if let Some(digest) = current.get(&key) {
            digests.insert(key, digest.clone());
        }
    }
    let write = Write::new(table.clone(), mode, data, ctx.txn())
        .partitioned_by(["as_of"])
        .with_fingerprint(ctx.fingerprint.clone())
        .with_state(serde_json::json!({ "dates": digests }));
    match ctx.lake.commit(write).await {
        Ok(committed) => {
            ctx.progress.rows(committed.rows);
            Ok(committed.rows)
        }
        Err(error) => Err(blame(ctx, card, &stale.todo, error.into()).await),
    }
}

async fn scores(ctx: &StepContext, card: &Loaded<Scorecard>, as_ofs: &[NaiveDate]) -> Result<SendableRecordBatchStream> {
    let stream = ctx.lake.stream(&sql::scores(&card.value, as_ofs), &timeless(ctx.params.clone())).await?;
    let schema = health_scores_schema();
    let target = schema.clone();
    Ok(stream_of(schema, stream.map(move |batch| conform(&batch?, &target).map_err(stream_error))))
}

async fn measures(ctx: &StepContext, card: &Loaded<Scorecard>, as_ofs: &[NaiveDate]) -> Result<SendableRecordBatchStream> {
    let stream = ctx.lake.stream(&sql::measures(&card.value, as_ofs), &timeless(ctx.params.clone())).await?;
    let mut pivot = pivot::Pivot::new(&card.value);
    Ok(stream_of(health_measures_schema(), stream.map(move |batch| pivot.lengthen(&batch?).map_err(stream_error))))
}

/// The parameters without `$as_of`: a scorecard is applied to many dates, so its expressions use the column `as_of`.
pub(crate) fn timeless(params: Params) -> Params {
    params.iter().filter(|(name, _)| *name != "as_of").map(|(name, value)| (name, value.clone())).collect()
}

/// The digest of whatever all scores depend on besides the features.
fn digest(ctx: &StepContext, card: &Loaded<Scorecard>) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(sql::scores(&card.value, &[]).as_bytes());
    hasher.update(sql::measures(&card.value, &[]).as_bytes());
    hasher.update(format!("{:?}", pivot::constants(&card.value)).as_bytes());
    for (name, value) in timeless(ctx.params.clone()).iter() {
        hasher.update(format!("{name}={value:?};").as_bytes());
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

/// Finds the expression that fails on data, so that the error names it.
async fn blame(ctx: &StepContext, card: &Loaded<Scorecard>, as_ofs: &[NaiveDate], error: Error) -> Error {
    let Error::Lake(error) = error else { return error };
    let measures = card.value.measures();
    let named = measures.iter().map(|(_, _, name, m)| (format!("measures.{name}.value"), &m.value));
    let segment = card.value.segment.iter().map(|e| ("segment".to_owned(), e));
    let tenure = card.value.tenure_days.iter().map(|e| ("tenure_days".to_owned(), e));
    for (name, expression) in segment.chain(tenure).chain(named) {
        if let Err(source) = ctx.lake.query(&sql::alone(&card.value, expression, as_ofs), &timeless(ctx.params.clone())).await {
            return Error::Expression { name, path: card.path.clone(), source: Box::new(source) };
        }
    }
    error.into()
}
