//! Opportunities: accounts that could buy more, from usage against entitlement and the expansion model.

use crate::alerts::Named;
use crate::error::Result;
use crate::outputs::{MONEY, opportunities, opportunities_schema};
use crate::rules::cells::days;
use crate::rules::{Cell, Hit, Row, Rule, evaluate, evidence_json, render};
use crate::sql::{bracket, date};
use arrow::array::{ArrayRef, Date32Array, Decimal128Array, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::SchemaRef;
use cscopilot_lake::step::{Outcome, StepContext};
use cscopilot_lake::{Mode, TableName, Write, stream_error, stream_of, stream_of_batches};
use cscopilot_spec::{OpportunityKind, Project};
use futures::StreamExt;
use std::sync::Arc;

const PROPENSITY: &str = "__propensity";
const EXPECTED_ARR: &str = "__expected_arr";

/// The kinds of all files, by name.
pub(crate) fn kinds(project: &Project) -> Vec<Named<'_, OpportunityKind>> {
    let mut all: Vec<_> = project
        .opportunities
        .values()
        .flat_map(|file| file.value.kinds.iter().map(|(name, item)| Named { name, path: &file.path, item }))
        .collect();
    all.sort_by_key(|n| n.name);
    all
}

/// Computes tonight's rows of `marts.opportunities`.
///
/// # Errors
/// Where tonight's scores are missing, an expression fails on data, or the lake fails.
pub async fn run_opportunities(ctx: &StepContext) -> Result<Outcome> {
    let kinds = kinds(&ctx.project);
    let mut hits = Vec::new();
    if !kinds.is_empty() {
        let (row, before) = Row::tonight(ctx).await?;
        let row = row.sql(ctx.as_of, before);
        let queries: Vec<Rule<'_>> = kinds.iter().map(query).collect();
        hits = evaluate(&ctx.lake, &ctx.params, &row, &queries).await?;
        hits.retain(|hit| hit.holds == Some(true));
    }
    let batch = to_batch(ctx, &kinds, &hits)?;
    let mut outcome = Outcome { rows_in: hits.len() as u64, ..Outcome::default() };
    outcome.rows_out = write_night(ctx, &opportunities(), &opportunities_schema(), batch).await?;
    outcome.fact("opportunities", outcome.rows_out);
    Ok(outcome)
}

fn query<'a>(named: &Named<'a, OpportunityKind>) -> Rule<'a> {
    let kind = named.item;
    let mut query =
        Rule::new(named.name, named.path, Some(&kind.when)).with(PROPENSITY, &format!("CAST({} AS DOUBLE)", bracket(&kind.propensity)));
    if let Some(arr) = &kind.expected_arr {
        query = query.with(EXPECTED_ARR, &arr.value);
    }
    for (name, expression) in &kind.evidence {
        query = query.with(name, expression);
    }
    query.with_message(&kind.title).with_message(&kind.message)
}

fn to_batch(ctx: &StepContext, kinds: &[Named<'_, OpportunityKind>], hits: &[Hit]) -> Result<RecordBatch> {
    let text = |get: &dyn Fn(&Hit) -> String| -> ArrayRef { Arc::new(hits.iter().map(|h| Some(get(h))).collect::<StringArray>()) };
    let kind = |hit: &Hit| kinds[hit.rule].item;
    let arr: Decimal128Array = hits.iter().map(|h| h.values.get(EXPECTED_ARR).and_then(Cell::hundredths)).collect();
    let propensity: Float64Array = hits.iter().map(|h| h.values.get(PROPENSITY).and_then(Cell::number)).collect();
    Ok(RecordBatch::try_new(
        opportunities_schema(),
        vec![
            text(&|h| h.account_id.clone()),
            Arc::new(Date32Array::from(vec![days(ctx.as_of); hits.len()])),
            text(&|h| kinds[h.rule].name.to_owned()),
            text(&|h| kind(h).product.clone()),
            text(&|h| render(&kind(h).title, &h.values)),
            Arc::new(propensity),
            Arc::new(arr.with_data_type(MONEY)),
            text(&|h| render(&kind(h).message, &h.values)),
            text(&|h| evidence_json(kind(h).evidence.keys().map(String::as_str), &h.values)),
        ],
    )?)
}

/// Replaces tonight's rows of a table that is partitioned by `as_of`.
///
/// A night without rows has no partition in its data, so if the table has rows of that night they are removed by writing
/// the other nights anew.
pub(crate) async fn write_night(ctx: &StepContext, table: &TableName, schema: &SchemaRef, batch: RecordBatch) -> Result<u64> {
    let tonight = date(ctx.as_of);
    let stale = batch.num_rows() == 0
        && ctx.lake.table(table).await?.is_some()
        && ctx
            .lake
            .query(&format!("SELECT 1 AS x FROM {table} WHERE as_of = {tonight} LIMIT 1"), &ctx.params)
            .await?
            .iter()
            .any(|b| b.num_rows() > 0);
    let (mode, data) = if stale {
        let others =
            ctx.lake.stream(&format!("SELECT * FROM {table} WHERE as_of <> {tonight} ORDER BY as_of, account_id"), &ctx.params).await?;
        let target = schema.clone();
        let others = others.map(move |b| crate::rules::cells::conform(&b?, &target).map_err(stream_error));
        (Mode::Overwrite, stream_of(schema.clone(), others))
    } else {
        (Mode::OverwritePartitions, stream_of_batches(schema.clone(), vec![batch.clone()]))
    };
    let write = Write::new(table.clone(), mode, data, ctx.txn()).partitioned_by(["as_of"]).with_fingerprint(ctx.fingerprint.clone());
    ctx.lake.commit(write).await?;
    ctx.progress.rows(batch.num_rows() as u64);
    Ok(batch.num_rows() as u64)
}
