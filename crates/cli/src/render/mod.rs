//! What people see: diagnostics, progress, the closing summary, tables.

pub(crate) mod diagnostics;
pub(crate) mod extraction;
pub(crate) mod models;
pub(crate) mod progress;
pub(crate) mod rows;
pub(crate) mod summary;

use std::io::IsTerminal;

/// Whether stderr is a terminal that wants colour and moving progress.
pub(crate) fn lively() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() && std::env::var("TERM").map_or(true, |t| t != "dumb")
}

/// `1234567` as `1,234,567`.
pub(crate) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `812 B`, `4.2 kB`, `61 MB`, `6.1 GB`.
pub(crate) fn bytes(n: u64) -> String {
    if n < 1_000 {
        return format!("{n} B");
    }
    let (mut size, mut unit) = (n as f64, "B");
    for next in ["kB", "MB", "GB", "TB"] {
        // What would be written as 1000 is one of the next unit.
        if size < 999.5 {
            break;
        }
        (size, unit) = (size / 1_000.0, next);
    }
    if size < 9.95 { format!("{size:.1} {unit}") } else { format!("{size:.0} {unit}") }
}

/// `0.4 s`, `12.3 s`, `2 min 05 s`.
pub(crate) fn seconds(s: f64) -> String {
    if s < 60.0 {
        return format!("{s:.1} s");
    }
    let whole = s.round() as u64;
    format!("{} min {:02} s", whole / 60, whole % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_numbers_for_people() {
        assert_eq!([thousands(0), thousands(999), thousands(1_000), thousands(1_234_567)], ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([bytes(999), bytes(4_243), bytes(61_400_000), bytes(999_600_000)], ["999 B", "4.2 kB", "61 MB", "1.0 GB"]);
        assert_eq!([seconds(0.44), seconds(59.0), seconds(125.2)], ["0.4 s", "59.0 s", "2 min 05 s"]);
    }
}
