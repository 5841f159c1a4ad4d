//! One JSON document: the list of records in it, and what stands beside the list, in one pass.

use super::error::PageError;
use super::plan::{Envelope, PagePlan};
use super::rows::{Text, rows, text_of};
use super::stream::unzipped;
use super::take::{Position, Taken, Taker, place};
use super::{PageContext, PageRows};
use crate::codec::Codec;
use crate::codec::cells::{Cell, Kind, MAX_TEXT_BYTES};
use crate::codec::json::{Broken, Scan, Walk, unescape};
use crate::codec::places::Places;
use crate::error::Result;
use crate::reject::shown;
use bytes::Bytes;
use serde_json::Value;

/// Larger objects and lists of an envelope are only known to be there.
const MAX_ENVELOPE_BYTES: usize = 64 << 10;

/// A JSON document whose records were found and are not converted yet.
#[derive(Debug)]
pub struct Found {
    text: Bytes,
    taken: Taken,
    names: Vec<String>,
    /// As [`PageRows::envelope`].
    pub envelope: Vec<Option<Value>>,
    /// As [`PageRows::last_id`].
    pub last_id: Option<String>,
}

impl Found {
    /// Records in the answer, before the filter.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.taken.records
    }

    /// A hash of the first and the last record: unlike that of the body it stays the same where the answer counts or times itself. Nothing
    /// where a filter or a list in the records chose among them, since what is left of two pages may well be equal.
    #[must_use]
    pub fn edges(&self) -> Option<u64> {
        let rows = &self.taken.rows;
        let (first, last) = (rows.first()?, rows.last()?);
        if rows.len() < 2 || rows.len() as u64 != self.taken.records {
            return None;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(first.bytes(&self.text)).update(b"\n").update(last.bytes(&self.text));
        hasher.finalize().as_bytes().first_chunk().map(|start| u64::from_le_bytes(*start))
    }

    /// Converts the records with the plan and the context that found them.
    ///
    /// # Errors
    /// [`PageError`], if the records don't fit the declaration. Values that can't be read are rejected with their record, not errors.
    pub fn rows(self, plan: &PagePlan, ctx: &PageContext) -> Result<PageRows> {
        let text = Text { bytes: &self.text, codec: &plan.record.codec, position: TOP, moved: &[] };
        let mut rows = rows(plan, ctx, &ctx.file, &text, self.taken, &self.names)?;
        rows.envelope = self.envelope;
        Ok(rows)
    }
}

/// A document begins at its first line.
const TOP: Position = Position { first_line: 1, offset: 0 };

/// Walks over a body that is one JSON document, gzipped or not: what paging needs is known then, before anything is converted.
///
/// # Errors
/// [`PageError`], if the body is no JSON, or has no records where they should be. Records that can't be read are rejected, not errors.
pub fn find_records(plan: &PagePlan, ctx: &PageContext, body: Bytes) -> Result<Found> {
    let text = plain(&ctx.file, body)?;
    let Codec::Jsonl(paths) = &plan.record.codec else {
        return Err(unreadable(&ctx.file, "the plan is not one of JSON".to_owned()).into());
    };
    let mut taker = Taker::new(plan, ctx, &plan.record.codec, paths);
    let cells = records(&plan.envelope, &ctx.file, &text, &mut taker)?;
    let envelope = match cells {
        Some(cells) => cells.iter().map(|cell| value_of(*cell, &text)).collect(),
        None => beside(&plan.envelope, &text),
    };
    let taken = taker.begin(TOP, 0);
    let names = taker.names().to_vec();
    let last_id = taken.last_id.and_then(|id| {
        let text = Text { bytes: &text, codec: &plan.record.codec, position: TOP, moved: &[] };
        text_of(id, &text)
    });
    Ok(Found { text, taken, names, envelope, last_id })
}

/// What takes the records of a document.
pub(super) trait Visitor {
    /// The record at the walk's position, which is passed then.
    fn record(&mut self, walk: &mut Walk<'_>, number: u32) -> Scan<()>;
}

impl Visitor for Taker<'_> {
    fn record(&mut self, walk: &mut Walk<'_>, number: u32) -> Scan<()> {
        walk.blanks();
        let start = walk.at;
        let object = self.scan(walk)?;
        let at = place(start, walk.at, number);
        if object {
            self.accept(walk.text, at);
        } else {
            self.odd(walk.text, at);
        }
        Ok(())
    }
}

/// Hands all records of a document to a visitor; the cells of the envelope, unless a second look at the text is needed for them.
pub(super) fn records(envelope: &Envelope, file: &str, text: &[u8], visitor: &mut impl Visitor) -> Result<Option<Vec<Cell>>> {
    let mut document = Document { walk: Walk::new(text, 0), places: Places::new(&envelope.paths), envelope, visitor, state: State::Absent };
    if let Err(why) = document.read() {
        return Err(broken(file, text, why, document.walk.at).into());
    }
    let missing = |found: &'static str| {
        let path = envelope.records.clone().unwrap_or_else(|| "the root".to_owned());
        PageError::NoRecords { file: file.to_owned(), path, found }
    };
    match document.state {
        State::Found => {}
        State::Absent => return Err(missing("nothing").into()),
        State::Other(found) => return Err(missing(found).into()),
    }
    Ok((!envelope.inside).then_some(document.places.row))
}

/// Whether the records were met.
enum State {
    Absent,
    Found,
    /// Something else stands in their place.
    Other(&'static str),
}

struct Document<'a, V> {
    walk: Walk<'a>,
    places: Places<'a>,
    envelope: &'a Envelope,
    visitor: &'a mut V,
    state: State,
}

impl<V: Visitor> Document<'_, V> {
    fn read(&mut self) -> Scan<()> {
        self.walk.blanks();
        match self.walk.peek() {
            _ if self.envelope.trail.is_empty() => {
                self.list()?;
            }
            Some(b'{' | b'[') => self.down(0)?,
            _ => {
                self.walk.skip(0)?;
            }
        }
        self.walk.end()
    }

    /// The object or list that stands here, through which the records' path goes on.
    fn down(&mut self, level: usize) -> Scan<()> {
        let (node, ahead) = self.envelope.trail[level];
        let list = self.walk.peek() == Some(b'[');
        let close = if list { b']' } else { b'}' };
        if !self.walk.open(close) {
            return Ok(());
        }
        let mut next = 0;
        let mut index = 0;
        loop {
            let child = if list {
                index += 1;
                self.envelope.paths.element(node, index - 1)
            } else {
                self.walk.key(&mut self.places, node, &mut next)?.child
            };
            if child == Some(ahead) {
                self.ahead(level, node, ahead)?;
            } else {
                self.walk.member(&mut self.places, node, child, level)?;
            }
            if !self.walk.more(close)? {
                return Ok(());
            }
        }
    }

    /// A value on the way to the records.
    fn ahead(&mut self, level: usize, node: usize, child: usize) -> Scan<()> {
        self.walk.blanks();
        let start = self.walk.at;
        let kind = if level + 1 == self.envelope.trail.len() {
            self.list()?
        } else if let Some(b'{' | b'[') = self.walk.peek() {
            self.down(level + 1)?;
            Kind::Composite
        } else {
            self.walk.skip(level)?
        };
        let cell = self.walk.cell(start, kind);
        self.places.note(node, child, cell);
        Ok(())
    }

    /// The records.
    fn list(&mut self) -> Scan<Kind> {
        let either = self.envelope.trail.is_empty();
        self.state = State::Found;
        match self.walk.peek() {
            Some(b'[') if !self.envelope.single => {
                let mut more = self.walk.open(b']');
                let mut number = 0_u32;
                while more {
                    self.visitor.record(&mut self.walk, number)?;
                    number = number.saturating_add(1);
                    more = self.walk.more(b']')?;
                }
                Ok(Kind::Composite)
            }
            Some(b'{') if self.envelope.single || either => self.visitor.record(&mut self.walk, 0).map(|()| Kind::Composite),
            first => {
                let kind = self.walk.skip(0)?;
                match (kind, first) {
                    // Some APIs write an empty list as null; but a whole body that is null says nothing.
                    (Kind::Null, _) if !either => {}
                    (_, Some(b'{')) => self.state = State::Other("an object, not a list"),
                    (_, Some(b'[')) => self.state = State::Other("a list, not one record"),
                    (Kind::Null, _) => self.state = State::Other("null"),
                    _ => self.state = State::Other("neither a list nor an object"),
                }
                Ok(kind)
            }
        }
    }
}

/// The envelope's values in a sound document.
fn beside(envelope: &Envelope, text: &[u8]) -> Vec<Option<Value>> {
    let mut places = Places::new(&envelope.paths);
    let mut walk = Walk::new(text, 0);
    // The document is known to be sound: errors don't happen.
    let _ = look(envelope, &mut walk, &mut places);
    places.row.iter().map(|cell| value_of(*cell, text)).collect()
}

fn look(envelope: &Envelope, walk: &mut Walk<'_>, places: &mut Places<'_>) -> Scan<()> {
    walk.blanks();
    if walk.peek() != Some(b'[') {
        return walk.value(places, 0, 0).map(|_| ());
    }
    // A long list of records is left when no path leads further into it.
    let Some(last) = envelope.paths.last_element() else { return Ok(()) };
    let mut more = walk.open(b']');
    let mut index = 0;
    while more && index <= last {
        walk.member(places, 0, envelope.paths.element(0, index), 0)?;
        more = walk.more(b']')?;
        index += 1;
    }
    Ok(())
}

/// A value of the envelope. Numbers that are not whole keep their text, since a token must go back as it came.
fn value_of(cell: Cell, text: &[u8]) -> Option<Value> {
    let bytes = cell.bytes(text);
    let verbatim = || Value::String(String::from_utf8_lossy(bytes).into_owned());
    Some(match cell.kind() {
        Kind::Missing => return None,
        Kind::Null => Value::Null,
        Kind::True => Value::Bool(true),
        Kind::False => Value::Bool(false),
        Kind::Text => verbatim(),
        Kind::Escaped => unescape(bytes).map_or_else(verbatim, Value::String),
        Kind::Number => std::str::from_utf8(bytes)
            .ok()
            .and_then(|n| n.parse::<i64>().map(Value::from).or_else(|_| n.parse::<u64>().map(Value::from)).ok())
            .unwrap_or_else(verbatim),
        Kind::Composite => {
            let parsed = if bytes.len() > MAX_ENVELOPE_BYTES { None } else { serde_json::from_slice(bytes).ok() };
            parsed.unwrap_or_else(|| {
                if bytes.first() == Some(&b'[') { Value::Array(Vec::new()) } else { Value::Object(serde_json::Map::new()) }
            })
        }
    })
}

/// A body as text: unpacked, without a byte order mark, and not too long for cells.
pub(super) fn plain(file: &str, body: Bytes) -> Result<Bytes> {
    let body = match body.as_ref() {
        [0x1f, 0x8b, ..] => unzipped(file, &body, MAX_TEXT_BYTES)?.into(),
        text if text.starts_with(b"\xef\xbb\xbf") => body.slice(3..),
        _ => body,
    };
    if body.len() > MAX_TEXT_BYTES {
        return Err(PageError::TooLarge { file: file.to_owned(), bytes: body.len() as u64 }.into());
    }
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(unreadable(file, "it is empty".to_owned()).into());
    }
    Ok(body)
}

fn broken(file: &str, text: &[u8], why: Broken, at: usize) -> PageError {
    let at = at.min(text.len());
    let reason = match why {
        Broken::Early => "it ends too early".to_owned(),
        Broken::NotAnObject => "it is no object".to_owned(),
        Broken::Syntax(what) if at == text.len() => format!("{what} at its end"),
        Broken::Syntax(what) => format!("{what} at byte {}, near {}", at + 1, shown(&text[at..])),
    };
    unreadable(file, reason)
}

fn unreadable(file: &str, reason: String) -> PageError {
    PageError::Unreadable { file: file.to_owned(), form: "JSON", reason }
}
