//! From stored bytes to UTF-8 text: decompressed and decoded, in one pass and in bounded memory.

use crate::error::{Error, Result};
use encoding_rs::{CoderResult, Decoder, Encoding};
use std::io::{BufRead, BufReader, Read};

const BUFFER: usize = 256 * 1024;

/// A file's text: `stored` are its bytes as they are stored, `key` is its name.
pub(crate) fn text(stored: Box<dyn Read + Send>, encoding: &'static Encoding, key: &str) -> Result<Box<dyn Read + Send>> {
    decode(decompress(stored, key)?, encoding, key)
}

/// The plain bytes: gzip and zstd are recognised by their first bytes; a name that promises them must keep the promise.
fn decompress(stored: Box<dyn Read + Send>, key: &str) -> Result<Box<dyn Read + Send>> {
    let mut reader = BufReader::with_capacity(BUFFER, stored);
    let head = reader.fill_buf().map_err(|e| Error::read(key, &e))?;
    if head.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(flate2::bufread::MultiGzDecoder::new(reader)));
    }
    if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let decoder = zstd::stream::read::Decoder::with_buffer(reader).map_err(|e| Error::read(key, &e))?;
        return Ok(Box::new(decoder));
    }
    if [".gz", ".zst", ".zstd"].iter().any(|ending| key.ends_with(ending)) {
        return Err(Error::NotCompressed { path: key.to_owned() });
    }
    Ok(Box::new(reader))
}

fn decode(plain: Box<dyn Read + Send>, encoding: &'static Encoding, key: &str) -> Result<Box<dyn Read + Send>> {
    if encoding != encoding_rs::UTF_8 {
        return Ok(Box::new(Decoded {
            inner: plain,
            decoder: encoding.new_decoder(),
            input: Vec::new(),
            output: Vec::new(),
            sent: 0,
            done: false,
        }));
    }
    let mut plain = plain;
    let mut head = Vec::with_capacity(3);
    plain.by_ref().take(3).read_to_end(&mut head).map_err(|e| damaged(key, 1, 0, &e))?;
    if head == [0xef, 0xbb, 0xbf] {
        head.clear();
    }
    Ok(Box::new(Read::chain(std::io::Cursor::new(head), plain)))
}

/// The error of a file whose text can't be had beyond a position.
pub(crate) fn damaged(path: &str, line: u64, byte: u64, error: &std::io::Error) -> Error {
    let reason = match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "the compressed data ends early".to_owned(),
        _ => error.to_string(),
    };
    Error::Truncated { path: path.to_owned(), line, byte, reason }
}

/// Text of another encoding as UTF-8. What is no text there becomes U+FFFD, by which its row is rejected later.
struct Decoded {
    inner: Box<dyn Read + Send>,
    decoder: Decoder,
    input: Vec<u8>,
    output: Vec<u8>,
    sent: usize,
    done: bool,
}

impl Decoded {
    fn refill(&mut self) -> std::io::Result<()> {
        self.output.clear();
        self.sent = 0;
        while self.output.is_empty() && !self.done {
            self.input.clear();
            self.inner.by_ref().take(BUFFER as u64).read_to_end(&mut self.input)?;
            let last = self.input.is_empty();
            let room = self.decoder.max_utf8_buffer_length(self.input.len()).unwrap_or(BUFFER * 4);
            self.output.resize(room, 0);
            let (result, read, written, _) = self.decoder.decode_to_utf8(&self.input, &mut self.output, last);
            debug_assert!(result == CoderResult::InputEmpty && read == self.input.len());
            self.output.truncate(written);
            self.done = last;
        }
        Ok(())
    }
}

impl Read for Decoded {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.sent == self.output.len() && !self.done {
            self.refill()?;
        }
        let n = buffer.len().min(self.output.len() - self.sent);
        buffer[..n].copy_from_slice(&self.output[self.sent..self.sent + n]);
        self.sent += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn read(bytes: &[u8], key: &str, encoding: &'static Encoding) -> Result<String> {
        let mut found = String::new();
        text(Box::new(std::io::Cursor::new(bytes.to_vec())), encoding, key)?
            .read_to_string(&mut found)
            .map_err(|e| damaged(key, 1, 0, &e))?;
        Ok(found)
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn recognises_compression_by_the_first_bytes() {
        let mut two = gzip("one\n");
        two.extend(gzip("two\n"));
        assert_eq!(read(&two, "a.csv", encoding_rs::UTF_8).unwrap(), "one\ntwo\n");
        let zstd = zstd::encode_all(&b"three"[..], 3).unwrap();
        assert_eq!(read(&zstd, "a.csv.zst", encoding_rs::UTF_8).unwrap(), "three");
        assert_eq!(read(b"", "a.csv", encoding_rs::UTF_8).unwrap(), "");
    }

    #[test]
    fn cut_compressed_data_is_an_error() {
        for whole in [gzip(&"text\n".repeat(9999)), zstd::encode_all("text\n".repeat(9999).as_bytes(), 3).unwrap()] {
            for cut in [whole.len() - 1, whole.len() / 2, 12] {
                let error = read(&whole[..cut], "a.csv", encoding_rs::UTF_8).unwrap_err();
                assert!(matches!(error, Error::Truncated { .. }), "{error}");
            }
        }
    }

    #[test]
    fn a_name_that_promises_compression_must_keep_it() {
        assert!(matches!(read(b"a,b", "a.csv.gz", encoding_rs::UTF_8), Err(Error::NotCompressed { .. })));
    }

    #[test]
    fn decodes_other_encodings_and_drops_byte_order_marks() {
        assert_eq!(read(b"\xef\xbb\xbfid", "a", encoding_rs::UTF_8).unwrap(), "id");
        assert_eq!(read(b"M\xfcller \x80", "a", encoding_rs::WINDOWS_1252).unwrap(), "Müller €");
        assert_eq!(read(b"\xff\xfea\0\xe4\0", "a", encoding_rs::UTF_16LE).unwrap(), "aä");
        assert_eq!(read(b"ab\x81", "a", encoding_rs::SHIFT_JIS).unwrap(), "ab\u{fffd}");
    }
}
