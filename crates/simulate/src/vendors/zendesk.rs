//! Zendesk: tickets (once when they come in, again when solved), satisfaction ratings and organizations.

use serde_json::{Value, json};

use crate::Error;
use crate::calendar::Month;
use crate::company::{Account, Company, ZendeskKey};
use crate::life::Ticket;
use crate::names;
use crate::output::Lines;
use crate::rng::{Purpose, Rng};

const SUBJECTS: [(&str, f64); 6] = [
    ("Can't log in", 0.22),
    ("Report shows wrong figures", 0.22),
    ("How do I invite my team?", 0.18),
    ("Export takes very long", 0.16),
    ("Automation stopped", 0.14),
    ("Question about our invoice", 0.08),
];

fn organization_id(number: usize) -> u64 {
    360_000_000_000 + number as u64 * 7
}

fn ticket_id(account: &Account, i: usize) -> u64 {
    account.index as u64 * 1_000 + i as u64 + 1
}

pub(crate) fn organizations(company: &Company, month: &Month, out: &mut Lines) -> Result<(), Error> {
    for account in company.accounts.iter().filter(|a| month.holds(a.since)) {
        let (name, external_id, domains) = match account.zendesk_key {
            ZendeskKey::ExternalId => (account.name.clone(), Some(account.crm_id.as_str()), vec![&account.domain]),
            ZendeskKey::Domain => (account.name.clone(), None, vec![&account.domain]),
            ZendeskKey::NameOnly => (format!("{} Inc.", account.name), None, vec![]),
        };
        let record = organization(company, organization_id(account.index), &name, external_id, json!(domains), account.since);
        out.record(&record.to_string())?;
    }
    if month.index == 0 {
        for i in 0..company.strangers {
            let (name, domain) = names::company(3 * i + 2);
            let record = organization(company, organization_id(10_000_000 + i), &name, None, json!([domain]), -30);
            out.record(&record.to_string())?;
        }
    }
    Ok(())
}

fn organization(company: &Company, id: u64, name: &str, external_id: Option<&str>, domains: Value, day: i32) -> Value {
    let stamp = company.calendar.zendesk(day, 34_000);
    json!({
        "id": id,
        "url": format!("https://vendor.zendesk.com/api/v2/organizations/{id}.json"),
        "name": name,
        "external_id": external_id,
        "domain_names": domains,
        "tags": [],
        "created_at": &stamp,
        "updated_at": &stamp,
    })
}

pub(crate) fn tickets(company: &Company, month: &Month, out: &mut Lines) -> Result<(), Error> {
    for (account, life) in company.customers() {
        for (i, ticket) in life.tickets.iter().enumerate() {
            let solved = ticket.day + ticket.solved_after;
            for (day, status) in [(ticket.day, "open"), (solved, "solved")] {
                if month.holds(day) {
                    out.record(&ticket_record(company, account, i, ticket, day, status).to_string())?;
                }
            }
        }
    }
    Ok(())
}

fn ticket_record(company: &Company, account: &Account, i: usize, ticket: &Ticket, day: i32, status: &str) -> Value {
    let calendar = &company.calendar;
    let mut rng = Rng::new(company.seed, Purpose::Detail, account.index as u64, 10_000 + i as u64);
    let subject = *rng.pick(&SUBJECTS);
    let second = 30_000 + rng.between(0, 30_000);
    let priority = match (ticket.urgent, rng.chance(0.3)) {
        (true, true) => "urgent",
        (true, false) => "high",
        (false, true) => "low",
        (false, false) => "normal",
    };
    let channel = *rng.pick(&[("email", 0.5), ("web", 0.35), ("chat", 0.15)]);
    let id = ticket_id(account, i);
    json!({
        "id": id,
        "url": format!("https://vendor.zendesk.com/api/v2/tickets/{id}.json"),
        "external_id": Value::Null,
        "organization_id": organization_id(account.index),
        "requester_id": 900_000_000 + account.index as u64 * 10,
        "subject": subject,
        "status": status,
        "priority": priority,
        "type": if ticket.urgent { "incident" } else { "question" },
        "tags": [],
        "via": {"channel": channel},
        "satisfaction_rating": {"score": if status == "solved" && ticket.rating.is_some() { "offered" } else { "unoffered" }},
        "created_at": calendar.zendesk(ticket.day, second),
        "updated_at": calendar.zendesk(day, second),
        "generated_timestamp": calendar.unix(day, second),
    })
}

pub(crate) fn satisfaction_ratings(company: &Company, month: &Month, out: &mut Lines) -> Result<(), Error> {
    for (account, life) in company.customers() {
        for (i, ticket) in life.tickets.iter().enumerate() {
            let Some(satisfied) = ticket.rating else { continue };
            let day = ticket.day + ticket.solved_after + 1;
            if !month.holds(day) {
                continue;
            }
            let stamp = company.calendar.zendesk(day, 33_000);
            let id = ticket_id(account, i);
            let record = json!({
                "id": 35_000_000_000 + id,
                "url": format!("https://vendor.zendesk.com/api/v2/satisfaction_ratings/{}.json", 35_000_000_000 + id),
                "ticket_id": id,
                "requester_id": 900_000_000 + account.index as u64 * 10,
                "score": if satisfied { "good" } else { "bad" },
                "comment": Value::Null,
                "reason": Value::Null,
                "created_at": &stamp,
                "updated_at": &stamp,
            });
            out.record(&record.to_string())?;
        }
    }
    Ok(())
}
