//! Training by this program and by Python's XGBoost: the same library, matrix and settings, one after the other in each round.

use super::learn::{FEATURES, TREES, spread};
use super::{built, machine, output, said};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const DEPTH: usize = 6;
/// What Python's XGBoost needs. It is itself part of the wheel that `scripts/deps.sh` takes the library from.
const PYTHON: [&str; 2] = ["numpy==2.4.6", "scipy==1.17.1"];
/// Ways in which Python hands over a matrix.
const RIVALS: [&str; 2] = ["DMatrix", "QuantileDMatrix"];

/// Measures and gives the figures. `folder` holds the data that the explanations are measured on.
pub(crate) fn run(root: &Path, folder: &Path, rows: usize, threads: &[usize], rounds: usize) -> Result<Value, String> {
    // The profile of the project's own binary.
    let ours = built(root, "cscopilot-learn", "training", "dev")?;
    let bench = Bench { root, folder, ours, python: environment(root)? };
    let mut figures = Vec::new();
    for threads in threads {
        let mut measured = Vec::new();
        for round in 1..=rounds {
            eprintln!("training, {threads} threads: round {round}");
            // The first of a round finds another machine than the last, so they take turns.
            let measures = |who: usize| if who == 0 { bench.ours(*threads) } else { bench.rival(RIVALS[who - 1], *threads) };
            let mut all = [Value::Null, Value::Null, Value::Null];
            for turn in 0..all.len() {
                let who = (turn + round) % all.len();
                all[who] = measures(who)?;
            }
            measured.push(all);
        }
        figures.push(compared(*threads, &measured, bench.differences()?)?);
    }
    let setting: Value = serde_json::from_str(&setting()).map_err(|e| e.to_string())?;
    Ok(json!({"machine": machine(), "rows": rows, "features": FEATURES, "trees": TREES, "setting": setting, "speed": figures}))
}

struct Bench<'a> {
    root: &'a Path,
    folder: &'a Path,
    ours: PathBuf,
    python: PathBuf,
}

impl Bench<'_> {
    fn ours(&self, threads: usize) -> Result<Value, String> {
        let mut command = Command::new(&self.ours);
        self.trained(command.arg("train"), "ours", threads)
    }

    fn rival(&self, matrix: &str, threads: usize) -> Result<Value, String> {
        let mut command = Command::new(&self.python);
        // The package of the very library that the program is linked with.
        command.env("PYTHONPATH", self.root.join(".deps")).arg(self.root.join("scripts/bench/xgboost_train.py")).arg(matrix);
        self.trained(&mut command, matrix, threads)
    }

    fn trained(&self, command: &mut Command, who: &str, threads: usize) -> Result<Value, String> {
        let numbers = [TREES, threads].map(|number| number.to_string());
        said(command.arg(self.folder.join("x.f32")).arg(self.folder.join("y.f32")).arg(setting()).args(numbers).arg(self.margins(who)))
    }

    /// Where somebody's margins are written.
    fn margins(&self, who: &str) -> PathBuf {
        self.folder.join(format!("margins-{who}.f32"))
    }

    /// The largest difference of each rival's margins from ours.
    fn differences(&self) -> Result<[f32; 2], String> {
        let read = |who: &str| -> Result<Vec<f32>, String> {
            let path = self.margins(who);
            let bytes = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            Ok(bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
        };
        let ours = read("ours")?;
        let mut largest = [0.0f32; 2];
        for (rival, largest) in RIVALS.into_iter().zip(&mut largest) {
            let theirs = read(rival)?;
            if theirs.len() != ours.len() {
                return Err(format!("{rival} gave {} margins, not {}", theirs.len(), ours.len()));
            }
            *largest = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        }
        Ok(largest)
    }
}

/// XGBoost's own defaults, but for depth and learning rate.
fn setting() -> String {
    json!({"max_depth": DEPTH, "eta": 0.1, "min_child_weight": 1.0, "subsample": 1.0, "colsample_bytree": 1.0, "lambda": 1.0, "alpha": 0.0,
        "gamma": 0.0, "max_bin": 256})
    .to_string()
}

/// A Python in `.deps/xgboost-python` with what XGBoost needs, made once.
fn environment(root: &Path) -> Result<PathBuf, String> {
    let folder = root.join(".deps/xgboost-python");
    let python = folder.join("bin/python");
    let installed = Command::new(&python).args(["-c", "import numpy, scipy"]).stderr(Stdio::null()).status().is_ok_and(|s| s.success());
    if !installed {
        eprintln!("installing {} into .deps/xgboost-python", PYTHON.join(" "));
        output(Command::new("python3").args(["-m", "venv"]).arg(&folder), &[0])?;
        output(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(PYTHON), &[0])?;
    }
    Ok(python)
}

/// Seconds in the middle of the rounds, and how many times the rivals' in the same round they are: below 1 is faster.
fn compared(threads: usize, rounds: &[[Value; 3]], differences: [f32; 2]) -> Result<Value, String> {
    let of = |value: &Value, figure: &str| value[figure].as_f64().unwrap_or(f64::NAN);
    let all = |f: &dyn Fn(&[Value; 3]) -> f64, digits: i32| spread(rounds.iter().map(f).collect(), digits);
    let mut figures = json!({"threads": threads});
    for (who, name) in ["cscopilot"].into_iter().chain(RIVALS).enumerate() {
        let versions = [0, who].map(|who| &rounds[0][who]["version"]);
        if versions[0] != versions[1] {
            return Err(format!("Python's XGBoost is {}, not {}: run scripts/deps.sh", versions[1], versions[0]));
        }
        let mut its = json!({});
        for figure in ["seconds", "matrix_seconds", "training_seconds", "cpu_seconds"] {
            its[figure] = all(&|round| of(&round[who], figure), 3);
        }
        its["peak_memory_mib"] = all(&|round| of(&round[who], "peak_memory_mib"), 0);
        if who > 0 {
            its["ratio"] = all(&|round| of(&round[0], "seconds") / of(&round[who], "seconds"), 3);
            its["cpu_ratio"] = all(&|round| of(&round[0], "cpu_seconds") / of(&round[who], "cpu_seconds"), 3);
            its["largest_margin_difference"] = json!(differences[who - 1]);
        }
        figures[name] = its;
    }
    Ok(figures)
}
