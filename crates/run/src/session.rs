//! One run, from the lock to the results.

use crate::error::Error;
use crate::events::{Event, Observer};
use crate::execute::Execution;
use crate::journal::{Journal, RunPlan, unfinished};
use crate::plan;
use crate::select::select;
use crate::summary::{RunSummary, TaskSummary};
use chrono::NaiveDate;
use cscopilot_diag::clock::Stopwatch;
use cscopilot_diag::{Coded, Domain, ExitClass, suggest};
use cscopilot_extract::Connections;
use cscopilot_lake::step::{Outcome, Progress, StepContext};
use cscopilot_lake::{Lake, LockOwner};
use cscopilot_spec::Project;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOptions {
    /// The pipeline's name.
    pub pipeline: String,
    /// The run's date.
    pub as_of: NaiveDate,
    /// `--select`; empty means all.
    pub select: Vec<String>,
    /// Computes everything derived anew.
    pub full_refresh: bool,
}

/// What a run needs besides its options.
#[derive(Clone)]
pub struct Runner {
    /// The project.
    pub project: Arc<Project>,
    /// The lake.
    pub lake: Lake,
    /// Who is told of events.
    pub observer: Arc<dyn Observer>,
    /// The connections to APIs, shared by all streams of a source.
    pub connections: Connections,
}

/// Runs a pipeline.
///
/// # Errors
/// When the run can't begin: an unknown pipeline or selection, another run at work, a lake that can't be written. A failing
/// task is no error of this function: the summary says it.
pub async fn run(runner: &Runner, options: &RunOptions) -> Result<RunSummary, Error> {
    let _lock = lock(&runner.lake, &options.pipeline).await?;
    let run_id = uuid::Uuid::now_v7().simple().to_string();
    execute(runner, options, &run_id, BTreeMap::new()).await
}

/// Takes the newest run up where it stopped.
///
/// # Errors
/// As [`run`], and when the newest run ended well.
pub async fn retry(runner: &Runner) -> Result<RunSummary, Error> {
    let _lock = lock(&runner.lake, "retry").await?;
    let plan = unfinished(&runner.lake).await?.ok_or(Error::NothingToRetry)?;
    let options =
        RunOptions { pipeline: plan.pipeline.clone(), as_of: plan.as_of, select: plan.select.clone(), full_refresh: plan.full_refresh };
    let done = Journal::of(&runner.lake, &plan.run_id).entries().await?;
    execute(runner, &options, &plan.run_id, done).await
}

/// The date of the run that [`retry`] would take up, if there is one.
///
/// # Errors
/// When the lake can't be read.
pub async fn pending(lake: &Lake) -> Result<Option<(String, NaiveDate)>, Error> {
    Ok(unfinished(lake).await?.map(|p| (p.run_id, p.as_of)))
}

async fn lock(lake: &Lake, what: &str) -> Result<cscopilot_lake::RunLock, Error> {
    lake.lock(&LockOwner::this_process(format!("`cscopilot run {what}`"))).await?.map_err(Error::Busy)
}

async fn execute(runner: &Runner, options: &RunOptions, run_id: &str, done: BTreeMap<String, TaskSummary>) -> Result<RunSummary, Error> {
    let watch = Stopwatch::start();
    let params = cscopilot_transform::params(&runner.project, options.as_of);
    let graph = plan::graph(&runner.project, &options.pipeline, &params)?;
    let selected = select(&graph, &options.select)?;
    let journal = Journal::of(&runner.lake, run_id);
    let plan = RunPlan {
        run_id: run_id.to_owned(),
        pipeline: options.pipeline.clone(),
        as_of: options.as_of,
        full_refresh: options.full_refresh,
        select: options.select.clone(),
        tasks: selected.iter().map(|i| graph.tasks[*i].id.clone()).collect(),
    };
    journal.begin(&plan).await?;
    runner.observer.event(Event::Started { run_id: run_id.to_owned(), tasks: selected.len() });
    let execution = Execution {
        runner: runner.clone(),
        graph: Arc::new(graph),
        journal: journal.clone(),
        options: options.clone(),
        run_id: run_id.to_owned(),
        params,
    };
    let tasks = execution.run(&selected, done).await?;
    let summary = RunSummary {
        run_id: run_id.to_owned(),
        pipeline: options.pipeline.clone(),
        as_of: options.as_of,
        exit_code: RunSummary::exit_class(&tasks).code(),
        seconds: watch.elapsed().as_secs_f64(),
        peak_memory_bytes: peak_memory(),
        tasks,
    };
    if summary.did_work() {
        crate::history::append(&runner.lake, &summary).await?;
        tidy(&runner.lake).await;
    }
    journal.end(&summary).await?;
    runner.observer.event(Event::Ended(summary.clone()));
    Ok(summary)
}

/// Deletes data files that no table has needed for a week, so that a lake doesn't grow with every night. The night is done by then, so
/// a failure is only logged; the next run tries again.
async fn tidy(lake: &Lake) {
    match lake.vacuum(chrono::TimeDelta::days(7)).await {
        Ok(deleted) => tracing::debug!(deleted, "deleted files of overwritten versions"),
        Err(error) => tracing::warn!(%error, "files of overwritten versions could not be deleted"),
    }
}

/// The most memory that this process has held, where the system tells (Linux).
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024)
}

/// What a step gets when a command runs it by itself, outside any pipeline.
#[must_use]
pub fn lone_step(runner: &Runner, step: &str, as_of: NaiveDate) -> StepContext {
    StepContext {
        project: Arc::clone(&runner.project),
        lake: runner.lake.clone(),
        as_of,
        run_id: uuid::Uuid::now_v7().simple().to_string(),
        step: step.to_owned(),
        full_refresh: false,
        params: cscopilot_transform::params(&runner.project, as_of),
        progress: Progress::new(),
        fingerprint: None,
    }
}

/// Reads streams of one source by themselves, under the lock that runs take: all of them, or those named. Streams of one source run beside
/// each other; a child waits for its parent.
///
/// # Errors
/// When another run is at work, or the source or a stream is unknown. A stream that fails is in the summaries.
pub async fn extract(runner: &Runner, source: &str, streams: &[String], as_of: NaiveDate) -> Result<Vec<TaskSummary>, Error> {
    let _lock = lock(&runner.lake, &format!("extract {source}")).await?;
    let all: Vec<_> = cscopilot_extract::tasks(&runner.project).into_iter().filter(|t| t.source == source).collect();
    let unknown = |name: &str, known: Vec<&str>| Error::UnknownStream { name: name.to_owned(), help: suggest::help(name, known) };
    if all.is_empty() {
        return Err(unknown(source, runner.project.sources.keys().map(String::as_str).collect()));
    }
    if let Some(stranger) = streams.iter().find(|name| !all.iter().any(|t| t.stream == **name)) {
        return Err(unknown(stranger, all.iter().map(|t| t.stream.as_str()).collect()));
    }
    let (children, parents): (Vec<_>, Vec<_>) =
        all.into_iter().filter(|t| streams.is_empty() || streams.contains(&t.stream)).partition(|t| !t.reads.is_empty());
    let mut summaries = Vec::new();
    for group in [parents, children] {
        let mut running = tokio::task::JoinSet::new();
        for (position, task) in group.into_iter().enumerate() {
            let (step, connections, observer) =
                (lone_step(runner, &task.id, as_of), runner.connections.clone(), Arc::clone(&runner.observer));
            running.spawn(async move {
                observer.event(Event::TaskStarted { id: task.id.clone(), progress: step.progress.clone() });
                let watch = Stopwatch::start();
                let result = cscopilot_extract::run(&step, &connections, &task.source, &task.stream).await;
                let summary = TaskSummary::of(task.id, watch.elapsed(), result);
                observer.event(Event::TaskEnded(summary.clone()));
                (position, summary)
            });
        }
        let mut done: Vec<(usize, TaskSummary)> = Vec::new();
        while let Some(ended) = running.join_next().await {
            done.push(ended.map_err(Error::Lost)?);
        }
        done.sort_by_key(|(position, _)| *position);
        summaries.extend(done.into_iter().map(|(_, summary)| summary));
    }
    Ok(summaries)
}

/// Writes one sync's changes to the CRM, under the lock that runs take.
///
/// # Errors
/// When another run is at work, or the sync fails.
pub async fn sync(runner: &Runner, name: &str, as_of: NaiveDate) -> Result<Outcome, SyncError> {
    let _lock = lock(&runner.lake, &format!("sync {name}")).await?;
    Ok(cscopilot_sync::run(&lone_step(runner, &format!("sync.{name}"), as_of), name).await?)
}

/// Why a lone sync failed.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// It could not begin.
    #[error(transparent)]
    Run(#[from] Error),
    /// It failed.
    #[error(transparent)]
    Sync(#[from] cscopilot_sync::Error),
}

impl Coded for SyncError {
    fn code(&self) -> &'static str {
        match self {
            Self::Run(error) => error.code(),
            Self::Sync(error) => error.code(),
        }
    }

    fn domain(&self) -> Domain {
        match self {
            Self::Run(error) => error.domain(),
            Self::Sync(error) => error.domain(),
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Run(error) => error.help(),
            Self::Sync(error) => error.help(),
        }
    }

    fn exit_class(&self) -> ExitClass {
        match self {
            Self::Run(error) => error.exit_class(),
            Self::Sync(error) => error.exit_class(),
        }
    }
}
