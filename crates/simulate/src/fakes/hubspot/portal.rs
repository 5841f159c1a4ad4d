//! What the fake account remembers between requests: tokens and calls of the day.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::kinds::ObjectKind;
use crate::fakes::tokens::Tokens;
use crate::fakes::world::{DAY, Store};
use crate::fakes::{FakeState, TOKEN};

/// Access tokens hold for half an hour.
pub(super) const TOKEN_SECS: i64 = 1_800;
/// Calls of a day.
const DAILY_REQUESTS: u64 = 250_000;

/// What the account is asked to do wrong, beside the faults that every fake knows: the body of `PUT /_fake/behaviour`. What
/// is left out is as usual.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Behaviour {
    /// Calls that the account may make in a day.
    pub(super) daily_requests: Option<u64>,
    /// Kinds of objects (`tickets`) that the app may not read.
    pub(super) missing_scopes: Vec<String>,
}

#[derive(Debug, Default)]
struct Kept {
    behaviour: Behaviour,
    /// Calls by day.
    calls: BTreeMap<i64, u64>,
}

/// The account.
#[derive(Debug)]
pub(super) struct Portal {
    pub(super) state: FakeState,
    pub(super) tokens: Tokens,
    kept: Mutex<Kept>,
}

impl Portal {
    pub(super) fn new(state: FakeState) -> Self {
        Self { state, tokens: Tokens::new("hubspot", TOKEN_SECS), kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn behave(&self, behaviour: Behaviour) {
        self.kept().behaviour = behaviour;
    }

    /// May whoever carries this token come in? A private app's token always holds.
    pub(super) fn admits(&self, token: &str) -> bool {
        token == TOKEN || self.tokens.holds(&self.state, token)
    }

    /// Counts a call; calls of the day and how many there may be.
    pub(super) fn call(&self) -> (u64, u64) {
        let today = self.state.world.now().div_euclid(DAY);
        let mut kept = self.kept();
        let most = kept.behaviour.daily_requests.unwrap_or(DAILY_REQUESTS);
        let used = kept.calls.entry(today).or_default();
        *used += 1;
        (*used, most)
    }

    /// The records of a stream.
    pub(super) fn store(&self, stream: &str) -> &Store {
        self.state.world.store("hubspot", stream)
    }

    /// The kind of objects that a path names, if the app may read it.
    pub(super) fn kind(&self, name: &str) -> Result<&'static ObjectKind, Failure> {
        let kind = ObjectKind::find(name).ok_or_else(|| Failure::invalid(&format!("Unable to infer object type from: {name}")))?;
        if self.kept().behaviour.missing_scopes.iter().any(|missing| missing == kind.name) {
            return Err(Failure::missing_scope(&format!("crm.objects.{}.read", kind.name)));
        }
        Ok(kind)
    }
}
