use super::digest::digest;
use crate::args::{Format, Global, TablesArgs};
use crate::context::{Failure, lake, project};
use crate::render::thousands;
use cscopilot_diag::ExitClass;

/// `cscopilot tables`
pub(crate) async fn run(args: &TablesArgs, global: &Global) -> Result<ExitClass, Failure> {
    let project = project(global)?;
    let lake = lake(&project).await?;
    let tables = lake.tables().await?;
    if global.format == Format::Json {
        for table in &tables {
            let digest = if args.digest { Some(digest(&lake, &table.name).await?) } else { None };
            println!(
                "{}",
                serde_json::json!({"digest": digest, "name": table.name.to_string(), "version": table.version, "rows": table.rows, "files": table.files,
                    "bytes": table.bytes, "partition_by": table.partition_by,
                    "columns": table.schema.fields().iter().map(|f| serde_json::json!({"name": f.name(), "type": f.data_type().to_string()})).collect::<Vec<_>>()})
            );
        }
        return Ok(ExitClass::Done);
    }
    if tables.is_empty() {
        println!("the lake at {} holds no tables yet; `cscopilot run nightly` makes them", lake.location());
        return Ok(ExitClass::Done);
    }
    let width = tables.iter().map(|t| t.name.to_string().len()).max().unwrap_or(0);
    println!("{:width$}  {:>12}  {:>7}  {:>6}  {:>10}  columns", "table", "rows", "version", "files", "size");
    for table in &tables {
        let rows = table.rows.map_or_else(|| "view".to_owned(), thousands);
        println!(
            "{:width$}  {rows:>12}  {:>7}  {:>6}  {:>10}  {}",
            table.name.to_string(),
            table.version,
            table.files,
            size(table.bytes),
            table.schema.fields().len()
        );
        if args.digest {
            println!("{:width$}  {}", "", digest(&lake, &table.name).await?);
        }
    }
    Ok(ExitClass::Done)
}

fn size(bytes: u64) -> String {
    match bytes {
        b if b < 1 << 10 => format!("{b} B"),
        b if b < 1 << 20 => format!("{:.1} KiB", b as f64 / 1024.0),
        b if b < 1 << 30 => format!("{:.1} MiB", b as f64 / f64::from(1 << 20)),
        b => format!("{:.1} GiB", b as f64 / f64::from(1 << 30)),
    }
}
