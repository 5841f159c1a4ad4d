//! Rows as text: the values of some records one after the other, and where each stands.

use crate::codec::Codec;
use crate::codec::cells::{Cell, Kind, Record};
use crate::codec::csv::Layout;
use crate::reject::{Reason, Rejected};

/// Longer rows are rejected.
pub(crate) const MAX_ROW_BYTES: usize = 32 << 20;
/// What is kept of a row that is too long.
const KEPT_OF_LONG: usize = 64 << 10;

/// Some rows as text. A row's values are added one after the other; [`CellRows::end_row`] ends it.
#[derive(Debug, Default)]
pub struct CellRows {
    pub(crate) text: Vec<u8>,
    pub(crate) records: Vec<Record>,
    /// Column by column, one cell a record.
    pub(crate) cells: Vec<Vec<Cell>>,
    /// Rows that are too long to be read.
    pub(crate) rejected: Vec<Rejected>,
    /// The cells of the row that is being written.
    row: Vec<Cell>,
    start: usize,
}

impl CellRows {
    /// No rows yet.
    #[must_use]
    pub fn new(columns: usize) -> Self {
        Self { cells: vec![Vec::new(); columns], row: Vec::with_capacity(columns), ..Self::default() }
    }

    /// How many rows there are, whether they can be read or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len() + self.rejected.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How long the rows are in all.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Adds the next value of the row; nothing stands for NULL.
    pub fn value(&mut self, value: Option<&[u8]>) {
        if !self.row.is_empty() {
            self.text.push(b'\t');
        }
        let start = self.text.len();
        let (text, kind) = match value {
            Some(text) => (text, Kind::Text),
            None => (&b"\\N"[..], Kind::Null),
        };
        // A row that is too long is given up at its end: it needn't grow any further.
        if start - self.start <= MAX_ROW_BYTES {
            self.text.extend_from_slice(&text[..text.len().min(MAX_ROW_BYTES + 1)]);
        }
        self.row.push(Cell::new(start, self.text.len(), kind));
    }

    /// Ends the row.
    pub fn end_row(&mut self) {
        let (start, end) = (self.start, self.text.len());
        if end - start > MAX_ROW_BYTES {
            self.rejected.push(too_long(&self.text[start..end]));
            self.text.truncate(start);
        } else {
            self.record(start, end);
            for (column, cell) in self.cells.iter_mut().zip(&self.row) {
                column.push(*cell);
            }
            self.text.push(b'\n');
        }
        self.row.clear();
        self.start = self.text.len();
    }

    /// Notes where a record stands.
    pub(crate) fn record(&mut self, start: usize, end: usize) {
        #[allow(clippy::cast_possible_truncation)]
        self.records.push(Record { start: start as u32, end: end as u32, line: self.records.len() as u32 });
    }
}

/// A row that is longer than any row should be.
pub(crate) fn too_long(row: &[u8]) -> Rejected {
    Rejected::new(Reason::TooLong, "the row is longer than 32 MiB", &row[..row.len().min(KEPT_OF_LONG)], 0, 0)
}

/// How the cells are written: as they are.
pub(crate) fn codec() -> Codec {
    Codec::Csv(Layout { delimiter: b'\t', quote: None, fields: 0, wanted: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_where_the_cells_say() {
        let mut rows = CellRows::new(2);
        for row in [[Some("a\tb"), None], [Some(""), Some("x")]] {
            for value in row {
                rows.value(value.map(str::as_bytes));
            }
            rows.end_row();
        }
        let cell = |column: usize, row: usize| (rows.cells[column][row].bytes(&rows.text), rows.cells[column][row].kind());
        assert_eq!((cell(0, 0), cell(0, 1)), ((&b"a\tb"[..], Kind::Text), (&b""[..], Kind::Text)));
        assert_eq!((cell(1, 0).1, cell(1, 1)), (Kind::Null, (&b"x"[..], Kind::Text)));
        assert_eq!(rows.records[1].bytes(&rows.text), b"\tx");
        assert_eq!(rows.len(), 2);
    }

    #[test]
    fn a_row_that_is_too_long_is_rejected_and_the_next_one_is_sound() {
        let mut rows = CellRows::new(2);
        rows.value(Some(&vec![b'x'; MAX_ROW_BYTES]));
        rows.value(Some(b"y"));
        rows.end_row();
        rows.value(Some(b"1"));
        rows.value(Some(b"2"));
        rows.end_row();
        assert_eq!((rows.rejected.len(), rows.records.len(), rows.len()), (1, 1, 2));
        assert_eq!(rows.rejected[0].reason, Reason::TooLong);
        assert_eq!(rows.cells[1][0].bytes(&rows.text), b"2");
    }
}
