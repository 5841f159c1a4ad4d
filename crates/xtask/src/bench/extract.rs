//! One large stream, read by this program and by dlt from the same fake in the same run.

use super::{machine, output};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// The version of dlt that is measured, and what it needs to write Parquet.
const DLT: [&str; 2] = ["dlt[parquet]==1.31.0", "pyarrow==26.0.1"];

/// What to measure.
pub(crate) struct Options {
    pub(crate) bin: PathBuf,
    /// Records of the stream, one measurement each.
    pub(crate) records: Vec<u64>,
    /// Records that dlt reads; 0 leaves it out.
    pub(crate) dlt_records: u64,
    pub(crate) page: u64,
}

/// Measures and gives the figures.
pub(crate) fn run(root: &Path, folder: &Path, options: &Options) -> Result<Value, String> {
    let bin = std::fs::canonicalize(&options.bin).map_err(|e| format!("{}: {e}", options.bin.display()))?;
    let mut ours = Vec::new();
    for records in &options.records {
        ours.push(ours_reads(&bin, &folder.join(format!("ours-{records}")), *records, options.page)?);
    }
    let dlt = match options.dlt_records {
        0 => Value::Null,
        records => dlt_reads(root, &bin, &folder.join("dlt"), records, options.page)?,
    };
    let rate = |of: &Value| of["records_per_sec"].as_f64();
    let times = match (ours.first().and_then(rate), rate(&dlt)) {
        (Some(ours), Some(dlt)) if dlt > 0.0 => json!((ours / dlt * 10.0).round() / 10.0),
        _ => Value::Null,
    };
    Ok(json!({"machine": machine(), "page": options.page, "cscopilot": ours, "dlt": dlt, "times_faster": times}))
}

/// The fake, stopped when this is dropped.
struct Fake {
    child: Child,
    url: String,
}

impl Drop for Fake {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn fake(bin: &Path, records: u64) -> Result<Fake, String> {
    let mut child = Command::new(bin)
        .args(["simulate", "serve", "--port", "0", "--accounts", "20", "--bench-records", &records.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("the fake can't be started: {e}"))?;
    let mut line = String::new();
    let stderr = child.stderr.take().ok_or("the fake says nothing")?;
    BufReader::new(stderr).read_line(&mut line).map_err(|e| e.to_string())?;
    let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).ok_or_else(|| format!("the fake said: {line}"))?;
    Ok(Fake { url: format!("http://{address}/bench"), child })
}

fn ours_reads(bin: &Path, folder: &Path, records: u64, page: u64) -> Result<Value, String> {
    let fake = fake(bin, records)?;
    project(folder, &fake.url, page).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut command = Command::new(bin);
    command.current_dir(folder).args(["extract", "bench", "--format", "json"]).env("BENCH_TOKEN", TOKEN);
    let (text, peak) = watched(&mut command)?;
    let tasks: Value = serde_json::from_str(&text).map_err(|e| format!("the summary is not JSON: {e}: {text}"))?;
    let task = &tasks[0];
    if task["outcome"]["rows_out"].as_u64() != Some(records) {
        return Err(format!("{records} records were to be read: {task}"));
    }
    let seconds = task["seconds"].as_f64().unwrap_or(f64::NAN);
    Ok(figures(records, seconds, peak, task["outcome"]["facts"]["reconciliation"].clone()))
}

/// What the fake accepts.
const TOKEN: &str = "fake-token-4f1d";

fn project(folder: &Path, url: &str, page: u64) -> std::io::Result<()> {
    for sub in ["configs/connectors", "configs/sources", "pipelines"] {
        std::fs::create_dir_all(folder.join(sub))?;
    }
    std::fs::write(folder.join("cscopilot.yaml"), "version: 1\nname: bench\nlake: lake\n")?;
    std::fs::write(folder.join("configs/connectors/bench.yaml"), MANIFEST.replace("PAGE", &page.to_string()))?;
    std::fs::write(
        folder.join("configs/sources/bench.yaml"),
        format!("version: 1\nconnector: bench\nsettings: {{base_url: \"{url}\", token: \"${{secret:BENCH_TOKEN}}\"}}\n"),
    )
}

const MANIFEST: &str = "version: 1
settings:
  base_url: {}
  token: {secret: true}
client:
  base_url: \"{{ setting.base_url }}\"
  auth: {token: {bearer: {token: \"{{ setting.token }}\"}}}
streams:
  events:
    columns:
      id: {type: string}
      account_id: {type: string}
      at: {type: timestamp}
      amount: {type: \"decimal(18,2)\"}
      event: {type: string}
      seats: {type: int}
      country: {type: string}
      note: {type: string}
    primary_key: [id]
    reads:
      - name: list
        endpoint: {path: events, params: {limit: PAGE}}
        paginator: {cursor: {path: next_cursor, place: {param: cursor}}}
        records: {path: records, total: total}
";

fn dlt_reads(root: &Path, bin: &Path, folder: &Path, records: u64, page: u64) -> Result<Value, String> {
    std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let python = environment(root)?;
    let fake = fake(bin, records)?;
    let script = root.join("scripts/bench/dlt_extract.py");
    let (text, peak) = watched(Command::new(python).arg(script).args([&fake.url, TOKEN, &page.to_string()]).arg(folder))?;
    let line = text.lines().last().unwrap_or_default();
    let said: Value = serde_json::from_str(line).map_err(|e| format!("dlt's figures are not JSON: {e}: {text}"))?;
    if said["records"].as_u64() != Some(records) {
        return Err(format!("dlt was to read {records} records: {said}"));
    }
    Ok(figures(records, said["seconds"].as_f64().unwrap_or(f64::NAN), peak, said))
}

/// A Python with dlt in `.deps/dlt`, made once.
fn environment(root: &Path) -> Result<PathBuf, String> {
    let folder = root.join(".deps/dlt");
    let python = folder.join("bin/python");
    let installed = Command::new(&python).args(["-c", "import dlt, pyarrow"]).stderr(Stdio::null()).status().is_ok_and(|s| s.success());
    if !installed {
        eprintln!("installing {} into .deps/dlt", DLT.join(" "));
        output(Command::new("python3").args(["-m", "venv"]).arg(&folder), &[0])?;
        output(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(DLT), &[0])?;
    }
    Ok(python)
}

fn figures(records: u64, seconds: f64, peak_mib: u64, details: Value) -> Value {
    #[allow(clippy::cast_precision_loss)]
    let rate = (records as f64 / seconds).round();
    json!({"records": records, "seconds": seconds, "records_per_sec": rate, "peak_memory_mib": peak_mib, "details": details})
}

/// Runs a command; its stdout, and the most memory it held in MiB (as the system counts resident pages).
fn watched(command: &mut Command) -> Result<(String, u64), String> {
    let shown = format!("{command:?}");
    let child = command.stdout(Stdio::piped()).spawn().map_err(|e| format!("{shown}: {e}"))?;
    let status = format!("/proc/{}/status", child.id());
    let (done, ended) = mpsc::channel::<()>();
    let watcher = std::thread::spawn(move || {
        let mut peak = 0;
        loop {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let kib = text.lines().find_map(|l| l.strip_prefix("VmHWM:")).and_then(|l| l.trim().trim_end_matches(" kB").parse().ok());
            peak = kib.unwrap_or(0_u64).max(peak);
            match ended.recv_timeout(Duration::from_millis(20)) {
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                _ => return peak,
            }
        }
    });
    let output = child.wait_with_output().map_err(|e| format!("{shown}: {e}"))?;
    drop(done);
    let peak = watcher.join().unwrap_or(0);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() { Ok((text, peak >> 10)) } else { Err(format!("{shown} ended with {:?}: {text}", output.status.code())) }
}
