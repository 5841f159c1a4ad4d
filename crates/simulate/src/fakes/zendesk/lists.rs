//! Lists with cursor paging, and with the older page numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::desk::{Cursor, Desk, Failure};
use super::records::{METRIC, secs};
use crate::fakes::{EMAIL, EmptyPage};

type Parameters = BTreeMap<String, String>;
/// A record with its place in the list.
type Row<'a> = (i64, u64, &'a Value);

/// Most records on a page.
const PAGE: usize = 100;
/// Page numbers end here.
const OFFSET_CAP: usize = 10_000;

/// `GET /satisfaction_ratings`: by creation; `start_time` and `end_time` bound the last change.
pub(super) async fn ratings(
    State(desk): State<Arc<Desk>>,
    Query(parameters): Query<Parameters>,
    empty: Option<Extension<EmptyPage>>,
) -> Result<Response, Failure> {
    let bound = |name: &str, otherwise: i64| match parameters.get(name) {
        Some(text) => text.parse().map_err(|_| Failure::invalid(&format!("{name} must be a Unix time in seconds"))),
        None => Ok(otherwise),
    };
    let (from, to) = (bound("start_time", i64::MIN)?, bound("end_time", i64::MAX)?);
    let descending =
        parameters.get("sort").is_some_and(|s| s.starts_with('-')) || parameters.get("sort_order").is_some_and(|o| o == "desc");
    let sign = if descending { -1 } else { 1 };
    let rows = desk.store("satisfaction_ratings").live(desk.state.world.now());
    let rows = rows.filter(|(_, version)| (from..to).contains(&secs(&version.body["updated_at"])));
    let rows = rows.map(|(record, version)| (sign * record.created, record.id.parse().unwrap_or(0), &*version.body));
    page(&desk, "satisfaction_ratings", &parameters, rows.collect(), empty.is_some())
}

/// `GET /ticket_metrics`: newest tickets first; those of deleted tickets are gone.
pub(super) async fn metrics(
    State(desk): State<Arc<Desk>>,
    Query(parameters): Query<Parameters>,
    empty: Option<Extension<EmptyPage>>,
) -> Result<Response, Failure> {
    let rows = desk.store("ticket_metrics").live(desk.state.world.now());
    let rows = rows.map(|(record, version)| (-record.created, record.id.parse().unwrap_or(0), &*version.body));
    page(&desk, "ticket_metrics", &parameters, rows.collect(), empty.is_some())
}

/// `GET /tickets/{id}/metrics`.
pub(super) async fn metrics_of(State(desk): State<Arc<Desk>>, Path(id): Path<String>) -> Result<Json<Value>, Failure> {
    let number: u64 = id.trim_end_matches(".json").parse().map_err(|_| Failure::not_found())?;
    let found = desk.store("ticket_metrics").get(&(number + METRIC).to_string(), desk.state.world.now());
    let (_, version) = found.filter(|(_, version)| !version.deleted).ok_or_else(Failure::not_found)?;
    Ok(Json(json!({"ticket_metric": *version.body})))
}

/// `GET /users/me.json`.
pub(super) async fn me() -> Json<Value> {
    Json(json!({"user": {"id": 800_000_000, "name": "Extract", "email": EMAIL, "role": "admin", "active": true}}))
}

fn page(desk: &Desk, name: &str, parameters: &Parameters, mut rows: Vec<Row<'_>>, empty: bool) -> Result<Response, Failure> {
    rows.sort_unstable_by_key(|(key, id, _)| (*key, *id));
    // What was asked for besides the page is asked for again with the next one.
    let others = parameters.iter().filter(|(k, _)| !["page[after]", "page[before]", "page"].contains(&k.as_str()));
    let kept: Vec<String> = others.map(|(k, v)| format!("{}={v}", k.replace('[', "%5B").replace(']', "%5D"))).collect();
    let url = |page: String| desk.url(&format!("{name}.json?{}", [kept.clone(), vec![page]].concat().join("&")));
    let number = |name: &str| match parameters.get(name).map(|text| text.parse::<usize>()) {
        Some(Err(_) | Ok(0)) => Err(Failure::invalid(&format!("{name} must be a positive number"))),
        Some(Ok(number)) => Ok(Some(number)),
        None => Ok(None),
    };
    if !parameters.keys().any(|key| key.starts_with("page[")) {
        return numbered(name, number("page")?.unwrap_or(1), number("per_page")?.unwrap_or(PAGE).min(PAGE), &rows, url);
    }
    let size = number("page[size]")?.unwrap_or(PAGE);
    if size > PAGE {
        return Err(Failure::invalid(&format!("page[size] must be between 1 and {PAGE}")));
    }
    let from = match parameters.get("page[after]") {
        Some(text) => Cursor::read(text).ok_or_else(|| Failure::invalid("page[after] is not valid"))?,
        None => Cursor { key: i64::MIN, id: 0, turn: 0 },
    };
    let left = &rows[rows.partition_point(|(key, id, _)| (*key, *id) <= (from.key, from.id))..];
    let page = &left[..if empty { 0 } else { left.len().min(size) }];
    let turn = from.turn + 1;
    let after = page.last().map_or(Cursor { turn, ..from }, |(key, id, _)| Cursor { key: *key, id: *id, turn });
    let before = page.first().map(|(key, id, _)| Cursor { key: *key, id: *id, turn: 0 }.write());
    let has_more = empty || page.len() < left.len();
    let mut answer = json!({
        "meta": {"has_more": has_more, "after_cursor": (!page.is_empty() || empty).then(|| after.write()), "before_cursor": before},
        "links": {"prev": null, "next": has_more.then(|| url(format!("page%5Bafter%5D={}", after.encoded())))},
    });
    answer[name] = page.iter().map(|(_, _, body)| Value::clone(body)).collect();
    Ok(if empty { ([("x-fake-empty", "1")], Json(answer)).into_response() } else { Json(answer).into_response() })
}

/// A page by its number.
fn numbered(name: &str, number: usize, size: usize, rows: &[Row<'_>], url: impl Fn(String) -> String) -> Result<Response, Failure> {
    if number * size > OFFSET_CAP {
        return Err(Failure::invalid(&format!("Limit on offset pagination reached: page {number} is beyond {OFFSET_CAP} records")));
    }
    let from = ((number - 1) * size).min(rows.len());
    let to = (from + size).min(rows.len());
    let mut answer = json!({
        "count": rows.len(),
        "next_page": (to < rows.len()).then(|| url(format!("page={}", number + 1))),
        "previous_page": (number > 1).then(|| url(format!("page={}", number - 1))),
    });
    answer[name] = rows[from..to].iter().map(|(_, _, body)| Value::clone(body)).collect();
    Ok(Json(answer).into_response())
}
