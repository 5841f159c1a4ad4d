//! Stripe's events: one or more for each change of an object. They are kept for 30 days, and hold the object as it was.

use std::sync::Arc;

use serde_json::{Value, json};

use super::EVENT_DAYS;
use super::records::Billing;
use crate::fakes::world::{DAY, Record, SECOND, Store, Version};

/// Events that are made before the oldest that anyone can see, so that the limit shows.
const MARGIN_DAYS: i64 = 10;
/// Numbers of events that tell of mutations are larger than those of all others.
const MUTATIONS: usize = 90_000_000;

/// The types of the events that tell of a version, in their order.
fn types(stream: &str, record: &Record, index: usize) -> Vec<&'static str> {
    let version = &record.versions[index];
    let status = version.body["status"].as_str().unwrap_or_default();
    let before = index.checked_sub(1).map(|i| record.versions[i].body["status"].as_str().unwrap_or_default());
    match (stream, before) {
        ("customers", _) if version.deleted => vec!["customer.deleted"],
        ("customers", None) => vec!["customer.created"],
        ("customers", Some(_)) => vec!["customer.updated"],
        ("subscriptions", None) => vec!["customer.subscription.created"],
        // A canceled subscription is told of as deleted, and still can be read.
        ("subscriptions", Some(before)) if status == "canceled" && before != status => vec!["customer.subscription.deleted"],
        ("subscriptions", Some(_)) => vec!["customer.subscription.updated"],
        ("invoices", _) if version.deleted => vec!["invoice.deleted"],
        ("invoices", None) if status == "draft" => vec!["invoice.created"],
        ("invoices", None) => vec!["invoice.created", "invoice.finalized"],
        ("invoices", Some(before)) if before == status => vec!["invoice.updated"],
        ("invoices", Some(_)) if status == "paid" => vec!["invoice.updated", "invoice.paid", "invoice.payment_succeeded"],
        ("invoices", Some(_)) if status == "uncollectible" => vec!["invoice.marked_uncollectible"],
        ("invoices", Some(_)) => vec!["invoice.updated"],
        _ => Vec::new(),
    }
}

/// An event. Its id sorts as its time and number do, so that those of one second keep their order.
fn event(kind: &str, at: i64, number: usize, object: &Value) -> Record {
    let created = at / SECOND;
    let id = format!("evt_1{created:010}{number:08}");
    let body = json!({
        "id": &id,
        "object": "event",
        "api_version": "2022-11-15",
        "created": created,
        "data": {"object": object},
        "livemode": true,
        "pending_webhooks": 0,
        "request": {"id": null, "idempotency_key": null},
        "type": kind,
    });
    Record { id, created: at, versions: vec![Version { at, deleted: false, body: Arc::new(body) }] }
}

/// The events of all objects, from some days before those that can be seen at `began`.
pub(super) fn events(billing: &Billing, began: i64) -> Store {
    let oldest = began - (EVENT_DAYS + MARGIN_DAYS) * DAY;
    let stores = [("customers", &billing.customers), ("subscriptions", &billing.subscriptions), ("invoices", &billing.invoices)];
    let mut told: Vec<(i64, &str, &Record, usize)> = Vec::new();
    for (stream, store) in stores {
        for record in &store.records {
            let versions = record.versions.iter().enumerate().filter(|(_, version)| version.at >= oldest);
            told.extend(versions.map(|(index, version)| (version.at, stream, record, index)));
        }
    }
    told.sort_by(|a, b| (a.0, a.1, &a.2.id, a.3).cmp(&(b.0, b.1, &b.2.id, b.3)));
    let mut events = Vec::new();
    for (at, stream, record, index) in told {
        for kind in types(stream, record, index) {
            events.push(event(kind, at, events.len(), &record.versions[index].body));
        }
    }
    Store::new(events)
}

/// The events that tell of records that were changed just now.
pub(super) fn of_changes(stream: &str, changed: &[Record], turn: u64, now: i64) -> Vec<Record> {
    let first = MUTATIONS + turn as usize * 100;
    let mut events = Vec::new();
    for record in changed {
        let Some(index) = record.versions.partition_point(|version| version.at <= now).checked_sub(1) else { continue };
        for kind in types(stream, record, index) {
            events.push(event(kind, now, first + events.len(), &record.versions[index].body));
        }
    }
    events
}
