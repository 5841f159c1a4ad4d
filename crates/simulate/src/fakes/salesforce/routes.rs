//! The paths of the fake org, and what stands before them: the session, the daily quota, the longest address.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use serde_json::{Value, json};

use super::failure::Failure;
use super::objects::{Kind, OBJECTS, Object};
use super::org::{Behaviour, Org};
use super::{bulk, query, token};
use crate::fakes::{FakeState, auth};

/// The longest address of a request.
const LONGEST_ADDRESS: usize = 16_384;

/// The paths below `/salesforce`.
pub(in crate::fakes) fn router(state: FakeState) -> Router {
    let org = Arc::new(Org::new(state));
    let data = Router::new()
        .route("/services/data/{version}/query", get(query::query::<false>))
        .route("/services/data/{version}/queryAll", get(query::query::<true>))
        .route("/services/data/{version}/query/{locator}", get(query::query_more))
        .route("/services/data/{version}/jobs/query", post(bulk::create).get(bulk::list))
        .route("/services/data/{version}/jobs/query/{id}", get(bulk::poll).patch(bulk::abort).delete(bulk::delete))
        .route("/services/data/{version}/jobs/query/{id}/results", get(bulk::results))
        .route("/services/data/{version}/limits", get(limits))
        // Some clients end these with a slash.
        .route("/services/data/{version}/query/", get(query::query::<false>))
        .route("/services/data/{version}/queryAll/", get(query::query::<true>))
        .route("/services/data/{version}/limits/", get(limits))
        .route("/services/data/{version}/sobjects", get(objects))
        .route("/services/data/{version}/sobjects/{object}/describe", get(describe))
        .fallback(|| async { Failure::not_found() })
        .layer(middleware::from_fn_with_state(org.clone(), admit));
    Router::new().route("/services/oauth2/token", post(token::token)).route("/_fake/behaviour", put(behave)).merge(data).with_state(org)
}

/// Lets requests in that carry a session, as long as the org has calls left.
async fn admit(State(org): State<Arc<Org>>, request: Request, next: Next) -> Response {
    if request.uri().path_and_query().is_some_and(|p| p.as_str().len() > LONGEST_ADDRESS) {
        let page = "<html><head><title>URI Too Long</title></head><body><h1>414 URI Too Long</h1></body></html>";
        return (StatusCode::URI_TOO_LONG, [("content-type", "text/html")], page).into_response();
    }
    if !auth::bearer(request.headers()).is_some_and(|token| org.admits(token)) {
        return Failure(StatusCode::UNAUTHORIZED, "INVALID_SESSION_ID", "Session expired or invalid".to_string()).into_response();
    }
    let (used, most) = org.call();
    let mut response = if used > most {
        Failure(StatusCode::FORBIDDEN, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.".to_string()).into_response()
    } else {
        next.run(request).await
    };
    if let Ok(value) = HeaderValue::from_str(&format!("api-usage={used}/{most}")) {
        response.headers_mut().insert("Sforce-Limit-Info", value);
    }
    response
}

async fn behave(State(org): State<Arc<Org>>, axum::Json(behaviour): axum::Json<Behaviour>) -> StatusCode {
    org.kept().behaviour = behaviour;
    StatusCode::NO_CONTENT
}

async fn limits(State(org): State<Arc<Org>>) -> axum::Json<Value> {
    let (used, most) = org.calls();
    axum::Json(json!({
        "DailyApiRequests": {"Max": most, "Remaining": most.saturating_sub(used)},
        "DailyBulkApiBatches": {"Max": 15_000, "Remaining": 15_000},
        "DailyBulkV2QueryJobs": {"Max": 10_000, "Remaining": 10_000 - org.kept().jobs.len()},
    }))
}

async fn objects() -> axum::Json<Value> {
    let object = |o: &Object| json!({"name": o.name, "label": o.name, "keyPrefix": o.prefix, "queryable": true, "createable": o.bulk});
    axum::Json(json!({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": OBJECTS.iter().map(object).collect::<Vec<_>>()}))
}

async fn describe(Path((_, name)): Path<(String, String)>) -> Result<axum::Json<Value>, Failure> {
    let object = Object::find(&name).ok_or_else(Failure::not_found)?;
    let field = |(name, kind): (&str, Kind)| {
        json!({"name": name, "label": name, "type": kind.name(), "nillable": !["Id", "SystemModstamp"].contains(&name),
               "custom": name.ends_with("__c"), "externalId": name == "Customer_Number__c", "updateable": kind != Kind::Address && name != "Id"})
    };
    let fields: Vec<Value> = object.fields().map(field).collect();
    Ok(axum::Json(json!({"name": object.name, "keyPrefix": object.prefix, "queryable": true, "fields": fields})))
}
