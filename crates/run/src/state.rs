//! What a task's last success was made from: `state/tasks/<task>.json` in the lake.
//!
//! Written after the task's own commit. A process that dies between the two runs the task again, which is harmless: the
//! same inputs give the same rows.

use cscopilot_lake::step::Outcome;
use cscopilot_lake::{Lake, Result};
use serde::{Deserialize, Serialize};

/// A task's last success.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TaskState {
    /// What it was made from.
    pub(crate) fingerprint: String,
    /// What it did.
    pub(crate) outcome: Outcome,
}

pub(crate) async fn read(lake: &Lake, task: &str) -> Result<Option<TaskState>> {
    lake.objects().get_json(&path(task)).await
}

pub(crate) async fn write(lake: &Lake, task: &str, state: &TaskState) -> Result<()> {
    lake.objects().put_json(&path(task), state).await
}

fn path(task: &str) -> String {
    format!("state/tasks/{task}.json")
}
