//! Where the values of a chunk's records stand: places, not copies.
//!
//! Splitting and converting are two passes. The first finds each declared value of each record, the second turns one column at
//! a time into an Arrow array. A record that fails in either pass keeps its place, so its text can be reported as it was.

use crate::reject::Rejected;

/// What a value is before it is converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// The record has no such value.
    Missing = 0,
    /// An explicit null.
    Null = 1,
    /// Text as it stands.
    Text = 2,
    /// Text in which doubled quotes or escapes have to be resolved first.
    Escaped = 3,
    /// A JSON number.
    Number = 4,
    /// JSON `true`.
    True = 5,
    /// JSON `false`.
    False = 6,
    /// A JSON object or array.
    Composite = 7,
}

/// A cell's length has 29 bits.
pub(crate) const MAX_TEXT_BYTES: usize = (1 << 29) - 1;

const KINDS: [Kind; 8] = [Kind::Missing, Kind::Null, Kind::Text, Kind::Escaped, Kind::Number, Kind::True, Kind::False, Kind::Composite];

/// The place of a value in its chunk, and its kind, in eight bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell {
    start: u32,
    len_and_kind: u32,
}

impl Cell {
    pub(crate) const MISSING: Self = Self { start: 0, len_and_kind: 0 };

    /// A cell of a chunk; chunks are far below the 512 MiB that fit.
    pub(crate) fn new(start: usize, end: usize, kind: Kind) -> Self {
        #[allow(clippy::cast_possible_truncation)]
        Self { start: start as u32, len_and_kind: ((end - start) as u32) << 3 | kind as u32 }
    }

    pub(crate) fn kind(self) -> Kind {
        KINDS[(self.len_and_kind & 7) as usize]
    }

    pub(crate) fn start(self) -> usize {
        self.start as usize
    }

    pub(crate) fn bytes(self, text: &[u8]) -> &[u8] {
        let start = self.start as usize;
        &text[start..start + (self.len_and_kind >> 3) as usize]
    }
}

/// The place of a record in its chunk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record {
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Lines above it in the chunk.
    pub(crate) line: u32,
}

impl Record {
    pub(crate) fn bytes(self, text: &[u8]) -> &[u8] {
        &text[self.start as usize..self.end as usize]
    }
}

/// A chunk of a file: whole records only, except where a record is broken.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) text: Vec<u8>,
    /// Index of the file among those that are read.
    pub(crate) file: usize,
    /// The line number of the first line, from 1.
    pub(crate) first_line: u64,
    /// The position of the first byte in the decompressed file.
    pub(crate) offset: u64,
    /// Whether this is a piece of one record that is too long to be read.
    pub(crate) too_long: bool,
}

/// The first pass over a chunk.
#[derive(Debug, Default)]
pub(crate) struct Scanned {
    pub(crate) records: Vec<Record>,
    /// Column by column, one cell a record.
    pub(crate) cells: Vec<Vec<Cell>>,
    pub(crate) rejected: Vec<Rejected>,
}

impl Scanned {
    pub(crate) fn new(columns: usize, records: usize) -> Self {
        Self {
            records: Vec::with_capacity(records),
            cells: (0..columns).map(|_| Vec::with_capacity(records)).collect(),
            rejected: Vec::new(),
        }
    }
}
