//! Zendesk's records: those of the demo with the fields that only the API has, users, and metrics of tickets.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};

use crate::company::Company;
use crate::fakes::lively::{Shape, enliven};
use crate::fakes::world::{Record, SECOND, Store, Version};
use crate::rng::{Purpose, Rng};
use crate::vendors::zendesk;
use crate::{names, output};

/// Noon, in seconds of a day: where the fakes' clock stands.
const NOON: i64 = 43_200;

/// An instant as Zendesk writes it: `2026-06-30T09:12:44Z`.
pub(super) fn iso(secs: i64) -> String {
    DateTime::from_timestamp(secs, 0).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Seconds since 1970 of an instant as Zendesk writes it.
pub(super) fn secs(text: &Value) -> i64 {
    text.as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok()).map_or(0, |at| at.timestamp())
}

/// Exports leave out the last minute. So that the clock's stand hides nothing, nothing happens in the minute before noon.
fn calm(secs: i64) -> i64 {
    if (NOON - 60..=NOON).contains(&secs.rem_euclid(86_400)) { secs - 120 } else { secs }
}

/// The streams of the account.
pub(in crate::fakes) fn stores(company: &Company) -> Vec<(&'static str, Store)> {
    let tickets = enliven(tickets(company), company, 0x2D01, &Kind::Ticket);
    let metrics = metrics(company, &tickets);
    let dated = |states: Vec<Value>| {
        Store::from_states(states, |state| {
            let at = secs(&state["updated_at"]).max(secs(&state["deleted_at"])) * SECOND;
            (state["id"].to_string(), secs(&state["created_at"]) * SECOND, at, false)
        })
    };
    let organizations = dated(output::collected(company, zendesk::organizations).into_iter().map(organization).collect());
    let ratings = dated(output::collected(company, zendesk::satisfaction_ratings).into_iter().map(rating).collect());
    vec![
        ("tickets", tickets),
        ("users", enliven(dated(users(company)), company, 0x2D02, &Kind::User)),
        ("organizations", enliven(organizations, company, 0x2D03, &Kind::Organization)),
        ("satisfaction_ratings", enliven(ratings, company, 0x2D04, &Kind::Rating)),
        ("ticket_metrics", metrics),
    ]
}

fn agent(number: usize) -> u64 {
    800_000_000 + number as u64
}

fn tickets(company: &Company) -> Store {
    let mut states = Vec::new();
    for mut ticket in output::collected(company, zendesk::tickets) {
        let id = ticket["id"].as_u64().unwrap_or(0);
        let generated = calm(ticket["generated_timestamp"].as_i64().unwrap_or(0));
        ticket["generated_timestamp"] = json!(generated);
        ticket["created_at"] = json!(iso(calm(secs(&ticket["created_at"]))));
        ticket["updated_at"] = json!(iso(generated));
        ticket["raw_subject"] = ticket["subject"].clone();
        ticket["description"] = json!(format!("Hello,\n{} \u{1F615}\nThanks", ticket["subject"].as_str().unwrap_or_default()));
        ticket["submitter_id"] = ticket["requester_id"].clone();
        ticket["assignee_id"] = json!(agent(id as usize / 1_000 % company.csms.len()));
        ticket["group_id"] = json!(360_001);
        ticket["due_at"] = Value::Null;
        ticket["custom_fields"] = json!([{"id": 360_042, "value": if id % 2 == 0 { Some("api") } else { None }}]);
        let solved = ticket["status"] == "solved";
        states.push(ticket.clone());
        // Now and then the system touches a ticket: the export shows it again, but `updated_at` stays as it was.
        if solved && id % 31 == 0 {
            ticket["generated_timestamp"] = json!(generated + 86_400);
            ticket["tags"] = json!(["migrated"]);
            states.push(ticket);
        }
    }
    Store::from_states(states, |state| {
        let at = state["generated_timestamp"].as_i64().unwrap_or(0) * SECOND;
        (state["id"].to_string(), secs(&state["created_at"]) * SECOND, at, false)
    })
}

fn organization(mut organization: Value) -> Value {
    organization["details"] = json!("");
    organization["notes"] = Value::Null;
    organization["group_id"] = Value::Null;
    organization["shared_tickets"] = json!(false);
    organization["organization_fields"] = json!({"health_score": null});
    organization["deleted_at"] = Value::Null;
    organization
}

fn rating(mut rating: Value) -> Value {
    rating["assignee_id"] = json!(agent(0));
    rating["group_id"] = json!(360_001);
    rating["reason_id"] = Value::Null;
    rating
}

/// One person at each customer, who asks, and the CSMs, who answer.
fn users(company: &Company) -> Vec<Value> {
    let user = |id: u64, name: String, email: String, role: &str, organization: Option<u64>, at: i64| {
        let at = iso(calm(at));
        json!({
            "id": id, "url": format!("https://vendor.zendesk.com/api/v2/users/{id}.json"), "name": name, "email": email, "role": role,
            "organization_id": organization, "external_id": null, "phone": null, "time_zone": "Berlin", "iana_time_zone": "Europe/Berlin",
            "locale": "en-US", "verified": true, "active": true, "suspended": false, "tags": [], "user_fields": {},
            "created_at": at, "updated_at": at,
        })
    };
    let customers = company.accounts.iter().map(|account| {
        let (first, last) = names::person(&mut Rng::new(company.seed, Purpose::Detail, account.index as u64, 30_000));
        let email = format!("{first}.{last}@{}", account.domain).to_lowercase();
        let organization = 360_000_000_000 + account.index as u64 * 7;
        let at = company.calendar.unix(account.since, 35_000 + account.index as i64 % 20_000);
        user(900_000_000 + account.index as u64 * 10, format!("{first} {last}"), email, "end-user", Some(organization), at)
    });
    let agents = company.csms.iter().enumerate().map(|(i, csm)| {
        let at = company.calendar.unix(-500, 30_000 + i as i64);
        user(agent(i), csm.name.clone(), csm.email.clone(), "agent", None, at)
    });
    customers.chain(agents).collect()
}

/// The metrics of each ticket, which change with it and go with it. Nobody who starts now hears of tickets that went before.
fn metrics(company: &Company, tickets: &Store) -> Store {
    let began = company.calendar.unix(company.calendar.days - 2, NOON) * SECOND;
    let there = tickets.records.iter().filter(|ticket| ticket.at(began).is_none_or(|version| !version.deleted));
    Store::new(
        there
            .map(|ticket| {
                let mut last = Value::Null;
                let versions = ticket.versions.iter().map(|version| {
                    // A deleted ticket's metrics stay as they were last.
                    if !version.deleted || last.is_null() {
                        last = metric(&version.body, ticket.created / SECOND, version.at / SECOND);
                    }
                    Version { at: version.at, deleted: version.deleted, body: Arc::new(last.clone()) }
                });
                let versions = versions.collect();
                let id = ticket.id.parse::<u64>().unwrap_or(0) + METRIC;
                Record { id: id.to_string(), created: ticket.created, versions }
            })
            .collect(),
    )
}

/// What a ticket's number and that of its metrics differ by.
pub(super) const METRIC: u64 = 700_000_000_000;

fn metric(ticket: &Value, created: i64, updated: i64) -> Value {
    let number = ticket["id"].as_u64().unwrap_or(0);
    let solved = ticket["status"] == "solved";
    let minutes = (updated - created) / 60;
    let took = |known: bool| json!({"calendar": known.then_some(minutes), "business": known.then_some(minutes / 3)});
    json!({
        "id": METRIC + number,
        "url": format!("https://vendor.zendesk.com/api/v2/ticket_metrics/{}.json", METRIC + number),
        "ticket_id": number,
        "created_at": iso(created),
        "updated_at": iso(updated),
        "group_stations": 1,
        "assignee_stations": 1,
        "reopens": 0,
        "replies": u8::from(solved) * 2,
        "initially_assigned_at": iso(created),
        "assigned_at": iso(created),
        "solved_at": solved.then(|| iso(updated)),
        "latest_comment_added_at": iso(updated),
        "reply_time_in_minutes": {"calendar": 12, "business": 8},
        "first_resolution_time_in_minutes": took(solved),
        "full_resolution_time_in_minutes": took(solved),
        "agent_wait_time_in_minutes": {"calendar": 0, "business": 0},
        "requester_wait_time_in_minutes": took(solved),
        "on_hold_time_in_minutes": {"calendar": 0, "business": 0},
    })
}

/// How records of each stream change.
enum Kind {
    Ticket,
    User,
    Organization,
    Rating,
}

impl Kind {
    fn touched(&self, body: &mut Value, at: i64) {
        body["updated_at"] = json!(iso(at / SECOND));
        if matches!(self, Self::Ticket) {
            body["generated_timestamp"] = json!(at / SECOND);
        }
    }
}

impl Shape for Kind {
    fn changed(&self, before: &Value, at: i64) -> Value {
        let mut body = before.clone();
        let text = |name: &str| before[name].as_str().unwrap_or_default().to_string();
        match self {
            Self::Ticket if before["id"].as_u64().is_some_and(|id| id % 2 == 0) => {
                body["tags"] = json!(["migrated"]);
                body["generated_timestamp"] = json!(at / SECOND);
                return body;
            }
            Self::Ticket => body["priority"] = json!("urgent"),
            Self::User => body["phone"] = json!("+49 30 1234567"),
            Self::Organization => body["notes"] = json!(format!("{} called", text("name"))),
            Self::Rating => body["comment"] = json!("On second thoughts, \"fine\""),
        }
        self.touched(&mut body, at);
        body
    }

    fn deleted(&self, body: &Value, at: i64) -> Option<Value> {
        let mut body = body.clone();
        match self {
            Self::Ticket => {
                for name in ["subject", "raw_subject", "description"] {
                    body[name] = json!("SCRUBBED");
                }
                body["status"] = json!("deleted");
            }
            Self::User => body["active"] = json!(false),
            Self::Organization => body["deleted_at"] = json!(iso(at / SECOND)),
            Self::Rating => return None,
        }
        self.touched(&mut body, at);
        Some(body)
    }

    fn born(&self, like: &Value, number: u64, at: i64) -> (String, Value) {
        let mut body = like.clone();
        let (path, id) = match self {
            Self::Ticket => ("tickets", 650_000_000 + number),
            Self::User => ("users", 990_000_000 + number),
            Self::Organization => ("organizations", 390_000_000_000 + number),
            Self::Rating => ("satisfaction_ratings", 39_000_000_000 + number),
        };
        if matches!(self, Self::Ticket) {
            body["status"] = json!("new");
        }
        body["id"] = json!(id);
        body["url"] = json!(format!("https://vendor.zendesk.com/api/v2/{path}/{id}.json"));
        body["created_at"] = json!(iso(at / SECOND));
        self.touched(&mut body, at);
        (id.to_string(), body)
    }
}
