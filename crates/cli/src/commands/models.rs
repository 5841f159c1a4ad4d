use crate::args::{DecisionArgs, Format, Global, ModelsArgs, ModelsCommand};
use crate::context::{Failure, lake, project};
use crate::render;
use cscopilot_diag::{Diagnostic, ExitClass};
use cscopilot_lake::{Lake, LockOwner};
use cscopilot_learn::registry::compare::{compare, file, find};
use cscopilot_learn::{Action, Decision, VersionName};

/// `cscopilot models`
pub(crate) async fn run(args: &ModelsArgs, global: &Global) -> Result<ExitClass, Failure> {
    let project = project(global)?;
    let lake = lake(&project).await?;
    match &args.command {
        None | Some(ModelsCommand::List) => list(&lake, global).await?,
        Some(ModelsCommand::Show { model, version }) => show(&lake, model, *version, global).await?,
        Some(ModelsCommand::Compare { model, from, to }) => {
            let comparison = compare(&lake, model, *from, *to).await?;
            match global.format {
                Format::Json => println!("{}", serde_json::json!(comparison)),
                Format::Text => print!("{}", render::models::comparison(&comparison).map_err(unwritten)?),
            }
        }
        Some(ModelsCommand::Promote { model, version, decision }) => {
            let version = find(&lake, model, *version).await?.version;
            let _lock = lock(&lake, &format!("promote {model}")).await?;
            let made = cscopilot_learn::promote(&lake, model, version, decision.as_of.date(), reason(decision)).await?;
            say(&made, global);
        }
        Some(ModelsCommand::Rollback { model, decision }) => {
            let _lock = lock(&lake, &format!("rollback {model}")).await?;
            say(&cscopilot_learn::rollback(&lake, model, decision.as_of.date(), reason(decision)).await?, global);
        }
    }
    Ok(ExitClass::Done)
}

/// Each training, the newest first.
async fn list(lake: &Lake, global: &Global) -> Result<(), Failure> {
    let mut versions = cscopilot_learn::models(lake).await?;
    if versions.is_empty() {
        if global.format == Format::Text {
            println!("no model was trained yet; `cscopilot run nightly` trains those that are due");
        }
        return Ok(());
    }
    versions.sort_by(|a, b| a.run.model.cmp(&b.run.model).then((b.run.as_of, b.run.version).cmp(&(a.run.as_of, a.run.version))));
    match global.format {
        Format::Text => print!("{}", render::models::list(&versions).map_err(unwritten)?),
        Format::Json => versions.iter().for_each(|v| {
            let mut line = serde_json::json!(v);
            // What the training found out fills pages: `models show` has it.
            if let Some(fields) = line.as_object_mut() {
                fields.remove("detail");
            }
            println!("{line}");
        }),
    }
    Ok(())
}

fn unwritten(error: arrow::error::ArrowError) -> Failure {
    Failure::failed(Diagnostic::error("CLI001", format!("the rows can't be written: {error}")))
}

async fn show(lake: &Lake, model: &str, version: VersionName, global: &Global) -> Result<(), Failure> {
    let run = find(lake, model, version).await?;
    let name = if global.format == Format::Json { "card.json" } else { "card.md" };
    let card = file(lake, model, run.version, name).await?;
    print!("{}", String::from_utf8_lossy(&card));
    if global.format == Format::Text {
        for decision in &run.decisions {
            println!("\n{}", told(decision));
        }
    }
    Ok(())
}

async fn lock(lake: &Lake, what: &str) -> Result<cscopilot_lake::RunLock, Failure> {
    let owner = LockOwner::this_process(format!("`cscopilot models {what}`"));
    Ok(lake.lock(&owner).await?.map_err(cscopilot_run::Error::Busy)?)
}

fn reason(decision: &DecisionArgs) -> Option<&str> {
    decision.reason.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

fn say(decision: &Decision, global: &Global) {
    match global.format {
        Format::Json => println!("{}", serde_json::json!(decision)),
        Format::Text => println!("{}", told(decision)),
    }
}

/// A decision in one sentence.
fn told(decision: &Decision) -> String {
    let Decision { model, version, as_of, .. } = decision;
    let instead = decision.previous.map_or_else(|| "where there was none".to_owned(), |v| format!("in place of version {v}"));
    let how = match decision.action {
        Action::Promote => "by decision",
        Action::Rollback => "by rollback",
    };
    let why = decision.reason.as_deref().map_or_else(String::new, |text| format!(": {text}"));
    format!("version {version} is champion of {model} from {as_of} on, {how}, {instead}{why}")
}
