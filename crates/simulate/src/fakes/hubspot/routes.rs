//! The paths of the fake account, and what stands before them: tokens, the daily quota, the longest address.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde_json::json;

use super::failure::{CORRELATION_ID, Failure};
use super::portal::{Behaviour, Portal, TOKEN_SECS};
use super::{associations, list, search};
use crate::fakes::tokens::{Refreshed, form};
use crate::fakes::{CLIENT_ID, CLIENT_SECRET, FakeState, REFRESH_TOKEN, auth};

/// The longest address of a request.
const LONGEST_ADDRESS: usize = 16_000;
/// Requests in ten seconds.
const BURST: u64 = 100;

/// The paths below `/hubspot`.
pub(in crate::fakes) fn router(state: FakeState) -> Router {
    let portal = Arc::new(Portal::new(state));
    let data = Router::new()
        .route("/crm/v3/objects/{kind}", get(list::objects))
        .route("/crm/v3/objects/{kind}/search", post(search::search))
        .route("/crm/v3/objects/{kind}/batch/read", post(list::batch))
        .route("/crm/v3/objects/{kind}/{id}", get(list::one))
        .route("/crm/v3/owners", get(list::owners))
        .route("/crm/v3/owners/", get(list::owners))
        .route("/crm/v3/properties/{kind}", get(list::properties))
        .route("/properties/v2/{kind}/properties", get(list::properties_v2))
        .route("/crm/v4/associations/{from}/{to}/batch/read", post(associations::batch))
        .route("/crm/v4/objects/{from}/{id}/associations/{to}", get(associations::of_one))
        .fallback(|| async { Failure::not_found() })
        .layer(middleware::from_fn_with_state(portal.clone(), admit));
    Router::new().route("/oauth/v1/token", post(token)).route("/_fake/behaviour", put(behave)).merge(data).with_state(portal)
}

/// Lets requests in that carry a token, as long as there are calls left today.
async fn admit(State(portal): State<Arc<Portal>>, request: Request, next: Next) -> Response {
    if request.uri().path_and_query().is_some_and(|p| p.as_str().len() > LONGEST_ADDRESS) {
        let page = "<html><head><title>414 Request-URI Too Large</title></head><body><h1>414 Request-URI Too Large</h1></body></html>";
        return (StatusCode::URI_TOO_LONG, [("content-type", "text/html")], page).into_response();
    }
    if !auth::bearer(request.headers()).is_some_and(|token| portal.admits(token)) {
        return Failure::unauthenticated().into_response();
    }
    let (used, most) = portal.call();
    let is_search = request.uri().path().ends_with("/search");
    let mut response = if used > most { Failure::daily_limit().into_response() } else { next.run(request).await };
    let mut headers = vec![("x-hubspot-ratelimit-daily", most), ("x-hubspot-ratelimit-daily-remaining", most.saturating_sub(used))];
    if !is_search {
        // Nobody is ever refused for the burst here, so it is never nearly spent either.
        headers.extend([
            ("x-hubspot-ratelimit-interval-milliseconds", 10_000),
            ("x-hubspot-ratelimit-max", BURST),
            ("x-hubspot-ratelimit-remaining", BURST - 1 - used % (BURST / 2)),
        ]);
    }
    for (name, value) in headers {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from(value));
    }
    response
}

async fn behave(State(portal): State<Arc<Portal>>, Json(behaviour): Json<Behaviour>) -> StatusCode {
    portal.behave(behaviour);
    StatusCode::NO_CONTENT
}

/// `POST /oauth/v1/token`. The answer always names the refresh token that holds from now on.
async fn token(State(portal): State<Arc<Portal>>, body: Bytes) -> Response {
    let form = form(&body);
    let given = |name: &str| form.get(name).map_or("", String::as_str);
    let refused = |status: &str, message: &str| {
        let body = json!({"status": status, "message": message, "correlationId": CORRELATION_ID});
        (StatusCode::BAD_REQUEST, Json(body)).into_response()
    };
    if given("grant_type") != "refresh_token" {
        return refused("BAD_GRANT_TYPE", "missing or unknown grant type");
    }
    if given("client_id") != CLIENT_ID {
        return refused("BAD_CLIENT_ID", "missing or unknown client id");
    }
    if given("client_secret") != CLIENT_SECRET {
        return refused("BAD_CLIENT_SECRET", "missing or invalid client secret");
    }
    let refresh_token = match portal.tokens.refresh(given("refresh_token"), portal.state.config.rotate_refresh_tokens) {
        Refreshed::Refused => return refused("BAD_REFRESH_TOKEN", "missing or invalid refresh token"),
        Refreshed::Kept => REFRESH_TOKEN.to_string(),
        Refreshed::Rotated(next) => next,
    };
    let access_token = portal.tokens.issue(&portal.state, "CNbH");
    Json(json!({"token_type": "bearer", "refresh_token": refresh_token, "access_token": access_token, "expires_in": TOKEN_SECS}))
        .into_response()
}
