//! `/_fake/…`: the clock, the truth, the faults and what was requested. No vendor has these paths, and they need no auth.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use chrono::{DateTime, SecondsFormat};
use serde::Deserialize;
use serde_json::json;

use super::{FakeState, Fault, VENDORS};

pub(super) fn router(state: FakeState) -> Router {
    Router::new()
        .route("/now", get(now).put(set_now))
        .route("/truth/{vendor}/{stream}", get(truth))
        .route("/faults", get(faults).put(set_fault).delete(clear_faults))
        .route("/requests", get(requests))
        .with_state(state)
}

fn bad(message: String) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": message}))).into_response()
}

fn iso(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros).unwrap_or_default().to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

async fn now(State(state): State<FakeState>) -> Response {
    let now = state.world.now();
    Json(json!({"now": iso(now), "micros": now, "began": iso(state.world.began())})).into_response()
}

#[derive(Deserialize)]
struct Now {
    now: String,
}

async fn set_now(State(state): State<FakeState>, body: String) -> Response {
    let given: Now = match serde_json::from_str(&body) {
        Ok(given) => given,
        Err(error) => return bad(format!("the body must be {{\"now\": \"2026-06-30T12:00:00Z\"}}: {error}")),
    };
    match DateTime::parse_from_rfc3339(&given.now) {
        Ok(time) => {
            state.world.set_now(time.timestamp_micros());
            now(State(state)).await
        }
        Err(error) => bad(format!("{} is no time: {error}", given.now)),
    }
}

async fn truth(State(state): State<FakeState>, Path((vendor, stream)): Path<(String, String)>) -> Response {
    if !state.world.streams(&vendor).any(|known| known == stream) {
        let known: Vec<_> = state.world.streams(&vendor).collect();
        return bad(format!("{vendor} has no stream {stream}; it has {known:?}"));
    }
    let mut lines = Vec::new();
    for held in state.world.truth(&vendor, &stream) {
        if serde_json::to_writer(&mut lines, &held).is_ok() {
            lines.push(b'\n');
        }
    }
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from(lines)).into_response()
}

async fn faults(State(state): State<FakeState>) -> Response {
    Json(state.faults.watched()).into_response()
}

async fn set_fault(State(state): State<FakeState>, body: String) -> Response {
    match serde_json::from_str::<Fault>(&body) {
        Ok(fault) if VENDORS.contains(&fault.vendor.as_str()) => {
            state.faults.set(fault);
            StatusCode::NO_CONTENT.into_response()
        }
        Ok(fault) => bad(format!("there is no vendor {}; there are {VENDORS:?}", fault.vendor)),
        Err(error) => bad(error.to_string()),
    }
}

async fn clear_faults(State(state): State<FakeState>) -> StatusCode {
    state.faults.clear();
    StatusCode::NO_CONTENT
}

async fn requests(State(state): State<FakeState>) -> Response {
    Json(state.faults.requests()).into_response()
}
