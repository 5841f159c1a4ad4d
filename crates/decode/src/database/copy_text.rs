//! PostgreSQL's `COPY … (FORMAT text)`: a line a row, tabs between values, `\N` for NULL, backslashes before what would disturb.
//!
//! Unlike its CSV this form tells NULL from every text, and a line break in it always ends a row.

use super::cells::{CellRows, MAX_ROW_BYTES, too_long};
use crate::codec::cells::{Cell, Kind};
use crate::error::{Error, Result};
use memchr::{memchr, memchr_iter};

/// The rows of some whole lines.
///
/// # Errors
/// [`Error::ValueCount`] for a line with another number of values than was asked for, which no server sends.
pub(crate) fn scan(text: Vec<u8>, columns: usize) -> Result<CellRows> {
    let mut rows = CellRows::new(columns);
    // Texts that had backslashes stand behind all lines.
    let mut plain: Vec<u8> = Vec::new();
    let base = text.len();
    let mut start = 0;
    while start < base {
        let end = memchr(b'\n', &text[start..]).map_or(base, |n| start + n);
        if end - start > MAX_ROW_BYTES {
            rows.rejected.push(too_long(&text[start..end]));
            start = end + 1;
            continue;
        }
        let mut column = 0;
        let mut at = start;
        for tab in memchr_iter(b'\t', &text[start..end]).map(|n| start + n).chain(std::iter::once(end)) {
            let value = &text[at..tab];
            let cell = match memchr(b'\\', value) {
                None => Cell::new(at, tab, Kind::Text),
                Some(_) if value == b"\\N" => Cell::new(at, tab, Kind::Null),
                Some(_) => {
                    let from = base + plain.len();
                    unescape(value, &mut plain);
                    Cell::new(from, base + plain.len(), Kind::Text)
                }
            };
            if let Some(cells) = rows.cells.get_mut(column) {
                cells.push(cell);
            }
            column += 1;
            at = tab + 1;
        }
        if column != columns {
            return Err(Error::ValueCount { found: column, wanted: columns });
        }
        rows.record(start, end);
        start = end + 1;
    }
    rows.text = text;
    rows.text.extend_from_slice(&plain);
    Ok(rows)
}

/// One value of a line of `COPY … (FORMAT text)`; nothing where it is NULL or the line is shorter.
#[must_use]
pub fn copied_value(line: &[u8], column: usize) -> Option<Vec<u8>> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let value = line.split(|byte| *byte == b'\t').nth(column).filter(|value| *value != b"\\N")?;
    let mut plain = Vec::with_capacity(value.len());
    unescape(value, &mut plain);
    Some(plain)
}

fn unescape(value: &[u8], plain: &mut Vec<u8>) {
    let mut bytes = value.iter();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'\\' => match bytes.next() {
                Some(b'b') => 8,
                Some(b'f') => 12,
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'v') => 11,
                Some(other) => *other,
                None => b'\\',
            },
            byte => *byte,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As the server writes a value.
    fn escaped(value: Option<&str>) -> String {
        let Some(value) = value else { return "\\N".to_owned() };
        let mut text = String::new();
        for c in value.chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                c => text.push(c),
            }
        }
        text
    }

    proptest! {
        #[test]
        fn any_values_come_back(rows in prop::collection::vec(prop::collection::vec(prop::option::of("[a\\\\\\tN\\nü]{0,4}"), 3), 0..6)) {
            let lines: String = rows.iter().map(|row| {
                let values: Vec<String> = row.iter().map(|v| escaped(v.as_deref())).collect();
                values.join("\t") + "\n"
            }).collect();
            let scanned = scan(lines.clone().into_bytes(), 3).unwrap();
            prop_assert_eq!(scanned.records.len(), rows.len());
            for (index, row) in rows.iter().enumerate() {
                for (column, expected) in row.iter().enumerate() {
                    let cell = scanned.cells[column][index];
                    let found = (cell.kind() == Kind::Text).then(|| cell.bytes(&scanned.text));
                    prop_assert_eq!(found, expected.as_ref().map(|v| v.as_bytes()));
                    let line = lines.split_inclusive('\n').nth(index).unwrap_or_default();
                    prop_assert_eq!(copied_value(line.as_bytes(), column), expected.as_ref().map(|v| v.as_bytes().to_vec()));
                }
            }
        }
    }

    #[test]
    fn a_line_with_too_few_values_is_an_error() {
        assert!(scan(b"a\tb\n".to_vec(), 3).is_err());
    }
}
