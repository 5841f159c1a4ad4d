//! Chargebee's events: one for each change of a record, with the record as it was.

use std::sync::Arc;

use serde_json::{Value, json};

use super::records::Billing;
use crate::fakes::world::{DAY, Record, SECOND, Store, Version};

/// Days before the clock's first stand from which there are events.
const EVENT_DAYS: i64 = 30;
/// Numbers of events that tell of mutations are larger than those of all others.
const MUTATIONS: usize = 90_000_000;

/// What happened with a version, and what the content calls the record.
fn kind(stream: &str, record: &Record, index: usize) -> Option<(&'static str, &'static str)> {
    let version = &record.versions[index];
    let before = index.checked_sub(1).map(|i| &record.versions[i].body);
    let status = &version.body["status"];
    let kind = match (stream, before) {
        ("customers", _) if version.deleted => "customer_deleted",
        ("customers", None) => "customer_created",
        ("customers", Some(_)) => "customer_changed",
        ("subscriptions", _) if version.deleted => "subscription_deleted",
        ("subscriptions", None) => "subscription_created",
        ("subscriptions", Some(before)) if before["status"] != *status && status == "cancelled" => "subscription_cancelled",
        ("subscriptions", Some(before)) if before["current_term_start"] != version.body["current_term_start"] => "subscription_renewed",
        ("subscriptions", Some(_)) => "subscription_changed",
        ("invoices", _) if version.deleted => "invoice_deleted",
        ("invoices", None) => "invoice_generated",
        ("invoices", Some(_)) => "invoice_updated",
        _ => return None,
    };
    let name = match stream {
        "customers" => "customer",
        "subscriptions" => "subscription",
        _ => "invoice",
    };
    Some((kind, name))
}

fn event(stream: &str, record: &Record, index: usize, at: i64, number: usize) -> Option<Record> {
    let (kind, name) = kind(stream, record, index)?;
    // Ids sort as times do, so that the events of one second keep their order.
    let id = format!("ev_{:010}{number:08}", at / SECOND);
    let mut content = serde_json::Map::new();
    content.insert(name.to_string(), Value::clone(&record.versions[index].body));
    let body = json!({
        "id": &id,
        "object": "event",
        "occurred_at": at / SECOND,
        "source": "scheduled_job",
        "api_version": "v2",
        "event_type": kind,
        "webhook_status": "not_configured",
        "content": content,
    });
    Some(Record { id, created: at, versions: vec![Version { at, deleted: false, body: Arc::new(body) }] })
}

/// The events of all records.
pub(super) fn events(billing: &Billing, began: i64) -> Store {
    let stores = [("customers", &billing.customers), ("subscriptions", &billing.subscriptions), ("invoices", &billing.invoices)];
    let mut told: Vec<(i64, &str, &Record, usize)> = Vec::new();
    for (stream, store) in stores {
        for record in &store.records {
            let versions = record.versions.iter().enumerate().filter(|(_, version)| version.at >= began - EVENT_DAYS * DAY);
            told.extend(versions.map(|(index, version)| (version.at, stream, record, index)));
        }
    }
    told.sort_by(|a, b| (a.0, a.1, &a.2.id, a.3).cmp(&(b.0, b.1, &b.2.id, b.3)));
    let events = told.into_iter().enumerate().filter_map(|(number, (at, stream, record, index))| event(stream, record, index, at, number));
    Store::new(events.collect())
}

/// The events that tell of records that were changed just now.
pub(super) fn of_changes(stream: &str, changed: &[Record], turn: u64, now: i64) -> Vec<Record> {
    let first = MUTATIONS + turn as usize * 100;
    let events = changed.iter().enumerate().filter_map(|(i, record)| {
        let index = record.versions.partition_point(|version| version.at <= now).checked_sub(1)?;
        event(stream, record, index, now, first + i)
    });
    events.collect()
}
