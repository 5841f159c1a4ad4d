//! Compressed JSON Lines, and the bad lines that are put among them on purpose.
//!
//! Bad lines are always additional: a line that can't be read or that comes twice stands beside the good one it was
//! made from. So whoever counts and drops them all gets the whole truth.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::AddAssign;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::Error;
use crate::calendar::Month;
use crate::company::Company;
use crate::rng::{Purpose, Rng};

/// Lines of a stream, and how many of them are bad on purpose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All lines, bad ones included.
    pub lines: u64,
    /// Lines that are no JSON: cut off.
    pub malformed: u64,
    /// Lines with a value of a wrong type.
    pub wrong_type: u64,
    /// Lines that repeat another one, byte for byte.
    pub duplicated: u64,
    /// Records that arrive days after they happened (Mixpanel events).
    pub late: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.lines += other.lines;
        self.malformed += other.malformed;
        self.wrong_type += other.wrong_type;
        self.duplicated += other.duplicated;
        self.late += other.late;
    }
}

/// How a stream is spoiled: shares of its lines.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spoil {
    pub(crate) malformed: f64,
    pub(crate) wrong_type: f64,
    pub(crate) duplicated: f64,
    /// The field that gets a value of a wrong type, and that value as JSON.
    pub(crate) wrong: (&'static str, &'static str),
}

impl Spoil {
    /// The usual shares, with the field that gets a wrong value.
    pub(crate) fn usual(field: &'static str, value: &'static str) -> Self {
        Self { malformed: 3e-4, wrong_type: 3e-4, duplicated: 2e-3, wrong: (field, value) }
    }
}

/// Where records go.
enum Sink {
    File { path: PathBuf, out: zstd::Encoder<'static, BufWriter<File>> },
    Memory(Vec<Value>),
}

/// One file of a stream, or its records in memory.
pub(crate) struct Lines {
    sink: Sink,
    counts: Counts,
    spoil: Spoil,
    rng: Rng,
}

impl Lines {
    pub(crate) fn create(path: PathBuf, spoil: Spoil, seed: u64, stream: u64, month: u64) -> Result<Self, Error> {
        let file = File::create(&path).map_err(Error::io("create", &path))?;
        let out = zstd::Encoder::new(BufWriter::new(file), 1).map_err(Error::io("create", &path))?;
        let rng = Rng::new(seed, Purpose::Corruption, stream, month);
        Ok(Self { sink: Sink::File { path, out }, counts: Counts::default(), spoil, rng })
    }

    fn memory() -> Self {
        let spoil = Spoil { malformed: 0.0, wrong_type: 0.0, duplicated: 0.0, wrong: ("", "") };
        Self { sink: Sink::Memory(Vec::new()), counts: Counts::default(), spoil, rng: Rng::new(0, Purpose::Corruption, 0, 0) }
    }

    fn raw(&mut self, line: &str) -> Result<(), Error> {
        self.counts.lines += 1;
        match &mut self.sink {
            Sink::File { path, out } => {
                out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n")).map_err(Error::io("write", path))
            }
            Sink::Memory(records) => {
                // Nothing is spoiled here, so all of it is JSON.
                records.extend(serde_json::from_str::<Value>(line));
                Ok(())
            }
        }
    }

    /// Writes a record, and now and then a bad line made from it.
    pub(crate) fn record(&mut self, line: &str) -> Result<(), Error> {
        self.raw(line)?;
        let draw = self.rng.uniform();
        let Spoil { malformed, wrong_type, duplicated, wrong } = self.spoil;
        if draw < malformed {
            let cut = line.floor_char_boundary(line.len() * 2 / 3);
            self.counts.malformed += 1;
            self.raw(&line[..cut])
        } else if draw < malformed + wrong_type {
            match with_value(line, wrong.0, wrong.1) {
                Some(bad) => {
                    self.counts.wrong_type += 1;
                    self.raw(&bad)
                }
                None => Ok(()),
            }
        } else if draw < malformed + wrong_type + duplicated {
            self.counts.duplicated += 1;
            self.raw(line)
        } else {
            Ok(())
        }
    }

    pub(crate) fn count_late(&mut self) {
        self.counts.late += 1;
    }

    pub(crate) fn finish(self) -> Result<Counts, Error> {
        if let Sink::File { path, out } = self.sink {
            let writer = out.finish().map_err(Error::io("write", &path))?;
            writer.into_inner().map_err(|e| Error::io("write", &path)(e.into_error()))?;
        }
        Ok(self.counts)
    }
}

/// The records that a stream's writer makes of all months, unspoiled: for the fakes, which hold them in memory.
pub(crate) fn collected(company: &Company, write: impl Fn(&Company, &Month, &mut Lines) -> Result<(), Error>) -> Vec<Value> {
    let mut lines = Lines::memory();
    for month in &company.calendar.months {
        if let Err(error) = write(company, month, &mut lines) {
            // Only files can fail.
            tracing::error!(%error, "a record writer failed in memory");
        }
    }
    match lines.sink {
        Sink::Memory(records) => records,
        Sink::File { .. } => Vec::new(),
    }
}

/// The line with another value in its first field of that name (a scalar).
fn with_value(line: &str, field: &str, value: &str) -> Option<String> {
    let key = format!("\"{field}\":");
    let start = line.find(&key)? + key.len();
    let rest = &line[start..];
    let end = match rest.strip_prefix('"') {
        Some(text) => text.find('"')? + 2,
        None => rest.find([',', '}'])?,
    };
    Some(format!("{}{value}{}", &line[..start], &rest[end..]))
}

/// Creates a folder and those above it.
pub(crate) fn folder(path: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(path).map_err(Error::io("create", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_value_takes_the_place_of_the_right_one() {
        let line = r#"{"id":"in_1","amount_due":1200,"paid":true}"#;
        assert_eq!(with_value(line, "amount_due", "\"n/a\"").unwrap(), r#"{"id":"in_1","amount_due":"n/a","paid":true}"#);
        assert_eq!(with_value(line, "id", "7").unwrap(), r#"{"id":7,"amount_due":1200,"paid":true}"#);
        assert_eq!(with_value(line, "paid", "3").unwrap(), r#"{"id":"in_1","amount_due":1200,"paid":3}"#);
    }
}
