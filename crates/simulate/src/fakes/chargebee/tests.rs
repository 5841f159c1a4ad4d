use std::collections::BTreeMap;

use serde_json::Value;

use crate::fakes::testing::{get, start};
use crate::fakes::world::{DAY, SECOND};
use crate::fakes::{Fakes, Fault, Kind, TOKEN, auth};

fn key() -> String {
    auth::basic(TOKEN, "")
}

fn encoded(text: &str) -> String {
    text.bytes().map(|b| if b.is_ascii_alphanumeric() { (b as char).to_string() } else { format!("%{b:02X}") }).collect()
}

/// All records of a list, page by page, and how many pages they took.
async fn all(fakes: &Fakes, stream: &str, query: &str) -> (Vec<Value>, usize) {
    let (mut records, mut pages, mut offset) = (Vec::new(), 0, String::new());
    let name = stream.trim_end_matches('s');
    loop {
        let answer = get(fakes, &format!("/chargebee/api/v2/{stream}?{query}{offset}"), &key()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let page = answer.json();
        pages += 1;
        records.extend(page["list"].as_array().unwrap().iter().map(|element| element[name].clone()));
        match page["next_offset"].as_str() {
            Some(next) => offset = format!("&offset={}", encoded(next)),
            None => return (records, pages),
        }
    }
}

fn by_id(records: &[Value]) -> BTreeMap<String, Value> {
    records.iter().map(|r| (r["id"].as_str().unwrap().to_string(), r.clone())).collect()
}

fn truth(fakes: &Fakes, stream: &str, with_deleted: bool) -> BTreeMap<String, Value> {
    let held = fakes.world().truth("chargebee", stream);
    held.into_iter().filter(|h| with_deleted || !h.deleted).map(|h| (h.id, h.body)).collect()
}

#[tokio::test]
async fn lists_everything_once_and_deleted_records_where_asked_for() {
    let fakes = start(|_| {}).await;
    fakes.world().set_now(fakes.world().now() + DAY);
    for stream in ["customers", "subscriptions", "invoices", "events"] {
        let (records, pages) = all(&fakes, stream, "limit=13").await;
        assert_eq!((records.len(), by_id(&records)), (truth(&fakes, stream, false).len(), truth(&fakes, stream, false)), "{stream}");
        assert_eq!(pages, records.len().div_ceil(13), "{stream}");
        if stream != "events" {
            let (records, _) = all(&fakes, stream, "limit=100&include_deleted=true").await;
            assert_eq!(by_id(&records), truth(&fakes, stream, true), "{stream}");
            assert!(records.iter().any(|r| r["deleted"] == true) && records.iter().any(|r| r["deleted"] == false), "{stream}");
        }
    }
}

#[tokio::test]
async fn changes_of_a_day_come_by_updated_at_and_exclude_the_moment_itself() {
    let fakes = start(|_| {}).await;
    let then = fakes.world().now();
    let before = truth(&fakes, "customers", true);
    fakes.world().set_now(then + DAY);
    let after = truth(&fakes, "customers", true);
    let changed: BTreeMap<_, _> = after.into_iter().filter(|(id, body)| before.get(id) != Some(body)).collect();
    assert!(changed.len() >= 5);
    let query = |second: i64| format!("include_deleted=true&limit=2&sort_by[asc]=updated_at&updated_at[after]={second}");
    let (records, _) = all(&fakes, "customers", &query(then / SECOND)).await;
    assert_eq!(by_id(&records), changed);
    let times: Vec<i64> = records.iter().map(|r| r["updated_at"].as_i64().unwrap()).collect();
    assert!(times.is_sorted());
    let (rest, _) = all(&fakes, "customers", &query(times[0])).await;
    assert!(rest.iter().all(|r| r["updated_at"].as_i64().unwrap() > times[0]) && rest.len() < records.len());
    let (between, _) =
        all(&fakes, "events", &format!("limit=100&occurred_at[between]=[{},{}]", then / SECOND, then / SECOND + 86_400)).await;
    assert!(between.iter().any(|e| e["event_type"] == "customer_deleted"));
}

#[tokio::test]
async fn an_offset_holds_only_for_its_filters() {
    let fakes = start(|_| {}).await;
    let first = get(&fakes, "/chargebee/api/v2/invoices?limit=5&status[is]=paid", &key()).await.json();
    let offset = encoded(first["next_offset"].as_str().unwrap());
    assert_eq!(get(&fakes, &format!("/chargebee/api/v2/invoices?limit=9&status[is]=paid&offset={offset}"), &key()).await.status, 200);
    let other = get(&fakes, &format!("/chargebee/api/v2/invoices?limit=5&offset={offset}"), &key()).await;
    assert_eq!((other.status, other.json()["api_error_code"].as_str()), (400, Some("param_wrong_value")));
    assert_eq!(other.json()["param"], "offset");
}

#[tokio::test]
async fn refuses_as_chargebee_does() {
    let fakes = start(|_| {}).await;
    let wrong = get(&fakes, "/chargebee/api/v2/customers", &auth::basic("wrong", "")).await;
    assert_eq!((wrong.status, wrong.json()["api_error_code"].as_str()), (401, Some("api_authentication_failed")));
    for query in ["limit=101", "sort_by[asc]=email", "created[after]=1", "updated_at[since]=1"] {
        let answer = get(&fakes, &format!("/chargebee/api/v2/customers?{query}"), &key()).await;
        assert_eq!((answer.status, answer.json()["api_error_code"].as_str()), (400, Some("param_wrong_value")), "{query}");
    }
    let missing = get(&fakes, "/chargebee/api/v2/customers/none", &key()).await;
    assert_eq!((missing.status, missing.json()["api_error_code"].as_str()), (404, Some("resource_not_found")));
}

#[tokio::test]
async fn an_empty_page_leads_to_the_page_asked_for() {
    let fakes = start(|_| {}).await;
    for at in [1, 3] {
        fakes.faults().clear();
        fakes.faults().set(Fault::new("chargebee", Kind::EmptyPage, at));
        for query in ["limit=20", "limit=20&sort_by[asc]=updated_at"] {
            let (records, _) = all(&fakes, "customers", query).await;
            assert_eq!(by_id(&records), truth(&fakes, "customers", false));
        }
        assert_eq!(fakes.faults().fired(), 1);
    }
}
