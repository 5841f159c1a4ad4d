//! CSV: splits records into fields, and finds where records end.
//!
//! Rules of RFC 4180: a quote counts only at the start of a field, a quote inside a quoted field is doubled, quoted fields may
//! hold line breaks. One stray quote must not swallow the rows behind it: a record over several lines that turns out broken
//! is rejected up to its first line break, and reading goes on with the next line.

use super::cells::{Cell, Chunk, Kind, Record, Scanned};
use crate::reject::{Reason, Rejected};
use memchr::{memchr, memchr2};

/// How the records are written, and which fields are wanted.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) delimiter: u8,
    pub(crate) quote: Option<u8>,
    /// How many fields a record has.
    pub(crate) fields: usize,
    /// Column by column the field's index; nothing where the file lacks the column.
    pub(crate) wanted: Vec<Option<usize>>,
}

/// One field: its place without quotes.
#[derive(Debug, Clone, Copy)]
struct Field {
    start: usize,
    end: usize,
    kind: Kind,
}

/// What came of splitting one record.
enum Split {
    /// The record ends before this position, line break included.
    Done(usize),
    /// A quote is not closed, or text follows a closing quote.
    BadQuote(&'static str),
}

/// Notes the places of the wanted fields of every record.
pub(crate) fn scan(layout: &Layout, chunk: &Chunk) -> Scanned {
    let text = &chunk.text;
    let mut out = Scanned::new(layout.wanted.len(), text.len() / 64);
    let mut fields: Vec<Field> = Vec::with_capacity(layout.fields);
    let mut start = 0;
    let mut line = 0_u32;
    while start < text.len() {
        fields.clear();
        let (next, broken) = match split(text, start, layout, &mut fields) {
            Split::Done(next) if is_blank(text, start, next) => (next, None),
            Split::Done(next) if fields.len() == layout.fields => {
                accept(&mut out, layout, &fields, start, line_end(text, start, next), line);
                (next, None)
            }
            Split::Done(next) => {
                let detail = format!("{} fields where the file has {}", fields.len(), layout.fields);
                (next, Some((Reason::WrongFieldCount, detail)))
            }
            Split::BadQuote(what) => (text.len(), Some((Reason::BadQuote, what.to_owned()))),
        };
        // A broken record ends at its first line break.
        let next = if broken.is_some() { memchr(b'\n', &text[start..next]).map_or(next, |n| start + n + 1) } else { next };
        if let Some((reason, detail)) = broken {
            let raw = &text[start..line_end(text, start, next)];
            out.rejected.push(Rejected::new(reason, detail, raw, chunk.first_line + u64::from(line), chunk.offset + start as u64));
        }
        line += lines(&text[start..next]);
        start = next;
    }
    out
}

/// The fields of a header as text, and the position behind it.
pub(crate) fn header(text: &[u8], layout: &Layout) -> Option<(Vec<String>, usize)> {
    let mut fields = Vec::new();
    let Split::Done(end) = split(text, 0, layout, &mut fields) else { return None };
    let name = |f: &Field| {
        let bytes = &text[f.start..f.end];
        let bytes = if f.kind == Kind::Escaped { unescape(bytes, layout.quote) } else { bytes.to_vec() };
        String::from_utf8_lossy(&bytes).trim().to_owned()
    };
    Some((fields.iter().map(name).collect(), end))
}

fn accept(out: &mut Scanned, layout: &Layout, fields: &[Field], start: usize, end: usize, line: u32) {
    #[allow(clippy::cast_possible_truncation)]
    out.records.push(Record { start: start as u32, end: end as u32, line });
    for (column, wanted) in out.cells.iter_mut().zip(&layout.wanted) {
        column.push(wanted.and_then(|w| fields.get(w)).map_or(Cell::MISSING, |f| Cell::new(f.start, f.end, f.kind)));
    }
}

fn lines(text: &[u8]) -> u32 {
    u32::try_from(memchr::memchr_iter(b'\n', text).count()).unwrap_or(u32::MAX)
}

fn is_blank(text: &[u8], start: usize, next: usize) -> bool {
    matches!(&text[start..next], b"\n" | b"\r\n" | b"\r")
}

fn line_end(text: &[u8], start: usize, next: usize) -> usize {
    let mut end = next;
    if end > start && text[end - 1] == b'\n' {
        end -= 1;
    }
    if end > start && text[end - 1] == b'\r' {
        end -= 1;
    }
    end
}

fn split(text: &[u8], start: usize, layout: &Layout, fields: &mut Vec<Field>) -> Split {
    let mut at = start;
    loop {
        let quoted = layout.quote.filter(|q| text.get(at) == Some(q));
        let end = match quoted {
            Some(quote) => {
                let Some((end, escaped)) = closing_quote(text, at + 1, quote) else {
                    return Split::BadQuote("a quote is never closed");
                };
                fields.push(Field { start: at + 1, end, kind: if escaped { Kind::Escaped } else { Kind::Text } });
                let mut after = end + 1;
                if text.get(after) == Some(&b'\r') && matches!(text.get(after + 1), Some(b'\n') | None) {
                    after += 1;
                }
                after
            }
            None => {
                let end = memchr2(layout.delimiter, b'\n', &text[at..]).map_or(text.len(), |n| at + n);
                let mut trimmed = end;
                if text.get(end) != Some(&layout.delimiter) && end > at && text[end - 1] == b'\r' {
                    trimmed -= 1;
                }
                fields.push(Field { start: at, end: trimmed, kind: Kind::Text });
                end
            }
        };
        match text.get(end) {
            None => return Split::Done(end),
            Some(b'\n') => return Split::Done(end + 1),
            Some(byte) if *byte == layout.delimiter => at = end + 1,
            Some(_) => return Split::BadQuote("text follows a closing quote"),
        }
    }
}

/// The place of the quote that closes a field, and whether doubled quotes stand before it.
fn closing_quote(text: &[u8], start: usize, quote: u8) -> Option<(usize, bool)> {
    let mut at = start;
    let mut escaped = false;
    loop {
        let end = at + memchr(quote, text.get(at..)?)?;
        if text.get(end + 1) == Some(&quote) {
            escaped = true;
            at = end + 2;
        } else {
            return Some((end, escaped));
        }
    }
}

/// The text of a field in which quotes are doubled.
pub(crate) fn unescape(inner: &[u8], quote: Option<u8>) -> Vec<u8> {
    let mut text = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        text.push(byte);
        if Some(byte) == quote && bytes.peek() == Some(&byte) {
            bytes.next();
        }
    }
    text
}

/// The position behind the last whole record, if there is one: a line break that no quoted field holds.
pub(crate) fn last_record_end(text: &[u8], delimiter: u8, quote: Option<u8>) -> Option<usize> {
    let quote = quote.filter(|q| memchr(*q, text).is_some());
    let Some(quote) = quote else {
        return memchr::memrchr(b'\n', text).map(|n| n + 1);
    };
    let mut at = 0;
    let mut last = None;
    // At the start of a field.
    loop {
        if text.get(at) == Some(&quote) {
            let Some((end, _)) = closing_quote(text, at + 1, quote) else { return last };
            at = end + 1;
            // A quote at the very end may be the first half of a doubled one.
            if at >= text.len() {
                return last;
            }
        }
        match memchr2(delimiter, b'\n', &text[at..]) {
            None => return last,
            Some(n) => {
                at += n + 1;
                if text[at - 1] == b'\n' {
                    last = Some(at);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
