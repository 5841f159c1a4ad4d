//! Incremental exports: everything that changed since, in the order of the changes, deleted records included.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::desk::{Cursor, Desk, Failure};
use crate::fakes::EmptyPage;
use crate::fakes::world::SECOND;

type Parameters = BTreeMap<String, String>;

/// Most records on a page, and how many it has usually.
const PAGE: usize = 1_000;
/// Exports show nothing that is younger.
const QUIET: i64 = 60 * SECOND;
/// Each so many-th page is empty though there is more to come, which Zendesk does now and then.
const EMPTY_EVERY: u64 = 4;

/// `GET /incremental/tickets/cursor.json`.
pub(super) async fn tickets(
    State(desk): State<Arc<Desk>>,
    Query(parameters): Query<Parameters>,
    empty: Option<Extension<EmptyPage>>,
) -> Result<Response, Failure> {
    by_cursor(&desk, "tickets", &parameters, empty.is_some())
}

/// `GET /incremental/users/cursor.json`.
pub(super) async fn users(
    State(desk): State<Arc<Desk>>,
    Query(parameters): Query<Parameters>,
    empty: Option<Extension<EmptyPage>>,
) -> Result<Response, Failure> {
    by_cursor(&desk, "users", &parameters, empty.is_some())
}

/// Records as (second of the last change, id, body), in that order.
fn changes<'a>(desk: &'a Desk, stream: &str) -> Vec<(i64, u64, &'a Value)> {
    let now = desk.state.world.now();
    let seen = desk.store(stream).all(now).filter(|(_, version)| version.at <= now - QUIET);
    let mut rows: Vec<(i64, u64, &Value)> =
        seen.map(|(record, version)| (version.at / SECOND, record.id.parse().unwrap_or(0), &*version.body)).collect();
    rows.sort_unstable_by_key(|(at, id, _)| (*at, *id));
    rows
}

fn start_time(desk: &Desk, parameters: &Parameters) -> Result<i64, Failure> {
    let start = parameters.get("start_time").and_then(|text| text.parse::<i64>().ok());
    let start = start.ok_or_else(|| Failure::invalid("start_time must be a Unix time in seconds"))?;
    if start > desk.state.world.now() / SECOND - 60 {
        let message = "Too recent start_time. Use a start_time older than 60 seconds";
        return Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "StartTimeTooRecent", message));
    }
    Ok(start)
}

fn per_page(parameters: &Parameters) -> usize {
    parameters.get("per_page").and_then(|n| n.parse().ok()).unwrap_or(PAGE).clamp(1, PAGE)
}

fn by_cursor(desk: &Desk, stream: &str, parameters: &Parameters, empty: bool) -> Result<Response, Failure> {
    let from = match parameters.get("cursor") {
        Some(text) => Cursor::read(text).ok_or_else(|| Failure::invalid("The cursor is invalid"))?,
        None => Cursor { key: start_time(desk, parameters)?, id: 0, turn: 0 },
    };
    let rows = changes(desk, stream);
    let left = &rows[rows.partition_point(|(at, id, _)| (*at, *id) <= (from.key, from.id))..];
    let in_turn = from.turn % EMPTY_EVERY == 1 && !left.is_empty();
    let page = if empty || in_turn { &left[..0] } else { &left[..left.len().min(per_page(parameters))] };
    let turn = from.turn + 1;
    let after = page.last().map_or(Cursor { turn, ..from }, |(at, id, _)| Cursor { key: *at, id: *id, turn });
    let per_page = parameters.get("per_page").map_or_else(String::new, |n| format!("&per_page={n}"));
    let url = desk.url(&format!("incremental/{stream}/cursor.json?cursor={}{per_page}", after.encoded()));
    let mut answer = json!({
        "after_cursor": after.write(),
        "after_url": url,
        "before_cursor": null,
        "before_url": null,
        "end_of_stream": page.len() == left.len() && !empty,
    });
    answer[stream] = page.iter().map(|(_, _, body)| Value::clone(body)).collect();
    Ok(if empty { ([("x-fake-empty", "1")], Json(answer)).into_response() } else { Json(answer).into_response() })
}

/// `GET /incremental/organizations.json`: by time. A page ends with a whole second, and the next one begins with it again.
pub(super) async fn organizations(State(desk): State<Arc<Desk>>, Query(parameters): Query<Parameters>) -> Result<Json<Value>, Failure> {
    let start = start_time(&desk, &parameters)?;
    let rows = changes(&desk, "organizations");
    let left = &rows[rows.partition_point(|(at, _, _)| *at < start)..];
    let mut size = left.len().min(per_page(&parameters));
    // A page that ended in the second it began with would lead to itself.
    while size < left.len() && (left[size].0 == left[size - 1].0 || left[size - 1].0 == start) {
        size += 1;
    }
    let page = &left[..size];
    let end_time = page.last().map_or(start, |(at, _, _)| *at);
    let more = parameters.get("per_page").map_or_else(String::new, |n| format!("&per_page={n}"));
    Ok(Json(json!({
        "organizations": page.iter().map(|(_, _, body)| Value::clone(body)).collect::<Vec<_>>(),
        "count": page.len(),
        "end_time": end_time,
        "end_of_stream": size == left.len(),
        "next_page": desk.url(&format!("incremental/organizations.json?start_time={end_time}{more}")),
    })))
}
