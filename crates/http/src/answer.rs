use crate::redact::Redactor;
use crate::{Error, Result};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use std::fmt;
use url::Url;

/// An answer of any status, whose body comes piece by piece.
///
/// A body that ends early is an error and stays one: whoever asks again gets the error again, never an end that looks like a good one.
/// (An answer that claims to be *shorter* than it is can't be told from a good one here: whoever parses the body has to find out.)
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers, names in lower case; several of one name are joined by `, `.
    pub headers: BTreeMap<String, String>,
    /// Where the answer came from, which redirections may have made another place than was asked. Without secret parameters.
    pub url: Url,
    asked: (String, String),
    redactor: Redactor,
    body: Body,
}

enum Body {
    Live(reqwest::Response),
    Kept(Bytes),
    Ended,
    Broken(Error),
}

impl Answer {
    pub(crate) fn live(answer: reqwest::Response, url: Url, asked: (String, String), redactor: Redactor) -> Self {
        let headers = headers(answer.headers());
        Self { status: answer.status().as_u16(), headers, url, asked, redactor, body: Body::Live(answer) }
    }

    pub(crate) fn kept(
        status: u16,
        headers: BTreeMap<String, String>,
        url: Url,
        asked: (String, String),
        redactor: Redactor,
        body: Bytes,
    ) -> Self {
        Self { status, headers, url, asked, redactor, body: Body::Kept(body) }
    }

    /// How many bytes the body has, where that is known: not where it comes compressed.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        self.headers.get("content-length").and_then(|value| value.trim().parse().ok())
    }

    /// The next piece of the body, never an empty one; nothing at its end. Bodies that came compressed (`Content-Encoding: gzip`) are
    /// unpacked.
    ///
    /// # Errors
    /// [`Error::NoAnswer`] where the connection breaks, the body is cut short or nothing comes for too long; [`Error::BadAnswer`] where the
    /// body is compressed in a way that nobody asked for. The same error again at the next call.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        if let Some(encoding) = self.headers.get("content-encoding").filter(|e| !e.is_empty() && !e.eq_ignore_ascii_case("identity")) {
            let error = self.bad(format!("its body is encoded as `{encoding}`, which was not asked for"));
            self.body = Body::Broken(error);
        }
        loop {
            match &mut self.body {
                Body::Live(answer) => match answer.chunk().await {
                    Ok(Some(piece)) if piece.is_empty() => {}
                    Ok(Some(piece)) => return Ok(Some(piece)),
                    Ok(None) => self.body = Body::Ended,
                    Err(error) => {
                        let reason = self.redactor.clean(&causes(&error.without_url()));
                        let (method, url) = self.asked.clone();
                        self.body = Body::Broken(Error::NoAnswer { method, url, attempts: 1, reason, unsent: false });
                    }
                },
                Body::Kept(bytes) => {
                    let bytes = std::mem::take(bytes);
                    self.body = Body::Ended;
                    if !bytes.is_empty() {
                        return Ok(Some(bytes));
                    }
                }
                Body::Ended => return Ok(None),
                Body::Broken(error) => return Err(error.clone()),
            }
        }
    }

    /// The rest of the body, at once.
    ///
    /// # Errors
    /// As for [`Answer::chunk`]; [`Error::BadAnswer`] where it is longer than `most` bytes.
    pub async fn bytes(mut self, most: usize) -> Result<Bytes> {
        let too_long = |answer: &Self| Err(answer.bad(format!("its body is longer than {most} bytes")));
        if self.content_length().is_some_and(|length| length > most as u64) {
            return too_long(&self);
        }
        let Some(first) = self.chunk().await? else { return Ok(Bytes::new()) };
        if first.len() > most {
            return too_long(&self);
        }
        // Most small answers come in one piece, which need not be copied.
        let Some(second) = self.chunk().await? else { return Ok(first) };
        let mut all = BytesMut::from(first);
        let mut next = Some(second);
        while let Some(piece) = next {
            if all.len() + piece.len() > most {
                return too_long(&self);
            }
            all.extend_from_slice(&piece);
            next = self.chunk().await?;
        }
        Ok(all.freeze())
    }

    /// The beginning of a body on one line, secrets removed: for messages.
    #[must_use]
    pub fn excerpt(&self, body: &[u8]) -> String {
        self.redactor.excerpt(body)
    }

    /// An error that says that this answer can't be understood.
    #[must_use]
    pub fn bad(&self, reason: impl Into<String>) -> Error {
        let (method, url) = self.asked.clone();
        Error::BadAnswer { method, url, reason: self.redactor.clean(&reason.into()) }
    }

    pub(crate) fn asked(&self) -> &(String, String) {
        &self.asked
    }
}

impl fmt::Debug for Answer {
    // Where it came from may hold a signature, and a body anything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.keys().collect();
        let (method, url) = &self.asked;
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("asked", &format_args!("{method} {url}"))
            .field("headers", &headers)
            .finish_non_exhaustive()
    }
}

fn headers(map: &reqwest::header::HeaderMap) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in map {
        let value = String::from_utf8_lossy(value.as_bytes());
        headers
            .entry(name.as_str().to_owned())
            .and_modify(|all| {
                all.push_str(", ");
                all.push_str(&value);
            })
            .or_insert_with(|| value.to_string());
    }
    headers
}

/// An error with its causes, since the outermost one often says nothing.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = inner.source();
    }
    text
}
