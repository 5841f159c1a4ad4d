//! The closing summary of a run, on stdout.

use super::{seconds, thousands};
use cscopilot_lake::step::{CheckResult, CheckStatus};
use cscopilot_run::{RunSummary, TaskStatus, TaskSummary};

/// So many warnings fit on a screen beside the figures.
const MOST_WARNINGS: usize = 15;

/// Prints what the run did, and what a person should look at.
pub(crate) fn print(run: &RunSummary) {
    for task in run.tasks.iter().filter(|t| t.status == TaskStatus::Failed) {
        if let Some(error) = &task.error {
            println!("\nerror[{}] in {}: {}", error.code, task.id, error.message);
            if let Some(help) = &error.help {
                println!("  = help: {help}");
            }
        }
    }
    let warnings: Vec<String> = run.tasks.iter().flat_map(warnings).collect();
    if !warnings.is_empty() {
        println!("\nTo look at:");
        for warning in warnings.iter().take(MOST_WARNINGS) {
            println!("  {warning}");
        }
        if warnings.len() > MOST_WARNINGS {
            println!("  … and {} more, on the report's page about data quality and in results.json", warnings.len() - MOST_WARNINGS);
        }
    }
    println!("\n{} as of {}: {}", run.pipeline, run.as_of, verdict(run));
    for (label, value) in figures(run) {
        println!("  {label:16} {value}");
    }
}

fn warnings(task: &TaskSummary) -> Vec<String> {
    let said = task.outcome.warnings.iter().map(|w| format!("{}: {} [{}]", task.id, w.message, w.code));
    // A step's own warnings sum its checks up.
    let unsaid = |c: &&CheckResult| c.status == CheckStatus::Warned && task.outcome.warnings.is_empty();
    let checks = task.outcome.checks.iter().filter(unsaid).map(|c| {
        let detail = c.detail.as_deref().map_or_else(String::new, |d| format!(" ({d})"));
        format!("{}: {}: {} of {} rows{detail}", c.subject, c.check, thousands(c.failing_rows), thousands(c.total_rows))
    });
    said.chain(checks).collect()
}

fn verdict(run: &RunSummary) -> String {
    let count = |status: TaskStatus| run.tasks.iter().filter(|t| t.status == status).count();
    let mut parts = Vec::new();
    for (status, word) in [
        (TaskStatus::Done, "done"),
        (TaskStatus::UpToDate, "up to date"),
        (TaskStatus::Resumed, "done before"),
        (TaskStatus::Failed, "failed"),
        (TaskStatus::Blocked, "not run"),
    ] {
        if count(status) > 0 {
            parts.push(format!("{} {word}", count(status)));
        }
    }
    let end = match run.exit_code {
        0 => "done",
        3 => "done, with records to look at",
        _ => "failed",
    };
    format!("{end} in {} ({})", seconds(run.seconds), parts.join(", "))
}

/// The figures that people ask for, where the run has them.
fn figures(run: &RunSummary) -> Vec<(&'static str, String)> {
    let of = |prefix: &str| run.tasks.iter().filter(|t| t.id.starts_with(prefix)).collect::<Vec<_>>();
    let sum = |tasks: &[&TaskSummary], f: fn(&TaskSummary) -> u64| tasks.iter().map(|t| f(t)).sum::<u64>();
    let mut figures = Vec::new();
    let extracts = of("extract.");
    if !extracts.is_empty() {
        figures.push(("rows in", thousands(sum(&extracts, |t| t.outcome.rows_in))));
        figures.push(("rows rejected", thousands(sum(&extracts, |t| t.outcome.rows_rejected))));
    }
    for task in of("learn.") {
        let promoted = task.outcome.facts.get("champion").or_else(|| task.outcome.facts.get("verdict"));
        let text = promoted.map_or_else(|| "scored".to_owned(), |v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
        figures.push(("model", format!("{}: {text}", task.id.trim_start_matches("learn."))));
    }
    for (label, id) in [
        ("scores", "learn."),
        ("health scores", "assess.health"),
        ("alerts", "assess.alerts"),
        ("opportunities", "assess.opportunities"),
        ("next actions", "assess.actions"),
        ("CRM changes", "sync."),
        ("online rows", "publish."),
    ] {
        let tasks = of(id);
        if !tasks.is_empty() {
            figures.push((label, thousands(sum(&tasks, |t| t.outcome.rows_out))));
        }
    }
    for task in of("report") {
        if let Some(place) = task.outcome.facts.get("overview").and_then(|v| v.as_str()) {
            figures.push(("report", place.to_owned()));
        }
    }
    let mut slow: Vec<&TaskSummary> = run.tasks.iter().filter(|t| t.seconds > 0.5).collect();
    slow.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    if !slow.is_empty() {
        let text: Vec<String> = slow.iter().take(4).map(|t| format!("{} {}", t.id, seconds(t.seconds))).collect();
        figures.push(("slowest", text.join(", ")));
    }
    figures
}
