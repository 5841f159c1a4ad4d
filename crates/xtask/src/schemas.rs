//! `schemas/`: generated, committed, and checked for drift.

use std::path::Path;

/// Writes the schemas, or fails if the committed ones differ.
pub(crate) fn run(root: &Path, check: bool) -> Result<(), String> {
    let folder = root.join("schemas");
    let mut stale = Vec::new();
    for file in cscopilot_spec::schemas::all() {
        let path = folder.join(&file.name);
        if std::fs::read_to_string(&path).is_ok_and(|text| text == file.text) {
            continue;
        }
        stale.push(file.name.clone());
        if !check {
            std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
            std::fs::write(&path, &file.text).map_err(|e| format!("{}: {e}", path.display()))?;
        }
    }
    match (check, stale.is_empty()) {
        (true, false) => Err(format!("schemas/ is not what the types generate: {}; run `make schemas` and commit", stale.join(", "))),
        (true, true) => Ok(()),
        (false, _) => {
            println!("schemas: {} written", stale.len());
            Ok(())
        }
    }
}
