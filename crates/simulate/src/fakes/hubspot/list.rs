//! Objects and owners, listed by id; single objects; what properties there are.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::{Map, Value, json};

use super::associations::associated;
use super::failure::Failure;
use super::kinds::{ObjectKind, Type};
use super::portal::Portal;
use crate::fakes::EmptyPage;
use crate::fakes::world::{Record, Version};

type Parameters = BTreeMap<String, String>;

/// Most objects on a page of a list.
const MOST_LISTED: usize = 100;
/// Most owners on a page.
const MOST_OWNERS: usize = 500;
/// Most objects of one batch.
const MOST_READ: usize = 100;

/// Parameters by name. Lists may be given with commas or by repeating the name: HubSpot's own client repeats.
fn joined(given: Vec<(String, String)>) -> Parameters {
    let mut parameters = Parameters::new();
    for (name, value) in given {
        parameters.entry(name).and_modify(|list| *list = format!("{list},{value}")).or_insert(value);
    }
    parameters
}

/// HubSpot's own client, being Python, writes `True`.
fn is_true(parameters: &Parameters, name: &str) -> bool {
    parameters.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// `GET /crm/v3/objects/{kind}`.
pub(super) async fn objects(
    State(portal): State<Arc<Portal>>,
    Path(name): Path<String>,
    Query(given): Query<Vec<(String, String)>>,
    empty: Option<Extension<EmptyPage>>,
) -> Result<Response, Failure> {
    let parameters = joined(given);
    let kind = portal.kind(&name)?;
    let page = Page::asked(&parameters, 10, MOST_LISTED, empty.is_some())?;
    let (records, next) = page.of(&portal, kind.name);
    let wanted: Option<Vec<&str>> = parameters.get("properties").map(|p| p.split(',').map(str::trim).collect());
    let shown = kind.shown(wanted.as_deref());
    let mut results: Vec<Value> = records.iter().map(|(_, version)| object(&version.body, &shown)).collect();
    for to in parameters.get("associations").into_iter().flat_map(|list| list.split(',')) {
        let to = ObjectKind::find(to.trim()).ok_or_else(|| Failure::invalid(&format!("Unable to infer object type from: {to}")))?;
        let ids: Vec<&str> = records.iter().map(|(record, _)| record.id.as_str()).collect();
        let found = associated(&portal, kind, to, &ids);
        for (record, result) in ids.iter().zip(&mut results) {
            if let Some(list) = found.get(*record).filter(|list| !list.is_empty()) {
                result["associations"][to.name] = json!({"results": list});
            }
        }
    }
    Ok(page.answer(results, next, &format!("{}/hubspot/crm/v3/objects/{name}", portal.state.base_url)))
}

/// `GET /crm/v3/owners`.
pub(super) async fn owners(
    State(portal): State<Arc<Portal>>,
    Query(given): Query<Vec<(String, String)>>,
    empty: Option<Extension<EmptyPage>>,
) -> Result<Response, Failure> {
    let parameters = joined(given);
    let page = Page::asked(&parameters, 100, MOST_OWNERS, empty.is_some())?;
    let (records, next) = page.of(&portal, "owners");
    let results = records.iter().map(|(_, version)| Value::clone(&version.body)).collect();
    Ok(page.answer(results, next, &format!("{}/hubspot/crm/v3/owners", portal.state.base_url)))
}

/// `GET /crm/v3/objects/{kind}/{id}`.
pub(super) async fn one(
    State(portal): State<Arc<Portal>>,
    Path((name, id)): Path<(String, String)>,
    Query(given): Query<Vec<(String, String)>>,
) -> Result<Json<Value>, Failure> {
    let parameters = joined(given);
    let kind = portal.kind(&name)?;
    let archived = is_true(&parameters, "archived");
    let found = portal.store(kind.name).get(&id, portal.state.world.now()).filter(|(_, version)| version.deleted == archived);
    let (_, version) = found.ok_or_else(Failure::not_found)?;
    let wanted: Option<Vec<&str>> = parameters.get("properties").map(|p| p.split(',').map(str::trim).collect());
    Ok(Json(object(&version.body, &kind.shown(wanted.as_deref()))))
}

/// `POST /crm/v3/objects/{kind}/batch/read`.
pub(super) async fn batch(State(portal): State<Arc<Portal>>, Path(name): Path<String>, body: Bytes) -> Result<Json<Value>, Failure> {
    let kind = portal.kind(&name)?;
    let request: Value = serde_json::from_slice(&body).map_err(|_| Failure::invalid("Invalid input JSON"))?;
    let ids: Vec<&str> = request["inputs"].as_array().into_iter().flatten().filter_map(|input| input["id"].as_str()).collect();
    if ids.len() > MOST_READ {
        return Err(Failure::invalid(&format!("The maximum number of inputs is {MOST_READ}")));
    }
    let wanted: Vec<&str> = request["properties"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let shown = kind.shown(Some(&wanted));
    let now = portal.state.world.now();
    let found = ids.iter().filter_map(|id| portal.store(kind.name).get(id, now)).filter(|(_, version)| !version.deleted);
    let results: Vec<Value> = found.map(|(_, version)| object(&version.body, &shown)).collect();
    Ok(Json(json!({"status": "COMPLETE", "results": results, "startedAt": "2026-01-01T00:00:00Z", "completedAt": "2026-01-01T00:00:00Z"})))
}

/// `GET /crm/v3/properties/{kind}`.
pub(super) async fn properties(State(portal): State<Arc<Portal>>, Path(name): Path<String>) -> Result<Json<Value>, Failure> {
    Ok(Json(json!({"results": described(portal.kind(&name)?)})))
}

/// `GET /properties/v2/{kind}/properties`: the same as a plain list.
pub(super) async fn properties_v2(State(portal): State<Arc<Portal>>, Path(name): Path<String>) -> Result<Json<Value>, Failure> {
    Ok(Json(Value::Array(described(portal.kind(&name)?))))
}

fn described(kind: &ObjectKind) -> Vec<Value> {
    let property = |(name, kind): &(&str, Type)| {
        let (type_name, field_type) = kind.names();
        json!({
            "name": name, "label": name, "type": type_name, "fieldType": field_type, "description": "", "groupName": "information",
            "options": [], "displayOrder": -1, "calculated": false, "externalOptions": false, "hidden": false, "hubspotDefined": true,
            "hasUniqueValue": (*name == "email" || *name == "hs_object_id"), "formField": false, "dataSensitivity": "non_sensitive",
            "modificationMetadata": {"archivable": false, "readOnlyDefinition": true, "readOnlyValue": name.starts_with("hs_object")},
        })
    };
    kind.properties.iter().map(property).collect()
}

/// A record with only these properties, and without its associations.
pub(super) fn object(body: &Value, shown: &[&str]) -> Value {
    let mut out = Map::new();
    for (key, value) in body.as_object().into_iter().flatten() {
        match key.as_str() {
            "associations" => {}
            "properties" => {
                let properties: Map<String, Value> = shown.iter().map(|name| ((*name).to_string(), value[*name].clone())).collect();
                out.insert(key.clone(), Value::Object(properties));
            }
            _ => {
                out.insert(key.clone(), value.clone());
            }
        }
    }
    Value::Object(out)
}

/// A page that was asked for.
struct Page<'a> {
    limit: usize,
    /// The page begins behind this id.
    after: u64,
    after_text: Option<&'a str>,
    archived: bool,
    empty: bool,
}

impl<'a> Page<'a> {
    fn asked(parameters: &'a Parameters, usual: usize, most: usize, empty: bool) -> Result<Self, Failure> {
        let number = |name: &str| match parameters.get(name).map(|text| text.parse::<u64>()) {
            Some(Err(_)) => Err(Failure::invalid(&format!("Invalid value for parameter '{name}': must be a number"))),
            Some(Ok(number)) => Ok(Some(number)),
            None => Ok(None),
        };
        let limit = number("limit")?.map_or(usual, |n| usize::try_from(n).unwrap_or(usize::MAX));
        if limit == 0 || limit > most {
            return Err(Failure::invalid(&format!("limit must be no more than {most}")));
        }
        Ok(Self {
            limit,
            after: number("after")?.unwrap_or(0),
            after_text: parameters.get("after").map(String::as_str),
            archived: is_true(parameters, "archived"),
            empty,
        })
    }

    /// The page's records, sorted by id, and the cursor of the next page, if there is one.
    fn of<'p>(&self, portal: &'p Portal, stream: &str) -> (Vec<(&'p Record, &'p Version)>, Option<String>) {
        let all = portal.store(stream).all(portal.state.world.now()).filter(|(_, version)| version.deleted == self.archived);
        let numbered = all.filter_map(|found| Some((found.0.id.parse::<u64>().ok()?, found)));
        let mut left: Vec<(u64, (&Record, &Version))> = numbered.filter(|(id, _)| *id > self.after).collect();
        // Only the page and the one behind it have to be in order.
        if left.len() > self.limit + 1 {
            left.select_nth_unstable_by_key(self.limit, |(id, _)| *id);
            left.truncate(self.limit + 1);
        }
        left.sort_unstable_by_key(|(id, _)| *id);
        if self.empty {
            // The same page under another name: the same one again would be a loop.
            let again = format!("0{}", self.after_text.unwrap_or_default());
            return (Vec::new(), Some(again));
        }
        let next = (left.len() > self.limit).then(|| left[self.limit - 1].0.to_string());
        (left.into_iter().take(self.limit).map(|(_, found)| found).collect(), next)
    }

    fn answer(&self, results: Vec<Value>, next: Option<String>, url: &str) -> Response {
        let mut answer = json!({"results": results});
        if let Some(after) = next {
            answer["paging"] = json!({"next": {"after": after, "link": format!("{url}?after={after}&limit={}", self.limit)}});
        }
        if self.empty { ([("x-fake-empty", "1")], Json(answer)).into_response() } else { Json(answer).into_response() }
    }
}
