use crate::redact::Redactor;
use crate::retry::{may_help, retry_after, wait};
use crate::{Error, Request, Response, Result};
use backon::{ExponentialBuilder, Retryable};
use cscopilot_diag::Secret;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use url::Url;

/// How patient a client is.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How often a request is sent at most.
    pub attempts: u32,
    /// The wait before the second attempt; it doubles each time.
    pub first_wait: Duration,
    /// The longest wait, also where the server asks for more.
    pub longest_wait: Duration,
    /// Requests a second; no limit without it.
    pub requests_per_second: Option<NonZeroU32>,
    /// The seed of the jitter that keeps clients apart.
    pub jitter_seed: u64,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            attempts: 5,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(60),
            requests_per_second: None,
            jitter_seed: 0,
        }
    }
}

/// Sends requests. Clones share connections and rate.
#[derive(Debug, Clone)]
pub struct Client {
    inner: reqwest::Client,
    options: ClientOptions,
    limiter: Option<Arc<DefaultDirectRateLimiter>>,
    redactor: Redactor,
}

impl Client {
    /// A client.
    ///
    /// # Errors
    /// [`Error::Setup`] where TLS can't be set up.
    pub fn new(options: ClientOptions) -> Result<Self> {
        // The one place where a client is made; everything else uses this type.
        #[allow(clippy::disallowed_methods)]
        let inner = reqwest::Client::builder()
            .timeout(options.timeout)
            .connect_timeout(options.timeout.min(Duration::from_secs(15)))
            .user_agent(concat!("cscopilot/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| Error::Setup(e.to_string()))?;
        let limiter = options.requests_per_second.map(|rate| Arc::new(RateLimiter::direct(Quota::per_second(rate))));
        Ok(Self { inner, options, limiter, redactor: Redactor::default() })
    }

    /// Tells the client of a secret that no message may show, besides the bearer tokens of requests.
    #[must_use]
    pub fn hiding(mut self, secret: &Secret) -> Self {
        self.redactor.add(secret);
        self
    }

    /// Sends a request until it has an answer that counts.
    ///
    /// # Errors
    /// [`Error::Status`] for an answer that is no success, [`Error::NoAnswer`] where there was none.
    pub async fn send(&self, request: &Request) -> Result<Response> {
        let mut redactor = self.redactor.clone();
        if let Some(token) = &request.bearer {
            redactor.add(token);
        }
        let attempts = AtomicU32::new(0);
        let attempt = || async {
            let number = attempts.fetch_add(1, Ordering::Relaxed) + 1;
            if let Some(limiter) = &self.limiter {
                limiter.until_ready().await;
            }
            self.once(request, &redactor, number).await
        };
        let backoff = ExponentialBuilder::default()
            .with_min_delay(self.options.first_wait)
            .with_max_delay(self.options.longest_wait)
            .with_max_times(self.options.attempts.saturating_sub(1) as usize)
            .with_jitter()
            .with_jitter_seed(self.options.jitter_seed);
        attempt
            .retry(backoff)
            .when(|error| may_help(error, request.repeatable))
            .adjust(|error, pause| wait(error, pause, self.options.longest_wait))
            .notify(|error, pause| tracing::warn!(%error, wait_ms = pause.as_millis(), "trying again"))
            .await
    }

    async fn once(&self, request: &Request, redactor: &Redactor, number: u32) -> Result<Response> {
        let asked = (request.method.to_string(), redactor.clean(&shown(&request.url)));
        let mut builder = self.inner.request(request.method.clone(), request.url.clone());
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        if let Some(token) = &request.bearer {
            builder = builder.bearer_auth(token.expose());
        }
        if let Some(body) = &request.body {
            builder = builder.body(body.clone());
        }
        let no_answer = |error: reqwest::Error| {
            let unsent = error.is_connect() || error.is_builder();
            let reason = redactor.clean(&causes(&error.without_url()));
            Error::NoAnswer { method: asked.0.clone(), url: asked.1.clone(), attempts: number, reason, unsent }
        };
        let answer = builder.send().await.map_err(no_answer)?;
        let status = answer.status();
        let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = answer.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        let retry = answer.headers().get("retry-after").and_then(|value| retry_after(&text(value)));
        let body = answer.bytes().await.map_err(no_answer)?;
        tracing::debug!(method = asked.0, url = asked.1, status = status.as_u16(), bytes = body.len(), "answered");
        if status.is_success() {
            return Ok(Response { status: status.as_u16(), headers, body, asked });
        }
        Err(Error::Status { method: asked.0, url: asked.1, status: status.as_u16(), body: redactor.excerpt(&body), retry_after: retry })
    }
}

/// A URL as messages show it: without user, password, query and fragment.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Both fail only for URLs that have no host, and so none of the two.
    let _no_host = (url.set_username(""), url.set_password(None));
    url.to_string()
}

/// An error with its causes, since the outermost one often says nothing.
fn causes(error: &dyn std::error::Error) -> String {
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
