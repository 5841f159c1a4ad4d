//! A simulated company's project in a folder of its own, and what tests ask of it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

pub(crate) const AS_OF: &str = "2026-06-30";

/// The binary under test.
pub(crate) fn cscopilot() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cscopilot"));
    command.env("NO_COLOR", "1").env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// The repository's root: the starter project.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The folder of shared real data, if this machine has it.
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let base = std::env::var_os("CSCOPILOT_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    let folder = base.join("data").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("not run: {} is absent; set CSCOPILOT_SHARED to the folder that holds data/{name}", folder.display());
    None
}

/// Runs a command and insists on an exit code.
pub(crate) fn expect(command: &mut Command, codes: &[i32]) -> Output {
    let output = command.output().unwrap();
    let code = output.status.code();
    assert!(
        code.is_some_and(|c| codes.contains(&c)),
        "{command:?} ended with {code:?}\n--- stdout\n{}\n--- stderr\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// A copy of the starter project over a small simulated company, with a fake Salesforce.
pub(crate) struct Company {
    folder: tempfile::TempDir,
    server: Fake,
}

impl Company {
    pub(crate) fn new(accounts: u32, months: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().join("project");
        expect(cscopilot().arg("init").arg(&project), &[0]);
        let (accounts, months) = (accounts.to_string(), months.to_string());
        expect(
            cscopilot().arg("simulate").arg("--project").arg(&project).args([
                "--accounts",
                &accounts,
                "--months",
                &months,
                "--as-of",
                AS_OF,
            ]),
            &[0],
        );
        let server = Fake::start(&project, "fake");
        Self { folder, server }
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// A command over this project, its lake and its CRM.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = cscopilot();
        command.args(arguments).arg("--project").arg(self.project());
        command.env("SALESFORCE_URL", &self.server.url).env("SALESFORCE_TOKEN", "demo-token");
        command
    }

    pub(crate) fn nightly(&self) -> Command {
        self.command(&["run", "nightly", "--as-of", AS_OF])
    }

    /// Forgets all that was done: an empty lake, a CRM as it was.
    pub(crate) fn reset(&mut self) {
        let lake = self.project().join("lake");
        if lake.exists() {
            std::fs::remove_dir_all(lake).unwrap();
        }
        self.server.stop();
        std::fs::remove_dir_all(self.project().join("fake")).unwrap();
        self.server = Fake::start(&self.project(), "fake");
    }

    /// Everything that a run leaves behind and that must not depend on how it got there.
    pub(crate) fn state(&self) -> State {
        state(&self.project(), &self.project().join("fake"))
    }
}

/// What a finished night left.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// Table → digest of its rows.
    pub(crate) tables: BTreeMap<String, String>,
    /// File → its bytes' length and hash: models and pages.
    pub(crate) files: BTreeMap<String, u64>,
    /// The CRM's records.
    pub(crate) crm: String,
}

pub(crate) fn state(project: &Path, fake: &Path) -> State {
    let output = expect(cscopilot().args(["tables", "--digest", "--format", "json", "--project"]).arg(project), &[0]);
    let mut tables = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let table: serde_json::Value = serde_json::from_str(line).unwrap();
        let name = table["name"].as_str().unwrap().to_owned();
        // These say when and in which run; what they say besides is in other tables and in the CRM.
        if !["ops.runs", "ops.sync_log"].contains(&name.as_str()) {
            tables.insert(name, format!("{} rows, {}", table["rows"], table["digest"]));
        }
    }
    let mut files = BTreeMap::new();
    for part in ["models", "site"] {
        hash_files(&project.join("lake").join(part), project, &mut files);
    }
    State { tables, files, crm: std::fs::read_to_string(fake.join("salesforce.json")).unwrap_or_default() }
}

fn hash_files(folder: &Path, project: &Path, files: &mut BTreeMap<String, u64>) {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            hash_files(&path, project, files);
        } else {
            let mut hasher = DefaultHasher::new();
            std::fs::read(&path).unwrap().hash(&mut hasher);
            files.insert(path.strip_prefix(project).unwrap().display().to_string(), hasher.finish());
        }
    }
}

/// Copies a folder, without lakes.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.file_name().is_some_and(|n| n == "lake") {
            continue;
        }
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

/// A fake Salesforce in a process of its own, on a free port.
pub(crate) struct Fake {
    process: Child,
    pub(crate) url: String,
}

impl Fake {
    fn start(project: &Path, state: &str) -> Self {
        let mut process = cscopilot()
            .args(["simulate", "crm", "--port", "0", "--data", "data", "--state", state, "--project"])
            .arg(project)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Its first line names its address; it listens by then.
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        let url = line.split_whitespace().find(|w| w.starts_with("http://")).unwrap().trim_end_matches(';').to_owned();
        // Whatever it says later is read, so that it never waits for a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, url }
    }

    fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        let _killed = self.process.kill();
        let _ended = self.process.wait();
    }
}
