//! Chargebee's events: one for each change of a record, with the record as it was.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::fakes::billing::Change;
use crate::fakes::world::{DAY, Record, SECOND, Version};

/// Days before the clock's first stand from which there are events.
const EVENT_DAYS: i64 = 30;

/// What happened, and what the content calls the record.
fn kind(change: &Change<'_>) -> Option<(&'static str, &'static str)> {
    let version = change.version();
    let status = &version.body["status"];
    let kind = match (change.stream, change.before()) {
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
    let name = match change.stream {
        "customers" => "customer",
        "subscriptions" => "subscription",
        _ => "invoice",
    };
    Some((kind, name))
}

fn event(change: &Change<'_>, number: usize) -> Option<Record> {
    let (kind, name) = kind(change)?;
    let at = change.at;
    // Ids sort as times do, so that the events of one second keep their order.
    let id = format!("ev_{:010}{number:08}", at / SECOND);
    let mut content = serde_json::Map::new();
    content.insert(name.to_string(), Value::clone(&change.version().body));
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

/// How far back events reach, from when the clock first stands.
pub(super) fn oldest(began: i64) -> i64 {
    began - EVENT_DAYS * DAY
}

/// The events that tell of changes.
pub(in crate::fakes) fn tell(changes: &[Change<'_>], first: usize) -> Vec<Record> {
    (first..).zip(changes).filter_map(|(number, change)| event(change, number)).collect()
}
