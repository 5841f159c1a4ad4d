use crate::args::{Format, Global, LineageArgs};
use crate::context::{Failure, checked_project};
use cscopilot_diag::{Diagnostic, ExitClass, suggest};

/// `cscopilot lineage`
pub(crate) async fn run(args: &LineageArgs, global: &Global) -> Result<ExitClass, Failure> {
    let project = checked_project(global)?;
    let params = cscopilot_transform::params(&project, cscopilot_diag::clock::today());
    let graph = cscopilot_transform::lineage(&project, &cscopilot_run::base_schemas(&project), &params).await?;
    if global.format == Format::Json {
        println!("{}", serde_json::json!(graph));
        return Ok(ExitClass::Done);
    }
    let Some(name) = &args.name else {
        for (from, to) in &graph.edges {
            println!("{from} -> {to}");
        }
        return Ok(ExitClass::Done);
    };
    let tables: Vec<String> = graph.tables.iter().map(|n| n.table.to_string()).collect();
    if let Some(node) = graph.tables.iter().find(|n| n.table.to_string() == *name) {
        println!("{name} ({})", node.kind);
        for (from, to) in &graph.edges {
            match (from.to_string() == *name, to.to_string() == *name) {
                (_, true) => println!("  <- {from}"),
                (true, _) => println!("  -> {to}"),
                _ => {}
            }
        }
        return Ok(ExitClass::Done);
    }
    let column = |c: &cscopilot_transform::Column| format!("{}.{}", c.table, c.column);
    let mut found = false;
    for (from, to) in &graph.columns {
        let (from, to) = (column(from), column(to));
        if to == *name {
            println!("  <- {from}");
            found = true;
        }
        if from == *name {
            println!("  -> {to}");
            found = true;
        }
    }
    if found {
        return Ok(ExitClass::Done);
    }
    Err(Failure::invalid(
        Diagnostic::error("CLI040", format!("there is no table or column `{name}`"))
            .with_help_opt(suggest::help(name, tables.iter().map(String::as_str))),
    ))
}
