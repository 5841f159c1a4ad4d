use crate::redact::{HIDDEN, Redactor};
use crate::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use cscopilot_diag::Secret;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use url::Url;
use url::form_urlencoded::Serializer;

/// A request, not sent yet.
#[derive(Clone)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) body: Option<Bytes>,
    /// The body as recordings show it, where that is known better than by looking for secrets.
    shown_body: Option<Bytes>,
    headers: BTreeMap<String, String>,
    secret_headers: BTreeMap<String, Secret>,
    secret_query: Vec<(String, Secret)>,
    /// Secrets that stand in the body, or from which a header was made.
    hidden: Vec<Secret>,
    pub(crate) repeatable: bool,
}

impl Request {
    /// A request without a body. All but POST may be sent again when it is unclear whether they arrived.
    #[must_use]
    pub fn new(method: Method, url: Url) -> Self {
        let repeatable = method != Method::POST;
        Self {
            method,
            url,
            body: None,
            shown_body: None,
            headers: BTreeMap::new(),
            secret_headers: BTreeMap::new(),
            secret_query: Vec::new(),
            hidden: Vec::new(),
            repeatable,
        }
    }

    /// A GET request.
    #[must_use]
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    /// A POST request.
    #[must_use]
    pub fn post(url: Url) -> Self {
        Self::new(Method::POST, url)
    }

    /// Adds a JSON body.
    ///
    /// # Errors
    /// [`Error::BadBody`] where the value has no JSON form.
    pub fn json(mut self, value: &impl Serialize) -> Result<Self> {
        let body = serde_json::to_vec(value).map_err(|e| Error::BadBody(e.to_string()))?;
        self.body = Some(body.into());
        Ok(self.header("content-type", "application/json"))
    }

    /// Adds bytes as the body: a file.
    #[must_use]
    pub fn bytes(mut self, body: impl Into<Bytes>, content_type: &str) -> Self {
        self.body = Some(body.into());
        self.header("content-type", content_type)
    }

    /// Adds a form as the body.
    #[must_use]
    pub fn form(mut self, fields: &[(String, String)]) -> Self {
        self.body = Some(Serializer::new(String::new()).extend_pairs(fields).finish().into());
        self.header("content-type", "application/x-www-form-urlencoded")
    }

    /// Adds a form, some fields of which are secret: recordings show `***` for these, however short they are.
    pub(crate) fn secret_form(mut self, fields: &[(&str, FormValue)]) -> Self {
        let form = |value: fn(&FormValue) -> &str| {
            let pairs = fields.iter().map(|(name, field)| (*name, value(field)));
            Serializer::new(String::new()).extend_pairs(pairs).finish().into()
        };
        self.body = Some(form(FormValue::expose));
        self.shown_body = Some(form(FormValue::shown));
        self.hidden.extend(fields.iter().filter_map(|(_, field)| field.secret().cloned()));
        self.header("content-type", "application/x-www-form-urlencoded")
    }

    /// Adds a header; one of the same name gives way. Values that are secret belong into [`Request::secret_header`].
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into().to_ascii_lowercase(), value.into());
        self
    }

    /// Adds a header whose value is secret. It doesn't follow to another host.
    #[must_use]
    pub fn secret_header(mut self, name: impl Into<String>, value: Secret) -> Self {
        self.secret_headers.insert(name.into().to_ascii_lowercase(), value);
        self
    }

    /// Adds a query parameter whose value is secret: [`Request::url`] doesn't have it.
    #[must_use]
    pub fn secret_query(mut self, name: impl Into<String>, value: Secret) -> Self {
        self.secret_query.push((name.into(), value));
        self
    }

    /// Authorises with a bearer token.
    #[must_use]
    pub fn bearer(self, token: Secret) -> Self {
        self.secret_header("authorization", Secret::new(format!("Bearer {}", token.expose())))
    }

    /// Authorises with user and password (HTTP basic authentication); either may be empty.
    #[must_use]
    pub fn basic(mut self, user: Secret, password: Secret) -> Self {
        let header = format!("Basic {}", STANDARD.encode(format!("{}:{}", user.expose(), password.expose())));
        self.hidden.extend([user, password]);
        self.secret_header("authorization", Secret::new(header))
    }

    /// Says that sending it twice does no harm: a POST that only reads.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// Where it goes, without secret query parameters.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> Option<&Bytes> {
        self.body.as_ref()
    }

    /// Tells a redactor of every secret in here.
    pub(crate) fn hide(&self, redactor: &Redactor) {
        self.hidden.iter().for_each(|secret| redactor.add(secret));
        self.secret_query.iter().for_each(|(_, secret)| redactor.add(secret));
        for (name, secret) in &self.secret_headers {
            match secret.expose().split_once(' ') {
                // `Bearer ***` says more than `***`, and shows as little; and a server may quote the token alone.
                Some((_scheme, token)) if name == "authorization" => redactor.add(&Secret::new(token)),
                _ => redactor.add(secret),
            }
        }
        if let Some(password) = self.url.password() {
            redactor.add(&Secret::new(password));
        }
    }

    /// Where it goes, secrets included: only for the wire.
    pub(crate) fn full_url(&self) -> Url {
        let mut url = self.url.clone();
        if !self.secret_query.is_empty() {
            url.query_pairs_mut().extend_pairs(self.secret_query.iter().map(|(name, secret)| (name, secret.expose())));
        }
        url
    }

    /// A URL without the parameters that are secret in this request, as answers tell where they came from.
    pub(crate) fn without_secrets(&self, url: &Url) -> Url {
        if self.secret_query.is_empty() {
            return url.clone();
        }
        let is_secret = |name: &str| self.secret_query.iter().any(|(secret, _)| secret == name);
        let kept: Vec<(String, String)> =
            url.query_pairs().filter(|(name, _)| !is_secret(name)).map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        let mut url = url.clone();
        if kept.is_empty() {
            url.set_query(None);
        } else {
            url.query_pairs_mut().clear().extend_pairs(&kept);
        }
        url
    }

    /// The URL as recordings have it: with its query, secrets removed.
    pub(crate) fn recorded_url(&self, redactor: &Redactor) -> String {
        let mut url = self.url.clone();
        url.set_fragment(None);
        // Both fail only for URLs that have no host, and so none of the two.
        let _no_host = (url.set_username(""), url.set_password(None));
        if !self.secret_query.is_empty() {
            url.query_pairs_mut().extend_pairs(self.secret_query.iter().map(|(name, _)| (name, HIDDEN)));
        }
        redactor.clean(url.as_str())
    }

    /// The body as recordings have it.
    pub(crate) fn recorded_body(&self, redactor: &Redactor) -> Option<Vec<u8>> {
        self.shown_body.as_ref().or(self.body.as_ref()).map(|body| redactor.clean_bytes(body))
    }

    /// The headers that go everywhere, and those that only this host may see.
    pub(crate) fn header_maps(&self) -> Result<(HeaderMap, HeaderMap)> {
        let (mut public, mut secret) = (HeaderMap::new(), HeaderMap::new());
        for (name, value) in &self.headers {
            let (name, value) = header(name, value)?;
            // Nobody called these secret, but they are.
            let map = if matches!(name, AUTHORIZATION | PROXY_AUTHORIZATION | COOKIE) { &mut secret } else { &mut public };
            map.insert(name, value);
        }
        for (name, value) in &self.secret_headers {
            let (name, mut value) = header(name, value.expose())?;
            value.set_sensitive(true);
            secret.insert(name, value);
        }
        Ok((public, secret))
    }
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue)> {
    match (HeaderName::try_from(name), HeaderValue::from_str(value)) {
        (Ok(name), Ok(value)) => Ok((name, value)),
        _ => Err(Error::BadHeader { name: name.to_owned() }),
    }
}

/// A field of a form.
pub(crate) enum FormValue {
    Public(String),
    Secret(Secret),
}

impl FormValue {
    fn expose(&self) -> &str {
        match self {
            Self::Public(text) => text,
            Self::Secret(secret) => secret.expose(),
        }
    }

    fn shown(&self) -> &str {
        match self {
            Self::Public(text) => text,
            Self::Secret(_) => HIDDEN,
        }
    }

    fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Public(_) => None,
            Self::Secret(secret) => Some(secret),
        }
    }
}

/// A URL as messages show it: without user, password, query and fragment.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Both fail only for URLs that have no host, and so none of the two.
    let _no_host = (url.set_username(""), url.set_password(None));
    url.to_string()
}

impl fmt::Debug for Request {
    // A query, a body or a header may hold what nobody called a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.keys().chain(self.secret_headers.keys()).collect();
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &format_args!("{}", shown(&self.url)))
            .field("headers", &headers)
            .field("body", &format_args!("{} bytes", self.body.as_ref().map_or(0, Bytes::len)))
            .finish_non_exhaustive()
    }
}
