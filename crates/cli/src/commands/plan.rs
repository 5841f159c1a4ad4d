use crate::args::{Format, Global, RunArgs};
use crate::context::{Failure, checked_project, lake};
use cscopilot_diag::ExitClass;
use cscopilot_run::{Planned, RunOptions};

/// `cscopilot plan`
pub(crate) async fn run(args: &RunArgs, global: &Global) -> Result<ExitClass, Failure> {
    let project = checked_project(global)?;
    let lake = lake(&project).await?;
    let options = options(args);
    let plan = cscopilot_run::plan(&project, &lake, &options).await?;
    if global.format == Format::Json {
        println!("{}", serde_json::json!(plan));
        return Ok(ExitClass::Done);
    }
    println!("{} as of {}:", plan.pipeline, plan.as_of);
    for task in &plan.tasks {
        let what = match task.planned {
            Planned::Look => "look for new files",
            Planned::Run => "run",
            Planned::UpToDate => "up to date",
            Planned::LeftOut => "left out",
        };
        let reads = match task.reads.len() {
            0 => String::new(),
            n if n <= 3 => format!("  <- {}", task.reads.join(", ")),
            n => format!("  <- {}, … ({n} tables)", task.reads[..2].join(", ")),
        };
        println!("  {what:18}  {}{reads}", task.id);
    }
    let count = |planned: Planned| plan.tasks.iter().filter(|t| t.planned == planned).count();
    println!(
        "{} to run, {} to look for new files, {} up to date (as long as no new files come)",
        count(Planned::Run),
        count(Planned::Look),
        count(Planned::UpToDate)
    );
    Ok(ExitClass::Done)
}

/// The run that the arguments describe.
pub(crate) fn options(args: &RunArgs) -> RunOptions {
    RunOptions { pipeline: args.pipeline.clone(), as_of: args.as_of.date(), select: args.select.clone(), full_refresh: args.full_refresh }
}
