//! Records that change while they are read.
//!
//! One rule serves all vendors: a record with a field that says when it changed gets a new time there, written as the old
//! one is, and another name or number that shows it. Vendors that tell of changes by events get those events, too.

use std::sync::Arc;

use chrono::DateTime;
use serde_json::{Map, Value};

use super::billing::{changes_now, first_number};
use super::world::{Record, Store, Version};
use super::{chargebee, stripe};
use crate::rng::{Purpose, Rng};

/// How many records change at a time.
const SOME: usize = 3;

/// Fields that say when a record changed.
const STAMPS: [&str; 9] = [
    "updated_at",
    "updatedAt",
    "SystemModstamp",
    "LastModifiedDate",
    "hs_lastmodifieddate",
    "lastmodifieddate",
    "resource_version",
    "generated_timestamp",
    "$last_seen",
];

/// Texts that show the change: the first one there is.
const TEXTS: [&str; 10] = ["name", "Name", "company", "subject", "Subject", "dealname", "hs_task_subject", "title", "LastName", "lastname"];

/// Numbers that show the change where there is no such text.
const NUMBERS: [&str; 4] = ["plan_quantity", "quantity", "attempt_count", "balance"];

/// Where to make changes for one who reads this stream: events come from changes elsewhere.
pub(super) fn source<'a>(vendor: &str, stream: &'a str) -> &'a str {
    match (vendor, stream) {
        ("stripe" | "chargebee", "events") => "customers",
        _ => stream,
    }
}

/// The events that tell of changed records, and the stream that they belong to.
pub(super) fn events(vendor: &str, stream: &str, changed: &[Record], turn: u64, now: i64) -> Option<(&'static str, Vec<Record>)> {
    let tell = match vendor {
        "stripe" => stripe::tell,
        "chargebee" => chargebee::tell,
        _ => return None,
    };
    Some(("events", tell(&changes_now(stream, changed, now), first_number(turn))))
}

/// The store with some records changed at this moment, and those records.
pub(super) fn some(store: &Store, seed: u64, turn: u64, now: i64) -> (Store, Vec<Record>) {
    let live: Vec<usize> =
        store.records.iter().enumerate().filter(|(_, r)| r.at(now).is_some_and(|v| !v.deleted)).map(|(i, _)| i).collect();
    let mut rng = Rng::new(seed, Purpose::Detail, 0xFA17, turn);
    let mut chosen: Vec<usize> = (0..SOME).filter_map(|_| live.get(rng.between(0, live.len() as i64) as usize).copied()).collect();
    chosen.sort_unstable();
    chosen.dedup();
    let mut records = Vec::new();
    let mut changed = Vec::new();
    for index in chosen {
        let mut record = store.records[index].clone();
        let Some(version) = record.at(now) else { continue };
        let mut body = Value::clone(&version.body);
        if !touch(&mut body, turn, now) {
            continue;
        }
        let place = record.versions.partition_point(|version| version.at <= now);
        record.versions.insert(place, Version { at: now, deleted: false, body: Arc::new(body) });
        changed.push(record.clone());
        records.push((index, record));
    }
    if changed.is_empty() {
        return (Store::default(), changed);
    }
    let mut all = store.records.clone();
    for (index, record) in records {
        all[index] = record;
    }
    (Store::new(all), changed)
}

/// Changes a record; false if nothing says that such records ever change.
fn touch(body: &mut Value, turn: u64, now: i64) -> bool {
    let Some(fields) = body.as_object_mut() else { return false };
    let mut stamped = restamp(fields, now);
    for inner in ["properties", "$properties"] {
        if let Some(Value::Object(fields)) = fields.get_mut(inner) {
            stamped |= restamp(fields, now);
        }
    }
    // Stripe's objects don't say when they changed; its events do.
    if !stamped && !fields.contains_key("object") {
        return false;
    }
    if !show(fields, turn)
        && let Some(Value::Object(inner)) = fields.get_mut("properties")
    {
        show(inner, turn);
    }
    true
}

fn restamp(fields: &mut Map<String, Value>, now: i64) -> bool {
    let mut stamped = false;
    for stamp in STAMPS {
        if let Some(value) = fields.get_mut(stamp)
            && let Some(new) = stamp_like(value, now)
        {
            *value = new;
            stamped = true;
        }
    }
    stamped
}

/// The moment (microseconds since 1970) written as `value` is: ISO with or without milliseconds, seconds or milliseconds.
fn stamp_like(value: &Value, now: i64) -> Option<Value> {
    let number = |old: i64| if old > 100_000_000_000 { now / 1_000 } else { now / 1_000_000 };
    match value {
        Value::Number(old) => Some(Value::from(number(old.as_i64()?))),
        Value::String(old) => {
            if let Ok(old) = old.parse::<i64>() {
                return Some(Value::from(number(old).to_string()));
            }
            let format = match old {
                old if old.ends_with("+0000") => "%Y-%m-%dT%H:%M:%S.000+0000",
                old if old.ends_with('Z') && old.contains('.') => "%Y-%m-%dT%H:%M:%S%.3fZ",
                old if old.ends_with('Z') => "%Y-%m-%dT%H:%M:%SZ",
                old if old.len() == 19 => "%Y-%m-%dT%H:%M:%S",
                _ => return None,
            };
            Some(Value::from(DateTime::from_timestamp_micros(now)?.format(format).to_string()))
        }
        _ => None,
    }
}

fn show(fields: &mut Map<String, Value>, turn: u64) -> bool {
    for text in TEXTS {
        if let Some(Value::String(old)) = fields.get_mut(text) {
            let plain = old.split(" (changed ").next().unwrap_or_default();
            *old = format!("{plain} (changed {turn})");
            return true;
        }
    }
    for number in NUMBERS {
        if let Some(value) = fields.get_mut(number)
            && let Some(old) = value.as_i64()
        {
            *value = Value::from(old + 1);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn writes_times_as_they_were_written() {
        let now = 1_782_820_800_123_456; // 2026-06-30T12:00:00.123456Z
        let like = |value: Value| stamp_like(&value, now);
        assert_eq!(like(json!(1_600_000_000)), Some(json!(1_782_820_800)));
        assert_eq!(like(json!(1_600_000_000_000_i64)), Some(json!(1_782_820_800_123_i64)));
        assert_eq!(like(json!("2020-01-01T00:00:00.000+0000")), Some(json!("2026-06-30T12:00:00.000+0000")));
        assert_eq!(like(json!("2020-01-01T00:00:00Z")), Some(json!("2026-06-30T12:00:00Z")));
        assert_eq!(like(json!("2020-01-01T00:00:00.000Z")), Some(json!("2026-06-30T12:00:00.123Z")));
        assert_eq!(like(json!("1600000000000")), Some(json!("1782820800123")));
        assert_eq!((like(json!(null)), like(json!("soon"))), (None, None));
    }

    #[test]
    fn changes_what_can_change_and_nothing_else() {
        let mut company = json!({"id": "1", "properties": {"name": "Acme", "hs_lastmodifieddate": "2020-01-01T00:00:00.000Z"}});
        assert!(touch(&mut company, 4, 0));
        assert_eq!(company["properties"]["name"], "Acme (changed 4)");
        assert_eq!(company["properties"]["hs_lastmodifieddate"], "1970-01-01T00:00:00.000Z");
        assert!(touch(&mut company, 5, 0));
        assert_eq!(company["properties"]["name"], "Acme (changed 5)");
        let mut event = json!({"event": "login", "properties": {"time": 1_600_000_000}});
        assert!(!touch(&mut event, 4, 0));
    }
}
