use crate::{Error, Result};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt;

/// A good answer.
#[derive(Clone)]
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

impl fmt::Debug for Response {
    // A body may be a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.keys().collect();
        let (method, url) = &self.asked;
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("asked", &format_args!("{method} {url}"))
            .field("headers", &headers)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish()
    }
}
