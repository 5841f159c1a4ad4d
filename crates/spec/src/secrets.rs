//! The secret store: environment variables, and a folder with one file a secret.
//!
//! Only the folder can be written to. Some vendors hand out a new refresh token with each access token and forget the old one, so the new
//! one has to be on disk before it is used: lose it, and somebody has to log in again by hand.

use cscopilot_diag::{Diagnostic, Secret};
use std::io::Write;
use std::path::PathBuf;

/// The folder of secret files: one file a secret, named after it.
const SECRETS_DIR: &str = "CSCOPILOT_SECRETS_DIR";

fn variables(name: &str) -> [String; 2] {
    [format!("CSCOPILOT_SECRET_{}", name.to_uppercase()), name.to_owned()]
}

pub(crate) fn find_secret(name: &str) -> Result<String, Diagnostic> {
    let variables = variables(name);
    if let Some(value) = variables.iter().find_map(|v| std::env::var(v).ok()) {
        return Ok(value);
    }
    let mut searched: Vec<String> = variables.iter().map(|v| format!("environment variable {v}")).collect();
    match std::env::var(SECRETS_DIR) {
        Ok(folder) => {
            let file = PathBuf::from(folder).join(name);
            if let Ok(value) = std::fs::read_to_string(&file) {
                return Ok(value.trim_end_matches(['\n', '\r']).to_owned());
            }
            searched.push(format!("file {}", file.display()));
        }
        Err(_) => searched.push(format!("the folder that {SECRETS_DIR} names (it is not set)")),
    }
    Err(Diagnostic::error("SPC017", format!("the secret `{name}` is nowhere to be found"))
        .with_help(format!("searched: {}", searched.join("; "))))
}

/// Replaces a secret in the store, durably: the file is written beside, synced and renamed.
///
/// # Errors
/// `SPC018` for a secret that doesn't stand in a file of the secrets' folder, or a file that can't be written.
pub fn keep_secret(name: &str, value: &Secret) -> Result<(), Diagnostic> {
    let failed = |message: String| {
        Diagnostic::error("SPC018", message).with_help(format!(
            "secrets that the vendor replaces must be files in the folder that {SECRETS_DIR} names, which this user may write"
        ))
    };
    if let Some(variable) = variables(name).iter().find(|v| std::env::var_os(v).is_some()) {
        return Err(failed(format!(
            "the secret `{name}` was replaced by the vendor, but it comes from the environment variable {variable}"
        )));
    }
    let folder = std::env::var(SECRETS_DIR).map(PathBuf::from);
    let folder = folder.map_err(|_| failed(format!("the secret `{name}` was replaced by the vendor, but {SECRETS_DIR} is not set")))?;
    write_secret(&folder, name, value).map_err(|error| failed(format!("the new secret `{name}` can't be written: {error}")))
}

fn write_secret(folder: &std::path::Path, name: &str, value: &Secret) -> std::io::Result<()> {
    let path = folder.join(name);
    let beside = folder.join(format!(".{name}.new"));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    file.write_all(value.expose().as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, &path)?;
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_secret_replaces_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "old").unwrap();
        write_secret(folder.path(), "token", &Secret::new("new".to_owned())).unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("token")).unwrap(), "new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
