use super::run::runner;
use crate::args::{Format, Global, SyncArgs};
use crate::context::Failure;
use crate::render::thousands;
use cscopilot_diag::ExitClass;
use cscopilot_sync::{Action, Diff};

/// `cscopilot sync`
pub(crate) async fn run(args: &SyncArgs, global: &Global) -> Result<ExitClass, Failure> {
    let runner = runner(global).await?;
    let as_of = args.as_of.date();
    if args.dry_run {
        let context = cscopilot_run::lone_step(&runner, &format!("sync.{}", args.sync), as_of);
        let diff = cscopilot_sync::diff(&context, &args.sync).await?;
        match global.format {
            Format::Json => println!("{}", serde_json::json!(diff)),
            Format::Text => print(&diff),
        }
        return Ok(ExitClass::Done);
    }
    let outcome = cscopilot_run::sync(&runner, &args.sync, as_of).await?;
    match global.format {
        Format::Json => println!("{}", serde_json::json!(outcome)),
        Format::Text => {
            println!("{}: {} fields written, {} records refused", args.sync, thousands(outcome.rows_out), thousands(outcome.rows_rejected))
        }
    }
    for warning in &outcome.warnings {
        eprintln!("warning[{}]: {}", warning.code, warning.message);
    }
    Ok(if outcome.rows_rejected > 0 { ExitClass::DoneWithRejections } else { ExitClass::Done })
}

fn print(diff: &Diff) {
    let mut record = "";
    for change in &diff.changes {
        if change.record != record {
            record = &change.record;
            println!("{} {} {}", diff.object, change.record, change.name.as_deref().unwrap_or(""));
        }
        let text = |v: &serde_json::Value| match v {
            serde_json::Value::Null => "(empty)".to_owned(),
            serde_json::Value::String(s) => s.clone(),
            other => other.to_string(),
        };
        let kept = if change.action == Action::KeepEdit { "  kept: a person edited it" } else { "" };
        println!("  {:32} {} -> {}{kept}", change.field, text(&change.before), text(&change.after));
    }
    println!(
        "{} fields would change; nothing was written",
        thousands(diff.changes.iter().filter(|c| c.action == Action::Write).count() as u64)
    );
}
