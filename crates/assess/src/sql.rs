//! Small pieces of SQL text. Values from YAML only get in through these.

use chrono::NaiveDate;

/// A string literal.
pub(crate) fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// A list of string literals, for `IN`.
pub(crate) fn texts<'a>(values: impl IntoIterator<Item = &'a str>) -> String {
    values.into_iter().map(text).collect::<Vec<_>>().join(", ")
}

/// A quoted identifier.
pub(crate) fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A date literal.
pub(crate) fn date(value: NaiveDate) -> String {
    format!("DATE '{}'", value.format("%Y-%m-%d"))
}

/// A floating-point literal that reads back as the same number.
pub(crate) fn number(value: f64) -> String {
    let digits = format!("{value:?}");
    if value < 0.0 { format!("({digits})") } else { digits }
}

/// A user's expression in brackets. The line breaks keep a trailing comment from swallowing the bracket, and let a
/// position inside the expression be told from its line.
pub(crate) fn bracket(expression: &str) -> String {
    format!("(\n{expression}\n)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_what_could_break_out() {
        assert_eq!(text("O'Brien"), "'O''Brien'");
        assert_eq!(ident("a\"b"), "\"a\"\"b\"");
        assert_eq!(texts(["a", "b"]), "'a', 'b'");
    }

    #[test]
    fn numbers_keep_their_type_and_sign() {
        assert_eq!(number(4.0), "4.0");
        assert_eq!(number(-0.5), "(-0.5)");
        assert_eq!(number(0.1 + 0.2), "0.30000000000000004");
    }
}
