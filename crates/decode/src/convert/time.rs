//! Dates and instants as people write them.
//!
//! ISO 8601 and the usual forms of day, month, year and time are read by hand, because event files hold millions of them; any
//! other form goes through `chrono`.

use super::number::{self, Why};
use arrow::array::timezone::Tz;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeZone};

const NO_DATE: Why = "is no date of the declared format";
const NO_TIMESTAMP: Why = "is no timestamp of the declared format";
const GAP: Why = "is a time that the zone's clocks pass over";

/// A form of dates and timestamps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Form {
    /// ISO 8601.
    Iso,
    /// Seconds since 1970, with or without a fraction.
    UnixSecs,
    /// Milliseconds since 1970.
    UnixMillis,
    /// Fields of digits and signs between them.
    Simple(Vec<Token>),
    /// Any other form, by `chrono`; whether it names its own zone.
    Other {
        /// The form as written.
        pattern: String,
        /// Whether the form reads an offset.
        zoned: bool,
    },
}

/// A piece of a simple form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    /// `%Y`: four digits.
    Year,
    /// `%m`: one or two digits.
    Month,
    /// `%d`
    Day,
    /// `%H`
    Hour,
    /// `%M`
    Minute,
    /// `%S`
    Second,
    /// A sign.
    Sign(u8),
}

impl Form {
    /// Reads a format of a project file, which `spec` has checked.
    pub(crate) fn parse(format: &str) -> Self {
        match format {
            "unix_secs" => Self::UnixSecs,
            "unix_millis" => Self::UnixMillis,
            _ => match simple(format) {
                Some(tokens) => Self::Simple(tokens),
                None => {
                    Self::Other { pattern: format.to_owned(), zoned: ["%z", "%:z", "%#z", "%+", "%s"].iter().any(|z| format.contains(z)) }
                }
            },
        }
    }
}

fn simple(format: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut bytes = format.bytes();
    while let Some(byte) = bytes.next() {
        tokens.push(match byte {
            b'%' => match bytes.next()? {
                b'Y' => Token::Year,
                b'm' => Token::Month,
                b'd' => Token::Day,
                b'H' => Token::Hour,
                b'M' => Token::Minute,
                b'S' => Token::Second,
                _ => return None,
            },
            // In chrono's formats, blanks match any number of blanks.
            b if b.is_ascii_graphic() && !b.is_ascii_digit() => Token::Sign(b),
            b' ' => Token::Sign(b' '),
            _ => return None,
        });
    }
    let has = |wanted| tokens.contains(&wanted);
    (has(Token::Year) && has(Token::Month) && has(Token::Day)).then_some(tokens)
}

/// The day, as days since 1970.
pub(crate) fn date(text: &[u8], forms: &[Form]) -> Result<i32, Why> {
    for form in forms {
        let found = match form {
            Form::Iso => iso_date(text).and_then(|(day, rest)| rest.is_empty().then_some(day)),
            Form::UnixSecs | Form::UnixMillis => instant(text, form, None).ok().and_then(|micros| {
                let day = DateTime::from_timestamp_micros(micros)?.date_naive();
                Some(day)
            }),
            Form::Simple(tokens) => by_tokens(text, tokens).map(|t| t.date()),
            Form::Other { pattern, .. } => std::str::from_utf8(text).ok().and_then(|t| NaiveDate::parse_from_str(t, pattern).ok()),
        };
        if let Some(day) = found {
            return Ok(days(day));
        }
    }
    Err(NO_DATE)
}

/// The instant, as microseconds since 1970 in UTC.
pub(crate) fn timestamp(text: &[u8], forms: &[Form], zone: Option<Tz>) -> Result<i64, Why> {
    let mut why = NO_TIMESTAMP;
    for form in forms {
        match instant(text, form, zone) {
            Ok(micros) => return Ok(micros),
            Err(GAP) => why = GAP,
            Err(_) => {}
        }
    }
    Err(why)
}

fn instant(text: &[u8], form: &Form, zone: Option<Tz>) -> Result<i64, Why> {
    match form {
        Form::Iso => iso_timestamp(text, zone),
        Form::UnixSecs => match number::int(text) {
            Ok(secs) => secs.checked_mul(1_000_000).ok_or(NO_TIMESTAMP),
            Err(_) => number::decimal(text, 20, 6, true).ok().and_then(|v| i64::try_from(v).ok()).ok_or(NO_TIMESTAMP),
        },
        Form::UnixMillis => number::decimal(text, 20, 3, true).ok().and_then(|v| i64::try_from(v).ok()).ok_or(NO_TIMESTAMP),
        Form::Simple(tokens) => by_tokens(text, tokens).ok_or(NO_TIMESTAMP).and_then(|t| in_zone(t, zone)),
        Form::Other { pattern, zoned } => {
            let text = std::str::from_utf8(text).map_err(|_| NO_TIMESTAMP)?;
            if *zoned {
                return DateTime::parse_from_str(text, pattern).map(|t| t.timestamp_micros()).map_err(|_| NO_TIMESTAMP);
            }
            let local = NaiveDateTime::parse_from_str(text, pattern)
                .or_else(|_| NaiveDate::parse_from_str(text, pattern).map(|d| d.and_time(NaiveTime::MIN)))
                .map_err(|_| NO_TIMESTAMP)?;
            in_zone(local, zone)
        }
    }
}

fn days(day: NaiveDate) -> i32 {
    day.signed_duration_since(NaiveDate::default()).num_days().try_into().unwrap_or(i32::MAX)
}

/// A local time as an instant; of two possible ones the earlier.
fn in_zone(local: NaiveDateTime, zone: Option<Tz>) -> Result<i64, Why> {
    match zone {
        None => Ok(local.and_utc().timestamp_micros()),
        Some(zone) => zone.from_local_datetime(&local).earliest().map(|t| t.timestamp_micros()).ok_or(GAP),
    }
}

/// Digits at the front: at least `min`, at most `max`.
fn digits(text: &[u8], min: usize, max: usize) -> Option<(u32, &[u8])> {
    let mut value = 0;
    let mut count = 0;
    while count < max {
        match text.get(count) {
            Some(byte @ b'0'..=b'9') => value = value * 10 + u32::from(byte - b'0'),
            _ => break,
        }
        count += 1;
    }
    (count >= min).then(|| (value, &text[count..]))
}

fn sign(text: &[u8], wanted: u8) -> Option<&[u8]> {
    match text.split_first() {
        Some((first, rest)) if *first == wanted => Some(rest),
        _ => None,
    }
}

fn by_tokens(text: &[u8], tokens: &[Token]) -> Option<NaiveDateTime> {
    let (mut year, mut month, mut day, mut hour, mut minute, mut second) = (0, 0, 0, 0, 0, 0);
    let mut rest = text;
    for token in tokens {
        let (field, min, max) = match token {
            Token::Year => (&mut year, 4, 4),
            Token::Month => (&mut month, 1, 2),
            Token::Day => (&mut day, 1, 2),
            Token::Hour => (&mut hour, 1, 2),
            Token::Minute => (&mut minute, 1, 2),
            Token::Second => (&mut second, 1, 2),
            Token::Sign(wanted) => {
                rest = sign(rest, *wanted)?;
                continue;
            }
        };
        (*field, rest) = digits(rest, min, max)?;
    }
    if !rest.is_empty() {
        return None;
    }
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?.and_hms_opt(hour, minute, second)
}

fn iso_date(text: &[u8]) -> Option<(NaiveDate, &[u8])> {
    let (year, rest) = digits(text, 4, 4)?;
    let (month, rest) = digits(sign(rest, b'-')?, 2, 2)?;
    let (day, rest) = digits(sign(rest, b'-')?, 2, 2)?;
    Some((NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?, rest))
}

fn iso_timestamp(text: &[u8], zone: Option<Tz>) -> Result<i64, Why> {
    let (date, rest) = iso_date(text).ok_or(NO_TIMESTAMP)?;
    if rest.is_empty() {
        return in_zone(date.and_time(NaiveTime::MIN), zone);
    }
    let (time, rest) = iso_time(rest).ok_or(NO_TIMESTAMP)?;
    let local = date.and_time(time);
    match offset(rest).ok_or(NO_TIMESTAMP)? {
        Some(secs) => Ok(local.and_utc().timestamp_micros() - secs * 1_000_000),
        None => in_zone(local, zone),
    }
}

fn iso_time(text: &[u8]) -> Option<(NaiveTime, &[u8])> {
    let rest = sign(text, b'T').or_else(|| sign(text, b' ')).or_else(|| sign(text, b't'))?;
    let (hour, rest) = digits(rest, 2, 2)?;
    let (minute, mut rest) = digits(sign(rest, b':')?, 2, 2)?;
    let (mut second, mut micros) = (0, 0);
    if let Some(after) = sign(rest, b':') {
        (second, rest) = digits(after, 2, 2)?;
        if let Some(after) = sign(rest, b'.').or_else(|| sign(rest, b',')) {
            let (fraction, behind) = digits(after, 1, 6)?;
            let places = after.len() - behind.len();
            micros = fraction * 10_u32.pow(6 - u32::try_from(places).ok()?);
            // Finer than microseconds: cut.
            let finer = behind.iter().take_while(|b| b.is_ascii_digit()).count();
            rest = &behind[finer..];
        }
    }
    Some((NaiveTime::from_hms_micro_opt(hour, minute, second, micros)?, rest))
}

/// An offset in seconds; the inner nothing where none is written.
#[allow(clippy::option_option)]
fn offset(text: &[u8]) -> Option<Option<i64>> {
    let text = sign(text, b' ').unwrap_or(text);
    let (east, rest) = match text.split_first() {
        None => return Some(None),
        Some((b'Z' | b'z', [])) => return Some(Some(0)),
        Some((b'+', rest)) => (1, rest),
        Some((b'-', rest)) => (-1, rest),
        Some(_) => return (text == b"UTC").then_some(Some(0)),
    };
    let (hours, rest) = digits(rest, 2, 2)?;
    let rest = sign(rest, b':').unwrap_or(rest);
    let (minutes, rest) = if rest.is_empty() { (0, rest) } else { digits(rest, 2, 2)? };
    (rest.is_empty() && hours < 24 && minutes < 60).then(|| Some(east * i64::from(hours * 3600 + minutes * 60)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn micros(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
    }

    #[rstest]
    #[case("2024-03-01T10:00:00Z", "2024-03-01T10:00:00Z")]
    #[case("2024-03-01T10:00:00.000+0000", "2024-03-01T10:00:00Z")]
    #[case("2024-03-01 10:00", "2024-03-01T10:00:00Z")]
    #[case("2024-03-01 10:00:00 UTC", "2024-03-01T10:00:00Z")]
    #[case("2024-03-01T10:00:00.1234567+02:00", "2024-03-01T08:00:00.123456Z")]
    #[case("2024-03-01T10:00:00-05", "2024-03-01T15:00:00Z")]
    #[case("2024-03-01", "2024-03-01T00:00:00Z")]
    fn reads_iso_timestamps(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(timestamp(text.as_bytes(), &[Form::Iso], None), Ok(micros(expected)));
    }

    #[rstest]
    #[case("2024-02-30")]
    #[case("2024-03-01T25:00:00Z")]
    #[case("2024-03-01T10")]
    #[case("2024-03-01T10:00:00 Berlin")]
    #[case("01-03-2024")]
    #[case("")]
    fn refuses_what_is_no_iso_timestamp(#[case] text: &str) {
        assert_eq!(timestamp(text.as_bytes(), &[Form::Iso], None), Err(NO_TIMESTAMP));
    }

    #[test]
    fn tries_formats_one_after_the_other() {
        let forms = [Form::parse("%d-%m-%Y %H:%M"), Form::parse("%d-%m-%Y")];
        assert!(forms.iter().all(|f| matches!(f, Form::Simple(_))));
        assert_eq!(timestamp(b"28-07-2023 03:00", &forms, None), Ok(micros("2023-07-28T03:00:00Z")));
        assert_eq!(timestamp(b"7-8-2023", &forms, None), Ok(micros("2023-08-07T00:00:00Z")));
        assert_eq!(timestamp(b"2023-07-28", &forms, None), Err(NO_TIMESTAMP));
    }

    #[test]
    fn other_formats_go_through_chrono() {
        let forms = [Form::parse("%b %e, %Y")];
        assert_eq!(date(b"Mar  1, 2024", &forms), Ok(19_783));
        let zoned = [Form::parse("%d/%b/%Y:%H:%M:%S %z")];
        assert_eq!(timestamp(b"01/Mar/2024:10:00:00 +0100", &zoned, None), Ok(micros("2024-03-01T09:00:00Z")));
    }

    #[test]
    fn reads_numbers_since_1970() {
        assert_eq!(timestamp(b"1709287200", &[Form::UnixSecs], None), Ok(micros("2024-03-01T10:00:00Z")));
        assert_eq!(timestamp(b"1709287200.5", &[Form::UnixSecs], None), Ok(micros("2024-03-01T10:00:00.5Z")));
        assert_eq!(timestamp(b"1709287200123", &[Form::UnixMillis], None), Ok(micros("2024-03-01T10:00:00.123Z")));
        assert_eq!(date(b"1709287200", &[Form::UnixSecs]), Ok(19_783));
    }

    #[test]
    fn local_times_follow_their_zone_and_gaps_are_refused() {
        let zone: Tz = "Europe/Berlin".parse().unwrap();
        let read = |text: &str| timestamp(text.as_bytes(), &[Form::Iso], Some(zone));
        assert_eq!(read("2024-01-15 12:00:00"), Ok(micros("2024-01-15T11:00:00Z")));
        assert_eq!(read("2024-07-15 12:00:00"), Ok(micros("2024-07-15T10:00:00Z")));
        assert_eq!(read("2024-07-15T12:00:00Z"), Ok(micros("2024-07-15T12:00:00Z")));
        assert_eq!(read("2024-03-31 02:30:00"), Err(GAP));
        assert_eq!(read("2024-10-27 02:30:00"), Ok(micros("2024-10-27T00:30:00Z")));
    }

    proptest! {
        #[test]
        fn any_day_is_read_as_written(day in -200_000_i32..2_000_000) {
            let written = NaiveDate::default() + chrono::Duration::days(i64::from(day));
            for format in ["%Y-%m-%d", "%d-%m-%Y", "%m/%d/%Y", "%d.%m.%Y"] {
                let text = written.format(format).to_string();
                prop_assert_eq!(date(text.as_bytes(), &[Form::parse(format)]), Ok(day));
            }
            prop_assert_eq!(date(written.to_string().as_bytes(), &[Form::Iso]), Ok(day));
        }

        #[test]
        fn any_instant_is_read_as_written(micros in -10_000_000_000_000_000_i64..100_000_000_000_000_000) {
            let text = DateTime::from_timestamp_micros(micros).unwrap().to_rfc3339();
            prop_assert_eq!(timestamp(text.as_bytes(), &[Form::Iso], None), Ok(micros));
        }

        #[test]
        fn any_text_is_an_answer(text in "[0-9TZ:+ .-]{0,30}") {
            let forms = [Form::Iso, Form::UnixSecs, Form::parse("%d-%m-%Y %H:%M"), Form::parse("%c")];
            let _answers = (date(text.as_bytes(), &forms), timestamp(text.as_bytes(), &forms, None));
        }
    }
}
