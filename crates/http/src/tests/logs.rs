//! What the most verbose log says.

use crate::testing::{Folder, answer, answers, client};
use crate::{Authenticator, Credentials, Grant, Request, TokenRequest};
use cscopilot_diag::Secret;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Keeps everything that anybody says, other crates too.
#[derive(Clone, Default)]
struct Everything(Arc<Mutex<String>>);

impl Subscriber for Everything {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Visit for Everything {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        writeln!(self.0.lock().unwrap(), "{field}={value:?}").unwrap();
    }
}

#[tokio::test]
async fn the_most_verbose_log_holds_no_secret() {
    let log = Everything::default();
    let _until_the_end = tracing::subscriber::set_default(log.clone());
    let (token_url, _) = answers(vec![answer(
        200,
        &[("set-cookie", "session=cookie-s3cret")],
        br#"{"access_token": "access-s3cret", "refresh_token": "rotated-s3cret", "expires_in": 60}"#,
    )])
    .await;
    let grant = Grant::Refresh {
        client_id: Secret::new("id-s3cret"),
        client_secret: Secret::new("client-s3cret"),
        refresh_token: Secret::new("refresh-s3cret"),
    };
    let token = TokenRequest { url: token_url, grant, params: Vec::new(), keep: Vec::new() };
    let folder = Folder::new();
    let client = client().recording(folder.path().to_owned()).unwrap();
    let authenticator = Authenticator::new(client.clone(), Credentials::Token(token), None);
    let (url, _) = answers(vec![answer(500, &[], b"what is access-s3cret?"), answer(200, &[], b"refresh-s3cret")]).await;
    let (request, _) = authenticator.apply(Request::get(url).secret_query("key", Secret::new("key-s3cret"))).await.unwrap();
    client.send(&request).await.unwrap();
    let text = log.0.lock().unwrap().clone();
    assert!(text.contains("trying again") && text.contains("fetched a token") && text.contains("what is ***?"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
    for (name, text) in folder.files() {
        assert!(!text.contains("s3cret"), "{name}: {text}");
    }
}
