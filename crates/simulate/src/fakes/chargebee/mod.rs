//! A fake of Chargebee: customers, subscriptions, invoices and events.
//!
//! Each element of a list is wrapped in its type's name, and a list goes on with `next_offset`, which holds only for the
//! filters it was given for. Deleted records show where they are asked for (`include_deleted=true`).

mod events;
mod list;
mod records;

use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde_json::{Value, json};

use super::billing::began;
use super::refusals::refusal;
use super::world::Store;
use super::{EmptyPage, FakeState, TOKEN, auth};
use crate::company::Company;

pub(super) use events::tell;

const VENDOR: &str = "chargebee";

pub(super) fn stores(company: &Company) -> Vec<(&'static str, Store)> {
    let billing = records::records(company);
    let events = events::tell(&billing.changes(events::oldest(began(company))), 0);
    billing.stores(events)
}

pub(super) fn router(state: FakeState) -> Router {
    Router::new()
        .route("/api/v2/{stream}", get(page))
        .route("/api/v2/{stream}/{id}", get(object))
        .fallback(unknown)
        .layer(middleware::from_fn(gate))
        .with_state(state)
}

/// Lets in who knows the key, which is a user name without a password.
async fn gate(request: Request, next: Next) -> Response {
    if auth::is_basic(request.headers(), TOKEN, "") { next.run(request).await } else { refusal(VENDOR, 401, None) }
}

/// An answer that is no success.
struct Refused {
    status: StatusCode,
    code: &'static str,
    message: String,
    param: Option<String>,
}

impl Refused {
    fn wrong_value(param: &str, message: String) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: "param_wrong_value", message, param: Some(param.to_string()) }
    }

    fn not_found(message: String) -> Self {
        Self { status: StatusCode::NOT_FOUND, code: "resource_not_found", message, param: None }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut body = json!({"message": self.message, "type": "invalid_request", "api_error_code": self.code, "error_code": self.code,
                              "error_msg": self.message, "http_status_code": self.status.as_u16()});
        if let Some(param) = self.param {
            body["param"] = json!(param);
        }
        (self.status, Json(body)).into_response()
    }
}

async fn unknown() -> Response {
    Refused::not_found("Sorry, we couldn't find that resource".to_string()).into_response()
}

/// An element of a list or an answer: the record under its type's name, a subscription with its customer.
fn wrapped(state: &FakeState, stream: &list::Stream, body: &Value) -> Value {
    let mut element = json!({});
    element[stream.singular] = body.clone();
    if stream.name == "subscriptions" {
        let id = body["customer_id"].as_str().unwrap_or_default();
        if let Some((_, customer)) = state.world.store(VENDOR, "customers").get(id, state.world.now()) {
            element["customer"] = Value::clone(&customer.body);
        }
    }
    element
}

async fn page(
    State(state): State<FakeState>,
    Path(name): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    empty: Option<Extension<EmptyPage>>,
) -> Response {
    let Some(stream) = list::stream(&name) else { return unknown().await };
    let asked = match list::Asked::parse(stream, &query) {
        Ok(asked) => asked,
        Err(refused) => return refused.into_response(),
    };
    if empty.is_some() {
        let mut response = Json(asked.empty_page()).into_response();
        response.headers_mut().insert("x-fake-empty", HeaderValue::from_static("1"));
        return response;
    }
    let page = asked.page(state.world.store(VENDOR, stream.name), state.world.now(), |body| wrapped(&state, asked.stream(), body));
    Json(page).into_response()
}

async fn object(State(state): State<FakeState>, Path((name, id)): Path<(String, String)>) -> Response {
    let Some(stream) = list::stream(&name) else { return unknown().await };
    match state.world.store(VENDOR, stream.name).get(&id, state.world.now()) {
        Some((_, version)) if !version.deleted => Json(wrapped(&state, stream, &version.body)).into_response(),
        _ => Refused::not_found(format!("{id} not found")).into_response(),
    }
}

#[cfg(test)]
mod tests;
