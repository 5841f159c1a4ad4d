//! OAuth tokens of the vendors that issue them: which access tokens still hold, and which refresh token gives the next one.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::extract::Query;
use axum::http::Uri;

use super::world::SECOND;
use super::{FakeState, REFRESH_TOKEN};

/// The tokens of one vendor.
#[derive(Debug)]
pub(super) struct Tokens {
    vendor: &'static str,
    lifetime_secs: i64,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    /// Access tokens: the epoch of faults in which each was issued, and when.
    access: BTreeMap<String, (u64, i64)>,
    refresh: String,
    issued: u64,
}

/// What a refresh token is good for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refreshed {
    /// It isn't (any more) the one that holds.
    Refused,
    /// It holds, now and later.
    Kept,
    /// It held; from now on only this one does.
    Rotated(String),
}

impl Tokens {
    /// No tokens yet; each will hold for so many seconds of the fakes' clock.
    pub(super) fn new(vendor: &'static str, lifetime_secs: i64) -> Self {
        let kept = Kept { access: BTreeMap::new(), refresh: REFRESH_TOKEN.to_string(), issued: 0 };
        Self { vendor, lifetime_secs, kept: Mutex::new(kept) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new access token that begins with `prefix`.
    pub(super) fn issue(&self, state: &FakeState, prefix: &str) -> String {
        let mut kept = self.kept();
        kept.issued += 1;
        let token = format!("{prefix}{:06}-access", kept.issued);
        kept.access.insert(token.clone(), (state.faults.epoch(self.vendor), state.world.now()));
        token
    }

    /// Does this access token still hold? It doesn't after its lifetime, nor after a fault that expired all tokens.
    pub(super) fn holds(&self, state: &FakeState, token: &str) -> bool {
        let epoch = state.faults.epoch(self.vendor);
        let oldest = state.world.now() - self.lifetime_secs * SECOND;
        self.kept().access.get(token).is_some_and(|(issued_in, at)| *issued_in == epoch && *at > oldest)
    }

    /// Uses a refresh token.
    pub(super) fn refresh(&self, given: &str, rotate: bool) -> Refreshed {
        let mut kept = self.kept();
        if kept.refresh != given {
            return Refreshed::Refused;
        }
        if !rotate {
            return Refreshed::Kept;
        }
        kept.refresh = format!("{REFRESH_TOKEN}-{}", kept.issued + 1);
        Refreshed::Rotated(kept.refresh.clone())
    }
}

/// The fields of a form. What is no form has none.
pub(super) fn form(body: &[u8]) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(body);
    let parsed = format!("/?{text}").parse::<Uri>().ok().and_then(|uri| Query::<BTreeMap<String, String>>::try_from_uri(&uri).ok());
    parsed.map(|query| query.0).unwrap_or_default()
}

/// Bytes from base 64 of either alphabet, padded or not.
pub(super) fn unbase64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut count) = (0u32, 0);
    for c in text.trim_end_matches('=').bytes() {
        let digit = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'-' | b'+' => 62,
            b'_' | b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xFF) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::auth;

    #[test]
    fn base64_comes_back_as_it_was() {
        for text in ["", "a", "ab", "abc", "1767225600|42|3", "\u{FB}\u{FF}?>"] {
            assert_eq!(unbase64(&auth::base64(text.as_bytes())).unwrap(), text.as_bytes());
        }
        assert_eq!(unbase64("no base64!"), None);
    }

    #[test]
    fn a_rotated_refresh_token_replaces_the_one_that_was_used() {
        let tokens = Tokens::new("hubspot", 60);
        assert_eq!(tokens.refresh(REFRESH_TOKEN, false), Refreshed::Kept);
        let Refreshed::Rotated(next) = tokens.refresh(REFRESH_TOKEN, true) else { panic!("not rotated") };
        assert_eq!(tokens.refresh(REFRESH_TOKEN, true), Refreshed::Refused);
        assert!(matches!(tokens.refresh(&next, true), Refreshed::Rotated(_)));
    }

    #[test]
    fn reads_forms_as_browsers_write_them() {
        let fields = form(b"grant_type=refresh_token&refresh_token=a%2Bb&note=two+words");
        assert_eq!((fields["refresh_token"].as_str(), fields["note"].as_str()), ("a+b", "two words"));
        assert!(form(b"{\"grant_type\": \"x\"}").is_empty());
    }
}
