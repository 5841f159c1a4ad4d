//! How requests prove who asks.
//!
//! Keys and passwords are put into requests as they are. Tokens are fetched when the first request needs one, shared by all streams, and
//! renewed once for everybody: before they expire, where the vendor said when, else when a request is answered with 401.

mod assertion;
mod token;

pub use token::{Grant, TokenRequest};

use crate::{Client, Error, Request, Result};
use cscopilot_diag::Secret;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use token::{Fetched, Token};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// What proves who asks.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// Nothing.
    None,
    /// A key in a header.
    Header {
        /// The header's name.
        name: String,
        /// The key.
        key: Secret,
    },
    /// A key in the query.
    Query {
        /// The parameter's name.
        name: String,
        /// The key.
        key: Secret,
    },
    /// HTTP basic authentication.
    Basic {
        /// The user.
        user: Secret,
        /// The password; may be empty.
        password: Secret,
    },
    /// A token that stays as it is.
    Bearer(Secret),
    /// Tokens that are fetched.
    Token(TokenRequest),
}

/// Stores a new refresh token where the old one came from.
pub trait KeepToken: Send + Sync {
    /// Writes the token durably. Only then are it and what came with it used: the vendor has withdrawn the old one already, or will.
    ///
    /// # Errors
    /// Why it can't be written, without the token. The request that needed it then fails with [`Error::TokenNotKept`].
    fn keep(&self, rotated_refresh_token: &Secret) -> std::result::Result<(), String>;
}

/// Which token a request was sent with, so that an old answer doesn't throw a new token away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generation(u64);

/// Puts into requests what proves who asks. Clones share their tokens.
#[derive(Clone)]
pub struct Authenticator(Arc<Inner>);

struct Inner {
    client: Client,
    credentials: Credentials,
    keeper: Option<Arc<dyn KeepToken>>,
    /// Locked while a token is fetched: whoever comes meanwhile waits for that one.
    state: Arc<Mutex<State>>,
    /// How often a token was fetched, or was not to be had.
    tries: AtomicU64,
}

#[derive(Default)]
struct State {
    generation: u64,
    token: Option<Token>,
    /// The refresh token that holds, if it is no longer that of the credentials.
    refresh_token: Option<Secret>,
    /// A token whose new refresh token could not be stored: it must not be used before it is, and must not be lost.
    unkept: Option<Fetched>,
    /// Why the last try failed.
    failed: Option<Error>,
}

impl Authenticator {
    /// Authenticates with these credentials. Tokens are asked for by this client, which then hides them. The keeper stores refresh tokens
    /// that vendors replace; without one they are lost when the process ends.
    #[must_use]
    pub fn new(client: Client, credentials: Credentials, keeper: Option<Arc<dyn KeepToken>>) -> Self {
        let inner = Inner { client, credentials, keeper, state: Arc::default(), tries: AtomicU64::new(0) };
        inner.hide();
        Self(Arc::new(inner))
    }

    /// Adds what proves who asks. Fetches a token if there is none or it has expired.
    ///
    /// # Errors
    /// Those of a token request: [`Error::TokenRefused`], [`Error::TokenNotKept`], [`Error::BadKey`], and what [`Client::send`] says.
    pub async fn apply(&self, request: Request) -> Result<(Request, Generation)> {
        let request = match &self.0.credentials {
            Credentials::None => request,
            Credentials::Header { name, key } => request.secret_header(name, key.clone()),
            Credentials::Query { name, key } => request.secret_query(name, key.clone()),
            Credentials::Basic { user, password } => request.basic(user.clone(), password.clone()),
            Credentials::Bearer(token) => request.bearer(token.clone()),
            Credentials::Token(_) => {
                let (token, generation) = self.token().await?;
                return Ok((request.bearer(token.access), generation));
            }
        };
        Ok((request, Generation(0)))
    }

    /// Says that a request of this generation was answered with 401. Fetches a new token, unless somebody did already; `false` where there
    /// is nothing to fetch.
    ///
    /// # Errors
    /// As for [`Authenticator::apply`].
    pub async fn refresh(&self, stale: Generation) -> Result<bool> {
        if !matches!(self.0.credentials, Credentials::Token(_)) {
            return Ok(false);
        }
        let tries = self.tries();
        let state = self.lock().await;
        if state.generation == stale.0 {
            self.renew(state, tries).await?;
        }
        Ok(true)
    }

    /// The fields of the token answer that the token request keeps. Fetches a token if there is none.
    ///
    /// # Errors
    /// As for [`Authenticator::apply`].
    pub async fn fields(&self) -> Result<BTreeMap<String, String>> {
        if !matches!(self.0.credentials, Credentials::Token(_)) {
            return Ok(BTreeMap::new());
        }
        Ok(self.token().await?.0.fields)
    }

    async fn token(&self) -> Result<(Token, Generation)> {
        let tries = self.tries();
        let state = self.lock().await;
        match &state.token {
            Some(token) if token.holds() => Ok((token.clone(), Generation(state.generation))),
            _ => self.renew(state, tries).await,
        }
    }

    fn tries(&self) -> u64 {
        self.0.tries.load(Ordering::Acquire)
    }

    async fn lock(&self) -> OwnedMutexGuard<State> {
        Arc::clone(&self.0.state).lock_owned().await
    }

    /// Fetches a token. `tries` is what it was before the wait for the lock.
    async fn renew(&self, state: OwnedMutexGuard<State>, tries: u64) -> Result<(Token, Generation)> {
        // Who waited while somebody else failed fails too: asking again for each of them would only lock the account.
        if let Some(error) = &state.failed
            && self.tries() != tries
        {
            return Err(error.clone());
        }
        // A task of its own: if the caller gives up halfway, a refresh token that the vendor just replaced must still be stored.
        let inner = Arc::clone(&self.0);
        let task = tokio::spawn(async move { inner.renew(state).await });
        task.await.unwrap_or_else(|e| Err(Error::Setup(format!("the task that fetches tokens ended: {e}"))))
    }
}

impl Inner {
    async fn renew(&self, mut state: OwnedMutexGuard<State>) -> Result<(Token, Generation)> {
        let renewed = self.fetch(&mut state).await;
        self.tries.fetch_add(1, Ordering::AcqRel);
        match renewed {
            Ok(token) => {
                state.generation += 1;
                state.token = Some(token.clone());
                state.failed = None;
                Ok((token, Generation(state.generation)))
            }
            Err(error) => {
                state.failed = Some(error.clone());
                Err(error)
            }
        }
    }

    async fn fetch(&self, state: &mut State) -> Result<Token> {
        let Credentials::Token(request) = &self.credentials else {
            return Err(Error::Setup("these credentials know no token".to_owned()));
        };
        if let Some(unkept) = state.unkept.take() {
            let token = self.keep(unkept, state, request).await?;
            if token.holds() {
                return Ok(token);
            }
        }
        let fetched = request.fetch(&self.client, state.refresh_token.as_ref()).await?;
        self.keep(fetched, state, request).await
    }

    /// Stores a new refresh token before anything that came with it is used.
    async fn keep(&self, fetched: Fetched, state: &mut State, request: &TokenRequest) -> Result<Token> {
        let Some(rotated) = fetched.rotated.clone() else { return Ok(fetched.token) };
        match self.keeper.clone() {
            None => tracing::warn!(url = request.shown_url(), "the vendor replaced the refresh token, and there is no place to store it"),
            Some(keeper) => {
                let secret = rotated.clone();
                let kept = tokio::task::spawn_blocking(move || keeper.keep(&secret)).await.unwrap_or_else(|e| Err(e.to_string()));
                if let Err(reason) = kept {
                    state.unkept = Some(fetched);
                    let reason = self.client.redactor().clean(&reason);
                    return Err(Error::TokenNotKept { url: request.shown_url(), reason });
                }
            }
        }
        state.refresh_token = Some(rotated);
        Ok(fetched.token)
    }

    /// Tells the client of every secret, before any request is made: an error of another kind may quote them.
    fn hide(&self) {
        let redactor = self.client.redactor();
        match &self.credentials {
            Credentials::None => {}
            Credentials::Header { key, .. } | Credentials::Query { key, .. } => redactor.add(key),
            Credentials::Basic { user, password } => [user, password].into_iter().for_each(|secret| redactor.add(secret)),
            Credentials::Bearer(token) => redactor.add(token),
            Credentials::Token(request) => request.secrets().into_iter().for_each(|secret| redactor.add(secret)),
        }
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").field("credentials", &self.0.credentials).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
