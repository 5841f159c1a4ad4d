//! The raw export: all events of some days, one a line, as they lie there: duplicates and late ones included.

use std::io::Write;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use chrono::NaiveDate;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use super::super::faults::Kind;
use super::super::world::{DAY, SECOND, Store};
use super::expression::Expression;
use super::records::spread;
use super::{Params, Refusal};

/// Bodies that aren't longer are never compressed.
const SMALL: usize = 1_400;
/// The largest `limit`.
const MOST: usize = 100_000;
/// One event of so many was sent twice; the vendor keeps both.
const TWICE: u64 = 200;

/// What is asked for.
struct Wanted {
    /// The first day's beginning and the last day's end, in microseconds.
    from: i64,
    to: i64,
    events: Option<Vec<String>>,
    filter: Option<Expression>,
    limit: usize,
    in_millis: bool,
}

impl Wanted {
    fn parse(params: &Params, now: i64) -> Result<Self, Refusal> {
        let day = |name: &str| -> Result<i64, Refusal> {
            let text = params.get(name).ok_or_else(|| Refusal::bad(format!("Missing required parameter: {name}")))?;
            let date: NaiveDate = text.parse().map_err(|_| Refusal::bad(format!("Invalid date format for {name}: {text}")))?;
            Ok((date - NaiveDate::default()).num_days() * DAY)
        };
        let (from, to) = (day("from_date")?, day("to_date")?);
        if from > to {
            return Err(Refusal::bad("to_date cannot be before from_date"));
        }
        if to > now {
            return Err(Refusal::bad("to_date cannot be later than today"));
        }
        let events = match params.get("event") {
            None => None,
            Some(text) => Some(serde_json::from_str(text).map_err(|_| Refusal::bad("event must be a JSON array of strings"))?),
        };
        let filter = match params.get("where") {
            None => None,
            Some(text) => Some(Expression::parse(text).ok_or_else(|| Refusal::bad("Unable to parse the where expression"))?),
        };
        let limit = match params.get("limit") {
            None => usize::MAX,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=MOST).contains(limit))
                .ok_or_else(|| Refusal::bad(format!("limit must be between 1 and {MOST}")))?,
        };
        let in_millis = params.get("time_in_ms").is_some_and(|value| matches!(value.as_str(), "true" | "1"));
        Ok(Self { from, to: to + DAY, events, filter, limit, in_millis })
    }

    fn takes(&self, event: &Value) -> bool {
        let named = |names: &Vec<String>| names.iter().any(|name| event["event"] == *name);
        self.events.as_ref().is_none_or(named) && self.filter.as_ref().is_none_or(|filter| filter.holds(&event["properties"]))
    }
}

/// The lines of an export, each with its end.
pub(super) fn lines(params: &Params, store: &Store, now: i64) -> Result<Vec<String>, Refusal> {
    let wanted = Wanted::parse(params, now)?;
    let start = store.records.partition_point(|record| record.created < wanted.from);
    let end = store.records.partition_point(|record| record.created < wanted.to);
    let mut lines = Vec::new();
    let mut again = Vec::new();
    for record in store.records.get(start..end).unwrap_or_default() {
        let Some(version) = record.at(now).filter(|version| wanted.takes(&version.body)) else { continue };
        let line = if wanted.in_millis {
            let mut body = Value::clone(&version.body);
            body["properties"]["time"] = (record.created / (SECOND / 1_000)).into();
            format!("{body}\n")
        } else {
            format!("{}\n", version.body)
        };
        if spread(&record.id).is_multiple_of(TWICE) {
            again.push(line.clone());
        }
        lines.push(line);
    }
    // The second copies stand far from the first ones.
    lines.extend(again);
    lines.truncate(wanted.limit);
    Ok(lines)
}

/// The body, perhaps spoiled by a fault of this vendor's own.
pub(super) fn body(mut lines: Vec<String>, fault: Option<Kind>) -> String {
    let middle = lines.len() / 2;
    match fault {
        Some(Kind::TerminatedEarly) => {
            lines.truncate(middle);
            lines.push("terminated early\n".to_string());
        }
        Some(Kind::SplitRecord) => {
            if let Some(line) = lines.get_mut(middle) {
                let cut = line.floor_char_boundary(line.len() / 2);
                line.insert(cut, '\n');
            }
        }
        _ => {}
    }
    lines.concat()
}

/// The answer, compressed if that was asked for and is worth it.
pub(super) fn answer(body: String, headers: &HeaderMap) -> Response {
    let accepts = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains("gzip"));
    let text = HeaderValue::from_static("text/plain");
    let compressed = if accepts && body.len() > SMALL { gzip(body.as_bytes()).ok() } else { None };
    let mut response = match compressed {
        None => Bytes::from(body).into_response(),
        Some(bytes) => {
            let mut response = Bytes::from(bytes).into_response();
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            response
        }
    };
    response.headers_mut().insert(header::CONTENT_TYPE, text);
    response
}

pub(in crate::fakes) fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// The day of a moment, as the parameters write it.
#[cfg(test)]
pub(super) fn date(micros: i64) -> String {
    chrono::DateTime::from_timestamp_micros(micros).unwrap_or_default().format("%Y-%m-%d").to_string()
}
