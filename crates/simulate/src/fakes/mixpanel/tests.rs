use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use super::super::testing::{Answer, call, get, start};
use super::super::world::DAY;
use super::super::{Fakes, Fault, Kind};
use super::*;

fn account() -> String {
    auth::basic(SERVICE_ACCOUNT, TOKEN)
}

async fn read(fakes: &Fakes, path: &str) -> Answer {
    get(fakes, &format!("/mixpanel/api/2.0{path}project_id={PROJECT_ID}"), &account()).await
}

async fn whole(fakes: &Fakes) -> Answer {
    let today = export::date(fakes.world().now());
    read(fakes, &format!("/export?from_date=2020-01-01&to_date={today}&")).await
}

fn events(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn id(event: &Value) -> String {
    event["properties"]["$insert_id"].as_str().unwrap().to_string()
}

fn truth(fakes: &Fakes, stream: &str) -> BTreeMap<String, Value> {
    fakes.world().truth("mixpanel", stream).into_iter().map(|held| (held.id, held.body)).collect()
}

#[tokio::test]
async fn an_export_has_every_event_and_some_of_them_twice() {
    let fakes = start(|c| c.events_per_day = 60).await;
    let answer = whole(&fakes).await;
    assert_eq!((answer.status, answer.headers["content-type"].as_str()), (200, "text/plain"));
    let found = events(&answer.text());
    let unique: BTreeMap<String, Value> = found.iter().map(|event| (id(event), event.clone())).collect();
    assert_eq!(unique, truth(&fakes, "events"));
    assert!(found.len() > unique.len(), "{} lines of {} events", found.len(), unique.len());
}

#[tokio::test]
async fn both_days_of_an_export_are_part_of_it() {
    let fakes = start(|c| c.events_per_day = 60).await;
    let days = |text: &str| events(text).iter().map(|e| e["properties"]["time"].as_i64().unwrap() / 86_400).collect::<BTreeSet<_>>();
    let two = read(&fakes, "/export?from_date=2026-06-01&to_date=2026-06-02&").await;
    assert_eq!(days(&two.text()).len(), 2);
    let one = read(&fakes, "/export?from_date=2026-06-02&to_date=2026-06-02&").await;
    assert_eq!(days(&one.text()).last(), days(&two.text()).last());
    let none = read(&fakes, "/export?from_date=2020-06-01&to_date=2020-06-02&").await;
    assert_eq!((none.status, none.body.len()), (200, 0));
    for (range, message) in [
        ("from_date=2026-06-01&to_date=2026-06-30", "to_date cannot be later than today"),
        ("from_date=2026-06-02&to_date=2026-06-01", "to_date cannot be before from_date"),
        ("from_date=2026-06-02", "Missing required parameter: to_date"),
        ("from_date=yesterday&to_date=2026-06-01", "Invalid date format"),
        ("from_date=2026-06-01&to_date=2026-06-01&limit=100001", "limit"),
        ("from_date=2026-06-01&to_date=2026-06-01&where=nonsense", "where"),
    ] {
        let wrong = read(&fakes, &format!("/export?{range}&")).await;
        assert_eq!(wrong.status, 400);
        assert!(wrong.text().contains(message), "{}", wrong.text());
    }
}

#[tokio::test]
async fn an_export_can_be_narrowed_and_limited() {
    let fakes = start(|c| c.events_per_day = 60).await;
    let day = "from_date=2026-06-01&to_date=2026-06-10";
    let all = events(&read(&fakes, &format!("/export?{day}&")).await.text());
    let logins = events(&read(&fakes, &format!("/export?{day}&event=%5B%22login%22%5D&")).await.text());
    assert_eq!(logins.len(), all.iter().filter(|event| event["event"] == "login").count());
    let filter = "properties%5B%22$time%22%5D%3E%3Ddatetime(1780704000)";
    let late = events(&read(&fakes, &format!("/export?{day}&where={filter}&")).await.text());
    assert_eq!(late.len(), all.iter().filter(|event| event["properties"]["time"].as_i64().unwrap() >= 1_780_704_000).count());
    assert!(!logins.is_empty() && !late.is_empty() && late.len() < all.len());
    assert_eq!(events(&read(&fakes, &format!("/export?{day}&limit=3&")).await.text()).len(), 3);
    let millis = events(&read(&fakes, &format!("/export?{day}&time_in_ms=true&")).await.text());
    assert_eq!(millis[0]["properties"]["time"], all[0]["properties"]["time"].as_i64().unwrap() * 1_000);
}

#[tokio::test]
async fn late_events_come_a_day_later_for_days_long_past() {
    let fakes = start(|c| (c.accounts, c.events_per_day) = (100, 300)).await;
    let began = fakes.world().now();
    let before: BTreeSet<String> = events(&whole(&fakes).await.text()).iter().map(id).collect();
    fakes.world().set_now(began + DAY);
    let yesterday = export::date(began - DAY);
    let late = read(&fakes, &format!("/export?from_date=2026-06-01&to_date={yesterday}&")).await.text();
    let new = events(&late).into_iter().filter(|event| !before.contains(&id(event))).count();
    assert!(new > 0, "events that happened before yesterday and came today");
    let today = events(&whole(&fakes).await.text()).iter().map(id).filter(|id| !before.contains(id)).count();
    assert!(today > new, "and those of the day itself");
}

#[tokio::test]
async fn large_exports_are_compressed_if_that_is_asked_for() {
    let fakes = start(|c| c.events_per_day = 60).await;
    let path = format!("/mixpanel/api/2.0/export?from_date=2026-06-01&to_date=2026-06-10&project_id={PROJECT_ID}");
    let headers = [("authorization", account()), ("accept-encoding", "gzip".to_string())];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let packed = call(&fakes, "GET", &path, &headers, "").await.unwrap();
    assert_eq!(packed.headers["content-encoding"], "gzip");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed.body[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, get(&fakes, &path, &account()).await.text());
    let small = call(&fakes, "GET", &format!("{path}&limit=2"), &headers, "").await.unwrap();
    assert!(!small.headers.contains_key("content-encoding"), "1,400 bytes aren't worth it");
}

#[tokio::test]
async fn its_own_faults_cut_an_export_and_break_a_record() {
    let fakes = start(|c| c.events_per_day = 60).await;
    let sound = whole(&fakes).await.text();
    fakes.faults().set(Fault::new("mixpanel", Kind::TerminatedEarly, 1));
    let cut = whole(&fakes).await.text();
    assert_eq!(cut.lines().last(), Some("terminated early"));
    assert!(cut.lines().count() < sound.lines().count());
    fakes.faults().set(Fault::new("mixpanel", Kind::SplitRecord, 1));
    let split = whole(&fakes).await.text();
    assert_eq!(split.lines().count(), sound.lines().count() + 1);
    assert_eq!(split.lines().filter(|line| serde_json::from_str::<Value>(line).is_err()).count(), 2);
    assert_eq!(split.replace('\n', ""), sound.replace('\n', ""));
}

#[tokio::test]
async fn profiles_come_in_pages_of_a_session() {
    let fakes = start(|c| c.accounts = 120).await;
    let mut all = BTreeMap::new();
    let first = read(&fakes, "/engage?page_size=100&").await.json();
    let session = first["session_id"].as_str().unwrap().to_string();
    let mut page = first;
    for number in 1.. {
        for profile in page["results"].as_array().unwrap() {
            assert!(all.insert(profile["$distinct_id"].as_str().unwrap().to_string(), profile.clone()).is_none());
        }
        if page["results"].as_array().unwrap().len() < 100 {
            break;
        }
        page = read(&fakes, &format!("/engage?page_size=100&session_id={session}&page={number}&")).await.json();
    }
    assert!(all.len() > 200);
    assert_eq!(page["total"], all.len());
    assert_eq!(all, truth(&fakes, "engage"));
    assert_eq!(read(&fakes, "/engage?session_id=other&page=1&").await.status, 400);
    let cohorts = read(&fakes, "/cohorts/list?").await.json();
    let cohort = &cohorts[0];
    let members = format!("/engage?filter_by_cohort=%7B%22id%22:{}%7D&", cohort["id"]);
    let plan = cohort["name"].as_str().unwrap().trim_start_matches("Plan ").to_string();
    let members = read(&fakes, &members).await.json();
    assert!(members["total"].as_u64().unwrap() > 0);
    assert!(members["results"].as_array().unwrap().iter().all(|profile| profile["$properties"]["plan"] == plan));
    let form = [("authorization", account()), ("content-type", "application/x-www-form-urlencoded".to_string())];
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let path = format!("/mixpanel/api/2.0/engage?project_id={PROJECT_ID}");
    let posted = call(&fakes, "POST", &path, &form, "where=properties%5B%22seats%22%5D%20%3E%20100").await.unwrap().json();
    assert!(posted["results"].as_array().unwrap().iter().all(|profile| profile["$properties"]["seats"].as_i64().unwrap() > 100));
}

#[tokio::test]
async fn some_profiles_change_within_the_next_day() {
    let fakes = start(|c| c.accounts = 200).await;
    let before = truth(&fakes, "engage");
    fakes.world().set_now(fakes.world().now() + DAY);
    let after = truth(&fakes, "engage");
    assert!(after.len() > before.len(), "new ones");
    let changed = before.iter().filter(|(id, body)| after[*id] != **body).count();
    assert!(changed > 3, "{changed}");
}

#[tokio::test]
async fn wrong_credentials_and_projects_are_refused() {
    let fakes = start(|_| {}).await;
    let path = "/mixpanel/api/2.0/cohorts/list";
    assert_eq!(get(&fakes, &format!("{path}?project_id={PROJECT_ID}"), &auth::basic(SERVICE_ACCOUNT, "wrong")).await.status, 401);
    assert_eq!(get(&fakes, path, &account()).await.status, 400);
    assert_eq!(get(&fakes, &format!("{path}?project_id=1"), &account()).await.status, 403);
    assert_eq!(get(&fakes, path, &auth::basic(TOKEN, "")).await.status, 200, "the project's own secret needs no project");
}
