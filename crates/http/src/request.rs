use crate::{Error, Result};
use bytes::Bytes;
use cscopilot_diag::Secret;
use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use url::Url;

/// A request, not sent yet.
#[derive(Debug, Clone)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) bearer: Option<Secret>,
    pub(crate) body: Option<Bytes>,
    pub(crate) repeatable: bool,
}

impl Request {
    /// A request without a body. All but POST may be sent again when it is unclear whether they arrived.
    #[must_use]
    pub fn new(method: Method, url: Url) -> Self {
        let repeatable = method != Method::POST;
        Self { method, url, headers: BTreeMap::new(), bearer: None, body: None, repeatable }
    }

    /// A GET request.
    #[must_use]
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
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

    /// Adds a header. Values that are secret belong into [`Request::bearer`].
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// Authorises with a bearer token.
    #[must_use]
    pub fn bearer(mut self, token: Secret) -> Self {
        self.bearer = Some(token);
        self
    }

    /// Says that sending it twice does no harm: a POST that only reads.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }
}

/// A good answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status, of the 200s.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Bytes,
    pub(crate) asked: (String, String),
}

impl Response {
    /// The body as JSON.
    ///
    /// # Errors
    /// [`Error::BadAnswer`] where it isn't what was expected.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|e| Error::BadAnswer {
            method: self.asked.0.clone(),
            url: self.asked.1.clone(),
            reason: e.to_string(),
        })
    }
}
