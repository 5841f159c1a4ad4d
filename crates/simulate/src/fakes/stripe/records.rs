//! Stripe's objects: those of the simulated extracts, without the `updated` that extractors add, and with more of a life.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::company::Company;
use crate::fakes::billing::Billing;
use crate::fakes::lively::{Shape, enliven};
use crate::fakes::world::{Record, SECOND, Store, Version};
use crate::ids;
use crate::life::DUE_DAYS;
use crate::output::collected;
use crate::vendors::stripe as writer;

/// The seed of ids that belong to nobody's life.
const BORN: u64 = 0xB0_84;
/// Lines that an invoice shows; the others have to be asked for.
pub(super) const INLINE_LINES: usize = 10;
/// Days after which an invoice that nobody pays is given up.
const GIVEN_UP_DAYS: i32 = 45;

/// The company's billing. It doesn't depend on the vendor: Chargebee's records are made from it, too.
pub(in crate::fakes) fn billing(company: &Company) -> Billing {
    let customers = enliven(customers(company), company, 0x571, &CustomerShape);
    let subscriptions = enliven(states(collected(company, writer::subscriptions)), company, 0x572, &SubscriptionShape);
    let invoices = enliven(invoices(company), company, 0x573, &InvoiceShape);
    let subscriptions = end_with_customers(subscriptions, &customers);
    Billing { customers, subscriptions, invoices }
}

/// A field that holds seconds since 1970.
pub(in crate::fakes) fn seconds(body: &Value, field: &str) -> i64 {
    body[field].as_i64().unwrap_or_default()
}

fn text(body: &Value, field: &str) -> String {
    body[field].as_str().unwrap_or_default().to_string()
}

fn with(body: &Value, changes: Value) -> Value {
    let mut body = body.clone();
    if let (Some(fields), Value::Object(changes)) = (body.as_object_mut(), changes) {
        fields.extend(changes);
    }
    body
}

/// A store of the writers' states. `updated` says when each began, and no API shows it.
fn states(mut states: Vec<Value>) -> Store {
    let times: Vec<i64> = states
        .iter_mut()
        .map(|state| state.as_object_mut().and_then(|fields| fields.remove("updated")).and_then(|v| v.as_i64()).unwrap_or_default())
        .collect();
    let mut records: BTreeMap<String, Record> = BTreeMap::new();
    for (state, at) in states.into_iter().zip(times) {
        let id = text(&state, "id");
        let created = seconds(&state, "created") * SECOND;
        let record = records.entry(id.clone()).or_insert_with(|| Record { id, created, versions: Vec::new() });
        record.versions.push(Version { at: at * SECOND, deleted: false, body: Arc::new(state) });
    }
    Store::new(records.into_values().collect())
}

/// Customers: who is late is delinquent, until the invoice is paid.
fn customers(company: &Company) -> Store {
    let calendar = &company.calendar;
    let mut late: BTreeMap<String, Vec<(i32, bool)>> = BTreeMap::new();
    for (account, life) in company.customers() {
        let mut days: Vec<(i32, bool)> = Vec::new();
        for invoice in life.invoices.iter().filter(|i| i.paid_after.is_none_or(|after| after > DUE_DAYS)) {
            days.push((invoice.day + DUE_DAYS + 1, true));
            days.extend(invoice.paid_after.map(|after| (invoice.day + after, false)));
        }
        days.retain(|(day, _)| *day < calendar.days);
        days.sort_unstable();
        days.dedup_by_key(|(_, is_late)| *is_late);
        late.insert(writer::customer_id(company, account), days);
    }
    let mut store = states(collected(company, writer::customers));
    for record in &mut store.records {
        let Some(first) = record.versions.first().map(|v| v.body.clone()) else { continue };
        let full = with(
            &first,
            json!({"address": null, "default_source": null, "description": null, "invoice_prefix": record.id[4..].to_uppercase(),
                   "phone": null, "preferred_locales": [], "tax_exempt": "none"}),
        );
        let changes = late.get(&record.id).into_iter().flatten();
        let mut versions = vec![Version { at: record.created, deleted: false, body: Arc::new(full.clone()) }];
        versions.extend(changes.map(|(day, is_late)| Version {
            at: calendar.unix(*day, 51_000) * SECOND,
            deleted: false,
            body: Arc::new(with(&full, json!({"delinquent": is_late}))),
        }));
        record.versions = versions;
    }
    store
}

/// Invoices with their lines: those that nobody pays are given up in the end, and some drafts are thrown away.
fn invoices(company: &Company) -> Store {
    let calendar = &company.calendar;
    let given_up = i64::from(GIVEN_UP_DAYS) * 86_400;
    let end = calendar.unix(calendar.days, 0);
    let mut store = states(collected(company, writer::invoices));
    let mut drafts = Vec::new();
    for (number, record) in store.records.iter_mut().enumerate() {
        for version in &mut record.versions {
            version.body = Arc::new(with_lines(&version.body));
        }
        let Some(last) = record.versions.last().cloned() else { continue };
        let created = seconds(&last.body, "created");
        if last.body["status"] == "open" && created + given_up < end {
            let body = with(&last.body, json!({"status": "uncollectible"}));
            record.versions.push(Version { at: (created + given_up) * SECOND, deleted: false, body: Arc::new(body) });
        }
        if number % 90 == 7 {
            drafts.push(draft(&last.body, number as u64));
        }
    }
    let mut records = store.records;
    records.extend(drafts);
    Store::new(records)
}

/// A draft that is thrown away after some days.
fn draft(like: &Value, number: u64) -> Record {
    let id = ids::stripe("in_", BORN, number, 3);
    let created = seconds(like, "created") + 3_600;
    let body = with(
        like,
        json!({"id": id, "status": "draft", "created": created, "amount_paid": 0, "attempt_count": 0, "due_date": null,
               "amount_remaining": like["amount_due"], "status_transitions": {"finalized_at": null, "paid_at": null}}),
    );
    let body = Arc::new(with_lines(&body));
    let deleted = (created + 2 * 86_400 + 1_800) * SECOND;
    let versions = vec![Version { at: created * SECOND, deleted: false, body: body.clone() }, Version { at: deleted, deleted: true, body }];
    Record { id, created: created * SECOND, versions }
}

/// All lines of an invoice: one of most, of some more than are shown with it.
pub(super) fn lines(invoice: &Value) -> Vec<Value> {
    let id = text(invoice, "id");
    let total = invoice["total"].as_i64().unwrap_or_default();
    let digits: u32 = id.bytes().map(u32::from).sum();
    let count = if digits % 25 == 4 { 12 + i64::from(digits % 7) } else { 1 };
    (0..count)
        .map(|i| {
            // The first one takes what doesn't divide evenly.
            let amount = total / count + if i == 0 { total % count } else { 0 };
            json!({"id": format!("il_{}{i:02}", &id[3..]), "object": "line_item", "amount": amount, "currency": "usd",
                   "description": "Seats", "quantity": 1, "invoice": &id, "subscription": &invoice["subscription"], "proration": i > 0})
        })
        .collect()
}

fn with_lines(invoice: &Value) -> Value {
    let id = text(invoice, "id");
    let mut lines = lines(invoice);
    let has_more = lines.len() > INLINE_LINES;
    lines.truncate(INLINE_LINES);
    let url = format!("/v1/invoices/{id}/lines");
    with(invoice, json!({"lines": {"object": "list", "data": lines, "has_more": has_more, "url": url}}))
}

/// Who deletes a customer ends its subscriptions.
fn end_with_customers(store: Store, customers: &Store) -> Store {
    let ended: BTreeMap<&str, i64> =
        customers.records.iter().filter_map(|r| r.versions.iter().find(|v| v.deleted).map(|v| (r.id.as_str(), v.at))).collect();
    let mut records = store.records;
    for record in &mut records {
        let customer = record.versions.first().map(|v| text(&v.body, "customer")).unwrap_or_default();
        let Some(at) = ended.get(customer.as_str()) else { continue };
        let Some(last) = record.at(*at).filter(|v| v.body["status"] != "canceled").cloned() else { continue };
        let end = at / SECOND;
        let body = with(&last.body, json!({"status": "canceled", "canceled_at": end, "ended_at": end}));
        record.versions.retain(|version| version.at < *at);
        record.versions.push(Version { at: *at, deleted: false, body: Arc::new(body) });
    }
    // What had yet to begin never does.
    records.retain(|record| !record.versions.is_empty());
    Store::new(records)
}

struct CustomerShape;

impl Shape for CustomerShape {
    fn changed(&self, body: &Value, at: i64) -> Value {
        with(body, json!({"phone": format!("+1 555 {:04}", at / SECOND % 10_000)}))
    }

    fn deleted(&self, body: &Value, _at: i64) -> Option<Value> {
        Some(body.clone())
    }

    fn born(&self, body: &Value, number: u64, at: i64) -> (String, Value) {
        let id = ids::stripe("cus_", BORN, number, 0);
        let name = format!("{} Subsidiary {number}", body["name"].as_str().unwrap_or_default());
        let body = with(body, json!({"id": id, "created": at / SECOND, "name": name, "metadata": {}, "delinquent": false}));
        (id, body)
    }
}

struct SubscriptionShape;

impl Shape for SubscriptionShape {
    fn changed(&self, body: &Value, at: i64) -> Value {
        let mut metadata = body["metadata"].clone();
        metadata["reviewed_at"] = json!((at / SECOND).to_string());
        with(body, json!({"cancel_at_period_end": body["status"] == "active", "metadata": metadata}))
    }

    /// They are canceled, not deleted.
    fn deleted(&self, _body: &Value, _at: i64) -> Option<Value> {
        None
    }

    fn born(&self, body: &Value, number: u64, at: i64) -> (String, Value) {
        let id = ids::stripe("sub_", BORN, number, 1);
        let created = at / SECOND;
        let body = with(
            body,
            json!({"id": id, "created": created, "start_date": created, "status": "active", "canceled_at": null, "ended_at": null,
                   "current_period_start": created, "current_period_end": created + 30 * 86_400}),
        );
        (id, body)
    }
}

struct InvoiceShape;

impl Shape for InvoiceShape {
    fn changed(&self, body: &Value, at: i64) -> Value {
        with(body, json!({"metadata": {"reminded_at": (at / SECOND).to_string()}}))
    }

    /// Only drafts can be deleted.
    fn deleted(&self, body: &Value, _at: i64) -> Option<Value> {
        (body["status"] == "draft").then(|| body.clone())
    }

    fn born(&self, body: &Value, number: u64, at: i64) -> (String, Value) {
        let id = ids::stripe("in_", BORN, number, 2);
        let created = at / SECOND;
        let body = with(
            body,
            json!({"id": id, "created": created, "status": "open", "amount_paid": 0, "amount_remaining": body["amount_due"],
                   "attempt_count": 0, "due_date": created + 14 * 86_400,
                   "status_transitions": {"finalized_at": created, "paid_at": null}}),
        );
        (id, with_lines(&body))
    }
}
