use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::fakes::testing::{Answer, call, get, start};
use crate::fakes::world::{DAY, SECOND};
use crate::fakes::{CLIENT_ID, CLIENT_SECRET, Fakes, Fault, Kind, REFRESH_TOKEN, TOKEN};

const OBJECTS: &str = "/hubspot/crm/v3/objects";

fn bearer() -> String {
    format!("Bearer {TOKEN}")
}

async fn send(fakes: &Fakes, method: &str, path: &str, body: &Value) -> Answer {
    let bearer = bearer();
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    call(fakes, method, path, &headers, &body.to_string()).await.unwrap()
}

/// All records of a list, page after page.
async fn list(fakes: &Fakes, path: &str) -> Vec<Value> {
    let mut records = Vec::new();
    let mut after = String::new();
    loop {
        let page = get(fakes, &format!("{path}{after}"), &bearer()).await.json();
        records.extend(page["results"].as_array().unwrap().clone());
        let Some(next) = page["paging"]["next"]["after"].as_str() else { return records };
        after = format!("&after={next}");
    }
}

async fn search(fakes: &Fakes, kind: &str, request: &Value) -> Answer {
    send(fakes, "POST", &format!("{OBJECTS}/{kind}/search"), request).await
}

/// All records that a search finds after a moment, the way extractors do it.
async fn changed_since(fakes: &Fakes, kind: &str, modified: &str, micros: i64) -> Vec<Value> {
    let (mut records, mut last) = (Vec::new(), 0);
    loop {
        let request = json!({
            "filterGroups": [{"filters": [
                {"propertyName": modified, "operator": "GTE", "value": (micros / 1_000).to_string()},
                {"propertyName": "hs_object_id", "operator": "GT", "value": last.to_string()},
            ]}],
            "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
            "properties": ["hs_object_id"],
            "limit": 200,
        });
        let page = search(fakes, kind, &request).await.json();
        let results = page["results"].as_array().unwrap();
        let Some(id) = results.last().and_then(|r| r["id"].as_str()) else { return records };
        last = id.parse::<u64>().unwrap();
        records.extend(results.clone());
    }
}

#[tokio::test]
async fn lists_give_every_record_once_and_archived_ones_apart() {
    let fakes = start(|c| c.accounts = 150).await;
    for kind in super::kinds::KINDS {
        let properties: Vec<&str> = kind.properties.iter().map(|(name, _)| *name).collect();
        let mut read = Vec::new();
        for archived in [false, true] {
            let path = format!("{OBJECTS}/{}?limit=100&archived={archived}&properties={}", kind.name, properties.join(","));
            let records = list(&fakes, &path).await;
            assert!(records.iter().all(|r| r["archived"] == archived && r.get("archivedAt").is_some() == archived));
            assert!(records.iter().all(|r| r["properties"].as_object().unwrap().values().all(|v| v.is_string() || v.is_null())));
            read.extend(records);
        }
        let by_id: BTreeMap<&str, &Value> = read.iter().map(|r| (r["id"].as_str().unwrap(), r)).collect();
        let truth = fakes.world().truth("hubspot", kind.name);
        assert_eq!((read.len(), by_id.len()), (truth.len(), truth.len()), "{}", kind.name);
        for held in truth {
            let mut body = held.body;
            body.as_object_mut().unwrap().remove("associations");
            assert_eq!(*by_id[held.id.as_str()], body);
        }
    }
    let limited = get(&fakes, &format!("{OBJECTS}/contacts?limit=101"), &bearer()).await;
    assert_eq!((limited.status, limited.json()["category"].clone()), (400, json!("VALIDATION_ERROR")));
}

#[tokio::test]
async fn lists_show_what_was_asked_for() {
    let fakes = start(|_| {}).await;
    let path = format!("{OBJECTS}/contacts?limit=1&properties=email,phone,nonsense&associations=companies");
    let answer = get(&fakes, &path, &bearer()).await;
    let record = &answer.json()["results"][0];
    let shown: Vec<&String> = record["properties"].as_object().unwrap().keys().collect();
    assert_eq!(shown, ["createdate", "email", "hs_object_id", "lastmodifieddate", "phone"]);
    assert_eq!(record["properties"]["phone"], Value::Null);
    let repeated = format!("{OBJECTS}/contacts?limit=1&archived=False&properties=email&properties=phone&associations=companies");
    assert_eq!(get(&fakes, &repeated, &bearer()).await.json()["results"][0], *record, "lists may also be given by repeating the name");
    assert_eq!(record["associations"]["companies"]["results"][0]["type"], "contact_to_company");
    assert!(answer.headers.contains_key("x-hubspot-ratelimit-remaining"));
    let long = get(&fakes, &format!("{OBJECTS}/contacts?properties={}", "x".repeat(16_000)), &bearer()).await;
    assert_eq!(long.status, 414);
}

#[tokio::test]
async fn searches_find_exactly_the_changes_of_the_next_day() {
    let fakes = start(|_| {}).await;
    let began = fakes.world().began();
    for kind in super::kinds::KINDS {
        fakes.world().set_now(began);
        let before = fakes.world().truth("hubspot", kind.name);
        fakes.world().set_now(began + DAY);
        let changed: BTreeSet<String> =
            fakes.world().truth("hubspot", kind.name).into_iter().filter(|h| !h.deleted && !before.contains(h)).map(|h| h.id).collect();
        assert!(changed.len() >= 4, "{}: {}", kind.name, changed.len());
        let found = changed_since(&fakes, kind.name, kind.modified, began + SECOND).await;
        let ids: BTreeSet<String> = found.iter().map(|r| r["id"].as_str().unwrap().to_string()).collect();
        assert_eq!((found.len(), ids), (changed.len(), changed), "{}", kind.name);
        let archived = list(&fakes, &format!("{OBJECTS}/{}?limit=100&archived=true", kind.name)).await;
        let gone = before.iter().filter(|h| !h.deleted && archived.iter().any(|a| a["id"] == h.id.as_str())).count();
        assert!(gone > 0, "{}: some are archived on the next day", kind.name);
    }
}

#[tokio::test]
async fn a_search_ends_at_ten_thousand_and_200_a_page() {
    let fakes = start(|c| {
        c.accounts = 3_600;
        c.months = 1;
        c.events_per_day = 1;
    })
    .await;
    let request = |after: &str, limit: u32| json!({"filterGroups": [], "sorts": ["hs_object_id"], "limit": limit, "after": after});
    let last = search(&fakes, "contacts", &request("9800", 200)).await;
    assert!(last.json()["total"].as_u64().unwrap() > 10_000);
    assert_eq!((last.json()["results"].as_array().unwrap().len(), &last.json()["paging"]["next"]["after"]), (200, &json!("10000")));
    assert!(!last.headers.contains_key("x-hubspot-ratelimit-remaining") && last.headers.contains_key("x-hubspot-ratelimit-daily"));
    assert_eq!(search(&fakes, "contacts", &request("10000", 200)).await.status, 400);
    assert_eq!(search(&fakes, "contacts", &request("0", 201)).await.status, 400);
}

#[tokio::test]
async fn associations_read_the_same_from_both_sides() {
    let fakes = start(|_| {}).await;
    let contacts = list(&fakes, &format!("{OBJECTS}/contacts?limit=100&properties=associatedcompanyid")).await;
    let (contact, company) = (&contacts[0]["id"], &contacts[0]["properties"]["associatedcompanyid"]);
    let path = "/hubspot/crm/v4/associations/contacts/companies/batch/read";
    let read = send(&fakes, "POST", path, &json!({"inputs": [{"id": contact}]})).await;
    assert_eq!(read.status, 200);
    assert_eq!(read.json()["results"][0]["to"][0]["toObjectId"].to_string(), company.as_str().unwrap());
    assert_eq!(read.json()["results"][0]["to"][0]["associationTypes"].as_array().unwrap().len(), 2);
    let back = send(
        &fakes,
        "POST",
        "/hubspot/crm/v4/associations/companies/contacts/batch/read",
        &json!({"inputs": [{"id": company}, {"id": "1"}]}),
    )
    .await;
    assert_eq!((back.status, &back.json()["numErrors"]), (207, &json!(1)));
    let to: Vec<String> = back.json()["results"][0]["to"].as_array().unwrap().iter().map(|t| t["toObjectId"].to_string()).collect();
    assert!(to.contains(&contact.as_str().unwrap().to_string()));
    let expected = contacts.iter().filter(|c| c["properties"]["associatedcompanyid"] == *company).count();
    assert_eq!(to.len(), expected);
}

#[tokio::test]
async fn refreshed_tokens_hold_for_half_an_hour() {
    let fakes = start(|_| {}).await;
    let form =
        |secret: &str| format!("grant_type=refresh_token&client_id={CLIENT_ID}&client_secret={secret}&refresh_token={REFRESH_TOKEN}");
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let answer = call(&fakes, "POST", "/hubspot/oauth/v1/token", &headers, &form(CLIENT_SECRET)).await.unwrap().json();
    assert_eq!((&answer["expires_in"], &answer["refresh_token"]), (&json!(1_800), &json!(REFRESH_TOKEN)));
    let token = format!("Bearer {}", answer["access_token"].as_str().unwrap());
    let owners = "/hubspot/crm/v3/owners";
    assert_eq!(get(&fakes, owners, &token).await.status, 200);
    fakes.world().set_now(fakes.world().now() + 1_801 * SECOND);
    let refused = get(&fakes, owners, &token).await;
    assert_eq!((refused.status, refused.json()["category"].clone()), (401, json!("INVALID_AUTHENTICATION")));
    let wrong = call(&fakes, "POST", "/hubspot/oauth/v1/token", &headers, &form("x")).await.unwrap();
    assert_eq!((wrong.status, wrong.json()["status"].clone()), (400, json!("BAD_CLIENT_SECRET")));
}

#[tokio::test]
async fn scopes_and_days_end_if_asked_to() {
    let fakes = start(|_| {}).await;
    let behaviour = json!({"missing_scopes": ["tickets"], "daily_requests": 2});
    assert_eq!(send(&fakes, "PUT", "/hubspot/_fake/behaviour", &behaviour).await.status, 204);
    let tickets = get(&fakes, &format!("{OBJECTS}/tickets"), &bearer()).await;
    assert_eq!((tickets.status, tickets.json()["category"].clone()), (403, json!("MISSING_SCOPES")));
    assert_eq!(get(&fakes, &format!("{OBJECTS}/deals"), &bearer()).await.headers["x-hubspot-ratelimit-daily-remaining"], "0");
    let over = get(&fakes, &format!("{OBJECTS}/deals"), &bearer()).await;
    assert_eq!((over.status, over.json()["policyName"].clone()), (429, json!("DAILY")));
    fakes.world().set_now(fakes.world().began() + DAY);
    assert_eq!(get(&fakes, &format!("{OBJECTS}/deals"), &bearer()).await.status, 200);
}

#[tokio::test]
async fn properties_and_owners_are_listed_and_an_empty_page_leads_on() {
    let fakes = start(|_| {}).await;
    let properties = get(&fakes, "/hubspot/crm/v3/properties/deals", &bearer()).await.json();
    let amount = properties["results"].as_array().unwrap().iter().find(|p| p["name"] == "amount").unwrap().clone();
    assert_eq!(amount["type"], "number");
    let sorted = json!({"sorts": [{"propertyName": "amount", "direction": "DESCENDING"}], "properties": ["amount"], "limit": 20});
    let sorted = search(&fakes, "deals", &sorted).await.json();
    let amount = |deal: &Value| deal["properties"]["amount"].as_str().unwrap().parse::<f64>().unwrap();
    assert!(sorted["results"].as_array().unwrap().is_sorted_by(|a, b| amount(a) >= amount(b)), "as numbers, not as texts");
    let owners = list(&fakes, "/hubspot/crm/v3/owners/?limit=2").await;
    assert_eq!(owners.len(), fakes.world().truth("hubspot", "owners").iter().filter(|h| !h.deleted).count());
    for path in [format!("{OBJECTS}/deals?limit=50"), format!("{OBJECTS}/deals?limit=50&after=7000000100")] {
        let page = get(&fakes, &path, &bearer()).await.json();
        fakes.faults().set(Fault::new("hubspot", Kind::EmptyPage, 1));
        let empty = get(&fakes, &path, &bearer()).await.json();
        assert_eq!(empty["results"], json!([]));
        let after = empty["paging"]["next"]["after"].as_str().unwrap();
        assert!(!path.ends_with(&format!("={after}")), "another cursor");
        assert_eq!(get(&fakes, &format!("{OBJECTS}/deals?limit=50&after={after}"), &bearer()).await.json()["results"], page["results"]);
    }
}
