//! Numbers as people write them.

use std::borrow::Cow;

/// What is wrong with a value; it follows the value in a message.
pub(crate) type Why = &'static str;

const NO_INT: Why = "is no whole number";
const NO_NUMBER: Why = "is no number";
const TOO_LARGE: Why = "is too large for its type";
const TOO_MANY_PLACES: Why = "has more decimal places than its type";

/// The signs of a column's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    pub(crate) point: char,
    pub(crate) thousands: Option<char>,
}

impl Style {
    /// A number as it stands, in the form that programs write: point, no groups.
    pub(crate) fn plain<'a>(&self, text: &'a [u8]) -> Result<Cow<'a, [u8]>, Why> {
        if self.point == '.' && self.thousands.is_none() {
            return Ok(Cow::Borrowed(text));
        }
        let text = std::str::from_utf8(text).map_err(|_| NO_NUMBER)?;
        let (whole, fraction) = match text.split_once(self.point) {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (text, None),
        };
        let mut plain = match self.thousands {
            Some(sign) if whole.contains(sign) => ungroup(whole, sign)?,
            _ => whole.to_owned(),
        };
        if self.point != '.' && plain.contains('.') {
            return Err(NO_NUMBER);
        }
        if let Some(fraction) = fraction {
            plain.push('.');
            plain.push_str(fraction);
        }
        Ok(Cow::Owned(plain.into_bytes()))
    }
}

/// `-1.234.567` without its group signs; groups must have three digits, so that a mistaken sign doesn't change a number.
fn ungroup(whole: &str, sign: char) -> Result<String, Why> {
    let (minus, digits) = match whole.strip_prefix(['-', '+']) {
        Some(rest) => (&whole[..1], rest),
        None => ("", whole),
    };
    let mut groups = digits.split(sign);
    let first = groups.next().unwrap_or("");
    let sound = (1..=3).contains(&first.len()) && groups.all(|g| g.len() == 3 && g.bytes().all(|b| b.is_ascii_digit()));
    if !sound {
        return Err("has digits that are grouped wrongly");
    }
    Ok(minus.chars().chain(digits.chars().filter(|c| *c != sign)).collect())
}

/// A whole number; `12.0` and `1e3` are whole, too.
pub(crate) fn int(text: &[u8]) -> Result<i64, Why> {
    let (negative, digits) = sign(text);
    if digits.is_empty() {
        return Err(NO_INT);
    }
    let mut value: i64 = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return decimal(text, 19, 0, false).map_err(|why| if why == TOO_LARGE { why } else { NO_INT }).and_then(narrow);
        }
        // Counting downwards reaches the smallest number, too.
        value = value.checked_mul(10).and_then(|v| v.checked_sub(i64::from(digit))).ok_or(TOO_LARGE)?;
    }
    if negative { Ok(value) } else { value.checked_neg().ok_or(TOO_LARGE) }
}

fn narrow(value: i128) -> Result<i64, Why> {
    i64::try_from(value).map_err(|_| TOO_LARGE)
}

/// A floating-point number; no infinities, no NaN.
pub(crate) fn float(text: &[u8]) -> Result<f64, Why> {
    let numeric = text.iter().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'));
    let parsed = if numeric { std::str::from_utf8(text).ok().and_then(|t| t.parse::<f64>().ok()) } else { None };
    match parsed {
        None => Err(NO_NUMBER),
        Some(value) if value.is_finite() => Ok(value),
        Some(_) => Err(TOO_LARGE),
    }
}

fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text.first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    }
}

/// An exact number in units of the last place.
pub(crate) fn decimal(text: &[u8], precision: u8, scale: u8, round: bool) -> Result<i128, Why> {
    let (negative, unsigned) = sign(text);
    let (digits, exponent) = match unsigned.iter().position(|b| matches!(b, b'e' | b'E')) {
        Some(at) => (&unsigned[..at], int_exponent(&unsigned[at + 1..])?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = match digits.iter().position(|b| *b == b'.') {
        Some(at) => (&digits[..at], &digits[at + 1..]),
        None => (digits, &[][..]),
    };
    if whole.is_empty() && fraction.is_empty() || !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
        return Err(NO_NUMBER);
    }
    // Digits that count: all up to the last place that the type has.
    let kept = i64::try_from(whole.len()).map_err(|_| TOO_LARGE)? + exponent + i64::from(scale);
    let mut value: i128 = 0;
    let mut rest_is_zero = true;
    let mut first_of_rest = 0;
    for (index, byte) in (0_i64..).zip(whole.iter().chain(fraction)) {
        let digit = byte - b'0';
        if index < kept {
            value = value.checked_mul(10).and_then(|v| v.checked_add(i128::from(digit))).ok_or(TOO_LARGE)?;
        } else {
            if index == kept {
                first_of_rest = digit;
            }
            rest_is_zero &= digit == 0;
        }
    }
    let written = i64::try_from(whole.len() + fraction.len()).map_err(|_| TOO_LARGE)?;
    if value != 0 {
        for _ in written..kept {
            value = value.checked_mul(10).ok_or(TOO_LARGE)?;
        }
    }
    if !rest_is_zero {
        if !round {
            return Err(TOO_MANY_PLACES);
        }
        value += i128::from(first_of_rest >= 5);
    }
    if value >= 10_i128.checked_pow(u32::from(precision)).ok_or(TOO_LARGE)? {
        return Err(TOO_LARGE);
    }
    Ok(if negative { -value } else { value })
}

fn int_exponent(text: &[u8]) -> Result<i64, Why> {
    let (negative, digits) = sign(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(NO_NUMBER);
    }
    if digits.len() > 4 {
        return Err(TOO_LARGE);
    }
    let value = digits.iter().fold(0, |v, b| v * 10 + i64::from(b - b'0'));
    Ok(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("0", Ok(0))]
    #[case("-9223372036854775808", Ok(i64::MIN))]
    #[case("9223372036854775807", Ok(i64::MAX))]
    #[case("9223372036854775808", Err(TOO_LARGE))]
    #[case("12.0", Ok(12))]
    #[case("1.2e3", Ok(1200))]
    #[case("1.5", Err(NO_INT))]
    #[case("", Err(NO_INT))]
    #[case("-", Err(NO_INT))]
    #[case("1e400", Err(TOO_LARGE))]
    #[case("twelve", Err(NO_INT))]
    fn reads_whole_numbers(#[case] text: &str, #[case] expected: Result<i64, Why>) {
        assert_eq!(int(text.as_bytes()), expected);
    }

    #[rstest]
    #[case("200.0", 18, 2, Ok(20_000))]
    #[case("-0.05", 18, 2, Ok(-5))]
    #[case(".5", 4, 2, Ok(50))]
    #[case("5.", 4, 2, Ok(500))]
    #[case("1e2", 5, 2, Ok(10_000))]
    #[case("12345e-3", 5, 3, Ok(12_345))]
    #[case("0.005", 18, 2, Err(TOO_MANY_PLACES))]
    #[case("0.0050", 18, 3, Ok(5))]
    #[case("1000", 5, 2, Err(TOO_LARGE))]
    #[case("999.99", 5, 2, Ok(99_999))]
    #[case("0e9999", 5, 2, Ok(0))]
    #[case("1.2.3", 18, 2, Err(NO_NUMBER))]
    #[case(".", 18, 2, Err(NO_NUMBER))]
    fn reads_decimals_exactly(#[case] text: &str, #[case] p: u8, #[case] s: u8, #[case] expected: Result<i128, Why>) {
        assert_eq!(decimal(text.as_bytes(), p, s, false), expected);
    }

    #[test]
    fn rounds_half_away_from_zero_where_asked() {
        let round = |text: &str| decimal(text.as_bytes(), 18, 2, true);
        assert_eq!((round("0.005"), round("-0.005"), round("0.0049"), round("0.30000000000000004")), (Ok(1), Ok(-1), Ok(0), Ok(30)));
        assert_eq!(decimal(b"99.996", 4, 2, true), Err(TOO_LARGE));
    }

    #[rstest]
    #[case(',', Some('.'), "1.234.567,89", Ok("1234567.89"))]
    #[case(',', Some('.'), "-12.345", Ok("-12345"))]
    #[case(',', None, "3,5", Ok("3.5"))]
    #[case(',', None, "3.5", Err(NO_NUMBER))]
    #[case('.', Some(','), "1,234.5", Ok("1234.5"))]
    #[case('.', Some(','), "1,23.5", Err("has digits that are grouped wrongly"))]
    #[case('.', Some('\u{a0}'), "1\u{a0}234", Ok("1234"))]
    #[case('.', Some('\''), "1234", Ok("1234"))]
    fn resolves_separators(#[case] point: char, #[case] thousands: Option<char>, #[case] text: &str, #[case] expected: Result<&str, Why>) {
        let style = Style { point, thousands };
        let found = style.plain(text.as_bytes()).map(|t| String::from_utf8(t.into_owned()).unwrap());
        assert_eq!(found, expected.map(str::to_owned));
    }

    #[test]
    fn infinities_and_nan_are_no_numbers() {
        for text in ["inf", "NaN", "infinity", "1e999", ""] {
            assert!(float(text.as_bytes()).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_whole_number_is_read_as_written(n: i64) {
            prop_assert_eq!(int(n.to_string().as_bytes()), Ok(n));
            prop_assert_eq!(decimal(n.to_string().as_bytes(), 38, 0, false), Ok(i128::from(n)));
        }

        #[test]
        fn any_float_is_read_as_written(n in proptest::num::f64::NORMAL | proptest::num::f64::ZERO) {
            prop_assert_eq!(float(n.to_string().as_bytes()), Ok(n));
        }

        #[test]
        fn any_decimal_is_read_as_written(cents in -1_000_000_000_000_i64..1_000_000_000_000) {
            let sign = if cents < 0 { "-" } else { "" };
            let text = format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100);
            prop_assert_eq!(decimal(text.as_bytes(), 18, 2, false), Ok(i128::from(cents)));
        }

        #[test]
        fn any_text_is_an_answer(text in "[0-9.eE+,-]{0,12}") {
            let style = Style { point: ',', thousands: Some('.') };
            let _answers = (int(text.as_bytes()), float(text.as_bytes()), decimal(text.as_bytes(), 10, 3, true), style.plain(text.as_bytes()));
        }
    }
}
