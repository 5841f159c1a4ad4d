//! A stream that nobody sells, to measure with: `/bench/events?limit=&cursor=`, as many records as were asked for.
//!
//! Whoever measures a reader must not measure the server. So pages are put together from records that were written once:
//! only four fields, of fixed width, are written anew for each record, and all follow from its number alone. And while a page is on its
//! way, the one behind it is made ready.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

use chrono::DateTime;
use serde::Deserialize;
use serde_json::json;

use super::refusals::refusal;
use super::{FakeState, TOKEN, auth};

/// Most records on a page, and records that are written beforehand.
const LARGEST: usize = 10_000;
/// Records on a page where nothing else is asked for.
const PAGE: usize = 1_000;
/// The time of the first record; each other is a second later.
const FIRST_AT: i64 = 1_767_225_600;
/// Accounts that the records belong to.
const ACCOUNTS: u64 = 50_000;

/// How each record begins: what is written anew is zeros here, and always at the same places.
const HEAD: &str = r#"{"id":"ev_0000000000","account_id":"acc_0000000","at":"0000-00-00T00:00:00Z","amount":"0000.00","#;
const ID: usize = 10;
const ACCOUNT: usize = 40;
const AT: usize = 55;
const AMOUNT: usize = 87;

/// Records as they are written, apart from what their number says.
#[derive(Debug)]
struct Block {
    bytes: Vec<u8>,
    /// Where each record begins, and the end of the last one.
    starts: Vec<usize>,
}

impl Block {
    fn new() -> Self {
        let events = ["login", "report_viewed", "report_exported", "dashboard_shared", "user_invited", "automation_run", "api_call"];
        let countries = ["US", "GB", "DE", "FR", "CA", "NL", "AU", "JP"];
        let notes = [
            "null",
            r#""asked for an invoice copy""#,
            "null",
            r#""said \"maybe next quarter\" twice""#,
            r#""Größe geändert, siehe Anhang""#,
            r#""""#,
            r#""line one\nline two""#,
        ];
        let mut bytes = Vec::with_capacity(LARGEST * 190);
        let mut starts = Vec::with_capacity(LARGEST + 1);
        for i in 0..LARGEST {
            starts.push(bytes.len());
            let (event, country, note) = (events[i * 31 % events.len()], countries[i * 13 % countries.len()], notes[i * 17 % notes.len()]);
            let seats = 1 + i * 37 % 2_500;
            bytes.extend_from_slice(HEAD.as_bytes());
            bytes.extend_from_slice(format!(r#""event":"{event}","seats":{seats},"country":"{country}","note":{note}}},"#).as_bytes());
        }
        starts.push(bytes.len());
        Self { bytes, starts }
    }

    /// Records from `from` to `to`, separated by commas.
    fn render(&self, from: u64, to: u64, out: &mut Vec<u8>) {
        let mut clock = Clock::new(FIRST_AT + from as i64);
        let mut next = from;
        while next < to {
            let place = (next % LARGEST as u64) as usize;
            let count = (LARGEST - place).min((to - next) as usize);
            let base = self.starts[place];
            let copied = out.len();
            out.extend_from_slice(&self.bytes[base..self.starts[place + count]]);
            for i in 0..count {
                let number = next + i as u64;
                let begin = copied + self.starts[place + i] - base;
                let record = &mut out[begin..begin + HEAD.len()];
                digits(&mut record[ID..ID + 10], number);
                digits(&mut record[ACCOUNT..ACCOUNT + 7], number.wrapping_mul(7_919) % ACCOUNTS);
                record[AT..AT + 19].copy_from_slice(clock.text());
                let cents = 100_000 + number.wrapping_mul(104_729) % 900_000;
                digits(&mut record[AMOUNT..AMOUNT + 4], cents / 100);
                digits(&mut record[AMOUNT + 5..AMOUNT + 7], cents % 100);
                clock.tick();
            }
            next += count as u64;
        }
        if from < to {
            out.pop();
        }
    }
}

fn digits(out: &mut [u8], mut number: u64) {
    for digit in out.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// A time that goes on second by second, written without a calendar as long as the day is the same.
struct Clock {
    second: i64,
    text: [u8; 19],
}

impl Clock {
    fn new(second: i64) -> Self {
        let mut clock = Self { second, text: [b'0'; 19] };
        clock.write_all();
        clock
    }

    fn write_all(&mut self) {
        let text = DateTime::from_timestamp(self.second, 0).unwrap_or_default().format("%Y-%m-%dT%H:%M:%S").to_string();
        if text.len() == self.text.len() {
            self.text.copy_from_slice(text.as_bytes());
        }
    }

    fn text(&self) -> &[u8; 19] {
        &self.text
    }

    fn tick(&mut self) {
        self.second += 1;
        let of_day = self.second % 86_400;
        if of_day == 0 {
            self.write_all();
            return;
        }
        digits(&mut self.text[17..19], (of_day % 60) as u64);
        if of_day % 60 == 0 {
            digits(&mut self.text[14..16], (of_day / 60 % 60) as u64);
            digits(&mut self.text[11..13], (of_day / 3_600) as u64);
        }
    }
}

#[derive(Clone)]
struct Shared {
    block: Arc<Block>,
    records: u64,
    /// The page that a reader will ask for next, if it goes on like that.
    ready: Arc<Mutex<Option<(Place, Bytes)>>>,
}

/// Where a page begins, and how many records it has at most.
type Place = (u64, usize);

impl Shared {
    /// The page, which may be ready already.
    fn page(&self, place: Place) -> Bytes {
        let ready = self.ready().take();
        ready.filter(|(there, _)| *there == place).map_or_else(|| self.render(place), |(_, page)| page)
    }

    fn ready(&self) -> MutexGuard<'_, Option<(Place, Bytes)>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn prepare(&self, place: Place) {
        let page = self.render(place);
        *self.ready() = Some((place, page));
    }

    fn render(&self, (from, limit): Place) -> Bytes {
        let total = self.records;
        let to = (from + limit as u64).min(total);
        let cursor = if to < total { format!("\"{to}\"") } else { "null".to_string() };
        let mut body = Vec::with_capacity(limit * 200 + 100);
        body.extend_from_slice(format!(r#"{{"total":{total},"next_cursor":{cursor},"records":["#).as_bytes());
        self.block.render(from, to, &mut body);
        body.extend_from_slice(b"]}");
        body.into()
    }
}

pub(super) fn router(state: FakeState) -> Router {
    let shared = Shared { block: Arc::new(Block::new()), records: state.config.bench_records, ready: Arc::default() };
    Router::new().route("/events", get(events)).with_state(shared)
}

#[derive(Deserialize)]
struct Asked {
    limit: Option<usize>,
    cursor: Option<u64>,
}

async fn events(State(shared): State<Shared>, asked: Result<Query<Asked>, QueryRejection>, headers: HeaderMap) -> Response {
    if auth::bearer(&headers) != Some(TOKEN) {
        return refusal("bench", 401, None);
    }
    let bad = |message: &str| (StatusCode::BAD_REQUEST, Json(json!({"error": message}))).into_response();
    let Ok(Query(asked)) = asked else { return bad("limit and cursor must be numbers") };
    let limit = asked.limit.unwrap_or(PAGE);
    if !(1..=LARGEST).contains(&limit) {
        return bad("limit must be between 1 and 10000");
    }
    let from = asked.cursor.unwrap_or(0).min(shared.records);
    let page = shared.page((from, limit));
    tokio::task::spawn_blocking(move || shared.prepare((from + limit as u64, limit)));
    ([(header::CONTENT_TYPE, "application/json")], page).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn rendered(block: &Block, from: u64, to: u64) -> Vec<Value> {
        let mut out = vec![b'['];
        block.render(from, to, &mut out);
        out.push(b']');
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn a_page_that_was_made_ready_is_the_one_that_was_asked_for() {
        let shared = Shared { block: Arc::new(Block::new()), records: 2_500, ready: Arc::default() };
        let fresh = |place| shared.render(place);
        shared.prepare((1_000, 1_000));
        assert_eq!(shared.page((0, 1_000)), fresh((0, 1_000)), "another page than the one that is ready");
        shared.prepare((2_000, 1_000));
        assert_eq!(shared.page((2_000, 1_000)), fresh((2_000, 1_000)));
        shared.prepare((3_000, 1_000)); // behind the end
        let last: Value = serde_json::from_slice(&shared.page((2_500, 1_000))).unwrap();
        assert_eq!((&last["total"], &last["next_cursor"], &last["records"]), (&json!(2_500), &Value::Null, &json!([])));
    }

    #[test]
    fn a_record_follows_from_its_number_alone() {
        let block = Block::new();
        let all = rendered(&block, 0, 21_000);
        assert_eq!(all.len(), 21_000);
        for (from, to) in [(0, 3), (9_998, 10_003), (20_999, 21_000), (5, 5)] {
            assert_eq!(rendered(&block, from, to), all[from as usize..to as usize]);
        }
        assert_eq!((&all[12_345]["id"], &all[12_345]["at"]), (&json!("ev_0000012345"), &json!("2026-01-01T03:25:45Z")));
        assert_eq!(all[1]["account_id"], "acc_0007919");
        assert_eq!(all[1]["amount"], "2047.29");
        assert!(all[1]["seats"].is_u64() && all[0]["note"].is_null() && all[4]["note"].is_string());
        assert_eq!(rendered(&block, 86_399, 86_401)[1]["at"], "2026-01-02T00:00:00Z");
    }
}
