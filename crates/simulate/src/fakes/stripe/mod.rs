//! A fake of Stripe: customers, subscriptions, invoices and their lines, and events of the last 30 days.
//!
//! Lists are newest first and go on after the last id (`starting_after`). Nothing in an object says when it changed:
//! that is told by events only, and deleted customers show there and by their id.

mod events;
mod list;
mod records;

use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::billing::began;
use super::refusals::refusal;
use super::world::{DAY, Store};
use super::{FakeState, TOKEN, auth};
use crate::company::Company;

pub(super) use events::tell;
pub(super) use records::{billing, seconds};

/// Days for which events are kept.
pub(super) const EVENT_DAYS: i64 = 30;
const VENDOR: &str = "stripe";

pub(super) fn stores(company: &Company) -> Vec<(&'static str, Store)> {
    let billing = billing(company);
    let events = events::tell(&billing.changes(events::oldest(began(company))), 0);
    billing.stores(events)
}

pub(super) fn router(state: FakeState) -> Router {
    Router::new()
        .route("/v1/account", get(account))
        .route("/v1/{stream}", get(list))
        .route("/v1/{stream}/{id}", get(object))
        .route("/v1/invoices/{id}/lines", get(lines))
        .fallback(unknown)
        .layer(middleware::from_fn(gate))
        .with_state(state)
}

/// Lets in who knows the key, and signs every answer as Stripe does.
async fn gate(request: Request, next: Next) -> Response {
    let headers = request.headers().clone();
    let known = auth::bearer(&headers) == Some(TOKEN) || auth::is_basic(&headers, TOKEN, "");
    let mut response = if known {
        next.run(request).await
    } else if headers.contains_key(header::AUTHORIZATION) {
        refusal(VENDOR, 401, None)
    } else {
        let message = "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth \
                       (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').";
        (StatusCode::UNAUTHORIZED, Json(json!({"error": {"message": message, "type": "invalid_request_error"}}))).into_response()
    };
    sign(response.headers_mut(), &headers);
    response
}

fn sign(answer: &mut HeaderMap, asked: &HeaderMap) {
    answer.insert("request-id", HeaderValue::from_static("req_fake0000000001"));
    let version = asked.get("stripe-version").cloned().unwrap_or_else(|| HeaderValue::from_static("2022-11-15"));
    answer.insert("stripe-version", version);
}

/// An answer that is no success.
struct Refused {
    status: StatusCode,
    code: &'static str,
    message: String,
    param: String,
}

impl Refused {
    fn param(code: &'static str, param: &str, message: String) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, message, param: param.to_string() }
    }

    fn missing(stream: &str, id: &str, param: &str, status: StatusCode) -> Self {
        let object = stream.trim_end_matches('s');
        Self { status, code: "resource_missing", message: format!("No such {object}: '{id}'"), param: param.to_string() }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut error = json!({"message": self.message, "param": self.param, "type": "invalid_request_error"});
        if !self.code.is_empty() {
            error["code"] = json!(self.code);
            error["doc_url"] = json!(format!("https://stripe.com/docs/error-codes/{}", self.code.replace('_', "-")));
        }
        (self.status, Json(json!({"error": error}))).into_response()
    }
}

async fn unknown(request: Request) -> Response {
    let message = format!(
        "Unrecognized request URL ({}: {}). Please see https://stripe.com/docs or we can help at https://support.stripe.com/.",
        request.method(),
        request.uri().path()
    );
    (StatusCode::NOT_FOUND, Json(json!({"error": {"message": message, "type": "invalid_request_error"}}))).into_response()
}

/// Whose key this is.
async fn account() -> Response {
    Json(json!({"id": "acct_1FakeVendor00001", "object": "account", "business_profile": {"name": "Vendor"}, "charges_enabled": true,
                "country": "US", "default_currency": "usd", "email": "billing@vendor.example"}))
    .into_response()
}

fn stream(name: &str) -> Option<&'static str> {
    ["customers", "subscriptions", "invoices", "events"].into_iter().find(|known| *known == name)
}

/// Events of the last 30 days only; other objects are there for ever.
fn oldest(stream: &str, now: i64) -> i64 {
    if stream == "events" { now - EVENT_DAYS * DAY } else { i64::MIN }
}

async fn list(
    State(state): State<FakeState>,
    Path(name): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    request: Request,
) -> Response {
    let Some(stream) = stream(&name) else { return unknown(request).await };
    match list::Asked::parse(stream, query) {
        Ok(asked) => {
            let now = state.world.now();
            match asked.page(state.world.store(VENDOR, stream), stream, now, oldest(stream, now)) {
                Ok(page) => Json(page).into_response(),
                Err(refused) => refused.into_response(),
            }
        }
        Err(refused) => refused.into_response(),
    }
}

async fn object(State(state): State<FakeState>, Path((name, id)): Path<(String, String)>, request: Request) -> Response {
    let Some(stream) = stream(&name) else { return unknown(request).await };
    let now = state.world.now();
    match state.world.store(VENDOR, stream).get(&id, now).filter(|(record, _)| record.created >= oldest(stream, now)) {
        Some((_, version)) if !version.deleted => Json(version.body.as_ref()).into_response(),
        // A deleted customer leaves a stub; a deleted draft leaves nothing.
        Some(_) if stream == "customers" => Json(json!({"id": id, "object": "customer", "deleted": true})).into_response(),
        _ => Refused::missing(stream, &id, "id", StatusCode::NOT_FOUND).into_response(),
    }
}

async fn lines(State(state): State<FakeState>, Path(id): Path<String>, Query(query): Query<Vec<(String, String)>>) -> Response {
    let now = state.world.now();
    let invoice = state.world.store(VENDOR, "invoices").get(&id, now).filter(|(_, version)| !version.deleted);
    let Some((_, invoice)) = invoice else { return Refused::missing("invoices", &id, "id", StatusCode::NOT_FOUND).into_response() };
    match list::lines_page(&id, records::lines(&invoice.body), &query) {
        Ok(page) => Json(page).into_response(),
        Err(refused) => refused.into_response(),
    }
}

#[cfg(test)]
mod tests;
