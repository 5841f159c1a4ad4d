//! The records of the fake org: those of the simulated company, cases made from its tickets, and what else happens.

use chrono::DateTime;
use serde_json::{Value, json};

use super::objects::{Kind, OBJECTS, Object};
use crate::company::Company;
use crate::fakes::lively::{Shape, enliven};
use crate::fakes::world::Store;
use crate::rng::{Purpose, Rng};
use crate::vendors::salesforce;
use crate::{ids, output};

/// An instant as Salesforce writes it: `2026-06-30T09:12:44.000+0000`.
pub(super) fn stamp(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros).unwrap_or_default().format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string()
}

/// Microseconds since 1970 of an instant as Salesforce writes it; 0 if it is none.
pub(in crate::fakes) fn micros(stamp: &str) -> i64 {
    DateTime::parse_from_str(stamp, "%Y-%m-%dT%H:%M:%S%.f%z").map_or(0, |at| at.timestamp_micros())
}

/// The streams of the org.
pub(in crate::fakes) fn stores(company: &Company) -> Vec<(&'static str, Store)> {
    OBJECTS.iter().enumerate().map(|(salt, object)| (object.stream, store(company, object, salt as u64))).collect()
}

fn store(company: &Company, object: &'static Object, salt: u64) -> Store {
    let mut states = match object.stream {
        "accounts" => output::collected(company, salesforce::accounts),
        "contacts" => output::collected(company, salesforce::contacts),
        "opportunities" => output::collected(company, salesforce::opportunities),
        "tasks" => output::collected(company, salesforce::tasks),
        "cases" => cases(company),
        "users" => output::collected(company, salesforce::users),
        _ => task_statuses(company),
    };
    for state in &mut states {
        complete(state, object);
    }
    let store = Store::from_states(states, |state| {
        let text = |name: &str| state[name].as_str().unwrap_or_default();
        (text("Id").to_string(), micros(text("CreatedDate")), micros(text("SystemModstamp")), state["IsDeleted"] == true)
    });
    if object.bulk { enliven(store, company, 0x5F00 + salt, object) } else { store }
}

/// Fields that the files of the demo leave out. What nobody filled in is null, as in every CRM.
fn complete(state: &mut Value, object: &Object) {
    let modified = state["SystemModstamp"].clone();
    let created = match &state["CreatedDate"] {
        Value::Null => modified.clone(),
        created => created.clone(),
    };
    let missing: Vec<&str> =
        object.fields().filter(|(name, kind)| *kind != Kind::Address && state.get(*name).is_none()).map(|(name, _)| name).collect();
    for field in missing {
        state[field] = match (object.name, field) {
            (_, "CreatedDate") => created.clone(),
            (_, "LastModifiedDate") => modified.clone(),
            // A text that careless readers of CSV take for a missing value, one that needs quotes, and a missing one.
            ("Contact", "Department") => match state["Title"].as_str() {
                Some("Administrator") => json!("NA"),
                Some("Champion") => json!("Sales, \"North\""),
                _ => Value::Null,
            },
            ("Account", "AnnualRevenue") => state["NumberOfEmployees"].as_i64().map_or(Value::Null, |n| json!(n as f64 * 95_000.25)),
            ("Opportunity", "Probability") => json!(match state["StageName"].as_str() {
                Some("Closed Won") => 100,
                Some("Closed Lost") => 0,
                Some("Proposal") => 75,
                _ => 10,
            }),
            ("Task", "Priority") => json!("Normal"),
            _ => Value::Null,
        };
    }
}

fn attributes(object: &str, id: &str) -> Value {
    json!({"type": object, "url": format!("/services/data/v61.0/sobjects/{object}/{id}")})
}

/// Every third support ticket is known to the CRM, too.
fn cases(company: &Company) -> Vec<Value> {
    let calendar = &company.calendar;
    let mut states = Vec::new();
    for (account, life) in company.customers() {
        for (i, ticket) in life.tickets.iter().enumerate().filter(|(i, _)| i % 3 == 0) {
            let number = (account.index * 512 + i) as u64;
            let id = ids::salesforce("500", number);
            let mut rng = Rng::new(company.seed, Purpose::Detail, account.index as u64, 20_000 + i as u64);
            let second = 30_000 + rng.between(0, 25_000);
            let reason = *rng.pick(&[(Some("Installation"), 0.3), (Some("NA"), 0.2), (Some("Performance"), 0.2), (None, 0.3)]);
            let solved = ticket.day + ticket.solved_after;
            for (day, status) in [(ticket.day, "New"), (solved, "Closed")] {
                let closed = (status == "Closed").then(|| calendar.salesforce(solved, second));
                states.push(json!({
                    "attributes": attributes("Case", &id),
                    "Id": id,
                    "CaseNumber": format!("{number:08}"),
                    "AccountId": account.crm_id,
                    "OwnerId": company.csms[account.csm].crm_id,
                    "Subject": format!("Question of {}", account.name),
                    "Description": format!("They wrote:\n\"It stopped, again; since {}.\"\n\u{2013} kept verbatim", calendar.date(ticket.day)),
                    "Type": "Problem",
                    "IsEscalated": ticket.urgent && ticket.solved_after > 5,
                    "ContactId": ids::salesforce("003", (account.index * 32) as u64),
                    "Status": status,
                    "Priority": if ticket.urgent { "High" } else { "Medium" },
                    "Origin": "Email",
                    "Reason": reason,
                    "IsClosed": closed.is_some(),
                    "ClosedDate": closed,
                    "IsDeleted": false,
                    "CreatedDate": calendar.salesforce(ticket.day, second),
                    "SystemModstamp": calendar.salesforce(day, second),
                }));
            }
        }
    }
    states
}

fn task_statuses(company: &Company) -> Vec<Value> {
    let at = company.calendar.salesforce(-900, 30_000);
    let status = |(i, (label, closed)): (usize, &(&str, bool))| {
        let id = ids::salesforce("01Y", i as u64 + 1);
        json!({"attributes": attributes("TaskStatus", &id), "Id": id, "MasterLabel": label, "IsClosed": closed, "SortOrder": i + 1,
               "CreatedDate": at, "SystemModstamp": at})
    };
    [("Not Started", false), ("In Progress", false), ("Completed", true)].iter().enumerate().map(status).collect()
}

impl Shape for Object {
    fn changed(&self, before: &Value, at: i64) -> Value {
        let mut body = before.clone();
        let number = |name: &str| before[name].as_f64().unwrap_or(0.0);
        let text = |name: &str| before[name].as_str().unwrap_or("").to_string();
        match self.name {
            "Account" => body["NumberOfEmployees"] = json!(number("NumberOfEmployees") as i64 + 3),
            "Opportunity" => body["Amount"] = json!(number("Amount") + 120.5),
            "Contact" | "User" => body["Title"] = json!(format!("Senior {}", text("Title"))),
            _ => body["Subject"] = json!(format!("{}, as said on the phone", text("Subject"))),
        }
        modified(&mut body, at);
        body
    }

    fn deleted(&self, body: &Value, at: i64) -> Option<Value> {
        // Users can't be deleted, only deactivated.
        self.field("IsDeleted")?;
        let mut body = body.clone();
        body["IsDeleted"] = json!(true);
        modified(&mut body, at);
        Some(body)
    }

    fn born(&self, body: &Value, number: u64, at: i64) -> (String, Value) {
        let id = ids::salesforce(self.prefix, 900_000_000 + number);
        let mut body = body.clone();
        body["attributes"] = attributes(self.name, &id);
        body["Id"] = json!(id);
        body["CreatedDate"] = json!(stamp(at));
        modified(&mut body, at);
        (id, body)
    }
}

fn modified(body: &mut Value, at: i64) {
    body["LastModifiedDate"] = json!(stamp(at));
    body["SystemModstamp"] = json!(stamp(at));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_and_read_the_same() {
        assert_eq!(stamp(micros("2026-06-30T09:12:44.250+0000")), "2026-06-30T09:12:44.250+0000");
        assert_eq!(micros("1970-01-01T01:00:00.000+0100"), 0);
    }
}
