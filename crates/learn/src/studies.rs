//! Studies on simulated companies, whose true hazards are known: how near the models come to what can be known at all, and
//! whether their intervals hold. Ignored by default: `make study` makes the companies and runs them.
//!
//! `CSCOPILOT_STUDY` is a folder with one project per company, `<accounts>-<seed>`, each with a lake up to the features and the
//! simulation's truth; the company `fresh` judges the models of all others. The figures go to `figures.json` beside them.

#![allow(clippy::print_stdout)]

mod company;
mod curve;
mod outlook;
pub(crate) mod project;

use std::path::{Path, PathBuf};

/// The folder of the companies.
fn folder() -> PathBuf {
    std::env::var_os("CSCOPILOT_STUDY").map(PathBuf::from).expect("`make study` sets CSCOPILOT_STUDY")
}

/// `<accounts>-<seed>` folders, by accounts and seed.
fn companies(folder: &Path) -> Vec<(u64, u64, PathBuf)> {
    let mut found: Vec<(u64, u64, PathBuf)> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            let (accounts, seed) = path.file_name()?.to_str()?.split_once('-')?;
            Some((accounts.parse().ok()?, seed.parse().ok()?, path))
        })
        .collect();
    found.sort();
    found
}
