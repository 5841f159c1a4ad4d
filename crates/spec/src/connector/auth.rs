use super::Template;
use crate::At;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// How requests prove who asks. Templates here, and only here, may use secret settings.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Auth {
    /// A key in a header or in the query.
    ApiKey(ApiKey),
    /// HTTP basic authentication.
    Basic(Basic),
    /// A token that stays as it is.
    Bearer(Bearer),
    /// OAuth 2: a refresh token gives access tokens (RFC 6749, section 6).
    OauthRefresh(OauthRefresh),
    /// OAuth 2: the client's own credentials give access tokens (RFC 6749, section 4.4).
    ClientCredentials(ClientCredentials),
    /// OAuth 2: a signed assertion (RS256) gives access tokens (RFC 7523).
    JwtBearer(JwtBearer),
}

/// A key in a header or in the query; exactly one of `header` and `query`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// The header's name.
    #[serde(default)]
    pub header: Option<String>,
    /// The query parameter's name.
    #[serde(default)]
    pub query: Option<String>,
    /// The key.
    pub key: At<Template>,
}

/// HTTP basic authentication.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// The user.
    pub username: At<Template>,
    /// The password; empty by default.
    #[serde(default)]
    pub password: Option<At<Template>>,
}

/// A token that stays as it is.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bearer {
    /// The token.
    pub token: At<Template>,
}

/// A refresh token gives access tokens. An answer that brings a new refresh token has it written back to the secret store before it is used.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OauthRefresh {
    /// Where tokens are asked for.
    pub token_url: At<Template>,
    /// The client's id.
    pub client_id: At<Template>,
    /// The client's secret.
    pub client_secret: At<Template>,
    /// The secret setting that holds the refresh token, by name.
    pub refresh_token: At<String>,
    /// Further form fields.
    #[serde(default)]
    pub params: BTreeMap<String, Template>,
    /// Fields of the answer that templates see as `auth.<name>`.
    #[serde(default)]
    pub keep: Vec<String>,
}

/// The client's own credentials give access tokens.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientCredentials {
    /// Where tokens are asked for.
    pub token_url: At<Template>,
    /// The client's id.
    pub client_id: At<Template>,
    /// The client's secret.
    pub client_secret: At<Template>,
    /// Where id and secret stand.
    #[serde(default)]
    pub credentials_in: CredentialsIn,
    /// Further form fields, such as `scope`.
    #[serde(default)]
    pub params: BTreeMap<String, Template>,
    /// Fields of the answer that templates see as `auth.<name>`.
    #[serde(default)]
    pub keep: Vec<String>,
}

/// Where a client's id and secret stand in a token request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialsIn {
    /// In the form.
    #[default]
    Body,
    /// In the `Authorization` header.
    Header,
}

/// A signed assertion gives access tokens.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JwtBearer {
    /// Where tokens are asked for.
    pub token_url: At<Template>,
    /// The claim `iss`.
    pub issuer: At<Template>,
    /// The claim `sub`.
    pub subject: At<Template>,
    /// The claim `aud`.
    pub audience: At<Template>,
    /// The RSA key, as PEM.
    pub private_key: At<Template>,
    /// For how many seconds an assertion holds.
    #[serde(default = "three_minutes")]
    pub lifetime_secs: u32,
    /// Fields of the answer that templates see as `auth.<name>`.
    #[serde(default)]
    pub keep: Vec<String>,
}

fn three_minutes() -> u32 {
    180
}

impl Auth {
    /// Every template, in the order of the declaration.
    #[must_use]
    pub fn templates(&self) -> Vec<&At<Template>> {
        match self {
            Self::ApiKey(a) => vec![&a.key],
            Self::Basic(a) => std::iter::once(&a.username).chain(&a.password).collect(),
            Self::Bearer(a) => vec![&a.token],
            Self::OauthRefresh(a) => vec![&a.token_url, &a.client_id, &a.client_secret],
            Self::ClientCredentials(a) => vec![&a.token_url, &a.client_id, &a.client_secret],
            Self::JwtBearer(a) => vec![&a.token_url, &a.issuer, &a.subject, &a.audience, &a.private_key],
        }
    }
}
