use crate::summary::{RunSummary, TaskSummary};
use cscopilot_lake::step::Progress;

/// What happens during a run, for whoever shows it.
#[derive(Debug, Clone)]
pub enum Event {
    /// A run begins, with so many tasks.
    Started {
        /// The run.
        run_id: String,
        /// How many tasks there are.
        tasks: usize,
    },
    /// A task begins.
    TaskStarted {
        /// The task.
        id: String,
        /// How far it is.
        progress: Progress,
    },
    /// A task ended, was skipped or blocked.
    TaskEnded(TaskSummary),
    /// The run ended.
    Ended(RunSummary),
}

/// Whoever is told of events: a terminal, a log, nobody. Called from any thread; must not block for long.
pub trait Observer: Send + Sync {
    /// Takes notice.
    fn event(&self, event: Event);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: Event) {}
}
