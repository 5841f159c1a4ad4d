//! Executes tasks: as many at once as there are threads, each as soon as what it needs is there.

use crate::adapt;
use crate::error::{Error, TaskError};
use crate::events::Event;
use crate::fingerprint::{self, Known};
use crate::graph::Graph;
use crate::journal::Journal;
use crate::plan::is_fresh;
use crate::session::{RunOptions, Runner};
use crate::state::{self, TaskState};
use crate::summary::{TaskStatus, TaskSummary};
use crate::task::TaskKind;
use cscopilot_diag::clock::Stopwatch;
use cscopilot_lake::Params;
use cscopilot_lake::step::{CheckResult, Outcome, Progress, StepContext};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::task::JoinSet;

/// What executing needs.
#[derive(Clone)]
pub(crate) struct Execution {
    pub(crate) runner: Runner,
    pub(crate) graph: Arc<Graph>,
    pub(crate) journal: Journal,
    pub(crate) options: RunOptions,
    pub(crate) run_id: String,
    pub(crate) params: Params,
}

/// A task that was begun.
struct Ended {
    position: usize,
    fingerprint: Option<String>,
    summary: TaskSummary,
}

impl Execution {
    /// Runs the selected tasks; those in `done` had been done before.
    pub(crate) async fn run(&self, selected: &BTreeSet<usize>, mut done: BTreeMap<String, TaskSummary>) -> Result<Vec<TaskSummary>, Error> {
        let mut open: BTreeSet<usize> = selected.clone();
        let mut ended: BTreeMap<usize, TaskSummary> = BTreeMap::new();
        let mut known = Known::new();
        let mut running: JoinSet<Result<Ended, Error>> = JoinSet::new();
        // Tasks that the selection leaves out count as they are in the lake.
        for i in (0..self.graph.tasks.len()).filter(|i| !selected.contains(i)) {
            if let Some(state) = state::read(&self.runner.lake, &self.graph.tasks[i].id).await? {
                known.insert(i, state.fingerprint);
            }
        }
        while !open.is_empty() || !running.is_empty() {
            let ready: Vec<usize> = open
                .iter()
                .copied()
                .filter(|i| self.graph.needs[*i].iter().all(|n| ended.contains_key(n) || !selected.contains(n)))
                .collect();
            for position in ready {
                if running.len() >= self.runner.project.threads() {
                    break;
                }
                open.remove(&position);
                let id = &self.graph.tasks[position].id;
                let fingerprint = fingerprint::of(&self.runner.lake, &self.graph, position, &known, self.options.as_of).await?;
                // The table of data quality is wanted most when something failed.
                let needs = self.graph.needs[position].iter().filter(|_| self.graph.tasks[position].kind != TaskKind::Quality);
                if let Some(failed) = needs.into_iter().find(|n| ended.get(n).is_some_and(|t| !t.succeeded())) {
                    let summary = self.blocked(position, &self.graph.tasks[*failed].id);
                    self.tell(&mut ended, position, summary);
                } else if let Some(before) = done.remove(id).filter(|_| self.graph.tasks[position].kind != TaskKind::Quality) {
                    let state = state::read(&self.runner.lake, &before.id).await?;
                    known.insert(position, state.map_or(fingerprint, |s| s.fingerprint));
                    self.tell(&mut ended, position, before);
                } else {
                    let checks = self.checks_so_far(position, &ended);
                    let this = self.clone();
                    running.spawn(async move { this.task(position, fingerprint, checks).await });
                }
            }
            if let Some(result) = running.join_next().await {
                let end = result.map_err(Error::Lost)??;
                if let Some(fingerprint) = end.fingerprint {
                    known.insert(end.position, fingerprint);
                }
                self.tell(&mut ended, end.position, end.summary);
            }
        }
        Ok(ended.into_values().collect())
    }

    fn tell(&self, ended: &mut BTreeMap<usize, TaskSummary>, position: usize, summary: TaskSummary) {
        self.runner.observer.event(Event::TaskEnded(summary.clone()));
        ended.insert(position, summary);
    }

    fn blocked(&self, position: usize, by: &str) -> TaskSummary {
        TaskSummary {
            id: self.graph.tasks[position].id.clone(),
            status: TaskStatus::Blocked,
            seconds: 0.0,
            outcome: Outcome::default(),
            error: Some(TaskError { code: "RUN010".to_owned(), message: format!("not run, because {by} failed"), help: None }),
        }
    }

    /// What the table of data quality is made of.
    fn checks_so_far(&self, position: usize, ended: &BTreeMap<usize, TaskSummary>) -> Vec<CheckResult> {
        match self.graph.tasks[position].kind {
            TaskKind::Quality => ended.values().flat_map(|t| t.outcome.checks.iter().cloned()).collect(),
            _ => Vec::new(),
        }
    }

    /// Runs one task, unless it is up to date.
    async fn task(&self, position: usize, mut fingerprint: String, checks: Vec<CheckResult>) -> Result<Ended, Error> {
        let task = &self.graph.tasks[position];
        let lake = &self.runner.lake;
        if task.kind == TaskKind::Quality {
            let text = serde_json::to_string(&checks).unwrap_or_default();
            fingerprint = blake3::hash(format!("{}{text}", self.options.as_of).as_bytes()).to_hex()[..32].to_owned();
        }
        let looks = matches!(task.kind, TaskKind::Extract { .. });
        if !looks
            && !self.options.full_refresh
            && is_fresh(lake, task, &fingerprint).await?
            && let Some(state) = state::read(lake, &task.id).await?
        {
            let summary =
                TaskSummary { id: task.id.clone(), status: TaskStatus::UpToDate, seconds: 0.0, outcome: state.outcome, error: None };
            self.journal.done(&summary).await?;
            return Ok(Ended { position, fingerprint: Some(fingerprint), summary });
        }
        let progress = Progress::new();
        self.runner.observer.event(Event::TaskStarted { id: task.id.clone(), progress: progress.clone() });
        let context = StepContext {
            project: Arc::clone(&self.runner.project),
            lake: lake.clone(),
            as_of: self.options.as_of,
            run_id: self.run_id.clone(),
            step: task.id.clone(),
            full_refresh: self.options.full_refresh,
            params: self.params.clone(),
            progress,
            fingerprint: Some(fingerprint.clone()),
        };
        let watch = Stopwatch::start();
        let result = adapt::run(&context, &self.runner.connections, &task.kind, checks).await;
        let seconds = watch.elapsed().as_secs_f64();
        match result {
            Ok(mut outcome) => {
                if outcome.up_to_date
                    && let Some(before) = state::read(lake, &task.id).await?
                {
                    // Nothing new was read, so what was wrong with the last read still is.
                    outcome = Outcome { up_to_date: true, ..before.outcome };
                }
                let status = if outcome.up_to_date { TaskStatus::UpToDate } else { TaskStatus::Done };
                // Refused rows are tried again the next time, so a task that has some is never up to date.
                if !(matches!(task.kind, TaskKind::Sync(_) | TaskKind::Publish(_)) && outcome.rows_rejected > 0) {
                    state::write(lake, &task.id, &TaskState { fingerprint: fingerprint.clone(), outcome: outcome.clone() }).await?;
                }
                let summary = TaskSummary { id: task.id.clone(), status, seconds, outcome, error: None };
                self.journal.done(&summary).await?;
                Ok(Ended { position, fingerprint: Some(fingerprint), summary })
            }
            Err(error) => {
                let checks = error.checks;
                let outcome = Outcome { checks, ..Outcome::default() };
                let summary = TaskSummary { id: task.id.clone(), status: TaskStatus::Failed, seconds, outcome, error: Some(error.error) };
                Ok(Ended { position, fingerprint: None, summary })
            }
        }
    }
}
