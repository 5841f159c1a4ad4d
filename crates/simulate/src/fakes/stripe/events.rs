//! Stripe's events: one or more for each change of an object. They are kept for 30 days, and hold the object as it was.

use std::sync::Arc;

use serde_json::{Value, json};

use super::EVENT_DAYS;
use crate::fakes::billing::Change;
use crate::fakes::world::{DAY, Record, SECOND, Version};

/// Events that are made before the oldest that anyone can see, so that the limit shows.
const MARGIN_DAYS: i64 = 10;

/// The types of the events that tell of a change, in their order.
fn types(change: &Change<'_>) -> Vec<&'static str> {
    let version = change.version();
    let status = version.body["status"].as_str().unwrap_or_default();
    let before = change.before().map(|body| body["status"].as_str().unwrap_or_default());
    match (change.stream, before) {
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

/// How far back events reach, from when the clock first stands: some days before those that can be seen.
pub(super) fn oldest(began: i64) -> i64 {
    began - (EVENT_DAYS + MARGIN_DAYS) * DAY
}

/// The events that tell of changes.
pub(in crate::fakes) fn tell(changes: &[Change<'_>], first: usize) -> Vec<Record> {
    let told = changes.iter().flat_map(|change| types(change).into_iter().map(move |kind| (kind, change)));
    (first..).zip(told).map(|(number, (kind, change))| event(kind, change.at, number, &change.version().body)).collect()
}
