//! Progress of a run: moving lines on a terminal, plain lines elsewhere.

use super::{seconds, thousands};
use cscopilot_lake::step::Progress;
use cscopilot_run::{Event, Observer, TaskStatus, TaskSummary};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

/// The observer that fits where stderr goes.
pub(crate) fn observer(quiet: bool) -> std::sync::Arc<dyn Observer> {
    if quiet {
        std::sync::Arc::new(cscopilot_run::Silent)
    } else if super::lively() {
        std::sync::Arc::new(Lively::default())
    } else {
        std::sync::Arc::new(Plain)
    }
}

/// Only what is under way, for commands whose output says how each task ended.
pub(crate) fn under_way(quiet: bool) -> std::sync::Arc<dyn Observer> {
    if quiet || !super::lively() {
        std::sync::Arc::new(cscopilot_run::Silent)
    } else {
        std::sync::Arc::new(Lively { is_brief: true, ..Lively::default() })
    }
}

/// One line a task, as it ends.
struct Plain;

impl Observer for Plain {
    fn event(&self, event: Event) {
        match event {
            Event::Started { run_id, tasks } => eprintln!("run {run_id}: {tasks} tasks"),
            Event::TaskStarted { .. } | Event::Ended(_) => {}
            Event::TaskEnded(task) => eprintln!("{}", line(&task)),
        }
    }
}

/// A spinner for each running task, and the ended ones above.
#[derive(Default)]
struct Lively {
    lines: MultiProgress,
    running: Mutex<BTreeMap<String, ProgressBar>>,
    /// Ended tasks leave no line.
    is_brief: bool,
}

impl Observer for Lively {
    fn event(&self, event: Event) {
        let Ok(mut running) = self.running.lock() else { return };
        match event {
            Event::Started { run_id, tasks } => {
                let _shown = self.lines.println(format!("run {run_id}: {tasks} tasks"));
            }
            Event::TaskStarted { id, progress } => {
                let bar = self.lines.add(ProgressBar::new_spinner());
                // Of one source's streams all begin alike, and the rest of the line is long enough.
                let (name, width) = if self.is_brief { (id.trim_start_matches("extract."), 32) } else { (id.as_str(), 40) };
                if let Ok(style) = ProgressStyle::with_template(&format!("{{spinner}} {{prefix:{width}}} {{elapsed:>4}} {{rows}}")) {
                    bar.set_style(style.with_key("rows", move |_: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
                        let _written = out.write_str(&so_far(&progress));
                    }));
                }
                bar.set_prefix(name.to_owned());
                bar.enable_steady_tick(Duration::from_millis(120));
                running.insert(id, bar);
            }
            Event::TaskEnded(task) => {
                if let Some(bar) = running.remove(&task.id) {
                    bar.finish_and_clear();
                }
                if !self.is_brief {
                    let _shown = self.lines.println(line(&task));
                }
            }
            Event::Ended(_) => {
                let _cleared = self.lines.clear();
            }
        }
    }
}

fn so_far(progress: &Progress) -> String {
    let rows = match progress.rows_so_far() {
        0 => String::new(),
        n => format!("{} rows ", thousands(n)),
    };
    rows + &progress.last_note().unwrap_or_default()
}

/// A task's end in one line.
fn line(task: &TaskSummary) -> String {
    let mark = match task.status {
        TaskStatus::Done if task.has_rejections() => "!",
        TaskStatus::Done => "✓",
        TaskStatus::UpToDate => "=",
        TaskStatus::Resumed => "↺",
        TaskStatus::Failed => "✗",
        TaskStatus::Blocked => "-",
    };
    let what = match (&task.status, &task.error) {
        (_, Some(error)) => format!("error[{}]: {}", error.code, error.message),
        (TaskStatus::UpToDate, _) => "up to date".to_owned(),
        (TaskStatus::Resumed, _) => "done before".to_owned(),
        _ => {
            let mut what = format!("{} rows", thousands(task.outcome.rows_out));
            if task.outcome.rows_rejected > 0 {
                what.push_str(&format!(", {} rejected", thousands(task.outcome.rows_rejected)));
            }
            what
        }
    };
    let time = if task.seconds > 0.05 { seconds(task.seconds) } else { String::new() };
    format!("{mark} {:44} {time:>9}  {what}", task.id)
}
