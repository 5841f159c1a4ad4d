//! A ninth vendor, made up for a test that adds it by a manifest alone: OAuth client credentials, pages by number, a stream
//! below another (`projects`, `projects/{id}/members`), and bodies of CSV with all that CSV allows.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::lively::{Shape, enliven};
use super::refusals::refusal;
use super::tokens::{Tokens, form};
use super::world::{Record, SECOND, Store, Version};
use super::{CLIENT_ID, CLIENT_SECRET, FakeState, auth};
use crate::company::Company;
use crate::names;
use crate::rng::{Purpose, Rng};

const VENDOR: &str = "ninth";
/// Seconds for which an access token holds.
const LIFETIME: i64 = 3_600;
/// Records on a page where nothing else is asked for.
const PAGE: usize = 50;
/// Most records on a page.
const LARGEST: usize = 200;

const PROJECT_COLUMNS: [&str; 7] = ["id", "name", "status", "budget", "note", "created_at", "updated_at"];
const MEMBER_COLUMNS: [&str; 8] = ["id", "project_id", "name", "email", "role", "hourly_rate", "joined_at", "updated_at"];

fn iso(micros: i64) -> String {
    chrono::DateTime::from_timestamp_micros(micros).unwrap_or_default().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub(super) fn stores(company: &Company) -> Vec<(&'static str, Store)> {
    let mut projects = Vec::new();
    let mut members = Vec::new();
    for (account, _) in company.customers().filter(|(account, _)| account.since < company.calendar.days) {
        let mut rng = Rng::new(company.seed, Purpose::Detail, account.index as u64, 0x919);
        let project = 40_000 + account.index;
        let created = company.calendar.unix(account.since, 40_000) * SECOND;
        // Commas, quotes and line ends are what CSV readers stumble over.
        let note = *rng.pick(&[("", 0.4), ("first year", 0.3), ("large, \"strategic\"", 0.2), ("see\nminutes", 0.1)]);
        let body = json!({
            "id": project.to_string(), "name": &account.name, "status": "active", "budget": format!("{}.00", account.seats * 12),
            "note": note, "created_at": iso(created), "updated_at": iso(created),
        });
        projects.push(record(&project.to_string(), created, body));
        // Some projects have no members.
        for number in 0..rng.between(0, 7) {
            let (first, last) = names::person(&mut rng);
            let joined = created + rng.between(0, 5) * 3_600 * SECOND;
            let id = format!("{project}-{number}");
            let body = json!({
                "id": &id, "project_id": project.to_string(), "name": format!("{last}, {first}"),
                "email": format!("{first}.{last}{number}@{}", account.domain).to_lowercase(),
                "role": *rng.pick(&[("viewer", 0.5), ("editor", 0.4), ("owner", 0.1)]),
                "hourly_rate": format!("{}.50", rng.between(20, 200)), "joined_at": iso(joined), "updated_at": iso(joined),
            });
            members.push(record(&id, joined, body));
        }
    }
    vec![
        ("projects", enliven(Store::new(projects), company, 0x991, &Lasting)),
        ("members", enliven(Store::new(members), company, 0x992, &Lasting)),
    ]
}

fn record(id: &str, created: i64, body: Value) -> Record {
    Record { id: id.to_string(), created, versions: vec![Version { at: created, deleted: false, body: Arc::new(body) }] }
}

/// Records that nobody deletes.
struct Lasting;

impl Shape for Lasting {
    fn changed(&self, body: &Value, at: i64) -> Value {
        let mut body = body.clone();
        let (field, value) = if body.get("status").is_some() { ("status", "on hold") } else { ("role", "owner") };
        body[field] = json!(value);
        body["updated_at"] = json!(iso(at));
        body
    }

    fn deleted(&self, _body: &Value, _at: i64) -> Option<Value> {
        None
    }

    fn born(&self, body: &Value, number: u64, at: i64) -> (String, Value) {
        let mut body = body.clone();
        let id = match body["project_id"].as_str() {
            Some(project) => format!("{project}-new-{number}"),
            None => (900_000 + number).to_string(),
        };
        body["id"] = json!(id);
        for field in ["created_at", "joined_at", "updated_at"] {
            if body.get(field).is_some() {
                body[field] = json!(iso(at));
            }
        }
        (id, body)
    }
}

#[derive(Clone)]
struct Shared {
    state: FakeState,
    tokens: Arc<Tokens>,
}

pub(super) fn router(state: FakeState) -> Router {
    let shared = Shared { state, tokens: Arc::new(Tokens::new(VENDOR, LIFETIME)) };
    Router::new()
        .route("/projects", get(projects))
        .route("/projects/{id}/members", get(members))
        .layer(middleware::from_fn_with_state(shared.clone(), gate))
        .route("/oauth/token", post(token))
        .with_state(shared)
}

async fn gate(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let known = auth::bearer(request.headers()).is_some_and(|token| shared.tokens.holds(&shared.state, token));
    if known { next.run(request).await } else { refusal(VENDOR, 401, None) }
}

/// Client credentials, in the body or as basic auth.
async fn token(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let fields = form(&body);
    let field = |name: &str| fields.get(name).map(String::as_str);
    let refused = |status, error: &str| (status, Json(json!({"error": error}))).into_response();
    if field("grant_type") != Some("client_credentials") {
        return refused(StatusCode::BAD_REQUEST, "unsupported_grant_type");
    }
    let in_body = field("client_id") == Some(CLIENT_ID) && field("client_secret") == Some(CLIENT_SECRET);
    if !in_body && !auth::is_basic(&headers, CLIENT_ID, CLIENT_SECRET) {
        return refused(StatusCode::UNAUTHORIZED, "invalid_client");
    }
    let token = shared.tokens.issue(&shared.state, "ninth-");
    Json(json!({"access_token": token, "token_type": "Bearer", "expires_in": LIFETIME})).into_response()
}

#[derive(Deserialize)]
struct Asked {
    page: Option<usize>,
    per_page: Option<usize>,
    updated_since: Option<String>,
}

async fn projects(State(shared): State<Shared>, Query(asked): Query<Asked>) -> Response {
    page(&shared, &asked, "projects", &PROJECT_COLUMNS, |_| true)
}

async fn members(State(shared): State<Shared>, Path(project): Path<String>, Query(asked): Query<Asked>) -> Response {
    let world = &shared.state.world;
    if world.store(VENDOR, "projects").get(&project, world.now()).is_none() {
        return (StatusCode::NOT_FOUND, Json(json!({"error": "not_found"}))).into_response();
    }
    page(&shared, &asked, "members", &MEMBER_COLUMNS, |body| body["project_id"] == project.as_str())
}

fn page(shared: &Shared, asked: &Asked, stream: &str, columns: &[&str], is_in: impl Fn(&Value) -> bool) -> Response {
    let (number, size) = (asked.page.unwrap_or(1), asked.per_page.unwrap_or(PAGE));
    if number == 0 || !(1..=LARGEST).contains(&size) {
        return (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_page"}))).into_response();
    }
    let world = &shared.state.world;
    let since = asked.updated_since.as_deref().unwrap_or_default();
    let found: Vec<&Value> = world
        .store(VENDOR, stream)
        .live(world.now())
        .map(|(_, version)| version.body.as_ref())
        .filter(|body| is_in(body) && body["updated_at"].as_str().unwrap_or_default() >= since)
        .collect();
    let mut csv = format!("{}\r\n", columns.join(","));
    for body in found.iter().skip((number - 1) * size).take(size) {
        let cells: Vec<String> = columns.iter().map(|column| cell(body[*column].as_str().unwrap_or_default())).collect();
        csv.push_str(&cells.join(","));
        csv.push_str("\r\n");
    }
    let mut response = ([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], csv).into_response();
    let headers = [("x-page", number), ("x-total-pages", found.len().div_ceil(size)), ("x-total-count", found.len())];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from(value));
    }
    response
}

/// A cell, in quotes where it needs them.
fn cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::testing::{call, get, start};
    use crate::fakes::{Fakes, Fault, Kind};

    async fn issued(fakes: &Fakes) -> String {
        let body = format!("grant_type=client_credentials&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}");
        let answer = call(fakes, "POST", "/ninth/oauth/token", &[], &body).await.unwrap();
        format!("Bearer {}", answer.json()["access_token"].as_str().unwrap())
    }

    #[tokio::test]
    async fn pages_of_csv_hold_every_project_once_and_members_stand_below_them() {
        let fakes = start(|_| {}).await;
        let token = issued(&fakes).await;
        let first = get(&fakes, "/ninth/projects?per_page=25", &token).await;
        let (pages, total) = (&first.headers["x-total-pages"], &first.headers["x-total-count"]);
        let truth = fakes.world().truth("ninth", "projects");
        assert_eq!(total, &truth.len().to_string());
        let mut csv = String::new();
        for page in 1..=pages.parse::<usize>().unwrap() {
            let body = get(&fakes, &format!("/ninth/projects?per_page=25&page={page}"), &token).await.text();
            csv.push_str(body.split_once("\r\n").unwrap().1);
        }
        assert!(truth.iter().all(|held| csv.matches(&format!("{},", held.id)).count() == 1));
        assert!(csv.contains("\"large, \"\"strategic\"\"\"") && csv.contains("\"see\nminutes\""));
        let past = get(&fakes, "/ninth/projects?per_page=25&page=99", &token).await.text();
        assert_eq!(past, "id,name,status,budget,note,created_at,updated_at\r\n");

        let mut members = 0;
        for held in truth {
            let answer = get(&fakes, &format!("/ninth/projects/{}/members", held.id), &token).await;
            members += answer.headers["x-total-count"].parse::<usize>().unwrap();
        }
        assert_eq!(members, fakes.world().truth("ninth", "members").len());
        assert_eq!(get(&fakes, "/ninth/projects/1/members", &token).await.status, 404);
    }

    #[tokio::test]
    async fn an_expired_token_is_replaced_by_a_new_one() {
        let fakes = start(|_| {}).await;
        let wrong =
            call(&fakes, "POST", "/ninth/oauth/token", &[], "grant_type=client_credentials&client_id=x&client_secret=y").await.unwrap();
        assert_eq!((wrong.status, get(&fakes, "/ninth/projects", "Bearer x").await.status), (401, 401));
        let token = issued(&fakes).await;
        fakes.faults().set(Fault::new("ninth", Kind::ExpiredToken, 2));
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.push(get(&fakes, "/ninth/projects", &token).await.status);
        }
        assert_eq!(seen, [200, 401, 401]);
        assert_eq!(get(&fakes, "/ninth/projects", &issued(&fakes).await).await.status, 200);
    }
}
