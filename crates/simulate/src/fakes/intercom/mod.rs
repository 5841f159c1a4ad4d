//! A fake of Intercom's REST API, below `/intercom`: bearer [`TOKEN`](super::TOKEN).
//!
//! | path | what |
//! |---|---|
//! | `GET /companies/scroll` | all companies, 100 a page; one scroll at a time |
//! | `POST /contacts/search`, `/conversations/search`, `/tickets/search` | filters, order, cursor |
//! | `GET /contacts`, `/conversations` | the same without filters |
//! | `GET /companies/{id}`, `/contacts/{id}`, `/conversations/{id}` (with its parts), `/tickets/{id}` | one record |
//! | `GET /admins`, `/teams`, `/tags`, `/segments`, `/data_attributes`, `/me` | small lists |
//!
//! Not there: writing, `companies/list`, and the admins' activity logs.

mod records;
mod scroll;
mod search;
mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use cscopilot_diag::clock;
use serde_json::{Value, json};

use super::faults::{EmptyPage, Kind, VendorFault};
use super::world::Store;
use super::{FakeState, TOKEN, auth};
use crate::company::Company;
use scroll::Scroll;
use search::{CONTACTS, CONVERSATIONS, Searched, TICKETS};

pub(super) use records::product_key;

/// Requests that the vendor allows in ten seconds.
const RATE: i64 = 167;
/// What is said where there is no company: another code than for a scroll that is gone.
const NO_COMPANY: &str = "company_not_found";
/// The version that is spoken if a request names none.
const VERSION: &str = "2.11";

/// Is there such a version of the API?
fn is_version(version: &str) -> bool {
    let minor = |major: &str| version.strip_prefix(major).and_then(|minor| minor.parse::<u32>().ok());
    version == "Unstable" || minor("1.").is_some_and(|minor| minor <= 4) || minor("2.").is_some_and(|minor| minor <= 15)
}

pub(super) fn stores(company: &Company) -> Vec<(&'static str, Store)> {
    records::all(company)
}

/// An answer that is no success.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Refusal {
    fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, message: message.into() }
    }

    fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, code, message: message.into() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({
            "type": "error.list",
            "request_id": "b68f2vnq8ljvtbn0vfv0",
            "errors": [{"code": self.code, "message": self.message}],
        });
        (self.status, Json(body)).into_response()
    }
}

type Answer = Result<Json<Value>, Refusal>;

/// The company, and what the vendor remembers between requests.
#[derive(Debug, Clone)]
struct App {
    state: FakeState,
    scroll: Arc<Mutex<Scroll>>,
    /// The window of ten seconds that is counted, and the requests in it.
    window: Arc<Mutex<(i64, i64)>>,
}

type Shared = State<App>;

impl App {
    fn store(&self, stream: &str) -> &Store {
        self.state.world.store("intercom", stream)
    }

    fn now(&self) -> i64 {
        self.state.world.now()
    }

    fn scroll(&self) -> MutexGuard<'_, Scroll> {
        self.scroll.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bodies(&self, stream: &str) -> Vec<&Value> {
        self.store(stream).live(self.now()).map(|(_, version)| &*version.body).collect()
    }

    fn one(&self, stream: &str, id: &str, what: &str) -> Result<Value, Refusal> {
        let found = self.store(stream).get(id, self.now()).filter(|(_, version)| !version.deleted);
        let code = if stream == "companies" { NO_COMPANY } else { "not_found" };
        found.map(|(_, version)| Value::clone(&version.body)).ok_or_else(|| Refusal::not_found(code, format!("{what} Not Found")))
    }
}

pub(super) fn router(state: FakeState) -> Router {
    let app = App { state, scroll: Arc::default(), window: Arc::default() };
    let one = |stream: &'static str, what: &'static str| {
        get(move |State(app): Shared, Path(id): Path<String>| async move { app.one(stream, &id, what).map(Json) })
    };
    let listed = |searched: &'static Searched| {
        get(move |State(app): Shared, Query(query): Listing, empty: Empty| async move { list(searched, &app, &query, empty) })
    };
    let found = |searched: &'static Searched| {
        post(move |State(app): Shared, empty: Empty, body: Bytes| async move { found(searched, &app, empty, &body) })
    };
    let all = |kind: &'static str, field: &'static str, stream: &'static str| {
        get(move |State(app): Shared| async move { Json(json!({"type": kind, field: app.bodies(stream)})) })
    };
    Router::new()
        .route("/companies/scroll", get(scroll_companies))
        .route("/companies/{id}", one("companies", "Company"))
        .route("/contacts", listed(&CONTACTS))
        .route("/contacts/search", found(&CONTACTS))
        .route("/contacts/{id}", one("contacts", "User"))
        .route("/conversations", listed(&CONVERSATIONS))
        .route("/conversations/search", found(&CONVERSATIONS))
        .route("/conversations/{id}", get(conversation))
        .route("/tickets/search", found(&TICKETS))
        .route("/tickets/{id}", one("tickets", "Ticket"))
        .route("/admins", all("admin.list", "admins", "admins"))
        .route("/teams", all("team.list", "teams", "teams"))
        .route("/tags", all("list", "data", "tags"))
        .route("/segments", all("segment.list", "segments", "segments"))
        .route("/data_attributes", get(data_attributes))
        .route("/me", get(me))
        .fallback(|| async { Refusal::not_found("not_found", "The requested resource was not found") })
        .layer(from_fn_with_state(app.clone(), enter))
        .with_state(app)
}

type Empty = Option<Extension<EmptyPage>>;
type Listing = Query<BTreeMap<String, String>>;

/// Checks who asks and which version they speak, and says in every answer how many requests are left.
async fn enter(State(app): Shared, fault: Option<Extension<VendorFault>>, headers: HeaderMap, request: Request, next: Next) -> Response {
    let version = headers.get("intercom-version").and_then(|value| value.to_str().ok()).unwrap_or(VERSION);
    let mut response = if auth::bearer(&headers) != Some(TOKEN) {
        Refusal { status: StatusCode::UNAUTHORIZED, code: "unauthorized", message: "Access Token Invalid".to_string() }.into_response()
    } else if !is_version(version) {
        Refusal::bad("intercom_version_invalid", "The requested version could not be found").into_response()
    } else {
        if !request.uri().path().ends_with("/companies/scroll") {
            app.scroll().passes();
        }
        match fault {
            Some(Extension(VendorFault(Kind::RestartScroll))) => {
                app.scroll().breaks();
                let message = "Request failed due to an internal network error. Please restart the scroll operation.".to_string();
                Refusal { status: StatusCode::INTERNAL_SERVER_ERROR, code: "server_error", message }.into_response()
            }
            Some(Extension(VendorFault(Kind::EmptyBody))) => StatusCode::OK.into_response(),
            _ => next.run(request).await,
        }
    };
    let (left, reset) = app.spend();
    for (name, value) in [("x-ratelimit-limit", RATE), ("x-ratelimit-remaining", left), ("x-ratelimit-reset", reset)] {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from(value));
    }
    if let Ok(version) = HeaderValue::from_str(version) {
        response.headers_mut().insert(HeaderName::from_static("intercom-version"), version);
    }
    response
}

impl App {
    /// What is left, and when that window of ten seconds of the real clock ends, since clients compare its end with theirs. Only
    /// where rates are enforced is anything spent, and it never falls to zero: who exceeds a rate is refused by the guard.
    fn spend(&self) -> (i64, i64) {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let number = clock::now().timestamp() / 10;
        *window = if window.0 == number && self.state.config.rate_limited { (number, window.1 + 1) } else { (number, 1) };
        ((RATE - window.1).max(1), (number + 1) * 10)
    }
}

async fn scroll_companies(State(app): Shared, Query(query): Listing) -> Answer {
    let param = query.get("scroll_param").map(String::as_str).filter(|param| !param.is_empty());
    app.scroll().page(app.store("companies"), app.now(), param).map(Json)
}

/// Marks a page that is empty on purpose, for the guard.
fn page(answer: Value, is_empty: bool) -> Response {
    let mut response = Json(answer).into_response();
    if is_empty {
        response.headers_mut().insert(HeaderName::from_static("x-fake-empty"), HeaderValue::from_static("1"));
    }
    response
}

fn found(searched: &Searched, app: &App, empty: Empty, body: &Bytes) -> Result<Response, Refusal> {
    let request: Value = serde_json::from_slice(body).map_err(|error| Refusal::bad("bad_request", format!("bad JSON: {error}")))?;
    if request["query"].is_null() {
        return Err(Refusal::bad("parameter_not_found", "query not specified"));
    }
    let answer = search::page(searched, app.store(searched.stream), app.now(), &request, empty.is_some())?;
    Ok(page(answer, empty.is_some()))
}

fn list(searched: &Searched, app: &App, query: &BTreeMap<String, String>, empty: Empty) -> Result<Response, Refusal> {
    let size = query.get("per_page").map(|size| size.parse::<u64>().unwrap_or(0));
    let request = json!({"pagination": {"per_page": size, "starting_after": query.get("starting_after")}});
    let answer = search::page(searched, app.store(searched.stream), app.now(), &request, empty.is_some())?;
    Ok(page(answer, empty.is_some()))
}

async fn conversation(State(app): Shared, Path(id): Path<String>) -> Answer {
    Ok(Json(support::with_parts(&app.one("conversations", &id, "Conversation")?)))
}

async fn data_attributes(State(app): Shared, Query(query): Listing) -> Answer {
    let model = query.get("model").map(String::as_str);
    if !matches!(model, None | Some("contact" | "company" | "conversation")) {
        return Err(Refusal::bad("parameter_invalid", "model is invalid"));
    }
    let mut data = app.bodies("data_attributes");
    data.retain(|attribute| model.is_none_or(|model| attribute["model"] == model));
    Ok(Json(json!({"type": "list", "data": data})))
}

async fn me(State(app): Shared) -> Json<Value> {
    let mut me = app.bodies("admins").first().map_or(Value::Null, |admin| Value::clone(admin));
    me["app"] = json!({"type": "app", "id_code": records::APP, "name": "Vendor", "region": "US", "timezone": "Etc/UTC"});
    Json(me)
}

#[cfg(test)]
mod tests;
