use cscopilot_diag::{Coded, Domain};

/// Why a sync could not be done. What was written before it stopped is logged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The project has no such sync.
    #[error("there is no sync `{name}`")]
    NoSync {
        /// What was asked for.
        name: String,
    },
    /// An address or token that can't be resolved.
    #[error("`{text}` can't be resolved: {reason}")]
    Unresolved {
        /// The text as written.
        text: String,
        /// Why.
        reason: String,
        /// What to do.
        help: Option<String>,
    },
    /// Something that is no address.
    #[error("`{url}` is not the address of a Salesforce org: {reason}")]
    BadUrl {
        /// What was given.
        url: String,
        /// Why not.
        reason: String,
    },
    /// The table isn't there.
    #[error("there is no table `{table}` to sync from")]
    NoTable {
        /// The table.
        table: String,
    },
    /// A column that the table lacks.
    #[error("`{table}` has no column `{column}`")]
    NoColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A column of a type that no CRM field takes.
    #[error("`{column}` is {data_type}, which no field of the CRM can hold")]
    BadType {
        /// The column.
        column: String,
        /// Its type.
        data_type: String,
    },
    /// The CRM doesn't know us.
    #[error("the CRM refuses the token: {reason}")]
    Unauthorised {
        /// Its answer.
        reason: String,
    },
    /// The CRM's quota of calls is used up.
    #[error("the CRM takes no more calls for now: {reason}")]
    Quota {
        /// Its answer.
        reason: String,
    },
    /// A call failed as a whole.
    #[error("{what} failed")]
    Call {
        /// What was being done.
        what: String,
        /// What the client said.
        #[source]
        source: cscopilot_http::Error,
    },
    /// An answer that doesn't fit the question.
    #[error("the CRM answered {what} in a way that can't be understood: {reason}")]
    BadAnswer {
        /// What was being done.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// The lake failed.
    #[error(transparent)]
    Lake(#[from] cscopilot_lake::Error),
    /// Rows of the log could not be built.
    #[error("rows of the sync log can't be built")]
    Arrow(#[from] arrow::error::ArrowError),
}

/// The result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::NoSync { .. } => "SYN001",
            Self::Unresolved { .. } => "SYN002",
            Self::BadUrl { .. } => "SYN003",
            Self::NoTable { .. } => "SYN004",
            Self::NoColumn { .. } => "SYN005",
            Self::BadType { .. } => "SYN006",
            Self::Unauthorised { .. } => "SYN007",
            Self::Quota { .. } => "SYN008",
            Self::Call { .. } => "SYN009",
            Self::BadAnswer { .. } => "SYN010",
            Self::Lake(error) => error.code(),
            Self::Arrow(_) => "SYN098",
        }
    }

    fn domain(&self) -> Domain {
        match self {
            Self::Lake(error) => error.domain(),
            Self::Call { source, .. } => source.domain(),
            Self::Quota { .. } | Self::BadAnswer { .. } => Domain::External,
            Self::Arrow(_) => Domain::Internal,
            _ => Domain::User,
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::NoSync { .. } => "see `configs/syncs/`".to_owned(),
            Self::Unresolved { help, .. } => return help.clone(),
            Self::BadUrl { .. } => "write it as `https://acme.my.salesforce.com`".to_owned(),
            Self::NoTable { .. } => "run the pipeline up to that table first".to_owned(),
            Self::NoColumn { .. } => "add it to the SQL of the table, or change the mapping".to_owned(),
            Self::BadType { .. } => "cast it to text in SQL; of lists of structs, name the text with `part:`".to_owned(),
            Self::Unauthorised { .. } => "renew the token that `token:` of the sync names; nothing was written".to_owned(),
            Self::Quota { .. } => "run again tomorrow, or raise the org's limit; rows that are left are written then".to_owned(),
            Self::Call { source, .. } => return source.help(),
            Self::BadAnswer { .. } => "is `base_url` the org's own address, and not that of a login page?".to_owned(),
            Self::Lake(error) => return error.help(),
            Self::Arrow(_) => return None,
        })
    }
}
