use std::collections::BTreeSet;

use super::super::testing::{Answer, call, get, start};
use super::super::world::DAY;
use super::super::{Fakes, Fault};
use super::*;

const BEARER: &str = "Bearer fake-token-4f1d";

async fn read(fakes: &Fakes, path: &str) -> Answer {
    get(fakes, &format!("/intercom{path}"), BEARER).await
}

async fn search(fakes: &Fakes, stream: &str, body: &Value) -> Answer {
    let headers = [("authorization", BEARER), ("content-type", "application/json")];
    call(fakes, "POST", &format!("/intercom/{stream}/search"), &headers, &body.to_string()).await.unwrap()
}

fn between(from: i64, to: i64) -> Value {
    let one = |operator: &str, value: i64| json!({"field": "updated_at", "operator": operator, "value": value});
    json!({"operator": "AND", "value": [{"operator": "OR", "value": [one(">", from), one("=", from)]}, one("<", to)]})
}

fn ids(records: &Value) -> Vec<String> {
    records.as_array().unwrap().iter().map(|record| record["id"].as_str().unwrap().to_string()).collect()
}

/// All pages of a search, each record as often as it came.
async fn pages(fakes: &Fakes, searched: &Searched, query: &Value, size: u64) -> Vec<Value> {
    let mut all = Vec::new();
    let mut token = Value::Null;
    loop {
        let sort = json!({"field": "updated_at", "order": "ascending"});
        let body = json!({"query": query, "sort": sort, "pagination": {"per_page": size, "starting_after": token}});
        let answer = search(fakes, searched.stream, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let page = answer.json();
        all.extend(page[searched.records].as_array().unwrap().iter().cloned());
        assert!(all.len() as u64 <= page["total_count"].as_u64().unwrap());
        token = page["pages"]["next"]["starting_after"].clone();
        if token.is_null() {
            assert_eq!(all.len() as u64, page["total_count"].as_u64().unwrap());
            return all;
        }
    }
}

fn live(fakes: &Fakes, stream: &str) -> BTreeSet<String> {
    fakes.world().truth("intercom", stream).into_iter().filter(|held| !held.deleted).map(|held| held.id).collect()
}

#[tokio::test]
async fn the_scroll_gives_every_company_once_and_is_the_only_one() {
    let fakes = start(|c| c.accounts = 250).await;
    let first = read(&fakes, "/companies/scroll").await.json();
    let param = first["scroll_param"].as_str().unwrap().to_string();
    let mut seen = ids(&first["data"]);
    assert_eq!(seen.len(), 100);
    let second = read(&fakes, "/companies/scroll").await;
    assert_eq!((second.status, &second.json()["errors"][0]["code"]), (400, &json!("scroll_exists")));
    let end = loop {
        let page = read(&fakes, &format!("/companies/scroll?scroll_param={param}")).await.json();
        if page["data"].as_array().unwrap().is_empty() {
            break page;
        }
        assert_eq!(page["scroll_param"], param, "one parameter leads through the whole scroll");
        seen.extend(ids(&page["data"]));
    };
    assert_eq!(end["type"], "list");
    assert_eq!(seen.len(), live(&fakes, "companies").len());
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), live(&fakes, "companies"));
    let after = read(&fakes, &format!("/companies/scroll?scroll_param={param}")).await;
    assert_eq!((after.status, &after.json()["errors"][0]["code"]), (404, &json!("not_found")), "it ended with its last page");
}

#[tokio::test]
async fn a_page_of_the_scroll_that_was_lost_does_not_come_again() {
    let fakes = start(|c| c.accounts = 250).await;
    let first = read(&fakes, "/companies/scroll").await.json();
    let next = format!("/companies/scroll?scroll_param={}", first["scroll_param"].as_str().unwrap());
    fakes.faults().set(Fault::new("intercom", Kind::Truncated, 1));
    assert!(serde_json::from_slice::<Value>(&read(&fakes, &next).await.body).is_err(), "half a body");
    let third = read(&fakes, &next).await.json();
    let all: Vec<String> = live(&fakes, "companies").into_iter().collect();
    assert_eq!(ids(&third["data"]).first(), all.get(200), "the second hundred is gone");
    let refused = [read(&fakes, "/companies/scroll").await.status, read(&fakes, "/companies/scroll").await.status];
    assert_eq!(refused, [400, 400]);
    let again = read(&fakes, "/companies/scroll").await.json();
    assert_eq!(ids(&again["data"]), ids(&first["data"]), "the old one has expired, and it begins anew");
    assert_eq!(read(&fakes, &next).await.status, 404);
}

#[tokio::test]
async fn a_broken_scroll_asks_to_be_restarted_and_can_be() {
    let fakes = start(|_| {}).await;
    let first = read(&fakes, "/companies/scroll").await.json();
    fakes.faults().set(Fault::new("intercom", Kind::RestartScroll, 1));
    let broken = read(&fakes, &format!("/companies/scroll?scroll_param={}", first["scroll_param"].as_str().unwrap())).await;
    assert_eq!(broken.status, 500);
    assert!(broken.text().contains("Please restart the scroll operation"));
    assert_eq!(read(&fakes, "/companies/scroll").await.status, 200);
}

#[tokio::test]
async fn searches_page_through_every_record_once() {
    let fakes = start(|c| c.accounts = 120).await;
    for searched in [CONTACTS, CONVERSATIONS, TICKETS] {
        let query = json!({"field": "created_at", "operator": ">", "value": 0});
        let all = pages(&fakes, &searched, &query, 7).await;
        let seen: BTreeSet<String> = ids(&Value::Array(all.clone())).into_iter().collect();
        assert_eq!(seen.len(), all.len(), "{}", searched.stream);
        assert_eq!(seen, live(&fakes, searched.stream), "{}", searched.stream);
        assert!(seen.len() > 14, "{} of {}", seen.len(), searched.stream);
        assert!(all.is_sorted_by_key(|record| record["updated_at"].as_i64().unwrap()));
        let held = fakes.world().truth("intercom", searched.stream);
        assert_eq!(held.iter().find(|held| held.id == all[3]["id"]).unwrap().body, all[3], "searches show what the truth holds");
    }
}

#[tokio::test]
async fn what_changed_within_a_day_is_found_by_the_time_of_its_change() {
    let fakes = start(|c| c.accounts = 200).await;
    let (began, before) = (fakes.world().now(), live(&fakes, "companies"));
    fakes.world().set_now(began + DAY);
    let (from, to) = (began / 1_000_000 + 1, (began + DAY) / 1_000_000 + 1);
    for searched in [CONVERSATIONS, TICKETS] {
        let found = pages(&fakes, &searched, &between(from, to), 150).await;
        assert!(found.len() > 1, "{} of {}", found.len(), searched.stream);
        assert!(found.iter().all(|record| (from..to).contains(&record["updated_at"].as_i64().unwrap())));
        let later =
            fakes.world().truth("intercom", searched.stream).iter().filter(|h| h.body["updated_at"].as_i64().unwrap() >= from).count();
        assert_eq!(found.len(), later);
    }
    // Contacts know whole days only: the window begins at midnight before and has no end that could be told.
    let floor = from - from % 86_400;
    let any = json!({"operator": "OR", "value": [{"field": "updated_at", "operator": ">", "value": floor},
                                                 {"field": "updated_at", "operator": "=", "value": from}]});
    let found = pages(&fakes, &CONTACTS, &any, 150).await;
    assert!(found.iter().any(|record| record["created_at"].as_i64().unwrap() >= from), "new contacts");
    assert!(found.iter().any(|record| record["created_at"].as_i64().unwrap() < from && record["updated_at"].as_i64().unwrap() >= from));
    assert!(found.iter().all(|record| record["updated_at"].as_i64().unwrap() >= floor));
    let gone: Vec<_> = fakes.world().truth("intercom", "companies").into_iter().filter(|held| held.deleted).map(|held| held.id).collect();
    assert!(!gone.is_empty() && gone.iter().all(|id| before.contains(id)), "only what could be seen before is deleted");
    assert_eq!(read(&fakes, &format!("/companies/{}", gone[0])).await.status, 404);
    let page = read(&fakes, "/companies/scroll").await.json();
    assert!(!ids(&page["data"]).contains(&gone[0]));
}

#[tokio::test]
async fn wrong_credentials_and_wrong_versions_are_refused_and_limits_told() {
    let fakes = start(|_| {}).await;
    let refused = get(&fakes, "/intercom/admins", "Bearer wrong").await;
    assert_eq!((refused.status, &refused.json()["errors"][0]["code"]), (401, &json!("unauthorized")));
    let answer = call(&fakes, "GET", "/intercom/admins", &[("authorization", BEARER), ("intercom-version", "2.11")], "").await.unwrap();
    assert_eq!((answer.status, answer.headers["intercom-version"].as_str()), (200, "2.11"));
    assert_eq!(answer.json()["admins"].as_array().unwrap().len(), live(&fakes, "admins").len());
    assert_eq!(answer.headers["x-ratelimit-limit"], "167");
    assert!(
        answer.headers["x-ratelimit-reset"].parse::<i64>().unwrap() > 1_700_000_000 && answer.headers.contains_key("x-ratelimit-remaining")
    );
    let wrong = call(&fakes, "GET", "/intercom/admins", &[("authorization", BEARER), ("intercom-version", "2.99")], "").await.unwrap();
    assert_eq!((wrong.status, &wrong.json()["errors"][0]["code"]), (400, &json!("intercom_version_invalid")));
}

#[tokio::test]
async fn an_empty_page_leads_to_the_page_that_was_asked_for() {
    let fakes = start(|_| {}).await;
    let query = json!({"field": "updated_at", "operator": ">", "value": 0});
    let body = |token: &Value| json!({"query": query, "pagination": {"per_page": 5, "starting_after": token}});
    let first = search(&fakes, "contacts", &body(&Value::Null)).await.json();
    let token = &first["pages"]["next"]["starting_after"];
    let second = search(&fakes, "contacts", &body(token)).await.json();
    fakes.faults().set(Fault::new("intercom", Kind::EmptyPage, 1));
    let empty = search(&fakes, "contacts", &body(token)).await.json();
    assert_eq!(empty["data"], json!([]));
    let other = &empty["pages"]["next"]["starting_after"];
    assert_ne!(other, token, "no token comes twice");
    assert_eq!(search(&fakes, "contacts", &body(other)).await.json()["data"], second["data"]);
    fakes.faults().set(Fault::new("intercom", Kind::EmptyBody, 1));
    let nothing = search(&fakes, "contacts", &body(token)).await;
    assert_eq!((nothing.status, nothing.body.len()), (200, 0));
}

#[tokio::test]
async fn a_conversation_shows_its_parts() {
    let fakes = start(|_| {}).await;
    let rated =
        fakes.world().truth("intercom", "conversations").into_iter().find(|held| !held.body["conversation_rating"].is_null()).unwrap();
    let whole = read(&fakes, &format!("/conversations/{}", rated.id)).await.json();
    let parts = whole["conversation_parts"]["conversation_parts"].as_array().unwrap();
    assert!(parts.len() >= 3);
    assert_eq!(whole["statistics"]["count_conversation_parts"], parts.len());
    assert!((1..=5).contains(&whole["conversation_rating"]["rating"].as_i64().unwrap()));
}
