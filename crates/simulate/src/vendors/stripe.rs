//! Stripe: customers, subscriptions and invoices. `updated` is what extractors add to Stripe's objects, from the time of
//! the event that changed them.

use serde_json::{Value, json};

use crate::Error;
use crate::calendar::Month;
use crate::company::{Account, Company, PLANS, StripeKey};
use crate::ids;
use crate::life::{DUE_DAYS, Invoice, Life, Terms, billing_period};
use crate::output::Lines;

pub(crate) fn customer_id(company: &Company, account: &Account) -> String {
    ids::stripe("cus_", company.seed, account.index as u64, 0)
}

fn subscription_id(company: &Company, account: &Account) -> String {
    ids::stripe("sub_", company.seed, account.index as u64, 1)
}

fn email(account: &Account) -> String {
    match account.stripe_key {
        StripeKey::Declared | StripeKey::EmailDomain => format!("billing@{}", account.domain),
        StripeKey::FreeMail => format!("office{}@gmail.com", account.index),
        StripeKey::OtherDomain => format!("accounts@holding-{}.example", account.index),
    }
}

pub(crate) fn customers(company: &Company, month: &Month, out: &mut Lines) -> Result<(), Error> {
    let calendar = &company.calendar;
    for account in company.accounts.iter().filter(|a| month.holds(a.since)) {
        let created = calendar.unix(account.since, 32_400);
        let metadata = match account.stripe_key {
            StripeKey::Declared => json!({"salesforce_id": account.crm_id}),
            _ => json!({}),
        };
        let record = json!({
            "id": customer_id(company, account),
            "object": "customer",
            "created": created,
            "updated": created,
            "name": account.name,
            "email": email(account),
            "currency": "usd",
            "delinquent": false,
            "balance": 0,
            "livemode": true,
            "metadata": metadata,
        });
        out.record(&record.to_string())?;
    }
    Ok(())
}

/// Days on which the subscription changes within a month: new terms, new billing periods, its end.
fn subscription_changes(company: &Company, account: &Account, life: &Life, month: &Month) -> Vec<i32> {
    let calendar = &company.calendar;
    let last = life.churn.unwrap_or(i32::MAX);
    let mut days: Vec<i32> = life.terms.iter().map(|t| t.day).collect();
    days.extend(life.churn);
    // The state of the day before the first one, with its billing period, so that history begins complete.
    if month.index == 0 && account.since < 0 {
        days.push(billing_period(calendar, account, -1).0);
    }
    let mut day = month.from.max(account.since);
    while day < month.to.min(last) {
        let (from, to) = billing_period(calendar, account, day);
        days.push(from);
        day = to;
    }
    days.retain(|d| *d <= last && month.holds(*d) && (*d >= month.from || month.index == 0));
    days.sort_unstable();
    days.dedup();
    days
}

pub(crate) fn subscriptions(company: &Company, month: &Month, out: &mut Lines) -> Result<(), Error> {
    for (account, life) in company.customers() {
        for day in subscription_changes(company, account, life, month) {
            let ended = life.churn.filter(|churn| *churn <= day);
            let Some(terms) = life.terms_on(day) else { continue };
            out.record(&subscription(company, account, terms, day, ended).to_string())?;
        }
    }
    Ok(())
}

fn subscription(company: &Company, account: &Account, terms: &Terms, day: i32, ended: Option<i32>) -> Value {
    let calendar = &company.calendar;
    // The last period is that of the day before the end.
    let (from, to) = billing_period(calendar, account, if ended.is_some() { day - 1 } else { day });
    let id = subscription_id(company, account);
    let plan = PLANS[terms.plan];
    let interval = if account.annual { "year" } else { "month" };
    let unit = account.unit_cents(terms.plan) * if account.annual { 12 } else { 1 };
    let price_id = format!("price_{}_{interval}_{unit}", plan.name);
    let end = ended.map(|day| calendar.unix(day, 0));
    json!({
        "id": &id,
        "object": "subscription",
        "customer": customer_id(company, account),
        "status": if ended.is_some() { "canceled" } else { "active" },
        "created": calendar.unix(account.since, 32_400),
        "updated": calendar.unix(day, if ended.is_some() { 0 } else { 32_400 }),
        "start_date": calendar.unix(account.since, 32_400),
        "current_period_start": calendar.unix(from, 32_400),
        "current_period_end": calendar.unix(to, 32_400),
        "cancel_at_period_end": false,
        "canceled_at": end,
        "ended_at": end,
        "trial_end": Value::Null,
        "currency": "usd",
        "quantity": terms.seats,
        "plan": {"id": &price_id, "object": "plan", "amount": unit, "currency": "usd", "interval": interval,
                 "interval_count": 1, "nickname": plan.name, "product": format!("prod_{}", plan.name)},
        "items": {"object": "list", "has_more": false, "data": [{
            "id": ids::stripe("si_", company.seed, account.index as u64, 2),
            "object": "subscription_item",
            "quantity": terms.seats,
            "price": {"id": &price_id, "object": "price", "unit_amount": unit, "currency": "usd",
                      "recurring": {"interval": interval, "interval_count": 1}},
        }]},
        "metadata": {"list_price": PLANS[terms.plan].cents, "discount": account.discount},
    })
}

pub(crate) fn invoices(company: &Company, month: &Month, out: &mut Lines) -> Result<(), Error> {
    for (account, life) in company.customers() {
        for (i, invoice) in life.invoices.iter().enumerate() {
            let paid = invoice.paid_after.map(|after| invoice.day + after);
            for (day, status) in [(Some(invoice.day), "open"), (paid, "paid")] {
                let Some(day) = day.filter(|d| month.holds(*d)) else { continue };
                out.record(&invoice_record(company, account, invoice, i, day, status).to_string())?;
            }
        }
    }
    Ok(())
}

fn invoice_record(company: &Company, account: &Account, invoice: &Invoice, i: usize, day: i32, status: &str) -> Value {
    let calendar = &company.calendar;
    let created = calendar.unix(invoice.day, 32_400);
    // Paid on the day it was written, it was still open before.
    let updated = calendar.unix(day, if status == "paid" { 50_000 } else { 32_400 });
    let is_paid = status == "paid";
    json!({
        "id": ids::stripe("in_", company.seed, account.index as u64, 10 + i as u64),
        "object": "invoice",
        "customer": customer_id(company, account),
        "subscription": subscription_id(company, account),
        "status": status,
        "currency": "usd",
        "amount_due": invoice.cents,
        "amount_paid": if is_paid { invoice.cents } else { 0 },
        "amount_remaining": if is_paid { 0 } else { invoice.cents },
        "total": invoice.cents,
        "attempt_count": if is_paid { 1 } else { 0 },
        "created": created,
        "updated": updated,
        "due_date": calendar.unix(invoice.day + DUE_DAYS, 32_400),
        "status_transitions": {"finalized_at": created, "paid_at": is_paid.then_some(updated)},
    })
}
