use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::fakes::testing::{Answer, call, get, start};
use crate::fakes::world::DAY;
use crate::fakes::{CLIENT_ID, CLIENT_SECRET, EMAIL, Fakes, Fault, Kind, REFRESH_TOKEN, TOKEN, auth};

const DATA: &str = "/salesforce/services/data/v61.0";

fn bearer() -> String {
    format!("Bearer {TOKEN}")
}

fn encoded(text: &str) -> String {
    let safe = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if safe(b) { (b as char).to_string() } else { format!("%{b:02X}") }).collect()
}

async fn query(fakes: &Fakes, how: &str, soql: &str) -> Answer {
    get(fakes, &format!("{DATA}/{how}?q={}", encoded(soql)), &bearer()).await
}

/// All records of a query, page after page.
async fn all(fakes: &Fakes, how: &str, soql: &str) -> Vec<Value> {
    let mut page = query(fakes, how, soql).await.json();
    let mut records = Vec::new();
    loop {
        records.extend(page["records"].as_array().unwrap().clone());
        let Some(next) = page["nextRecordsUrl"].as_str() else { break };
        page = get(fakes, next, &bearer()).await.json();
    }
    assert_eq!((page["done"].clone(), page["totalSize"].clone()), (json!(true), json!(records.len())));
    records
}

async fn post(fakes: &Fakes, path: &str, body: Value) -> Answer {
    let headers = [("authorization", bearer()), ("content-type", "application/json".to_string())];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
    call(fakes, "POST", path, &headers, &body.to_string()).await.unwrap()
}

async fn token(fakes: &Fakes, form: &str, authorization: Option<&str>) -> Answer {
    let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
    headers.extend(authorization.map(|value| ("authorization", value)));
    call(fakes, "POST", "/salesforce/services/oauth2/token", &headers, form).await.unwrap()
}

#[tokio::test]
async fn pages_give_every_record_once_and_as_the_truth_has_it() {
    let fakes = start(|c| c.accounts = 800).await;
    let soql = "SELECT Id, AccountId, FirstName, LastName, Email, Title, Department, IsDeleted, CreatedDate, SystemModstamp FROM Contact";
    let read = all(&fakes, "queryAll", soql).await;
    assert!(read.len() > 2_000, "more than a page: {}", read.len());
    let read: BTreeMap<&str, &Value> = read.iter().map(|r| (r["Id"].as_str().unwrap(), r)).collect();
    let truth = fakes.world().truth("salesforce", "contacts");
    assert_eq!(read.len(), truth.len());
    for held in &truth {
        let record = read[held.id.as_str()];
        assert_eq!(record["IsDeleted"], held.deleted);
        assert!(record.as_object().unwrap().iter().all(|(field, value)| held.body[field] == *value), "{record} {}", held.body);
    }
    assert!(truth.iter().any(|h| h.deleted));
}

#[tokio::test]
async fn deleted_records_show_in_query_all_only() {
    let fakes = start(|_| {}).await;
    for object in ["Account", "Contact", "Opportunity", "Task", "Case"] {
        let deleted = all(&fakes, "queryAll", &format!("SELECT Id, IsDeleted FROM {object} WHERE IsDeleted = true")).await;
        let everything = all(&fakes, "queryAll", &format!("SELECT Id FROM {object}")).await;
        let live = all(&fakes, "query", &format!("SELECT Id FROM {object}")).await;
        assert_eq!(live.len() + deleted.len(), everything.len(), "{object}");
        assert!(all(&fakes, "query", &format!("SELECT Id FROM {object} WHERE IsDeleted = true")).await.is_empty());
        fakes.world().set_now(fakes.world().began() + DAY);
        let later = all(&fakes, "queryAll", &format!("SELECT Id FROM {object} WHERE IsDeleted = true")).await;
        assert!(later.len() > deleted.len(), "{object}: some are deleted on the next day");
        fakes.world().set_now(fakes.world().began());
    }
}

#[tokio::test]
async fn the_next_day_has_changes_in_every_stream_and_windows_find_exactly_them() {
    let fakes = start(|_| {}).await;
    let began = fakes.world().began();
    for (object, stream) in [
        ("Account", "accounts"),
        ("Contact", "contacts"),
        ("Opportunity", "opportunities"),
        ("Task", "tasks"),
        ("Case", "cases"),
        ("User", "users"),
    ] {
        fakes.world().set_now(began);
        let before = fakes.world().truth("salesforce", stream);
        fakes.world().set_now(began + DAY);
        let changed: BTreeMap<_, _> =
            fakes.world().truth("salesforce", stream).into_iter().filter(|h| !before.contains(h)).map(|h| (h.id, h.body)).collect();
        assert!(changed.len() >= 4, "{stream}: {}", changed.len());
        let at = |micros: i64| super::records::stamp(micros).replace("+0000", "Z");
        let window = format!("SystemModstamp >= {} AND SystemModstamp < {}", at(began + 1_000_000), at(began + DAY + 1_000_000));
        let found = all(&fakes, "queryAll", &format!("SELECT Id, SystemModstamp FROM {object} WHERE {window}")).await;
        let ids: Vec<&str> = found.iter().map(|r| r["Id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), changed.len(), "{stream}");
        assert!(ids.iter().all(|id| changed.contains_key(*id)), "{stream}");
    }
}

#[tokio::test]
async fn a_count_tells_how_many_and_batch_size_is_obeyed() {
    let fakes = start(|c| c.accounts = 300).await;
    let count = query(&fakes, "queryAll", "SELECT COUNT() FROM Contact").await.json();
    assert_eq!(count["records"], json!([]));
    let path = format!("{DATA}/queryAll?q={}", encoded("SELECT Id FROM Contact"));
    let headers = [("authorization", bearer()), ("sforce-query-options", "batchSize=250".to_string())];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let page = call(&fakes, "GET", &path, &headers, "").await.unwrap().json();
    assert_eq!((page["records"].as_array().unwrap().len(), &page["totalSize"]), (250, &count["totalSize"]));
}

#[tokio::test]
async fn three_grants_give_tokens_and_wrong_ones_dont() {
    let fakes = start(|c| c.rotate_refresh_tokens = true).await;
    let client = format!("client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}");
    let first = token(&fakes, &format!("grant_type=refresh_token&refresh_token={REFRESH_TOKEN}&{client}"), None).await.json();
    let next = first["refresh_token"].as_str().unwrap();
    let again = token(&fakes, &format!("grant_type=refresh_token&refresh_token={REFRESH_TOKEN}&{client}"), None).await;
    assert_eq!((again.status, again.json()["error"].clone()), (400, json!("invalid_grant")), "a rotated token is used up");
    assert_eq!(token(&fakes, &format!("grant_type=refresh_token&refresh_token={next}&{client}"), None).await.status, 200);
    assert_eq!(token(&fakes, &format!("grant_type=client_credentials&{client}"), None).await.status, 200);
    let basic = auth::basic(CLIENT_ID, CLIENT_SECRET);
    assert_eq!(token(&fakes, "grant_type=client_credentials", Some(&basic)).await.status, 200);
    let wrong = token(&fakes, &format!("grant_type=client_credentials&client_id={CLIENT_ID}&client_secret=x"), None).await;
    assert_eq!(wrong.json()["error"], "invalid_client");

    let part = |value: &Value| auth::base64(value.to_string().as_bytes()).replace('+', "-").replace('/', "_").replace('=', "");
    let expires = cscopilot_diag::clock::now().timestamp() + 180;
    let assertion = |claims: Value| format!("{}.{}.{}", part(&json!({"alg": "RS256"})), part(&claims), "s".repeat(342));
    let jwt = |assertion: String| format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}");
    let claims = json!({"iss": CLIENT_ID, "sub": EMAIL, "aud": "https://login.salesforce.com", "exp": expires});
    let answer = token(&fakes, &jwt(assertion(claims.clone())), None).await.json();
    assert_eq!(answer["instance_url"], format!("http://{}/salesforce", fakes.addr()));
    for (claim, value) in
        [("iss", json!("other")), ("sub", json!("other")), ("aud", json!("https://x.example")), ("exp", json!(expires - 300))]
    {
        let mut claims = claims.clone();
        claims[claim] = value;
        assert_eq!(token(&fakes, &jwt(assertion(claims)), None).await.status, 400, "{claim}");
    }
    let issued = format!("Bearer {}", answer["access_token"].as_str().unwrap());
    let limits = get(&fakes, &format!("{DATA}/limits"), &issued).await;
    assert_eq!((limits.status, limits.headers["sforce-limit-info"].as_str()), (200, "api-usage=1/100000"));
    assert_eq!(limits.json()["DailyApiRequests"]["Remaining"], 99_999);
    fakes.faults().set(Fault::new("salesforce", Kind::ExpiredToken, 1));
    for _ in 0..2 {
        let refused = get(&fakes, &format!("{DATA}/limits"), &issued).await;
        assert_eq!((refused.status, refused.json()[0]["errorCode"].clone()), (401, json!("INVALID_SESSION_ID")));
    }
}

async fn job(fakes: &Fakes, soql: &str, most: usize) -> (String, Vec<String>) {
    let request = json!({"operation": "queryAll", "query": soql, "contentType": "CSV", "columnDelimiter": "COMMA", "lineEnding": "LF"});
    let created = post(fakes, &format!("{DATA}/jobs/query"), request).await.json();
    assert_eq!(created["state"], "UploadComplete", "{created}");
    let path = format!("{DATA}/jobs/query/{}", created["id"].as_str().unwrap());
    assert_eq!(get(fakes, &path, &bearer()).await.json()["state"], "InProgress");
    let early = get(fakes, &format!("{path}/results"), &bearer()).await;
    assert_eq!((early.status, early.json()[0]["errorCode"].clone()), (400, json!("INVALIDJOBSTATE")));
    let done = get(fakes, &path, &bearer()).await.json();
    let mut pages = Vec::new();
    let mut locator = String::new();
    while done["state"] == "JobComplete" && locator != "null" {
        let at = if locator.is_empty() { String::new() } else { format!("&locator={locator}") };
        let page = get(fakes, &format!("{path}/results?maxRecords={most}{at}"), &bearer()).await;
        locator = page.headers["sforce-locator"].clone();
        pages.push(page.text());
    }
    let deleted = call(fakes, "DELETE", &path, &[("authorization", &bearer())], "").await.unwrap();
    assert_eq!((deleted.status, deleted.body.len()), (204, 0));
    assert_eq!(get(fakes, &path, &bearer()).await.status, 404);
    (done["state"].as_str().unwrap().to_string(), pages)
}

#[tokio::test]
async fn a_job_gives_csv_with_a_header_on_each_page() {
    let fakes = start(|_| {}).await;
    let (state, pages) = job(&fakes, "SELECT Id, Department, OwnerId FROM Contact ORDER BY Id", 50).await;
    assert_eq!(state, "JobComplete");
    assert!(pages.len() > 2);
    assert!(pages.iter().all(|page| page.starts_with("\"Id\",\"Department\",\"OwnerId\"\n")));
    let lines: Vec<&str> = pages.iter().flat_map(|page| page.lines().skip(1)).collect();
    let truth = fakes.world().truth("salesforce", "contacts");
    assert_eq!(lines.len(), truth.len());
    for (line, held) in lines.iter().zip(&truth) {
        let department = held.body["Department"].as_str().unwrap_or("").replace('"', "\"\"");
        assert_eq!(*line, format!("\"{}\",\"{department}\",\"\"", held.id));
    }
    assert!(lines.iter().any(|line| line.contains("\"NA\"")) && lines.iter().any(|line| line.contains("\"\"North\"\"")));
}

#[tokio::test]
async fn jobs_are_refused_and_fail_as_salesforce_does() {
    let fakes = start(|_| {}).await;
    let create = |soql: &str| {
        let request = json!({"operation": "query", "query": soql});
        let fakes = &fakes;
        async move { post(fakes, &format!("{DATA}/jobs/query"), request).await.json()[0].clone() }
    };
    assert_eq!(create("SELECT Id FROM TaskStatus").await["errorCode"], "INVALIDENTITY");
    assert_eq!(create("SELECT Id, BillingAddress FROM Account").await["message"], "Selecting compound data not supported in Bulk Query");
    assert_eq!(create("SELECT Nme FROM Account").await["errorCode"], "INVALID_FIELD");
    for end in ["Failed", "Aborted"] {
        let behaviour = json!({"jobs_ending_badly": 1, "jobs_end": end}).to_string();
        let set = call(&fakes, "PUT", "/salesforce/_fake/behaviour", &[("content-type", "application/json")], &behaviour).await.unwrap();
        assert_eq!(set.status, 204);
        assert_eq!(job(&fakes, "SELECT Id FROM Account", 10).await.0, end);
        assert_eq!(job(&fakes, "SELECT Id FROM Account", 10_000).await.0, "JobComplete", "the next one is fine");
    }
}

#[tokio::test]
async fn queries_time_out_and_quotas_end_if_asked_to() {
    let fakes = start(|_| {}).await;
    let behave = |behaviour: Value| {
        let fakes = &fakes;
        async move {
            let headers = [("content-type", "application/json")];
            call(fakes, "PUT", "/salesforce/_fake/behaviour", &headers, &behaviour.to_string()).await.unwrap().status
        }
    };
    assert_eq!(behave(json!({"query_timeout_above": 10})).await, 204);
    assert_eq!(query(&fakes, "query", "SELECT Id FROM Contact").await.json()[0]["errorCode"], "QUERY_TIMEOUT");
    assert_eq!(query(&fakes, "query", "SELECT Id FROM TaskStatus").await.status, 200);
    assert_eq!(behave(json!({"daily_requests": 3})).await, 204);
    assert_eq!(query(&fakes, "query", "SELECT Id FROM TaskStatus").await.headers["sforce-limit-info"], "api-usage=3/3");
    let refused = query(&fakes, "query", "SELECT Id FROM TaskStatus").await;
    assert_eq!((refused.status, refused.json()[0]["errorCode"].clone()), (403, json!("REQUEST_LIMIT_EXCEEDED")));
    fakes.world().set_now(fakes.world().began() + DAY);
    assert_eq!(query(&fakes, "query", "SELECT Id FROM TaskStatus").await.status, 200, "24 hours later");
    let long = format!("SELECT Id FROM Contact WHERE Title != '{}'", "x".repeat(16_400));
    assert_eq!(query(&fakes, "query", &long).await.status, 414);
}

#[tokio::test]
async fn an_empty_page_leads_to_the_page_that_was_asked_for() {
    let fakes = start(|_| {}).await;
    fakes.faults().set(Fault::new("salesforce", Kind::EmptyPage, 1));
    let empty = query(&fakes, "query", "SELECT Id FROM Account").await.json();
    assert_eq!((&empty["records"], &empty["done"]), (&json!([]), &json!(false)));
    let page = get(&fakes, empty["nextRecordsUrl"].as_str().unwrap(), &bearer()).await.json();
    assert_eq!(page["records"].as_array().unwrap().len() as u64, empty["totalSize"].as_u64().unwrap());
}

#[tokio::test]
async fn describe_names_fields_and_types() {
    let fakes = start(|_| {}).await;
    let described = get(&fakes, &format!("{DATA}/sobjects/Opportunity/describe"), &bearer()).await.json();
    let kind = |name: &str| described["fields"].as_array().unwrap().iter().find(|f| f["name"] == name).unwrap()["type"].clone();
    assert_eq!((kind("Amount"), kind("CloseDate"), kind("SystemModstamp")), (json!("currency"), json!("date"), json!("datetime")));
    let unknown = get(&fakes, &format!("{DATA}/sobjects/Lead/describe"), &bearer()).await;
    assert_eq!((unknown.status, unknown.json()[0]["errorCode"].clone()), (404, json!("NOT_FOUND")));
}
