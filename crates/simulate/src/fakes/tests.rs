use serde_json::{Value, json};

use super::testing::{Answer, call, get, start};
use super::world::{DAY, SECOND};
use super::{Fakes, Fault, Kind, TOKEN, auth};

const PATH: &str = "/stripe/v1/customers?limit=5";

fn key() -> String {
    format!("Bearer {TOKEN}")
}

async fn with(fakes: &Fakes, kind: Kind) -> Answer {
    fakes.faults().clear();
    fakes.faults().set(Fault::new("stripe", kind, 1));
    let answer = get(fakes, PATH, &key()).await;
    assert_eq!(fakes.faults().fired(), 1, "{kind:?}");
    answer
}

#[tokio::test]
async fn refusals_have_the_status_the_body_and_the_headers_of_the_vendor() {
    let fakes = start(|_| {}).await;
    let limited = with(&fakes, Kind::RateLimited).await;
    assert_eq!((limited.status, limited.headers["retry-after"].as_str()), (429, "0"));
    assert_eq!(limited.json()["error"]["code"], "rate_limit");
    assert_eq!(limited.headers["stripe-rate-limited-reason"], "global-rate");
    let bare = with(&fakes, Kind::RateLimitedBare).await;
    assert!(bare.status == 429 && !bare.headers.contains_key("retry-after"));
    assert_eq!(with(&fakes, Kind::Status500).await.json()["error"]["type"], "api_error");
    assert_eq!(with(&fakes, Kind::Status503).await.status, 503);
    let gateway = with(&fakes, Kind::Status502).await;
    assert!(gateway.status == 502 && gateway.text().starts_with("<html>"));
    assert_eq!(with(&fakes, Kind::ExpiredToken).await.status, 401);
    assert_eq!(get(&fakes, PATH, &key()).await.status, 200, "the next request is answered");
}

#[tokio::test]
async fn bodies_and_connections_break_as_asked() {
    let fakes = start(|_| {}).await;
    let whole = get(&fakes, PATH, &key()).await;
    assert!(whole.complete && whole.json().is_object());

    let truncated = with(&fakes, Kind::Truncated).await;
    assert!(!truncated.headers.contains_key("content-length"));
    assert!(whole.body.starts_with(&truncated.body) && truncated.body.len() == whole.body.len() / 2 && truncated.json().is_null());

    let wrong = with(&fakes, Kind::WrongLength).await;
    assert!(!wrong.complete && wrong.body == whole.body);
    assert_eq!(wrong.headers["content-length"], (whole.body.len() + 100).to_string());

    let drip = with(&fakes, Kind::Drip).await;
    assert!(drip.complete && drip.body == whole.body);

    fakes.faults().clear();
    fakes.faults().set(Fault::new("stripe", Kind::Reset, 1));
    let reset = call(&fakes, "GET", PATH, &[("authorization", &key())], "").await.unwrap_err();
    assert_eq!(reset.kind(), std::io::ErrorKind::ConnectionReset, "{reset}");
    assert_eq!(get(&fakes, PATH, &key()).await.body, whole.body);
}

#[tokio::test]
async fn half_a_text_has_chunks_without_an_end() {
    let fakes = start(|_| {}).await;
    let body = format!("grant_type=client_credentials&client_id={}&client_secret={}", super::CLIENT_ID, super::CLIENT_SECRET);
    let token = call(&fakes, "POST", "/ninth/oauth/token", &[], &body).await.unwrap().json();
    let token = format!("Bearer {}", token["access_token"].as_str().unwrap());
    let whole = get(&fakes, "/ninth/projects", &token).await;
    fakes.faults().set(Fault::new("ninth", Kind::Truncated, 1));
    let half = get(&fakes, "/ninth/projects", &token).await;
    assert!(!half.complete && half.body == whole.body[..whole.body.len() / 2]);
}

#[tokio::test]
async fn a_repeated_cursor_is_the_page_before_once_more() {
    let fakes = start(|_| {}).await;
    fakes.faults().set(Fault::new("chargebee", Kind::RepeatedCursor, 2));
    let key = auth::basic(TOKEN, "");
    let first = get(&fakes, "/chargebee/api/v2/customers?limit=5", &key).await;
    let offset = first.json()["next_offset"].as_str().unwrap().replace('"', "%22").replace('[', "%5B").replace(']', "%5D");
    let next = format!("/chargebee/api/v2/customers?limit=5&offset={offset}");
    assert_eq!(get(&fakes, &next, &key).await.json(), first.json());
    assert_ne!(get(&fakes, &next, &key).await.json(), first.json());
}

#[tokio::test]
async fn records_change_while_they_are_read_and_the_truth_knows() {
    let fakes = start(|_| {}).await;
    for (vendor, stream, path, key) in [
        ("stripe", "customers", "/stripe/v1/customers", key()),
        ("stripe", "events", "/stripe/v1/events", key()),
        ("chargebee", "invoices", "/chargebee/api/v2/invoices", auth::basic(TOKEN, "")),
    ] {
        let before = fakes.world().truth(vendor, stream);
        fakes.faults().clear();
        fakes.faults().set(Fault { times: 2, ..Fault::new(vendor, Kind::Mutate, 1) });
        for _ in 0..2 {
            assert_eq!(get(&fakes, path, &key).await.status, 200);
        }
        let after = fakes.world().truth(vendor, stream);
        let changed = after.iter().filter(|held| !before.contains(held)).count();
        assert!((2..=6).contains(&changed), "{vendor} {stream}: {changed}");
        assert_eq!(after.len() > before.len(), stream == "events");
    }
    let now = fakes.world().now() / SECOND;
    let invoices = fakes.world().truth("chargebee", "invoices");
    assert!(invoices.iter().any(|held| held.body["updated_at"] == now));
}

#[tokio::test]
async fn the_control_paths_move_the_clock_tell_the_truth_and_count() {
    let fakes = start(|_| {}).await;
    let now = get(&fakes, "/_fake/now", "").await.json();
    assert_eq!(now["now"], "2026-06-29T12:00:00Z");
    let moved = call(&fakes, "PUT", "/_fake/now", &[], r#"{"now": "2026-06-30T12:00:00Z"}"#).await.unwrap();
    assert_eq!((moved.status, fakes.world().now()), (200, now["micros"].as_i64().unwrap() + DAY));
    assert_eq!(call(&fakes, "PUT", "/_fake/now", &[], r#"{"now": "soon"}"#).await.unwrap().status, 400);

    let truth = get(&fakes, "/_fake/truth/stripe/customers", "").await.text();
    let held: Vec<Value> = truth.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(held.len(), fakes.world().truth("stripe", "customers").len());
    assert_eq!(get(&fakes, "/_fake/truth/stripe/gadgets", "").await.status, 400);

    let fault = json!({"vendor": "stripe", "kind": "status_500", "at": 2, "times": 1}).to_string();
    assert_eq!(call(&fakes, "PUT", "/_fake/faults", &[], &fault).await.unwrap().status, 204);
    let unknown = r#"{"vendor": "stripe", "kind": "earthquake"}"#;
    assert_eq!(call(&fakes, "PUT", "/_fake/faults", &[], unknown).await.unwrap().status, 400);
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(get(&fakes, PATH, &key()).await.status);
    }
    assert_eq!(seen, [200, 500, 200]);
    assert_eq!(get(&fakes, "/_fake/faults", "").await.json()[0]["fired"], 1);
    assert_eq!(call(&fakes, "DELETE", "/_fake/faults", &[], "").await.unwrap().status, 204);
    assert_eq!(get(&fakes, "/_fake/requests", "").await.json()["stripe"]["/v1/customers"], 3);
}

#[tokio::test]
async fn every_stream_changes_on_the_last_day() {
    let fakes = start(|c| c.accounts = 200).await;
    let world = fakes.world();
    for vendor in super::VENDORS {
        for stream in world.streams(vendor) {
            let before = world.truth(vendor, stream);
            world.set_now(world.began() + DAY);
            let after = world.truth(vendor, stream);
            world.set_now(world.began());
            // Teams and tags are a handful, and stay as they are.
            if before.len() < 10 {
                continue;
            }
            let changed = after.iter().filter(|held| !before.contains(held)).count();
            assert!(changed >= 2, "{vendor} {stream}: {changed} changes");
            assert!(after.len() >= before.len());
        }
    }
}

#[tokio::test]
async fn too_many_requests_are_refused_where_rates_are_enforced() {
    let fakes = start(|c| c.rate_limited = true).await;
    let mut statuses = Vec::new();
    for _ in 0..200 {
        statuses.push(get(&fakes, PATH, &key()).await.status);
        if statuses.last() == Some(&429) {
            break;
        }
    }
    assert!(statuses[..20].iter().all(|s| *s == 200) && statuses.last() == Some(&429), "{}", statuses.len());
}
