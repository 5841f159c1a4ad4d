//! Puts the XGBoost library beside the binaries, so that they run from anywhere.
//!
//! `make deps` fetches the wheel's library into `.deps`. It finds its own OpenMP library two folders up, so the wheel's
//! layout is kept below the profile folder: `xgboost/lib/libxgboost.so.3` and `xgboost_cpu.libs/`. Binaries look there
//! through the rpath in `.cargo/config.toml`.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=XGBOOST_LIB_DIR");
    // Without the variable XGBoost comes from the system or was built locally: nothing to place.
    let Some(library) = std::env::var_os("XGBOOST_LIB_DIR").map(PathBuf::from) else { return Ok(()) };
    println!("cargo:rerun-if-changed={}", library.display());
    if !library.is_dir() {
        return Err(format!("there is no XGBoost library in {}: run `make deps`", library.display()).into());
    }
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    // OUT_DIR is <target>/<profile>/build/<crate>/out.
    let profile = out.ancestors().nth(3).ok_or("OUT_DIR is not below a profile folder")?;
    place(&library, &profile.join("xgboost").join("lib"))?;
    if let Some(root) = library.parent().and_then(Path::parent) {
        for bundled in ["xgboost_cpu.libs", "xgboost.libs"] {
            let from = root.join(bundled);
            if from.is_dir() {
                place(&from, &profile.join(bundled))?;
            }
        }
    }
    Ok(())
}

/// Hard links the folder's libraries into another one, or copies them across file systems.
fn place(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if !(text.contains(".so") || text.contains(".dylib")) {
            continue;
        }
        // Links such as libxgboost.so.3 become files of their own: the loader looks for that name.
        let source = fs::canonicalize(entry.path())?;
        let target = to.join(&name);
        if target.exists() {
            fs::remove_file(&target)?;
        }
        if fs::hard_link(&source, &target).is_err() {
            fs::copy(&source, &target)?;
        }
    }
    Ok(())
}
