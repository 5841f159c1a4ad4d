use cscopilot_diag::{Coded, Diagnostics, Domain, ExitClass};

/// What can go wrong in a run outside its tasks.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The project has errors; nothing was started.
    #[error("{0}")]
    Invalid(Diagnostics),
    /// The pipeline isn't there.
    #[error("there is no pipeline `{name}`")]
    UnknownPipeline {
        /// What was asked for.
        name: String,
        /// What there is.
        help: Option<String>,
    },
    /// No source or stream of that name.
    #[error("there is no source or stream `{name}`")]
    UnknownStream {
        /// What was asked for.
        name: String,
        /// What there is.
        help: Option<String>,
    },
    /// A selection that selects nothing.
    #[error("`--select {selector}` selects no task of this pipeline")]
    UnknownSelection {
        /// What was asked for.
        selector: String,
        /// What there is.
        help: Option<String>,
    },
    /// Tasks that wait for one another.
    #[error("these tasks wait for one another: {}", .0.join(" -> "))]
    Cycle(Vec<String>),
    /// Another run holds the lake.
    #[error("another run is at work: {0}")]
    Busy(#[source] cscopilot_lake::LockHeld),
    /// There is no unfinished run.
    #[error("there is no unfinished run to retry")]
    NothingToRetry,
    /// The unfinished run was of another program or project.
    #[error("run {run_id} can't be taken up: {reason}")]
    CannotRetry {
        /// The run.
        run_id: String,
        /// Why not.
        reason: String,
    },
    /// The lake failed.
    #[error(transparent)]
    Lake(#[from] cscopilot_lake::Error),
    /// A task's thread died.
    #[error("a task ended without a result")]
    Lost(#[source] tokio::task::JoinError),
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "RUN001",
            Self::UnknownPipeline { .. } => "RUN002",
            Self::UnknownStream { .. } => "RUN011",
            Self::UnknownSelection { .. } => "RUN003",
            Self::Cycle(_) => "RUN004",
            Self::Busy(_) => "RUN005",
            Self::NothingToRetry => "RUN006",
            Self::CannotRetry { .. } => "RUN007",
            Self::Lake(error) => error.code(),
            Self::Lost(_) => "RUN008",
        }
    }

    fn domain(&self) -> Domain {
        match self {
            Self::Busy(_) => Domain::External,
            Self::Lake(error) => error.domain(),
            Self::Lost(_) => Domain::Internal,
            _ => Domain::User,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::UnknownPipeline { help, .. } | Self::UnknownStream { help, .. } | Self::UnknownSelection { help, .. } => help.clone(),
            Self::Cycle(_) => Some("remove one of the references, so that the tables can be built one after the other".to_owned()),
            Self::Busy(held) => held.help(),
            Self::NothingToRetry => Some("start one with `cscopilot run PIPELINE`".to_owned()),
            Self::CannotRetry { .. } => Some("start a new run with `cscopilot run PIPELINE`".to_owned()),
            Self::Lake(error) => error.help(),
            Self::Lost(_) => Some("this is a defect of the program; please report it with the log".to_owned()),
            Self::Invalid(_) => None,
        }
    }

    fn exit_class(&self) -> ExitClass {
        match self {
            Self::Invalid(_)
            | Self::UnknownPipeline { .. }
            | Self::UnknownStream { .. }
            | Self::UnknownSelection { .. }
            | Self::Cycle(_)
            | Self::NothingToRetry => ExitClass::Invalid,
            _ => ExitClass::Failed,
        }
    }
}

impl Error {
    /// Everything that is wrong, one diagnostic each.
    #[must_use]
    pub fn diagnostics(&self) -> Diagnostics {
        match self {
            Self::Invalid(all) => all.clone(),
            other => other.to_diagnostic().into(),
        }
    }
}

/// The error of one task, as it is kept in the journal and shown.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TaskError {
    /// A stable code.
    pub code: String,
    /// What is wrong, as a diagnostic in plain text.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl TaskError {
    pub(crate) fn of(error: &dyn Coded) -> Self {
        let diagnostic = error.to_diagnostic();
        Self { code: diagnostic.code.to_owned(), message: diagnostic.message, help: diagnostic.help }
    }
}
