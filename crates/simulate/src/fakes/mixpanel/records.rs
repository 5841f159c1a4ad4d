//! What Mixpanel holds of the company: the usage events, and a profile of each of its best-known users.
//!
//! An event can be exported from when it was processed, for a few in a hundred days after it happened. The events' names and
//! people are those of the simulated extracts.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::DateTime;
use serde_json::{Value, json};

use super::super::PROJECT_ID;
use super::super::intercom::product_key;
use super::super::world::{Record, SECOND, Store, Version};
use crate::company::{Account, Company, PLANS};
use crate::life::Life;
use crate::names;
use crate::output::collected;
use crate::rng::{Purpose, Rng};

/// Names of random streams, so that no other draw moves ours.
const PROFILE: u64 = 0x31_0001;
/// Profiles of a customer, at most.
const PROFILES: u32 = 3;
/// One event of so many comes one to three days late.
const LATE: u64 = 50;
const SYSTEMS: [&str; 3] = ["Mac OS X", "Windows", "Linux"];

/// The usage events of the whole company, as the simulated extracts have them.
pub(in crate::fakes) fn usage(company: &Company) -> Vec<Value> {
    collected(company, crate::vendors::mixpanel::events)
}

/// A number that looks random and is the same for the same text.
pub(in crate::fakes) fn spread(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

pub(super) fn all(company: &Company) -> Vec<(&'static str, Store)> {
    vec![("events", events(company)), ("engage", profiles(company)), ("cohorts", cohorts(company))]
}

fn events(company: &Company) -> Store {
    let country: BTreeMap<String, &'static str> = company.accounts.iter().map(|account| (product_key(account), account.country)).collect();
    let event = |mut body: Value| {
        let properties = &mut body["properties"];
        let id = properties["$insert_id"].as_str()?.to_string();
        let time = properties["time"].as_i64()?;
        let hash = spread(&id);
        let processed = match properties["mp_processing_time_ms"].as_i64() {
            Some(late) => late + (hash % 3_600_000) as i64,
            // More of them than the extracts have, so that a small company's days have some too.
            None if hash.is_multiple_of(LATE) => (time + 86_400 * (1 + (hash >> 32) % 3) as i64) * 1_000,
            None => time * 1_000 + 1_200 + (hash % 20_000) as i64,
        };
        properties["mp_processing_time_ms"] = json!(processed);
        properties["mp_lib"] = json!("web");
        properties["$os"] = json!(SYSTEMS[(hash % 3) as usize]);
        if let Some(country) = properties["company"].as_str().and_then(|company| country.get(company)) {
            properties["mp_country_code"] = json!(country_code(country));
        }
        // Larger than any whole number that a double can hold next to its neighbour.
        if body["event"] == "api_call" {
            body["properties"]["request_id"] = json!(9_007_199_254_740_993_u64 + hash % 1_000);
        }
        Some(Record {
            id,
            created: time * SECOND,
            versions: vec![Version { at: processed * (SECOND / 1_000), deleted: false, body: Arc::new(body) }],
        })
    };
    Store::new(usage(company).into_iter().filter_map(event).collect())
}

pub(in crate::fakes) fn country_code(country: &str) -> &'static str {
    match country {
        "United Kingdom" => "GB",
        "Germany" => "DE",
        "France" => "FR",
        "Canada" => "CA",
        "Netherlands" => "NL",
        "Australia" => "AU",
        "Japan" => "JP",
        _ => "US",
    }
}

fn profiles(company: &Company) -> Store {
    let from = company.calendar.unix(company.calendar.days - 2, 43_200) + 1;
    let to = from + 86_399;
    let mut records = Vec::new();
    for (account, life) in company.customers().filter(|(account, _)| account.since < company.calendar.days) {
        for user in 0..account.seats.min(PROFILES) {
            let mut rng = Rng::new(company.seed, Purpose::Detail, account.index as u64, PROFILE + u64::from(user));
            let name = names::person(&mut rng);
            let joined = company.calendar.unix(account.since, 40_000 + i64::from(user));
            let first = account.since.max(0);
            let seen = company.calendar.unix(first, 61_000) + rng.between(0, i64::from((company.calendar.days - first).max(1))) * 86_400;
            let (late, invited) = (rng.between(from, to), rng.between(from, to));
            // Some users are invited on the last day, and some come back then.
            let created = if user == 2 && account.index % 20 == 11 && joined < from { invited } else { joined };
            let mut times = vec![created];
            times.extend(Some(seen).filter(|seen| *seen > created));
            times.extend(Some(late).filter(|late| (account.index + user as usize) % 20 == 6 && created < from && *late > created));
            times.sort_unstable();
            times.dedup();
            // The clock never stands before its beginning: only the last of the older states is made.
            let older = times.partition_point(|at| *at < from).saturating_sub(1);
            let versions = times[older..].iter().map(|at| Version {
                at: at * SECOND,
                deleted: false,
                body: Arc::new(profile(company, account, life, user, name, created, *at)),
            });
            records.push(Record { id: format!("u{}-{user}", account.index), created: created * SECOND, versions: versions.collect() });
        }
    }
    Store::new(records)
}

fn local(second: i64) -> String {
    DateTime::from_timestamp(second, 0).unwrap_or_default().format("%Y-%m-%dT%H:%M:%S").to_string()
}

/// A user, with properties whose names differ only by the sign that the vendor puts before its own.
fn profile(company: &Company, account: &Account, life: &Life, user: u32, name: (&str, &str), created: i64, at: i64) -> Value {
    let day = (at.div_euclid(86_400) - company.calendar.unix(0, 0) / 86_400) as i32;
    let plan = life.terms_on(day).map_or(account.plan, |terms| terms.plan);
    let email = format!("{}.{}@{}", name.0, name.1, account.domain).to_lowercase();
    json!({
        "$distinct_id": format!("u{}-{user}", account.index),
        "$properties": {
            "$email": email,
            "email": if user == 0 { Some(format!("billing@{}", account.domain)) } else { None },
            "$name": format!("{} {}", name.0, name.1),
            "$created": local(created),
            "$last_seen": local(at),
            "$country_code": country_code(account.country),
            "company": product_key(account),
            "plan": PLANS[plan].name,
            "seats": life.terms_on(day).map_or(account.seats, |terms| terms.seats),
            "score": f64::from(account.seats % 10) / 4.0,
        },
    })
}

/// The members of a cohort: those whose plan it names.
pub(super) fn is_member(cohort: i64, profile: &Value) -> bool {
    let plan = usize::try_from(cohort - FIRST_COHORT).ok().and_then(|i| PLANS.get(i));
    plan.is_some_and(|plan| profile["$properties"]["plan"] == plan.name)
}

const FIRST_COHORT: i64 = 1_478_097;

fn cohorts(company: &Company) -> Store {
    let at = company.calendar.unix(-400, 30_000) * SECOND;
    let records = PLANS.iter().enumerate().map(|(i, plan)| {
        let id = FIRST_COHORT + i as i64;
        let body = json!({
            "id": id, "project_id": PROJECT_ID.parse::<i64>().unwrap_or_default(), "name": format!("Plan {}", plan.name), "description": "",
            "created": "2024-03-19 23:49:51", "is_visible": 1, "data_group_id": null,
            "count": company.accounts.iter().filter(|account| account.plan == i).count(),
        });
        Record { id: id.to_string(), created: at, versions: vec![Version { at, deleted: false, body: Arc::new(body) }] }
    });
    Store::new(records.collect())
}
