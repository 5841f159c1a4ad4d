//! Simulated companies, each a project of the starter kind with its lake filled up to the features and labels.

use std::path::Path;
use std::process::Command;
use std::str::FromStr;

use crate::bench::{AS_OF, output};

/// The seed of the company that judges; no other has it.
const FRESH_SEED: u64 = 908;

/// Usage events a day and customer: more would say little more.
const EVENTS_PER_CUSTOMER: usize = 2;

/// So many customers, so many seeds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    customers: usize,
    seeds: u64,
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not like 500x8");
        let (customers, seeds) = text.split_once('x').ok_or_else(wrong)?;
        Ok(Self { customers: customers.parse().map_err(|_| wrong())?, seeds: seeds.parse().map_err(|_| wrong())? })
    }
}

pub(super) fn make(root: &Path, bin: &Path, out: &Path, sizes: &[Size], fresh: usize) -> Result<(), String> {
    let bin = std::fs::canonicalize(bin).map_err(|e| format!("{}: {e}", bin.display()))?;
    std::fs::create_dir_all(out).map_err(|e| format!("{}: {e}", out.display()))?;
    company(root, &bin, &out.join("fresh"), fresh, FRESH_SEED)?;
    for size in sizes {
        for seed in 1..=size.seeds {
            company(root, &bin, &out.join(format!("{}-{seed}", size.customers)), size.customers, seed)?;
        }
    }
    Ok(())
}

fn company(root: &Path, bin: &Path, folder: &Path, customers: usize, seed: u64) -> Result<(), String> {
    let done = folder.join("done");
    if done.exists() {
        return Ok(());
    }
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    eprintln!("{}", folder.display());
    output(Command::new(bin).current_dir(root).args(["-q", "init"]).arg(folder), &[0])?;
    // As many in every company: how much a customer does is among the features.
    let events = customers * EVENTS_PER_CUSTOMER;
    let simulate = ["-q", "simulate", "--as-of", AS_OF, "--accounts", &customers.to_string(), "--seed", &seed.to_string()]
        .map(ToOwned::to_owned)
        .into_iter()
        .chain(["--events-per-day".to_owned(), events.to_string()]);
    output(Command::new(bin).current_dir(folder).args(simulate), &[0])?;
    let steps = ["staging", "identity", "history", "features", "labels"].map(|folder| format!("transform.{folder}")).join(",");
    let night = ["-q", "run", "nightly", "--as-of", AS_OF, "--select", &format!("extract,{steps}")];
    output(Command::new(bin).current_dir(folder).args(night), &[0, 3])?;
    // The raw log and the extracts have done their part.
    for spent in ["lake/tables/raw", "data/mixpanel"] {
        let path = folder.join(spent);
        if path.exists() {
            std::fs::remove_dir_all(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        }
    }
    std::fs::write(&done, "").map_err(|e| format!("{}: {e}", done.display()))
}
