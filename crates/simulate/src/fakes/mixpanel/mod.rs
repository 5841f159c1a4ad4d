//! A fake of Mixpanel's export and query APIs, below `/mixpanel`: basic auth with the service account
//! [`SERVICE_ACCOUNT`](super::SERVICE_ACCOUNT), its secret [`TOKEN`](super::TOKEN) and the parameter `project_id`
//! ([`PROJECT_ID`](super::PROJECT_ID)), or the project's secret, [`TOKEN`](super::TOKEN) too, as user without a password.
//!
//! | path | what |
//! |---|---|
//! | `GET /api/2.0/export` | events of days, JSON Lines, gzip if asked for |
//! | `GET, POST /api/2.0/engage` | profiles, by session and page |
//! | `GET /api/2.0/cohorts/list` | cohorts |
//! | `GET /api/2.0/events/properties/top` | the properties that events have |
//!
//! The project's time zone is UTC. Two faults are its own: `terminated_early` cuts an export in half and says so in its last
//! line, `split_record` breaks a record over two lines.

mod engage;
mod export;
mod expression;
mod records;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde_json::{Map, Value, json};

use super::faults::VendorFault;
use super::world::Store;
use super::{FakeState, PROJECT_ID, SERVICE_ACCOUNT, TOKEN, auth};
use crate::company::Company;
use engage::Sessions;

pub(super) use export::gzip;
pub(super) use records::{country_code, spread, usage};

pub(super) fn stores(company: &Company) -> Vec<(&'static str, Store)> {
    records::all(company)
}

type Params = BTreeMap<String, String>;

/// An answer that is no success.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    fn bad(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        // As plain text, which it sometimes is, where no more than the text is known.
        if self.message.starts_with("to_date") {
            return (self.status, self.message).into_response();
        }
        (self.status, Json(json!({"error": self.message, "status": "error"}))).into_response()
    }
}

/// The company, and what the vendor remembers between requests.
#[derive(Debug, Clone)]
struct App {
    state: FakeState,
    sessions: Arc<Mutex<Sessions>>,
}

type Shared = State<App>;

pub(super) fn router(state: FakeState) -> Router {
    let app = App { state, sessions: Arc::default() };
    Router::new()
        .route("/api/2.0/export", get(events))
        .route("/api/2.0/engage", get(profiles).post(profiles))
        .route("/api/2.0/cohorts/list", get(cohorts).post(cohorts))
        .route("/api/2.0/events/properties/top", get(properties))
        .fallback(|| async { Refusal { status: StatusCode::NOT_FOUND, message: "Not found".to_string() } })
        .layer(from_fn(enter))
        .with_state(app)
}

/// Checks who asks, and for which project.
async fn enter(Query(params): Query<Params>, headers: HeaderMap, request: Request, next: Next) -> Response {
    let refuse = |status, message: &str| Refusal { status, message: message.to_string() }.into_response();
    if auth::is_basic(&headers, TOKEN, "") {
        return next.run(request).await;
    }
    if !auth::is_basic(&headers, SERVICE_ACCOUNT, TOKEN) {
        return refuse(StatusCode::UNAUTHORIZED, "Invalid service account credentials");
    }
    match params.get("project_id").map(String::as_str) {
        Some(PROJECT_ID) => next.run(request).await,
        Some(_) => refuse(StatusCode::FORBIDDEN, "User is not a member of this project"),
        None => refuse(StatusCode::BAD_REQUEST, "Missing required parameter: project_id"),
    }
}

async fn events(State(app): Shared, Query(params): Query<Params>, fault: Option<Extension<VendorFault>>, headers: HeaderMap) -> Response {
    let world = &app.state.world;
    match export::lines(&params, world.store("mixpanel", "events"), world.now()) {
        Ok(lines) => export::answer(export::body(lines, fault.map(|Extension(VendorFault(kind))| kind)), &headers),
        Err(refusal) => refusal.into_response(),
    }
}

async fn profiles(State(app): Shared, Query(mut params): Query<Params>, body: Bytes) -> Result<Json<Value>, Refusal> {
    params.extend(form(&body));
    let world = &app.state.world;
    let mut sessions = app.sessions.lock().unwrap_or_else(PoisonError::into_inner);
    sessions.page(&params, world.store("mixpanel", "engage"), world.now()).map(Json)
}

/// The fields of a form.
fn form(body: &Bytes) -> Params {
    let query = format!("/?{}", String::from_utf8_lossy(body));
    let uri = query.parse::<Uri>().ok();
    uri.and_then(|uri| Query::<Params>::try_from_uri(&uri).ok()).map(|Query(params)| params).unwrap_or_default()
}

async fn cohorts(State(app): Shared) -> Json<Value> {
    let world = &app.state.world;
    Json(world.store("mixpanel", "cohorts").live(world.now()).map(|(_, version)| Value::clone(&version.body)).collect())
}

async fn properties(State(app): Shared) -> Json<Value> {
    let world = &app.state.world;
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for (_, version) in world.store("mixpanel", "events").live(world.now()) {
        for name in version.body["properties"].as_object().into_iter().flat_map(Map::keys) {
            *counts.entry(name.clone()).or_default() += 1;
        }
    }
    Json(counts.into_iter().map(|(name, count)| (name, json!({"count": count}))).collect::<Map<_, _>>().into())
}

#[cfg(test)]
mod tests;
