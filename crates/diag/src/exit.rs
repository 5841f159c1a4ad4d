use serde::Serialize;

/// How a command ended, as the process's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitClass {
    /// Everything asked for was done (0).
    Done,
    /// Done, but some records were rejected or some CRM rows refused (3).
    DoneWithRejections,
    /// The run failed, or a check failed (1).
    Failed,
    /// The project or the command line is wrong; nothing was started (2).
    Invalid,
}

impl ExitClass {
    /// The process exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Invalid => 2,
            Self::DoneWithRejections => 3,
        }
    }

    /// The worse of two ends: invalid, then failed, then rejections, then done.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        self.max(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worse_end_wins() {
        assert_eq!(ExitClass::Done.worse(ExitClass::DoneWithRejections), ExitClass::DoneWithRejections);
        assert_eq!(ExitClass::Failed.worse(ExitClass::DoneWithRejections), ExitClass::Failed);
        assert_eq!(ExitClass::Failed.worse(ExitClass::Invalid).code(), 2);
    }
}
