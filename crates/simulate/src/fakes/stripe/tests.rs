use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::fakes::testing::{get, start};
use crate::fakes::world::{DAY, Held, SECOND};
use crate::fakes::{Fakes, TOKEN, auth};

fn key() -> String {
    format!("Bearer {TOKEN}")
}

/// All objects of a list, page by page.
async fn all(fakes: &Fakes, path: &str, limit: usize) -> Vec<Value> {
    let mut objects: Vec<Value> = Vec::new();
    let sign = if path.contains('?') { '&' } else { '?' };
    loop {
        let after = objects.last().map(|o| format!("&starting_after={}", o["id"].as_str().unwrap())).unwrap_or_default();
        let answer = get(fakes, &format!("/stripe/v1/{path}{sign}limit={limit}{after}"), &key()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let page = answer.json();
        let data = page["data"].as_array().unwrap();
        assert!(data.len() <= limit);
        objects.extend(data.iter().cloned());
        if page["has_more"] == false {
            return objects;
        }
        assert_eq!(data.len(), limit, "a page with more behind it is full");
    }
}

fn ids(objects: &[Value]) -> Vec<String> {
    objects.iter().map(|o| o["id"].as_str().unwrap().to_string()).collect()
}

fn live(truth: &[Held]) -> BTreeMap<String, Value> {
    truth.iter().filter(|held| !held.deleted).map(|held| (held.id.clone(), held.body.clone())).collect()
}

#[tokio::test]
async fn lists_everything_once_newest_first() {
    let fakes = start(|_| {}).await;
    for (stream, path) in
        [("customers", "customers"), ("subscriptions", "subscriptions?status=all"), ("invoices", "invoices"), ("events", "events")]
    {
        let objects = all(&fakes, path, 17).await;
        let truth = live(&fakes.world().truth("stripe", stream));
        assert_eq!(objects.len(), truth.len(), "{stream}");
        let read: BTreeMap<String, Value> = ids(&objects).into_iter().zip(objects.clone()).collect();
        assert_eq!(read, truth, "{stream}");
        assert!(objects.iter().all(|o| o.get("updated").is_none()), "no object says when it changed");
        let created: Vec<i64> = objects.iter().map(|o| o["created"].as_i64().unwrap()).collect();
        assert!(created.is_sorted_by(|a, b| a >= b), "{stream}");
    }
}

#[tokio::test]
async fn filters_by_time_status_and_type() {
    let fakes = start(|_| {}).await;
    let customers = all(&fakes, "customers", 100).await;
    let middle = customers[customers.len() / 2]["created"].as_i64().unwrap();
    let newer = all(&fakes, &format!("customers?created[gt]={middle}"), 9).await;
    let rest = all(&fakes, &format!("customers?created%5Blte%5D={middle}"), 9).await;
    assert_eq!([ids(&newer), ids(&rest)].concat(), ids(&customers));
    assert!(!newer.is_empty() && !rest.is_empty());

    let shown = all(&fakes, "subscriptions", 100).await;
    let canceled = all(&fakes, "subscriptions?status=canceled", 100).await;
    assert!(!canceled.is_empty() && shown.iter().all(|s| s["status"] != "canceled"));
    assert_eq!(shown.len() + canceled.len(), all(&fakes, "subscriptions?status=all", 100).await.len());

    let paid = all(&fakes, "events?types[]=invoice.paid&types[1]=customer.created", 50).await;
    let kinds: BTreeSet<&str> = paid.iter().map(|e| e["type"].as_str().unwrap()).collect();
    assert!(kinds.contains("invoice.paid") && kinds.len() <= 2, "{kinds:?}");
    let too_many: String = (0..21).map(|i| format!("types[]=t{i}&")).collect();
    assert_eq!(get(&fakes, &format!("/stripe/v1/events?{too_many}"), &key()).await.status, 400);
}

#[tokio::test]
async fn events_are_kept_for_thirty_days() {
    let fakes = start(|c| c.months = 3).await;
    let now = fakes.world().now();
    let store = fakes.world().store("stripe", "events");
    let gone = store.all(now).find(|(event, _)| event.created < now - 30 * DAY).unwrap().0;
    let kept = store.all(now).find(|(event, _)| event.created > now - 30 * DAY).unwrap().0;
    assert_eq!(get(&fakes, &format!("/stripe/v1/events/{}", gone.id), &key()).await.status, 404);
    assert_eq!(get(&fakes, &format!("/stripe/v1/events/{}", kept.id), &key()).await.status, 200);
    let oldest = all(&fakes, "events", 100).await.last().unwrap()["created"].as_i64().unwrap();
    assert!(oldest * SECOND >= now - 30 * DAY);
}

#[tokio::test]
async fn a_list_and_the_events_after_it_give_the_next_day() {
    let fakes = start(|_| {}).await;
    let mut held: BTreeMap<String, Value> = BTreeMap::new();
    let paths = ["customers", "subscriptions?status=all", "invoices"];
    for path in paths {
        let objects = all(&fakes, path, 100).await;
        held.extend(ids(&objects).into_iter().zip(objects));
    }
    let then = fakes.world().now();
    fakes.world().set_now(then + DAY);
    let mut events = all(&fakes, &format!("events?created[gte]={}", then / SECOND), 100).await;
    events.reverse();
    assert!(events.len() >= 8, "{}", events.len());
    for event in events {
        let object = event["data"]["object"].clone();
        let id = object["id"].as_str().unwrap().to_string();
        if ["customer.deleted", "invoice.deleted"].contains(&event["type"].as_str().unwrap()) {
            held.remove(&id);
        } else {
            held.insert(id, object);
        }
    }
    let mut truth = BTreeMap::new();
    for stream in ["customers", "subscriptions", "invoices"] {
        truth.extend(live(&fakes.world().truth("stripe", stream)));
    }
    assert_eq!(held.keys().collect::<Vec<_>>(), truth.keys().collect::<Vec<_>>());
    assert_eq!(held, truth);
}

#[tokio::test]
async fn shows_objects_by_id_and_what_is_left_of_deleted_ones() {
    let fakes = start(|_| {}).await;
    fakes.world().set_now(fakes.world().now() + DAY);
    let deleted = |stream| fakes.world().truth("stripe", stream).into_iter().find(|held| held.deleted).unwrap().id;
    let customer = get(&fakes, &format!("/stripe/v1/customers/{}", deleted("customers")), &key()).await;
    assert_eq!((customer.status, &customer.json()["deleted"]), (200, &Value::Bool(true)));
    let draft = get(&fakes, &format!("/stripe/v1/invoices/{}", deleted("invoices")), &key()).await;
    assert_eq!((draft.status, &draft.json()["error"]["code"]), (404, &Value::from("resource_missing")));
    let long = all(&fakes, "invoices", 100).await.into_iter().find(|i| i["lines"]["has_more"] == true).unwrap();
    let lines = get(&fakes, &format!("/stripe{}?limit=100", long["lines"]["url"].as_str().unwrap()), &key()).await.json();
    let lines = lines["data"].as_array().unwrap();
    assert!(lines.len() > 10);
    assert_eq!(lines.iter().map(|l| l["amount"].as_i64().unwrap()).sum::<i64>(), long["total"].as_i64().unwrap());
}

#[tokio::test]
async fn refuses_as_stripe_does() {
    let fakes = start(|_| {}).await;
    let wrong = get(&fakes, "/stripe/v1/customers", "Bearer sk_test_wrong").await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.json()["error"]["message"].as_str().unwrap().starts_with("Invalid API Key provided"));
    assert_eq!(get(&fakes, "/stripe/v1/customers", &auth::basic(TOKEN, "")).await.status, 200);
    for (path, code) in [
        ("customers?updated[gte]=1", "parameter_unknown"),
        ("customers?limit=101", "parameter_invalid_integer"),
        ("customers?starting_after=cus_none", "resource_missing"),
    ] {
        let answer = get(&fakes, &format!("/stripe/v1/{path}"), &key()).await;
        assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (400, Some(code)), "{path}");
        assert!(answer.headers.contains_key("request-id"));
    }
    assert_eq!(get(&fakes, "/stripe/v1/gadgets", &key()).await.status, 404);
}
