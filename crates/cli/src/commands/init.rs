use crate::args::InitArgs;
use crate::context::Failure;
use cscopilot_diag::{Diagnostic, ExitClass};
use include_dir::{Dir, DirEntry, include_dir};
use std::path::Path;

/// The repository's root is the starter project; these are its parts.
static PARTS: [(&str, &Dir<'_>); 5] = [
    ("configs", &include_dir!("$CARGO_MANIFEST_DIR/../../configs")),
    ("pipelines", &include_dir!("$CARGO_MANIFEST_DIR/../../pipelines")),
    ("reports", &include_dir!("$CARGO_MANIFEST_DIR/../../reports")),
    ("schemas", &include_dir!("$CARGO_MANIFEST_DIR/../../schemas")),
    ("sql", &include_dir!("$CARGO_MANIFEST_DIR/../../sql")),
];
static CONFIG: &str = include_str!("../../../../cscopilot.yaml");
static IGNORED: &str = "/lake\n/data\n";

/// `cscopilot init`
pub(crate) fn run(args: &InitArgs) -> Result<ExitClass, Failure> {
    let dir = &args.dir;
    let busy = std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
    if busy {
        return Err(Failure::invalid(
            Diagnostic::error("CLI010", format!("{} is not empty", dir.display())).with_help("name a new folder"),
        ));
    }
    write(dir)
        .map_err(|e| Failure::failed(Diagnostic::error("CLI011", format!("the project can't be written to {}: {e}", dir.display()))))?;
    println!("Wrote a starter project to {}. Next:", dir.display());
    println!("  cd {}", dir.display());
    println!("  cscopilot simulate                          # extracts of a simulated company, in data/");
    println!("  cscopilot simulate crm &                  # a fake Salesforce that keeps what it is sent");
    println!("  export SALESFORCE_URL=http://127.0.0.1:8089 SALESFORCE_TOKEN=demo-token");
    println!("  cscopilot run nightly --as-of 2026-06-30    # then open lake/site/index.html");
    Ok(ExitClass::Done)
}

fn write(dir: &Path) -> std::io::Result<()> {
    for (name, part) in PARTS {
        copy(part, &dir.join(name))?;
    }
    std::fs::write(dir.join("cscopilot.yaml"), CONFIG)?;
    std::fs::write(dir.join(".gitignore"), IGNORED)
}

fn copy(part: &Dir<'_>, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in part.entries() {
        let Some(name) = entry.path().file_name() else { continue };
        match entry {
            DirEntry::Dir(dir) => copy(dir, &to.join(name))?,
            DirEntry::File(file) => std::fs::write(to.join(name), file.contents())?,
        }
    }
    Ok(())
}
