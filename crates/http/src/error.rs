use cscopilot_diag::{Coded, Domain};
use std::time::Duration;

/// Why a request got no good answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The client can't be made.
    #[error("the HTTP client can't be set up: {0}")]
    Setup(String),
    /// Something that is no URL.
    #[error("`{url}` is not a URL: {reason}")]
    BadUrl {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No answer: no connection, a broken one, or none in time.
    #[error("{method} {url} got no answer ({attempts} attempts): {reason}")]
    NoAnswer {
        /// The method.
        method: String,
        /// The URL, without its query.
        url: String,
        /// How often it was tried.
        attempts: u32,
        /// What happened.
        reason: String,
        /// Whether the request surely never reached the server.
        unsent: bool,
    },
    /// An answer that is no success.
    #[error("{method} {url} was answered with {status}: {body}")]
    Status {
        /// The method.
        method: String,
        /// The URL, without its query.
        url: String,
        /// The status.
        status: u16,
        /// The beginning of the answer.
        body: String,
        /// When the server wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// An answer that can't be understood.
    #[error("the answer to {method} {url} can't be understood: {reason}")]
    BadAnswer {
        /// The method.
        method: String,
        /// The URL, without its query.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A body that can't be written as JSON.
    #[error("a request body can't be written: {0}")]
    BadBody(String),
    /// The vendor gives no token for these credentials.
    #[error("{url} gives no token (status {status}): {reason}")]
    TokenRefused {
        /// Where tokens are asked for, without its query.
        url: String,
        /// The status of the answer.
        status: u16,
        /// The beginning of the answer.
        reason: String,
    },
    /// A token request brought a new refresh token, which could not be stored.
    #[error("the new refresh token from {url} can't be stored: {reason}")]
    TokenNotKept {
        /// Where the token came from, without its query.
        url: String,
        /// What the secret store says.
        reason: String,
    },
    /// A private key that can't sign.
    #[error("the private key can't sign a token request: {reason}")]
    BadKey {
        /// What is wrong with it.
        reason: String,
    },
    /// A header that HTTP doesn't allow.
    #[error("the header `{name}` can't be sent: its name or value has characters that headers may not have")]
    BadHeader {
        /// The header's name.
        name: String,
    },
    /// A request that the recording does not have, or not so often.
    #[error("{method} {url} is not in the recording {dir}, or not {nth} times")]
    NotRecorded {
        /// The method.
        method: String,
        /// The URL with its query, secrets removed.
        url: String,
        /// The folder of the recording.
        dir: String,
        /// The how manieth request of this kind it is.
        nth: usize,
    },
    /// A recording that can't be written or read.
    #[error("the recording {path} can't be used: {reason}")]
    Recording {
        /// The file or folder.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// The result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The status, where there was an answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } | Self::TokenRefused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Setup(_) => "HTT001",
            Self::BadUrl { .. } => "HTT002",
            Self::NoAnswer { .. } => "HTT003",
            Self::Status { status: 401 | 403, .. } => "HTT004",
            Self::Status { status: 429, .. } => "HTT005",
            Self::Status { status: 500.., .. } => "HTT006",
            Self::Status { .. } => "HTT007",
            Self::BadAnswer { .. } => "HTT008",
            Self::BadBody(_) => "HTT009",
            Self::TokenRefused { .. } => "HTT010",
            Self::TokenNotKept { .. } => "HTT011",
            Self::BadKey { .. } => "HTT012",
            Self::BadHeader { .. } => "HTT013",
            Self::NotRecorded { .. } => "HTT014",
            Self::Recording { .. } => "HTT015",
        }
    }

    fn domain(&self) -> Domain {
        match self {
            Self::NoAnswer { .. } | Self::BadAnswer { .. } | Self::Status { status: 429 | 500.., .. } => Domain::External,
            Self::Setup(_) | Self::BadBody(_) => Domain::Internal,
            _ => Domain::User,
        }
    }

    fn help(&self) -> Option<String> {
        Some(
            match self {
                Self::Setup(_) | Self::BadBody(_) => return None,
                Self::BadUrl { .. } => "write it as `https://host/path`",
                Self::NoAnswer { .. } => "check the address and the network, then run again",
                Self::Status { status: 401, .. } => "the token is wrong or has expired: renew it",
                Self::Status { status: 403, .. } => "this user may not do that: check its permissions and the API quota",
                Self::Status { status: 429, .. } => "the server asks for fewer requests: run again later, or lower the rate",
                Self::Status { status: 500.., .. } => "the server failed: run again later",
                Self::Status { .. } => "the server refused the request: its answer says why",
                Self::BadAnswer { .. } => "is this the address of the API, and not of a login page or proxy?",
                Self::TokenRefused { .. } => "check the client's id and secret; a refresh token that was revoked or used up must be issued anew",
                Self::TokenNotKept { .. } => "make the secret store writable, then run again; if the vendor has already withdrawn the old refresh token, issue a new one",
                Self::BadKey { .. } => "give an RSA private key as PEM (PKCS#8 or PKCS#1), at least 2048 bits, without a passphrase",
                Self::BadHeader { .. } => "is there a line break at the end of a secret?",
                Self::NotRecorded { .. } => "replay with the project, the date and the lake that were recorded, or record again",
                Self::Recording { .. } => "check that the folder exists and may be written, or record again into an empty one",
            }
            .to_owned(),
        )
    }
}
