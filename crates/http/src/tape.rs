//! Exchanges on disk: recorded once, replayed without a network.
//!
//! A recording is for looking into a vendor's answers, for bug reports and for tests, so it may hold no secret. Requests are told apart by
//! method, URL and body with all secrets taken out: so a replay needs no real ones, only the same places for them.

mod exchange;
mod player;
mod recorder;

use crate::{Error, Result};
use player::Player;
use recorder::Recorder;
use std::path::{Path, PathBuf};

/// What a client does with exchanges.
#[derive(Debug)]
pub(crate) enum Tape {
    Record(Recorder),
    Replay(Player),
}

impl Tape {
    pub(crate) fn record(dir: PathBuf) -> Result<Self> {
        Recorder::new(dir).map(Self::Record)
    }

    pub(crate) fn replay(dir: PathBuf) -> Result<Self> {
        Player::new(dir).map(Self::Replay)
    }

    pub(crate) fn is_replay(&self) -> bool {
        matches!(self, Self::Replay(_))
    }
}

fn unusable(path: &Path, reason: impl std::fmt::Display) -> Error {
    Error::Recording { path: path.display().to_string(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests;
