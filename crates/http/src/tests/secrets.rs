//! Secrets leave by the wire only.

use crate::testing::{Act, answer, answers, client, scripted};
use crate::{Authenticator, Credentials, Grant, Request, TokenRequest, Url};
use cscopilot_diag::{Coded, Secret};
use std::time::Duration;

const PLAIN: &str = "p4ss/w0rd+x";

fn secret() -> Secret {
    Secret::new(PLAIN)
}

/// A text holds no form of the secret.
#[track_caller]
fn clean(text: &str) {
    for form in [PLAIN, "p4ss%2Fw0rd%2Bx", "p4ss\\/w0rd+x", "dXNlcjpwNHNzL3cwcmQreA==", "w0rd"] {
        assert!(!text.contains(form), "`{form}` in: {text}");
    }
}

fn requests(url: &Url) -> Vec<Request> {
    let get = || Request::get(url.clone());
    vec![
        get().bearer(secret()),
        get().basic(Secret::new("user"), secret()),
        get().secret_header("x-api-key", secret()),
        get().secret_header("authorization", Secret::new(format!("Token {PLAIN}"))),
        get().secret_header("Authorization", secret()),
        get().secret_query("key", secret()),
    ]
}

#[tokio::test]
async fn what_proves_who_asks_arrives_and_its_echo_is_hidden() {
    let expected = [
        "authorization: Bearer p4ss/w0rd+x",
        "authorization: Basic dXNlcjpwNHNzL3cwcmQreA==",
        "x-api-key: p4ss/w0rd+x",
        "authorization: Token p4ss/w0rd+x",
        "authorization: p4ss/w0rd+x",
        "GET /v1/things?key=p4ss%2Fw0rd%2Bx HTTP/1.1",
    ];
    for (number, expected) in expected.into_iter().enumerate() {
        let echo = "you said p4ss/w0rd+x, p4ss%2Fw0rd%2Bx, \"p4ss\\/w0rd+x\" or dXNlcjpwNHNzL3cwcmQreA==";
        // A client each: it must know the secret from this request alone.
        let echo = if number == 1 { echo } else { echo.split(" or ").next().unwrap() };
        let (url, seen) = answers(vec![answer(400, &[("location", "/x")], echo.as_bytes()), answer(400, &[], echo.as_bytes())]).await;
        let request = requests(&url).remove(number);
        let client = client();
        let answer = client.open(&request).await.unwrap();
        assert!(seen.lock().unwrap()[0].contains(expected), "{}", seen.lock().unwrap()[0]);
        assert_eq!(answer.url, url);
        clean(&answer.excerpt(echo.as_bytes()));
        clean(&format!("{answer:?} {request:?} {client:?}"));
        let error = client.send(&request).await.unwrap_err();
        clean(&format!("{error} {error:?}"));
    }
}

#[tokio::test]
async fn another_host_learns_no_secret() {
    for number in 0..6 {
        let (elsewhere, strangers) = answers(vec![answer(200, &[], b"data")]).await;
        let (url, _) = answers(vec![answer(302, &[("location", elsewhere.as_str())], b"")]).await;
        let answer = client().open(&requests(&url).remove(number)).await.unwrap();
        assert_eq!((answer.status, &answer.url), (200, &elsewhere));
        let seen = strangers.lock().unwrap().remove(0);
        clean(&seen);
        assert!(!seen.to_lowercase().contains("authorization"), "{seen}");
    }
}

#[tokio::test]
async fn a_broken_connection_shows_no_secret() {
    for number in 0..6 {
        let (url, _) = scripted(vec![vec![], vec![Act::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1".to_vec())]]).await;
        let request = requests(&url).remove(number);
        let error = client().open(&request).await.unwrap_err();
        clean(&format!("{error} {error:?}"));
        let error = client().open(&request).await.unwrap().bytes(10).await.unwrap_err();
        clean(&format!("{error} {error:?}"));
    }
}

#[tokio::test]
async fn a_secret_with_a_line_break_is_an_error_before_anything_is_sent() {
    let (url, seen) = answers(vec![answer(200, &[], b"")]).await;
    let request = Request::get(url).secret_header("x-key", Secret::new(format!("{PLAIN}\n")));
    let error = client().send(&request).await.unwrap_err();
    assert_eq!((error.code(), seen.lock().unwrap().len()), ("HTT013", 0));
    clean(&format!("{error} {error:?}"));
}

#[test]
fn debug_of_no_type_shows_a_secret() {
    let url = Url::parse("https://user:p4ss%2Fw0rd%2Bx@example.com/token?key=p4ss%2Fw0rd%2Bx").unwrap();
    let grants = [
        Grant::Refresh { client_id: secret(), client_secret: secret(), refresh_token: secret() },
        Grant::ClientCredentials { client_id: secret(), client_secret: secret(), in_header: true },
        Grant::JwtBearer {
            issuer: "me".to_owned(),
            subject: "me".to_owned(),
            audience: "you".to_owned(),
            private_key_pem: secret(),
            lifetime: Duration::from_secs(1),
        },
    ];
    let mut credentials = vec![
        Credentials::Header { name: "x".to_owned(), key: secret() },
        Credentials::Query { name: "x".to_owned(), key: secret() },
        Credentials::Basic { user: secret(), password: secret() },
        Credentials::Bearer(secret()),
    ];
    for grant in grants {
        let params = vec![("password".to_owned(), PLAIN.to_owned())];
        credentials.push(Credentials::Token(TokenRequest { url: url.clone(), grant, params, keep: Vec::new() }));
    }
    for credentials in credentials {
        clean(&format!("{credentials:?}"));
        clean(&format!("{:?}", Authenticator::new(client(), credentials, None)));
    }
    let form = [("password".to_owned(), PLAIN.to_owned())];
    clean(&format!("{:?}", Request::post(url).form(&form).header("x-key", PLAIN)));
}

#[test]
fn a_form_is_a_body() {
    let url = Url::parse("https://example.com/x").unwrap();
    let request = Request::post(url).form(&[("a b".to_owned(), "1&2".to_owned()), ("c".to_owned(), String::new())]);
    assert_eq!(request.body().unwrap(), "a+b=1%262&c=");
    assert_eq!((request.method().as_str(), request.url().path()), ("POST", "/x"));
}
