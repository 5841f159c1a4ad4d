//! What every step gets, and what it gives back. It lives here because each step crate has the lake and the specification at hand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::NaiveDate;
use cscopilot_spec::Project;
use serde::{Deserialize, Serialize};

use crate::{Lake, Params, Txn};

/// Everything a step needs.
#[derive(Clone)]
pub struct StepContext {
    /// The loaded project.
    pub project: Arc<Project>,
    /// The lake.
    pub lake: Lake,
    /// The logical date of the run. Nothing known after it may reach a feature.
    pub as_of: NaiveDate,
    /// The run.
    pub run_id: String,
    /// The step, such as `extract.crm.accounts`.
    pub step: String,
    /// Whether derived tables are to be computed anew (raw ones never are).
    pub full_refresh: bool,
    /// Parameters for SQL: `as_of` and the project's own.
    pub params: Params,
    /// Where progress is told.
    pub progress: Progress,
    /// The fingerprint of what this step's result depends on; the step stores it with its commit.
    pub fingerprint: Option<String>,
}

impl StepContext {
    /// The transaction of this step in this run.
    #[must_use]
    pub fn txn(&self) -> Txn {
        Txn { app: self.step.clone(), run: self.run_id.clone() }
    }
}

/// What a step did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outcome {
    /// Rows read.
    pub rows_in: u64,
    /// Rows written.
    pub rows_out: u64,
    /// Rows that could not be read or were refused.
    pub rows_rejected: u64,
    /// What a person should know although the step succeeded.
    pub warnings: Vec<Warning>,
    /// Whether there was nothing to do.
    pub up_to_date: bool,
    /// Further figures for the summary and `results.json`.
    pub facts: BTreeMap<String, serde_json::Value>,
    /// Results of data checks, for `ops.data_quality`.
    pub checks: Vec<CheckResult>,
}

impl Outcome {
    /// An outcome that says nothing had to be done.
    #[must_use]
    pub fn up_to_date() -> Self {
        Self { up_to_date: true, ..Self::default() }
    }

    /// Adds a warning.
    pub fn warn(&mut self, code: impl Into<String>, message: impl Into<String>) {
        self.warnings.push(Warning { code: code.into(), message: message.into() });
    }

    /// Adds a figure.
    pub fn fact(&mut self, name: impl Into<String>, value: impl Into<serde_json::Value>) {
        self.facts.insert(name.into(), value.into());
    }
}

/// Something a person should know although the step succeeded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// A stable code such as `EXT012`.
    pub code: String,
    /// What it is.
    pub message: String,
}

/// The result of one data check: a row of `ops.data_quality`, which adds `as_of`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// The table or stream.
    pub subject: String,
    /// The check, such as `unique(account_id)` or `rejected_rows`.
    pub check: String,
    /// `warn` or `error`.
    pub severity: CheckSeverity,
    /// How it went.
    pub status: CheckStatus,
    /// Rows that fail it.
    pub failing_rows: u64,
    /// Rows looked at.
    pub total_rows: u64,
    /// What it means, in words.
    pub detail: Option<String>,
    /// A few failing rows or values, as text.
    pub sample: Option<String>,
}

/// What a failing check does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckSeverity {
    /// It is shown, and the run ends with exit code 3.
    Warn,
    /// The step fails and the old table stays published.
    Error,
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// No row fails.
    Passed,
    /// Rows fail; severity `warn`.
    Warned,
    /// Rows fail; severity `error`.
    Failed,
}

impl CheckSeverity {
    /// The word in tables and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl CheckStatus {
    /// The word in tables and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Warned => "warned",
            Self::Failed => "failed",
        }
    }
}

/// Where a step tells how far it is: cheap, thread-safe, and shared by its clones. Whoever shows it reads it when it likes.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    rows: AtomicU64,
    total: AtomicU64,
    note: Mutex<Option<String>>,
}

impl Progress {
    /// Progress that starts at nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds rows that were dealt with.
    pub fn rows(&self, n: u64) {
        self.0.rows.fetch_add(n, Ordering::Relaxed);
    }

    /// Says how many rows there will be, where that is known.
    pub fn expect_rows(&self, n: u64) {
        self.0.total.store(n, Ordering::Relaxed);
    }

    /// Says in a few words what is being done.
    pub fn note(&self, text: impl Into<String>) {
        if let Ok(mut note) = self.0.note.lock() {
            *note = Some(text.into());
        }
    }

    /// Rows so far.
    #[must_use]
    pub fn rows_so_far(&self) -> u64 {
        self.0.rows.load(Ordering::Relaxed)
    }

    /// Rows expected, if known.
    #[must_use]
    pub fn rows_expected(&self) -> Option<u64> {
        Some(self.0.total.load(Ordering::Relaxed)).filter(|n| *n > 0)
    }

    /// The latest note.
    #[must_use]
    pub fn last_note(&self) -> Option<String> {
        self.0.note.lock().ok().and_then(|note| note.clone())
    }
}
