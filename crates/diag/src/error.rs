use crate::{Diagnostic, ExitClass};

/// Whose fault an error is; it decides what the reader should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// The project, the command line or the data: the user can mend it.
    User,
    /// A vendor, the network, the disk: trying again may help.
    External,
    /// A defect of ours.
    Internal,
}

/// What every crate's error enum offers: a stable code, a domain and help.
pub trait Coded: std::error::Error {
    /// A stable code such as `EXT012`.
    fn code(&self) -> &'static str;

    /// Whose fault it is.
    fn domain(&self) -> Domain {
        Domain::User
    }

    /// What to do about it.
    fn help(&self) -> Option<String> {
        None
    }

    /// The exit class of a command that ends with this error.
    fn exit_class(&self) -> ExitClass {
        ExitClass::Failed
    }

    /// The error as a diagnostic: its message and the chain of causes.
    fn to_diagnostic(&self) -> Diagnostic {
        let mut message = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(c) = cause {
            let text = c.to_string();
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            cause = c.source();
        }
        let diagnostic = Diagnostic::error(self.code(), message);
        match self.help() {
            Some(help) => diagnostic.with_help(help),
            None => diagnostic,
        }
    }
}
