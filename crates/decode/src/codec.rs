//! How records are written in files: splitting text into places of values.

pub(crate) mod cells;
pub(crate) mod csv;
pub(crate) mod json;
pub(crate) mod jsonl;
pub(crate) mod paths;
pub(crate) mod places;

use cells::{Cell, Chunk, Kind, Scanned};
use std::borrow::Cow;

/// How the records of a text file are split.
#[derive(Debug)]
pub(crate) enum Codec {
    /// Fields between delimiters.
    Csv(csv::Layout),
    /// One JSON object a line.
    Jsonl(jsonl::Paths),
}

impl Codec {
    /// Finds the values of all records of a chunk.
    pub(crate) fn scan(&self, chunk: &Chunk) -> Scanned {
        match self {
            Self::Csv(layout) => csv::scan(layout, chunk),
            Self::Jsonl(paths) => jsonl::scan(paths, chunk),
        }
    }

    /// The position behind the last whole record of a text.
    pub(crate) fn last_record_end(&self, text: &[u8]) -> Option<usize> {
        match self {
            Self::Csv(layout) => csv::last_record_end(text, layout.delimiter, layout.quote),
            Self::Jsonl(_) => memchr::memrchr(b'\n', text).map(|n| n + 1),
        }
    }

    /// A cell's text with quotes and escapes resolved; nothing where that gives no text.
    pub(crate) fn text<'a>(&self, cell: Cell, chunk: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let bytes = cell.bytes(chunk);
        if cell.kind() != Kind::Escaped {
            return Some(Cow::Borrowed(bytes));
        }
        match self {
            Self::Csv(layout) => Some(Cow::Owned(csv::unescape(bytes, layout.quote))),
            Self::Jsonl(_) => jsonl::unescape(bytes).map(|text| Cow::Owned(text.into_bytes())),
        }
    }
}
