use crate::args::{Format, Global, TestArgs};
use crate::context::{Failure, checked_project};
use cscopilot_diag::ExitClass;

/// `cscopilot test`
pub(crate) async fn run(args: &TestArgs, global: &Global) -> Result<ExitClass, Failure> {
    let project = checked_project(global)?;
    let results = cscopilot_transform::test(&project, &cscopilot_run::base_schemas(&project), &args.select).await?;
    let failed = results.iter().filter(|r| !r.passed).count();
    if global.format == Format::Json {
        println!("{}", serde_json::json!(results));
    } else {
        for result in &results {
            println!("{} {} ({}:{})", if result.passed { "✓" } else { "✗" }, result.name, result.path, result.line);
            if let Some(problem) = &result.problem {
                println!("{problem}");
            }
            if let Some(difference) = &result.difference {
                println!("{difference}");
            }
        }
        println!("{} passed, {failed} failed", results.len() - failed);
    }
    Ok(if failed > 0 { ExitClass::Failed } else { ExitClass::Done })
}
