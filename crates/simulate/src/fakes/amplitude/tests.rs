use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Cursor};

use super::super::testing::{Answer, get, start};
use super::super::world::{DAY, SECOND};
use super::super::{Fakes, Fault};
use super::*;
use records::HOUR;

async fn read(fakes: &Fakes, start: &str, end: &str) -> Answer {
    get(fakes, &format!("/amplitude/api/2/export?start={start}&end={end}"), &auth::basic(API_KEY, TOKEN)).await
}

/// The files of an archive: name and events.
fn files(answer: &Answer) -> Vec<(String, Vec<Value>)> {
    assert_eq!((answer.status, answer.headers["content-type"].as_str()), (200, "application/zip"));
    let mut archive = zip::ZipArchive::new(Cursor::new(&answer.body)).unwrap();
    (0..archive.len())
        .map(|i| {
            let file = archive.by_index(i).unwrap();
            let name = file.name().unwrap().to_string();
            let lines = BufReader::new(flate2::read::GzDecoder::new(file)).lines();
            (name, lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect())
        })
        .collect()
}

fn hour(micros: i64) -> String {
    chrono::DateTime::from_timestamp_micros(micros).unwrap().format("%Y%m%dT%H").to_string()
}

/// All events until now, asked for in pieces of ten days.
async fn whole(fakes: &Fakes) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    let now = fakes.world().now();
    let mut from = now - 100 * DAY;
    while from <= now {
        let answer = read(fakes, &hour(from), &hour(from + 10 * DAY - HOUR)).await;
        if answer.status != 404 {
            for event in files(&answer).into_iter().flat_map(|(_, events)| events) {
                assert!(all.insert(event["uuid"].as_str().unwrap().to_string(), event).is_none(), "no event comes twice");
            }
        }
        from += 10 * DAY;
    }
    all
}

fn truth(fakes: &Fakes) -> BTreeMap<String, Value> {
    fakes.world().truth("amplitude", "events").into_iter().map(|held| (held.id, held.body)).collect()
}

#[tokio::test]
async fn archives_have_every_event_once_and_a_day_later_those_that_came_since() {
    let fakes = start(|c| c.events_per_day = 100).await;
    let first = whole(&fakes).await;
    assert!(first.len() > 500);
    assert_eq!(first, truth(&fakes));
    fakes.world().set_now(fakes.world().now() + DAY);
    let second = whole(&fakes).await;
    assert_eq!(second, truth(&fakes));
    assert!(second.len() > first.len() + 5);
}

#[tokio::test]
async fn files_hold_the_events_of_their_hour_and_an_hour_has_several() {
    let fakes = start(|c| c.events_per_day = 1_000).await;
    let found = files(&read(&fakes, "20260610T08", "20260610T11").await);
    let mut hours: BTreeMap<String, usize> = BTreeMap::new();
    for (name, events) in &found {
        let (stem, number) = name.strip_suffix(".json.gz").unwrap().split_once('#').unwrap();
        assert!(stem.starts_with("187520/187520_2026-06-10_"), "{stem}");
        let hour = stem.rsplit('_').next().unwrap();
        let begins = format!("2026-06-10 {hour:0>2}:");
        assert!(events.iter().all(|event| event["server_upload_time"].as_str().unwrap().starts_with(&begins)), "{begins}");
        let files = hours.entry(hour.to_string()).or_default();
        assert_eq!(number, files.to_string());
        *files += 1;
    }
    assert_eq!(hours.keys().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(["10", "11", "8", "9"]), "both ends included");
    assert!(hours.values().any(|files| *files > 1));
}

#[tokio::test]
async fn an_hour_can_be_exported_two_hours_after_its_end() {
    let fakes = start(|c| c.events_per_day = 1_000).await;
    let now = fakes.world().now();
    let newest = truth(&fakes).values().map(|event| event["server_upload_time"].as_str().unwrap().to_string()).max().unwrap();
    let end = chrono::DateTime::from_timestamp_micros(now - 2 * HOUR).unwrap().format("%Y-%m-%d %H:%M:%S").to_string();
    assert!(newest < end && newest > end.replace("10:00:00", "09:00:00"), "{newest} before {end}");
    assert_eq!(read(&fakes, &hour(now - 2 * HOUR), &hour(now)).await.status, 404);
    fakes.world().set_now(now + 3_600 * SECOND);
    assert_eq!(read(&fakes, &hour(now - 2 * HOUR), &hour(now)).await.status, 200);
}

#[tokio::test]
async fn nothing_is_404_and_too_much_is_400() {
    let fakes = start(|c| c.events_per_day = 2_000).await;
    assert_eq!(read(&fakes, "20190101T00", "20190101T23").await.status, 404);
    for (from, to) in
        [("20260501T00", "20260628T23"), ("20260502T00", "20260501T00"), ("2026-05-02", "2026-05-03"), ("20240101T00", "20260101T00")]
    {
        assert_eq!(read(&fakes, from, to).await.status, 400, "{from} to {to}");
    }
    let day = read(&fakes, "20260601T00", "20260601T23").await;
    let bytes: usize = files(&day).iter().flat_map(|(_, events)| events).map(|event| event.to_string().len() + 1).sum();
    assert!(bytes < export::LARGEST, "a day is small enough");
    fakes.faults().set(Fault::new("amplitude", Kind::TooLarge, 1));
    assert_eq!(read(&fakes, "20260601T00", "20260601T23").await.status, 400);
    fakes.faults().set(Fault::new("amplitude", Kind::TimedOut, 1));
    assert_eq!(read(&fakes, "20260601T00", "20260601T23").await.status, 504);
}

#[tokio::test]
async fn wrong_keys_are_refused() {
    let fakes = start(|_| {}).await;
    let path = "/amplitude/api/2/export?start=20260601T00&end=20260601T01";
    assert_eq!(get(&fakes, path, &auth::basic(API_KEY, "wrong")).await.status, 403);
    let listed = get(&fakes, "/amplitude/api/2/events/list", &auth::basic(API_KEY, TOKEN)).await.json();
    let total: u64 = listed["data"].as_array().unwrap().iter().map(|kind| kind["totals"].as_u64().unwrap()).sum();
    assert_eq!(total as usize, truth(&fakes).len());
}
