//! CSV of an API: columns by the header's names, empty fields are NULL, NUL bytes are no text and left out.

use super::plan::{Origin, PagePlan};
use super::rows::{Text, rows};
use super::stream::unreadable;
use super::take::{Position, Taker};
use super::{PageContext, PageRows};
use crate::chunker::{CHUNK_BYTES, Chunker};
use crate::codec::Codec;
use crate::codec::cells::{Chunk, Scanned};
use crate::codec::csv::{Layout, scan};
use crate::codec::paths::Paths;
use crate::error::{Error, Result};
use cscopilot_spec::connector::CsvBody;
use memchr::memchr;
use std::io::Read;

/// Reads a table to its end, or until no more is wanted.
pub(super) fn read(
    plan: &PagePlan,
    ctx: &PageContext,
    csv: &CsvBody,
    text: Box<dyn Read + '_>,
    emit: &mut dyn FnMut(PageRows) -> bool,
) -> Result<()> {
    let file = ctx.file.as_str();
    let delimiter = csv.delimiter.as_ref().and_then(|d| u8::try_from(d.value).ok()).unwrap_or(b',');
    let mut layout = Layout { delimiter, quote: Some(b'"'), fields: 0, wanted: Vec::new() };
    let mut chunker = Chunker::new(Box::new(WithoutNul(text)), file, 0, CHUNK_BYTES);
    let header = chunker.header(&layout).map_err(|error| match error {
        Error::NoHeader { .. } => unreadable(file, "CSV", "it is empty".to_owned()).into(),
        error => error,
    })?;
    layout.fields = header.len();
    layout.wanted = wanted(plan, file, &header)?;
    let others: Vec<usize> = (0..header.len()).filter(|field| !layout.wanted.contains(&Some(*field))).collect();
    layout.wanted.extend(others.iter().copied().map(Some));

    let codec = Codec::Csv(layout.clone());
    let paths = Paths::of(plan.record.names.len(), std::iter::empty());
    let mut taker = Taker::new(plan, ctx, &codec, &paths);
    let numbers: Vec<usize> = others.iter().map(|field| taker.record.number(header[*field].as_bytes())).collect();
    while let Some(chunk) = chunker.next(&codec)? {
        let (text, position) = if chunk.too_long {
            (&[][..], taker.too_long(&chunk))
        } else {
            let position = Position { first_line: chunk.first_line, offset: chunk.offset };
            let scanned = scan(&layout, &chunk);
            if cut(&chunk, &scanned) {
                return Err(unreadable(file, "CSV", "it ends in the middle of a record".to_owned()).into());
            }
            taker.begin(position, scanned.records.len());
            accept(&mut taker, &chunk, scanned, &numbers);
            (chunk.text.as_slice(), position)
        };
        let taken = taker.begin(position, 0);
        let text = Text { bytes: text, codec: &codec, position, moved: &[] };
        if !emit(rows(plan, ctx, file, &text, taken, taker.names())?) {
            break;
        }
    }
    Ok(())
}

/// Slot by slot the field of the header.
fn wanted(plan: &PagePlan, file: &str, header: &[String]) -> Result<Vec<Option<usize>>> {
    let find = |slot: usize, name: &String| {
        let mut places = header.iter().enumerate().filter(|(_, field)| *field == name).map(|(place, _)| place);
        match (places.next(), places.next()) {
            (Some(_), Some(_)) => Err(Error::ColumnTwice { path: file.to_owned(), column: name.clone() }),
            (None, _) if needed(plan, slot) => Err(Error::no_column(file, name, header)),
            (place, _) => Ok(place),
        }
    };
    plan.record.names.iter().enumerate().map(|(slot, name)| find(slot, name)).collect()
}

fn needed(plan: &PagePlan, slot: usize) -> bool {
    plan.columns.iter().any(|column| column.origin == Origin::Record(slot) && !column.plan.optional)
}

/// Hands the records of a chunk to the taker.
fn accept(taker: &mut Taker<'_>, chunk: &Chunk, scanned: Scanned, numbers: &[usize]) {
    let Scanned { records, cells, rejected } = scanned;
    let (slots, others) = cells.split_at(cells.len() - numbers.len());
    for (number, record) in records.into_iter().enumerate() {
        taker.record.clear();
        for (cell, column) in taker.record.row.iter_mut().zip(slots) {
            *cell = column[number];
        }
        for (field, column) in numbers.iter().zip(others) {
            if !column[number].bytes(&chunk.text).is_empty() {
                taker.record.unknown.push((*field, column[number]));
            }
        }
        taker.accept(&chunk.text, record);
    }
    taker.taken.records += rejected.len() as u64;
    taker.taken.rejected.extend(rejected);
}

/// Whether a text that ends without a line break ends with a broken record.
fn cut(chunk: &Chunk, scanned: &Scanned) -> bool {
    let last = scanned.records.last().map_or(0, |record| chunk.offset + u64::from(record.start));
    chunk.text.last() != Some(&b'\n') && scanned.rejected.last().is_some_and(|rejected| rejected.byte >= last)
}

/// A text without its NUL bytes.
struct WithoutNul<R>(R);

impl<R: Read> Read for WithoutNul<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let n = self.0.read(buffer)?;
            let Some(first) = memchr(0, &buffer[..n]) else { return Ok(n) };
            let mut kept = first;
            for at in first..n {
                if buffer[at] != 0 {
                    buffer[kept] = buffer[at];
                    kept += 1;
                }
            }
            // Nothing read would say that the text ends.
            if kept > 0 {
                return Ok(kept);
            }
        }
    }
}
