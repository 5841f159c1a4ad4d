//! Against a real server on this machine.

mod logs;
mod secrets;
mod stream;

use crate::{Client, ClientOptions, Method, Request, Url};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::any;
use cscopilot_diag::{Coded, Secret};
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Script = Arc<Mutex<Vec<(u16, Option<&'static str>, String)>>>;

async fn answer(State(script): State<Script>, headers: HeaderMap) -> impl IntoResponse {
    let next = script.lock().unwrap().pop();
    let (status, retry_after, body) = next.unwrap_or((200, None, "{\"ok\": true}".to_owned()));
    let body = body.replace("TOKEN", headers.get("authorization").map_or("", |v| v.to_str().unwrap()));
    let headers = retry_after.map(|value| [("retry-after", value)]);
    (StatusCode::from_u16(status).unwrap(), headers.map(axum::response::AppendHeaders), body)
}

/// A server that gives these answers, then only good ones.
async fn server(answers: &[(u16, Option<&'static str>, &str)]) -> (Url, Script) {
    let script: Script = Arc::new(Mutex::new(answers.iter().rev().map(|(s, r, b)| (*s, *r, (*b).to_owned())).collect()));
    let app = Router::new().route("/{*path}", any(answer)).with_state(Arc::clone(&script));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (Url::parse(&format!("http://{address}/api?key=hidden")).unwrap(), script)
}

fn client() -> Client {
    let options = ClientOptions {
        attempts: 3,
        first_wait: Duration::from_millis(1),
        longest_wait: Duration::from_millis(1500),
        timeout: Some(Duration::from_secs(5)),
        ..ClientOptions::default()
    };
    Client::new(options).unwrap()
}

#[derive(serde::Deserialize, PartialEq, Debug)]
struct Answer {
    ok: bool,
}

#[tokio::test]
async fn tries_again_after_failures_of_the_server() {
    let (url, script) = server(&[(500, None, ""), (503, None, "")]).await;
    let answer = client().send(&Request::get(url)).await.unwrap();
    assert_eq!((answer.json(), script.lock().unwrap().len()), (Ok(Answer { ok: true }), 0));
}

#[tokio::test]
async fn gives_up_after_a_bounded_number_of_attempts() {
    let (url, script) = server(&[(500, None, "a"), (500, None, "b"), (500, None, "c"), (500, None, "d")]).await;
    let error = client().send(&Request::get(url)).await.unwrap_err();
    assert_eq!((error.status(), error.code(), script.lock().unwrap().len()), (Some(500), "HTT006", 1));
}

#[tokio::test]
async fn waits_as_long_as_the_server_says_unless_that_is_too_long() {
    let (url, _) = server(&[(429, Some("1"), "")]).await;
    let watch = cscopilot_diag::clock::Stopwatch::start();
    client().send(&Request::get(url)).await.unwrap();
    assert!(watch.elapsed() >= Duration::from_secs(1));
    let (url, script) = server(&[(429, Some("600"), ""), (200, None, "")]).await;
    assert_eq!(client().send(&Request::get(url)).await.unwrap_err().status(), Some(429));
    assert_eq!(script.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_refusal_is_not_repeated_and_shows_no_secret() {
    let (url, script) = server(&[(401, None, "session TOKEN\n is   over"), (200, None, "")]).await;
    let request = Request::get(url.clone()).bearer(Secret::new("s3cr3t-token"));
    let error = client().send(&request).await.unwrap_err();
    let text = error.to_string().replace(&url.port().unwrap().to_string(), "PORT");
    insta::assert_snapshot!(text, @"GET http://127.0.0.1:PORT/api was answered with 401: session Bearer *** is over");
    assert_eq!((error.code(), script.lock().unwrap().len()), ("HTT004", 1));
    assert!(!format!("{request:?}").contains("s3cr3t"));
}

#[tokio::test]
async fn a_post_that_may_have_arrived_is_sent_once_only() {
    let (url, script) = server(&[(502, None, ""), (200, None, "")]).await;
    let post = Request::new(Method::POST, url).json(&serde_json::json!({})).unwrap();
    assert_eq!(client().send(&post).await.unwrap_err().status(), Some(502));
    script.lock().unwrap().push((502, None, String::new()));
    client().send(&post.repeatable()).await.unwrap();
}

#[tokio::test]
async fn no_server_is_an_error_that_says_so() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = Url::parse(&format!("http://user:pass@{address}/x?token=abc")).unwrap();
    let error = client().send(&Request::get(url)).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("3 attempts") && text.contains("refused"), "{text}");
    assert!(!text.contains("pass") && !text.contains("abc"), "{text}");
    assert_eq!(error.code(), "HTT003");
}

#[tokio::test]
async fn keeps_to_its_rate() {
    let (url, _) = server(&[]).await;
    let options = ClientOptions { requests_per_second: std::num::NonZeroU32::new(20), ..ClientOptions::default() };
    let client = Client::new(options).unwrap();
    let watch = cscopilot_diag::clock::Stopwatch::start();
    for _ in 0..30 {
        client.send(&Request::get(url.clone())).await.unwrap();
    }
    // Twenty at once, then one each 50 ms.
    assert!(watch.elapsed() >= Duration::from_millis(450), "{:?}", watch.elapsed());
}
