//! The export: a zip archive of gzipped JSON Lines, several files an hour where there are many events.

use std::collections::BTreeMap;
use std::io::{Error, Write};

use axum::http::StatusCode;
use chrono::{DateTime, NaiveDate};
use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, DateTime as ZipTime};

use super::super::mixpanel::gzip;
use super::super::world::{SECOND, Store};
use super::records::{APP, HOUR};

/// Most bytes of events of one export: a thousandth of what the vendor allows, so that a small company can exceed it.
pub(super) const LARGEST: usize = 4_000_000;
/// Events of one file.
const FILE: usize = 20;
/// Most hours of one export.
const LONGEST: i64 = 365 * 24;

/// An answer that is no archive.
pub(super) type Refusal = (StatusCode, &'static str);

fn hour(text: Option<&String>) -> Option<i64> {
    let (date, hour) = text?.split_once('T')?;
    let hour: i64 = Some(hour).filter(|hour| hour.len() == 2)?.parse().ok().filter(|hour| (0..24).contains(hour))?;
    let date = NaiveDate::parse_from_str(date, "%Y%m%d").ok().filter(|_| date.len() == 8)?;
    Some((date - NaiveDate::default()).num_days() * 24 + hour)
}

/// The archive of the hours from `start` to `end`, both included.
pub(super) fn archive(params: &BTreeMap<String, String>, store: &Store, now: i64) -> Result<Vec<u8>, Refusal> {
    let wrong = (StatusCode::BAD_REQUEST, "Invalid start or end: YYYYMMDDTHH is expected");
    let (start, end) = (hour(params.get("start")).ok_or(wrong)?, hour(params.get("end")).ok_or(wrong)?);
    if start > end {
        return Err((StatusCode::BAD_REQUEST, "start must not be after end"));
    }
    if end - start >= LONGEST {
        return Err((StatusCode::BAD_REQUEST, "The time range must not be longer than 365 days"));
    }
    let first = store.records.partition_point(|record| record.created < start * HOUR);
    let last = store.records.partition_point(|record| record.created < (end + 1) * HOUR);
    let mut size = 0;
    let mut hours: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for record in store.records.get(first..last).unwrap_or_default() {
        let Some(version) = record.at(now) else { continue };
        let line = format!("{}\n", version.body);
        size += line.len();
        if size > LARGEST {
            return Err((StatusCode::BAD_REQUEST, "Data size exceeds the limit. Please request a smaller time range."));
        }
        hours.entry(record.created.div_euclid(HOUR)).or_default().push(line);
    }
    if hours.is_empty() {
        return Err((StatusCode::NOT_FOUND, "Raw data files were not found."));
    }
    pack(&hours).map_err(|_| (StatusCode::INTERNAL_SERVER_ERROR, "Internal error"))
}

/// Written as a stream: the members' sizes stand behind them, so the archive can be read from its end only.
fn pack(hours: &BTreeMap<i64, Vec<String>>) -> Result<Vec<u8>, Error> {
    let mut archive = ZipWriter::new_stream(Vec::new());
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).last_modified_time(ZipTime::default());
    for (hour, lines) in hours {
        let time = DateTime::from_timestamp(hour * (HOUR / SECOND), 0).unwrap_or_default();
        for (number, part) in lines.chunks(FILE).enumerate() {
            let name = format!("{APP}/{APP}_{}#{number}.json.gz", time.format("%Y-%m-%d_%-H"));
            archive.start_file(name, options)?;
            archive.write_all(&gzip(part.concat().as_bytes())?)?;
        }
    }
    Ok(archive.finish()?.into_inner())
}
