use crate::error::TaskError;
use chrono::NaiveDate;
use cscopilot_diag::{Coded, ExitClass};
use cscopilot_lake::step::{CheckStatus, Outcome};
use serde::{Deserialize, Serialize};

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// It was run.
    Done,
    /// Nothing it depends on had changed, so it was not run.
    UpToDate,
    /// It had ended before the run was taken up again.
    Resumed,
    /// It failed.
    Failed,
    /// Something it needs failed, so it was not run.
    Blocked,
}

/// One task's end, as in `results.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskSummary {
    /// The task's id.
    pub id: String,
    /// How it ended.
    pub status: TaskStatus,
    /// How long it took.
    pub seconds: f64,
    /// What it did; of a task that is up to date, what it did when it was last run.
    pub outcome: Outcome,
    /// What went wrong.
    pub error: Option<TaskError>,
}

impl TaskSummary {
    /// The summary of a task that was run by itself.
    pub(crate) fn of<E: Coded>(id: String, took: std::time::Duration, result: Result<Outcome, E>) -> Self {
        let seconds = took.as_secs_f64();
        match result {
            Ok(outcome) => {
                let status = if outcome.up_to_date { TaskStatus::UpToDate } else { TaskStatus::Done };
                Self { id, status, seconds, outcome, error: None }
            }
            Err(error) => Self { id, status: TaskStatus::Failed, seconds, outcome: Outcome::default(), error: Some(TaskError::of(&error)) },
        }
    }

    /// Whether tables that others read are there now.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        matches!(self.status, TaskStatus::Done | TaskStatus::UpToDate | TaskStatus::Resumed)
    }

    /// Whether something in it asks for exit code 3: rejected records, refused rows, warning checks.
    #[must_use]
    pub fn has_rejections(&self) -> bool {
        self.outcome.rows_rejected > 0 || self.outcome.checks.iter().any(|c| c.status == CheckStatus::Warned)
    }
}

/// A run's end: what `results.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// The run.
    pub run_id: String,
    /// The pipeline.
    pub pipeline: String,
    /// The run's date.
    pub as_of: NaiveDate,
    /// The worst that happened.
    pub exit_code: u8,
    /// How long it took.
    pub seconds: f64,
    /// The most memory that the process held, in bytes, where the system tells.
    pub peak_memory_bytes: Option<u64>,
    /// Each task, in the order of the plan.
    pub tasks: Vec<TaskSummary>,
}

impl RunSummary {
    /// The exit class of these tasks.
    #[must_use]
    pub fn exit_class(tasks: &[TaskSummary]) -> ExitClass {
        if tasks.iter().any(|t| !t.succeeded()) {
            ExitClass::Failed
        } else if tasks.iter().any(TaskSummary::has_rejections) {
            ExitClass::DoneWithRejections
        } else {
            ExitClass::Done
        }
    }

    /// Whether any task did work.
    #[must_use]
    pub fn did_work(&self) -> bool {
        self.tasks.iter().any(|t| t.status == TaskStatus::Done && !t.outcome.up_to_date)
    }
}
