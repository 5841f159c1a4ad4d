//! HubSpot's records, made from those that Salesforce and Zendesk have of the same company.

use chrono::{DateTime, SecondsFormat};
use rayon::prelude::*;
use serde_json::{Map, Value, json};

use super::kinds::{KINDS, ObjectKind};
use crate::company::Company;
use crate::fakes::lively::{Shape, enliven};
use crate::fakes::salesforce::micros;
use crate::fakes::world::{SECOND, Store};
use crate::output;
use crate::vendors::{salesforce, zendesk};

/// An instant as HubSpot writes it: `2026-06-30T09:12:44.123Z`.
pub(super) fn iso(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Microseconds since 1970 of an instant as HubSpot writes it.
fn instant(text: &Value) -> Option<i64> {
    DateTime::parse_from_rfc3339(text.as_str()?).ok().map(|at| at.timestamp_micros())
}

/// The streams of the account.
pub(in crate::fakes) fn stores(company: &Company) -> Vec<(&'static str, Store)> {
    let mut stores: Vec<(&'static str, Store)> = KINDS
        .iter()
        .enumerate()
        .map(|(salt, kind)| {
            let states = match kind.name {
                "companies" => states(kind, output::collected(company, salesforce::accounts), company_of),
                "contacts" => states(kind, output::collected(company, salesforce::contacts), contact_of),
                "deals" => states(kind, output::collected(company, salesforce::opportunities), deal_of),
                "tasks" => states(kind, output::collected(company, salesforce::tasks), task_of),
                _ => states(kind, output::collected(company, zendesk::tickets), ticket_of),
            };
            (kind.name, enliven(Store::from_states(states, describe), company, 0x4B00 + salt as u64, kind))
        })
        .collect();
    stores.push(("owners", enliven(Store::from_states(owners(company), describe), company, 0x4BFF, &Owners)));
    stores
}

fn describe(state: &Value) -> (String, i64, i64, bool) {
    let archived_at = instant(&state["archivedAt"]);
    let at = archived_at.or_else(|| instant(&state["updatedAt"])).unwrap_or(0);
    (state["id"].as_str().unwrap_or_default().to_string(), instant(&state["createdAt"]).unwrap_or(0), at, archived_at.is_some())
}

/// What a state of another vendor's record becomes: number, properties, and the company it belongs to.
struct Made {
    number: u64,
    created: i64,
    at: i64,
    archived: bool,
    properties: Value,
    company: Option<u64>,
}

fn states(kind: &ObjectKind, others: Vec<Value>, make: impl Fn(&Value) -> Made + Sync) -> Vec<Value> {
    others
        .par_iter()
        .map(|other| {
            let made = make(other);
            // HubSpot counts milliseconds, and a client that cuts them off must get caught.
            let millis = made.number as i64 % 1_000 * 1_000;
            let (created, at) = (made.created + millis, made.at + millis);
            let mut properties = Map::new();
            for (name, _) in kind.properties {
                properties.insert((*name).to_string(), made.properties.get(*name).cloned().unwrap_or(Value::Null));
            }
            properties.insert("hs_object_id".to_string(), json!(made.number.to_string()));
            properties.insert(kind.created.to_string(), json!(iso(created)));
            properties.insert(kind.modified.to_string(), json!(iso(at)));
            let mut state = json!({
                "id": made.number.to_string(),
                "properties": properties,
                "createdAt": iso(created),
                "updatedAt": iso(at),
                "archived": made.archived,
            });
            if made.archived {
                state["archivedAt"] = json!(iso(at));
            }
            if let Some(company) = made.company {
                let primary = format!("{}_to_company", kind.singular);
                let mut results = vec![json!({"id": company.to_string(), "type": primary})];
                if kind.company_types.is_some_and(|([unlabelled, primary], _)| unlabelled != primary) {
                    results.push(json!({"id": company.to_string(), "type": format!("{primary}_unlabeled")}));
                }
                state["associations"] = json!({"companies": {"results": results}});
            }
            state
        })
        .collect()
}

/// The number in a Salesforce id.
fn number(id: &Value) -> u64 {
    let digits = id.as_str().and_then(|id| id.get(6..15)).unwrap_or_default();
    digits.bytes().fold(0, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'A'..=b'Z' => digit - b'A' + 10,
            _ => digit.wrapping_sub(b'a') + 36,
        };
        number * 62 + u64::from(value)
    })
}

fn company_number(account_id: &Value) -> u64 {
    5_000_000_000 + number(account_id)
}

fn owner_of(state: &Value) -> Value {
    json!(owner_id(number(&state["OwnerId"])))
}

fn owner_id(number: u64) -> String {
    (70_000_000 + number).to_string()
}

/// What all states of Salesforce have in common.
fn made(state: &Value, number: u64, company: Option<u64>, properties: Value) -> Made {
    let at = |name: &str| micros(state[name].as_str().unwrap_or_default());
    Made { number, created: at("CreatedDate"), at: at("SystemModstamp"), archived: state["IsDeleted"] == true, properties, company }
}

fn company_of(s: &Value) -> Made {
    let employees = s["NumberOfEmployees"].as_i64().unwrap_or(0);
    let id = company_number(&s["Id"]);
    let website = s["Website"].as_str().unwrap_or_default().to_lowercase();
    let domain = website.trim_start_matches("https://").trim_start_matches("http://").trim_start_matches("www.");
    let properties = json!({
        "name": s["Name"],
        "domain": domain.split('/').next(),
        "industry": s["Industry"].as_str().map(|i| i.to_uppercase().replace(' ', "_")),
        "country": s["BillingCountry"],
        "numberofemployees": employees.to_string(),
        "annualrevenue": (!id.is_multiple_of(3)).then(|| format!("{}.5", employees * 90_000)),
        "lifecyclestage": match s["Type"].as_str() { Some("Customer") => "customer", Some("Prospect") => "opportunity", _ => "other" },
        "hubspot_owner_id": owner_of(s),
        // The integration of the two CRMs knows most, not all.
        "salesforceaccountid": (id % 10 < 7).then(|| s["Id"].clone()),
        "hs_is_target_account": (employees > 1_000).to_string(),
    });
    made(s, id, None, properties)
}

fn contact_of(s: &Value) -> Made {
    let company = company_number(&s["AccountId"]);
    let properties = json!({
        "firstname": s["FirstName"],
        "lastname": s["LastName"],
        "email": s["Email"],
        "jobtitle": s["Title"],
        "lifecyclestage": "customer",
        "associatedcompanyid": company.to_string(),
    });
    made(s, 6_000_000_000 + number(&s["Id"]), Some(company), properties)
}

fn deal_of(s: &Value) -> Made {
    let company = company_number(&s["AccountId"]);
    let stage = match s["StageName"].as_str() {
        Some("Closed Won") => "closedwon",
        Some("Closed Lost") => "closedlost",
        Some("Prospecting" | "Qualification") => "qualifiedtobuy",
        _ => "contractsent",
    };
    let properties = json!({
        "dealname": s["Name"],
        "dealtype": if s["Type"] == "New Business" { "newbusiness" } else { "existingbusiness" },
        "pipeline": "default",
        "dealstage": stage,
        "amount": s["Amount"].to_string(),
        "deal_currency_code": "USD",
        "closedate": format!("{}T00:00:00Z", s["CloseDate"].as_str().unwrap_or_default()),
        "hs_is_closed": s["IsClosed"].to_string(),
        "hs_is_closed_won": s["IsWon"].to_string(),
        "hubspot_owner_id": owner_of(s),
        "hs_primary_associated_company": company.to_string(),
    });
    made(s, 7_000_000_000 + number(&s["Id"]), Some(company), properties)
}

fn task_of(s: &Value) -> Made {
    let company = company_number(&s["AccountId"]);
    let at = |name: &str| s[name].as_str().map(|stamp| iso(micros(stamp)));
    let properties = json!({
        "hs_task_subject": s["Subject"],
        "hs_task_type": match s["Type"].as_str() { Some("Call") => "CALL", Some("Email") => "EMAIL", _ => "TODO" },
        "hs_task_status": if s["Status"] == "Completed" { "COMPLETED" } else { "NOT_STARTED" },
        "hs_task_priority": "NONE",
        "hs_timestamp": format!("{}T09:00:00Z", s["ActivityDate"].as_str().unwrap_or_default()),
        "hs_task_completion_date": at("CompletedDateTime"),
        "hubspot_owner_id": owner_of(s),
    });
    made(s, 9_000_000_000 + number(&s["Id"]), Some(company), properties)
}

fn ticket_of(t: &Value) -> Made {
    let seconds = |name: &str| instant(&t[name]).unwrap_or(0);
    // The organization's number is the account's, and so is the company's.
    let account = t["organization_id"].as_u64().unwrap_or(0).saturating_sub(360_000_000_000) / 7;
    let company = 5_000_000_000 + 1_000_000 + account;
    let solved = t["status"] == "solved";
    let properties = json!({
        "subject": t["subject"],
        "content": format!("{}, please help.", t["subject"].as_str().unwrap_or_default()),
        "hs_pipeline": "0",
        "hs_pipeline_stage": if solved { "4" } else { "1" },
        "hs_ticket_priority": t["priority"].as_str().map(str::to_uppercase),
        "hs_ticket_category": if t["type"] == "incident" { "PRODUCT_ISSUE" } else { "GENERAL_INQUIRY" },
        "source_type": t["via"]["channel"].as_str().map(str::to_uppercase),
        "closed_date": solved.then(|| iso(seconds("updated_at"))),
        "hs_primary_company_id": company.to_string(),
    });
    Made {
        number: 8_000_000_000 + t["id"].as_u64().unwrap_or(0),
        created: seconds("created_at"),
        at: seconds("updated_at"),
        archived: false,
        properties,
        company: Some(company),
    }
}

fn owners(company: &Company) -> Vec<Value> {
    let at = iso(company.calendar.unix(-400, 30_000) * SECOND);
    let owner = |(i, csm): (usize, &crate::company::Csm)| {
        let number = 1_000 + i as u64;
        let (first, last) = csm.name.split_once(' ').unwrap_or((&csm.name, ""));
        json!({
            "id": owner_id(number), "email": csm.email, "type": "PERSON", "firstName": first, "lastName": last,
            "userId": number, "userIdIncludingInactive": number, "createdAt": at, "updatedAt": at, "archived": false, "teams": [],
        })
    };
    company.csms.iter().enumerate().map(owner).collect()
}

fn archived(body: &Value, at: i64) -> Value {
    let mut body = body.clone();
    body["archived"] = json!(true);
    body["archivedAt"] = json!(iso(at));
    body
}

impl Shape for ObjectKind {
    fn changed(&self, before: &Value, at: i64) -> Value {
        let mut body = before.clone();
        let title = ["name", "jobtitle", "dealname", "subject", "hs_task_subject"];
        if let Some(name) = title.into_iter().find(|name| self.property(name).is_some()) {
            body["properties"][name] = json!(format!("{} (edited)", before["properties"][name].as_str().unwrap_or_default()));
        }
        body["properties"][self.modified] = json!(iso(at));
        body["updatedAt"] = json!(iso(at));
        body
    }

    fn deleted(&self, body: &Value, at: i64) -> Option<Value> {
        Some(archived(body, at))
    }

    fn born(&self, like: &Value, number: u64, at: i64) -> (String, Value) {
        let mut body = self.changed(like, at);
        let family = like["id"].as_str().and_then(|id| id.get(..1)).unwrap_or("5");
        let id = format!("{family}9{number:08}");
        body["id"] = json!(id);
        body["createdAt"] = json!(iso(at));
        body["properties"]["hs_object_id"] = json!(id);
        body["properties"][self.created] = json!(iso(at));
        (id, body)
    }
}

/// How owners change.
struct Owners;

impl Shape for Owners {
    fn changed(&self, before: &Value, at: i64) -> Value {
        let mut body = before.clone();
        body["lastName"] = json!(format!("{}-Meyer", before["lastName"].as_str().unwrap_or_default()));
        body["updatedAt"] = json!(iso(at));
        body
    }

    fn deleted(&self, body: &Value, at: i64) -> Option<Value> {
        let mut body = archived(body, at);
        body["userId"] = Value::Null;
        // Owners don't tell when they were archived; the time of the last change is that of the archiving.
        if let Some(object) = body.as_object_mut() {
            object.remove("archivedAt");
        }
        body["updatedAt"] = json!(iso(at));
        Some(body)
    }

    fn born(&self, like: &Value, number: u64, at: i64) -> (String, Value) {
        let mut body = like.clone();
        let id = owner_id(900_000 + number);
        body["id"] = json!(id);
        body["email"] = json!(format!("new.owner{number}@vendor.example"));
        body["createdAt"] = json!(iso(at));
        body["updatedAt"] = json!(iso(at));
        (id, body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids;

    #[test]
    fn the_number_comes_back_out_of_an_id() {
        for n in [0, 7, 61, 62, 1_000_000, 900_000_003] {
            assert_eq!(number(&json!(ids::salesforce("001", n))), n);
        }
    }

    #[test]
    fn instants_have_milliseconds() {
        assert_eq!(instant(&json!(iso(1_700_000_000_123_000))), Some(1_700_000_000_123_000));
    }
}
