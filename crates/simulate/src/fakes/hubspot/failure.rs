//! Errors as HubSpot writes them.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Ties an answer to HubSpot's logs; the same for all errors here.
pub(super) const CORRELATION_ID: &str = "f3b1a7e2-5a4c-4d2f-9d0a-1c1b8f0d6e11";

/// An error: status and body.
#[derive(Debug)]
pub(super) struct Failure(StatusCode, Value);

impl Failure {
    fn new(status: StatusCode, category: &str, message: &str) -> Self {
        Self(status, json!({"status": "error", "message": message, "correlationId": CORRELATION_ID, "category": category}))
    }

    /// 400: the request makes no sense.
    pub(super) fn invalid(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", message)
    }

    /// 404.
    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "OBJECT_NOT_FOUND", "resource not found")
    }

    /// 401: nobody we know.
    pub(super) fn unauthenticated() -> Self {
        let message = "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more details at \
                       https://developers.hubspot.com/docs/methods/auth/oauth-overview";
        Self::new(StatusCode::UNAUTHORIZED, "INVALID_AUTHENTICATION", message)
    }

    /// 403: the app may not see such objects.
    pub(super) fn missing_scope(scope: &str) -> Self {
        let message = "This app hasn't been granted all required scopes to make this call. Read more about required scopes here: \
                       https://developers.hubspot.com/scopes.";
        let mut failure = Self::new(StatusCode::FORBIDDEN, "MISSING_SCOPES", message);
        failure.1["errors"] =
            json!([{"message": "One or more of the following scopes are required.", "context": {"requiredGranularScopes": [scope]}}]);
        failure
    }

    /// 429 until tomorrow.
    pub(super) fn daily_limit() -> Self {
        let mut failure = Self::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITS", "You have reached your daily limit.");
        failure.1["errorType"] = json!("RATE_LIMIT");
        failure.1["policyName"] = json!("DAILY");
        failure
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, axum::Json(self.1)).into_response()
    }
}
