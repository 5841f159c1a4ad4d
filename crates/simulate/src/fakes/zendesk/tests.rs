use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::fakes::testing::{Answer, call, get, start};
use crate::fakes::world::{DAY, SECOND};
use crate::fakes::{EMAIL, Fakes, Fault, Kind, TOKEN, auth};

fn basic() -> String {
    auth::basic(&format!("{EMAIL}/token"), TOKEN)
}

async fn read(fakes: &Fakes, path: &str) -> Answer {
    get(fakes, &format!("/zendesk/api/v2/{path}"), &basic()).await
}

/// The path and query of an address.
fn path_of(url: &Value) -> String {
    let url = url.as_str().unwrap();
    url[url.find("/zendesk").unwrap() + "/zendesk/api/v2/".len()..].to_string()
}

/// A whole export by cursor: its records, how many pages were empty though more came, and the last cursor.
async fn export(fakes: &Fakes, stream: &str, query: &str) -> (Vec<Value>, usize, String) {
    let (mut records, mut empty) = (Vec::new(), 0);
    let mut path = format!("incremental/{stream}/cursor.json?per_page=30&{query}");
    loop {
        let page = read(fakes, &path).await.json();
        let list = page[stream].as_array().unwrap();
        records.extend(list.clone());
        if page["end_of_stream"] == true {
            return (records, empty, page["after_cursor"].as_str().unwrap().to_string());
        }
        empty += usize::from(list.is_empty());
        path = path_of(&page["after_url"]);
    }
}

fn by_id(records: &[Value]) -> BTreeMap<String, Value> {
    let map: BTreeMap<String, Value> = records.iter().map(|r| (r["id"].to_string(), r.clone())).collect();
    assert_eq!(map.len(), records.len(), "every record once");
    map
}

fn truth(fakes: &Fakes, stream: &str) -> BTreeMap<String, Value> {
    fakes.world().truth("zendesk", stream).into_iter().map(|held| (held.id, held.body)).collect()
}

#[tokio::test]
async fn exports_give_every_record_once_deleted_ones_too_and_then_only_changes() {
    let fakes = start(|c| c.accounts = 150).await;
    let began = fakes.world().began();
    for (stream, is_deleted) in [("tickets", ("status", json!("deleted"))), ("users", ("active", json!(false)))] {
        fakes.world().set_now(began);
        let (records, empty, cursor) = export(&fakes, stream, "start_time=0").await;
        let first = truth(&fakes, stream);
        assert!(empty > 0, "{stream}: an empty page isn't the end");
        assert_eq!(by_id(&records), first, "{stream}");
        let deleted = |all: &BTreeMap<String, Value>| all.values().filter(|b| b[is_deleted.0] == is_deleted.1).count();
        fakes.world().set_now(began + DAY);
        let (changes, _, _) = export(&fakes, stream, &format!("cursor={}", cursor.replace('=', "%3D"))).await;
        let second = truth(&fakes, stream);
        let changed: BTreeMap<_, _> = second.clone().into_iter().filter(|(id, body)| first.get(id) != Some(body)).collect();
        assert!(changed.len() >= 5 && deleted(&second) > deleted(&first), "{stream}");
        assert_eq!(by_id(&changes), changed, "{stream}");
    }
}

#[tokio::test]
async fn the_system_touches_tickets_without_a_new_time_of_change() {
    let fakes = start(|_| {}).await;
    let touched = |b: &Value| b["generated_timestamp"].as_i64().unwrap() > super::records::secs(&b["updated_at"]);
    fakes.world().set_now(fakes.world().began() + DAY);
    let since = fakes.world().began() / SECOND;
    let (records, _, _) = export(&fakes, "tickets", &format!("start_time={since}")).await;
    assert!(records.iter().any(|b| touched(b) && super::records::secs(&b["updated_at"]) < since));
}

#[tokio::test]
async fn the_last_minute_is_left_out_and_may_not_be_asked_for() {
    let fakes = start(|_| {}).await;
    let now = fakes.world().now();
    fakes.faults().set(Fault::new("zendesk", Kind::Mutate, 1));
    let (before, _, cursor) = export(&fakes, "tickets", "start_time=0").await;
    assert!(by_id(&before).len() < truth(&fakes, "tickets").len(), "what changed just now isn't there yet");
    fakes.world().set_now(now + 61 * SECOND);
    let (later, _, _) = export(&fakes, "tickets", &format!("cursor={}", cursor.replace('=', "%3D"))).await;
    let all: BTreeSet<String> = before.iter().chain(&later).map(|r| r["id"].to_string()).collect();
    assert_eq!(all.len(), truth(&fakes, "tickets").len());
    let recent = read(&fakes, &format!("incremental/tickets/cursor.json?start_time={}", now / SECOND + 30)).await;
    assert_eq!((recent.status, recent.json()["error"].clone()), (422, json!("StartTimeTooRecent")));
    assert_eq!(read(&fakes, "incremental/tickets/cursor.json?cursor=nonsense").await.status, 400);
}

#[tokio::test]
async fn organizations_come_by_time_and_repeat_at_the_borders_of_pages() {
    let fakes = start(|c| c.accounts = 150).await;
    let mut path = "incremental/organizations.json?start_time=0&per_page=20".to_string();
    let (mut count, mut found, mut starts) = (0, BTreeMap::new(), BTreeSet::new());
    loop {
        let page = read(&fakes, &path).await.json();
        for organization in page["organizations"].as_array().unwrap() {
            count += 1;
            found.insert(organization["id"].to_string(), organization.clone());
        }
        if page["end_of_stream"] == true {
            break;
        }
        path = path_of(&page["next_page"]);
        assert!(starts.insert(path.clone()), "pages lead on");
    }
    assert_eq!(found, truth(&fakes, "organizations"));
    assert!(count > found.len());
    assert!(found.values().any(|o| !o["deleted_at"].is_null()));
}

/// A whole list by cursor paging.
async fn list(fakes: &Fakes, name: &str, query: &str) -> Vec<Value> {
    let mut records = Vec::new();
    let mut path = format!("{name}?page%5Bsize%5D=7{query}");
    loop {
        let page = read(fakes, &path).await.json();
        records.extend(page[name].as_array().unwrap().clone());
        if page["meta"]["has_more"] == false {
            assert_eq!(page["links"]["next"], Value::Null);
            return records;
        }
        path = path_of(&page["links"]["next"]);
    }
}

#[tokio::test]
async fn lists_give_every_record_once_and_gone_metrics_are_gone() {
    let fakes = start(|_| {}).await;
    let ratings = list(&fakes, "satisfaction_ratings", "&sort=created_at").await;
    assert_eq!(by_id(&ratings), truth(&fakes, "satisfaction_ratings"));
    let metrics = by_id(&list(&fakes, "ticket_metrics", "").await);
    assert_eq!(metrics, truth(&fakes, "ticket_metrics"), "nothing that nobody could have seen");
    let (began, secs) = (fakes.world().began(), fakes.world().began() / SECOND);
    fakes.world().set_now(began + DAY);
    let changed = list(&fakes, "satisfaction_ratings", &format!("&sort=created_at&start_time={secs}")).await;
    let all = truth(&fakes, "satisfaction_ratings");
    let expected = all.values().filter(|r| super::records::secs(&r["updated_at"]) >= secs).count();
    assert!(changed.len() >= 5 && changed.len() == expected);
    let later = by_id(&list(&fakes, "ticket_metrics", "").await);
    let held = fakes.world().truth("zendesk", "ticket_metrics");
    let gone: Vec<&String> = metrics.keys().filter(|id| !later.contains_key(*id)).collect();
    assert!(!gone.is_empty());
    assert!(gone.iter().all(|id| held.iter().any(|h| h.id == **id && h.deleted)));
}

#[tokio::test]
async fn page_numbers_end_at_ten_thousand_records() {
    let fakes = start(|_| {}).await;
    let first = read(&fakes, "satisfaction_ratings.json?per_page=5").await.json();
    let second = read(&fakes, &path_of(&first["next_page"])).await.json();
    assert_eq!((first["previous_page"].clone(), first["satisfaction_ratings"].as_array().unwrap().len()), (Value::Null, 5));
    assert_ne!(first["satisfaction_ratings"][0]["id"], second["satisfaction_ratings"][0]["id"]);
    assert_eq!(read(&fakes, "satisfaction_ratings.json?per_page=100&page=101").await.status, 400);
    assert_eq!(read(&fakes, "satisfaction_ratings.json?page%5Bsize%5D=101").await.status, 400);
}

#[tokio::test]
async fn refusals_are_zendesks_own() {
    let fakes = start(|_| {}).await;
    let wrong = get(&fakes, "/zendesk/api/v2/users/me.json", &auth::basic("x", "y")).await;
    assert_eq!((wrong.status, wrong.json()), (401, json!({"error": "Couldn't authenticate you"})));
    assert_eq!(get(&fakes, "/zendesk/api/v2/users/me.json", &format!("Bearer {TOKEN}")).await.status, 200);
    fakes.faults().set(Fault::new("zendesk", Kind::RateLimited, 1));
    let limited = read(&fakes, "users/me.json").await;
    assert_eq!((limited.status, limited.headers["retry-after"].as_str()), (429, "0"));
    assert!(limited.headers["content-type"].starts_with("text/plain") && limited.json().is_null());
    let forbid = json!({"forbidden": ["satisfaction_ratings"]}).to_string();
    call(&fakes, "PUT", "/zendesk/_fake/behaviour", &[("content-type", "application/json")], &forbid).await.unwrap();
    let forbidden = read(&fakes, "satisfaction_ratings").await;
    assert_eq!((forbidden.status, forbidden.json()["error"]["title"].clone()), (403, json!("Forbidden")));
    assert_eq!(read(&fakes, "tickets/3/metrics.json").await.status, 404);
}

#[tokio::test]
async fn an_empty_page_leads_to_the_page_that_was_asked_for() {
    let fakes = start(|_| {}).await;
    for (path, next) in [("incremental/tickets/cursor?start_time=0", "/after_url"), ("ticket_metrics?page%5Bsize%5D=9", "/links/next")] {
        let name = if path.starts_with("inc") { "tickets" } else { "ticket_metrics" };
        let page = read(&fakes, path).await.json();
        fakes.faults().set(Fault::new("zendesk", Kind::EmptyPage, 1));
        let empty = read(&fakes, path).await.json();
        assert_eq!(empty[name], json!([]));
        let mut followed = read(&fakes, &path_of(empty.pointer(next).unwrap())).await.json();
        if followed[name] == json!([]) {
            // Its turn to be empty by itself.
            followed = read(&fakes, &path_of(followed.pointer(next).unwrap())).await.json();
        }
        assert_eq!(followed[name], page[name]);
    }
}
