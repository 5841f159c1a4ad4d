//! What Amplitude holds of the company: the same usage as Mixpanel, of that half of the customers who use the mobile app.
//!
//! Events are filed by the hour in which the server got them (`server_upload_time`), and an hour can be exported two hours
//! after its end: so an event is there from then on, not from when it came.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::DateTime;
use serde_json::{Value, json};

use super::super::intercom::product_key;
use super::super::mixpanel::{country_code, spread, usage};
use super::super::world::{Record, SECOND, Store, Version};
use crate::company::Company;

/// The project's number.
pub(super) const APP: i64 = 187_520;
/// Microseconds of an hour.
pub(super) const HOUR: i64 = 3_600 * SECOND;
/// Hours from an hour's end until it can be exported.
const LOADING_HOURS: i64 = 2;
const REPORTS: [&str; 3] = ["Usage", "Revenue", "Team"];

pub(super) fn all(company: &Company) -> Vec<(&'static str, Store)> {
    let customers: BTreeMap<String, (usize, &'static str)> =
        company.accounts.iter().map(|account| (product_key(account), (account.index, account.country))).collect();
    let records = usage(company).into_iter().filter_map(|event| {
        let properties = &event["properties"];
        let key = properties["company"].as_str()?;
        let (index, country) = customers.get(key).filter(|(index, _)| index % 2 == 0)?;
        let id = properties["$insert_id"].as_str()?;
        let hash = spread(id);
        let happened = properties["time"].as_i64()? * SECOND + (hash % 1_000_000) as i64;
        let uploaded = match properties["mp_processing_time_ms"].as_i64() {
            Some(late) => late * 1_000 + (hash % HOUR as u64) as i64,
            None => happened + 1_000_000 + (hash % 90_000_000) as i64,
        };
        let uuid = uuid(hash, spread(&format!("{id}.")));
        let body = match body(&event, &uuid, *index, country, happened, uploaded, hash) {
            // Made in one go from what is sorted already, a map needs a third less memory, and there are many of these.
            Value::Object(fields) => Value::Object(fields.into_iter().collect()),
            other => other,
        };
        let at = (uploaded.div_euclid(HOUR) + 1 + LOADING_HOURS) * HOUR;
        Some(Record { id: uuid, created: uploaded, versions: vec![Version { at, deleted: false, body: Arc::new(body) }] })
    });
    vec![("events", Store::new(records.collect()))]
}

fn uuid(a: u64, b: u64) -> String {
    format!("{:08x}-{:04x}-11ee-{:04x}-{:012x}", a >> 32, a & 0xFFFF, 0x8000 | (b >> 50), b & 0xFFFF_FFFF_FFFF)
}

/// In UTC, without saying so.
fn text(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros).unwrap_or_default().format("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

fn body(event: &Value, uuid: &str, index: usize, country: &str, happened: i64, uploaded: i64, hash: u64) -> Value {
    let properties = &event["properties"];
    let user = &properties["distinct_id"];
    let number = spread(user.as_str().unwrap_or_default());
    let is_phone = number.is_multiple_of(3);
    let event_properties = match event["event"].as_str() {
        Some("report_viewed") => {
            json!({"report": REPORTS[(hash % 3) as usize], "seconds": (hash % 4_000) as f64 / 8.0})
        }
        Some("export") => json!({"rows": hash % 100_000, "format": "csv", "nested": {"columns": ["a", "b"]}}),
        _ => json!({}),
    };
    json!({
        "$insert_id": properties["$insert_id"],
        "$schema": null,
        "amplitude_id": 500_000_000_000_i64 + (number % 1_000_000_000) as i64,
        "app": APP,
        "city": null,
        "client_event_time": text(happened),
        "client_upload_time": text(uploaded - 1_000),
        "country": country,
        "data": {},
        "device_id": format!("{number:016x}R"),
        "event_id": hash % 100_000,
        "event_properties": event_properties,
        "event_time": text(happened),
        "event_type": event["event"],
        "groups": {"company": [properties["company"]]},
        "ip_address": format!("203.0.113.{}", index % 254 + 1),
        "language": if country_code(country) == "DE" { "German" } else { "English" },
        "library": if is_phone { "amplitude-ios/8.17.2" } else { "amplitude-ts/2.3.1" },
        "os_name": if is_phone { "ios" } else { "Chrome" },
        "platform": if is_phone { "iOS" } else { "Web" },
        "processed_time": text(uploaded + 2_500_000),
        "server_received_time": text(uploaded - 400),
        "server_upload_time": text(uploaded),
        "session_id": if hash.is_multiple_of(50) { -1 } else { happened / 1_000 },
        "user_id": user,
        "user_properties": if index.is_multiple_of(4) { json!({"segment": "SMB"}) } else { json!({}) },
        "uuid": uuid,
    })
}
