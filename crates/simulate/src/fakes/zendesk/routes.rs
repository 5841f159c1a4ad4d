//! The paths of the fake account, and what stands before them: credentials, the plan, rate headers.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};

use super::desk::{Behaviour, Desk, Failure};
use super::{exports, lists};
use crate::fakes::FakeState;

/// Requests a minute that an Enterprise plan allows.
const A_MINUTE: u64 = 700;

/// The paths below `/zendesk`.
pub(in crate::fakes) fn router(state: FakeState) -> Router {
    let desk = Desk::new(state);
    let mut data = Router::new();
    // Paths are the same with and without their ending.
    for ending in ["", ".json"] {
        let path = |path: &str| format!("/api/v2/{path}{ending}");
        data = data
            .route(&path("incremental/tickets/cursor"), get(exports::tickets))
            .route(&path("incremental/users/cursor"), get(exports::users))
            .route(&path("incremental/organizations"), get(exports::organizations))
            .route(&path("satisfaction_ratings"), get(lists::ratings))
            .route(&path("ticket_metrics"), get(lists::metrics))
            .route(&path("tickets/{id}/metrics"), get(lists::metrics_of))
            .route(&path("users/me"), get(lists::me));
    }
    let data = data.fallback(|| async { Failure::not_found() }).layer(middleware::from_fn_with_state(desk.clone(), admit));
    Router::new().route("/_fake/behaviour", put(behave)).merge(data).with_state(desk)
}

/// Lets requests in that carry credentials, to where the plan allows.
async fn admit(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if !Desk::admits(request.headers()) {
        return Failure::unauthenticated().into_response();
    }
    let forbidden = desk.behaviour().forbidden.iter().any(|part| path.contains(part.as_str()));
    let calls = desk.call();
    let mut response = if forbidden { Failure::forbidden().into_response() } else { next.run(request).await };
    // Nobody is ever refused for the plan's rate here, so it is never nearly spent either.
    let left = A_MINUTE - 1 - calls % (A_MINUTE / 2);
    let headers = [
        ("x-rate-limit", A_MINUTE),
        ("x-rate-limit-remaining", left),
        ("ratelimit-limit", A_MINUTE),
        ("ratelimit-remaining", left),
        ("ratelimit-reset", 41),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from(value));
    }
    response
}

async fn behave(State(desk): State<Arc<Desk>>, Json(behaviour): Json<Behaviour>) -> StatusCode {
    *desk.behaviour() = behaviour;
    StatusCode::NO_CONTENT
}
