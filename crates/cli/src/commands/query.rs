use crate::args::{Global, QueryArgs};
use crate::context::{Failure, lake, project};
use crate::render;
use cscopilot_diag::{Diagnostic, ExitClass};
use std::io::Read;

/// `cscopilot query`
pub(crate) async fn run(args: &QueryArgs, global: &Global) -> Result<ExitClass, Failure> {
    let project = project(global)?;
    let lake = lake(&project).await?;
    let mut sql = args.sql.clone();
    if sql == "-" {
        sql.clear();
        std::io::stdin()
            .read_to_string(&mut sql)
            .map_err(|e| Failure::invalid(Diagnostic::error("CLI020", format!("stdin can't be read: {e}"))))?;
    }
    let params = cscopilot_transform::params(&project, args.as_of.date());
    let rows = lake.query(&sql, &params).await?;
    render::rows::print(&rows, args.output, global)?;
    Ok(ExitClass::Done)
}
