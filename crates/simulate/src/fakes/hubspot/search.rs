//! Searches: by filters, sorted, and never more than 10,000 records.

use std::cmp::Ordering;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::failure::Failure;
use super::filter::{Groups, Key, key_of};
use super::kinds::{ObjectKind, Type};
use super::list::object;
use super::portal::Portal;
use crate::fakes::EmptyPage;
use crate::fakes::world::Version;

/// Most records of a page, and how many it has usually.
const LIMIT: (u64, u64) = (200, 10);
/// A search ends here, however much it found.
const CAP: u64 = 10_000;

/// `POST /crm/v3/objects/{kind}/search`. Archived records are never found, and associations not shown.
pub(super) async fn search(
    State(portal): State<Arc<Portal>>,
    Path(name): Path<String>,
    empty: Option<Extension<EmptyPage>>,
    body: Bytes,
) -> Result<Response, Failure> {
    let kind = portal.kind(&name)?;
    let request: Value = serde_json::from_slice(&body).map_err(|_| Failure::invalid("Invalid input JSON"))?;
    let limit = number(&request, "limit")?.unwrap_or(LIMIT.1);
    if limit == 0 || limit > LIMIT.0 {
        return Err(Failure::invalid(&format!("limit must be no more than {}", LIMIT.0)));
    }
    let after = number(&request, "after")?.unwrap_or(0);
    if after >= CAP {
        return Err(Failure::invalid("There was a problem with the request: paging past 10000 results is not supported"));
    }
    let groups = Groups::parse(kind, &request)?;
    let (property, value_type, descending) = sort(kind, &request["sorts"])?;
    let live = portal.store(kind.name).live(portal.state.world.now()).filter(|(_, version)| groups.hold(&version.body["properties"]));
    // Values are read once, not in each comparison: a search looks at all records for each page.
    let mut found: Vec<(Option<Key>, &Version)> =
        live.map(|(_, version)| (key_of(value_type, &version.body["properties"][property]), version)).collect();
    found.sort_by(|(a, _), (b, _)| {
        let order = a.partial_cmp(b).unwrap_or(Ordering::Equal);
        if descending { order.reverse() } else { order }
    });
    let total = found.len() as u64;
    let end = (after + limit).min(CAP);
    let wanted: Option<Vec<&str>> = request["properties"].as_array().map(|list| list.iter().filter_map(Value::as_str).collect());
    let shown = kind.shown(wanted.as_deref());
    let page = found.iter().skip(after as usize).take((end - after) as usize);
    let results: Vec<Value> = if empty.is_some() { Vec::new() } else { page.map(|(_, version)| object(&version.body, &shown)).collect() };
    let mut answer = json!({"total": total, "results": results});
    if empty.is_some() {
        // The same page under another name: the same one again would be a loop.
        answer["paging"] = json!({"next": {"after": format!("0{after}")}});
        return Ok(([("x-fake-empty", "1")], Json(answer)).into_response());
    }
    if total > end {
        answer["paging"] = json!({"next": {"after": end.to_string()}});
    }
    Ok(Json(answer).into_response())
}

/// A number, which may be written as text.
fn number(request: &Value, name: &str) -> Result<Option<u64>, Failure> {
    match &request[name] {
        Value::Null => Ok(None),
        value => {
            let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
            number.map(Some).ok_or_else(|| Failure::invalid(&format!("Invalid input JSON: {name} must be a number")))
        }
    }
}

/// The property by which is sorted, its type, and whether it is descending; by creation, if nothing is said.
fn sort(kind: &'static ObjectKind, sorts: &Value) -> Result<(&'static str, Type, bool), Failure> {
    let Some(sort) = sorts.as_array().and_then(|list| list.first()) else { return Ok((kind.created, Type::DateTime, false)) };
    let (name, descending) = match sort.as_str() {
        Some(text) => (text.trim_start_matches('-'), text.starts_with('-')),
        None => (sort["propertyName"].as_str().unwrap_or_default(), sort["direction"] == "DESCENDING"),
    };
    let found = kind.properties.iter().find(|(property, _)| *property == name);
    let problem = || Failure::invalid(&format!("There was a problem with the request: property '{name}' does not exist"));
    found.map(|(property, value_type)| (*property, *value_type, descending)).ok_or_else(problem)
}
