//! Chargebee's customers, subscriptions and invoices, made from the company's billing as Stripe holds it.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::company::Company;
use crate::fakes::billing::Billing;
use crate::fakes::lively::{Shape, enliven};
use crate::fakes::stripe::{billing, seconds};
use crate::fakes::world::{Record, SECOND, Store, Version};
use crate::ids;

/// The seed of ids that belong to nobody's life.
const BORN: u64 = 0xB0_CB;

/// The company's billing as Chargebee has it.
pub(super) fn records(company: &Company) -> Billing {
    let stripe = billing(company);
    let customers = translate(stripe.customers, customer);
    let subscriptions = enliven(translate(stripe.subscriptions, subscription), company, 0xCB2, &Deletable("16"));
    let invoices = enliven(translate(stripe.invoices, invoice), company, 0xCB3, &Deletable("CB-"));
    Billing { customers, subscriptions, invoices }
}

/// The records of a store in Chargebee's shape.
fn translate(store: Store, shape: fn(&Value) -> Value) -> Store {
    let records = store.records.into_iter().map(|record| {
        let versions: Vec<Version> = record
            .versions
            .iter()
            .map(|version| {
                let body = stamped(shape(&version.body), version.at, version.deleted);
                Version { at: version.at, deleted: version.deleted, body: Arc::new(body) }
            })
            .collect();
        let id = versions.first().and_then(|v| v.body["id"].as_str()).unwrap_or_default().to_string();
        Record { id, created: record.created, versions }
    });
    Store::new(records.collect())
}

/// The record as it is from a moment on: every change counts `resource_version` up, which is the moment in milliseconds.
fn stamped(mut body: Value, at: i64, deleted: bool) -> Value {
    body["updated_at"] = json!(at / SECOND);
    body["resource_version"] = json!(at / 1_000);
    body["deleted"] = json!(deleted);
    body
}

/// Stripe's id in Chargebee's form: what follows its prefix, behind another one.
fn id(prefix: &str, stripe: &Value) -> String {
    let id = stripe.as_str().unwrap_or_default();
    format!("{prefix}{}", id.split_once('_').map_or(id, |(_, rest)| rest))
}

fn customer(stripe: &Value) -> Value {
    let email = stripe["email"].as_str().unwrap_or_default();
    let mut body = json!({
        "id": id("Az", &stripe["id"]),
        "object": "customer",
        "first_name": "Accounts",
        "last_name": "Payable",
        "email": email,
        "company": stripe["name"],
        "auto_collection": "off",
        "net_term_days": 14,
        "allow_direct_debit": false,
        "created_at": stripe["created"],
        "taxability": "taxable",
        "pii_cleared": "active",
        "channel": "web",
        "preferred_currency_code": "USD",
        "promotional_credits": 0,
        "refundable_credits": 0,
        "excess_payments": 0,
        "unbilled_charges": 0,
        "card_status": if stripe["delinquent"] == true { "expired" } else { "valid" },
    });
    if let Some(phone) = stripe["phone"].as_str() {
        body["phone"] = json!(phone);
    }
    // A custom field of the site; it isn't there where it has no value.
    if let Some(account) = stripe["metadata"]["salesforce_id"].as_str() {
        body["cf_crm_account_id"] = json!(account);
        body["meta_data"] = json!({"crm": {"account_id": account}});
    }
    body
}

fn subscription(stripe: &Value) -> Value {
    let price = &stripe["items"]["data"][0]["price"];
    let unit = price["unit_amount"].as_i64().unwrap_or_default();
    let quantity = stripe["quantity"].as_i64().unwrap_or_default();
    let is_yearly = price["recurring"]["interval"] == "year";
    let amount = unit * quantity;
    let is_ended = stripe["status"] == "canceled";
    let status = match (is_ended, stripe["cancel_at_period_end"] == true) {
        (true, _) => "cancelled",
        (false, true) => "non_renewing",
        (false, false) => "active",
    };
    let mut body = json!({
        "id": id("16", &stripe["id"]),
        "object": "subscription",
        "customer_id": id("Az", &stripe["customer"]),
        "status": status,
        "billing_period": 1,
        "billing_period_unit": if is_yearly { "year" } else { "month" },
        "currency_code": "USD",
        "current_term_start": stripe["current_period_start"],
        "current_term_end": stripe["current_period_end"],
        "created_at": stripe["created"],
        "started_at": stripe["start_date"],
        "activated_at": stripe["start_date"],
        "has_scheduled_changes": false,
        "has_scheduled_advance_invoices": false,
        "channel": "web",
        "due_invoices_count": 0,
        "total_dues": 0,
        // A month's share of what recurs, in cents.
        "mrr": if is_ended { 0 } else if is_yearly { amount / 12 } else { amount },
        "subscription_items": [{
            "object": "subscription_item",
            "item_price_id": price["id"],
            "item_type": "plan",
            "quantity": quantity,
            "unit_price": unit,
            "amount": amount,
            "free_quantity": 0,
        }],
    });
    if is_ended {
        body["cancelled_at"] = stripe["canceled_at"].clone();
        body["cancel_reason_code"] = json!("Not Using");
    } else {
        body["next_billing_at"] = stripe["current_period_end"].clone();
    }
    body
}

fn invoice(stripe: &Value) -> Value {
    let status = match stripe["status"].as_str() {
        Some("paid") => "paid",
        Some("draft") => "pending",
        Some("uncollectible") => "not_paid",
        Some("void") => "voided",
        _ => "payment_due",
    };
    let date = seconds(stripe, "created");
    let total = stripe["total"].clone();
    let invoice = id("CB-", &stripe["id"]);
    let mut body = json!({
        "id": &invoice,
        "object": "invoice",
        "customer_id": id("Az", &stripe["customer"]),
        "subscription_id": id("16", &stripe["subscription"]),
        "recurring": true,
        "status": status,
        "price_type": "tax_exclusive",
        "date": date,
        "generated_at": date,
        "net_term_days": 14,
        "exchange_rate": 1.0,
        "currency_code": "USD",
        "base_currency_code": "USD",
        "sub_total": &total,
        "tax": 0,
        "total": &total,
        "amount_due": stripe["amount_remaining"],
        "amount_paid": stripe["amount_paid"],
        "amount_adjusted": 0,
        "write_off_amount": 0,
        "credits_applied": 0,
        "first_invoice": false,
        "line_items": [{
            "id": format!("li_{invoice}"),
            "object": "line_item",
            "date_from": date,
            "date_to": date + 30 * 86_400,
            "quantity": 1,
            "unit_amount": &total,
            "amount": &total,
            "description": "Seats",
            "entity_type": "plan_item_price",
        }],
        "linked_payments": [],
    });
    for (field, value) in [("due_date", &stripe["due_date"]), ("paid_at", &stripe["status_transitions"]["paid_at"])] {
        if !value.is_null() {
            body[field] = value.clone();
        }
    }
    body
}

/// Records that can be deleted; ids of new ones begin with this.
struct Deletable(&'static str);

impl Shape for Deletable {
    fn changed(&self, body: &Value, at: i64) -> Value {
        let mut body = stamped(body.clone(), at, false);
        body["meta_data"] = json!({"reviewed_at": at / SECOND});
        body
    }

    fn deleted(&self, body: &Value, at: i64) -> Option<Value> {
        Some(stamped(body.clone(), at, true))
    }

    fn born(&self, body: &Value, number: u64, at: i64) -> (String, Value) {
        let id = ids::stripe(self.0, BORN, number, self.0.len() as u64);
        let mut body = stamped(body.clone(), at, false);
        body["id"] = json!(id);
        for field in ["created_at", "started_at", "activated_at", "date", "generated_at"] {
            if body.get(field).is_some() {
                body[field] = json!(at / SECOND);
            }
        }
        (id, body)
    }
}
