//! What `cscopilot extract` came to: one line a stream, and below them what a person should look at.

use super::{bytes, thousands};
use cscopilot_run::TaskSummary;
use serde_json::Value;
use std::fmt::Write;

/// Terminals and logs are at least so wide.
const WIDTH: usize = 100;

/// A column: its title, and what it says of a task; nothing where that isn't known.
type Column = (&'static str, fn(&TaskSummary) -> Option<String>);

const COLUMNS: [Column; 10] = [
    ("announced", |t| figure(t, "announced").map(thousands)),
    ("read", |t| Some(thousands(figure(t, "read").unwrap_or(t.outcome.rows_in)))),
    ("rejected", |t| Some(thousands(t.outcome.rows_rejected))),
    ("new", |t| Some(thousands(t.outcome.rows_out))),
    ("deleted", |t| figure(t, "deletes").or_else(|| fact(t, "rows_deleted")).map(thousands)),
    ("windows", |t| figure(t, "windows").or_else(|| fact(t, "windows")).map(thousands)),
    ("requests", |t| figure(t, "requests").map(thousands)),
    ("retries", |t| figure(t, "retries").map(thousands)),
    ("size", |t| figure(t, "bytes").or_else(|| fact(t, "bytes_read")).map(bytes)),
    ("secs", |t| Some(format!("{:.1}", t.seconds))),
];

fn fact(task: &TaskSummary, name: &str) -> Option<u64> {
    task.outcome.facts.get(name).and_then(Value::as_u64)
}

fn figure(task: &TaskSummary, name: &str) -> Option<u64> {
    task.outcome.facts.get("reconciliation").and_then(|all| all.get(name)).and_then(Value::as_u64)
}

/// The whole text. Columns that say nothing of any stream are left out.
pub(crate) fn text(tasks: &[TaskSummary]) -> String {
    let read: Vec<&TaskSummary> = tasks.iter().filter(|t| t.error.is_none()).collect();
    let mut columns: Vec<(usize, Vec<String>)> = Vec::new();
    for (title, of) in COLUMNS {
        let values: Vec<Option<String>> = read.iter().map(|task| of(task)).collect();
        // Most streams delete nothing.
        let is_silent = |value: &Option<String>| value.is_none() || title == "deleted" && value.as_deref() == Some("0");
        if !values.iter().all(is_silent) {
            let cells: Vec<String> =
                std::iter::once(title.to_owned()).chain(values.into_iter().map(|v| v.unwrap_or_else(|| "–".to_owned()))).collect();
            columns.push((cells.iter().map(|c| c.chars().count()).max().unwrap_or(0), cells));
        }
    }
    let names: Vec<&str> = std::iter::once("stream").chain(read.iter().map(|t| stream(t))).collect();
    let first = names.iter().map(|n| n.chars().count()).max().unwrap_or(0);
    let roomy = first + columns.iter().map(|(width, _)| width + 2).sum::<usize>() <= WIDTH;
    let gap = if roomy { "  " } else { " " };
    let mut text = String::new();
    for (row, name) in names.iter().enumerate().filter(|_| !read.is_empty()) {
        let cells: String = columns.iter().map(|(width, cells)| format!("{gap}{:>width$}", cells[row])).collect();
        let _written = writeln!(text, "{name:first$}{cells}");
    }
    for task in tasks {
        let name = stream(task);
        if let Some(error) = &task.error {
            let _written = writeln!(text, "{name} failed: {} [{}]", error.message, error.code);
            if let Some(help) = &error.help {
                let _written = writeln!(text, "  help: {help}");
            }
        }
        for warning in &task.outcome.warnings {
            let _written = writeln!(text, "{name}: {} [{}]", warning.message, warning.code);
        }
    }
    text
}

/// The stream's name: the source is the one that was asked for.
fn stream(task: &TaskSummary) -> &str {
    task.id.rsplit('.').next().unwrap_or(&task.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cscopilot_lake::step::Outcome;
    use cscopilot_run::TaskStatus;
    use serde_json::json;

    fn task(stream: &str, outcome: Outcome) -> TaskSummary {
        TaskSummary { id: format!("extract.crm.{stream}"), status: TaskStatus::Done, seconds: 12.34, outcome, error: None }
    }

    fn of_api(stream: &str, announced: Option<u64>, read: u64, rejected: u64) -> TaskSummary {
        let mut outcome = Outcome { rows_in: read, rows_out: read - rejected, rows_rejected: rejected, ..Outcome::default() };
        if rejected > 0 {
            outcome.warn("EXT020", format!("{rejected} of {read} records of raw.crm__{stream} were rejected: {rejected} × not_a_number"));
        }
        outcome.fact(
            "reconciliation",
            json!({"announced": announced, "read": read, "deletes": 0, "windows": 12, "requests": read / 100, "retries": 3, "bytes": read * 612}),
        );
        task(stream, outcome)
    }

    #[test]
    fn a_stream_is_one_line_and_ten_million_records_fit_on_a_screen() {
        let mut failed = task("users", Outcome::default());
        let error = json!({"code": "EXT067", "message": "GET /users was answered with 403: no", "help": "check the credentials"});
        failed.error = Some(serde_json::from_value(error).unwrap());
        let text = text(&[of_api("tickets", Some(10_000_000), 10_000_000, 2), failed, of_api("satisfaction_ratings", None, 0, 0)]);
        assert!(text.lines().take(3).all(|line| line.chars().count() <= WIDTH), "{text}");
        insta::assert_snapshot!(text, @"
        stream                announced       read rejected       new windows requests retries   size secs
        tickets              10,000,000 10,000,000        2 9,999,998      12  100,000       3 6.1 GB 12.3
        satisfaction_ratings          –          0        0         0      12        0       3    0 B 12.3
        tickets: 2 of 10000000 records of raw.crm__tickets were rejected: 2 × not_a_number [EXT020]
        users failed: GET /users was answered with 403: no [EXT067]
          help: check the credentials
        ");
    }

    #[test]
    fn what_files_and_databases_do_not_know_is_left_out() {
        let mut outcome = Outcome { rows_in: 9, rows_out: 7, ..Outcome::default() };
        outcome.fact("windows", 1);
        outcome.fact("rows_deleted", 2);
        insta::assert_snapshot!(text(&[task("orders", outcome)]), @"
        stream  read  rejected  new  deleted  windows  secs
        orders     9         0    7        2        1  12.3
        ");
    }
}
