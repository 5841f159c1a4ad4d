//! Tokens, against a real server on this machine.

use super::*;
use crate::testing::client;
use crate::{Error, Url};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use cscopilot_diag::Coded;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Mutex as Lock;
use std::time::Duration;
use tokio::sync::Semaphore;

/// A vendor's token server, and what happened in which order.
struct Vendor {
    /// What it answers next; made-up tokens after that.
    script: Lock<VecDeque<(u16, Value)>>,
    /// Requests wait here until they may be answered.
    gate: Semaphore,
    /// Becomes available when a request has arrived.
    arrived: Semaphore,
    log: Lock<Vec<String>>,
    forms: Lock<Vec<BTreeMap<String, String>>>,
    authorizations: Lock<Vec<Option<String>>>,
}

impl Vendor {
    fn note(&self, what: impl Into<String>) {
        self.log.lock().unwrap().push(what.into());
    }

    fn asked(&self) -> usize {
        self.forms.lock().unwrap().len()
    }

    fn form(&self, number: usize) -> BTreeMap<String, String> {
        self.forms.lock().unwrap()[number].clone()
    }

    fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

async fn give(Shared(vendor): Shared<Arc<Vendor>>, headers: HeaderMap, body: Bytes) -> (StatusCode, String) {
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    vendor.note(format!("asked with {}", form.get("refresh_token").map_or("nothing", |token| token)));
    vendor.authorizations.lock().unwrap().push(headers.get("authorization").map(|value| value.to_str().unwrap().to_owned()));
    let number = vendor.asked() + 1;
    let assertion = form.get("assertion").cloned().unwrap_or_default();
    vendor.forms.lock().unwrap().push(form);
    vendor.arrived.add_permits(1);
    vendor.gate.acquire().await.unwrap().forget();
    let next = vendor.script.lock().unwrap().pop_front();
    let (status, body) = next.unwrap_or_else(|| (200, json!({"access_token": format!("access-{number}")})));
    (StatusCode::from_u16(status).unwrap(), body.to_string().replace("ASSERTION", &assertion))
}

/// A token server that answers these, at once.
async fn vendor(script: impl IntoIterator<Item = (u16, Value)>) -> (Url, Arc<Vendor>) {
    let (url, vendor) = slow_vendor(script).await;
    vendor.gate.add_permits(1000);
    (url, vendor)
}

/// A token server that answers when its gate is opened.
async fn slow_vendor(script: impl IntoIterator<Item = (u16, Value)>) -> (Url, Arc<Vendor>) {
    let vendor = Arc::new(Vendor {
        script: Lock::new(script.into_iter().collect()),
        gate: Semaphore::new(0),
        arrived: Semaphore::new(0),
        log: Lock::default(),
        forms: Lock::default(),
        authorizations: Lock::default(),
    });
    let app = Router::new().route("/token", post(give)).with_state(Arc::clone(&vendor));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/token", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, vendor)
}

/// A secret store that fails so often.
struct Store {
    vendor: Arc<Vendor>,
    failures: Lock<u32>,
}

impl Store {
    fn keeper(vendor: &Arc<Vendor>, failures: u32) -> Option<Arc<dyn KeepToken>> {
        Some(Arc::new(Self { vendor: Arc::clone(vendor), failures: Lock::new(failures) }))
    }
}

impl KeepToken for Store {
    fn keep(&self, token: &Secret) -> std::result::Result<(), String> {
        let mut failures = self.failures.lock().unwrap();
        if *failures > 0 {
            *failures -= 1;
            return Err(format!("the disk is full, so {} is lost", token.expose()));
        }
        self.vendor.note(format!("kept {}", token.expose()));
        Ok(())
    }
}

fn refresh_grant() -> Grant {
    Grant::Refresh {
        client_id: Secret::new("the-client"),
        client_secret: Secret::new("its-secret"),
        refresh_token: Secret::new("refresh-0"),
    }
}

fn jwt_grant() -> Grant {
    Grant::JwtBearer {
        issuer: "the-client".to_owned(),
        subject: "user@example.com".to_owned(),
        audience: "https://login.example.com".to_owned(),
        private_key_pem: Secret::new(include_str!("testdata/private.pem")),
        lifetime: Duration::from_secs(180),
    }
}

fn token_request(url: &Url, grant: Grant) -> TokenRequest {
    let params = vec![("scope".to_owned(), "read write".to_owned())];
    TokenRequest { url: url.clone(), grant, params, keep: vec!["instance_url".to_owned(), "hub_id".to_owned(), "absent".to_owned()] }
}

fn authenticator(url: &Url, keeper: Option<Arc<dyn KeepToken>>) -> Authenticator {
    Authenticator::new(client(), Credentials::Token(token_request(url, refresh_grant())), keeper)
}

fn request() -> Request {
    Request::get(Url::parse("http://127.0.0.1:9/x").unwrap())
}

/// The token that a request carries.
fn carried(request: &Request) -> String {
    let (_, secret) = request.header_maps().unwrap();
    secret["authorization"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn one_token_serves_all_who_wait_for_the_first_one() {
    let (url, vendor) = slow_vendor([]).await;
    let authenticator = authenticator(&url, None);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let authenticator = authenticator.clone();
        tasks.spawn(async move { authenticator.apply(request()).await.unwrap() });
    }
    vendor.gate.add_permits(100);
    while let Some(done) = tasks.join_next().await {
        let (request, generation) = done.unwrap();
        assert_eq!((carried(&request).as_str(), generation), ("Bearer access-1", Generation(1)));
    }
    assert_eq!(vendor.asked(), 1);
}

#[tokio::test]
async fn eight_refused_requests_refresh_once() {
    let (url, vendor) = slow_vendor([]).await;
    let authenticator = authenticator(&url, None);
    vendor.gate.add_permits(1);
    let (_, stale) = authenticator.apply(request()).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let authenticator = authenticator.clone();
        tasks.spawn(async move {
            assert!(authenticator.refresh(stale).await.unwrap());
            authenticator.apply(request()).await.unwrap()
        });
    }
    vendor.gate.add_permits(100);
    while let Some(done) = tasks.join_next().await {
        let (request, generation) = done.unwrap();
        assert_eq!((carried(&request).as_str(), generation), ("Bearer access-2", Generation(2)));
    }
    assert_eq!(vendor.asked(), 2);
    // A late answer to the first token doesn't throw the second one away.
    assert!(authenticator.refresh(stale).await.unwrap());
    assert_eq!(vendor.asked(), 2);
    assert!(authenticator.refresh(Generation(2)).await.unwrap());
    assert_eq!(vendor.asked(), 3);
}

#[tokio::test]
async fn who_waited_while_a_refresh_failed_fails_too_but_later_ones_ask_again() {
    let refusal = json!({"error": "invalid_grant", "error_description": "refresh-0 is not known"});
    let (url, vendor) = slow_vendor([(400, refusal)]).await;
    let authenticator = authenticator(&url, None);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let authenticator = authenticator.clone();
        tasks.spawn(async move { authenticator.apply(request()).await.unwrap_err() });
    }
    // All of them wait by now: this is the only thread, and the first one waits for the vendor.
    vendor.arrived.acquire().await.unwrap().forget();
    vendor.gate.add_permits(100);
    while let Some(done) = tasks.join_next().await {
        let error = done.unwrap();
        assert_eq!((error.code(), error.status()), ("HTT010", Some(400)));
        assert!(!format!("{error} {error:?}").contains("refresh-0"), "{error}");
        assert!(error.to_string().contains("invalid_grant"), "{error}");
    }
    assert_eq!(vendor.asked(), 1);
    assert_eq!(carried(&authenticator.apply(request()).await.unwrap().0), "Bearer access-2");
}

#[tokio::test]
async fn a_failing_token_server_is_asked_again() {
    let (url, vendor) = vendor([(503, json!({}))]).await;
    assert_eq!(carried(&authenticator(&url, None).apply(request()).await.unwrap().0), "Bearer access-2");
    assert_eq!(vendor.asked(), 2);
}

#[tokio::test]
async fn a_replaced_refresh_token_is_stored_before_the_new_token_is_used() {
    let first = json!({"access_token": "access-1", "refresh_token": "refresh-1"});
    let second = json!({"access_token": "access-2", "refresh_token": "refresh-1"});
    let (url, vendor) = vendor([(200, first), (200, second)]).await;
    let authenticator = authenticator(&url, Store::keeper(&vendor, 0));
    let (request_1, generation) = authenticator.apply(request()).await.unwrap();
    vendor.note(format!("used {}", carried(&request_1)));
    authenticator.refresh(generation).await.unwrap();
    vendor.note(format!("used {}", carried(&authenticator.apply(request()).await.unwrap().0)));
    // The second time the same refresh token came back: there was nothing to store.
    let expected = ["asked with refresh-0", "kept refresh-1", "used Bearer access-1", "asked with refresh-1", "used Bearer access-2"];
    assert_eq!(vendor.log(), expected);
}

#[tokio::test]
async fn a_refresh_token_that_cannot_be_stored_fails_the_request_and_is_not_lost() {
    let (url, vendor) = vendor([(200, json!({"access_token": "access-1", "refresh_token": "refresh-1"}))]).await;
    let authenticator = authenticator(&url, Store::keeper(&vendor, 2));
    for _ in 0..2 {
        let error = authenticator.apply(request()).await.unwrap_err();
        assert_eq!(error.code(), "HTT011");
        assert!(error.to_string().contains("the disk is full, so *** is lost"), "{error}");
    }
    vendor.note(format!("used {}", carried(&authenticator.apply(request()).await.unwrap().0)));
    assert_eq!(vendor.log(), ["asked with refresh-0", "kept refresh-1", "used Bearer access-1"]);
}

#[tokio::test]
async fn a_refresh_token_is_stored_even_if_nobody_waits_for_it_any_more() {
    let (url, vendor) = slow_vendor([(200, json!({"access_token": "access-1", "refresh_token": "refresh-1"}))]).await;
    let authenticator = authenticator(&url, Store::keeper(&vendor, 0));
    let impatient = authenticator.clone();
    let task = tokio::spawn(async move { impatient.apply(request()).await.map(|_| ()) });
    vendor.arrived.acquire().await.unwrap().forget();
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    vendor.gate.add_permits(100);
    // This one waits for the first, and finds its token.
    assert_eq!(carried(&authenticator.apply(request()).await.unwrap().0), "Bearer access-1");
    assert_eq!(vendor.log(), ["asked with refresh-0", "kept refresh-1"]);
}

#[tokio::test]
async fn a_token_that_is_known_to_have_expired_is_not_used() {
    let (url, vendor) =
        vendor([(200, json!({"access_token": "brief", "expires_in": 0.05})), (200, json!({"access_token": "lasting"}))]).await;
    let authenticator = authenticator(&url, None);
    assert_eq!(carried(&authenticator.apply(request()).await.unwrap().0), "Bearer brief");
    let watch = cscopilot_diag::clock::Stopwatch::start();
    while carried(&authenticator.apply(request()).await.unwrap().0) == "Bearer brief" {
        assert!(watch.elapsed() < Duration::from_secs(5), "it still holds");
        tokio::task::yield_now().await;
    }
    assert_eq!(carried(&authenticator.apply(request()).await.unwrap().0), "Bearer lasting");
    assert_eq!(vendor.asked(), 2);
}

#[tokio::test]
async fn fields_of_the_answer_are_kept() {
    let answer = json!({"access_token": "t0ken", "instance_url": "https://eu1.example.com", "hub_id": 62515, "scope": "read"});
    let (url, vendor) = vendor([(200, answer)]).await;
    let authenticator = authenticator(&url, None);
    let fields = authenticator.fields().await.unwrap();
    let expected = [("hub_id", "62515"), ("instance_url", "https://eu1.example.com")];
    assert_eq!(fields, expected.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
    authenticator.apply(request()).await.unwrap();
    assert_eq!(vendor.asked(), 1);
}

#[tokio::test]
async fn an_answer_without_a_token_is_an_error() {
    for (status, body, code) in [
        (200, json!({"token": "x"}), "HTT008"),
        (200, json!({"error": "bad_refresh_token"}), "HTT010"),
        (401, json!({"error": "invalid_client"}), "HTT010"),
        (200, json!("<html>"), "HTT008"),
    ] {
        let (url, _) = vendor([(status, body.clone())]).await;
        let error = authenticator(&url, None).apply(request()).await.unwrap_err();
        assert_eq!(error.code(), code, "{body}: {error}");
    }
}

#[tokio::test]
async fn each_grant_asks_as_its_standard_says() {
    let (url, vendor) = vendor([]).await;
    let credentials =
        |in_header| Grant::ClientCredentials { client_id: Secret::new("the-client"), client_secret: Secret::new("its-secret"), in_header };
    for grant in [refresh_grant(), credentials(false), credentials(true), jwt_grant()] {
        let authenticator = Authenticator::new(client(), Credentials::Token(token_request(&url, grant)), None);
        authenticator.apply(request()).await.unwrap();
    }
    let form = |pairs: &[(&str, &str)]| {
        let scope = ("scope", "read write");
        pairs.iter().chain([&scope]).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
    };
    let id = [("client_id", "the-client"), ("client_secret", "its-secret")];
    assert_eq!(vendor.form(0), form(&[("grant_type", "refresh_token"), ("refresh_token", "refresh-0"), id[0], id[1]]));
    assert_eq!(vendor.form(1), form(&[("grant_type", "client_credentials"), id[0], id[1]]));
    assert_eq!(vendor.form(2), form(&[("grant_type", "client_credentials")]));
    let mut last = vendor.form(3);
    let assertion = last.remove("assertion").unwrap();
    assert_eq!(last, form(&[("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")]));
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    rules.set_audience(&["https://login.example.com"]);
    let key = jsonwebtoken::DecodingKey::from_rsa_pem(include_bytes!("testdata/public.pem")).unwrap();
    let claims = jsonwebtoken::decode::<Value>(&assertion, &key, &rules).unwrap().claims;
    assert_eq!((claims["iss"].as_str(), claims["sub"].as_str()), (Some("the-client"), Some("user@example.com")));
    let authorizations = vendor.authorizations.lock().unwrap().clone();
    // `the-client:its-secret`
    assert_eq!(authorizations, [None, None, Some("Basic dGhlLWNsaWVudDppdHMtc2VjcmV0".to_owned()), None]);
}

#[tokio::test]
async fn a_refusal_that_quotes_the_assertion_does_not_show_it() {
    let (url, vendor) = vendor([(400, json!({"error": "not for us", "got": "<ASSERTION>"}))]).await;
    let authenticator = Authenticator::new(client(), Credentials::Token(token_request(&url, jwt_grant())), None);
    let error = authenticator.apply(request()).await.unwrap_err();
    assert!(error.to_string().contains("<***>") && !error.to_string().contains(&vendor.form(0)["assertion"]), "{error}");
}

#[tokio::test]
async fn what_stays_as_it_is_cannot_be_refreshed() {
    let key = || Secret::new("the-key");
    for (credentials, header) in [
        (Credentials::None, None),
        (Credentials::Header { name: "X-Key".to_owned(), key: key() }, Some(("x-key", "the-key"))),
        (Credentials::Query { name: "key".to_owned(), key: key() }, None),
        (Credentials::Basic { user: key(), password: Secret::new("") }, Some(("authorization", "Basic dGhlLWtleTo="))),
        (Credentials::Bearer(key()), Some(("authorization", "Bearer the-key"))),
    ] {
        let in_query = matches!(credentials, Credentials::Query { .. });
        let authenticator = Authenticator::new(client(), credentials, None);
        let (request, generation) = authenticator.apply(request()).await.unwrap();
        let (_, secret) = request.header_maps().unwrap();
        assert_eq!(secret.iter().next().map(|(name, value)| (name.as_str(), value.to_str().unwrap())), header);
        assert_eq!(request.full_url().query(), in_query.then_some("key=the-key"));
        assert_eq!(request.url().query(), None);
        assert!(!authenticator.refresh(generation).await.unwrap());
        assert!(authenticator.fields().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_broken_key_is_an_error_before_anything_is_sent() {
    let (url, vendor) = vendor([]).await;
    let grant = Grant::JwtBearer {
        issuer: String::new(),
        subject: String::new(),
        audience: String::new(),
        private_key_pem: Secret::new("no key"),
        lifetime: Duration::from_secs(60),
    };
    let authenticator = Authenticator::new(client(), Credentials::Token(token_request(&url, grant)), None);
    let error = authenticator.apply(request()).await.unwrap_err();
    assert!(matches!(&error, Error::BadKey { .. }), "{error:?}");
    assert_eq!((error.code(), vendor.asked()), ("HTT012", 0));
}
