//! What goes wrong between a request and its rows.

use cscopilot_diag::{Coded, Domain};

/// Why an API's stream could not be read to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestError {
    /// The answer repeats a page, or its token leads back.
    #[error("the API answered with a page that it gave before (at `{token}`)")]
    RepeatedPage {
        /// The token of the page that was asked for.
        token: String,
    },
    /// The answer says that there is more, but not where.
    #[error("the API says that there are more records, but its answer has no `{place}`")]
    NoNextPage {
        /// Where the next page's token should be.
        place: String,
    },
    /// A page without records in the middle.
    #[error("the API gave an empty page after {records} records although it announced more")]
    EmptyPage {
        /// Records until then.
        records: u64,
    },
    /// A page came twice, and behind it nothing.
    #[error("the API gave a page that it gave before (at `{token}`), and nothing when it was asked again")]
    EmptyBehindRepeated {
        /// The page that was asked for.
        token: String,
    },
    /// What the API says of all its pages changed while they were read.
    #[error("the records moved while they were read: {0}")]
    Shifted(String),
    /// The last record has no id to go on from.
    #[error("the last record of a page has no `{path}`")]
    NoId {
        /// The path.
        path: String,
    },
    /// The next page's URL can't be followed.
    #[error("the next page's address `{url}` can't be followed: {reason}")]
    BadNextUrl {
        /// The URL.
        url: String,
        /// Why.
        reason: String,
    },
    /// A template of the manifest could not be filled in.
    #[error("a request of the connector can't be made: {0}")]
    Template(#[from] cscopilot_spec::connector::TemplateError),
    /// A setting of the source could not be resolved.
    #[error("the setting `{setting}` can't be resolved: {reason}")]
    Setting {
        /// The setting.
        setting: String,
        /// Why.
        reason: String,
    },
    /// The exchange failed.
    #[error(transparent)]
    Http(#[from] cscopilot_http::Error),
    /// An answer that the connector's rules call an error.
    #[error("{request} was answered with {status}: {body}{}", .message.as_ref().map(|m| format!(" ({m})")).unwrap_or_default())]
    Refused {
        /// The request.
        request: String,
        /// The status.
        status: u16,
        /// The beginning of the answer.
        body: String,
        /// What the connector says about it.
        message: Option<String>,
    },
    /// The same request failed too often.
    #[error("{request} failed {attempts} times; the last time: {reason}")]
    GaveUp {
        /// The request.
        request: String,
        /// How often.
        attempts: u32,
        /// The last failure.
        reason: String,
    },
    /// A quota is used up.
    #[error("the API's quota is used up: {reason}")]
    Quota {
        /// What the API says.
        reason: String,
    },
    /// A window that can't be made smaller.
    #[error("the window {window} is too large for the API and can't be made smaller: {reason}")]
    TooLarge {
        /// The window.
        window: String,
        /// What the API says.
        reason: String,
    },
    /// A job that came to nothing.
    #[error("the job {id} ended as {state}: {reason}")]
    Job {
        /// Its id.
        id: String,
        /// Its last state.
        state: String,
        /// What the API says.
        reason: String,
    },
    /// Fewer or more records than the API announced.
    #[error("the API announced {announced} records and gave {read}")]
    Short {
        /// Announced.
        announced: u64,
        /// Read.
        read: u64,
    },
    /// An answer that can't be understood.
    #[error("{0}")]
    Unsound(String),
    /// New fields where the table can't be widened while it is written.
    #[error("records have fields that are new: {fields}")]
    Grown {
        /// Their names.
        fields: String,
    },
    /// A temporary file.
    #[error("an answer can't be kept on disk: {0}")]
    Spool(#[from] std::io::Error),
}

impl Coded for RestError {
    fn code(&self) -> &'static str {
        match self {
            Self::RepeatedPage { .. } => "EXT060",
            Self::NoNextPage { .. } => "EXT061",
            Self::EmptyPage { .. } => "EXT062",
            Self::NoId { .. } => "EXT063",
            Self::BadNextUrl { .. } => "EXT064",
            Self::Template(_) => "EXT065",
            Self::Setting { .. } => "EXT066",
            Self::Http(error) => error.code(),
            Self::Refused { .. } => "EXT067",
            Self::GaveUp { .. } => "EXT068",
            Self::Quota { .. } => "EXT069",
            Self::TooLarge { .. } => "EXT070",
            Self::Job { .. } => "EXT071",
            Self::Short { .. } => "EXT072",
            Self::Spool(_) => "EXT073",
            Self::Unsound(_) => "EXT074",
            Self::Grown { .. } => "EXT075",
            Self::EmptyBehindRepeated { .. } => "EXT076",
            Self::Shifted(_) => "EXT077",
        }
    }

    fn domain(&self) -> Domain {
        match self {
            Self::Template(_) | Self::Setting { .. } | Self::TooLarge { .. } => Domain::User,
            Self::Refused { status, .. } if *status < 500 => Domain::User,
            Self::Http(error) => error.domain(),
            Self::Spool(_) => Domain::Internal,
            _ => Domain::External,
        }
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Http(error) => return error.help(),
            Self::Template(_) => "mend the template in the connector's file",
            Self::Setting { .. } => "give it under `settings:` of the source, or set the secret",
            Self::Refused { status: 401 | 403, .. } => "check the credentials and what they may read; `cscopilot doctor` tries them",
            Self::Refused { .. } => "the answer says why; the connector's `errors:` say what such answers mean",
            Self::Quota { .. } => "what was committed stays; run again when the quota is free, and the stream goes on from there",
            Self::TooLarge { .. } => "ask the vendor for a higher limit, or leave the stream out",
            Self::Spool(_) => "make room in the folder for temporary files (TMPDIR)",
            Self::Grown { .. } => "streams below a parent can't evolve: declare the fields as columns, or set `drift: discard_value`",
            Self::RepeatedPage { .. } | Self::EmptyBehindRepeated { .. } => {
                "run again; if it stays so and the API's tokens stay the same from page to page, as those of a scroll do, the connector's \
                 cursor needs `constant: true`"
            }
            Self::NoId { .. } | Self::BadNextUrl { .. } => "the connector's paginator doesn't fit this API",
            _ => "nothing of the open window was published; run again, and it is read anew",
        };
        Some(help.to_owned())
    }
}
