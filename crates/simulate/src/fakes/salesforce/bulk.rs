//! Query jobs of the Bulk API 2.0: created, polled, fetched as CSV, deleted.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::failure::Failure;
use super::objects::Kind;
use super::org::{Job, JobEnd, Org, selected, shown};
use super::records::stamp;
use super::soql::{self, Select};
use super::token::decoded;
use crate::fakes::auth;

/// Records of a page of results where none are asked for.
const RESULTS: usize = 5_000;

/// `POST /jobs/query`.
pub(super) async fn create(State(org): State<Arc<Org>>, Path(version): Path<String>, body: Bytes) -> Result<axum::Json<Value>, Failure> {
    let request: Value = serde_json::from_slice(&body).map_err(|error| Failure::bad("JSON_PARSER_ERROR", error.to_string()))?;
    let deleted_too = match request["operation"].as_str() {
        Some("query") => false,
        Some("queryAll") => true,
        _ => return Err(Failure::bad("INVALIDJOB", "Unable to find object: operation must be query or queryAll")),
    };
    if delimiter(&request).is_none() || request["contentType"].as_str().is_some_and(|kind| kind != "CSV") {
        return Err(Failure::bad("INVALIDJOB", "InvalidJob : unsupported content type or column delimiter"));
    }
    let soql = soql::parse(request["query"].as_str().unwrap_or_default())?;
    if !soql.object.bulk {
        return Err(Failure::bad("INVALIDENTITY", format!("Entity '{}' is not supported by the Bulk API.", soql.object.name)));
    }
    let fields = selected(&soql);
    if fields.iter().any(|field| soql.object.field(field).is_some_and(|(_, kind)| kind == Kind::Address)) {
        return Err(Failure::bad("API_ERROR", "Selecting compound data not supported in Bulk Query"));
    }
    if soql.select == Select::Count {
        return Err(Failure::bad("API_ERROR", "Aggregate Relationships not supported in Bulk Query"));
    }
    let rows = Arc::new(org.find(&soql, deleted_too));
    let mut kept = org.kept();
    let end = (kept.behaviour.jobs_ending_badly > 0).then_some(kept.behaviour.jobs_end);
    kept.behaviour.jobs_ending_badly = kept.behaviour.jobs_ending_badly.saturating_sub(1);
    let job = Job { request, object: soql.object, fields, rows, created: org.state.world.now(), polls: 0, end };
    let id = kept.next_id("750");
    let answer = described(&job, &id, &version);
    kept.jobs.insert(id, job);
    Ok(axum::Json(answer))
}

/// `GET /jobs/query`.
pub(super) async fn list(State(org): State<Arc<Org>>, Path(version): Path<String>) -> axum::Json<Value> {
    let jobs: Vec<Value> = org.kept().jobs.iter().map(|(id, job)| described(job, id, &version)).collect();
    axum::Json(json!({"done": true, "records": jobs, "nextRecordsUrl": null}))
}

/// `GET /jobs/query/{id}`. A job is in progress when first asked, and has ended when asked again.
pub(super) async fn poll(State(org): State<Arc<Org>>, Path((version, id)): Path<(String, String)>) -> Result<axum::Json<Value>, Failure> {
    let mut kept = org.kept();
    let job = kept.jobs.get_mut(&id).ok_or_else(Failure::not_found)?;
    job.polls += 1;
    Ok(axum::Json(described(job, &id, &version)))
}

/// `PATCH /jobs/query/{id}` with `{"state": "Aborted"}`.
pub(super) async fn abort(
    State(org): State<Arc<Org>>,
    Path((version, id)): Path<(String, String)>,
    body: Bytes,
) -> Result<axum::Json<Value>, Failure> {
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut kept = org.kept();
    let job = kept.jobs.get_mut(&id).ok_or_else(Failure::not_found)?;
    if request["state"] != "Aborted" || has_ended(job) {
        return Err(Failure::bad("INVALIDJOBSTATE", "Aborting already Completed Job not allowed"));
    }
    job.end = Some(JobEnd::Aborted);
    job.polls = 2;
    Ok(axum::Json(described(job, &id, &version)))
}

/// `DELETE /jobs/query/{id}`.
pub(super) async fn delete(State(org): State<Arc<Org>>, Path((_, id)): Path<(String, String)>) -> Result<StatusCode, Failure> {
    let mut kept = org.kept();
    let job = kept.jobs.get(&id).ok_or_else(Failure::not_found)?;
    if !has_ended(job) {
        let message = "Deleting a job that is not in state JobComplete, Aborted or Failed is not allowed";
        return Err(Failure::bad("INVALIDJOBSTATE", message));
    }
    kept.jobs.remove(&id);
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /jobs/query/{id}/results?maxRecords=…&locator=…`.
pub(super) async fn results(
    State(org): State<Arc<Org>>,
    Path((_, id)): Path<(String, String)>,
    Query(parameters): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let job = org.kept().jobs.get(&id).ok_or_else(Failure::not_found)?.clone();
    if !has_ended(&job) || job.end.is_some() {
        return Err(Failure::bad("INVALIDJOBSTATE", "Results are only available for jobs in state JobComplete"));
    }
    let most = parameters.get("maxRecords").and_then(|n| n.parse().ok()).filter(|n| *n > 0).unwrap_or(RESULTS);
    let from = match parameters.get("locator") {
        None => 0,
        Some(locator) => decoded(locator)
            .and_then(|offset| usize::try_from(offset.as_u64()?).ok())
            .filter(|offset| *offset <= job.rows.len())
            .ok_or_else(|| Failure::bad("INVALID_LOCATOR", "Invalid locator"))?,
    };
    let to = (from + most).min(job.rows.len());
    let next = if to < job.rows.len() { locator_of(to) } else { "null".to_string() };
    let headers = [("content-type", "text/csv".to_string()), ("Sforce-Locator", next), ("Sforce-NumberOfRecords", (to - from).to_string())];
    Ok((headers, csv(&job, from, to)).into_response())
}

fn locator_of(offset: usize) -> String {
    auth::base64(offset.to_string().as_bytes()).trim_end_matches('=').to_string()
}

fn has_ended(job: &Job) -> bool {
    job.polls > 1
}

fn described(job: &Job, id: &str, version: &str) -> Value {
    let state = match (has_ended(job), job.end) {
        (false, _) => ["UploadComplete", "InProgress"][job.polls.min(1) as usize],
        (true, None) => "JobComplete",
        (true, Some(JobEnd::Failed)) => "Failed",
        (true, Some(JobEnd::Aborted)) => "Aborted",
    };
    let asked = |name: &str, usual: &str| job.request[name].as_str().unwrap_or(usual).to_string();
    let mut described = json!({
        "id": id,
        "operation": job.request["operation"],
        "object": job.object.name,
        "createdById": "005gL0000000001QAA",
        "createdDate": stamp(job.created),
        "systemModstamp": stamp(job.created),
        "state": state,
        "concurrencyMode": "Parallel",
        "contentType": "CSV",
        "apiVersion": version.trim_start_matches('v').parse::<f64>().unwrap_or(61.0),
        "lineEnding": asked("lineEnding", "LF"),
        "columnDelimiter": asked("columnDelimiter", "COMMA"),
    });
    if job.polls > 0 {
        described["jobType"] = json!("V2Query");
        described["numberRecordsProcessed"] = json!(if state == "JobComplete" { job.rows.len() } else { 0 });
        described["retries"] = json!(0);
        described["totalProcessingTime"] = json!(334);
    }
    if state == "Failed" {
        described["errorMessage"] = json!("InternalServerError : the job failed on the server");
    }
    described
}

fn delimiter(request: &Value) -> Option<char> {
    Some(match request["columnDelimiter"].as_str().unwrap_or("COMMA") {
        "COMMA" => ',',
        "BACKQUOTE" => '`',
        "CARET" => '^',
        "PIPE" => '|',
        "SEMICOLON" => ';',
        "TAB" => '\t',
        _ => return None,
    })
}

/// A header and records; everything is quoted, and null is nothing between the quotes.
fn csv(job: &Job, from: usize, to: usize) -> String {
    let end = if job.request["lineEnding"] == "CRLF" { "\r\n" } else { "\n" };
    let delimiter = delimiter(&job.request).unwrap_or(',').to_string();
    let mut out = String::new();
    let mut line = |cells: Vec<String>| {
        let quoted: Vec<String> = cells.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
        out.push_str(&quoted.join(&delimiter));
        out.push_str(end);
    };
    line(job.fields.iter().map(|field| (*field).to_string()).collect());
    for record in &job.rows[from..to] {
        let cell = |field: &&str| match shown(job.object, record, field) {
            Value::Null => String::new(),
            Value::String(text) => text,
            other => other.to_string(),
        };
        line(job.fields.iter().map(cell).collect());
    }
    out
}
