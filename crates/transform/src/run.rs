//! Making one table.

use crate::checks::Checks;
use crate::compile::Model;
use crate::condition::columns_needed;
use crate::error::{Error, Result};
use crate::incremental::{Driver, Memory, Work, rewritten, with_keys_replaced, with_partitions_replaced};
use crate::project::model;
use crate::publish::{Gate, Guard, Resulting, positions, through};
use arrow::datatypes::{Schema, SchemaRef};
use cscopilot_diag::Diagnostics;
use cscopilot_lake::step::{CheckResult, Outcome, StepContext};
use cscopilot_lake::{Lake, Mode, Params, SchemaPolicy, Session, TableInfo, TableKind, TableName, View, Write};
use cscopilot_spec::At;
use cscopilot_spec::sql::{Check, CheckSeverity, ColumnsCheck, Materialization};
use datafusion::dataframe::DataFrame;
use futures::TryStreamExt;
use std::sync::Arc;

/// Computes one SQL model and publishes it, if its checks allow.
///
/// # Errors
/// See [`Error`]; after any of them the table is as it was.
pub async fn run(ctx: &StepContext, table: &TableName) -> Result<Outcome> {
    let model = Arc::new(model(&ctx.project, &ctx.params, table)?);
    let session = Arc::new(ctx.lake.session());
    let target = ctx.lake.table(table).await?;
    match model.materialization() {
        Materialization::View => view(ctx, &model, session, target).await,
        Materialization::Table => whole(ctx, &model, session, target, Memory::default(), None).await,
        Materialization::Incremental => incremental(ctx, &model, session, target).await,
    }
}

/// The results of a table's checks when it was last published: what a run shows for a table that is up to date.
///
/// # Errors
/// When the lake can't be read.
pub async fn last_checks(lake: &Lake, table: &TableName) -> Result<Vec<CheckResult>> {
    Ok(lake.objects().get_json(&checks_path(table)).await?.unwrap_or_default())
}

/// Keeps the results of a table's checks. Done before the table is published, so that a run that dies right after
/// publishing still finds them.
pub(crate) async fn keep_checks(lake: &Lake, table: &TableName, results: &[CheckResult]) -> Result<()> {
    Ok(lake.objects().put_json(&checks_path(table), results).await?)
}

async fn forget_checks(lake: &Lake, table: &TableName) -> Result<()> {
    lake.objects().delete(&checks_path(table)).await?;
    Ok(())
}

fn checks_path(table: &TableName) -> String {
    format!("state/checks/{table}.json")
}

/// The parameters that a model uses: a view keeps only those.
fn used_params(model: &Model, params: &Params) -> Params {
    params.iter().filter(|(name, _)| model.params.contains(*name)).map(|(name, value)| (name.to_owned(), value.clone())).collect()
}

async fn view(ctx: &StepContext, model: &Arc<Model>, session: Arc<Session>, target: Option<TableInfo>) -> Result<Outcome> {
    let frame = session.sql(&model.sql, &ctx.params).await?;
    let schema: SchemaRef = Arc::new(frame.schema().as_arrow().clone());
    let checks = checks(ctx, model, &schema);
    let mut outcome = Outcome::default();
    if checks.is_empty() {
        forget_checks(&ctx.lake, &model.table).await?;
    } else {
        let keep = columns_needed(checks.checks.iter(), &checks.keys, &schema);
        let gate = gate(ctx, session, checks, keep, vec![], None, None);
        let (mut rows, verdict) = through(&model.table, frame, gate).await?;
        let end = loop {
            match rows.try_next().await {
                Ok(Some(batch)) => outcome.rows_out += batch.num_rows() as u64,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        if let Some(error) = verdict.take_error() {
            return Err(error);
        }
        end.map_err(Error::query(&model.table))?;
        outcome.rows_in = verdict.rows_in();
        outcome.checks = verdict.results();
    }
    if target.is_some_and(|t| t.kind == TableKind::Table) {
        ctx.lake.drop_table(&model.table).await?;
    }
    let view =
        View::new(model.table.clone(), model.sql.to_string(), used_params(model, &ctx.params)).with_fingerprint(ctx.fingerprint.clone());
    ctx.lake.put_view(&view).await?;
    outcome.fact("materialized", "view");
    Ok(outcome)
}

async fn incremental(ctx: &StepContext, model: &Arc<Model>, session: Arc<Session>, target: Option<TableInfo>) -> Result<Outcome> {
    let Some(driver) = Driver::of(model) else { return Err(no_driver(model)) };
    let stored = target.as_ref().filter(|t| t.kind == TableKind::Table);
    let definition = definition(model, &ctx.params);
    match driver.narrow(&session, stored, definition.clone(), ctx.full_refresh).await? {
        Work::Nothing => {
            let mut outcome = Outcome::up_to_date();
            outcome.checks = last_checks(&ctx.lake, &model.table).await?;
            Ok(outcome)
        }
        Work::Everything { memory, wanted } => {
            let guard = wanted.map(|wanted| driver.no_strays(wanted, false));
            whole(ctx, model, session, target, memory, guard).await
        }
        Work::Partitions { wanted, count, filter } => {
            let memory = Memory { definition, ..Memory::default() };
            let frame = session.sql(&model.sql, &ctx.params).await?;
            let part = Part {
                mode: Mode::OverwritePartitions,
                memory: memory.clone(),
                guard: Some(driver.no_strays(wanted, true)),
                resulting: Some(Box::new({
                    let (table, filter) = (model.table.clone(), filter.clone());
                    move |columns| with_partitions_replaced(&table, columns, filter)
                })),
            };
            let mut outcome = match publish(ctx, model, Arc::clone(&session), frame, part).await {
                Err(Error::EmptiedPartition { .. }) => {
                    let frame = rewritten(&session, model, &ctx.params, filter).await?;
                    publish(ctx, model, session, frame, Part { mode: Mode::Overwrite, memory, guard: None, resulting: None }).await?
                }
                other => other?,
            };
            outcome.fact("partitions", count);
            Ok(outcome)
        }
        Work::Rows { memory } => {
            let keys: Vec<String> = model.file.value.header.unique_key.iter().map(|k| k.value.clone()).collect();
            let frame = session.sql(&model.sql, &ctx.params).await?;
            let part = Part {
                mode: Mode::Merge { keys: keys.clone() },
                memory,
                guard: None,
                resulting: Some(Box::new({
                    let table = model.table.clone();
                    move |columns| with_keys_replaced(&table, columns, keys)
                })),
            };
            publish(ctx, model, session, frame, part).await
        }
    }
}

/// The whole table, written anew.
async fn whole(
    ctx: &StepContext,
    model: &Arc<Model>,
    session: Arc<Session>,
    target: Option<TableInfo>,
    memory: Memory,
    guard: Option<Guard>,
) -> Result<Outcome> {
    let frame = session.sql(&model.sql, &ctx.params).await?;
    if target.is_some_and(|t| t.kind == TableKind::View) {
        ctx.lake.drop_table(&model.table).await?;
    }
    publish(ctx, model, session, frame, Part { mode: Mode::Overwrite, memory, guard, resulting: None }).await
}

/// How the rows of a query go into the table.
struct Part {
    mode: Mode,
    memory: Memory,
    guard: Option<Guard>,
    /// Makes the query for the table as it will be, from the columns that are kept for checks.
    resulting: Option<Box<dyn FnOnce(Vec<String>) -> Resulting + Send>>,
}

async fn publish(ctx: &StepContext, model: &Arc<Model>, session: Arc<Session>, frame: DataFrame, part: Part) -> Result<Outcome> {
    let schema: SchemaRef = Arc::new(frame.schema().as_arrow().clone());
    let header = &model.file.value.header;
    let partition_by: Vec<String> = header.partition_by.iter().map(|c| c.value.clone()).collect();
    let checks = checks(ctx, model, &schema);
    if checks.is_empty() {
        forget_checks(&ctx.lake, &model.table).await?;
    }
    let mut keys = checks.keys.clone();
    if part.guard.is_some() {
        keys.extend(partition_by.iter().cloned());
    }
    let nothing = checks.is_empty() && part.guard.is_none();
    let keep = if nothing { vec![] } else { columns_needed(checks.checks.iter(), &keys, &schema) };
    let kept: Vec<String> = keep.iter().map(|i| schema.field(*i).name().clone()).collect();
    let resulting = part.resulting.map(|make| make(kept));
    let order = if model.ordered { vec![] } else { order_of(model, &schema) };
    let gate = gate(ctx, session, checks, keep, order, resulting, part.guard);
    let (rows, verdict) = through(&model.table, frame, gate).await?;
    let incremental = model.materialization() == Materialization::Incremental;
    let policy = if part.mode == Mode::Overwrite { SchemaPolicy::Replace } else { SchemaPolicy::Evolve };
    let mut write = Write::new(model.table.clone(), part.mode, rows, ctx.txn())
        .partitioned_by(partition_by)
        .with_policy(policy)
        .with_fingerprint(ctx.fingerprint.clone());
    if incremental && let Ok(state) = serde_json::to_value(&part.memory) {
        write = write.with_state(state);
    }
    let committed = ctx.lake.commit(write).await;
    if let Some(error) = verdict.take_error() {
        return Err(error);
    }
    let committed = committed?;
    let mut outcome = Outcome { rows_in: verdict.rows_in(), rows_out: committed.rows, ..Outcome::default() };
    if committed.skipped {
        // This run had published these rows before it was interrupted.
        outcome.checks = last_checks(&ctx.lake, &model.table).await?;
        outcome.up_to_date = true;
    } else {
        outcome.checks = verdict.results();
    }
    outcome.fact("materialized", if incremental { "incremental" } else { "table" });
    Ok(outcome)
}

fn gate(
    ctx: &StepContext,
    session: Arc<Session>,
    checks: Checks,
    keep: Vec<usize>,
    order: Vec<usize>,
    resulting: Option<Resulting>,
    guard: Option<Guard>,
) -> Gate {
    Gate { session, checks, keep, order, resulting, guard, progress: ctx.progress.clone() }
}

/// The declared checks, and for an incremental table by key that its key is one.
fn checks(ctx: &StepContext, model: &Arc<Model>, schema: &SchemaRef) -> Checks {
    let header = &model.file.value.header;
    let mut checks: Vec<Check> = header.checks.iter().map(|c| c.value.clone()).collect();
    let names = |columns: &[At<String>]| columns.iter().map(|c| c.value.clone()).collect::<Vec<String>>();
    let implied = |columns: &[At<String>]| ColumnsCheck { columns: columns.to_vec(), severity: CheckSeverity::Error };
    if !header.unique_key.is_empty() {
        let key = names(&header.unique_key);
        let declared = |found: &Check| matches!(found, Check::Unique(c) if names(&c.columns) == key);
        if !checks.iter().any(declared) {
            checks.push(Check::Unique(implied(&header.unique_key)));
        }
    }
    let mut local_keys = Vec::new();
    let whole = model.materialization() != Materialization::Incremental;
    if whole {
        local_keys.push(vec![]);
    }
    if !header.partition_by.is_empty() {
        local_keys.push(names(&header.partition_by));
    }
    if !header.unique_key.is_empty() {
        local_keys.push(names(&header.unique_key));
    }
    Checks {
        model: Arc::clone(model),
        checks,
        schema: Arc::clone(schema),
        keys: key_columns(model),
        local_keys,
        params: ctx.params.clone(),
        as_of: ctx.as_of,
    }
}

/// The columns that name a row: the unique key, else those of the first `unique` check, else the partition columns.
fn key_columns(model: &Model) -> Vec<String> {
    let header = &model.file.value.header;
    let names = |columns: &[At<String>]| columns.iter().map(|c| c.value.clone()).collect::<Vec<String>>();
    if !header.unique_key.is_empty() {
        return names(&header.unique_key);
    }
    let unique = header.checks.iter().find_map(|c| match &c.value {
        Check::Unique(c) => Some(names(&c.columns)),
        _ => None,
    });
    unique.unwrap_or_else(|| names(&header.partition_by))
}

/// Where small results are put in order: by partition, then by key.
fn order_of(model: &Model, schema: &Schema) -> Vec<usize> {
    let mut names: Vec<String> = model.file.value.header.partition_by.iter().map(|c| c.value.clone()).collect();
    for key in key_columns(model) {
        if !names.contains(&key) {
            names.push(key);
        }
    }
    positions(&Arc::new(schema.clone()), &names)
}

/// A hash of everything but `as_of` that the rows of an incremental table depend on, data and checks aside.
fn definition(model: &Model, params: &Params) -> String {
    let header = &model.file.value.header;
    let mut hash = blake3::Hasher::new();
    hash.update(model.sql.trim().as_bytes());
    hash.update(format!("\0{:?}\0{:?}\0{:?}", header.on, header.partition_by, header.unique_key).as_bytes());
    for (name, value) in used_params(model, params).iter().filter(|(name, _)| *name != "as_of") {
        hash.update(format!("\0{name}={value}").as_bytes());
    }
    hash.finalize().to_hex().to_string()
}

fn no_driver(model: &Model) -> Error {
    let mut out = Diagnostics::new();
    model.file.validate(&mut out);
    Error::Invalid(out)
}
