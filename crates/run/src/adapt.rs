//! The step crates behind one face: their tasks, and how each is run.

use crate::error::TaskError;
use crate::quality;
use crate::task::{Task, TaskKind};
use cscopilot_diag::Coded;
use cscopilot_extract::Connections;
use cscopilot_lake::step::{CheckResult, Outcome, StepContext};
use cscopilot_lake::{Params, TableName};
use cscopilot_spec::Project;

/// A task's failure: what to say, and the checks that tell why.
pub(crate) struct Failure {
    pub(crate) error: TaskError,
    pub(crate) checks: Vec<CheckResult>,
}

impl Failure {
    fn of(error: impl Coded) -> Self {
        Self { error: TaskError::of(&error), checks: Vec::new() }
    }
}

fn task(kind: TaskKind, reads: Vec<TableName>, writes: Vec<TableName>, parts: &[&str], dated: bool) -> Task {
    let mut hash = blake3::Hasher::new();
    for part in parts {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    Task { id: kind.to_string(), kind, reads, writes, definition: hash.finalize().to_hex()[..32].to_owned(), dated }
}

/// Every stream of every source.
pub(crate) fn extracts(project: &Project) -> Vec<Task> {
    let streams = cscopilot_extract::tasks(project).into_iter();
    streams.map(|t| task(TaskKind::Extract { source: t.source, stream: t.stream }, t.reads, t.writes, &[], true)).collect()
}

/// Every SQL model.
pub(crate) fn transforms(project: &Project, params: &Params) -> Vec<Task> {
    let models = cscopilot_transform::tasks(project, params).into_iter();
    models
        .map(|model| {
            let dated = model.params.contains("as_of");
            let values: String = params
                .iter()
                .filter(|(name, _)| *name != "as_of" && model.params.contains(*name))
                .map(|(n, v)| format!("{n}={v:?};"))
                .collect();
            let (reads, writes) = (model.reads.into_iter().collect(), model.writes.into_iter().collect());
            task(TaskKind::Transform(model.table), reads, writes, &[&model.definition, &values], dated)
        })
        .collect()
}

/// One model. Its words and rules are in the model's file and the feature dictionaries.
pub(crate) fn learn(project: &Project, name: &str) -> Option<Task> {
    let learn = cscopilot_learn::reads_writes(project).into_iter().find(|t| t.model == name)?;
    let model = project.models.get(name)?;
    let texts: Vec<&str> = std::iter::once(&*model.text).chain(project.features.values().map(|f| &*f.text)).collect();
    Some(task(TaskKind::Learn(name.to_owned()), learn.reads, learn.writes, &texts, true))
}

/// Health, alerts, opportunities and actions.
pub(crate) fn assess(project: &Project) -> Vec<Task> {
    let tasks = cscopilot_assess::tasks(project).into_iter();
    tasks
        .filter_map(|t| {
            let kind = match t.id {
                "assess.health" => TaskKind::Health,
                "assess.alerts" => TaskKind::Alerts,
                "assess.opportunities" => TaskKind::Opportunities,
                "assess.actions" => TaskKind::Actions,
                _ => return None,
            };
            let texts: Vec<&str> = t.texts.iter().map(AsRef::as_ref).collect();
            Some(task(kind, t.reads, t.writes, &texts, true))
        })
        .collect()
}

/// The table of data quality: after everything that checks or counts something.
pub(crate) fn quality(tasks: &[Task]) -> Task {
    let reads = tasks
        .iter()
        .filter(|t| !matches!(t.kind, TaskKind::Report | TaskKind::Sync(_) | TaskKind::Publish(_)))
        .flat_map(|t| t.writes.iter().cloned())
        .collect();
    task(TaskKind::Quality, reads, vec![quality::table()], &[], true)
}

/// The static site.
pub(crate) fn report(project: &Project) -> Task {
    let report = cscopilot_report::tasks(project);
    let texts: Vec<&str> = report.texts.iter().map(AsRef::as_ref).collect();
    task(TaskKind::Report, report.reads, Vec::new(), &texts, true)
}

/// One mapping.
pub(crate) fn sync(project: &Project, name: &str) -> Option<Task> {
    let sync = cscopilot_sync::tasks(project).into_iter().find(|t| t.sync == name)?;
    let texts: Vec<&str> = sync.texts.iter().map(AsRef::as_ref).collect();
    Some(task(TaskKind::Sync(name.to_owned()), sync.reads, sync.writes, &texts, true))
}

/// One online store. It writes no table: what it made lies outside of the lake.
pub(crate) fn publish(project: &Project, name: &str) -> Option<Task> {
    let store = project.stores.get(name)?;
    Some(task(TaskKind::Publish(name.to_owned()), cscopilot_sync::published_tables(&store.value), Vec::new(), &[&store.text], true))
}

/// Runs one task.
pub(crate) async fn run(
    ctx: &StepContext,
    connections: &Connections,
    kind: &TaskKind,
    checks: Vec<CheckResult>,
) -> Result<Outcome, Failure> {
    match kind {
        TaskKind::Extract { source, stream } => cscopilot_extract::run(ctx, connections, source, stream).await.map_err(Failure::of),
        TaskKind::Transform(table) => cscopilot_transform::run(ctx, table).await.map_err(|error| {
            let checks = error.checks().to_vec();
            Failure { checks, ..Failure::of(error) }
        }),
        TaskKind::Learn(model) => cscopilot_learn::run(ctx, model).await.map_err(Failure::of),
        TaskKind::Health => cscopilot_assess::run_health(ctx).await.map_err(Failure::of),
        TaskKind::Alerts => cscopilot_assess::run_alerts(ctx).await.map_err(Failure::of),
        TaskKind::Opportunities => cscopilot_assess::run_opportunities(ctx).await.map_err(Failure::of),
        TaskKind::Actions => cscopilot_assess::run_actions(ctx).await.map_err(Failure::of),
        TaskKind::Quality => quality::run(ctx, checks).await.map_err(Failure::of),
        TaskKind::Report => cscopilot_report::run(ctx).await.map_err(Failure::of),
        TaskKind::Sync(name) => cscopilot_sync::run(ctx, name).await.map_err(Failure::of),
        TaskKind::Publish(name) => cscopilot_sync::publish(ctx, name).await.map_err(Failure::of),
    }
}
