//! Salesforce: accounts, contacts, opportunities, tasks and users, each record once per change, as an incremental
//! extract by `SystemModstamp` brings them.

use serde_json::{Value, json};

use crate::Error;
use crate::calendar::{Calendar, Month};
use crate::company::{Account, Company, SALES_DAYS, StripeKey};
use crate::ids;
use crate::life::Life;
use crate::names;
use crate::output::Lines;
use crate::rng::{Purpose, Rng};

/// A change of an account record: when, and how it looks from then on.
struct AccountChange {
    day: i32,
    kind: &'static str,
    owner: usize,
    employees: u32,
}

fn detail(company: &Company, account: &Account, of: u64) -> Rng {
    Rng::new(company.seed, Purpose::Detail, account.index as u64, of)
}

fn account_changes(company: &Company, account: &Account, life: &Life) -> Vec<AccountChange> {
    let mut rng = detail(company, account, 1);
    let mut change = AccountChange { day: account.since - SALES_DAYS, kind: "Prospect", owner: account.csm, employees: account.employees };
    let mut changes = Vec::with_capacity(4);
    let mut then = |change: &AccountChange| changes.push(AccountChange { ..*change });
    then(&change);
    change.day = account.since;
    change.kind = "Customer";
    then(&change);
    // Every fourth account changes hands once, and some grow.
    let day = account.since.max(0) + rng.between(20, 500) as i32;
    if rng.chance(0.35) && life.is_customer(account, day) {
        change.day = day;
        change.employees = (f64::from(change.employees) * (0.9 + 0.4 * rng.uniform())) as u32;
        if rng.chance(0.7) {
            change.owner = (change.owner + 1) % company.csms.len();
        }
        then(&change);
    }
    if let Some(churn) = life.churn {
        change.day = churn + rng.between(0, 4) as i32;
        change.kind = "Former Customer";
        then(&change);
    }
    changes
}

fn account_record(company: &Company, account: &Account, change: &AccountChange, created: i32) -> Value {
    let calendar = &company.calendar;
    let stamp = calendar.salesforce(change.day, 28_800 + account.index as i64 % 30_000);
    json!({
        "attributes": {"type": "Account", "url": format!("/services/data/v61.0/sobjects/Account/{}", account.crm_id)},
        "Id": account.crm_id,
        "Name": account.name,
        "Website": website(account),
        "Type": change.kind,
        "Industry": account.industry,
        "BillingCountry": account.country,
        "NumberOfEmployees": change.employees,
        "OwnerId": company.csms[change.owner].crm_id,
        "Customer_Number__c": format!("C-{:06}", account.index + 1),
        "Segment__c": account.segment.label(),
        "Stripe_Customer_Id__c": if account.index.is_multiple_of(3) && account.stripe_key == StripeKey::Declared {
            Some(super::stripe::customer_id(company, account))
        } else {
            None
        },
        "IsDeleted": false,
        "CreatedDate": calendar.salesforce(created, 28_800),
        "LastModifiedDate": &stamp,
        "SystemModstamp": &stamp,
    })
}

/// People type web addresses in many ways.
fn website(account: &Account) -> String {
    let domain = &account.domain;
    match account.index % 5 {
        0 => format!("https://www.{domain}/"),
        1 => format!("www.{domain}"),
        2 => domain.to_uppercase(),
        3 => format!("http://{domain}/en/home?ref=crm"),
        _ => domain.clone(),
    }
}

pub(crate) fn accounts(company: &Company, month: &Month, out: &mut Lines) -> Result<(), Error> {
    for (account, life) in company.customers() {
        let changes = account_changes(company, account, life);
        for change in changes.iter().filter(|c| month.holds(c.day)) {
            out.record(&account_record(company, account, change, changes[0].day).to_string())?;
        }
    }
    if month.index > 0 {
        return Ok(());
    }
    for i in 0..company.prospects {
        let (name, domain) = names::company(3 * i + 1);
        out.record(&bystander(company, 20_000_000 + i as u64, &name, &domain).to_string())?;
    }
    for of in &company.doubles {
        let account = &company.accounts[*of];
        let name = format!("{} (old)", account.name);
        out.record(&bystander(company, 30_000_000 + *of as u64, &name, &account.domain).to_string())?;
    }
    Ok(())
}

/// An account without a contract: a prospect, or the second record of a customer.
fn bystander(company: &Company, number: u64, name: &str, domain: &str) -> Value {
    let id = ids::salesforce("001", number);
    let stamp = company.calendar.salesforce(-100, 36_000);
    json!({
        "attributes": {"type": "Account", "url": format!("/services/data/v61.0/sobjects/Account/{id}")},
        "Id": id,
        "Name": name,
        "Website": domain,
        "Type": "Prospect",
        "Industry": "Technology",
        "BillingCountry": "United States",
        "NumberOfEmployees": 50,
        "OwnerId": company.csms[number as usize % company.csms.len()].crm_id,
        "Customer_Number__c": Value::Null,
        "Segment__c": Value::Null,
        "Stripe_Customer_Id__c": Value::Null,
        "IsDeleted": false,
        "CreatedDate": &stamp,
        "LastModifiedDate": &stamp,
        "SystemModstamp": &stamp,
    })
}

pub(crate) fn contacts(company: &Company, month: &Month, out: &mut Lines) -> Result<(), Error> {
    const TITLES: [&str; 3] = ["Champion", "Administrator", "Economic Buyer"];
    let calendar = &company.calendar;
    for (account, life) in company.customers() {
        let mut rng = detail(company, account, 2);
        // The first contact is the champion; when one leaves, the record is deleted and another one comes.
        let mut contacts: Vec<(i32, Option<i32>, usize)> = vec![(account.since, None, 1), (account.since, None, 2)];
        let mut from = account.since;
        for left in &life.champions_left {
            contacts.push((from, Some(*left), 0));
            from = left + rng.between(20, 60) as i32;
        }
        contacts.push((from, None, 0));
        for (i, (created, deleted, title)) in contacts.into_iter().enumerate() {
            let (first, last) = names::person(&mut detail(company, account, 1_000_000 + i as u64));
            let id = ids::salesforce("003", (account.index * 32 + i) as u64);
            for (day, gone) in [(Some(created), false), (deleted, true)] {
                let Some(day) = day.filter(|d| month.holds(*d)) else { continue };
                let stamp = calendar.salesforce(day, 40_000);
                let record = json!({
                    "attributes": {"type": "Contact", "url": format!("/services/data/v61.0/sobjects/Contact/{id}")},
                    "Id": &id,
                    "AccountId": account.crm_id,
                    "FirstName": first,
                    "LastName": last,
                    "Email": format!("{first}.{last}@{}", account.domain).to_lowercase(),
                    "Title": TITLES[title],
                    "IsDeleted": gone,
                    "CreatedDate": calendar.salesforce(created, 40_000),
                    "SystemModstamp": &stamp,
                });
                out.record(&record.to_string())?;
            }
        }
    }
    Ok(())
}

/// A stage that an opportunity reaches.
type Stage = (i32, &'static str);

struct Deal {
    /// Its number among the account's deals; it never changes, however the account goes on.
    number: usize,
    kind: &'static str,
    cents: i64,
    close: i32,
    stages: Vec<Stage>,
}

fn deals(company: &Company, account: &Account, life: &Life) -> Vec<Deal> {
    let yearly = |seats: u32, plan: usize| i64::from(seats) * account.unit_cents(plan) * 12;
    let first = life.terms[0];
    let mut deals = vec![Deal {
        number: 0,
        kind: "New Business",
        cents: yearly(first.seats, first.plan),
        close: account.since,
        stages: vec![(account.since - SALES_DAYS, "Prospecting"), (account.since, "Closed Won")],
    }];
    // Hopes that came to nothing.
    let mut rng = detail(company, account, 3);
    for k in 0..rng.poisson(0.5) {
        let opened = account.since.max(0) + rng.between(10, 540) as i32;
        let close = opened + rng.between(20, 80) as i32;
        if life.is_customer(account, opened) {
            deals.push(Deal {
                number: 1 + k as usize,
                kind: "Expansion",
                cents: yearly(first.seats, first.plan) / 5,
                close,
                stages: vec![(opened, "Qualification"), (close, "Closed Lost")],
            });
        }
    }
    // Customers add seats by themselves; the deal is entered when that is seen, and won with the first payment.
    for (k, pair) in life.terms.windows(2).enumerate() {
        let gain = yearly(pair[1].seats, pair[1].plan) - yearly(pair[0].seats, pair[0].plan);
        if gain > 0 {
            let opened = pair[1].day;
            let close = opened + detail(company, account, 2_000_000 + k as u64).between(3, 25) as i32;
            let stages = vec![(opened, "Proposal"), (close, "Closed Won")];
            deals.push(Deal { number: 40 + k, kind: "Expansion", cents: gain, close, stages });
        }
    }
    deals.extend(renewals(company, account, life, yearly));
    deals
}

/// Renewals of annual contracts, opened 90 days before.
fn renewals(company: &Company, account: &Account, life: &Life, yearly: impl Fn(u32, usize) -> i64) -> Vec<Deal> {
    // All that are opened before the last day, and the next one.
    let last = ((company.calendar.days - account.since) / 365 + 1).max(0) as u32;
    let years = 1..=if account.annual { last } else { 0 };
    let deal = |year: u32| {
        let renewal = company.calendar.add_months(account.since, 12 * year);
        let opened = renewal - 90;
        if opened < 0 || !life.is_customer(account, opened) {
            return None;
        }
        let terms = life.terms_on(opened)?;
        let end = match life.churn.filter(|churn| *churn < renewal) {
            Some(churn) => (churn, "Closed Lost"),
            None => (renewal, "Closed Won"),
        };
        let stages = vec![(opened, "Prospecting"), end];
        Some(Deal { number: 20 + year as usize, kind: "Renewal", cents: yearly(terms.seats, terms.plan), close: renewal, stages })
    };
    years.filter_map(deal).collect()
}

pub(crate) fn opportunities(company: &Company, month: &Month, out: &mut Lines) -> Result<(), Error> {
    let calendar = &company.calendar;
    for (account, life) in company.customers() {
        for deal in &deals(company, account, life) {
            for (day, stage) in deal.stages.iter().filter(|(day, _)| month.holds(*day)) {
                let id = ids::salesforce("006", (account.index * 256 + deal.number) as u64);
                let stamp = calendar.salesforce(*day, 45_000);
                let record = json!({
                    "attributes": {"type": "Opportunity", "url": format!("/services/data/v61.0/sobjects/Opportunity/{id}")},
                    "Id": &id,
                    "AccountId": account.crm_id,
                    "Name": format!("{}: {}", account.name, deal.kind),
                    "Type": deal.kind,
                    "StageName": stage,
                    "Amount": deal.cents as f64 / 100.0,
                    "CloseDate": calendar.date(deal.close).to_string(),
                    "IsClosed": stage.starts_with("Closed"),
                    "IsWon": *stage == "Closed Won",
                    "OwnerId": company.csms[account.csm].crm_id,
                    "IsDeleted": false,
                    "CreatedDate": calendar.salesforce(deal.stages[0].0, 45_000),
                    "SystemModstamp": &stamp,
                });
                out.record(&record.to_string())?;
            }
        }
    }
    Ok(())
}

pub(crate) fn tasks(company: &Company, month: &Month, out: &mut Lines) -> Result<(), Error> {
    for (account, life) in company.customers() {
        for (i, touch) in life.touches.iter().enumerate() {
            let mut rng = detail(company, account, 100 + i as u64);
            // Within the same week, so that nothing is planned for a week that isn't simulated.
            let planned = touch.day - rng.between(0, i64::from(touch.day.rem_euclid(7)) + 1) as i32;
            let id = ids::salesforce("00T", (account.index * 256 + i) as u64);
            let steps = [(planned, "Not Started"), (touch.day, "Completed")];
            for (day, status) in steps.into_iter().filter(|(day, _)| month.holds(*day)) {
                out.record(&task(&company.calendar, company, account, &id, planned, day, touch, status).to_string())?;
            }
        }
    }
    Ok(())
}

#[allow(clippy::too_many_arguments, reason = "the fields of one record")]
fn task(
    calendar: &Calendar,
    company: &Company,
    account: &Account,
    id: &str,
    planned: i32,
    day: i32,
    touch: &crate::life::Touch,
    status: &str,
) -> Value {
    let kind = touch.kind.label();
    json!({
        "attributes": {"type": "Task", "url": format!("/services/data/v61.0/sobjects/Task/{id}")},
        "Id": id,
        "AccountId": account.crm_id,
        "WhatId": account.crm_id,
        "OwnerId": company.csms[account.csm].crm_id,
        "Subject": format!("{kind} with {}", account.name),
        "Type": kind,
        "Status": status,
        "ActivityDate": calendar.date(touch.day).to_string(),
        "CompletedDateTime": (status == "Completed").then(|| calendar.salesforce(day, 54_000)),
        "IsDeleted": false,
        "CreatedDate": calendar.salesforce(planned, 30_000),
        "SystemModstamp": calendar.salesforce(day, if status == "Completed" { 54_000 } else { 30_000 }),
    })
}

pub(crate) fn users(company: &Company, month: &Month, out: &mut Lines) -> Result<(), Error> {
    if month.index > 0 {
        return Ok(());
    }
    let stamp = company.calendar.salesforce(-400, 30_000);
    for csm in &company.csms {
        let record = json!({
            "attributes": {"type": "User", "url": format!("/services/data/v61.0/sobjects/User/{}", csm.crm_id)},
            "Id": csm.crm_id,
            "Name": csm.name,
            "Email": csm.email,
            "Title": "Customer Success Manager",
            "IsActive": true,
            "SystemModstamp": &stamp,
        });
        out.record(&record.to_string())?;
    }
    Ok(())
}
