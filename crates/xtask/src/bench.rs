//! Benchmarks: the whole program on simulated companies.

mod extract;
mod learn;
mod scoring;
mod training;

use clap::Subcommand;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// One night of a large company: seconds and peak memory per step
    Nightly {
        /// The binary to measure
        #[arg(long)]
        bin: PathBuf,
        /// Customers on the first day
        #[arg(long, default_value_t = 20_000)]
        accounts: usize,
        /// Months of history
        #[arg(long, default_value_t = 18)]
        months: u32,
        /// Usage events a day
        #[arg(long, default_value_t = 37_000)]
        events_per_day: u64,
    },
    /// One large stream of an API, beside dlt on the same fake: records a second and peak memory
    Extract {
        /// The binary to measure
        #[arg(long)]
        bin: PathBuf,
        /// Records of the stream; several are measured one after the other
        #[arg(long, value_delimiter = ',', default_value = "2000000,10000000")]
        records: Vec<u64>,
        /// Records that dlt reads; 0 leaves it out
        #[arg(long, default_value_t = 2_000_000)]
        dlt_records: u64,
        /// Records of a page
        #[arg(long, default_value_t = 1000)]
        page: u64,
    },
    /// Training of 300 trees on 60 features, beside Python's XGBoost, and explanations by them, beside XGBoost's and those of the crate
    /// `treeshap`: seconds, rows a second and errors
    Learn {
        /// Rows learned from and explained
        #[arg(long, default_value_t = 100_000)]
        rows: usize,
        /// Depths of the trees
        #[arg(long, value_delimiter = ',', default_value = "4,6,8,10")]
        depths: Vec<usize>,
        /// Rows that the rivals explain, for each depth
        #[arg(long, value_delimiter = ',', default_value = "20000,10000,4000,2000")]
        rival_rows: Vec<usize>,
        /// Numbers of threads
        #[arg(long, value_delimiter = ',', default_value = "1,2")]
        threads: Vec<usize>,
        /// Rounds, in each of which all are measured one after the other
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        /// Measure scoring from end to end instead: so many accounts, Parquet in and out, with and without explanations
        #[arg(long, num_args = 0..=1, default_missing_value = "1000000")]
        scoring: Option<usize>,
        /// Measure training only
        #[arg(long, conflicts_with = "scoring")]
        training: bool,
    },
}

pub(crate) const AS_OF: &str = "2026-06-30";

/// Runs a benchmark and prints its figures as JSON.
pub(crate) fn run(root: &Path, bench: &Bench) -> Result<(), String> {
    let folder = std::env::temp_dir().join(format!("cscopilot-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let figures = match bench {
        Bench::Nightly { bin, accounts, months, events_per_day } => nightly(root, bin, &folder, *accounts, *months, *events_per_day),
        Bench::Extract { bin, records, dlt_records, page } => {
            let options = extract::Options { bin: bin.clone(), records: records.clone(), dlt_records: *dlt_records, page: *page };
            extract::run(root, &folder, &options)
        }
        Bench::Learn { scoring: Some(rows), rounds, .. } => scoring::run(root, &folder, *rows, *rounds),
        Bench::Learn { rows, depths, rival_rows, threads, rounds, training, .. } => {
            let (depths, rival_rows, threads) = (depths.clone(), rival_rows.clone(), threads.clone());
            let options = learn::Options { rows: *rows, depths, rival_rows, threads, rounds: *rounds, training_only: *training };
            learn::run(root, &folder, &options)
        }
    };
    let removed = std::fs::remove_dir_all(&folder);
    let figures = figures?;
    removed.map_err(|e| format!("{}: {e}", folder.display()))?;
    println!("{}", serde_json::to_string_pretty(&figures).map_err(|e| e.to_string())?);
    Ok(())
}

fn nightly(root: &Path, bin: &Path, folder: &Path, accounts: usize, months: u32, events_per_day: u64) -> Result<Value, String> {
    let bin = std::fs::canonicalize(bin).map_err(|e| format!("{}: {e}", bin.display()))?;
    let project = folder.join("project");
    output(Command::new(&bin).current_dir(root).arg("init").arg(&project), &[0])?;
    output(
        Command::new(&bin)
            .current_dir(&project)
            .args(["simulate", "--accounts", &accounts.to_string(), "--months", &months.to_string()])
            .args(["--events-per-day", &events_per_day.to_string(), "--as-of", AS_OF]),
        &[0],
    )?;
    // The report is measured as well; the CRM's network is not.
    let text = output(
        Command::new(&bin)
            .current_dir(&project)
            .args(["run", "nightly", "--as-of", AS_OF, "--format", "json", "--select"])
            .arg("extract,transform,learn,assess,quality,report"),
        &[0, 3],
    )?;
    let run: Value = serde_json::from_str(&text).map_err(|e| format!("the run's summary is not JSON: {e}"))?;
    let mut steps = serde_json::Map::new();
    let mut usage_rows = 0;
    for task in run["tasks"].as_array().into_iter().flatten() {
        let id = task["id"].as_str().unwrap_or_default().to_owned();
        if id.starts_with("extract.mixpanel") {
            usage_rows += task["outcome"]["rows_in"].as_u64().unwrap_or(0);
        }
        steps.insert(
            id,
            json!({ "seconds": task["seconds"], "rows_in": task["outcome"]["rows_in"], "rows_out": task["outcome"]["rows_out"] }),
        );
    }
    Ok(json!({
        "machine": machine(),
        "accounts": accounts, "months": months, "usage_rows": usage_rows,
        "seconds": run["seconds"],
        "peak_memory_mib": run["peak_memory_bytes"].as_u64().map(|b| b >> 20),
        "steps": steps,
    }))
}

/// Runs a command and gives its stdout; its stderr is shown.
pub(crate) fn output(command: &mut Command, accepted: &[i32]) -> Result<String, String> {
    let shown = format!("{command:?}");
    let output = command.stderr(std::process::Stdio::inherit()).output().map_err(|e| format!("{shown}: {e}"))?;
    match output.status.code() {
        Some(code) if accepted.contains(&code) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        other => Err(format!("{shown} ended with {other:?}: {}", String::from_utf8_lossy(&output.stdout))),
    }
}

/// The one line of JSON that a command prints.
fn said(command: &mut Command) -> Result<Value, String> {
    let text = output(command, &[0])?;
    serde_json::from_str(&text).map_err(|e| format!("the figures are not JSON: {e}: {text}"))
}

/// Builds a package's benchmark with a profile; the program's path.
fn built(root: &Path, package: &str, name: &str, profile: &str) -> Result<PathBuf, String> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(["bench", "--profile", profile, "--package", package, "--bench", name]);
    let text = output(cargo.args(["--no-run", "--message-format", "json"]), &[0])?;
    let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let program = messages.filter(|message| message["target"]["name"] == name).find_map(|message| {
        let path = message["executable"].as_str()?;
        Some(PathBuf::from(path))
    });
    program.ok_or_else(|| "cargo built no benchmark".into())
}

fn machine() -> Value {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|l| l.strip_prefix("model name")).map(|l| l.trim_start_matches([' ', '\t', ':']).to_owned());
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib: Option<u64> =
        memory.lines().find_map(|l| l.strip_prefix("MemTotal:")).and_then(|l| l.trim().trim_end_matches(" kB").parse().ok());
    json!({ "cpus": cpus, "cpu": model, "memory_mib": kib.map(|k| k >> 10) })
}
