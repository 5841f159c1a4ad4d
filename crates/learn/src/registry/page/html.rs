//! The few pieces of HTML that a card needs.

use std::fmt::Write as _;

/// Text as HTML shows it, in elements and in quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A figure for people: whole numbers with separators, others with three or four digits that count.
pub(super) fn number(x: f64) -> String {
    if !x.is_finite() {
        return "–".to_owned();
    }
    let size = x.abs();
    if x.fract() == 0.0 && size < 1e15 {
        let digits = format!("{size:.0}");
        let mut text = String::new();
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        return if x < 0.0 { format!("−{text}") } else { text };
    }
    let decimals = if size >= 1000.0 {
        0
    } else if size >= 100.0 {
        1
    } else if size >= 1.0 {
        2
    } else if size >= 0.1 {
        3
    } else {
        4
    };
    format!("{x:.decimals$}").replace('-', "−")
}

/// A share as a percentage.
pub(super) fn percent(share: f64, decimals: usize) -> String {
    format!("{:.decimals$}%", share * 100.0).replace('-', "−")
}

/// A table, written row by row.
pub(super) struct Table {
    out: String,
    right: Vec<bool>,
}

impl Table {
    /// A table with these heads; a `>` before one sets its column to the right. Heads that are all empty are left out.
    pub(super) fn new<T: AsRef<str>>(heads: &[T]) -> Self {
        let mut table = Self { out: "<div class=\"scroll\"><table>\n".to_owned(), right: Vec::new() };
        table.right = heads.iter().map(|h| h.as_ref().starts_with('>')).collect();
        let heads: Vec<&str> = heads.iter().map(|h| h.as_ref().trim_start_matches('>')).collect();
        if heads.iter().any(|h| !h.is_empty()) {
            table.out.push_str("<thead>");
            table.cells("th", &heads);
            table.out.push_str("</thead>\n");
        }
        table.out.push_str("<tbody>\n");
        table
    }

    fn cells(&mut self, tag: &str, cells: &[&str]) {
        self.out.push_str("<tr>");
        for (at, cell) in cells.iter().enumerate() {
            let class = if self.right.get(at) == Some(&true) { " class=\"n\"" } else { "" };
            // Writing to a string cannot fail.
            let _ = write!(self.out, "<{tag}{class}>{}</{tag}>", escape(cell));
        }
        self.out.push_str("</tr>\n");
    }

    /// Adds a row.
    pub(super) fn row(&mut self, cells: &[&str]) {
        self.cells("td", cells);
    }

    /// The table's HTML.
    pub(super) fn end(mut self) -> String {
        self.out.push_str("</tbody></table></div>\n");
        self.out
    }
}

/// The whole document.
pub(super) fn document(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, \
         initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<style>\n{}</style>\n</head>\n<body>\n\
         <main>\n{body}</main>\n</body>\n</html>\n",
        escape(title),
        include_str!("card.css"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_readable() {
        let shown: Vec<String> = [0.0, 1_234_567.0, -12.0, 0.7412, 0.01234, 12.345, 123.45, 4_321.6, f64::NAN].map(number).into();
        assert_eq!(shown, ["0", "1,234,567", "−12", "0.741", "0.0123", "12.35", "123.5", "4322", "–"]);
    }
}
