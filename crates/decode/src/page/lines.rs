//! JSON Lines of an API: one record a line, except where the API broke a record in two.

use super::plan::PagePlan;
use super::rows::{Text, rows};
use super::stream::unreadable;
use super::take::{Position, Taker, place};
use super::{PageContext, PageRows};
use crate::chunker::{CHUNK_BYTES, Chunker};
use crate::codec::Codec;
use crate::codec::cells::Chunk;
use crate::codec::json::{Broken, Walk};
use crate::codec::jsonl::{blank, explain, trim_end};
use crate::error::Result;
use crate::reject::shown;
use memchr::memchr;
use std::io::Read;

/// Reads a text to its end; whether more is wanted.
pub(super) fn read(
    plan: &PagePlan,
    ctx: &PageContext,
    file: &str,
    text: Box<dyn Read + '_>,
    emit: &mut dyn FnMut(PageRows) -> bool,
) -> Result<bool> {
    read_chunks(plan, ctx, file, text, CHUNK_BYTES, emit)
}

/// The same with chunks of another size.
pub(super) fn read_chunks(
    plan: &PagePlan,
    ctx: &PageContext,
    file: &str,
    text: Box<dyn Read + '_>,
    target: usize,
    emit: &mut dyn FnMut(PageRows) -> bool,
) -> Result<bool> {
    let codec = &plan.record.codec;
    let Codec::Jsonl(paths) = codec else { return Ok(true) };
    let mut chunker = Chunker::new(text, file, 0, target);
    let mut reader = Lines { plan, ctx, file, taker: Taker::new(plan, ctx, codec, paths), begun: false };
    // The beginning of a record that may go on in the next chunk.
    let mut rest: Option<Chunk> = None;
    while let Some(chunk) = chunker.next(codec)? {
        let mut given = Vec::with_capacity(2);
        match rest.take() {
            // What is too long is the rest of nothing.
            before if chunk.too_long => {
                if let Some(before) = before {
                    given.push(reader.chunk(before, true)?.0);
                }
                given.push(reader.too_long(&chunk)?);
            }
            before => {
                let whole = match before {
                    None => chunk,
                    Some(mut before) => {
                        before.text.extend_from_slice(&chunk.text);
                        before
                    }
                };
                let (rows, left) = reader.chunk(whole, false)?;
                rest = left;
                given.push(rows);
            }
        }
        for rows in given {
            if !emit(rows) {
                return Ok(false);
            }
        }
    }
    if let Some(chunk) = rest {
        if chunk.text.last() != Some(&b'\n') {
            let start = shown(&chunk.text[..chunk.text.len().min(100)]);
            let reason = format!("it ends in the middle of a record (line {}, near {start})", chunk.first_line);
            return Err(unreadable(file, "JSON Lines", reason).into());
        }
        let (rows, _) = reader.chunk(chunk, true)?;
        return Ok(emit(rows));
    }
    Ok(true)
}

struct Lines<'p> {
    plan: &'p PagePlan,
    ctx: &'p PageContext,
    file: &'p str,
    taker: Taker<'p>,
    /// Whether a line was met.
    begun: bool,
}

/// A line that is no record, and may be the first half of one.
#[derive(Debug, Clone, Copy)]
struct Half {
    start: usize,
    end: usize,
    line: u32,
    why: Broken,
    at: usize,
}

impl Lines<'_> {
    /// The rows of a chunk; and a broken line at its end, if lines follow that may hold the rest of it.
    fn chunk(&mut self, mut chunk: Chunk, last: bool) -> Result<(PageRows, Option<Chunk>)> {
        self.begin(&chunk.text)?;
        let position = Position { first_line: chunk.first_line, offset: chunk.offset };
        self.taker.begin(position, chunk.text.len() / 256);
        let length = chunk.text.len();
        let mut moved = Vec::new();
        let mut half: Option<Half> = None;
        let (mut start, mut line) = (0, 0_u32);
        while start < length {
            let next = memchr(b'\n', &chunk.text[start..length]).map_or(length, |n| start + n + 1);
            let end = trim_end(&chunk.text, start, next);
            if !blank(&chunk.text[start..end]) {
                match self.record(&chunk.text, start, end, line) {
                    Ok(()) => self.give_up(&chunk.text, half.take()),
                    Err((why, at)) => {
                        let broken = Half { start, end, line, why, at };
                        half = match half.take() {
                            None => Some(broken),
                            Some(first) if self.joined(&mut chunk.text, first, broken, &mut moved) => None,
                            Some(first) => {
                                self.give_up(&chunk.text, Some(first));
                                Some(broken)
                            }
                        };
                    }
                }
            }
            start = next;
            line += 1;
        }
        let left = match half {
            Some(half) if !last => Some(Chunk {
                text: chunk.text[half.start..length].to_vec(),
                file: chunk.file,
                first_line: chunk.first_line + u64::from(half.line),
                offset: chunk.offset + half.start as u64,
                too_long: false,
            }),
            half => {
                self.give_up(&chunk.text, half);
                None
            }
        };
        Ok((self.rows(&chunk.text, position, &moved)?, left))
    }

    /// An answer whose first line isn't even the beginning of a record is something else: a page of HTML, a message.
    fn begin(&mut self, text: &[u8]) -> Result<()> {
        let Some(start) = text.iter().position(|b| !b.is_ascii_whitespace()) else { return Ok(()) };
        if !self.begun && text[start] != b'{' {
            return Err(unreadable(self.file, "JSON Lines", format!("it begins with {}", shown(&text[start..]))).into());
        }
        self.begun = true;
        Ok(())
    }

    /// Takes the record that stands there.
    fn record(&mut self, text: &[u8], start: usize, end: usize, line: u32) -> std::result::Result<(), (Broken, usize)> {
        let mut walk = Walk::new(&text[..end], start);
        let object = self.taker.scan(&mut walk).and_then(|object| walk.end().map(|()| object));
        match object {
            Ok(true) => {
                self.taker.accept(text, place(start, end, line));
                Ok(())
            }
            Ok(false) => Err((Broken::NotAnObject, 0)),
            Err(why) => Err((why, walk.at.min(end) - start)),
        }
    }

    /// Takes two halves as one record, if they are one. The whole stands behind the chunk's text then.
    fn joined(&mut self, text: &mut Vec<u8>, first: Half, second: Half, moved: &mut Vec<(usize, usize)>) -> bool {
        let start = text.len();
        text.extend_from_within(first.start..first.end);
        text.extend_from_within(second.start..second.end);
        let whole = self.record(text, start, text.len(), first.line).is_ok();
        if whole {
            moved.push((start, first.start));
        } else {
            text.truncate(start);
        }
        whole
    }

    /// Rejects a line that is no half of a record.
    fn give_up(&mut self, text: &[u8], half: Option<Half>) {
        let Some(half) = half else { return };
        let (reason, detail) = explain(half.why, &text[half.start..half.end], half.at);
        self.taker.taken.records += 1;
        self.taker.reject(text, place(half.start, half.end, half.line), reason, detail);
    }

    fn too_long(&mut self, chunk: &Chunk) -> Result<PageRows> {
        let position = self.taker.too_long(chunk);
        self.rows(&[], position, &[])
    }

    fn rows(&mut self, text: &[u8], position: Position, moved: &[(usize, usize)]) -> Result<PageRows> {
        let taken = self.taker.begin(position, 0);
        let text = Text { bytes: text, codec: self.taker.codec, position, moved };
        rows(self.plan, self.ctx, self.file, &text, taken, self.taker.names())
    }
}
