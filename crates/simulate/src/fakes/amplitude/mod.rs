//! A fake of Amplitude's export API, below `/amplitude`: basic auth with [`API_KEY`](super::API_KEY) and
//! [`TOKEN`](super::TOKEN).
//!
//! | path | what |
//! |---|---|
//! | `GET /api/2/export?start=&end=` | a zip archive of gzipped JSON Lines; 404 where there is nothing, 400 where it is too much |
//! | `GET /api/3/cohorts`, `/api/2/annotations`, `/api/2/events/list` | small lists |
//!
//! Two faults are its own: `too_large` answers 400 as for too many events, `timed_out` answers 504.

mod export;
mod records;

use std::collections::BTreeMap;

use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde_json::{Value, json};

use super::faults::{Kind, VendorFault};
use super::world::Store;
use super::{API_KEY, FakeState, TOKEN, auth};
use crate::company::Company;

pub(super) fn stores(company: &Company) -> Vec<(&'static str, Store)> {
    records::all(company)
}

type Params = BTreeMap<String, String>;

pub(super) fn router(state: FakeState) -> Router {
    Router::new()
        .route("/api/2/export", get(events))
        .route("/api/3/cohorts", get(cohorts))
        .route("/api/2/annotations", get(annotations))
        .route("/api/2/events/list", get(kinds))
        .fallback(|| async { (StatusCode::NOT_FOUND, "Not found") })
        .layer(from_fn(enter))
        .with_state(state)
}

/// Checks who asks. A wrong key is 403 here: there is no 401.
async fn enter(headers: HeaderMap, request: Request, next: Next) -> Response {
    if auth::is_basic(&headers, API_KEY, TOKEN) {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, "Invalid API key or secret").into_response()
    }
}

async fn events(State(state): State<FakeState>, Query(params): Query<Params>, fault: Option<Extension<VendorFault>>) -> Response {
    match fault {
        Some(Extension(VendorFault(Kind::TooLarge))) => {
            let message = "Data size exceeds the limit. Please request a smaller time range.";
            return (StatusCode::BAD_REQUEST, message).into_response();
        }
        Some(Extension(VendorFault(Kind::TimedOut))) => {
            let page = "<html><head><title>504 Gateway Time-out</title></head><body><h1>504 Gateway Time-out</h1></body></html>";
            return (StatusCode::GATEWAY_TIMEOUT, [(header::CONTENT_TYPE, "text/html")], page).into_response();
        }
        _ => {}
    }
    match export::archive(&params, state.world.store("amplitude", "events"), state.world.now()) {
        Ok(archive) => {
            let mut response = archive.into_response();
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/zip"));
            response
        }
        Err((status, message)) => (status, message).into_response(),
    }
}

async fn cohorts() -> Json<Value> {
    Json(json!({"cohorts": [
        {"appId": records::APP, "archived": false, "definition": {}, "description": "", "finished": true, "id": "0hpqgmy", "name": "Phone users",
         "owners": ["extract@vendor.example"], "published": true, "size": 42, "type": "PREDICTION", "lastComputed": 1_700_000_000,
         "lastMod": 1_700_000_000},
    ]}))
}

async fn annotations() -> Json<Value> {
    Json(json!({"data": [{"date": "2026-05-04", "details": "", "id": 160_419, "label": "New pricing"}]}))
}

/// Each kind of event and how often it came.
async fn kinds(State(state): State<FakeState>) -> Json<Value> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, version) in state.world.store("amplitude", "events").live(state.world.now()) {
        *counts.entry(version.body["event_type"].as_str().unwrap_or_default()).or_default() += 1;
    }
    let kind = |(i, (name, total)): (usize, (&str, u64))| json!({"id": 5_000 + i, "name": name, "value": name, "totals": total, "hidden": false, "deleted": false, "non_active": false});
    Json(json!({"data": counts.into_iter().enumerate().map(kind).collect::<Vec<_>>()}))
}

#[cfg(test)]
mod tests;
