//! A run's folder in the lake: `runs/<run_id>/{plan,results}.json` and `journal/<task>.json`.
//!
//! Journal entries are put only if absent, so two processes can't both claim a task. A run without `results.json`, or whose
//! results name a failure, is what [`crate::retry`] takes up.

use crate::error::Error;
use crate::summary::{RunSummary, TaskStatus, TaskSummary};
use chrono::NaiveDate;
use cscopilot_lake::Lake;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a run set out to do: enough to take it up again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunPlan {
    pub(crate) run_id: String,
    pub(crate) pipeline: String,
    pub(crate) as_of: NaiveDate,
    pub(crate) full_refresh: bool,
    pub(crate) select: Vec<String>,
    /// The tasks' ids, in order.
    pub(crate) tasks: Vec<String>,
}

/// The journal of one run.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    lake: Lake,
    folder: String,
}

impl Journal {
    pub(crate) fn of(lake: &Lake, run_id: &str) -> Self {
        Self { lake: lake.clone(), folder: format!("runs/{run_id}") }
    }

    pub(crate) async fn begin(&self, plan: &RunPlan) -> Result<(), Error> {
        Ok(self.lake.objects().put_json_if_absent(&format!("{}/plan.json", self.folder), plan).await.map(|_new| ())?)
    }

    /// Notes a task's success.
    pub(crate) async fn done(&self, task: &TaskSummary) -> Result<(), Error> {
        let path = format!("{}/journal/{}.json", self.folder, task.id);
        Ok(self.lake.objects().put_json_if_absent(&path, task).await.map(|_new| ())?)
    }

    /// The tasks that had succeeded, by id.
    pub(crate) async fn entries(&self) -> Result<BTreeMap<String, TaskSummary>, Error> {
        let objects = self.lake.objects();
        let mut entries = BTreeMap::new();
        for object in objects.list(&format!("{}/journal", self.folder)).await? {
            if let Some(task) = objects.get_json::<TaskSummary>(&object.path).await? {
                entries.insert(task.id.clone(), TaskSummary { status: TaskStatus::Resumed, ..task });
            }
        }
        Ok(entries)
    }

    pub(crate) async fn end(&self, summary: &RunSummary) -> Result<(), Error> {
        Ok(self.lake.objects().put_json(&format!("{}/results.json", self.folder), summary).await?)
    }
}

/// The newest run, if it did not end well: run ids sort by time.
pub(crate) async fn unfinished(lake: &Lake) -> Result<Option<RunPlan>, Error> {
    let objects = lake.objects();
    let mut runs = objects.folders("runs").await?;
    runs.sort();
    let Some(newest) = runs.pop() else { return Ok(None) };
    let name = newest.trim_end_matches('/').rsplit('/').next().unwrap_or(&newest);
    let results: Option<RunSummary> = objects.get_json(&format!("runs/{name}/results.json")).await?;
    match results {
        Some(results) if results.tasks.iter().all(TaskSummary::succeeded) => Ok(None),
        _ => Ok(objects.get_json(&format!("runs/{name}/plan.json")).await?),
    }
}
