//! Explanations beside those of the crate `treeshap`: speed, and errors against a reference in `f64`. `cargo xtask bench learn` runs
//! this program, and XGBoost itself, in turn.
//!
//! - `data FOLDER ROWS FEATURES`: writes `x.f32` and `y.f32`, the same for the same numbers
//! - `time ours|treeshap MODEL X ROWS THREADS`: explains the first rows and prints the seconds it took
//! - `errors MODEL X ROWS THEIRS`: the largest errors over the first rows; THEIRS are XGBoost's contributions
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::io::Write;
use std::path::Path;

use cscopilot_shap::{Explainer, Node, Tree, TreeEnsemble};
use treeshap::{TreeExplainer, TreeModel};

#[path = "../src/by_leaf.rs"]
mod by_leaf;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    // Cargo adds a flag of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["data", folder, rows, features] => data(Path::new(folder), rows.parse()?, features.parse()?),
        ["time", who, model, x, rows, threads] => time(who, &std::fs::read(model)?, &floats(x)?, rows.parse()?, threads.parse()?),
        ["errors", model, x, rows, theirs] => errors(&std::fs::read(model)?, &floats(x)?, rows.parse()?, &floats(theirs)?),
        _ => {
            println!("run by `cargo xtask bench learn`");
            Ok(())
        }
    }
}

fn floats(path: &str) -> Result<Vec<f32>> {
    Ok(std::fs::read(path)?.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

/// Numbers of some levels and continuous ones, a twentieth missing, and a label that depends on thirty of them and their products.
fn data(folder: &Path, rows: usize, features: usize) -> Result<()> {
    // splitmix64
    let mut state = 7u64;
    let mut uniform = move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    };
    let mut x = std::io::BufWriter::new(std::fs::File::create(folder.join("x.f32"))?);
    let mut y = std::io::BufWriter::new(std::fs::File::create(folder.join("y.f32"))?);
    for _ in 0..rows {
        let mut known = Vec::new();
        for feature in 0..features {
            // About normal.
            let mut value = (0..4).map(|_| uniform()).sum::<f64>() * 1.7 - 3.4;
            if feature < features / 3 {
                value = (value * 4.0).round() / 4.0;
            }
            let missing = uniform() < 0.05;
            known.push(if missing { 0.0 } else { value });
            x.write_all(&(if missing { f32::NAN } else { value as f32 }).to_le_bytes())?;
        }
        let margin: f64 =
            (0..features.min(30)).map(|k| (known[k] * (1 + k % 5) as f64).sin() * known[(k * 7 + 3) % features]).sum::<f64>() * 0.3;
        let label = uniform() < 1.0 / (1.0 + (-margin).exp());
        y.write_all(&f32::from(u8::from(label)).to_le_bytes())?;
    }
    Ok(())
}

/// Seconds that the processor has spent on this process, all threads together; nothing where the system doesn't say.
fn cpu_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name, in parentheses, may hold spaces. User and system time are fields 14 and 15, in hundredths of a second.
    let mut fields = text.rsplit(')').next()?.split_whitespace().skip(11);
    Some((fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?) / 100.0)
}

/// Explains with rows in memory and the model prepared: the rivals are timed in the same way.
#[allow(clippy::disallowed_methods)] // The clock of the house is in a crate that this one doesn't use.
fn time(who: &str, model: &[u8], x: &[f32], rows: usize, threads: usize) -> Result<()> {
    let ensemble = TreeEnsemble::from_bytes(model)?;
    let width = ensemble.num_features();
    let x = x.get(..rows * width).ok_or("there are fewer rows")?;
    let (began, cpu);
    if who == "ours" {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        let explainer = Explainer::new(&ensemble);
        (began, cpu) = (std::time::Instant::now(), cpu_seconds());
        std::hint::black_box(pool.install(|| explainer.explain(x, width))?);
    } else {
        let model = TreeModel::from_xgboost_json(model).map_err(|e| format!("{e:?}"))?;
        let explainer = TreeExplainer::linear(&model).map_err(|e| format!("{e:?}"))?;
        let x: Vec<f64> = x.iter().copied().map(f64::from).collect();
        (began, cpu) = (std::time::Instant::now(), cpu_seconds());
        std::hint::black_box(explainer.shap_values_batch_parallel(&x, 0, Some(threads)).map_err(|e| format!("{e:?}"))?);
    }
    let seconds = began.elapsed().as_secs_f64();
    let cpu = cpu_seconds().zip(cpu).map(|(after, before)| after - before);
    println!("{}", serde_json::json!({"rows": rows, "seconds": seconds, "cpu_seconds": cpu}));
    Ok(())
}

fn errors(bytes: &[u8], x: &[f32], rows: usize, theirs: &[f32]) -> Result<()> {
    let ensemble = TreeEnsemble::from_bytes(bytes)?;
    let width = ensemble.num_features();
    let x = x.get(..rows * width).ok_or("there are fewer rows")?;
    let explained = Explainer::new(&ensemble).explain(x, width)?;
    let model = TreeModel::from_xgboost_json(bytes).map_err(|e| format!("{e:?}"))?;
    let explainer = TreeExplainer::linear(&model).map_err(|e| format!("{e:?}"))?;
    let (mut ours, mut treeshap, mut xgboost, mut sums) = (0.0f64, 0.0f64, 0.0f64, 0.0f64);
    for (i, row) in x.chunks_exact(width).enumerate() {
        let reference = by_leaf::contributions(ensemble.trees(), row);
        let wide: Vec<f64> = row.iter().copied().map(f64::from).collect();
        let theirs = theirs.get(i * (width + 1)..).ok_or("XGBoost explained fewer rows")?;
        let linear = explainer.shap_values(&wide, 0).map_err(|e| format!("{e:?}"))?;
        for (j, exact) in reference.iter().enumerate() {
            ours = ours.max((explained.row(i)[j] - exact).abs());
            treeshap = treeshap.max((linear[j] - exact).abs());
            xgboost = xgboost.max((f64::from(theirs[j]) - exact).abs());
        }
        sums = sums.max((explained.margin(i) - ensemble.margin(row)).abs());
    }
    println!("{}", serde_json::json!({"rows": rows, "ours": ours, "treeshap": treeshap, "xgboost": xgboost, "sum_less_margin": sums}));
    Ok(())
}
