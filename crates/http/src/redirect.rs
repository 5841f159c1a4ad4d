//! Where an answer sends the request next.
//!
//! `reqwest` would follow on its own, but keeps only the standard headers from strangers: a key in a header of the vendor's own would go
//! along to whatever host an export is stored on.

use crate::Request;
use crate::Result;
use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, LOCATION};
use url::Url;

/// How many redirections are followed.
pub(crate) const MOST: usize = 10;

/// What is sent next.
pub(crate) struct Hop {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    /// Headers for the host that was asked, and no other.
    pub(crate) secret: HeaderMap,
    pub(crate) body: Option<Bytes>,
}

impl Hop {
    pub(crate) fn first(request: &Request) -> Result<Self> {
        let (headers, secret) = request.header_maps()?;
        Ok(Self { method: request.method.clone(), url: request.full_url(), headers, secret, body: request.body.clone() })
    }

    /// The next hop; nothing where the answer is the answer. What is not followed safely is not followed: a write that would turn into a
    /// read, a body that would go to another host, a step from HTTPS to HTTP.
    pub(crate) fn next(&self, status: u16, headers: &HeaderMap) -> Option<Self> {
        let reads = self.method == Method::GET || self.method == Method::HEAD;
        let keeps_method = match status {
            307 | 308 => true,
            301 | 302 if reads => true,
            303 => reads,
            _ => return None,
        };
        let url = self.url.join(headers.get(LOCATION)?.to_str().ok()?).ok()?;
        let downgrade = self.url.scheme() == "https" && url.scheme() != "https";
        let same_host = url.origin() == self.url.origin();
        if downgrade || !matches!(url.scheme(), "http" | "https") || (!same_host && keeps_method && self.body.is_some()) {
            return None;
        }
        let mut next = Self {
            method: if keeps_method { self.method.clone() } else { Method::GET },
            url,
            headers: self.headers.clone(),
            secret: if same_host { self.secret.clone() } else { HeaderMap::new() },
            body: self.body.clone().filter(|_| keeps_method),
        };
        if next.body.is_none() {
            next.headers.remove(CONTENT_TYPE);
            next.headers.remove(CONTENT_LENGTH);
        }
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cscopilot_diag::Secret;
    use reqwest::header::HeaderValue;

    fn next(request: &Request, status: u16, location: &'static str) -> Option<Hop> {
        let headers = HeaderMap::from_iter([(LOCATION, HeaderValue::from_static(location))]);
        Hop::first(request).unwrap().next(status, &headers)
    }

    fn get() -> Request {
        let url = Url::parse("https://api.example.com/v1/export").unwrap();
        Request::get(url).header("accept", "text/csv").secret_header("x-key", Secret::new("key")).bearer(Secret::new("token"))
    }

    #[test]
    fn secrets_stay_with_the_host_that_was_asked() {
        let here = next(&get(), 302, "/v1/files/7").unwrap();
        assert_eq!((here.url.as_str(), here.secret.len(), here.headers.len()), ("https://api.example.com/v1/files/7", 2, 1));
        for elsewhere in ["https://store.example.net/7?sig=1", "https://api.example.com:8443/7"] {
            let hop = next(&get(), 302, elsewhere).unwrap();
            assert_eq!((hop.url.as_str(), hop.secret.len(), hop.headers.len()), (elsewhere, 0, 1));
        }
    }

    #[test]
    fn a_step_down_to_plain_http_is_not_taken() {
        assert!(next(&get(), 302, "http://api.example.com/v1/export").is_none());
        assert!(next(&get(), 302, "file:///etc/hosts").is_none());
    }

    #[test]
    fn a_write_is_never_turned_into_a_read_and_its_body_goes_nowhere_else() {
        let post = Request::post(get().url().clone()).form(&[("secret".to_owned(), "1".to_owned())]);
        assert!(next(&post, 301, "/v2").is_none());
        assert!(next(&post, 302, "/v2").is_none());
        assert!(next(&post, 307, "https://store.example.net/").is_none());
        let moved = next(&post, 308, "/v2").unwrap();
        assert_eq!((moved.method, moved.body), (Method::POST, post.body().cloned()));
        let result = next(&post, 303, "/result").unwrap();
        assert_eq!((result.method, result.body, result.headers.len()), (Method::GET, None, 0));
    }

    #[test]
    fn other_answers_are_answers() {
        assert!(next(&get(), 200, "/x").is_none());
        assert!(next(&get(), 304, "/x").is_none());
        assert!(Hop::first(&get()).unwrap().next(302, &HeaderMap::new()).is_none());
    }
}
