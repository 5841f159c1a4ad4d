//! Conversations and tickets: the support requests that Zendesk holds too. Urgent ones are tickets as well.

use serde_json::{Value, json};

use super::super::world::{Record, Store};
use super::records::{Person, TEAM, admin_id, company_id, detail, email, last_day, people, record};
use crate::company::{Account, Company};
use crate::life::{Life, Ticket};
use crate::rng::Rng;

/// Names of random streams, so that no other draw moves ours.
const REQUEST: u64 = 0x1C_1000;

/// One request for support, as a conversation and perhaps as a ticket.
struct Request<'a> {
    company: &'a Company,
    account: &'a Account,
    ticket: &'a Ticket,
    /// Its number among all requests of all customers.
    number: i64,
    /// Who asked.
    person: Person,
    subject: &'static str,
    asked: i64,
    answered: i64,
    closed: i64,
    rated: Option<i64>,
    /// An admin came back to it on the last day.
    reopened: Option<i64>,
}

pub(super) fn stores(company: &Company) -> (Store, Store) {
    let mut conversations: Vec<Record> = Vec::new();
    let mut tickets: Vec<Record> = Vec::new();
    for (account, life) in company.customers() {
        for (i, ticket) in life.tickets.iter().enumerate() {
            let Some(request) = Request::new(company, account, life, i, ticket) else { continue };
            conversations.push(record(company, request.id(), request.times(), |at| request.conversation(at)));
            if ticket.urgent {
                let times = [Some(request.asked), Some(request.answered), Some(request.closed), request.reopened];
                let times = times.into_iter().flatten().collect();
                tickets.push(record(company, request.ticket_id(), times, |at| request.ticket(at)));
            }
        }
    }
    (Store::new(conversations), Store::new(tickets))
}

impl<'a> Request<'a> {
    fn new(company: &'a Company, account: &'a Account, life: &Life, i: usize, ticket: &'a Ticket) -> Option<Self> {
        const SUBJECTS: [(&str, f64); 6] = [
            ("Can't log in", 0.22),
            ("Report shows wrong figures", 0.22),
            ("How do I invite my team?", 0.18),
            ("Export takes very long", 0.16),
            ("Automation stopped", 0.14),
            ("Question about our invoice", 0.08),
        ];
        // The subject is drawn as Zendesk's is.
        let subject = *detail(company, account, 10_000 + i as u64).pick(&SUBJECTS);
        let mut rng: Rng = detail(company, account, REQUEST + i as u64);
        let person = people(company, account, life).into_iter().next()?;
        let asked = company.calendar.unix(ticket.day, 30_000 + rng.between(0, 30_000)).max(person.created + 60);
        let answered = asked + rng.between(120, 14_400);
        let closed = company.calendar.unix(ticket.day + ticket.solved_after, 20_000 + rng.between(0, 50_000));
        let closed = closed.max(answered + 60);
        let rated = ticket.rating.map(|_| closed + rng.between(600, 90_000));
        let (from, to) = last_day(company);
        let late = rng.between(from, to);
        let number = account.index as i64 * 1_000 + i as i64;
        let reopened = (number % 10 == 3 && rated.unwrap_or(closed) < from).then_some(late);
        Some(Self { company, account, ticket, number, person, subject, asked, answered, closed, rated, reopened })
    }

    /// Text of digits, as Intercom's newer ids are.
    fn id(&self) -> String {
        (215_472_000_000_000 + self.number * 17).to_string()
    }

    fn ticket_id(&self) -> String {
        (216_110_000_000_000 + self.number * 13).to_string()
    }

    fn times(&self) -> Vec<i64> {
        [Some(self.asked), Some(self.answered), Some(self.closed), self.rated, self.reopened].into_iter().flatten().collect()
    }

    fn is_open(&self, at: i64) -> bool {
        at < self.closed || self.reopened.is_some_and(|reopened| reopened <= at)
    }

    fn contact(&self) -> Value {
        json!({"type": "contact", "id": self.person.id(self.company, self.account), "external_id": self.person.external_id(self.account)})
    }

    fn admin(&self) -> i64 {
        admin_id(self.company, self.account)
    }

    fn rating(&self, at: i64) -> Value {
        let Some(rated) = self.rated.filter(|rated| *rated <= at) else { return Value::Null };
        let rating = match (self.ticket.rating == Some(true), self.number % 3 == 0) {
            (true, true) => 4,
            (true, false) => 5,
            (false, true) => 2,
            (false, false) => 1,
        };
        json!({
            "rating": rating,
            "remark": (self.number % 4 == 1).then_some("Thank you – \"quick\" answer"),
            "created_at": rated,
            "updated_at": rated,
            "contact": self.contact(),
            "teammate": {"type": "admin", "id": self.admin().to_string()},
        })
    }

    fn statistics(&self, at: i64) -> Value {
        let answered = Some(self.answered).filter(|answered| *answered <= at);
        let closed = Some(self.closed).filter(|closed| *closed <= at);
        json!({
            "type": "conversation_statistics",
            "time_to_assignment": 0,
            "time_to_admin_reply": answered.map(|answered| answered - self.asked),
            "time_to_first_close": closed.map(|closed| closed - self.asked),
            "first_admin_reply_at": answered,
            "first_close_at": closed,
            "last_contact_reply_at": self.asked,
            "count_reopens": i32::from(self.reopened.is_some_and(|reopened| reopened <= at)),
            "count_assignments": 1,
            "count_conversation_parts": self.parts(at).len(),
        })
    }

    /// The conversation as a search shows it: without its parts.
    fn conversation(&self, at: i64) -> Value {
        let name = self.person.name(self.company, self.account);
        let person_id = self.person.id(self.company, self.account);
        let open = self.is_open(at);
        json!({
            "type": "conversation",
            "id": self.id(),
            "title": self.subject,
            "created_at": self.asked,
            "updated_at": at,
            "waiting_since": (at < self.answered).then_some(self.asked),
            "snoozed_until": null,
            "open": open,
            "state": if open { "open" } else { "closed" },
            "read": at >= self.answered,
            "priority": if self.ticket.urgent { "priority" } else { "not_priority" },
            "admin_assignee_id": self.admin(),
            "team_assignee_id": TEAM,
            "source": {
                "type": "conversation", "id": (403_918_000 + self.number).to_string(), "delivered_as": "customer_initiated",
                "subject": "", "body": format!("<p>{}</p>", self.subject), "url": null, "attachments": [],
                "author": {"type": "user", "id": person_id, "name": format!("{} {}", name.0, name.1), "email": email(self.account, name)},
            },
            "contacts": {"type": "contact.list", "contacts": [self.contact()]},
            "teammates": {"type": "admin.list", "admins": [{"type": "admin", "id": self.admin().to_string()}]},
            "tags": {"type": "tag.list", "tags": []},
            "first_contact_reply": {"created_at": self.asked, "type": "conversation", "url": null},
            "conversation_rating": self.rating(at),
            "statistics": self.statistics(at),
            "custom_attributes": {"company": company_id(self.company, self.account)},
            "sla_applied": null,
            "linked_objects": {"type": "list", "data": self.linked(), "total_count": usize::from(self.ticket.urgent), "has_more": false},
        })
    }

    fn linked(&self) -> Vec<Value> {
        if self.ticket.urgent { vec![json!({"type": "ticket", "id": self.ticket_id(), "category": "Customer"})] } else { Vec::new() }
    }

    /// What was done in the conversation until then: when, and what kind of part tells of it.
    fn parts(&self, at: i64) -> Vec<(i64, &'static str)> {
        let mut parts = vec![(self.answered, "comment"), (self.closed, "close")];
        parts.extend(self.rated.map(|rated| (rated, "conversation_rating_changed")));
        parts.extend(self.reopened.map(|reopened| (reopened, "open")));
        parts.retain(|(done, _)| *done <= at);
        parts
    }

    fn ticket(&self, at: i64) -> Value {
        let (state, label) = match at {
            at if self.reopened.is_some_and(|reopened| reopened <= at) => ("in_progress", "In progress"),
            at if at >= self.closed => ("resolved", "Resolved"),
            at if at >= self.answered => ("in_progress", "In progress"),
            _ => ("submitted", "Submitted"),
        };
        json!({
            "type": "ticket",
            "id": self.ticket_id(),
            "ticket_id": (self.number + 1).to_string(),
            "category": "Customer",
            "ticket_attributes": {"_default_title_": self.subject, "_default_description_": format!("{} (urgent)", self.subject)},
            "ticket_state": state,
            "ticket_state_internal_label": label,
            "ticket_state_external_label": label,
            "ticket_type": {"type": "ticket_type", "id": "1295", "name": "Incident", "description": "", "archived": false, "category": "Customer"},
            "contacts": {"type": "contact.list", "contacts": [self.contact()]},
            "admin_assignee_id": self.admin().to_string(),
            "team_assignee_id": TEAM,
            "created_at": self.asked,
            "updated_at": at,
            "open": self.is_open(at),
            "snoozed_until": null,
            "is_shared": true,
            "linked_objects": {"type": "list", "data": [{"type": "conversation", "id": self.id(), "category": null}], "total_count": 1, "has_more": false},
        })
    }
}

/// The conversation with its parts, as it is shown when asked for by its id. What was done is told by the record itself, so
/// that a changed record has parts too.
pub(super) fn with_parts(conversation: &Value) -> Value {
    let mut whole = conversation.clone();
    let admin = &conversation["teammates"]["admins"][0];
    let id = conversation["id"].as_str().unwrap_or_default();
    let part = |number: usize, kind: &str, at: &Value, author: &Value| {
        json!({
            "type": "conversation_part", "id": format!("{id}{number:02}"), "part_type": kind, "body": (kind == "comment").then_some("<p>On it.</p>"),
            "created_at": at, "updated_at": at, "notified_at": at, "assigned_to": null, "author": author, "attachments": [], "external_id": null,
            "redacted": false,
        })
    };
    let statistics = &conversation["statistics"];
    let moments = [
        ("comment", &statistics["first_admin_reply_at"], admin),
        ("close", &statistics["first_close_at"], admin),
        ("conversation_rating_changed", &conversation["conversation_rating"]["created_at"], &conversation["source"]["author"]),
    ];
    let mut parts: Vec<Value> =
        moments.iter().enumerate().filter(|(_, (_, at, _))| at.is_i64()).map(|(i, (kind, at, author))| part(i, kind, at, author)).collect();
    if statistics["count_reopens"] == 1 {
        parts.push(part(3, "open", &conversation["updated_at"], admin));
    }
    whole["conversation_parts"] = json!({"type": "conversation_part.list", "total_count": parts.len(), "conversation_parts": parts});
    whole
}
