use crate::answer::causes;
use crate::redact::Redactor;
use crate::redirect::{Hop, MOST};
use crate::request::shown;
use crate::retry::{may_help, retry_after, wait};
use crate::tape::Tape;
use crate::{Answer, Error, Request, Response, Result};
use backon::{ExponentialBuilder, Retryable};
use cscopilot_diag::Secret;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How patient a client is.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// How long one attempt of [`Client::send`] may take, body included; as long as something comes, where there is no limit. Answers to
    /// [`Client::open`] may always take so long: a big export may take an hour.
    pub timeout: Option<Duration>,
    /// How long nothing may come before a connection counts as broken: the wait for the first byte, and for each further one.
    pub read_timeout: Duration,
    /// How often [`Client::send`] sends a request at most.
    pub attempts: u32,
    /// The wait before the second attempt; it doubles each time.
    pub first_wait: Duration,
    /// The longest wait; where the server asks for more, that is the end.
    pub longest_wait: Duration,
    /// Requests a second of [`Client::send`]; no limit without it.
    pub requests_per_second: Option<NonZeroU32>,
    /// The seed of the jitter that keeps clients apart.
    pub jitter_seed: u64,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            timeout: Some(Duration::from_secs(60)),
            read_timeout: Duration::from_secs(60),
            attempts: 5,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(60),
            requests_per_second: None,
            jitter_seed: 0,
        }
    }
}

/// Sends requests. Clones share connections, rate, recording and the secrets they hide.
#[derive(Debug, Clone)]
pub struct Client {
    inner: reqwest::Client,
    options: ClientOptions,
    limiter: Option<Arc<DefaultDirectRateLimiter>>,
    redactor: Redactor,
    tape: Option<Arc<Tape>>,
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
            .read_timeout(options.read_timeout)
            .connect_timeout(options.timeout.unwrap_or(Duration::MAX).min(options.read_timeout).min(Duration::from_secs(15)))
            // Followed here, where it is known which headers are secret.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("cscopilot/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| Error::Setup(e.to_string()))?;
        let limiter = options.requests_per_second.map(|rate| Arc::new(RateLimiter::direct(Quota::per_second(rate))));
        Ok(Self { inner, options, limiter, redactor: Redactor::default(), tape: None })
    }

    /// Writes each exchange into a folder, as `000001.json` and so on, secrets removed. What is in there already stays. Answers are read
    /// whole before they are given out, so this is for looking, not for big exports. Exchanges that break are not recorded.
    ///
    /// # Errors
    /// [`Error::Recording`] where the folder can't be made.
    pub fn recording(self, dir: PathBuf) -> Result<Self> {
        let tape = Tape::record(dir)?;
        Ok(Self { tape: Some(Arc::new(tape)), ..self })
    }

    /// Answers from what [`Client::recording`] wrote and never touches the network. Equal requests get their answers in the order in which
    /// they were recorded, each once; what was not recorded is [`Error::NotRecorded`].
    ///
    /// # Errors
    /// [`Error::Recording`] where the folder can't be read.
    pub fn replaying(self, dir: PathBuf) -> Result<Self> {
        let tape = Tape::replay(dir)?;
        Ok(Self { tape: Some(Arc::new(tape)), ..self })
    }

    /// Tells the client of a secret that no message may show, besides those of requests.
    #[must_use]
    pub fn hiding(self, secret: &Secret) -> Self {
        self.redactor.add(secret);
        self
    }

    /// Whether answers come from a recording, in which no token is a real one.
    #[must_use]
    pub fn is_replaying(&self) -> bool {
        self.tape.as_ref().is_some_and(|tape| tape.is_replay())
    }

    /// The beginning of a text from the vendor on one line, every secret that this client ever sent or got removed: for messages.
    #[must_use]
    pub fn excerpt(&self, body: &[u8]) -> String {
        self.redactor.excerpt(body)
    }

    pub(crate) fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Sends a request, once, and returns when the headers of the answer are there, whatever its status. Waits for nothing but the
    /// connection: limits and repetitions are the caller's.
    ///
    /// # Errors
    /// [`Error::NoAnswer`] where none came; [`Error::BadHeader`]; with a recording also [`Error::NotRecorded`] and [`Error::Recording`].
    pub async fn open(&self, request: &Request) -> Result<Answer> {
        self.exchange(request, None).await
    }

    /// Sends a request until it is answered well or there is no point in trying on.
    ///
    /// # Errors
    /// The last attempt's.
    pub async fn send(&self, request: &Request) -> Result<Response> {
        let attempts = AtomicU32::new(0);
        let attempt = || async {
            let number = attempts.fetch_add(1, Ordering::Relaxed) + 1;
            if let Some(limiter) = &self.limiter {
                limiter.until_ready().await;
            }
            self.once(request).await.map_err(|error| counted(error, number))
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

    async fn once(&self, request: &Request) -> Result<Response> {
        let answer = self.exchange(request, self.options.timeout).await?;
        let (status, headers, asked) = (answer.status, answer.headers.clone(), answer.asked().clone());
        let body = answer.bytes(usize::MAX).await?;
        tracing::debug!(method = asked.0, url = asked.1, status, bytes = body.len(), "read");
        if (200..300).contains(&status) {
            return Ok(Response { status, headers, body, asked });
        }
        let retry_after = headers.get("retry-after").and_then(|value| retry_after(value));
        Err(Error::Status { method: asked.0, url: asked.1, status, body: self.redactor.excerpt(&body), retry_after })
    }

    /// One exchange, by the network or from a recording.
    async fn exchange(&self, request: &Request, timeout: Option<Duration>) -> Result<Answer> {
        request.hide(&self.redactor);
        let asked = (request.method.to_string(), self.redactor.clean(&shown(&request.url)));
        match self.tape.as_deref() {
            None => self.live(request, asked, timeout).await,
            Some(Tape::Replay(player)) => player.answer(request, asked, &self.redactor),
            Some(Tape::Record(recorder)) => recorder.keep(request, self.live(request, asked, timeout).await?, &self.redactor).await,
        }
    }

    /// Sends a request over the network, and after redirections.
    async fn live(&self, request: &Request, asked: (String, String), timeout: Option<Duration>) -> Result<Answer> {
        let mut hop = Hop::first(request)?;
        for number in 0..=MOST {
            let mut builder =
                self.inner.request(hop.method.clone(), hop.url.clone()).headers(hop.headers.clone()).headers(hop.secret.clone());
            if let Some(body) = &hop.body {
                builder = builder.body(body.clone());
            }
            if let Some(timeout) = timeout {
                builder = builder.timeout(timeout);
            }
            let answer = builder.send().await.map_err(|error| {
                let unsent = number == 0 && (error.is_connect() || error.is_builder());
                let reason = self.redactor.clean(&causes(&error.without_url()));
                Error::NoAnswer { method: asked.0.clone(), url: asked.1.clone(), attempts: 1, reason, unsent }
            })?;
            let status = answer.status().as_u16();
            tracing::debug!(method = asked.0, url = asked.1, status, "answered");
            match hop.next(status, answer.headers()) {
                Some(next) => hop = next,
                None => {
                    let url = if number == 0 { request.url.clone() } else { request.without_secrets(answer.url()) };
                    return Ok(Answer::live(answer, url, asked, self.redactor.clone()));
                }
            }
        }
        Err(Error::BadAnswer { method: asked.0, url: asked.1, reason: format!("it was redirected more than {MOST} times") })
    }
}

/// Says in an error how often the request was sent.
fn counted(error: Error, number: u32) -> Error {
    match error {
        Error::NoAnswer { method, url, reason, unsent, .. } => Error::NoAnswer { method, url, attempts: number, reason, unsent },
        other => other,
    }
}
