//! Cuts a file's text into chunks of whole records, so that several threads can read one file.

use crate::codec::Codec;
use crate::codec::cells::Chunk;
use crate::codec::csv::{self, Layout};
use crate::error::{Error, Result};
use crate::text::damaged;
use std::io::Read;

/// The size that chunks have, unless a record is longer.
pub(crate) const CHUNK_BYTES: usize = 4 << 20;
/// Longer records are rejected.
const MAX_RECORD_BYTES: usize = 32 << 20;
/// What is kept of a record that is too long.
const KEPT_OF_LONG: usize = 64 << 10;

/// Cuts one file.
pub(crate) struct Chunker<'r> {
    reader: Box<dyn Read + 'r>,
    /// Text that was read but not handed out.
    buffer: Vec<u8>,
    key: String,
    file: usize,
    line: u64,
    offset: u64,
    ended: bool,
    target: usize,
}

impl<'r> Chunker<'r> {
    pub(crate) fn new(reader: Box<dyn Read + 'r>, key: &str, file: usize, target: usize) -> Self {
        Self { reader, buffer: Vec::new(), key: key.to_owned(), file, line: 1, offset: 0, ended: false, target }
    }

    /// Reads until the buffer holds `wanted` bytes, or the file ends.
    fn fill(&mut self, wanted: usize) -> Result<()> {
        if self.ended || self.buffer.len() >= wanted {
            return Ok(());
        }
        let missing = wanted - self.buffer.len();
        self.buffer.reserve(missing + 1);
        match self.reader.by_ref().take(missing as u64).read_to_end(&mut self.buffer) {
            Ok(n) => {
                self.ended = n < missing;
                Ok(())
            }
            Err(e) => {
                let line = self.line + lines(&self.buffer);
                Err(damaged(&self.key, line, self.offset + self.buffer.len() as u64, &e))
            }
        }
    }

    /// Takes lines off the front.
    pub(crate) fn skip_lines(&mut self, count: u32) -> Result<()> {
        for _ in 0..count {
            self.fill(self.target)?;
            let end = memchr::memchr(b'\n', &self.buffer).map_or(self.buffer.len(), |n| n + 1);
            self.take(end);
        }
        Ok(())
    }

    /// Takes the header off the front.
    pub(crate) fn header(&mut self, layout: &Layout) -> Result<Vec<String>> {
        self.fill(self.target)?;
        while let Some((fields, end)) = csv::header(&self.buffer, layout) {
            // Blank lines above the header are no header.
            let blank = fields.iter().all(String::is_empty);
            self.take(end);
            if !blank {
                return Ok(fields);
            }
            if self.buffer.is_empty() {
                break;
            }
        }
        Err(Error::NoHeader { path: self.key.clone() })
    }

    /// The next chunk; nothing at the end of the file.
    pub(crate) fn next(&mut self, codec: &Codec) -> Result<Option<Chunk>> {
        let mut wanted = self.target;
        loop {
            self.fill(wanted)?;
            if self.buffer.is_empty() {
                return Ok(None);
            }
            if self.ended {
                return Ok(Some(self.take(self.buffer.len())));
            }
            if let Some(end) = codec.last_record_end(&self.buffer) {
                return Ok(Some(self.take(end)));
            }
            if self.buffer.len() >= MAX_RECORD_BYTES {
                // An open quote: the reader of the chunk goes on line by line. No line break at all: the record is too long.
                return match memchr::memrchr(b'\n', &self.buffer) {
                    Some(n) => Ok(Some(self.take(n + 1))),
                    None => self.too_long().map(Some),
                };
            }
            wanted = self.buffer.len() * 2;
        }
    }

    fn take(&mut self, end: usize) -> Chunk {
        let mut rest = Vec::with_capacity(self.target + self.target / 8);
        rest.extend_from_slice(&self.buffer[end..]);
        let mut text = std::mem::replace(&mut self.buffer, rest);
        text.truncate(end);
        let chunk = Chunk { file: self.file, first_line: self.line, offset: self.offset, too_long: false, text };
        self.line += lines(&chunk.text);
        self.offset += chunk.text.len() as u64;
        chunk
    }

    /// Passes over a line that doesn't fit into memory, and keeps its beginning.
    fn too_long(&mut self) -> Result<Chunk> {
        let mut chunk = self.take(self.buffer.len());
        chunk.text.truncate(KEPT_OF_LONG);
        chunk.text.shrink_to_fit();
        chunk.too_long = true;
        loop {
            self.fill(self.target)?;
            if let Some(n) = memchr::memchr(b'\n', &self.buffer) {
                self.take(n + 1);
                return Ok(chunk);
            }
            if self.ended {
                self.take(self.buffer.len());
                return Ok(chunk);
            }
            self.take(self.buffer.len());
        }
    }
}

fn lines(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::jsonl::Paths;

    fn chunks(text: &str, target: usize, codec: &Codec) -> Vec<(u64, u64, String)> {
        let mut chunker = Chunker::new(Box::new(std::io::Cursor::new(text.as_bytes().to_vec())), "a", 0, target);
        let mut found = Vec::new();
        while let Some(chunk) = chunker.next(codec).unwrap() {
            found.push((chunk.first_line, chunk.offset, String::from_utf8(chunk.text).unwrap()));
        }
        found
    }

    fn csv_codec() -> Codec {
        Codec::Csv(Layout { delimiter: b',', quote: Some(b'"'), fields: 2, wanted: vec![Some(0), Some(1)] })
    }

    #[test]
    fn chunks_end_at_records_and_know_their_position() {
        let jsonl = Codec::Jsonl(Paths::new(["a"].into_iter()));
        let found = chunks("aaaa\nbb\ncccccccccc\nd\neeeeee", 9, &jsonl);
        let expected = [(1, 0, "aaaa\nbb\n"), (3, 8, "cccccccccc\nd\n"), (5, 21, "eeeeee")];
        assert_eq!(found, expected.map(|(l, o, t)| (l, o, t.to_owned())));
    }

    #[test]
    fn a_quoted_line_break_is_no_end_of_a_record() {
        let found = chunks("a,\"b\nb\"\nc,d\n", 10, &csv_codec());
        assert_eq!(found[0], (1, 0, "a,\"b\nb\"\n".to_owned()));
        assert_eq!(found.iter().map(|f| f.2.as_str()).collect::<String>(), "a,\"b\nb\"\nc,d\n");
    }

    #[test]
    fn takes_the_header_below_skipped_and_blank_lines() {
        let Codec::Csv(layout) = csv_codec() else { unreachable!() };
        let mut chunker = Chunker::new(Box::new(std::io::Cursor::new(b"exported by x\n\n\"id\", name \n1,2\n".to_vec())), "a", 0, 100);
        chunker.skip_lines(1).unwrap();
        assert_eq!(chunker.header(&layout).unwrap(), ["id", "name"]);
        let chunk = chunker.next(&csv_codec()).unwrap().unwrap();
        assert_eq!((chunk.first_line, chunk.text.as_slice()), (4, &b"1,2\n"[..]));
    }

    #[test]
    fn an_empty_file_has_no_header() {
        let Codec::Csv(layout) = csv_codec() else { unreachable!() };
        let mut chunker = Chunker::new(Box::new(std::io::empty()), "a.csv", 0, 100);
        assert!(matches!(chunker.header(&layout), Err(Error::NoHeader { .. })));
    }

    #[test]
    fn a_line_that_is_too_long_keeps_its_beginning_only() {
        let jsonl = Codec::Jsonl(Paths::new(["a"].into_iter()));
        let text = format!("{}\n{{}}\n", "x".repeat(MAX_RECORD_BYTES + 5));
        let mut chunker = Chunker::new(Box::new(std::io::Cursor::new(text.into_bytes())), "a", 0, 1 << 20);
        let long = chunker.next(&jsonl).unwrap().unwrap();
        assert!(long.too_long && long.text.len() == KEPT_OF_LONG);
        let next = chunker.next(&jsonl).unwrap().unwrap();
        assert_eq!((next.first_line, next.text.as_slice()), (2, &b"{}\n"[..]));
    }
}
