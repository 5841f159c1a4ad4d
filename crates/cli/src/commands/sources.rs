use crate::args::{Format, Global};
use crate::context::{Failure, lake, project};
use crate::render::thousands;
use cscopilot_diag::ExitClass;

/// `cscopilot sources`
pub(crate) async fn run(global: &Global) -> Result<ExitClass, Failure> {
    let project = project(global)?;
    let lake = lake(&project).await?;
    let all = cscopilot_extract::status(&project, &lake).await?;
    if global.format == Format::Json {
        println!("{}", serde_json::json!(all));
        return Ok(ExitClass::Done);
    }
    let name = |s: &cscopilot_extract::StreamStatus| format!("{}.{}", s.source, s.stream);
    let width = all.iter().map(|s| name(s).len()).max().unwrap_or(6).max(6);
    println!("{:width$}  {:12}  {:>12}  {:20}  lag", "stream", "kind", "rows", "cursor");
    for status in &all {
        println!(
            "{:width$}  {:12}  {:>12}  {:20}  {}",
            name(status),
            status.kind,
            status.rows.map_or_else(|| "–".to_owned(), thousands),
            status.cursor.as_deref().unwrap_or("–"),
            status.lag_secs.map_or_else(|| "–".to_owned(), lag)
        );
    }
    Ok(ExitClass::Done)
}

fn lag(secs: i64) -> String {
    match secs {
        s if s < 120 => format!("{s} s"),
        s if s < 7_200 => format!("{} min", s / 60),
        s if s < 172_800 => format!("{} h", s / 3_600),
        s => format!("{} days", s / 86_400),
    }
}
