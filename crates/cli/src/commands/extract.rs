use crate::args::{ExtractArgs, Format, Global};
use crate::context::{Failure, checked_project, lake};
use crate::render;
use cscopilot_diag::ExitClass;
use cscopilot_extract::{Connections, Tape};
use cscopilot_run::{RunSummary, Runner};

/// `cscopilot extract`
pub(crate) async fn run(args: &ExtractArgs, global: &Global) -> Result<ExitClass, Failure> {
    let project = checked_project(global)?;
    let lake = lake(&project).await?;
    let tape = match (&args.record, &args.replay) {
        (Some(dir), _) => Tape::Record(dir.clone()),
        (None, Some(dir)) => Tape::Replay(dir.clone()),
        (None, None) => Tape::Off,
    };
    let observer = render::progress::under_way(global.quiet || global.format == Format::Json);
    let runner = Runner { project, lake, observer, connections: Connections::new(tape) };
    if args.preview {
        return preview(args, global, &runner).await;
    }
    let tasks = cscopilot_run::extract(&runner, &args.source, &args.streams, args.as_of.date()).await?;
    match global.format {
        Format::Json => println!("{}", serde_json::json!(tasks)),
        Format::Text => print!("{}", render::extraction::text(&tasks)),
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
