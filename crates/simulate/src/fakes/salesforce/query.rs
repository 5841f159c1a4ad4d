//! Queries over REST, page by page.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::failure::Failure;
use super::org::{Cursor, Org, selected, shown};
use super::soql::{self, Select};
use crate::fakes::EmptyPage;

/// Records on a page.
const PAGE: usize = 2_000;
/// The fewest that a page can be asked to have.
const SMALLEST_PAGE: usize = 200;
/// The longest query.
const LONGEST: usize = 100_000;

/// `GET /query?q=…`, and `GET /queryAll?q=…`, which gives deleted records, too.
pub(super) async fn query<const ALL: bool>(
    State(org): State<Arc<Org>>,
    Path(version): Path<String>,
    Query(parameters): Query<BTreeMap<String, String>>,
    empty: Option<Extension<EmptyPage>>,
    headers: HeaderMap,
) -> Response {
    answer(first_page(&org, &version, &parameters, &headers, ALL, empty.is_some()), empty.is_some())
}

/// `GET /query/{cursor}-{offset}`.
pub(super) async fn query_more(
    State(org): State<Arc<Org>>,
    Path((version, locator)): Path<(String, String)>,
    empty: Option<Extension<EmptyPage>>,
) -> Response {
    let found = locator.split_once('-').and_then(|(id, offset)| Some((id.to_string(), offset.parse::<usize>().ok()?)));
    let found = found.and_then(|(id, offset)| Some((org.kept().cursors.get(&id)?.clone(), id, offset)));
    let page = match found {
        Some((cursor, id, offset)) if offset < cursor.rows.len() => {
            // An empty page leads to the same page by another name: the same one again would be a loop.
            let id = if empty.is_some() { org.kept().open(cursor.clone()) } else { id };
            Ok(page(&cursor, &id, offset, &version, empty.is_some()))
        }
        _ => Err(Failure::bad("INVALID_QUERY_LOCATOR", "invalid query locator")),
    };
    answer(page, empty.is_some())
}

fn answer(page: Result<Value, Failure>, empty: bool) -> Response {
    match page {
        // A count has no records that could be missing, nor a cursor.
        Ok(page) if empty && page.get("nextRecordsUrl").is_some() => ([("x-fake-empty", "1")], axum::Json(page)).into_response(),
        Ok(page) => axum::Json(page).into_response(),
        Err(failure) => failure.into_response(),
    }
}

fn first_page(
    org: &Org,
    version: &str,
    parameters: &BTreeMap<String, String>,
    headers: &HeaderMap,
    deleted_too: bool,
    empty: bool,
) -> Result<Value, Failure> {
    let text = parameters.get("q").ok_or_else(|| Failure::bad("MALFORMED_QUERY", "A query string has to be specified"))?;
    if text.len() > LONGEST {
        return Err(Failure::bad("MALFORMED_QUERY", format!("SOQL statements cannot be longer than {LONGEST} characters.")));
    }
    let soql = soql::parse(text)?;
    let rows = org.find(&soql, deleted_too);
    if soql.select == Select::Count {
        return Ok(json!({"totalSize": rows.len(), "done": true, "records": []}));
    }
    if org.kept().behaviour.query_timeout_above.is_some_and(|most| rows.len() > most) {
        return Err(Failure::bad("QUERY_TIMEOUT", "Your query request was running for too long."));
    }
    let options = headers.get("Sforce-Query-Options").and_then(|value| value.to_str().ok());
    let asked = options.and_then(|o| o.split(',').find_map(|o| o.trim().strip_prefix("batchSize=")?.trim().parse().ok()));
    let size = asked.unwrap_or(PAGE).clamp(SMALLEST_PAGE, PAGE);
    let cursor = Cursor { object: soql.object, fields: selected(&soql), rows: Arc::new(rows), page: size };
    // One page needs no cursor.
    let id = if cursor.rows.len() > size || empty { org.kept().open(cursor.clone()) } else { String::new() };
    Ok(page(&cursor, &id, 0, version, empty))
}

fn page(cursor: &Cursor, id: &str, offset: usize, version: &str, empty: bool) -> Value {
    let total = cursor.rows.len();
    let end = if empty { offset } else { (offset + cursor.page).min(total) };
    let records: Vec<Value> = cursor.rows[offset..end].iter().map(|record| project(cursor, record)).collect();
    let done = end == total;
    let mut page = json!({"totalSize": total, "done": done, "records": records});
    if !done {
        // A path on the instance's host, and the fakes share theirs.
        page["nextRecordsUrl"] = json!(format!("/salesforce/services/data/{version}/query/{id}-{end}"));
    }
    page
}

fn project(cursor: &Cursor, record: &Value) -> Value {
    let mut out = Map::new();
    out.insert("attributes".to_string(), record["attributes"].clone());
    for field in &cursor.fields {
        out.insert((*field).to_string(), shown(cursor.object, record, field));
    }
    Value::Object(out)
}
