//! What is tried again, and when.

use crate::Error;
use chrono::{DateTime, NaiveDateTime, Utc};
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

/// What `Retry-After` asks for: seconds (also with decimals), or a date in any of the three forms that HTTP knows.
#[must_use]
pub fn retry_after(value: &str) -> Option<Duration> {
    let value = value.trim();
    if let Ok(secs) = value.parse::<u64>() {
        return Some(Duration::from_secs(secs));
    }
    if let Ok(secs) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(secs).ok();
    }
    let date = DateTime::parse_from_rfc2822(value).map(|date| date.to_utc()).ok().or_else(|| old_date(value))?;
    Some((date - clock::now()).to_std().unwrap_or(Duration::ZERO))
}

/// The forms that RFC 9110 calls obsolete and still wants understood.
fn old_date(value: &str) -> Option<DateTime<Utc>> {
    let forms = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    forms.iter().find_map(|form| NaiveDateTime::parse_from_str(value, form).ok()).map(|date| date.and_utc())
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
    fn reads_seconds() {
        assert_eq!(retry_after(" 12 "), Some(Duration::from_secs(12)));
        assert_eq!(retry_after("0.5"), Some(Duration::from_millis(500)));
        for nothing in ["soon", "", "-1", "NaN", "inf"] {
            assert_eq!(retry_after(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn reads_dates_of_all_three_forms() {
        for past in ["Wed, 21 Oct 2015 07:28:00 GMT", "Wednesday, 21-Oct-15 07:28:00 GMT", "Wed Oct 21 07:28:00 2015"] {
            assert_eq!(retry_after(past), Some(Duration::ZERO), "{past}");
        }
        let soon = clock::now() + chrono::Duration::seconds(90);
        for form in ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"] {
            let wait = retry_after(&soon.format(form).to_string()).unwrap();
            // The date has whole seconds, and some time passes here.
            assert!(wait > Duration::from_secs(60) && wait <= Duration::from_secs(90), "{form}: {wait:?}");
        }
    }
}
