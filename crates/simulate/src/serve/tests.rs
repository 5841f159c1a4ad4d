use super::*;
use crate::{Config, simulate};
use serde_json::{Value, json};
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

struct Fake {
    server: Server,
    token: &'static str,
}

const COLLECTIONS: &str = "/services/data/v61.0/composite/sobjects";

fn simulated(dir: &Path) {
    let config = Config { accounts: 40, months: 2, ..Config::demo(dir.join("data")) };
    simulate(&config).unwrap();
}

async fn start(dir: &Path, set: impl FnOnce(&mut ServeConfig)) -> Fake {
    let mut config = ServeConfig::new(dir.join("data"), dir.join("state"), Secret::new("let-me-in"));
    set(&mut config);
    Fake { server: serve(config).await.unwrap(), token: "let-me-in" }
}

impl Fake {
    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let body = body.map(|b| b.to_string()).unwrap_or_default();
        let mut stream = TcpStream::connect(self.server.addr).await.unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.token,
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap_or(Value::Null))
    }

    async fn patch(&self, path: &str, records: Vec<Value>) -> (u16, Value) {
        self.call("PATCH", path, Some(json!({"allOrNone": false, "records": records}))).await
    }

    async fn ids(&self) -> Vec<String> {
        let (_, page) = self.call("GET", "/services/data/v61.0/query?q=SELECT+Id+FROM+Account", None).await;
        page["records"].as_array().unwrap().iter().map(|r| r["Id"].as_str().unwrap().to_string()).collect()
    }
}

fn account(id: &str, field: &str, value: Value) -> Value {
    json!({"attributes": {"type": "Account"}, "id": id, field: value})
}

#[tokio::test]
async fn updates_row_by_row_and_keeps_them_over_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    simulated(dir.path());
    let fake = start(dir.path(), |_| {}).await;
    let ids = fake.ids().await;
    let rows = vec![
        account(&ids[0], "CS_Health_Score__c", json!(71.5)),
        account(&ids[1], "CS_Helth_Score__c", json!(1)),
        account("001gL0000099999AAA", "CS_Health_Score__c", json!(1)),
        account(&ids[2], "CS_Health_Band__c", json!("x".repeat(50))),
        account(&ids[3][..15], "CS_Health_Band__c", json!("watch")),
    ];
    let (status, answer) = fake.patch(COLLECTIONS, rows).await;
    assert_eq!(status, 200);
    let codes: Vec<_> = (0..5).map(|i| answer[i]["errors"][0]["statusCode"].as_str().unwrap_or("ok")).collect();
    assert_eq!(codes, ["ok", "INVALID_FIELD", "NOT_FOUND", "STRING_TOO_LONG", "ok"]);
    assert_eq!(answer[4]["id"], ids[3]);
    assert_eq!(answer[1].get("id"), None);
    fake.server.stop().await;

    let again = start(dir.path(), |_| {}).await;
    let path = format!("{COLLECTIONS}/Account?ids={},{},001gL0000099999AAA&fields=Name,CS_Health_Score__c", ids[0], ids[3]);
    let (_, read) = again.call("GET", &path, None).await;
    assert_eq!(read[0]["CS_Health_Score__c"], json!(71.5));
    assert_eq!(read[1]["CS_Health_Score__c"], Value::Null);
    assert_eq!(read[2], Value::Null);
    assert!(read[0]["Name"].is_string() && read[0].get("Id").is_none());
    let log = std::fs::read_to_string(dir.path().join("state/salesforce.requests.jsonl")).unwrap();
    assert_eq!(log.lines().count(), 3);
    assert!(!log.contains("let-me-in"));
}

#[tokio::test]
async fn refuses_too_many_records_wrong_tokens_and_configured_ids() {
    let dir = tempfile::tempdir().unwrap();
    simulated(dir.path());
    let mut fake = start(dir.path(), |_| {}).await;
    let ids = fake.ids().await;
    let rows = vec![account(&ids[0], "Name", json!("A")); 201];
    let (status, answer) = fake.patch(COLLECTIONS, rows).await;
    assert_eq!((status, answer[0]["errorCode"].as_str()), (400, Some("EXCEEDED_ID_LIMIT")));
    fake.token = "wrong";
    let (status, answer) = fake.patch(COLLECTIONS, vec![]).await;
    assert_eq!((status, answer[0]["errorCode"].as_str()), (401, Some("INVALID_SESSION_ID")));

    let refused = ids[1].clone();
    let other = start(dir.path(), |c| {
        c.refuse.insert(refused, "FIELD_CUSTOM_VALIDATION_EXCEPTION".to_string());
        c.unavailable_every = Some(2);
    })
    .await;
    let (_, answer) = other.patch(COLLECTIONS, vec![account(&ids[1], "Name", json!("B"))]).await;
    assert_eq!(answer[0]["errors"][0]["statusCode"], "FIELD_CUSTOM_VALIDATION_EXCEPTION");
    assert_eq!(other.call("GET", "/services/data/v61.0/limits", None).await.0, 503);
}

#[tokio::test]
async fn all_or_none_rolls_everything_back() {
    let dir = tempfile::tempdir().unwrap();
    simulated(dir.path());
    let fake = start(dir.path(), |_| {}).await;
    let ids = fake.ids().await;
    let records = vec![account(&ids[0], "Name", json!("New")), account(&ids[1], "Nme", json!("x"))];
    let (_, answer) = fake.call("PATCH", COLLECTIONS, Some(json!({"allOrNone": true, "records": records}))).await;
    assert_eq!(answer[0]["errors"][0]["statusCode"], "ALL_OR_NONE_OPERATION_ROLLED_BACK");
    assert!(!dir.path().join("state/salesforce.json").exists());
}

#[tokio::test]
async fn upserts_by_external_id() {
    let dir = tempfile::tempdir().unwrap();
    simulated(dir.path());
    let fake = start(dir.path(), |_| {}).await;
    let path = format!("{COLLECTIONS}/Account/Customer_Number__c");
    let row = |number: &str, extra: Value| {
        let mut row = json!({"attributes": {"type": "Account"}, "Customer_Number__c": number, "CS_Health_Score__c": 5});
        row.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        row
    };
    let rows = vec![row("C-000001", json!({})), row("C-999999", json!({"Name": "New Inc."})), row("C-999998", json!({}))];
    let (_, answer) = fake.patch(&path, rows).await;
    assert_eq!((&answer[0]["created"], &answer[1]["created"]), (&json!(false), &json!(true)));
    assert_eq!(answer[2]["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING");
    let query = "/services/data/v61.0/query?q=SELECT+Id,Name+FROM+Account+WHERE+Customer_Number__c+IN+('C-999999')";
    let (_, found) = fake.call("GET", query, None).await;
    assert_eq!((&found["totalSize"], &found["records"][0]["Id"]), (&json!(1), &answer[1]["id"]));
}

#[tokio::test]
async fn pages_through_all_accounts() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { accounts: 2_100, months: 1, events_per_day: Some(1), ..Config::demo(dir.path().join("data")) };
    simulate(&config).unwrap();
    let fake = start(dir.path(), |_| {}).await;
    let (_, first) = fake.call("GET", "/services/data/v61.0/query?q=SELECT+Id+FROM+Account", None).await;
    assert_eq!((first["records"].as_array().unwrap().len(), &first["done"]), (2_000, &json!(false)));
    let (_, second) = fake.call("GET", first["nextRecordsUrl"].as_str().unwrap(), None).await;
    assert_eq!(second["done"], json!(true));
    let total = first["totalSize"].as_u64().unwrap() as usize;
    assert_eq!(2_000 + second["records"].as_array().unwrap().len(), total);
}
