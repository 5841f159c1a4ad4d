//! The parts of Salesforce's API that a sync needs: reading current values, and the sObject collections API for writing.

use crate::decide::Fields;
use crate::{Error, Result};
use cscopilot_diag::Secret;
use cscopilot_http::{Client, ClientOptions, Method, Request, Url};
use cscopilot_lake::step::StepContext;
use cscopilot_spec::{SalesforceTarget, SyncMatch, Text};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Keys in one query: its text must fit into a URL.
const KEYS_A_QUERY: usize = 100;

/// An org, ready to be called.
#[derive(Debug)]
pub(crate) struct Salesforce {
    client: Client,
    base: Url,
    token: Secret,
    version: String,
    object: String,
    match_field: Option<String>,
    fields: Vec<String>,
}

/// A record as the CRM has it.
#[derive(Debug, Clone)]
pub(crate) struct Current {
    pub(crate) id: String,
    pub(crate) fields: Fields,
}

/// What the CRM said to one written record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Written {
    Ok,
    Refused { code: String, message: String },
}

impl Written {
    /// Whether the refusal is one that passes by itself.
    pub(crate) fn passes(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "UNABLE_TO_LOCK_ROW")
    }
}

#[derive(Deserialize)]
struct RowResult {
    success: bool,
    #[serde(default)]
    errors: Vec<RowError>,
}

#[derive(Deserialize)]
struct RowError {
    #[serde(rename = "statusCode", default)]
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    fields: Vec<String>,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    records: Vec<BTreeMap<String, Value>>,
    #[serde(rename = "nextRecordsUrl", default)]
    next: Option<String>,
}

impl Salesforce {
    pub(crate) fn new(ctx: &StepContext, target: &SalesforceTarget, fields: Vec<String>) -> Result<Self> {
        let unresolved =
            |text: &Text, d: cscopilot_diag::Diagnostic| Error::Unresolved { text: text.raw().to_owned(), reason: d.message, help: d.help };
        let address = ctx.project.resolve(&target.base_url).map_err(|d| unresolved(&target.base_url, d))?;
        let token = ctx.project.secret(&target.token).map_err(|d| unresolved(&target.token, d))?;
        let bad_url = |reason: String| Error::BadUrl { url: address.clone(), reason };
        let base = Url::parse(&address).map_err(|e| bad_url(e.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(bad_url("it must begin with https://".to_owned()));
        }
        let options = ClientOptions { requests_per_second: target.requests_per_second, ..ClientOptions::default() };
        let client = Client::new(options).map_err(call("setting up the client"))?.hiding(&token);
        Ok(Self {
            client,
            base,
            token,
            version: target.api_version.value.clone(),
            object: target.object.value.clone(),
            match_field: match &target.r#match {
                SyncMatch::RecordId(_) => None,
                SyncMatch::ExternalId(external) => Some(external.field.value.clone()),
            },
            fields,
        })
    }

    fn url(&self, path: &str) -> Result<Url> {
        let path = format!("/services/data/v{}/{path}", self.version);
        self.base.join(&path).map_err(|e| Error::BadUrl { url: self.base.to_string(), reason: e.to_string() })
    }

    async fn send(&self, request: Request, what: &'static str) -> Result<cscopilot_http::Response> {
        self.client.send(&request.bearer(self.token.clone())).await.map_err(|error| {
            let reason = match &error {
                cscopilot_http::Error::Status { body, .. } => body.clone(),
                _ => String::new(),
            };
            match error.status() {
                Some(401) => Error::Unauthorised { reason },
                Some(400 | 403) if reason.contains("LIMIT_EXCEEDED") => Error::Quota { reason },
                _ => Error::Call { what: what.to_owned(), source: error },
            }
        })
    }

    /// The current values of records; those that the CRM lacks are missing in the answer.
    pub(crate) async fn read(&self, keys: &[&str]) -> Result<BTreeMap<String, Current>> {
        match &self.match_field {
            None => self.read_by_id(keys).await,
            Some(field) => {
                let mut found = BTreeMap::new();
                for some in keys.chunks(KEYS_A_QUERY) {
                    found.extend(self.query(field, some).await?);
                }
                Ok(found)
            }
        }
    }

    async fn read_by_id(&self, ids: &[&str]) -> Result<BTreeMap<String, Current>> {
        const WHAT: &str = "reading current values";
        let url = self.url(&format!("composite/sobjects/{}", self.object))?;
        let mut fields = vec!["Id".to_owned()];
        fields.extend(self.fields.iter().cloned());
        let body = json!({"ids": ids, "fields": fields});
        let request = Request::new(Method::POST, url).json(&body).map_err(call(WHAT))?.repeatable();
        let records: Vec<Option<BTreeMap<String, Value>>> = self.send(request, WHAT).await?.json().map_err(call(WHAT))?;
        if records.len() != ids.len() {
            return Err(Error::BadAnswer { what: WHAT.to_owned(), reason: format!("{} records for {} ids", records.len(), ids.len()) });
        }
        let found = ids.iter().zip(records).filter_map(|(id, record)| Some(((*id).to_owned(), self.current(record?))));
        Ok(found.collect())
    }

    async fn query(&self, field: &str, keys: &[&str]) -> Result<BTreeMap<String, Current>> {
        const WHAT: &str = "looking for records";
        let quoted: Vec<String> = keys.iter().map(|k| format!("'{}'", k.replace('\\', "\\\\").replace('\'', "\\'"))).collect();
        let mut columns = vec!["Id", field];
        columns.extend(self.fields.iter().map(String::as_str));
        let soql = format!("SELECT {} FROM {} WHERE {field} IN ({})", columns.join(","), self.object, quoted.join(","));
        let mut url = self.url("query")?;
        url.query_pairs_mut().append_pair("q", &soql);
        let mut found = BTreeMap::new();
        loop {
            let page: Page = self.send(Request::get(url), WHAT).await?.json().map_err(call(WHAT))?;
            for record in page.records {
                if let Some(Value::String(key)) = record.get(field) {
                    found.insert(key.clone(), self.current(record.clone()));
                }
            }
            let Some(next) = page.next else { return Ok(found) };
            url = self.base.join(&next).map_err(|e| Error::BadAnswer { what: WHAT.to_owned(), reason: e.to_string() })?;
        }
    }

    fn current(&self, mut record: BTreeMap<String, Value>) -> Current {
        let id = record.get("Id").and_then(Value::as_str).unwrap_or_default().to_owned();
        record.retain(|name, _| self.fields.contains(name));
        Current { id, fields: record }
    }

    /// Writes at most 200 records, each one for itself; the results are in the same order.
    pub(crate) async fn write(&self, records: &[(&str, &Fields)]) -> Result<Vec<Written>> {
        const WHAT: &str = "writing records";
        let bodies: Vec<Value> = records
            .iter()
            .map(|(id, fields)| {
                let mut body = serde_json::Map::new();
                body.insert("attributes".to_owned(), json!({"type": self.object}));
                body.insert("id".to_owned(), json!(id));
                body.extend(fields.iter().map(|(name, value)| (name.clone(), value.clone())));
                Value::Object(body)
            })
            .collect();
        let body = json!({"allOrNone": false, "records": bodies});
        let request = Request::new(Method::PATCH, self.url("composite/sobjects")?).json(&body).map_err(call(WHAT))?;
        let results: Vec<RowResult> = self.send(request, WHAT).await?.json().map_err(call(WHAT))?;
        if results.len() != records.len() {
            return Err(Error::BadAnswer {
                what: WHAT.to_owned(),
                reason: format!("{} results for {} records", results.len(), records.len()),
            });
        }
        Ok(results.into_iter().map(written).collect())
    }
}

fn written(result: RowResult) -> Written {
    if result.success {
        return Written::Ok;
    }
    let code = result.errors.first().map_or_else(|| "UNKNOWN".to_owned(), |e| e.code.clone());
    let messages: Vec<String> = result
        .errors
        .iter()
        .map(|e| if e.fields.is_empty() { e.message.clone() } else { format!("{} ({})", e.message, e.fields.join(", ")) })
        .collect();
    Written::Refused { code, message: messages.join("; ") }
}

fn call(what: &str) -> impl FnOnce(cscopilot_http::Error) -> Error {
    let what = what.to_owned();
    move |source| Error::Call { what, source }
}
