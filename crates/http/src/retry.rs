//! What is tried again, and when.

use crate::Error;
use cscopilot_diag::clock;
use std::time::Duration;

/// Whether sending the request again may help, without doing anything twice.
pub(crate) fn may_help(error: &Error, repeatable: bool) -> bool {
    match error {
        Error::NoAnswer { unsent, .. } => repeatable || *unsent,
        // The server says that it did nothing.
        Error::Status { status: 429 | 503, .. } => true,
        Error::Status { status: 406 | 408 | 420 | 500.., .. } => repeatable,
        _ => false,
    }
}

/// How long to wait: as the server says, else as the backoff says; nothing where the server wants more patience than we have.
pub(crate) fn wait(error: &Error, backoff: Option<Duration>, longest: Duration) -> Option<Duration> {
    let backoff = backoff?;
    match error {
        Error::Status { retry_after: Some(asked), .. } if *asked > longest => None,
        Error::Status { retry_after: Some(asked), .. } => Some(*asked),
        _ => Some(backoff),
    }
}

/// `Retry-After` as a duration: seconds, or a date.
pub(crate) fn retry_after(value: &str) -> Option<Duration> {
    if let Ok(secs) = value.trim().parse::<u64>() {
        return Some(Duration::from_secs(secs));
    }
    let date = chrono::DateTime::parse_from_rfc2822(value.trim()).ok()?;
    Some((date.to_utc() - clock::now()).to_std().unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16, retry_after: Option<u64>) -> Error {
        let retry_after = retry_after.map(Duration::from_secs);
        Error::Status { method: "GET".into(), url: "u".into(), status, body: String::new(), retry_after }
    }

    #[test]
    fn a_post_is_repeated_only_where_the_server_did_nothing() {
        for code in [429, 503] {
            assert!(may_help(&status(code, None), false), "{code}");
        }
        for code in [400, 401, 404, 500, 502] {
            assert!(!may_help(&status(code, None), false), "{code}");
        }
        assert!(may_help(&status(500, None), true));
    }

    #[test]
    fn the_server_decides_how_long_to_wait_within_limits() {
        let longest = Duration::from_secs(60);
        let backoff = Some(Duration::from_secs(1));
        assert_eq!(wait(&status(429, Some(7)), backoff, longest), Some(Duration::from_secs(7)));
        assert_eq!(wait(&status(429, Some(3600)), backoff, longest), None);
        assert_eq!(wait(&status(429, None), backoff, longest), backoff);
        assert_eq!(wait(&status(429, Some(7)), None, longest), None);
    }

    #[test]
    fn reads_seconds_and_dates() {
        assert_eq!(retry_after(" 12 "), Some(Duration::from_secs(12)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(retry_after("soon"), None);
    }
}
