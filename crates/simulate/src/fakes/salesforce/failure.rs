//! Answers that are no success, as Salesforce writes them: a list with a code and a message.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::soql::Refused;

/// A refusal: status, code, message.
#[derive(Debug)]
pub(super) struct Failure(pub(super) StatusCode, pub(super) &'static str, pub(super) String);

impl Failure {
    /// 400.
    pub(super) fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, code, message.into())
    }

    /// 404.
    pub(super) fn not_found() -> Self {
        Self(StatusCode::NOT_FOUND, "NOT_FOUND", "The requested resource does not exist".to_string())
    }
}

impl From<Refused> for Failure {
    fn from(Refused(code, message): Refused) -> Self {
        Self::bad(code, message)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, axum::Json(json!([{"message": self.2, "errorCode": self.1}]))).into_response()
    }
}
