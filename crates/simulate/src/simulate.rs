//! Simulates the company and writes its extracts, all months of all streams in parallel.

use std::path::PathBuf;

use rayon::prelude::*;
use serde::Serialize;

use crate::company::Company;
use crate::output::{self, Counts, Lines};
use crate::vendors::{Stream, streams};
use crate::{Config, Error, truth};

/// What was written of one stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamCount {
    /// `salesforce`, `stripe`, `zendesk` or `mixpanel`.
    pub vendor: &'static str,
    /// The stream, `accounts` say.
    pub stream: &'static str,
    /// Its lines, and the bad ones among them.
    pub counts: Counts,
}

/// What was simulated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Where it was written.
    pub out: PathBuf,
    /// Customers that ever were.
    pub customers: usize,
    /// Customers on the last day.
    pub active: usize,
    /// Customers that left.
    pub churned: usize,
    /// What was written.
    pub streams: Vec<StreamCount>,
}

impl Summary {
    /// Lines of a stream, and the bad ones among them.
    #[must_use]
    pub fn counts(&self, vendor: &str, stream: &str) -> Counts {
        let found = self.streams.iter().find(|s| s.vendor == vendor && s.stream == stream);
        found.map(|s| s.counts).unwrap_or_default()
    }
}

/// Simulates a company and writes its extracts and its truth into `config.out`. Files that are there are replaced.
///
/// # Errors
/// If the numbers make no company, or a file can't be written.
pub fn simulate(config: &Config) -> Result<Summary, Error> {
    config.validate()?;
    let company = Company::new(config);
    let streams = streams();
    for stream in &streams {
        output::folder(&config.out.join(stream.vendor))?;
    }
    // One file of a month each; the stream with the most work comes first, so that no thread ends alone with it.
    let jobs: Vec<(usize, usize)> = (0..streams.len()).flat_map(|s| (0..company.calendar.months.len()).map(move |m| (s, m))).collect();
    let written: Vec<(usize, Counts)> = jobs
        .par_iter()
        .with_max_len(1)
        .map(|(s, m)| Ok((*s, month(&company, config, *s, &streams[*s], *m)?)))
        .collect::<Result<_, Error>>()?;
    let mut counts = vec![Counts::default(); streams.len()];
    for (stream, count) in written {
        counts[stream] += count;
    }
    let counts: Vec<StreamCount> =
        streams.iter().zip(counts).map(|(stream, counts)| StreamCount { vendor: stream.vendor, stream: stream.name, counts }).collect();
    truth::write(&company, config, &counts)
}

fn month(company: &Company, config: &Config, number: usize, stream: &Stream, month: usize) -> Result<Counts, Error> {
    let month = &company.calendar.months[month];
    let name = format!("{}-{}.jsonl.zst", stream.name, month.label());
    let path = config.out.join(stream.vendor).join(name);
    let mut lines = Lines::create(path, stream.spoil, config.seed, number as u64, month.index as u64)?;
    (stream.write)(company, month, &mut lines)?;
    lines.finish()
}

#[cfg(test)]
mod tests;
