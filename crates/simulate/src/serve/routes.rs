//! The paths of the fake and what they answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State as Extension};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use cscopilot_diag::Secret;
use serde_json::{Value, json};

use super::fields::{Kind, Refusal, Schema};
use super::soql;
use super::state::{Record, State};

/// What all handlers share.
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    pub(super) token: Secret,
    pub(super) refuse: BTreeMap<String, String>,
    pub(super) schema: Schema,
    pub(super) unavailable_every: Option<u32>,
}

/// Most records of one call of the collections API.
const MOST_RECORDS: usize = 200;
/// Records on a page of a query.
const PAGE: usize = 2_000;

type App = Extension<Arc<Shared>>;
type Answer = Result<Value, Failure>;

/// An answer that is no success: status, code, message.
pub(super) struct Failure(StatusCode, &'static str, String);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, axum::Json(json!([{"errorCode": self.1, "message": self.2}]))).into_response()
    }
}

fn bad(code: &'static str, message: impl Into<String>) -> Failure {
    Failure(StatusCode::BAD_REQUEST, code, message.into())
}

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/services/oauth2/token", post(token))
        .route("/services/data/{version}/composite/sobjects", patch(update))
        .route("/services/data/{version}/composite/sobjects/{object}", get(read).post(read_many))
        .route("/services/data/{version}/composite/sobjects/{object}/{field}", patch(upsert))
        .route("/services/data/{version}/sobjects/{object}/describe", get(describe))
        .route("/services/data/{version}/query", get(query))
        .route("/services/data/{version}/queryAll", get(query))
        .route("/services/data/{version}/query/{locator}", get(query_more))
        .route("/services/data/{version}/limits", get(limits))
        .fallback(|| async { Failure(StatusCode::NOT_FOUND, "NOT_FOUND", "The requested resource does not exist".to_string()) })
        .with_state(shared)
}

/// The request as a whole, for the log.
struct Call<'a> {
    method: Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
    body: Value,
}

/// Checks the token, notes the request, and answers it while nobody else can change the records.
fn answer(shared: &Shared, call: &Call<'_>, then: impl FnOnce(&mut State) -> Answer) -> Response {
    let given = call.headers.get(header::AUTHORIZATION).and_then(|h| h.to_str().ok()).and_then(|h| h.strip_prefix("Bearer "));
    if given != Some(shared.token.expose()) {
        let message = "Session expired or invalid".to_string();
        return Failure(StatusCode::UNAUTHORIZED, "INVALID_SESSION_ID", message).into_response();
    }
    let mut state: MutexGuard<'_, State> = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
    let path = call.uri.path_and_query().map_or("", |p| p.as_str());
    let result = match state.log(call.method.as_str(), path, &call.body) {
        Ok(n) if shared.unavailable_every.is_some_and(|every| every > 0 && n % u64::from(every) == 0) => {
            Err(Failure(StatusCode::SERVICE_UNAVAILABLE, "SERVER_UNAVAILABLE", "Server too busy".to_string()))
        }
        Ok(_) => then(&mut state),
        Err(error) => Err(internal(&error)),
    };
    let used = format!("api-usage={}/100000", state.requests());
    let mut response = match result {
        Ok(value) => axum::Json(value).into_response(),
        Err(failure) => failure.into_response(),
    };
    if let Ok(value) = used.parse() {
        response.headers_mut().insert("Sforce-Limit-Info", value);
    }
    response
}

fn internal(error: &crate::Error) -> Failure {
    Failure(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN_EXCEPTION", error.to_string())
}

fn parsed(body: &Bytes) -> Result<Value, Failure> {
    serde_json::from_slice(body).map_err(|error| bad("JSON_PARSER_ERROR", error.to_string()))
}

/// The token by client credentials, so that a client needs no other setup than for the real thing. Any secret will do.
async fn token(Extension(shared): App, headers: HeaderMap) -> Response {
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or("127.0.0.1");
    axum::Json(json!({
        "access_token": shared.token.expose(),
        "instance_url": format!("http://{host}"),
        "id": format!("http://{host}/id/00D/005"),
        "token_type": "Bearer",
        "issued_at": "0",
        "signature": "",
    }))
    .into_response()
}

/// The records of a request to the collections API, and whether one failure fails all.
fn records(body: &Value) -> Result<(Vec<Record>, bool), Failure> {
    let all_or_none = body.get("allOrNone").and_then(Value::as_bool).unwrap_or(false);
    let list = body.get("records").and_then(Value::as_array).ok_or_else(|| bad("JSON_PARSER_ERROR", "records is missing"))?;
    if list.len() > MOST_RECORDS {
        let message = format!("record limit reached. cannot submit more than {MOST_RECORDS} records into this call");
        return Err(bad("EXCEEDED_ID_LIMIT", message));
    }
    let list = list.iter().map(|r| r.as_object().cloned().ok_or_else(|| bad("JSON_PARSER_ERROR", "a record is no object")));
    Ok((list.collect::<Result<_, _>>()?, all_or_none))
}

/// The fields of a record that are to be written, checked.
fn changes(schema: &Schema, record: &Record, leave_out: &str) -> Result<Record, Refusal> {
    let object = record.get("attributes").and_then(|a| a.get("type")).and_then(Value::as_str);
    if object != Some("Account") {
        return Err(Refusal::new("INVALID_TYPE", format!("sObject type '{}' is not supported.", object.unwrap_or("")), &[]));
    }
    let written = record.iter().filter(|(name, _)| !["attributes", "id"].contains(&name.as_str()) && name.as_str() != leave_out);
    written.map(|(name, value)| Ok((schema.check(name, value)?.to_string(), value.clone()))).collect()
}

/// What is to be done with one row: the id, the fields, and whether it is a new record.
type Row = Result<(String, Record, bool), Refusal>;

/// Writes the rows that may be written, and answers for each in the order of the request.
fn apply(state: &mut State, rows: Vec<Row>, all_or_none: bool, tell_created: bool) -> Answer {
    let failed = rows.iter().any(Result::is_err);
    let rolled_back = all_or_none && failed;
    let results = rows
        .iter()
        .map(|row| match row {
            Err(r) => json!({"success": false, "errors": [{"statusCode": r.code, "message": r.message, "fields": r.fields}]}),
            Ok(_) if rolled_back => json!({"success": false, "errors": [{
                "statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK",
                "message": "Record rolled back because not all records were valid and the request was using AllOrNone header",
                "fields": [],
            }]}),
            Ok((id, _, created)) if tell_created => json!({"id": id, "success": true, "errors": [], "created": created}),
            Ok((id, _, _)) => json!({"id": id, "success": true, "errors": []}),
        })
        .collect();
    if !rolled_back {
        let changes = rows.into_iter().flatten().map(|(id, fields, _)| (id, fields)).collect();
        state.write(changes).map_err(|error| internal(&error))?;
    }
    Ok(Value::Array(results))
}

fn refused(shared: &Shared, id: &str) -> Result<(), Refusal> {
    match shared.refuse.get(id) {
        Some(code) => Err(Refusal::new(code, "refused by the fake's configuration", &[])),
        None => Ok(()),
    }
}

/// The record may be written: it is there, not deleted, and not among those that are always refused.
fn writable(shared: &Shared, state: &State, id: &str) -> Result<String, Refusal> {
    let Some(known) = state.get(id) else {
        return Err(Refusal::new("NOT_FOUND", "The requested resource does not exist", &["Id"]));
    };
    let full = known.get("Id").and_then(Value::as_str).unwrap_or(id).to_string();
    if known.get("IsDeleted") == Some(&Value::Bool(true)) {
        return Err(Refusal::new("ENTITY_IS_DELETED", "entity is deleted", &[]));
    }
    refused(shared, &full)?;
    Ok(full)
}

async fn update(Extension(shared): App, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let body = match parsed(&body) {
        Ok(body) => body,
        Err(failure) => return failure.into_response(),
    };
    let call = Call { method: Method::PATCH, uri: &uri, headers: &headers, body: body.clone() };
    answer(&shared, &call, |state| {
        let (records, all_or_none) = records(&body)?;
        let rows = records.iter().map(|record| {
            let id = record.get("id").or_else(|| record.get("Id")).and_then(Value::as_str);
            let id = id.ok_or_else(|| Refusal::new("MISSING_ARGUMENT", "Id not specified in an update call", &["Id"]))?;
            let full = writable(&shared, state, id)?;
            Ok((full, changes(&shared.schema, record, "Id")?, false))
        });
        let rows = rows.collect();
        apply(state, rows, all_or_none, false)
    })
}

async fn upsert(
    Extension(shared): App,
    Path((_, object, field)): Path<(String, String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = match parsed(&body) {
        Ok(body) => body,
        Err(failure) => return failure.into_response(),
    };
    let call = Call { method: Method::PATCH, uri: &uri, headers: &headers, body: body.clone() };
    answer(&shared, &call, |state| {
        only_accounts(&object)?;
        let field = shared.schema.external_id(&field).ok_or_else(|| {
            bad(
                "INVALID_FIELD",
                format!("Field name provided, {field} does not match an External ID, Salesforce Id, or indexed field for Account"),
            )
        })?;
        let (records, all_or_none) = records(&body)?;
        let (mut rows, mut new) = (Vec::new(), 0);
        for record in &records {
            let row = upsert_row(&shared, state, record, field, new);
            new += usize::from(matches!(row, Ok((_, _, true))));
            rows.push(row);
        }
        apply(state, rows, all_or_none, true)
    })
}

fn upsert_row(shared: &Shared, state: &State, record: &Record, field: &str, new: usize) -> Row {
    let Some(key) = record.get(field).and_then(Value::as_str).filter(|key| !key.is_empty()) else {
        return Err(Refusal::new("MISSING_ARGUMENT", format!("{field} not specified"), &[field]));
    };
    let mut fields = changes(&shared.schema, record, field)?;
    match state.find(field, key).as_slice() {
        [] => {
            refused(shared, key)?;
            if !fields.contains_key("Name") {
                return Err(Refusal::new("REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", &["Name"]));
            }
            fields.insert(field.to_string(), Value::String(key.to_string()));
            Ok((state.next_id(new), fields, true))
        }
        [id] => Ok((writable(shared, state, id)?, fields, false)),
        _ => Err(Refusal::new("DUPLICATE_EXTERNAL_ID", format!("{field}: more than one record found for external id field"), &[field])),
    }
}

fn only_accounts(object: &str) -> Result<(), Failure> {
    if object.eq_ignore_ascii_case("Account") {
        Ok(())
    } else {
        Err(bad("INVALID_TYPE", format!("sObject type '{object}' is not supported.")))
    }
}

/// Only these fields of a record, and what Salesforce always adds.
fn shown(schema: &Schema, record: &Record, names: &[String]) -> Answer {
    let mut shown = Record::new();
    let id = record.get("Id").and_then(Value::as_str).unwrap_or("");
    let url = format!("/services/data/v61.0/sobjects/Account/{id}");
    shown.insert("attributes".to_string(), json!({"type": "Account", "url": url}));
    for name in names {
        let (name, _) = schema.find(name).ok_or_else(|| bad("INVALID_FIELD", format!("No such column '{name}' on entity 'Account'")))?;
        shown.insert(name.to_string(), record.get(name).cloned().unwrap_or(Value::Null));
    }
    Ok(Value::Object(shown))
}

fn read_ids(schema: &Schema, state: &State, ids: &[String], names: &[String]) -> Answer {
    let found = ids.iter().map(|id| state.get(id.trim()).map_or(Ok(Value::Null), |record| shown(schema, &record, names)));
    Ok(Value::Array(found.collect::<Result<_, _>>()?))
}

async fn read(
    Extension(shared): App,
    Path((_, object)): Path<(String, String)>,
    Query(parameters): Query<BTreeMap<String, String>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let call = Call { method: Method::GET, uri: &uri, headers: &headers, body: Value::Null };
    answer(&shared, &call, |state| {
        only_accounts(&object)?;
        let list = |name: &str| -> Vec<String> {
            parameters.get(name).map(|v| v.split(',').map(|s| s.trim().to_string()).collect()).unwrap_or_default()
        };
        read_ids(&shared.schema, state, &list("ids"), &list("fields"))
    })
}

async fn read_many(
    Extension(shared): App,
    Path((_, object)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = match parsed(&body) {
        Ok(body) => body,
        Err(failure) => return failure.into_response(),
    };
    let call = Call { method: Method::POST, uri: &uri, headers: &headers, body: body.clone() };
    answer(&shared, &call, |state| {
        only_accounts(&object)?;
        let list = |name: &str| -> Vec<String> {
            let values = body.get(name).and_then(Value::as_array).into_iter().flatten();
            values.filter_map(|v| v.as_str().map(str::to_string)).collect()
        };
        let ids = list("ids");
        if ids.len() > 2_000 {
            return Err(bad("EXCEEDED_ID_LIMIT", "cannot retrieve more than 2000 records in one call"));
        }
        read_ids(&shared.schema, state, &ids, &list("fields"))
    })
}

async fn describe(Extension(shared): App, Path((_, object)): Path<(String, String)>, uri: Uri, headers: HeaderMap) -> Response {
    let call = Call { method: Method::GET, uri: &uri, headers: &headers, body: Value::Null };
    answer(&shared, &call, |_| {
        only_accounts(&object)?;
        let described = shared.schema.all().map(|(name, kind, external)| {
            let (kind_name, length) = match kind {
                Kind::Text(length) | Kind::Any(length) => ("string", length),
                Kind::Number => ("double", 0),
                Kind::Boolean => ("boolean", 0),
                Kind::Date => ("date", 0),
                Kind::ReadOnly => ("string", 0),
            };
            json!({"name": name, "type": kind_name, "length": length, "nillable": name != "Name",
                   "updateable": kind != Kind::ReadOnly, "externalId": external})
        });
        let described: Vec<Value> = described.collect();
        Ok(json!({"name": "Account", "updateable": true, "fields": described}))
    })
}

/// One page of a query's result.
fn page(schema: &Schema, state: &State, text: &str, offset: usize, headers: &HeaderMap, version: &str) -> Answer {
    let query = soql::parse(text).map_err(|message| bad("MALFORMED_QUERY", message))?;
    only_accounts(&query.object)?;
    let options = headers.get("Sforce-Query-Options").and_then(|h| h.to_str().ok());
    let size = options.and_then(|o| o.strip_prefix("batchSize=")).and_then(|n| n.trim().parse().ok()).unwrap_or(PAGE);
    let size = size.clamp(200, PAGE);
    let mut found: Vec<Record> = match &query.filter {
        Some((field, ids)) if field.eq_ignore_ascii_case("Id") => ids.iter().filter_map(|id| state.get(id)).collect(),
        Some((field, values)) => {
            let (field, _) =
                schema.find(field).ok_or_else(|| bad("INVALID_FIELD", format!("No such column '{field}' on entity 'Account'")))?;
            let fits = |r: &Record| r.get(field).and_then(Value::as_str).is_some_and(|v| values.iter().any(|w| w == v));
            state.ids().filter_map(|id| state.get(id)).filter(fits).collect()
        }
        None => state.ids().filter_map(|id| state.get(id)).collect(),
    };
    found.truncate(query.limit.unwrap_or(usize::MAX));
    let total = found.len();
    let end = (offset + size).min(total);
    let records = found.iter().take(end).skip(offset).map(|r| shown(schema, r, &query.fields)).collect::<Result<Vec<_>, _>>()?;
    let mut answer = json!({"totalSize": total, "done": end == total, "records": records});
    if end < total {
        let query: String = text.bytes().map(|b| format!("{b:02x}")).collect();
        answer["nextRecordsUrl"] = json!(format!("/services/data/{version}/query/{query}-{end}"));
    }
    Ok(answer)
}

async fn query(
    Extension(shared): App,
    Path(version): Path<String>,
    Query(parameters): Query<BTreeMap<String, String>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let call = Call { method: Method::GET, uri: &uri, headers: &headers, body: Value::Null };
    answer(&shared, &call, |state| {
        let text = parameters.get("q").ok_or_else(|| bad("MALFORMED_QUERY", "q is missing"))?;
        page(&shared.schema, state, text, 0, &headers, &version)
    })
}

async fn query_more(Extension(shared): App, Path((version, locator)): Path<(String, String)>, uri: Uri, headers: HeaderMap) -> Response {
    let call = Call { method: Method::GET, uri: &uri, headers: &headers, body: Value::Null };
    answer(&shared, &call, |state| {
        let (text, offset) = cursor(&locator).ok_or_else(|| bad("INVALID_QUERY_LOCATOR", "invalid query locator"))?;
        page(&shared.schema, state, &text, offset, &headers, &version)
    })
}

/// The query and the offset that a locator stands for.
fn cursor(locator: &str) -> Option<(String, usize)> {
    let (hex, offset) = locator.rsplit_once('-')?;
    let bytes: Option<Vec<u8>> = (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(hex.get(i..i + 2)?, 16).ok()).collect();
    Some((String::from_utf8(bytes?).ok()?, offset.parse().ok()?))
}

async fn limits(Extension(shared): App, uri: Uri, headers: HeaderMap) -> Response {
    let call = Call { method: Method::GET, uri: &uri, headers: &headers, body: Value::Null };
    answer(&shared, &call, |state| {
        let remaining = 100_000_u64.saturating_sub(state.requests());
        Ok(json!({"DailyApiRequests": {"Max": 100_000, "Remaining": remaining}}))
    })
}
