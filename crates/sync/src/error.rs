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
    /// The project has no such store.
    #[error("there is no store `{name}`")]
    NoStore {
        /// What was asked for.
        name: String,
    },
    /// An address or certificate that can't be used. It doesn't show the address, which may hold a password.
    #[error("the address of the store `{store}` can't be used: {reason}")]
    BadStoreUrl {
        /// The store.
        store: String,
        /// Why not.
        reason: String,
    },
    /// The store's server can't be reached.
    #[error("the store at {place} can't be reached: {reason}")]
    StoreDown {
        /// Host and port.
        place: String,
        /// What the client said.
        reason: String,
    },
    /// The store's server doesn't know us.
    #[error("the store at {place} refuses the login: {reason}")]
    StoreUnauthorised {
        /// Host and port.
        place: String,
        /// Its answer.
        reason: String,
    },
    /// The store's server went away, or took no more rows.
    #[error("the store at {place} stopped after {rows} rows: {reason}")]
    StoreStopped {
        /// Host and port.
        place: String,
        /// Rows that it had dealt with.
        rows: u64,
        /// What it or the client said.
        reason: String,
    },
    /// Rows that would write the same key.
    #[error("{rows} rows of `{table}` have a `{column}` that another row has, too")]
    RepeatedKeys {
        /// The table.
        table: String,
        /// The key's column.
        column: String,
        /// How many rows are too many.
        rows: u64,
    },
    /// A column of a type that can't be written as text, or that can't end a key.
    #[error("`{column}` is {data_type}, which a store can't hold there")]
    BadFieldType {
        /// The column.
        column: String,
        /// Its type.
        data_type: String,
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
            Self::NoStore { .. } => "SYN012",
            Self::BadStoreUrl { .. } => "SYN013",
            Self::StoreDown { .. } => "SYN014",
            Self::StoreUnauthorised { .. } => "SYN015",
            Self::StoreStopped { .. } => "SYN016",
            Self::RepeatedKeys { .. } => "SYN017",
            Self::BadFieldType { .. } => "SYN018",
            Self::Lake(error) => error.code(),
            Self::Arrow(_) => "SYN098",
        }
    }

    fn domain(&self) -> Domain {
        match self {
            Self::Lake(error) => error.domain(),
            Self::Call { source, .. } => source.domain(),
            Self::Quota { .. } | Self::BadAnswer { .. } | Self::StoreDown { .. } | Self::StoreStopped { .. } => Domain::External,
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
            Self::NoStore { .. } => "see `configs/stores/`".to_owned(),
            Self::BadStoreUrl { .. } => "write it as `redis://host:6379/0`, or `rediss://host:6379/0` for TLS".to_owned(),
            Self::StoreDown { .. } => "is it running, and does it let this machine in? `cscopilot retry` does what is left".to_owned(),
            Self::StoreUnauthorised { .. } => "see the user in `url:` and `password:` of the store; nothing was written".to_owned(),
            Self::StoreStopped { .. } => "run again when it is well: what it has already stays as it is, and the rest follows".to_owned(),
            Self::RepeatedKeys { .. } => {
                "publish a table with one row an account, or choose rows with `where:`; nothing was written".to_owned()
            }
            Self::BadFieldType { .. } => "cast it to text in SQL; keys are texts or integers".to_owned(),
            Self::Lake(error) => return error.help(),
            Self::Arrow(_) => return None,
        })
    }
}
