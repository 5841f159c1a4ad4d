//! Studies of the models on simulated companies: makes the companies, and draws what came out.

mod companies;
mod plot;

use clap::Subcommand;
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub(crate) enum Study {
    /// Makes the companies of the study, each with a lake up to the features; those that are there already stay
    Companies {
        /// The binary to make them with
        #[arg(long)]
        bin: PathBuf,
        /// The folder that gets them
        #[arg(long)]
        out: PathBuf,
        /// Companies as customers×seeds
        #[arg(long, value_delimiter = ',', default_value = "500x8,1000x50,2000x4,5000x2,10000x1,20000x1,50000x1")]
        sizes: Vec<companies::Size>,
        /// Customers of the company that judges the models of all others
        #[arg(long, default_value_t = 20_000)]
        fresh: usize,
    },
    /// Draws the learning curve against the ceiling
    Plot {
        /// The study's figures
        #[arg(long)]
        figures: PathBuf,
        /// The picture (SVG)
        #[arg(long)]
        out: PathBuf,
    },
}

/// Runs a part of the study.
pub(crate) fn run(root: &Path, study: &Study) -> Result<(), String> {
    match study {
        Study::Companies { bin, out, sizes, fresh } => companies::make(root, bin, out, sizes, *fresh),
        Study::Plot { figures, out } => plot::draw(figures, out),
    }
}
