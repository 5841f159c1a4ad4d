use crate::args::{DoctorArgs, Format, Global};
use crate::context::{Failure, checked_project, lake};
use cscopilot_diag::ExitClass;
use cscopilot_extract::Connections;

/// `cscopilot doctor`
pub(crate) async fn run(args: &DoctorArgs, global: &Global) -> Result<ExitClass, Failure> {
    let project = checked_project(global)?;
    let lake = lake(&project).await?;
    let findings = cscopilot_extract::doctor(&project, &lake, &Connections::default(), args.source.as_deref()).await;
    let failed = findings.iter().any(|f| !f.ok);
    if global.format == Format::Json {
        println!("{}", serde_json::json!(findings));
    } else {
        let width = findings.iter().map(|f| f.source.len()).max().unwrap_or(0);
        for finding in &findings {
            let mark = if finding.ok { "ok    " } else { "FAILED" };
            let left = finding.requests_left.map(|n| format!(" ({n} requests left)")).unwrap_or_default();
            let code = finding.code.as_ref().map(|code| format!("{code} ")).unwrap_or_default();
            println!("{:width$}  {mark}  {code}{}{left}", finding.source, finding.message);
            if let Some(help) = &finding.help {
                println!("{:width$}          help: {help}", "");
            }
        }
    }
    Ok(if failed { ExitClass::Failed } else { ExitClass::Done })
}
