use super::assertion;
use crate::request::{FormValue, shown};
use crate::{Client, Error, Request, Result};
use cscopilot_diag::Secret;
use cscopilot_diag::clock::Stopwatch;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;
use url::Url;

/// How tokens are asked for.
#[derive(Clone)]
pub struct TokenRequest {
    /// Where.
    pub url: Url,
    /// By which right.
    pub grant: Grant,
    /// Further form fields, such as `scope`.
    pub params: Vec<(String, String)>,
    /// Fields of the answer that [`Authenticator::fields`](crate::Authenticator::fields) gives, if they are there.
    pub keep: Vec<String>,
}

/// By which right a token is asked for (OAuth 2).
#[derive(Debug, Clone)]
pub enum Grant {
    /// A refresh token (RFC 6749, section 6).
    Refresh {
        /// The client's id.
        client_id: Secret,
        /// The client's secret; a client that has none leaves it empty.
        client_secret: Secret,
        /// The refresh token.
        refresh_token: Secret,
    },
    /// The client's own credentials (RFC 6749, section 4.4).
    ClientCredentials {
        /// The client's id.
        client_id: Secret,
        /// The client's secret.
        client_secret: Secret,
        /// Whether both stand in the `Authorization` header, and not in the form.
        in_header: bool,
    },
    /// A signed assertion (RFC 7523, RS256).
    JwtBearer {
        /// The claim `iss`.
        issuer: String,
        /// The claim `sub`.
        subject: String,
        /// The claim `aud`.
        audience: String,
        /// The RSA key, as PEM.
        private_key_pem: Secret,
        /// How long an assertion holds.
        lifetime: Duration,
    },
}

/// A token, and how long it lasts.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) access: Secret,
    pub(super) fields: BTreeMap<String, String>,
    /// Since the request for it.
    since: Stopwatch,
    lasts: Option<Duration>,
}

/// What a token request brought.
pub(super) struct Fetched {
    pub(super) token: Token,
    /// A refresh token in place of that which was sent.
    pub(super) rotated: Option<Secret>,
}

impl Token {
    /// Whether it may still be used, as far as is known.
    pub(super) fn holds(&self) -> bool {
        self.lasts.is_none_or(|lasts| self.since.elapsed() < usable(lasts))
    }
}

/// For how much of its time a token is used: it must still hold when the request arrives.
fn usable(lasts: Duration) -> Duration {
    lasts - (lasts / 10).min(Duration::from_secs(30))
}

impl TokenRequest {
    pub(super) fn secrets(&self) -> Vec<&Secret> {
        match &self.grant {
            Grant::Refresh { client_id, client_secret, refresh_token } => vec![client_id, client_secret, refresh_token],
            Grant::ClientCredentials { client_id, client_secret, .. } => vec![client_id, client_secret],
            Grant::JwtBearer { private_key_pem, .. } => vec![private_key_pem],
        }
    }

    pub(super) fn shown_url(&self) -> String {
        shown(&self.url)
    }

    /// Asks for a token, with this refresh token if the first one was replaced.
    pub(super) async fn fetch(&self, client: &Client, refresh_token: Option<&Secret>) -> Result<Fetched> {
        let since = Stopwatch::start();
        let request = self.request(refresh_token)?;
        let answer = client.send(&request).await.map_err(|error| match error {
            Error::Status { url, status, body, .. } if (400..500).contains(&status) && status != 408 && status != 429 => {
                Error::TokenRefused { url, status, reason: body }
            }
            other => other,
        })?;
        let body: Value = answer.json()?;
        let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        for name in ["access_token", "refresh_token", "id_token"] {
            text(name).into_iter().for_each(|token| client.redactor().add(&Secret::new(token)));
        }
        let Some(access) = text("access_token").map(Secret::new) else {
            return Err(if body.get("error").is_some() {
                let reason = client.redactor().excerpt(&answer.body);
                Error::TokenRefused { url: self.shown_url(), status: answer.status, reason }
            } else {
                Error::BadAnswer { method: "POST".to_owned(), url: self.shown_url(), reason: "it brings no `access_token`".to_owned() }
            });
        };
        let rotated = match &self.grant {
            // A recording holds no real token: none that may replace the real one.
            Grant::Refresh { refresh_token: first, .. } if !client.is_replaying() => {
                text("refresh_token").filter(|new| *new != refresh_token.unwrap_or(first).expose()).map(Secret::new)
            }
            _ => None,
        };
        let fields = self.keep.iter().filter_map(|name| Some((name.clone(), scalar(body.get(name)?)?))).collect();
        let lasts = body.get("expires_in").and_then(seconds);
        tracing::debug!(url = self.shown_url(), lasts_secs = lasts.map(|l| l.as_secs()), rotated = rotated.is_some(), "fetched a token");
        Ok(Fetched { token: Token { access, fields, since, lasts }, rotated })
    }

    fn request(&self, refresh_token: Option<&Secret>) -> Result<Request> {
        let public = |text: &str| FormValue::Public(text.to_owned());
        let secret = |secret: &Secret| FormValue::Secret(secret.clone());
        let mut request = Request::post(self.url.clone()).header("accept", "application/json");
        let mut form = Vec::new();
        match &self.grant {
            Grant::Refresh { client_id, client_secret, refresh_token: first } => {
                form.push(("grant_type", public("refresh_token")));
                form.push(("client_id", secret(client_id)));
                if !client_secret.expose().is_empty() {
                    form.push(("client_secret", secret(client_secret)));
                }
                form.push(("refresh_token", secret(refresh_token.unwrap_or(first))));
            }
            Grant::ClientCredentials { client_id, client_secret, in_header } => {
                form.push(("grant_type", public("client_credentials")));
                if *in_header {
                    // RFC 6749 wants both encoded as in forms first. Half of the servers don't decode that, and the others read all but
                    // `+` and `%` as they are.
                    request = request.basic(client_id.clone(), client_secret.clone());
                } else {
                    form.push(("client_id", secret(client_id)));
                    form.push(("client_secret", secret(client_secret)));
                }
            }
            Grant::JwtBearer { issuer, subject, audience, private_key_pem, lifetime } => {
                let assertion = assertion::sign(issuer, subject, audience, private_key_pem, *lifetime)?;
                form.push(("grant_type", public("urn:ietf:params:oauth:grant-type:jwt-bearer")));
                form.push(("assertion", FormValue::Secret(assertion)));
            }
        }
        form.extend(self.params.iter().map(|(name, value)| (name.as_str(), public(value))));
        // Asked twice, a vendor gives two tokens, or says that the refresh token was used: which is no worse than having lost the answer.
        Ok(request.secret_form(&form).repeatable())
    }
}

impl fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let params: Vec<_> = self.params.iter().map(|(name, _)| name).collect();
        f.debug_struct("TokenRequest")
            .field("url", &format_args!("{}", self.shown_url()))
            .field("grant", &self.grant)
            .field("params", &params)
            .field("keep", &self.keep)
            .finish()
    }
}

/// A number of seconds, also written as text; nothing where it says nothing.
fn seconds(value: &Value) -> Option<Duration> {
    let secs = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    Duration::try_from_secs_f64(secs).ok().filter(|lasts| !lasts.is_zero())
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_token_is_renewed_a_little_before_it_expires() {
        assert_eq!(usable(Duration::from_secs(3600)), Duration::from_secs(3570));
        assert_eq!(usable(Duration::from_secs(60)), Duration::from_secs(54));
    }

    #[test]
    fn lifetimes_come_as_numbers_and_as_text() {
        assert_eq!(seconds(&json!(1800)), Some(Duration::from_secs(1800)));
        assert_eq!(seconds(&json!("1800")), Some(Duration::from_secs(1800)));
        for unknown in [json!(0), json!(-5), json!("never"), json!(null)] {
            assert_eq!(seconds(&unknown), None, "{unknown}");
        }
    }
}
