use crate::args::{ExtractArgs, Format, Global};
use crate::context::{Failure, checked_project, lake};
use crate::render::{self, thousands};
use cscopilot_diag::ExitClass;
use cscopilot_extract::{Connections, Tape};
use cscopilot_run::{RunSummary, Runner, TaskSummary};

/// `cscopilot extract`
pub(crate) async fn run(args: &ExtractArgs, global: &Global) -> Result<ExitClass, Failure> {
    let project = checked_project(global)?;
    let lake = lake(&project).await?;
    let tape = match (&args.record, &args.replay) {
        (Some(dir), _) => Tape::Record(dir.clone()),
        (None, Some(dir)) => Tape::Replay(dir.clone()),
        (None, None) => Tape::Off,
    };
    let observer = render::progress::observer(global.quiet || global.format == Format::Json);
    let runner = Runner { project, lake, observer, connections: Connections::new(tape) };
    if args.preview {
        return preview(args, global, &runner).await;
    }
    let tasks = cscopilot_run::extract(&runner, &args.source, &args.streams, args.as_of.date()).await?;
    match global.format {
        Format::Json => println!("{}", serde_json::json!(tasks)),
        Format::Text => tasks.iter().for_each(reconciliation),
    }
    Ok(RunSummary::exit_class(&tasks))
}

async fn preview(args: &ExtractArgs, global: &Global, runner: &Runner) -> Result<ExitClass, Failure> {
    let source = runner.project.sources.get(&args.source).map(|s| &s.value);
    let names: Vec<String> = match (&args.streams[..], source) {
        ([], Some(source)) => source.stream_names(runner.project.connector_of(source)).into_iter().map(str::to_owned).collect(),
        (named, _) => named.to_vec(),
    };
    for name in names {
        let step = cscopilot_run::lone_step(runner, &format!("extract.{}.{name}", args.source), args.as_of.date());
        let batches = cscopilot_extract::preview(&step, &runner.connections, &args.source, &name, args.limit).await?;
        if global.format == Format::Text {
            println!("{}.{name}", args.source);
        }
        render::rows::print(&batches, None, global)?;
    }
    Ok(ExitClass::Done)
}

/// One line a stream: what was announced, read, rejected and published, and what it took.
fn reconciliation(task: &TaskSummary) {
    let figure = |name: &str| task.outcome.facts.get("reconciliation").and_then(|r| r.get(name)).and_then(serde_json::Value::as_u64);
    let count = |name: &str| figure(name).map_or_else(|| "–".to_owned(), thousands);
    if let Some(error) = &task.error {
        println!("{}: failed: {} {}", task.id, error.code, error.message);
        return;
    }
    println!(
        "{}: announced {}, read {}, rejected {}, published {} ({} deletes); {} windows, {} requests, {} retries, {} bytes, {:.1} s",
        task.id,
        count("announced"),
        count("read"),
        count("rejected"),
        thousands(task.outcome.rows_out),
        count("deletes"),
        count("windows"),
        count("requests"),
        count("retries"),
        count("bytes"),
        task.seconds
    );
    for warning in &task.outcome.warnings {
        println!("  {} {}", warning.code, warning.message);
    }
}
