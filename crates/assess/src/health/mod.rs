//! Health: a scorecard over the features table, for every `as_of` that lacks a current score.
//!
//! Which dates are current is kept with the commit: the digest of the scorecard (and of the parameters it may use) per
//! date. So an edited scorecard rewrites the whole trend, a new date costs one date, and tonight is always done anew.

mod pivot;
mod sql;
#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use crate::outputs::{health_measures, health_measures_schema, health_scores, health_scores_schema};
use crate::rules::cells::{as_date, conform, integer};
use chrono::NaiveDate;
use cscopilot_lake::step::{Outcome, StepContext};
use cscopilot_lake::{Mode, Params, SendableRecordBatchStream, TableName, Write, stream_error, stream_of};
use cscopilot_spec::{Loaded, Project, Scorecard};
use futures::StreamExt;
use std::collections::{BTreeMap, BTreeSet};

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
    let digest = digest(ctx, card);
    let mut outcome = Outcome::default();
    for table in [health_scores(), health_measures()] {
        ctx.progress.note(format!("computing {table}"));
        let stale = stale(ctx, &table, &there, &digest, card.value.measures().len() as u64).await?;
        let written = write(ctx, card, &table, &stale, &digest).await?;
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

/// What has to be computed for one table, and what stays.
struct Stale {
    todo: Vec<NaiveDate>,
    digests: BTreeMap<String, String>,
    whole: bool,
}

async fn stale(ctx: &StepContext, table: &TableName, there: &BTreeMap<NaiveDate, u64>, digest: &str, factor: u64) -> Result<Stale> {
    let info = ctx.lake.table(table).await?;
    let Some(info) = info.filter(|_| !ctx.full_refresh) else {
        return Ok(Stale { todo: there.keys().copied().collect(), digests: BTreeMap::new(), whole: true });
    };
    let digests: BTreeMap<String, String> = info.state.and_then(|s| serde_json::from_value(s["dates"].clone()).ok()).unwrap_or_default();
    let have = dates(ctx, table).await?;
    let factor = if *table == health_measures() { factor } else { 1 };
    let todo: Vec<NaiveDate> = there
        .iter()
        .filter(|(date, rows)| {
            **date == ctx.as_of || digests.get(&date.to_string()).map(String::as_str) != Some(digest) || have.get(date) != Some(&(**rows * factor))
        })
        .map(|(date, _)| *date)
        .collect();
    let whole = todo.len() == there.len() && have.keys().collect::<BTreeSet<_>>().is_subset(&there.keys().collect());
    Ok(Stale { todo, digests, whole })
}

async fn write(ctx: &StepContext, card: &Loaded<Scorecard>, table: &TableName, stale: &Stale, digest: &str) -> Result<u64> {
    let data = if *table == health_scores() { scores(ctx, card, &stale.todo).await } else { measures(ctx, card, &stale.todo).await };
    let data = match data {
        Ok(data) => data,
        Err(error) => return Err(blame(ctx, card, &stale.todo, error).await),
    };
    let mode = if stale.whole { Mode::Overwrite } else { Mode::OverwritePartitions };
    let mut digests = if stale.whole { BTreeMap::new() } else { stale.digests.clone() };
    digests.extend(stale.todo.iter().map(|d| (d.to_string(), digest.to_owned())));
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
    let constants = pivot::constants(&card.value);
    Ok(stream_of(health_measures_schema(), stream.map(move |batch| pivot::to_long(&batch?, &constants).map_err(stream_error))))
}

/// The parameters without `$as_of`: a scorecard is applied to many dates, so its expressions use the column `as_of`.
pub(crate) fn timeless(params: Params) -> Params {
    params.iter().filter(|(name, _)| *name != "as_of").map(|(name, value)| (name, value.clone())).collect()
}

/// The digest of whatever the scores of a date depend on besides its features.
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
