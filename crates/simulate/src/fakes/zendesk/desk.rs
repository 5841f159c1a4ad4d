//! What the fake account remembers, how it refuses, and its cursors.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::fakes::tokens::unbase64;
use crate::fakes::world::Store;
use crate::fakes::{EMAIL, FakeState, TOKEN, auth};

/// What the account is asked to do wrong, beside the faults that every fake knows: the body of `PUT /_fake/behaviour`. What
/// is left out is as usual.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Behaviour {
    /// Paths that contain one of these are forbidden: the plan doesn't include them.
    pub(super) forbidden: Vec<String>,
}

/// The account.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) state: FakeState,
    behaviour: Mutex<Behaviour>,
    calls: Mutex<u64>,
}

impl Desk {
    pub(super) fn new(state: FakeState) -> Arc<Self> {
        Arc::new(Self { state, behaviour: Mutex::default(), calls: Mutex::default() })
    }

    pub(super) fn behaviour(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call; how many there were.
    pub(super) fn call(&self) -> u64 {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls += 1;
        *calls
    }

    /// May whoever carries this come in? An agent's address with an API token, or an OAuth token.
    pub(super) fn admits(headers: &axum::http::HeaderMap) -> bool {
        auth::is_basic(headers, &format!("{EMAIL}/token"), TOKEN) || auth::bearer(headers) == Some(TOKEN)
    }

    /// The records of a stream.
    pub(super) fn store(&self, stream: &str) -> &Store {
        self.state.world.store("zendesk", stream)
    }

    /// The address of a path of the API.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}/zendesk/api/v2/{path}", self.state.base_url)
    }
}

/// A refusal: status and body.
#[derive(Debug)]
pub(super) struct Failure(StatusCode, Value);

impl Failure {
    /// With a name and a sentence.
    pub(super) fn new(status: StatusCode, error: &str, description: &str) -> Self {
        Self(status, json!({"error": error, "description": description}))
    }

    /// 401.
    pub(super) fn unauthenticated() -> Self {
        Self(StatusCode::UNAUTHORIZED, json!({"error": "Couldn't authenticate you"}))
    }

    /// 403, whose error is an object.
    pub(super) fn forbidden() -> Self {
        let message = "You do not have access to this page. Please contact the account owner of this help desk for further help.";
        Self(StatusCode::FORBIDDEN, json!({"error": {"title": "Forbidden", "message": message}}))
    }

    /// 404.
    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "RecordNotFound", "Not found")
    }

    /// 400: a parameter makes no sense.
    pub(super) fn invalid(description: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidValue", description)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
    }
}

/// A place in a sorted stream: behind this key and id. `turn` counts the pages so far, so that no two cursors are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) key: i64,
    pub(super) id: u64,
    pub(super) turn: u64,
}

impl Cursor {
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = String::from_utf8(unbase64(text)?).ok()?;
        let mut parts = text.split('|');
        let cursor = Self { key: parts.next()?.parse().ok()?, id: parts.next()?.parse().ok()?, turn: parts.next()?.parse().ok()? };
        parts.next().is_none().then_some(cursor)
    }

    pub(super) fn write(self) -> String {
        auth::base64(format!("{}|{}|{}", self.key, self.id, self.turn).as_bytes())
    }

    /// As it stands in an address.
    pub(super) fn encoded(self) -> String {
        self.write().replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
    }
}
