//! What a run would do, without doing it.

use crate::error::Error;
use crate::fingerprint::{self, Known};
use crate::graph::Graph;
use crate::select::select;
use crate::state;
use crate::task::{Task, TaskKind};
use crate::{expand, session::RunOptions};
use cscopilot_diag::suggest;
use cscopilot_lake::{Lake, Params};
use cscopilot_spec::Project;
use serde::Serialize;
use std::collections::BTreeSet;

/// What a run would do with a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Planned {
    /// It would look for new files and read those.
    Look,
    /// It would run.
    Run,
    /// It is up to date as long as what it needs stays as it is.
    UpToDate,
    /// The selection leaves it out.
    LeftOut,
}

/// One line of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedTask {
    /// The task's id.
    pub id: String,
    /// What would be done.
    pub planned: Planned,
    /// The tables it reads.
    pub reads: Vec<String>,
    /// The tables it writes.
    pub writes: Vec<String>,
    /// The tasks it waits for.
    pub needs: Vec<String>,
}

/// What a run would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The pipeline.
    pub pipeline: String,
    /// The run's date.
    pub as_of: chrono::NaiveDate,
    /// The tasks in the order they may run.
    pub tasks: Vec<PlannedTask>,
}

/// The graph of a pipeline.
pub(crate) fn graph(project: &Project, pipeline: &str, params: &Params) -> Result<Graph, Error> {
    let loaded = project.pipelines.get(pipeline).ok_or_else(|| Error::UnknownPipeline {
        name: pipeline.to_owned(),
        help: suggest::help(pipeline, project.pipelines.keys().map(String::as_str)),
    })?;
    Graph::new(expand::expand(project, &loaded.value, params))
}

/// Plans a run: reads what the lake says of the last one, changes nothing.
///
/// # Errors
/// An unknown pipeline or selection, tasks that wait for one another, or a lake that can't be read.
pub async fn plan(project: &Project, lake: &Lake, options: &RunOptions) -> Result<Plan, Error> {
    let params = cscopilot_transform::params(project, options.as_of);
    let graph = graph(project, &options.pipeline, &params)?;
    let selected = select(&graph, &options.select)?;
    let mut known = Known::new();
    let mut stale: BTreeSet<usize> = BTreeSet::new();
    let mut tasks = Vec::new();
    for (i, task) in graph.tasks.iter().enumerate() {
        let mut fingerprint = fingerprint::of(lake, &graph, i, &known, options.as_of).await?;
        // What the checks said is known only when they ran: if none of them runs, the table stays.
        if task.kind == TaskKind::Quality
            && let Some(state) = state::read(lake, &task.id).await?
        {
            fingerprint = state.fingerprint;
        }
        let fresh = !options.full_refresh && is_fresh(lake, task, &fingerprint).await?;
        known.insert(i, fingerprint);
        let planned = if !selected.contains(&i) {
            Planned::LeftOut
        } else if matches!(task.kind, TaskKind::Extract { .. }) {
            Planned::Look
        } else if fresh && graph.needs[i].is_disjoint(&stale) {
            Planned::UpToDate
        } else {
            stale.insert(i);
            Planned::Run
        };
        tasks.push(PlannedTask {
            id: task.id.clone(),
            planned,
            reads: task.reads.iter().map(ToString::to_string).collect(),
            writes: task.writes.iter().map(ToString::to_string).collect(),
            needs: graph.needs[i].iter().map(|n| graph.tasks[*n].id.clone()).collect(),
        });
    }
    Ok(Plan { pipeline: options.pipeline.clone(), as_of: options.as_of, tasks })
}

/// Whether a task's last success had this fingerprint, and what it made is still there.
pub(crate) async fn is_fresh(lake: &Lake, task: &Task, fingerprint: &str) -> Result<bool, Error> {
    match state::read(lake, &task.id).await? {
        Some(state) if state.fingerprint == fingerprint => match &task.kind {
            TaskKind::Transform(table) => Ok(lake.table(table).await?.is_some()),
            _ => Ok(true),
        },
        _ => Ok(false),
    }
}
