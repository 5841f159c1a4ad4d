//! A night's scores of very many accounts, by the step that the pipelines run, from the lake's Parquet files to the lake's Parquet files.

use super::{built, machine, said};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// Measures and gives the figures: without explanations, with all of them, and the night after, when most still hold.
pub(crate) fn run(root: &Path, folder: &Path, rows: usize, rounds: usize) -> Result<Value, String> {
    // The profile of the project's own binary.
    let program = built(root, "cscopilot-learn", "scoring", "dev")?;
    eprintln!("writing {rows} accounts and training");
    let trained = said(Command::new(&program).arg("prepare").arg(folder).arg(rows.to_string()))?;
    let mut nights = Vec::new();
    for night in ["none", "first", "next"] {
        let mut measured = Vec::new();
        for round in 1..=rounds {
            eprintln!("{night}: round {round}");
            measured.push(said(Command::new(&program).arg("score").arg(folder).arg(night))?);
        }
        measured.sort_by(|a, b| a["seconds"].as_f64().unwrap_or(f64::NAN).total_cmp(&b["seconds"].as_f64().unwrap_or(f64::NAN)));
        nights.push(measured.swap_remove(measured.len() / 2));
    }
    Ok(json!({"machine": machine(), "model": trained, "nights": nights}))
}
