//! One answer that counts: asked for within the limits, tried again where that may help, and judged by the connector's rules.

use super::connection::Connection;
use super::error::RestError;
use super::request::shown;
use bytes::Bytes;
use cscopilot_http::{Answer, Request, Url, retry_after};
use cscopilot_spec::connector::{Action, ErrorRule, Predicate, Retry, WaitUntil};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A JSON document is kept in memory; no page of a sane API is larger.
const MOST_IN_MEMORY: usize = 256 << 20;
/// So much of an error's body is read.
const MOST_OF_ERRORS: usize = 1 << 20;
/// Where a long body tells that it was cut short.
const TAIL: usize = 4096;
/// The longest good answer that is looked at for signs of an error.
const MOST_OF_GOOD_ERRORS: usize = 64 << 10;

/// What was sent and received for one stream.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) requests: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) bytes: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}

/// A good answer.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) url: Url,
    pub(crate) content: Content,
}

/// Where a body is.
#[derive(Debug)]
pub(crate) enum Content {
    Memory(Bytes),
    /// A file without a name, at its beginning, and the hash of what it holds.
    Disk(File, u64),
}

/// A hash of a body, by which a repeated page is recognised.
pub(crate) fn hash_of(body: &[u8]) -> u64 {
    short(&blake3::hash(body))
}

fn short(hash: &blake3::Hash) -> u64 {
    hash.as_bytes().first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}

/// What an answer that is no page asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Signal {
    Empty,
    Ignore(String),
    SplitWindow(String),
    Restart(String),
    WithoutJob(String),
}

/// An answer, or what it asks for.
#[derive(Debug)]
pub(crate) enum Reply<T> {
    Good(T),
    Signal(Signal),
}

/// Why an answer is of no use, and whether asking again may help.
pub(crate) enum Trouble {
    Again(RestError),
    Fatal(Box<crate::error::Error>),
}

impl From<RestError> for Trouble {
    fn from(error: RestError) -> Self {
        Self::Fatal(Box::new(error.into()))
    }
}

/// How requests of one stream are sent.
pub(crate) struct Fetcher<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) retry: &'a Retry,
    /// Rules in the order in which they are tried.
    pub(crate) rules: Vec<&'a ErrorRule>,
    pub(crate) counters: &'a Counters,
    /// The API forgets a page once it was sent: after an answer that didn't arrive whole, everything has to begin again.
    pub(crate) forgets: bool,
}

impl Fetcher<'_> {
    /// Asks until there is an answer that `read` takes. `read` may say that the answer is of no use, and that asking again may help.
    pub(crate) async fn fetch<T>(
        &self,
        request: &Request,
        spool: bool,
        mut read: impl AsyncFnMut(Body) -> Result<T, Trouble>,
    ) -> crate::error::Result<Reply<T>> {
        let mut refreshed = false;
        let mut attempt = 1;
        loop {
            if let Some((used, limit, true)) = self.connection.limits.quota_spent() {
                return Err(RestError::Quota { reason: format!("{used} of {limit} requests are spent") }.into());
            }
            let trouble = match self.once(request, spool, &mut refreshed).await {
                Ok(Judged::Body(body)) => match read(body).await {
                    Ok(value) => return Ok(Reply::Good(value)),
                    Err(Trouble::Again(error)) => (error, None),
                    Err(Trouble::Fatal(error)) => return Err(*error),
                },
                Ok(Judged::Signal(signal)) => return Ok(Reply::Signal(signal)),
                // A new token is no retry.
                Ok(Judged::Refreshed) => continue,
                Ok(Judged::Again(error, hint)) => (error, hint),
                Err(error) => return Err(error.into()),
            };
            let (error, hint) = trouble;
            // Who answers 429 has done nothing yet.
            if self.forgets && !matches!(error, RestError::Refused { status: 429, .. }) {
                return Ok(Reply::Signal(Signal::Restart(error.to_string())));
            }
            if attempt >= self.retry.attempts.max(1) {
                return Err(RestError::GaveUp { request: shown(request), attempts: attempt, reason: error.to_string() }.into());
            }
            attempt += 1;
            Counters::add(&self.counters.retries, 1);
            let wait = self.connection.backoff.wait(attempt, hint);
            tracing::warn!(request = shown(request), %error, attempt, wait_ms = wait.as_millis(), "trying again");
            tokio::time::sleep(wait).await;
        }
    }

    async fn once(&self, request: &Request, spool: bool, refreshed: &mut bool) -> Result<Judged, RestError> {
        let connection = self.connection;
        // A replay asks nobody, so there is nothing to wait for.
        let permit = if connection.client.is_replaying() { None } else { Some(connection.limits.permit(request.url().path()).await) };
        let (ready, generation) = connection.auth.apply(request.clone()).await?;
        Counters::add(&self.counters.requests, 1);
        let mut answer = match connection.client.open(&ready).await {
            Ok(answer) => answer,
            Err(error @ cscopilot_http::Error::NoAnswer { .. }) => return Ok(Judged::Again(error.into(), None)),
            Err(error) => return Err(error.into()),
        };
        connection.limits.observe(&answer.headers);
        if (200..300).contains(&answer.status) {
            let body = self.body(&mut answer, spool).await;
            drop(permit);
            return match body {
                Ok(body) => self.good(request, answer.status, body),
                Err(BodyError::Http(error)) => Ok(Judged::Again(error.into(), None)),
                Err(BodyError::Spool(error)) => Err(error.into()),
            };
        }
        let (status, headers) = (answer.status, answer.headers.clone());
        // An error's body may be cut as well; what there is of it may be enough.
        let body = match self.body(&mut answer, false).await {
            Ok(Body { content: Content::Memory(bytes), .. }) => bytes.slice(..bytes.len().min(MOST_OF_ERRORS)),
            _ => Bytes::new(),
        };
        drop(permit);
        let excerpt = answer.excerpt(&body);
        let json: Option<Value> = serde_json::from_slice(&body).ok();
        let text = String::from_utf8_lossy(&body);
        let facts = Facts { status, headers: &headers, json: json.as_ref(), text: &text };
        let rule = self.rules.iter().find(|rule| facts.meets(rule));
        let refused = |message: Option<String>| RestError::Refused { request: shown(request), status, body: excerpt.clone(), message };
        let Some(rule) = rule else {
            return match status {
                401 if !*refreshed && connection.auth.refresh(generation).await? => {
                    *refreshed = true;
                    Ok(Judged::Refreshed)
                }
                408 | 425 | 429 | 500 | 502 | 503 | 504 => {
                    Ok(Judged::Again(refused(None), headers.get("retry-after").and_then(|v| retry_after(v))))
                }
                _ => Err(refused(None)),
            };
        };
        match rule.action.value {
            Action::Refresh => {
                if !*refreshed && connection.auth.refresh(generation).await? {
                    *refreshed = true;
                    return Ok(Judged::Refreshed);
                }
                Err(refused(rule.message.clone()))
            }
            Action::Retry => Ok(Judged::Again(refused(rule.message.clone()), wait_of(rule, &headers))),
            _ => acted(rule, refused(rule.message.clone())),
        }
    }

    /// Rules that hold for answers with a status of success, whose body says otherwise.
    fn good(&self, request: &Request, status: u16, mut body: Body) -> Result<Judged, RestError> {
        // Rules without a condition are for errors.
        let meant =
            |r: &&&ErrorRule| (r.status.is_empty() || r.status.contains(&status)) && (r.when.is_some() || r.body_contains.is_some());
        let rules: Vec<&ErrorRule> = self.rules.iter().filter(meant).copied().collect();
        if rules.is_empty() {
            return Ok(Judged::Body(body));
        }
        let sample = sample(&mut body.content)?;
        // An error that comes with a status of success is a short document; whole pages are not parsed for it.
        let looks = sample.len() <= MOST_OF_GOOD_ERRORS && rules.iter().any(|r| r.when.as_ref().is_some_and(|w| w.path.is_some()));
        let json = if looks { serde_json::from_slice(&sample).ok() } else { None };
        let text = String::from_utf8_lossy(&sample[sample.len().saturating_sub(TAIL)..]);
        for rule in rules {
            let facts = Facts { status, headers: &body.headers, json: json.as_ref(), text: &text };
            if !facts.meets(rule) {
                continue;
            }
            let excerpt = self.connection.client.excerpt(&sample);
            let refused = RestError::Refused { request: shown(request), status, body: excerpt, message: rule.message.clone() };
            return match rule.action.value {
                Action::Retry | Action::Refresh => Ok(Judged::Again(refused, wait_of(rule, &body.headers))),
                _ => acted(rule, refused),
            };
        }
        Ok(Judged::Body(body))
    }

    async fn body(&self, answer: &mut Answer, spool: bool) -> Result<Body, BodyError> {
        let content = if spool {
            let mut file = tempfile::tempfile().map_err(BodyError::Spool)?;
            let mut hasher = blake3::Hasher::new();
            while let Some(chunk) = answer.chunk().await.map_err(BodyError::Http)? {
                Counters::add(&self.counters.bytes, chunk.len() as u64);
                hasher.update(&chunk);
                file.write_all(&chunk).map_err(BodyError::Spool)?;
            }
            file.seek(SeekFrom::Start(0)).map_err(BodyError::Spool)?;
            Content::Disk(file, short(&hasher.finalize()))
        } else {
            let mut chunks: Vec<Bytes> = Vec::new();
            let mut length = 0;
            while let Some(chunk) = answer.chunk().await.map_err(BodyError::Http)? {
                length += chunk.len();
                if length > MOST_IN_MEMORY {
                    return Err(BodyError::Http(cscopilot_http::Error::BadAnswer {
                        method: "GET".to_owned(),
                        url: answer.url.path().to_owned(),
                        reason: format!("it is longer than {} MiB", MOST_IN_MEMORY >> 20),
                    }));
                }
                chunks.push(chunk);
            }
            Counters::add(&self.counters.bytes, length as u64);
            let mut chunks = chunks.into_iter();
            let bytes = match (chunks.next(), chunks.next()) {
                (None, _) => Bytes::new(),
                (Some(only), None) => only,
                (Some(first), Some(second)) => {
                    let mut all = Vec::with_capacity(length);
                    for chunk in [first, second].into_iter().chain(chunks) {
                        all.extend_from_slice(&chunk);
                    }
                    all.into()
                }
            };
            Content::Memory(bytes)
        };
        Ok(Body { headers: answer.headers.clone(), url: answer.url.clone(), content })
    }
}

enum BodyError {
    Http(cscopilot_http::Error),
    Spool(std::io::Error),
}

/// What one attempt came to.
enum Judged {
    Body(Body),
    Signal(Signal),
    Refreshed,
    Again(RestError, Option<Duration>),
}

/// What a rule without a second attempt asks for.
fn acted(rule: &ErrorRule, refused: RestError) -> Result<Judged, RestError> {
    let reason = refused.to_string();
    Ok(Judged::Signal(match rule.action.value {
        Action::Empty => Signal::Empty,
        Action::Ignore => Signal::Ignore(reason),
        Action::SplitWindow => Signal::SplitWindow(reason),
        Action::Restart => Signal::Restart(reason),
        Action::WithoutJob => Signal::WithoutJob(reason),
        Action::StopWithQuota => return Err(RestError::Quota { reason }),
        Action::Fail | Action::Retry | Action::Refresh => return Err(refused),
    }))
}

fn wait_of(rule: &ErrorRule, headers: &BTreeMap<String, String>) -> Option<Duration> {
    let header = |name: &str| headers.get(&name.to_lowercase());
    match rule.wait.as_ref() {
        None => header("retry-after").and_then(|v| retry_after(v)),
        Some(WaitUntil::Header(name)) => header(name).and_then(|v| retry_after(v)),
        Some(WaitUntil::Secs(secs)) => Duration::try_from_secs_f64(*secs).ok(),
        Some(WaitUntil::UnixSecsHeader(name)) => {
            let at: i64 = header(name)?.parse().ok()?;
            let left = at.saturating_mul(1_000_000) - super::connection::now_micros();
            Some(Duration::from_micros(u64::try_from(left).unwrap_or(0)))
        }
    }
}

/// The part of a good body that rules look at: all of a page, the end of a file, where an export says that it was cut short.
fn sample(content: &mut Content) -> Result<Bytes, RestError> {
    Ok(match content {
        Content::Memory(bytes) => bytes.clone(),
        Content::Disk(file, _) => {
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(TAIL as u64)))?;
            let mut tail = Vec::with_capacity(TAIL);
            file.read_to_end(&mut tail)?;
            file.seek(SeekFrom::Start(0))?;
            tail.into()
        }
    })
}

/// An answer as rules see it.
struct Facts<'a> {
    status: u16,
    headers: &'a BTreeMap<String, String>,
    json: Option<&'a Value>,
    text: &'a str,
}

impl Facts<'_> {
    fn meets(&self, rule: &ErrorRule) -> bool {
        let good = (200..300).contains(&self.status);
        let status = if rule.status.is_empty() {
            !good || rule.when.is_some() || rule.body_contains.is_some()
        } else {
            rule.status.contains(&self.status)
        };
        status
            && rule.when.as_ref().is_none_or(|when| self.holds(when))
            && rule.body_contains.as_ref().is_none_or(|part| self.text.contains(part.as_str()))
    }

    fn holds(&self, predicate: &Predicate) -> bool {
        match (&predicate.path, &predicate.header) {
            (Some(path), _) => predicate.holds(self.json.and_then(|json| at_path(json, path))),
            (None, Some(header)) => predicate.holds(self.headers.get(&header.to_lowercase()).map(|v| Value::from(v.as_str())).as_ref()),
            (None, None) => false,
        }
    }
}

/// The value at a dotted path; numbers are elements of lists.
pub(crate) fn at_path<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    cscopilot_decode::segments(path).iter().try_fold(value, |at, key| match at {
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        other => other.get(key.as_str()),
    })
}
