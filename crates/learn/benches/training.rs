//! Training as the estimators do it, on the matrix that Python's XGBoost is given as well. `cargo xtask bench learn` runs this program and
//! its rival in turn, each measurement in a process of its own.
//!
//! - `train X Y SETTING ROUNDS THREADS OUT`: X and Y are files of `f32`, the rows of X one after the other; SETTING is the JSON of
//!   hyper-parameters; the margins of the rows are written to OUT; prints seconds and peak memory
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::error::Error;

use cscopilot_diag::clock::Stopwatch;
use cscopilot_learn::data::dataset::Table;
use cscopilot_learn::estimate::boosted::{Matrix, Objective, Setting, Target, fit};
use cscopilot_learn::registry::card::XGBOOST_VERSION;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    // Cargo adds a flag of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["train", x, y, setting, rounds, threads, out] => train(floats(x)?, floats(y)?, setting, rounds.parse()?, threads.parse()?, out),
        _ => {
            println!("run by `cargo xtask bench learn`");
            Ok(())
        }
    }
}

fn floats(path: &str) -> Result<Vec<f32>> {
    Ok(std::fs::read(path)?.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

fn train(x: Vec<f32>, labels: Vec<f32>, setting: &str, rounds: u32, threads: u32, out: &str) -> Result<()> {
    let rows = labels.len();
    let features: Vec<String> = (0..x.len() / rows).map(|k| format!("f{k}")).collect();
    let width = features.len();
    let xgboost = serde_json::from_str(setting)?;
    let setting = Setting { xgboost: &xgboost, monotone: &BTreeMap::new(), threads, seed: 1 };
    let target = Target { objective: Objective::Event, labels, weights: Vec::new() };

    let (watch, cpu) = (Stopwatch::start(), cpu_seconds());
    let matrix = Matrix::new(features.clone(), vec![false; width], &x, target)?;
    let matrix_seconds = watch.elapsed().as_secs_f64();
    let model = fit(&matrix, rounds, setting)?;
    let seconds = watch.elapsed().as_secs_f64();
    let cpu = cpu_seconds().zip(cpu).map(|(after, before)| after - before);
    let peak = peak_memory_mib();

    drop(matrix);
    let column = |k: usize| x.iter().skip(k).step_by(width).copied().map(f64::from).collect();
    let table = Table { features, columns: (0..width).map(column).collect(), rows, ..Table::default() };
    let margins = model.margins(&table, &(0..rows).collect::<Vec<_>>())?;
    std::fs::write(out, margins.iter().flat_map(|margin| (*margin as f32).to_le_bytes()).collect::<Vec<u8>>())?;
    println!(
        "{}",
        serde_json::json!({"version": XGBOOST_VERSION, "seconds": seconds, "matrix_seconds": matrix_seconds,
            "training_seconds": seconds - matrix_seconds, "cpu_seconds": cpu, "peak_memory_mib": peak})
    );
    Ok(())
}

/// Seconds that the processor has spent on this process, all threads together; nothing where the system doesn't say.
fn cpu_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name, in parentheses, may hold spaces. User and system time are fields 14 and 15, in hundredths of a second.
    let mut fields = text.rsplit(')').next()?.split_whitespace().skip(11);
    Some((fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?) / 100.0)
}

/// The most memory this process held, as the system counts resident pages.
fn peak_memory_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib: u64 = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok())?;
    Some(kib >> 10)
}
