//! The bodies and headers with which each vendor refuses a request that nobody's fault is: 401, 429, 500 and 503.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use cscopilot_diag::clock;
use serde_json::{Value, json};

/// A page of HTML, as load balancers answer.
const BAD_GATEWAY: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n\
     <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";

enum Body {
    Json(Value),
    Text(&'static str),
    Html(&'static str),
}

/// The vendor's answer with this status (401, 429, 500, 502 or 503). 429 has the seconds to wait, where they are given and
/// whether or not the vendor would send them.
pub(super) fn refusal(vendor: &str, status: u16, retry_after: Option<u64>) -> Response {
    let body = if status == 502 { Body::Html(BAD_GATEWAY) } else { body(vendor, status) };
    // Amplitude knows no 401.
    let status = if vendor == "amplitude" && status == 401 { 403 } else { status };
    let mut response = match body {
        Body::Json(value) => Json(value).into_response(),
        Body::Text(text) => ([("content-type", "text/plain; charset=utf-8")], text).into_response(),
        Body::Html(text) => ([("content-type", "text/html")], text).into_response(),
    };
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers(vendor, status, retry_after) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

fn headers(vendor: &str, status: u16, retry_after: Option<u64>) -> Vec<(&'static str, String)> {
    let mut headers = Vec::new();
    if let Some(seconds) = retry_after {
        headers.push(("retry-after", seconds.to_string()));
    }
    match (vendor, status) {
        ("stripe", 429) => {
            headers.push(("stripe-rate-limited-reason", "global-rate".to_string()));
            headers.push(("stripe-should-retry", "true".to_string()));
        }
        ("intercom", 429) => {
            // Intercom says when the window ends; a client compares that with its own clock.
            let reset = clock::now().timestamp() + i64::try_from(retry_after.unwrap_or(0)).unwrap_or(0);
            headers.push(("x-ratelimit-limit", "167".to_string()));
            headers.push(("x-ratelimit-remaining", "0".to_string()));
            headers.push(("x-ratelimit-reset", reset.to_string()));
        }
        _ => {}
    }
    if vendor == "stripe" {
        headers.push(("request-id", "req_fakeFault000001".to_string()));
    }
    headers
}

fn body(vendor: &str, status: u16) -> Body {
    let value = match vendor {
        "salesforce" => salesforce(status),
        "hubspot" => hubspot(status),
        "intercom" => intercom(status),
        "stripe" => stripe(status),
        "chargebee" => chargebee(status),
        "mixpanel" => mixpanel(status),
        "zendesk" => {
            return match status {
                401 => Body::Json(json!({"error": "Couldn't authenticate you"})),
                // Zendesk's 429 is plain text, as recorded.
                429 => Body::Text("Number of allowed API requests per minute exceeded"),
                503 => Body::Text("Service Unavailable"),
                _ => Body::Json(json!({"error": "InternalError", "description": "An unexpected error occurred"})),
            };
        }
        "amplitude" => {
            return Body::Text(match status {
                401 => "Invalid API key or secret",
                429 => "Too many requests",
                _ => "Internal error",
            });
        }
        _ => json!({"error": match status {
            401 => "invalid_token",
            429 => "rate_limited",
            _ => "internal_error",
        }}),
    };
    Body::Json(value)
}

fn salesforce(status: u16) -> Value {
    let (code, message) = match status {
        401 => ("INVALID_SESSION_ID", "Session expired or invalid"),
        429 => ("REQUEST_LIMIT_EXCEEDED", "Too many requests"),
        503 => ("SERVER_UNAVAILABLE", "The server is temporarily unavailable"),
        _ => ("UNKNOWN_EXCEPTION", "An unexpected error occurred. Please include this ErrorId if you contact support: 1234567890-12345"),
    };
    json!([{"message": message, "errorCode": code}])
}

fn hubspot(status: u16) -> Value {
    let correlation = "aeb5f871-7f07-4993-9211-075dc63e7cbf";
    match status {
        401 => json!({"status": "error", "message": "The OAuth token used to make this call expired 1 second(s) ago.",
                      "correlationId": correlation, "category": "EXPIRED_AUTHENTICATION"}),
        429 => json!({"status": "error", "message": "You have reached your secondly limit.", "errorType": "RATE_LIMIT",
                      "correlationId": correlation, "policyName": "SECONDLY", "category": "RATE_LIMITS"}),
        503 => {
            json!({"status": "error", "message": "Service unavailable", "correlationId": correlation, "category": "SERVICE_UNAVAILABLE"})
        }
        _ => json!({"status": "error", "message": "internal error", "correlationId": correlation}),
    }
}

fn intercom(status: u16) -> Value {
    let (code, message) = match status {
        401 => ("unauthorized", "Access Token Invalid"),
        429 => ("rate_limit_exceeded", "Exceeded rate limit of 167 in 10_seconds window"),
        503 => ("service_unavailable", "Sorry, the API service is temporarily unavailable"),
        _ => ("server_error", "Internal Server Error"),
    };
    json!({"type": "error.list", "request_id": "b68f2vnq8ljvtbn0vfv0", "errors": [{"code": code, "message": message}]})
}

pub(super) fn stripe(status: u16) -> Value {
    match status {
        401 => json!({"error": {"message": "Invalid API Key provided: sk_test_***mFeM", "type": "invalid_request_error"}}),
        429 => json!({"error": {
            "message": "Request rate limit exceeded. Learn more about rate limits here https://docs.stripe.com/rate-limits.",
            "type": "invalid_request_error", "code": "rate_limit", "doc_url": "https://docs.stripe.com/error-codes/rate-limit"}}),
        _ => json!({"error": {"message": "An unknown error occurred", "type": "api_error"}}),
    }
}

/// Chargebee's error, with the three fields of old.
pub(super) fn chargebee(status: u16) -> Value {
    let (kind, code, old_code, message) = match status {
        401 => (
            "invalid_request",
            "api_authentication_failed",
            "api_authentication_invalid_key",
            "Sorry, authentication failed. Invalid api key",
        ),
        429 => (
            "operation_failed",
            "api_request_limit_exceeded",
            "api_request_limit_exceeded",
            "Sorry, API request limit exceeded. Please try again after some time",
        ),
        503 => ("operation_failed", "site_not_ready", "site_not_ready", "The site is not ready yet. Please try again after some time"),
        _ => ("operation_failed", "internal_error", "internal_error", "Sorry, Something went wrong when trying to process the request"),
    };
    json!({"message": message, "type": kind, "api_error_code": code, "error_code": old_code, "error_msg": message,
           "http_status_code": status})
}

fn mixpanel(status: u16) -> Value {
    match status {
        401 => json!({"error": "Invalid service account credentials", "status": "error"}),
        429 => json!({"error": "Query rate limit exceeded. Please try again later.", "status": "Too Many Requests"}),
        _ => json!({"error": "An internal error occurred", "status": "error"}),
    }
}
