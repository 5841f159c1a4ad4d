use crate::args::{Format, Global};
use crate::context::{Failure, project};
use crate::render;
use cscopilot_diag::ExitClass;

/// `cscopilot check`
pub(crate) fn run(global: &Global) -> Result<ExitClass, Failure> {
    let project = project(global)?;
    let checked = cscopilot_run::check(&project).map_err(Failure::invalid)?;
    if global.format == Format::Json {
        println!("{}", serde_json::json!({ "diagnostics": checked.warnings }));
        return Ok(ExitClass::Done);
    }
    if !checked.warnings.is_empty() {
        render::diagnostics::print(&checked.warnings, global);
    }
    if !global.quiet {
        println!(
            "{}: {} SQL models, {} sources, {} models, {} pipelines are fine",
            project.config.value.name,
            project.sql.len(),
            project.sources.len(),
            project.models.len(),
            project.pipelines.len()
        );
    }
    Ok(ExitClass::Done)
}
