//! Explanations by this program, by XGBoost and by the crate `treeshap`: the same models and rows, one after the other in each round.
//! Training on the same rows is measured with them.

use super::{built, machine, output, said, training};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const FEATURES: usize = 60;
pub(crate) const TREES: usize = 300;
/// Rows whose contributions are compared with the reference, which is slow.
const CHECKED: usize = 100;

/// What to measure.
pub(crate) struct Options {
    pub(crate) rows: usize,
    pub(crate) depths: Vec<usize>,
    /// Rows that the rivals explain, for each depth.
    pub(crate) rival_rows: Vec<usize>,
    pub(crate) threads: Vec<usize>,
    pub(crate) rounds: usize,
    /// Leave the explanations out.
    pub(crate) training_only: bool,
}

/// Measures and gives the figures.
pub(crate) fn run(root: &Path, folder: &Path, options: &Options) -> Result<Value, String> {
    if options.depths.len() != options.rival_rows.len() || options.rounds == 0 {
        return Err("give as many --rival-rows as --depths, and at least one round".into());
    }
    let bench = Bench { root, folder, ours: built(root, "cscopilot-shap", "explain", "bench")? };
    let (rows, features) = (options.rows.to_string(), FEATURES.to_string());
    output(Command::new(&bench.ours).arg("data").arg(folder).args([&rows, &features]), &[0])?;
    let training = training::run(root, folder, options.rows, &options.threads, options.rounds)?;
    if options.training_only {
        return Ok(training);
    }
    let mut figures = Vec::new();
    for (depth, rival_rows) in options.depths.iter().zip(&options.rival_rows) {
        eprintln!("depth {depth}: training");
        let model = bench.train(*depth)?;
        let rival_rows = *rival_rows.min(&options.rows);
        let mut speeds = Vec::new();
        for threads in &options.threads {
            let mut rounds = Vec::new();
            for round in 1..=options.rounds {
                eprintln!("depth {depth}, {threads} threads: round {round}");
                rounds.push([
                    bench.ours("ours", &model, options.rows, *threads)?,
                    bench.xgboost(&model, rival_rows, *threads)?,
                    bench.ours("treeshap", &model, rival_rows, *threads)?,
                ]);
            }
            speeds.push(speed(*threads, &rounds));
        }
        bench.xgboost(&model, CHECKED.min(options.rows), 1)?;
        let mut check = Command::new(&bench.ours);
        check.arg("errors").arg(&model).arg(folder.join("x.f32")).arg(CHECKED.min(options.rows).to_string()).arg(bench.theirs());
        figures.push(json!({"depth": depth, "speed": speeds, "largest_errors": said(&mut check)?}));
    }
    Ok(json!({"machine": machine(), "trees": TREES, "features": FEATURES, "explanations": figures, "training": training}))
}

struct Bench<'a> {
    root: &'a Path,
    folder: &'a Path,
    ours: PathBuf,
}

impl Bench<'_> {
    fn python(&self, command: &str) -> Command {
        let library = if cfg!(target_os = "macos") { "libxgboost.dylib" } else { "libxgboost.so" };
        let mut python = Command::new("python3");
        python.arg(self.root.join("scripts/bench/xgboost_contribs.py")).arg(command);
        python.arg(self.root.join(".deps/xgboost/lib").join(library)).arg(self.folder.join("x.f32"));
        python
    }

    fn train(&self, depth: usize) -> Result<PathBuf, String> {
        let model = self.folder.join(format!("depth-{depth}.json"));
        let numbers = [FEATURES, depth, TREES].map(|number| number.to_string());
        said(self.python("train").arg(self.folder.join("y.f32")).args(numbers).arg(&model))?;
        Ok(model)
    }

    /// Where XGBoost's contributions are written.
    fn theirs(&self) -> PathBuf {
        self.folder.join("xgboost.f32")
    }

    fn xgboost(&self, model: &Path, rows: usize, threads: usize) -> Result<Value, String> {
        let numbers = [FEATURES, rows, threads].map(|number| number.to_string());
        said(self.python("contribs").arg(model).args(numbers).arg(self.theirs()))
    }

    fn ours(&self, who: &str, model: &Path, rows: usize, threads: usize) -> Result<Value, String> {
        let numbers = [rows, threads].map(|number| number.to_string());
        said(Command::new(&self.ours).args(["time", who]).arg(model).arg(self.folder.join("x.f32")).args(numbers))
    }
}

/// Rows a second in the middle of the rounds, and how many times the rivals' in the same round.
fn speed(threads: usize, rounds: &[[Value; 3]]) -> Value {
    let per = |of: &Value, seconds: &str| of["rows"].as_f64().unwrap_or(f64::NAN) / of[seconds].as_f64().unwrap_or(f64::NAN);
    let all = |of: &dyn Fn(&[Value; 3]) -> f64, digits: i32| spread(rounds.iter().map(of).collect(), digits);
    let times = |who: usize, seconds: &str| all(&|round| per(&round[0], seconds) / per(&round[who], seconds), 1);
    let mut figures = json!({"threads": threads});
    for (who, name) in ["cscopilot", "xgboost", "treeshap"].into_iter().enumerate() {
        figures[name] = json!({
            "rows": rounds[0][who]["rows"],
            "rows_per_sec": all(&|round| per(&round[who], "seconds"), 0),
            "rows_per_cpu_sec": all(&|round| per(&round[who], "cpu_seconds"), 0),
        });
        if who > 0 {
            figures[name]["times_faster"] = times(who, "seconds");
            figures[name]["times_faster_per_cpu_sec"] = times(who, "cpu_seconds");
        }
    }
    figures
}

/// The middle and the ends of values, rounded.
pub(crate) fn spread(mut values: Vec<f64>, digits: i32) -> Value {
    values.sort_by(f64::total_cmp);
    let shown = |value: f64| (value * 10f64.powi(digits)).round() / 10f64.powi(digits);
    json!({"median": shown(values[values.len() / 2]), "min": shown(values[0]), "max": shown(values[values.len() - 1])})
}
