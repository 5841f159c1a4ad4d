//! Recorded against a real server on this machine, replayed without it.

use crate::testing::{Folder, answer, answers, client};
use crate::{Answer, Authenticator, Client, Credentials, Grant, KeepToken, Request, TokenRequest, Url};
use cscopilot_diag::{Coded, Secret};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

/// Status, headers, URL and body.
type Read = (u16, BTreeMap<String, String>, Url, Vec<u8>);

async fn read(answer: Answer) -> Read {
    let (status, headers, url) = (answer.status, answer.headers.clone(), answer.url.clone());
    (status, headers, url, answer.bytes(1_000_000).await.unwrap().to_vec())
}

async fn open(client: &Client, request: &Request) -> Read {
    read(client.open(request).await.unwrap()).await
}

fn record(folder: &Folder) -> Client {
    client().recording(folder.path().to_owned()).unwrap()
}

fn replay(folder: &Folder) -> Client {
    client().replaying(folder.path().to_owned()).unwrap()
}

fn at(url: &Url, query: &str) -> Url {
    let mut url = url.clone();
    url.set_query(Some(query));
    url
}

#[tokio::test]
async fn a_replay_gives_the_same_answers_without_a_server() {
    let folder = Folder::new();
    let (url, requests) = answers(vec![
        answer(200, &[("x-left", "9")], b"{\"page\": 1.10}\n"),
        answer(404, &[], b"<h1>\xc3\xa9</h1>"),
        answer(200, &[("content-type", "application/zip")], b"PK\x03\x04\xff\xfe\x00"),
        answer(200, &[], b""),
    ])
    .await;
    let all = [
        Request::get(at(&url, "page=1")),
        Request::get(at(&url, "page=2")),
        Request::post(url.clone()).json(&serde_json::json!({"from": 1})).unwrap(),
        Request::post(url.clone()).json(&serde_json::json!({"from": 2})).unwrap(),
    ];
    let mut recorded = Vec::new();
    let recording = record(&folder);
    for request in &all {
        recorded.push(open(&recording, request).await);
    }
    let replaying = replay(&folder);
    // In another order: requests are known by what they ask.
    for (request, recorded) in all.iter().zip(&recorded).rev() {
        assert_eq!(&open(&replaying, request).await, recorded);
    }
    assert_eq!(requests.lock().unwrap().len(), 4);
    let names: Vec<String> = folder.files().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["000001.json", "000002.json", "000003.json", "000004.json"]);
}

#[tokio::test]
async fn equal_requests_get_their_answers_in_the_order_of_recording_and_each_once() {
    let folder = Folder::new();
    let (url, _) = answers((0..12).map(|n: i32| answer(200, &[], n.to_string().as_bytes())).collect()).await;
    let recording = record(&folder);
    for _ in 0..12 {
        open(&recording, &Request::get(url.clone())).await;
    }
    let replaying = replay(&folder);
    for n in 0..12 {
        assert_eq!(open(&replaying, &Request::get(url.clone())).await.3, n.to_string().into_bytes());
    }
    let error = replaying.open(&Request::get(url)).await.unwrap_err();
    assert_eq!(error.code(), "HTT014");
    assert!(error.to_string().contains("not 13 times"), "{error}");
}

#[tokio::test]
async fn what_was_not_recorded_is_an_error_and_reaches_no_server() {
    let folder = Folder::new();
    let (url, requests) = answers(vec![answer(200, &[], b"1"), answer(200, &[], b"2")]).await;
    open(&record(&folder), &Request::get(at(&url, "page=1"))).await;
    let request = Request::get(at(&url, "page=2")).secret_query("key", Secret::new("k3y-s3cret"));
    let error = replay(&folder).open(&request).await.unwrap_err();
    assert_eq!((error.code(), requests.lock().unwrap().len()), ("HTT014", 1));
    assert!(error.to_string().contains("page=2&key=***"), "{error}");
    for client in [replay(&folder), replay(&folder)] {
        assert_eq!(client.send(&Request::post(at(&url, "page=1"))).await.unwrap_err().code(), "HTT014");
    }
}

#[tokio::test]
async fn several_clients_record_into_one_folder_and_nothing_is_overwritten() {
    let folder = Folder::new();
    for name in ["a", "b", "c"] {
        let (url, _) = answers(vec![answer(200, &[], name.as_bytes())]).await;
        open(&record(&folder), &Request::get(url)).await;
    }
    let files = folder.files();
    assert_eq!(files.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["000001.json", "000002.json", "000003.json"]);
    for ((_, text), name) in files.iter().zip(["a", "b", "c"]) {
        assert!(text.contains(&format!("\"text\": \"{name}\"")), "{text}");
    }
}

#[tokio::test]
async fn a_folder_that_holds_something_else_is_an_error() {
    let folder = Folder::new();
    std::fs::write(folder.path().join("000001.json"), "{}").unwrap();
    assert_eq!(client().replaying(folder.path().to_owned()).unwrap_err().code(), "HTT015");
    assert_eq!(client().replaying(folder.path().join("missing")).unwrap_err().code(), "HTT015");
    assert_eq!(client().recording(folder.path().join("000001.json")).unwrap_err().code(), "HTT015");
}

#[tokio::test]
async fn a_body_that_breaks_is_not_recorded() {
    let folder = Folder::new();
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345".to_vec();
    let (url, _) = answers(vec![cut, answer(200, &[], b"whole")]).await;
    let recording = record(&folder);
    assert_eq!(recording.open(&Request::get(url.clone())).await.unwrap_err().code(), "HTT003");
    open(&recording, &Request::get(url.clone())).await;
    assert_eq!(folder.files().len(), 1);
    assert_eq!(open(&replay(&folder), &Request::get(url)).await.3, b"whole");
}

#[derive(Default)]
struct Store(AtomicU32);

impl KeepToken for Store {
    fn keep(&self, _: &Secret) -> Result<(), String> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// A session with every kind of secret; the replay knows only placeholders.
async fn session(client: &Client, token_url: &Url, url: &Url, secret: &str, store: &Arc<Store>) -> Vec<Read> {
    let named = |name: &str| Secret::new(format!("{name}-{secret}"));
    let client = client.clone();
    let grant = Grant::Refresh { client_id: named("id"), client_secret: named("client"), refresh_token: named("refresh") };
    let token = TokenRequest { url: token_url.clone(), grant, params: Vec::new(), keep: vec!["instance_url".to_owned()] };
    let authenticator = Authenticator::new(client.clone(), Credentials::Token(token), Some(Arc::clone(store) as Arc<dyn KeepToken>));
    let fields = authenticator.fields().await.unwrap();
    assert_eq!(fields["instance_url"], "https://eu1.example.com");
    let (request, _) = authenticator.apply(Request::get(at(url, "page=1"))).await.unwrap();
    let mut all = vec![open(&client, &request).await];
    let basic = Authenticator::new(client.clone(), Credentials::Basic { user: named("user"), password: named("pass") }, None);
    let form = [("q".to_owned(), "open".to_owned()), ("token".to_owned(), format!("query-{secret}"))];
    let request = Request::post(url.clone()).form(&form).secret_query("token", named("query"));
    all.push(open(&client, &basic.apply(request).await.unwrap().0).await);
    all
}

#[tokio::test]
async fn a_recording_holds_no_secret_and_replays_without_any() {
    let folder = Folder::new();
    let token = br#"{"access_token": "access-s3cret", "refresh_token": "rotated-s3cret", "id_token": "identity-s3cret",
        "instance_url": "https://eu1.example.com", "expires_in": 3600}"#;
    let (token_url, _) = answers(vec![answer(200, &[("set-cookie", "sid=cookie-s3cret"), ("authorization", "s3cret")], token)]).await;
    let echo = b"{\"you\": \"Bearer access-s3cret\", \"n\": 12345678901234567890.10}";
    let basic = b"Basic dXNlci1zM2NyZXQ6cGFzcy1zM2NyZXQ= user-s3cret:pass-s3cret query-s3cret";
    let (url, requests) =
        answers(vec![answer(200, &[("link", "<https://x/?t=access-s3cret>; rel=\"next\"")], echo), answer(200, &[], basic)]).await;
    let store = Arc::new(Store::default());
    let recorded = session(&record(&folder), &token_url, &url, "s3cret", &store).await;
    assert_eq!(store.0.load(Ordering::Relaxed), 1);
    for (name, text) in folder.files() {
        assert!(!text.contains("s3cret") && !text.contains("dXNlci1zM2NyZXQ6cGFzcy1zM2NyZXQ"), "{name}: {text}");
    }
    assert_eq!(folder.files().len(), 3);

    let replaying = replay(&folder);
    assert!(replaying.is_replaying());
    let replayed = session(&replaying, &token_url, &url, "placeholder", &store).await;
    // No real token came, so none was stored in place of the real one.
    assert_eq!((store.0.load(Ordering::Relaxed), requests.lock().unwrap().len()), (1, 2));
    let body = |read: &Read| String::from_utf8(read.3.clone()).unwrap();
    assert_eq!(body(&recorded[0]), String::from_utf8_lossy(echo));
    assert_eq!(body(&replayed[0]), "{\"you\": \"Bearer ***\", \"n\": 12345678901234567890.10}");
    assert_eq!(body(&replayed[1]), "Basic *** ***:*** ***");
    for read in &replayed {
        assert_eq!((read.0, &read.2.path()), (200, &"/v1/things"));
        assert_eq!(read.1["content-length"], read.3.len().to_string());
    }
    assert_eq!(replayed[0].1["link"], "<https://x/?t=***>; rel=\"next\"");
}

#[tokio::test]
async fn a_recorded_redirection_still_says_where_the_answer_came_from() {
    let folder = Folder::new();
    let (store, _) = answers(vec![answer(200, &[], b"rows")]).await;
    let signed = at(&store, "signature=abc");
    let (url, _) = answers(vec![answer(302, &[("location", signed.as_str())], b"")]).await;
    let recorded = open(&record(&folder), &Request::get(url.clone())).await;
    assert_eq!(recorded.2, signed);
    assert!(!folder.files()[0].1.contains("signature"));
    let replayed = open(&replay(&folder), &Request::get(url)).await;
    assert_eq!((replayed.2, replayed.3), (store, b"rows".to_vec()));
}

#[tokio::test]
async fn many_at_a_time_are_recorded_each_whole() {
    let folder = Folder::new();
    let (url, _) = answers((0..20).map(|_| answer(200, &[], &[b'x'; 5000])).collect()).await;
    let recording = record(&folder);
    let lengths = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (recording, url, lengths) = (recording.clone(), url.clone(), Arc::clone(&lengths));
        tasks.spawn(async move {
            let read = open(&recording, &Request::get(url)).await;
            lengths.lock().unwrap().push(read.3.len());
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(lengths.lock().unwrap().as_slice(), [5000; 20]);
    assert_eq!(folder.files().len(), 20);
    replay(&folder);
}
