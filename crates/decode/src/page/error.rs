use cscopilot_diag::{Coded, Domain};

/// Why an API's answer could not be turned into rows.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PageError {
    /// The body is not what it should be: HTML, cut short, empty, damaged.
    #[error("the answer to {file} is no {form}: {reason}")]
    Unreadable {
        /// The request.
        file: String,
        /// What was expected.
        form: &'static str,
        /// What is there instead.
        reason: String,
    },
    /// Sound JSON without the records.
    #[error("the answer to {file} has no records at `{path}`: there is {found}")]
    NoRecords {
        /// The request.
        file: String,
        /// Where they should be.
        path: String,
        /// What is there instead.
        found: &'static str,
    },
    /// Fields that the declaration doesn't know, in a stream that allows none.
    #[error("the answer to {file} has fields that no column reads: {fields}")]
    NewFields {
        /// The request.
        file: String,
        /// The fields.
        fields: String,
    },
    /// Answers for groups of fields that can't be joined.
    #[error("the answers for two groups of fields don't fit together: {reason}")]
    GroupsDiffer {
        /// Where they differ.
        reason: String,
    },
    /// A document that is larger than can be read at once.
    #[error("the answer to {file} has {bytes} bytes, more than can be read as one document")]
    TooLarge {
        /// The request.
        file: String,
        /// Its size.
        bytes: u64,
    },
    /// A value of the request that its column can't hold.
    #[error("the value of the added column `{column}` can't be used: {reason}")]
    BadAdded {
        /// The column.
        column: String,
        /// Why.
        reason: String,
    },
}

impl PageError {
    /// Whether the answer itself is unsound, so that the same request may get a better one.
    #[must_use]
    pub fn is_unsound(&self) -> bool {
        matches!(self, Self::Unreadable { .. } | Self::GroupsDiffer { .. })
    }
}

impl Coded for PageError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "EXT040",
            Self::NoRecords { .. } => "EXT041",
            Self::NewFields { .. } => "EXT042",
            Self::GroupsDiffer { .. } => "EXT043",
            Self::TooLarge { .. } => "EXT044",
            Self::BadAdded { .. } => "EXT045",
        }
    }

    fn domain(&self) -> Domain {
        match self {
            Self::Unreadable { .. } | Self::GroupsDiffer { .. } | Self::TooLarge { .. } => Domain::External,
            Self::NoRecords { .. } | Self::NewFields { .. } | Self::BadAdded { .. } => Domain::User,
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Unreadable { .. } => "nothing of it was published; run again, and if it stays so, look at the answer with `--record`".to_owned(),
            Self::NoRecords { .. } => {
                "correct `records.path` of the connector (`single: true` where it is one record, not a list), or add a rule under `errors:` \
                 if this is how the API reports an error"
                    .to_owned()
            }
            Self::NewFields { .. } => {
                "add columns for them, or choose another `drift`: `evolve` keeps them, `discard_value` leaves them out".to_owned()
            }
            Self::GroupsDiffer { .. } => "records changed between two requests: run again".to_owned(),
            Self::TooLarge { .. } => "ask for smaller pages".to_owned(),
            Self::BadAdded { .. } => "correct the column's type or value under `records.add`".to_owned(),
        })
    }
}
