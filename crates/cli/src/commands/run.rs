use crate::args::{Format, Global, RunArgs};
use crate::context::{Failure, checked_project, lake};
use crate::render;
use cscopilot_diag::ExitClass;
use cscopilot_extract::Connections;
use cscopilot_run::{RunSummary, Runner};

/// `cscopilot run`
pub(crate) async fn run(args: &RunArgs, global: &Global) -> Result<ExitClass, Failure> {
    let runner = runner(global).await?;
    let summary = cscopilot_run::run(&runner, &super::plan::options(args)).await?;
    Ok(end(&summary, global))
}

/// `cscopilot retry`
pub(crate) async fn retry(global: &Global) -> Result<ExitClass, Failure> {
    let runner = runner(global).await?;
    let summary = cscopilot_run::retry(&runner).await?;
    Ok(end(&summary, global))
}

pub(super) async fn runner(global: &Global) -> Result<Runner, Failure> {
    let project = checked_project(global)?;
    let lake = lake(&project).await?;
    let observer = render::progress::observer(global.quiet || global.format == Format::Json);
    Ok(Runner { project, lake, observer, connections: Connections::default() })
}

fn end(summary: &RunSummary, global: &Global) -> ExitClass {
    match global.format {
        Format::Json => println!("{}", serde_json::json!(summary)),
        Format::Text => render::summary::print(summary),
    }
    RunSummary::exit_class(&summary.tasks)
}
