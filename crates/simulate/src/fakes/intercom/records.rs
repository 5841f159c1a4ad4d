//! What Intercom holds of the company: its customers, their people, and their conversations and tickets.
//!
//! The people are the CRM's contacts, the conversations the support tickets that Zendesk holds too, so that all vendors tell
//! of one company. Only companies are ever deleted, and only after the clock's beginning: they vanish from the scroll, and
//! who never saw one can't tell.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::world::{Record, SECOND, Store, Version};
use super::support;
use crate::company::{Account, Company, PLANS};
use crate::life::Life;
use crate::rng::{Purpose, Rng};
use rand::RngCore;

/// The workspace's code.
pub(super) const APP: &str = "vnd7x2kq";
/// The first admin's number; the others follow.
const ADMIN: i64 = 5_017_690;

/// Names of random streams, so that no other draw moves ours.
const COMPANY: u64 = 0x1C_0001;
const CONTACT: u64 = 0x1C_0100;

pub(super) fn all(company: &Company) -> Vec<(&'static str, Store)> {
    let (conversations, tickets) = support::stores(company);
    vec![
        ("companies", companies(company)),
        ("contacts", contacts(company)),
        ("conversations", conversations),
        ("tickets", tickets),
        ("admins", admins(company)),
        ("teams", fixed(company, vec![json!({"type": "team", "id": TEAM, "name": "Customer Success", "admin_ids": [ADMIN, ADMIN + 1]})])),
        ("tags", fixed(company, tags())),
        ("segments", fixed(company, segments(company))),
        ("data_attributes", fixed(company, data_attributes())),
    ]
}

/// The one team.
pub(super) const TEAM: &str = "5017701";

pub(super) fn detail(company: &Company, account: &Account, of: u64) -> Rng {
    Rng::new(company.seed, Purpose::Detail, account.index as u64, of)
}

/// From the clock's beginning to a day later, in seconds since 1970: what changes then is what a second run must find.
pub(super) fn last_day(company: &Company) -> (i64, i64) {
    let begin = company.calendar.unix(company.calendar.days - 2, 43_200);
    (begin + 1, begin + 86_400)
}

/// The simulated day that a second falls into.
pub(super) fn day_of(company: &Company, second: i64) -> i32 {
    (second.div_euclid(86_400) - company.calendar.unix(0, 0) / 86_400) as i32
}

/// An id of 24 characters that begins with the time of creation, as document stores give them.
pub(super) fn object_id(company: &Company, account: &Account, of: u64, created: i64) -> String {
    let rest = Rng::new(company.seed, Purpose::Id, account.index as u64, of).next_u64();
    format!("{:08x}{rest:016x}", created as u32)
}

pub(super) fn company_id(company: &Company, account: &Account) -> String {
    object_id(company, account, COMPANY, company_created(company, account))
}

fn company_created(company: &Company, account: &Account) -> i64 {
    company.calendar.unix(account.since, 31_000 + account.index as i64 % 20_000)
}

/// A record that became so at these seconds, each state made by `body`. The clock never stands before its beginning, so only
/// the last of the older states is made.
pub(super) fn record(company: &Company, id: String, mut times: Vec<i64>, body: impl Fn(i64) -> Value) -> Record {
    times.sort_unstable();
    times.dedup();
    let created = times.first().map_or(0, |at| at * SECOND);
    let older = times.partition_point(|at| *at < last_day(company).0).saturating_sub(1);
    let versions = times[older..].iter().map(|at| Version { at: at * SECOND, deleted: false, body: Arc::new(body(*at)) }).collect();
    Record { id, created, versions }
}

fn companies(company: &Company) -> Store {
    let joined = |account: &&Account| account.since < company.calendar.days;
    let (from, to) = last_day(company);
    let records = company.customers().filter(|(account, _)| joined(account)).map(|(account, life)| {
        let mut rng = detail(company, account, COMPANY);
        let created = company_created(company, account);
        let first = account.since.max(0);
        let mut times = vec![created];
        times.extend(life.terms.iter().skip(1).map(|terms| company.calendar.unix(terms.day, 50_000)));
        times.push(company.calendar.unix(first, 52_000) + rng.between(1, i64::from(company.calendar.days - first)) * 86_400);
        let seen = rng.between(from, to);
        let gone = rng.between(from, to);
        if account.index % 20 == 3 && created < from {
            times.push(seen);
        }
        let id = company_id(company, account);
        let mut record = record(company, id, times, |at| company_record(company, account, life, created, at));
        if account.index % 100 == 17 && created < from {
            record.versions.retain(|version| version.at < gone * SECOND);
            if let Some(last) = record.versions.last() {
                let body = last.body.clone();
                record.versions.push(Version { at: gone * SECOND, deleted: true, body });
            }
        }
        record
    });
    Store::new(records.collect())
}

/// The company as the product sent it: by the same key as to Mixpanel.
fn company_record(company: &Company, account: &Account, life: &Life, created: i64, at: i64) -> Value {
    let day = day_of(company, at);
    let (seats, plan) = life.terms_on(day).map_or((account.seats, account.plan), |terms| (terms.seats, terms.plan));
    let users = life.week(day.div_euclid(7)).map_or(seats / 2, |week| week.users);
    json!({
        "type": "company",
        "id": company_id(company, account),
        "app_id": APP,
        "company_id": product_key(account),
        "name": account.name,
        "website": format!("https://{}", account.domain),
        "industry": account.industry,
        "size": account.employees,
        "plan": {"type": "plan", "id": (269_315 + plan).to_string(), "name": PLANS[plan].name},
        "monthly_spend": i64::from(seats) * account.unit_cents(plan) / 100,
        "session_count": ((at - created) / 86_400) * i64::from(users),
        "user_count": users,
        "remote_created_at": created,
        "created_at": created,
        "updated_at": at,
        "last_request_at": at - 600,
        "custom_attributes": {"segment": account.segment.label(), "seats": seats, "churned": life.churn.is_some_and(|churn| churn <= day)},
        "tags": {"type": "tag.list", "tags": []},
        "segments": {"type": "segment.list", "segments": []},
    })
}

/// How the product calls a customer.
pub(in crate::fakes) fn product_key(account: &Account) -> String {
    use crate::company::MixpanelKey::{AccountId, Domain, OtherDomain};
    match account.mixpanel_key {
        AccountId => account.crm_id.clone(),
        Domain => account.domain.clone(),
        OtherDomain => format!("app-{}", account.domain.replace('.', "-app.")),
    }
}

/// A person of a customer. The first two are there from the contract's first day on.
pub(super) struct Person {
    pub(super) number: u64,
    pub(super) created: i64,
    left: Option<i64>,
    is_lead: bool,
}

impl Person {
    pub(super) fn id(&self, company: &Company, account: &Account) -> String {
        object_id(company, account, CONTACT + self.number, self.created)
    }

    /// The product's own id of its user, the same as in Mixpanel; leads have none.
    pub(super) fn external_id(&self, account: &Account) -> Option<String> {
        (!self.is_lead).then(|| format!("u{}-{}", account.index, self.number))
    }

    /// The name, drawn as the CRM draws that of its contact.
    pub(super) fn name(&self, company: &Company, account: &Account) -> (&'static str, &'static str) {
        crate::names::person(&mut detail(company, account, 1_000_000 + self.number))
    }
}

pub(super) fn email(account: &Account, (first, last): (&str, &str)) -> String {
    format!("{first}.{last}@{}", account.domain).to_lowercase()
}

pub(super) fn people(company: &Company, account: &Account, life: &Life) -> Vec<Person> {
    let at = |day: i32| company.calendar.unix(day, 40_000);
    let person = |number, created, left| Person { number, created, left, is_lead: false };
    let mut people = vec![person(0, at(account.since), None), person(1, at(account.since), None)];
    let mut rng = detail(company, account, 2);
    let mut from = account.since;
    for left in &life.champions_left {
        people.push(person(people.len() as u64, at(from), Some(at(*left))));
        from = left + rng.between(20, 60) as i32;
    }
    people.push(person(people.len() as u64, at(from), None));
    let (begin, end) = last_day(company);
    let mut rng = detail(company, account, CONTACT);
    let invited = rng.between(begin, end);
    let asked = company.calendar.unix(rng.between(0, i64::from(company.calendar.days)) as i32, 47_000);
    if account.index % 25 == 11 && at(account.since) < begin {
        people.push(person(people.len() as u64, invited, None));
    }
    if account.index % 10 == 4 && at(account.since) < asked {
        people.push(Person { number: people.len() as u64, created: asked, left: None, is_lead: true });
    }
    people
}

fn contacts(company: &Company) -> Store {
    let (from, to) = last_day(company);
    let mut records = Vec::new();
    for (account, life) in company.customers().filter(|(account, _)| account.since < company.calendar.days) {
        for person in people(company, account, life) {
            let mut rng = detail(company, account, CONTACT + 0x40 + person.number);
            let first = day_of(company, person.created).max(0);
            let seen = company.calendar.unix(first, 58_000) + rng.between(0, i64::from((company.calendar.days - first).max(1))) * 86_400;
            let late = rng.between(from, to);
            let mut times = vec![person.created];
            times.extend(person.left);
            times.extend(Some(seen).filter(|seen| *seen > person.created && person.left.is_none_or(|left| *seen < left)));
            let again = (account.index * 7 + person.number as usize) % 20 == 5 && person.created < from && person.left.is_none();
            times.extend(again.then_some(late));
            let id = person.id(company, account);
            records.push(record(company, id, times, |at| contact_record(company, account, &person, at)));
        }
    }
    Store::new(records)
}

fn contact_record(company: &Company, account: &Account, person: &Person, at: i64) -> Value {
    let name = person.name(company, account);
    let id = person.id(company, account);
    let has_left = person.left.is_some_and(|left| left <= at);
    let seen = (at > person.created && !has_left).then_some(at - 45);
    let company_id = company_id(company, account);
    let list = |what: &str, data: Value| {
        let total = data.as_array().map_or(0, Vec::len);
        json!({"type": "list", "data": data, "url": format!("/contacts/{id}/{what}"), "total_count": total, "has_more": false})
    };
    json!({
        "type": "contact",
        "id": id,
        "workspace_id": APP,
        "external_id": person.external_id(account),
        "role": if person.is_lead { "lead" } else { "user" },
        "email": email(account, name),
        "phone": null,
        "name": format!("{} {}", name.0, name.1),
        "avatar": null,
        "owner_id": person.number.is_multiple_of(2).then_some(admin_id(company, account)),
        "has_hard_bounced": has_left,
        "marked_email_as_spam": false,
        "unsubscribed_from_emails": has_left,
        "created_at": person.created,
        "updated_at": at,
        "signed_up_at": (!person.is_lead).then_some(person.created),
        "last_seen_at": seen,
        "last_replied_at": null,
        "browser": seen.map(|_| "chrome"),
        "os": seen.map(|_| "Windows 10"),
        "location": {"type": "location", "country": account.country, "region": null, "city": null},
        "custom_attributes": {"title": if person.number == 1 { "Economic Buyer" } else { "User" }},
        "tags": list("tags", json!([])),
        "companies": list("companies", json!([{"type": "company", "id": company_id, "url": format!("/companies/{company_id}")}])),
    })
}

/// The admin that looks after an account: its customer success manager.
pub(super) fn admin_id(company: &Company, account: &Account) -> i64 {
    ADMIN + (account.csm % company.csms.len().max(1)) as i64
}

fn admins(company: &Company) -> Store {
    let admin = |(i, csm): (usize, &crate::company::Csm)| {
        json!({
            "type": "admin", "id": (ADMIN + i as i64).to_string(), "name": csm.name, "email": csm.email,
            "job_title": "Customer Success Manager", "away_mode_enabled": false, "away_mode_reassign": false,
            "has_inbox_seat": true, "team_ids": if i < 2 { vec![5_017_701] } else { vec![] },
        })
    };
    fixed(company, company.csms.iter().enumerate().map(admin).collect())
}

/// Records that never change and were there before the first simulated day.
fn fixed(company: &Company, bodies: Vec<Value>) -> Store {
    let at = company.calendar.unix(-400, 30_000);
    let id = |body: &Value| match &body["id"] {
        Value::String(id) => id.clone(),
        other => other.to_string(),
    };
    Store::new(bodies.into_iter().map(|body| record(company, id(&body), vec![at], |_| body.clone())).collect())
}

fn tags() -> Vec<Value> {
    [("17513", "vip"), ("17514", "beta"), ("17515", "at risk")].map(|(id, name)| json!({"type": "tag", "id": id, "name": name})).to_vec()
}

fn segments(company: &Company) -> Vec<Value> {
    let at = company.calendar.unix(-400, 30_000);
    [("Active", "user"), ("New", "user"), ("Slipping Away", "user"), ("Leads", "lead")]
        .iter()
        .enumerate()
        .map(|(i, (name, kind))| {
            json!({"type": "segment", "id": format!("6762f23c1bb69f9f2193bc{i:02x}"), "name": name, "created_at": at, "updated_at": at,
                   "person_type": kind})
        })
        .collect()
}

fn data_attributes() -> Vec<Value> {
    let attribute = |(id, model, name, kind): (u32, &str, &str, &str)| {
        let full = if id < 1_000 { name.to_string() } else { format!("custom_attributes.{name}") };
        json!({
            "type": "data_attribute", "id": id, "name": name, "full_name": full, "label": name, "data_type": kind, "model": model,
            "api_writable": id >= 1_000, "custom": id >= 1_000, "archived": false,
        })
    };
    [
        (1, "company", "name", "string"),
        (2, "company", "company_id", "string"),
        (3, "contact", "email", "string"),
        (34_878, "company", "segment", "string"),
        (34_879, "company", "seats", "integer"),
        (34_880, "company", "churned", "boolean"),
        (34_881, "contact", "title", "string"),
    ]
    .map(attribute)
    .to_vec()
}
