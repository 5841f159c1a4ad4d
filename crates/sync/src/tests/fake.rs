//! The few calls of the API that a sync makes, over records in memory.

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

#[derive(Default)]
struct Org {
    token: String,
    records: BTreeMap<String, Map<String, Value>>,
    /// Ids in each writing call.
    writes: Vec<Vec<String>>,
    refusals: BTreeMap<String, (String, u32)>,
    stop_after: usize,
}

/// A fake org.
pub(super) struct Fake {
    pub(super) url: String,
    org: Arc<Mutex<Org>>,
}

type Shared = Arc<Mutex<Org>>;
type Answer = Result<Json<Value>, (StatusCode, Json<Value>)>;

impl Fake {
    pub(super) async fn start() -> Self {
        let org = Arc::new(Mutex::new(Org { token: "t0p-secret".into(), stop_after: usize::MAX, ..Org::default() }));
        let app = Router::new()
            .route("/services/data/v61.0/composite/sobjects/Account", post(read))
            .route("/services/data/v61.0/composite/sobjects", patch(write))
            .route("/services/data/v61.0/query", get(query))
            .route("/services/data/v61.0/query/{page}", get(second_page))
            .with_state(Arc::clone(&org));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, org }
    }

    fn org(&self) -> MutexGuard<'_, Org> {
        self.org.lock().unwrap()
    }

    pub(super) fn put(&self, id: &str, fields: Value) {
        let Value::Object(fields) = fields else { panic!("not an object") };
        self.org().records.insert(id.to_owned(), fields);
    }

    pub(super) fn record(&self, id: &str) -> Value {
        Value::Object(self.org().records[id].clone())
    }

    pub(super) fn writes(&self) -> Vec<Vec<String>> {
        self.org().writes.clone()
    }

    /// Refuses a record so many times.
    pub(super) fn refuse(&self, id: &str, code: &str, times: u32) {
        self.org().refusals.insert(id.to_owned(), (code.to_owned(), times));
    }

    /// Takes so many writing calls.
    pub(super) fn stop_after(&self, calls: usize) {
        self.org().stop_after = calls;
    }

    pub(super) fn token(&self, token: &str) {
        self.org().token = token.to_owned();
    }
}

fn enter<'a>(org: &'a Shared, headers: &HeaderMap) -> Result<MutexGuard<'a, Org>, (StatusCode, Json<Value>)> {
    let org = org.lock().unwrap();
    if headers["authorization"] == format!("Bearer {}", org.token) {
        return Ok(org);
    }
    let error = json!([{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}]);
    Err((StatusCode::UNAUTHORIZED, Json(error)))
}

fn shown(id: &str, record: &Map<String, Value>, fields: &[&str]) -> Value {
    let mut out = Map::from_iter([("attributes".to_owned(), json!({"type": "Account"})), ("Id".to_owned(), json!(id))]);
    for field in fields.iter().filter(|f| **f != "Id") {
        out.insert((*field).to_owned(), record.get(*field).cloned().unwrap_or_default());
    }
    Value::Object(out)
}

async fn read(State(org): State<Shared>, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    let org = enter(&org, &headers)?;
    let fields: Vec<&str> = body["fields"].as_array().unwrap().iter().map(|f| f.as_str().unwrap()).collect();
    let ids = body["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap());
    Ok(Json(ids.map(|id| org.records.get(id).map_or(Value::Null, |r| shown(id, r, &fields))).collect()))
}

async fn query(State(org): State<Shared>, headers: HeaderMap, Query(params): Query<BTreeMap<String, String>>) -> Answer {
    let org = enter(&org, &headers)?;
    let q = &params["q"];
    let fields: Vec<&str> = q.strip_prefix("SELECT ").unwrap().split_once(" FROM Account").unwrap().0.split(',').collect();
    let keys = q.split_once(" IN (").unwrap().1.trim_end_matches(')').replace("\\'", "'");
    let found =
        org.records.iter().filter(|(_, r)| r.get("Key__c").and_then(Value::as_str).is_some_and(|k| keys.contains(&format!("'{k}'"))));
    let records: Vec<Value> = found.map(|(id, r)| shown(id, r, &fields)).collect();
    // Everything is on a second page, so that paging is seen to work.
    let mut headers_of_next = BTreeMap::new();
    headers_of_next.insert("records", records);
    PAGES.lock().unwrap().insert(org.token.clone(), json!(headers_of_next));
    Ok(Json(json!({"records": [], "done": false, "nextRecordsUrl": format!("/services/data/v61.0/query/{}", org.token)})))
}

static PAGES: Mutex<BTreeMap<String, Value>> = Mutex::new(BTreeMap::new());

async fn second_page(State(org): State<Shared>, headers: HeaderMap, Path(page): Path<String>) -> Answer {
    let _org = enter(&org, &headers)?;
    Ok(Json(PAGES.lock().unwrap()[&page].clone()))
}

async fn write(State(org): State<Shared>, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    let mut org = enter(&org, &headers)?;
    if org.writes.len() >= org.stop_after {
        let error = json!([{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]);
        return Err((StatusCode::FORBIDDEN, Json(error)));
    }
    assert_eq!(body["allOrNone"], false);
    let records = body["records"].as_array().unwrap();
    assert!(records.len() <= 200);
    org.writes.push(records.iter().map(|r| r["id"].as_str().unwrap().to_owned()).collect());
    let results = records.iter().map(|record| {
        let mut record = record.as_object().unwrap().clone();
        let id = record.remove("id").unwrap().as_str().unwrap().to_owned();
        assert_eq!(record.remove("attributes").unwrap()["type"], "Account");
        if let Some((code, left)) = org.refusals.get_mut(&id).filter(|(_, left)| *left > 0) {
            *left -= 1;
            return json!({"success": false, "errors": [{"statusCode": code, "message": "no", "fields": ["Band__c"]}]});
        }
        org.records.get_mut(&id).unwrap().extend(record);
        json!({"id": id, "success": true, "errors": []})
    });
    Ok(Json(results.collect()))
}
