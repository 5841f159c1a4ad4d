//! Rows that can't be read: why, where, and what they said.

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How much of a rejected row's text is kept.
const MAX_RAW_BYTES: usize = 8 * 1024;

/// Why a row was rejected. The words stand in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    /// The bytes are not text in the declared encoding.
    InvalidEncoding,
    /// More or fewer fields than the header.
    WrongFieldCount,
    /// A quote that is never closed, or text behind a closing quote.
    BadQuote,
    /// Not valid JSON.
    BrokenJson,
    /// Valid JSON, but no object.
    NotAnObject,
    /// A value that its type can't hold.
    BadValue,
    /// No value where one is needed.
    MissingValue,
    /// A record far longer than any record should be.
    TooLong,
    /// A field that no column reads, in a stream that takes no such records.
    UnknownField,
}

impl Reason {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::InvalidEncoding => "invalid_encoding",
            Self::WrongFieldCount => "wrong_field_count",
            Self::BadQuote => "bad_quote",
            Self::BrokenJson => "broken_json",
            Self::NotAnObject => "not_an_object",
            Self::BadValue => "bad_value",
            Self::MissingValue => "missing_value",
            Self::TooLong => "record_too_long",
            Self::UnknownField => "unknown_field",
        }
    }
}

/// One row that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    pub(crate) reason: Reason,
    pub(crate) column: Option<Arc<str>>,
    /// What is wrong, for people.
    pub detail: String,
    /// The record's text, at most 8 KiB of it.
    pub raw: String,
    /// Its line in the file or its number in the answer, from 1.
    pub line: u64,
    /// Its position in the decompressed text, where it has one.
    pub byte: u64,
}

impl Rejected {
    pub(crate) fn new(reason: Reason, detail: impl Into<String>, raw: &[u8], line: u64, byte: u64) -> Self {
        Self { reason, column: None, detail: detail.into(), raw: printable(raw), line, byte }
    }
}

/// The row's text: bytes that are no UTF-8 as `\xNN`, a long row cut with the number of bytes that are missing.
fn printable(raw: &[u8]) -> String {
    let cut = &raw[..raw.len().min(MAX_RAW_BYTES)];
    let mut text = String::with_capacity(cut.len());
    for part in cut.utf8_chunks() {
        text.push_str(part.valid());
        // A character that the cut halved is not invalid.
        if cut.len() == raw.len() || !part.invalid().is_empty() && !std::ptr::eq(part.invalid().as_ptr_range().end, cut.as_ptr_range().end)
        {
            for byte in part.invalid() {
                text.push_str(&format!("\\x{byte:02x}"));
            }
        }
    }
    if cut.len() < raw.len() {
        text.push_str(&format!("… ({} bytes in all)", raw.len()));
    }
    text
}

/// A value as messages show it: in backticks, on one line, cut where it is long.
pub(crate) fn shown(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(&value[..value.len().min(200)]);
    let mut short: String = text.chars().take(40).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().count() > 40 {
        short.push('…');
    }
    format!("`{short}`")
}

/// The rejected rows of one file.
#[derive(Debug, Clone, Copy)]
pub struct RejectedOfFile<'a> {
    /// The file, request or table: `_file`.
    pub file: &'a str,
    /// `_batch`, as of the sound rows among which they stood.
    pub batch: &'a str,
    /// The rows.
    pub rows: &'a [Rejected],
}

/// The columns of every `__rejected` table.
#[must_use]
pub fn rejected_schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    Arc::new(Schema::new(vec![
        text("reason"),
        text("column_name"),
        text("detail"),
        text("raw"),
        text("_file"),
        Field::new("_line", DataType::Int64, true),
        Field::new("_byte", DataType::Int64, true),
        Field::new("_extracted_at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
        text("_batch"),
    ]))
}

/// The rejected rows of a file as a batch of [`rejected_schema`].
///
/// # Errors
/// Arrow's, where the texts are too long for one batch.
pub fn rejected_batch(of: &RejectedOfFile<'_>, extracted_at_micros: i64) -> Result<RecordBatch, ArrowError> {
    let rows = of.rows;
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.reason.as_str()))),
        Arc::new(rows.iter().map(|r| r.column.as_deref()).collect::<StringArray>()),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.detail.as_str()))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.raw.as_str()))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|_| of.file))),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| number(r.line)))),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| number(r.byte)))),
        Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(|_| extracted_at_micros)).with_timezone("UTC")),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|_| of.batch))),
    ];
    RecordBatch::try_new(rejected_schema(), columns)
}

/// How many rows were rejected, by reason and column, and the first few of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    groups: BTreeMap<(Reason, Option<Arc<str>>), Group>,
}

/// The rejections of one reason and column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// How many there are.
    pub rows: u64,
    /// The first three: place and detail.
    pub examples: Vec<String>,
}

impl Tally {
    /// Counts a rejected row of a file.
    pub fn add(&mut self, file: &str, rejected: &Rejected) {
        let group = self.groups.entry((rejected.reason, rejected.column.clone())).or_default();
        group.rows += 1;
        if group.examples.len() < 3 {
            group.examples.push(format!("{file}:{}: {}", rejected.line, rejected.detail));
        }
    }

    /// Adds the counts of another tally.
    pub fn absorb(&mut self, other: Self) {
        for (key, group) in other.groups {
            let mine = self.groups.entry(key).or_default();
            mine.rows += group.rows;
            let room = 3_usize.saturating_sub(mine.examples.len());
            mine.examples.extend(group.examples.into_iter().take(room));
        }
    }

    /// How many rows there are in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.groups.values().map(|g| g.rows).sum()
    }

    /// `bad_value(start_date)`, and its rows, in a stable order.
    pub fn groups(&self) -> impl Iterator<Item = (String, &Group)> {
        self.groups.iter().map(|((reason, column), group)| {
            let name = match column {
                Some(column) => format!("{}({column})", reason.as_str()),
                None => reason.as_str().to_owned(),
            };
            (name, group)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_bytes_that_are_no_text() {
        assert_eq!(printable(b"a\xffb"), "a\\xffb");
        assert_eq!(printable(b"a\xff"), "a\\xff");
    }

    #[test]
    fn says_how_long_a_cut_row_was() {
        let long = "ä".repeat(MAX_RAW_BYTES);
        let text = printable(format!("x{long}").as_bytes());
        assert!(text.ends_with("ä… (16385 bytes in all)"), "{}", &text[text.len() - 60..]);
    }

    #[test]
    fn shows_values_on_one_short_line() {
        assert_eq!(shown(b"a\nb"), "`a b`");
        assert_eq!(shown(&[b'x'; 100]).chars().count(), 43);
    }

    #[test]
    fn counts_by_reason_and_column_and_keeps_three_examples() {
        let mut tally = Tally::default();
        for line in 1..=5 {
            let mut row = Rejected::new(Reason::BadValue, "`x` is no date", b"x", line, 0);
            row.column = Some("start".into());
            tally.add("a.csv", &row);
        }
        let groups: Vec<_> = tally.groups().collect();
        assert_eq!(groups[0].0, "bad_value(start)");
        assert_eq!((groups[0].1.rows, groups[0].1.examples.len()), (5, 3));
        assert_eq!(groups[0].1.examples[0], "a.csv:1: `x` is no date");
    }
}
