//! Which objects belong to which.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::failure::Failure;
use super::kinds::ObjectKind;
use super::portal::Portal;

/// Most records of one batch.
const MOST: usize = 1_000;

/// The associations of some records as lists show them (`{"id", "type"}`), by id. Everything belongs to companies; there are
/// no other associations here.
pub(super) fn associated(portal: &Portal, from: &ObjectKind, to: &ObjectKind, ids: &[&str]) -> BTreeMap<String, Vec<Value>> {
    let now = portal.state.world.now();
    let list = |body: &Value| body["associations"]["companies"]["results"].as_array().cloned().unwrap_or_default();
    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    if to.name == "companies" && from.name != "companies" {
        for id in ids {
            if let Some((_, version)) = portal.store(from.name).get(id, now) {
                found.insert((*id).to_string(), list(&version.body));
            }
        }
    } else if from.name == "companies" && to.name != "companies" {
        for (record, version) in portal.store(to.name).live(now) {
            for company in list(&version.body) {
                let (Some(id), Some(kind)) = (company["id"].as_str(), company["type"].as_str()) else { continue };
                if ids.contains(&id) {
                    let kind = kind.replace(&format!("{}_to_company", to.singular), &format!("company_to_{}", to.singular));
                    found.entry(id.to_string()).or_default().push(json!({"id": record.id, "type": kind}));
                }
            }
        }
    }
    found
}

/// The same as version 4 of the API shows it: one entry for each record, with its types.
fn typed(from: &ObjectKind, to: &ObjectKind, list: &[Value]) -> Vec<Value> {
    let types = if to.name == "companies" { from.company_types.map(|t| t.0) } else { to.company_types.map(|t| t.1) };
    let [unlabelled, primary] = types.unwrap_or_default();
    let mut entries: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for entry in list {
        let kinds = entries.entry(entry["id"].as_str().unwrap_or_default()).or_default();
        let is_primary = unlabelled != primary && !entry["type"].as_str().unwrap_or_default().ends_with("_unlabeled");
        let (id, label) = if is_primary { (primary, json!("Primary")) } else { (unlabelled, Value::Null) };
        kinds.push(json!({"category": "HUBSPOT_DEFINED", "typeId": id, "label": label}));
    }
    let entry = |(id, kinds): (&str, Vec<Value>)| json!({"toObjectId": id.parse::<u64>().unwrap_or(0), "associationTypes": kinds});
    entries.into_iter().map(entry).collect()
}

/// `POST /crm/v4/associations/{from}/{to}/batch/read`.
pub(super) async fn batch(
    State(portal): State<Arc<Portal>>,
    Path((from, to)): Path<(String, String)>,
    body: Bytes,
) -> Result<Response, Failure> {
    let (from, to) = (portal.kind(&from)?, portal.kind(&to)?);
    let request: Value = serde_json::from_slice(&body).map_err(|_| Failure::invalid("Invalid input JSON"))?;
    let ids: Vec<&str> = request["inputs"].as_array().into_iter().flatten().filter_map(|input| input["id"].as_str()).collect();
    if ids.len() > MOST {
        return Err(Failure::invalid(&format!("The maximum number of inputs is {MOST}")));
    }
    let found = associated(&portal, from, to, &ids);
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for id in ids {
        match found.get(id).filter(|list| !list.is_empty()) {
            Some(list) => results.push(json!({"from": {"id": id}, "to": typed(from, to, list)})),
            None => errors.push(json!({
                "status": "error", "category": "OBJECT_NOT_FOUND", "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
                "message": format!("No {} is associated with {} {id}.", to.singular, from.singular),
                "context": {"fromObjectId": [id], "fromObjectType": [from.singular], "toObjectType": [to.singular]},
            })),
        }
    }
    let mut answer = json!({"status": "COMPLETE", "results": results,
                            "startedAt": "2026-01-01T00:00:00Z", "completedAt": "2026-01-01T00:00:00Z"});
    if errors.is_empty() {
        return Ok(Json(answer).into_response());
    }
    answer["numErrors"] = json!(errors.len());
    answer["errors"] = json!(errors);
    Ok((StatusCode::MULTI_STATUS, Json(answer)).into_response())
}

/// `GET /crm/v4/objects/{from}/{id}/associations/{to}`.
pub(super) async fn of_one(
    State(portal): State<Arc<Portal>>,
    Path((from, id, to)): Path<(String, String, String)>,
) -> Result<Json<Value>, Failure> {
    let (from, to) = (portal.kind(&from)?, portal.kind(&to)?);
    let found = associated(&portal, from, to, &[&id]);
    Ok(Json(json!({"results": typed(from, to, found.get(&id).map_or(&[], Vec::as_slice))})))
}
