//! Bodies that are read piece by piece: JSON Lines, CSV, and zip archives of JSON Lines.

use super::error::PageError;
use super::plan::PagePlan;
use super::{PageContext, PageRows, find_records, lines, table};
use crate::error::Result;
use cscopilot_spec::connector::ResponseFormat;
use flate2::bufread::MultiGzDecoder;
use std::io::{BufReader, Cursor, Read, Seek};

const BUFFER: usize = 256 << 10;

/// The rows of a body of the format for which the plan was made, chunk by chunk, until `emit` wants no more. Gzip is recognised by its first bytes.
///
/// # Errors
/// [`PageError`] and [`crate::Error::Truncated`], where the body is not what it should be. What was emitted before such an error is part of
/// a body that is not whole.
pub fn parse_stream(
    plan: &PagePlan,
    ctx: &PageContext,
    body: std::fs::File,
    format: &ResponseFormat,
    emit: &mut dyn FnMut(PageRows) -> bool,
) -> Result<()> {
    parse(plan, ctx, body, format, emit)
}

pub(super) fn parse(
    plan: &PagePlan,
    ctx: &PageContext,
    mut body: impl Read + Seek,
    format: &ResponseFormat,
    emit: &mut dyn FnMut(PageRows) -> bool,
) -> Result<()> {
    let file = ctx.file.as_str();
    match format {
        ResponseFormat::Json => {
            let mut text = Vec::new();
            body.read_to_end(&mut text).map_err(|e| unreadable(file, "JSON", e.to_string()))?;
            emit(find_records(plan, ctx, text.into())?.rows(plan, ctx)?);
        }
        ResponseFormat::Jsonl => {
            lines::read(plan, ctx, file, open(file, "JSON Lines", body)?, emit)?;
        }
        ResponseFormat::Csv(csv) => table::read(plan, ctx, csv, open(file, "CSV", body)?, emit)?,
        ResponseFormat::ZipJsonl => members(plan, ctx, body, emit)?,
    }
    Ok(())
}

/// The files of an archive, one after the other.
fn members(plan: &PagePlan, ctx: &PageContext, body: impl Read + Seek, emit: &mut dyn FnMut(PageRows) -> bool) -> Result<()> {
    const FORM: &str = "zip archive";
    let mut archive =
        zip::ZipArchive::new(BufReader::with_capacity(BUFFER, body)).map_err(|e| unreadable(&ctx.file, FORM, e.to_string()))?;
    for index in 0..archive.len() {
        let member = archive.by_index(index).map_err(|e| unreadable(&ctx.file, FORM, format!("its file {}: {e}", index + 1)))?;
        if member.is_dir() {
            continue;
        }
        let name = member.name().map_or_else(|_| format!("file {}", index + 1), std::borrow::Cow::into_owned);
        let file = format!("{} {name}", ctx.file);
        if !lines::read(plan, ctx, &file, open(&file, "JSON Lines", member)?, emit)? {
            return Ok(());
        }
    }
    Ok(())
}

/// A body's text: unpacked, without a byte order mark.
fn open<'r>(file: &str, form: &'static str, body: impl Read + 'r) -> Result<Box<dyn Read + 'r>> {
    let failed = |e: std::io::Error| unreadable(file, form, e.to_string());
    let mut body = BufReader::with_capacity(BUFFER, body);
    let head = peek(&mut body, 2).map_err(failed)?;
    if head == [0x1f, 0x8b] {
        let mut text = MultiGzDecoder::new(BufReader::new(Cursor::new(head).chain(body)));
        let head = unmarked(peek(&mut text, 3).map_err(failed)?);
        return Ok(Box::new(Cursor::new(head).chain(text)));
    }
    let mut text = Cursor::new(head).chain(body);
    let head = unmarked(peek(&mut text, 3).map_err(failed)?);
    Ok(Box::new(Cursor::new(head).chain(text)))
}

/// The first bytes, fewer only where there are no more.
fn peek(reader: &mut impl Read, bytes: u64) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    reader.take(bytes).read_to_end(&mut head)?;
    Ok(head)
}

fn unmarked(head: Vec<u8>) -> Vec<u8> {
    if head == [0xef, 0xbb, 0xbf] { Vec::new() } else { head }
}

/// A whole gzipped body.
pub(super) fn unzipped(file: &str, body: &[u8], most: usize) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let limit = most as u64 + 1;
    let read = open(file, "gzipped text", body)?.take(limit).read_to_end(&mut text);
    read.map_err(|e| unreadable(file, "gzipped text", e.to_string()))?;
    if text.len() as u64 == limit {
        return Err(PageError::TooLarge { file: file.to_owned(), bytes: limit }.into());
    }
    Ok(text)
}

pub(super) fn unreadable(file: &str, form: &'static str, reason: String) -> PageError {
    PageError::Unreadable { file: file.to_owned(), form, reason }
}
