//! How numbers, money and dates are written. One place, so that every page writes them alike.

use crate::night::Cents;
use chrono::NaiveDate;

/// The minus sign of typography; a hyphen is too short beside digits.
const MINUS: char = '\u{2212}';
/// What stands where nothing is known.
pub(crate) const NOTHING: &str = "–";

/// The project's way of writing numbers.
#[derive(Debug, Clone)]
pub(crate) struct Format {
    pub(crate) symbol: String,
    pub(crate) symbol_after: bool,
    pub(crate) decimal: String,
    pub(crate) thousands: String,
    pub(crate) date: String,
}

impl Default for Format {
    fn default() -> Self {
        Self { symbol: "$".into(), symbol_after: false, decimal: ".".into(), thousands: ",".into(), date: "%-d %b %Y".into() }
    }
}

impl Format {
    /// A number with the given decimals: `1,234.5`.
    pub(crate) fn number(&self, value: f64, decimals: usize) -> String {
        if !value.is_finite() {
            return NOTHING.to_owned();
        }
        let plain = format!("{:.decimals$}", value.abs());
        let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
        let mut out = String::with_capacity(plain.len() + 4);
        if value < 0.0 && plain.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
            out.push(MINUS);
        }
        for (i, digit) in whole.chars().enumerate() {
            if i > 0 && (whole.len() - i).is_multiple_of(3) {
                out.push_str(&self.thousands);
            }
            out.push(digit);
        }
        if !fraction.is_empty() {
            out.push_str(&self.decimal);
            out.push_str(fraction);
        }
        out
    }

    /// A number with as many decimals as it takes to tell something: `0.034`, `2.5`, `1,200`.
    pub(crate) fn plain(&self, value: f64) -> String {
        let size = value.abs();
        let decimals = if size == 0.0 || (size >= 1.0 && (size - size.round()).abs() < 0.005) || size >= 1000.0 {
            0
        } else if size >= 10.0 {
            1
        } else if size >= 0.1 {
            2
        } else {
            3
        };
        self.number(value, decimals)
    }

    /// With a sign in front, also where it is positive.
    pub(crate) fn signed(&self, value: f64, decimals: usize) -> String {
        let text = self.number(value, decimals);
        let zero = !text.bytes().any(|b| (b'1'..=b'9').contains(&b));
        if value > 0.0 && !zero { format!("+{text}") } else { text }
    }

    /// A share in percent: `12.3%`.
    pub(crate) fn percent(&self, share: f64, decimals: usize) -> String {
        let text = self.number(share * 100.0, decimals);
        if text == NOTHING { text } else { format!("{text}%") }
    }

    fn with_symbol(&self, number: &str) -> String {
        let (sign, digits) = match number.strip_prefix(MINUS) {
            Some(digits) => ("\u{2212}", digits),
            None => ("", number),
        };
        if self.symbol_after {
            format!("{sign}{digits}\u{a0}{}", self.symbol)
        } else if self.symbol.chars().count() > 1 {
            format!("{sign}{}\u{a0}{digits}", self.symbol)
        } else {
            format!("{sign}{}{digits}", self.symbol)
        }
    }

    /// An amount in whole units: `$12,345`.
    pub(crate) fn money(&self, cents: Cents) -> String {
        self.with_symbol(&self.number(cents as f64 / 100.0, 0))
    }

    /// An amount in few characters: `$12.3k`, `$4.56M`.
    pub(crate) fn money_short(&self, cents: Cents) -> String {
        let value = cents as f64 / 100.0;
        let size = value.abs();
        let (scaled, unit, decimals) = match size {
            s if s >= 999_500_000.0 => (value / 1e9, "B", 2),
            s if s >= 9_995_000.0 => (value / 1e6, "M", 1),
            s if s >= 999_500.0 => (value / 1e6, "M", 2),
            s if s >= 99_950.0 => (value / 1e3, "k", 0),
            s if s >= 9_995.0 => (value / 1e3, "k", 1),
            _ => (value, "", 0),
        };
        self.with_symbol(&format!("{}{unit}", self.number(scaled, decimals)))
    }

    /// A date.
    pub(crate) fn date(&self, date: NaiveDate) -> String {
        date.format(&self.date).to_string()
    }
}

/// `usage_change_28d` → `Usage change 28d`: a name for people where no label was given.
pub(crate) fn humanise(name: &str) -> String {
    let words = name.replace(['_', '-'], " ");
    let mut chars = words.trim().chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// At most so many characters, with an ellipsis where something was cut.
pub(crate) fn clip(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_rounded_and_signed() {
        let f = Format::default();
        assert_eq!(f.number(1_234_567.891, 1), "1,234,567.9");
        assert_eq!(f.number(-0.04, 1), "0.0");
        assert_eq!(f.number(-12.0, 0), "−12");
        assert_eq!(f.number(f64::NAN, 1), "–");
        assert_eq!(f.signed(3.25, 1), "+3.2");
        assert_eq!(f.signed(0.01, 1), "0.0");
        assert_eq!(f.percent(0.1234, 1), "12.3%");
        assert_eq!(
            (f.plain(0.0341), f.plain(2.5), f.plain(14.26), f.plain(1200.4)),
            ("0.034".into(), "2.50".into(), "14.3".into(), "1,200".into())
        );
    }

    #[test]
    fn money_is_short_where_there_is_no_room() {
        let f = Format::default();
        assert_eq!(f.money(1_234_550), "$12,346");
        let short: Vec<_> = [0, 99_900, 1_234_500, 12_345_600, 99_960_000, 456_000_000, 2_500_000_000].map(|c| f.money_short(c)).into();
        assert_eq!(short, ["$0", "$999", "$12.3k", "$123k", "$1.00M", "$4.56M", "$25.0M"]);
        let german = Format { symbol: "€".into(), symbol_after: true, decimal: ",".into(), thousands: ".".into(), ..Format::default() };
        assert_eq!(german.money(-12_345_600), "−123.456\u{a0}€");
    }

    #[test]
    fn names_become_words() {
        assert_eq!(humanise("usage_change_28d"), "Usage change 28d");
        assert_eq!(humanise(""), "");
    }
}
