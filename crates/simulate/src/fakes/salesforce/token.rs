//! The token endpoint: refresh token, client credentials and JWT bearer.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use cscopilot_diag::clock;
use serde_json::{Value, json};

use super::org::Org;
use crate::fakes::tokens::{Refreshed, form, unbase64};
use crate::fakes::{CLIENT_ID, CLIENT_SECRET, EMAIL, auth};

/// An assertion holds for five minutes at most.
const LONGEST_SECS: i64 = 300;
/// A signature of a 2,048-bit key has 256 bytes: so many characters of base 64.
const SIGNATURE: usize = 342;

type Refusal = (&'static str, &'static str);

/// `POST /services/oauth2/token`.
pub(super) async fn token(State(org): State<Arc<Org>>, headers: HeaderMap, body: Bytes) -> Response {
    match granted(&org, &headers, &form(&body)) {
        Ok(rotated) => {
            let base = format!("{}/salesforce", org.state.base_url);
            let mut answer = json!({
                "access_token": org.tokens.issue(&org.state, "00DgL0000000001!AQ"),
                "instance_url": base,
                "id": format!("{base}/id/00DgL0000000001EAA/005gL0000000001QAA"),
                "token_type": "Bearer",
                "issued_at": (org.state.world.now() / 1_000).to_string(),
                "signature": auth::base64(b"nobody checks this one"),
            });
            if let Some(token) = rotated {
                answer["refresh_token"] = json!(token);
            }
            axum::Json(answer).into_response()
        }
        Err((error, description)) => {
            (StatusCode::BAD_REQUEST, axum::Json(json!({"error": error, "error_description": description}))).into_response()
        }
    }
}

/// Whether a token may be given, and the new refresh token if the old one was used up.
fn granted(org: &Org, headers: &HeaderMap, form: &BTreeMap<String, String>) -> Result<Option<String>, Refusal> {
    let given = |name: &str| form.get(name).map_or("", String::as_str);
    let client = || {
        let by_header = auth::is_basic(headers, CLIENT_ID, CLIENT_SECRET);
        if !by_header && given("client_id") != CLIENT_ID {
            return Err(("invalid_client_id", "client identifier invalid"));
        }
        if !by_header && given("client_secret") != CLIENT_SECRET { Err(("invalid_client", "invalid client credentials")) } else { Ok(()) }
    };
    match given("grant_type") {
        "refresh_token" => {
            client()?;
            match org.tokens.refresh(given("refresh_token"), org.state.config.rotate_refresh_tokens) {
                Refreshed::Refused => Err(("invalid_grant", "expired access/refresh token")),
                Refreshed::Kept => Ok(None),
                Refreshed::Rotated(next) => Ok(Some(next)),
            }
        }
        "client_credentials" => client().map(|()| None),
        "urn:ietf:params:oauth:grant-type:jwt-bearer" => asserted(given("assertion"), &org.state.base_url).map(|()| None),
        _ => Err(("unsupported_grant_type", "grant type not supported")),
    }
}

/// Checks an assertion's header and claims. Its signature only has to be long enough: there is no key to check it with,
/// since any key of the caller's will do.
fn asserted(assertion: &str, base_url: &str) -> Result<(), Refusal> {
    let invalid = ("invalid_grant", "invalid assertion");
    let mut parts = assertion.split('.');
    let (Some(head), Some(claims), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(invalid);
    };
    let (Some(head), Some(claims)) = (decoded(head), decoded(claims)) else { return Err(invalid) };
    if head["alg"] != "RS256" || signature.len() < SIGNATURE {
        return Err(invalid);
    }
    if claims["iss"] != CLIENT_ID {
        return Err(("invalid_client_id", "client identifier invalid"));
    }
    if claims["sub"] != EMAIL {
        return Err(("invalid_grant", "user hasn't approved this consumer"));
    }
    let audience = claims["aud"].as_str().unwrap_or_default();
    if !["https://login.salesforce.com", "https://test.salesforce.com"].contains(&audience) && !audience.starts_with(base_url) {
        return Err(("invalid_grant", "audience is invalid"));
    }
    // Signed by the caller's clock, which is the real one.
    let now = clock::now().timestamp();
    let expires = claims["exp"].as_i64().or_else(|| claims["exp"].as_str()?.parse().ok()).unwrap_or(0);
    if expires <= now {
        return Err(("invalid_grant", "expired authorization code"));
    }
    if expires > now + LONGEST_SECS + 5 { Err(("invalid_grant", "assertion is valid for too long")) } else { Ok(()) }
}

/// JSON in base 64.
pub(super) fn decoded(part: &str) -> Option<Value> {
    serde_json::from_slice(&unbase64(part)?).ok()
}
