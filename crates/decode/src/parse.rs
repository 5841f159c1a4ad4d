//! From a chunk of text to a batch of rows: the work that runs on all cores.

use crate::codec::Codec;
use crate::codec::cells::{Chunk, Scanned};
use crate::convert::{Problems, Source};
use crate::cursor::{CursorValue, Edge, advance, row_hash, value_at};
use crate::error::Result;
use crate::keys::key_hashes;
use crate::log::{Meta, UPSERT};
use crate::plan::RowPlan;
use crate::reject::{Reason, Rejected, shown};
use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::filter_record_batch;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// One file, as its rows name it.
#[derive(Debug)]
pub struct FileContext {
    /// Its path below the source's root: `_file`.
    pub key: String,
    /// What tells this content of the file from another: `_batch`.
    pub batch: String,
    /// How far it was read before, if its stream has a cursor.
    pub seen: Option<Seen>,
    /// The run's logical time, in microseconds since 1970: `_extracted_at`.
    pub extracted_at_micros: i64,
}

/// Rows of a file that were read before.
#[derive(Debug)]
pub struct Seen {
    value: CursorValue,
    /// Rows at the value that haven't been met again yet.
    rows: Mutex<BTreeMap<u64, u32>>,
}

impl Seen {
    /// All rows below an edge, and those at it.
    #[must_use]
    pub fn new(edge: &Edge) -> Self {
        Self { value: edge.value.clone(), rows: Mutex::new(edge.rows.clone()) }
    }

    fn was_read(&self, value: &CursorValue, row: impl FnOnce() -> u64) -> bool {
        if *value != self.value {
            return *value < self.value;
        }
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        match rows.get_mut(&row()) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }
}

/// The rows of one chunk of a file.
#[derive(Debug)]
pub struct Parsed {
    /// The number of the file.
    pub file: usize,
    /// Sound and new rows, in the schema of [`RowPlan::schema`].
    pub batch: RecordBatch,
    /// All records, sound or not, new or not.
    pub records: u64,
    /// Sound ones that were read before.
    pub known: u64,
    /// Records that can't be read, in the order of the file.
    pub rejected: Vec<Rejected>,
    /// The highest cursor value, where the stream has a cursor.
    pub edge: Option<Edge>,
    /// Row by row the hash of [`RowPlan::row_key`]; empty where the stream has no key.
    pub keys: Vec<u64>,
    /// Column by column whether any record had it.
    pub present: Vec<bool>,
}

/// Splits, converts and checks the records of a chunk.
pub(crate) fn parse_chunk(plan: &RowPlan, codec: &Codec, file: &FileContext, chunk: &Chunk) -> Result<Parsed> {
    if chunk.too_long {
        return too_long(plan, file, chunk);
    }
    let scanned = codec.scan(chunk);
    let mut problems = Problems::new(scanned.records.len());
    check_encoding(plan, chunk, &scanned, &mut problems);
    let source = Source { text: &chunk.text, codec };
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(plan.schema.fields().len());
    for (column, cells) in plan.columns.iter().zip(&scanned.cells) {
        columns.push(column.convert(cells, &source, &mut problems)?);
    }
    let mut rejected = scanned.rejected;
    let records = scanned.records.len() as u64 + rejected.len() as u64;
    for problem in &problems.list {
        let record = scanned.records[problem.row];
        let mut row = Rejected::new(
            problem.reason,
            problem.detail.clone(),
            record.bytes(&chunk.text),
            chunk.first_line + u64::from(record.line),
            chunk.offset + u64::from(record.start),
        );
        row.column = problem.column.clone();
        rejected.push(row);
    }
    rejected.sort_by_key(|r| r.byte);
    let lines = scanned.records.iter().map(|r| i64::try_from(chunk.first_line + u64::from(r.line)).unwrap_or(i64::MAX));
    let lines = Int64Array::from_iter_values(lines);
    let present = scanned.cells.iter().map(|cells| cells.iter().any(|c| c.kind() != crate::codec::cells::Kind::Missing)).collect();
    let text_of = |row: usize| row_hash(scanned.records[row].bytes(&chunk.text));
    let rows = Rows { columns, lines, bad: problems.bad };
    finish(plan, file, chunk.file, rows, text_of, Counted { records, rejected, present })
}

/// The declared columns of some records, and which of the records are unsound.
pub(crate) struct Rows {
    pub(crate) columns: Vec<ArrayRef>,
    pub(crate) lines: Int64Array,
    pub(crate) bad: Vec<bool>,
}

/// What was counted while splitting and converting.
pub(crate) struct Counted {
    pub(crate) records: u64,
    pub(crate) rejected: Vec<Rejected>,
    pub(crate) present: Vec<bool>,
}

/// Adds the log's own columns, and leaves out rows that are unsound or were read before.
pub(crate) fn finish(
    plan: &RowPlan,
    file: &FileContext,
    index: usize,
    rows: Rows,
    text_of: impl Fn(usize) -> u64,
    counted: Counted,
) -> Result<Parsed> {
    let Rows { mut columns, lines, bad } = rows;
    let count = bad.len();
    let mut keep: Vec<bool> = bad.iter().map(|bad| !bad).collect();
    let mut edge: Option<Edge> = None;
    let mut known = 0;
    if let Some(cursor) = plan.cursor {
        let array = Arc::clone(&columns[cursor]);
        let values: Vec<Option<CursorValue>> = (0..count).map(|row| value_at(&array, row).filter(|_| keep[row])).collect();
        // Rows are hashed only where that matters: at the highest value, here and in what was read before.
        let highest = values.iter().flatten().max();
        for (row, value) in values.iter().enumerate() {
            let Some(value) = value else { continue };
            if file.seen.as_ref().is_some_and(|seen| seen.was_read(value, || text_of(row))) {
                keep[row] = false;
                known += 1;
            }
            if Some(value) == highest {
                advance(&mut edge, value.clone(), || text_of(row));
            }
        }
    }
    let meta = Meta { extracted_at_micros: file.extracted_at_micros, op: UPSERT, batch: &file.batch, file: &file.key };
    columns.extend(meta.columns(lines));
    let mut batch = RecordBatch::try_new(Arc::clone(&plan.schema), columns)?;
    if keep.contains(&false) {
        batch = filter_record_batch(&batch, &BooleanArray::from(keep))?;
    }
    let keys = if plan.primary_key.is_empty() { Vec::new() } else { key_hashes(&batch, &plan.row_key()) };
    let Counted { records, rejected, present } = counted;
    Ok(Parsed { file: index, batch, records, known, rejected, edge, keys, present })
}

/// Rows whose text is not in the declared encoding.
fn check_encoding(plan: &RowPlan, chunk: &Chunk, scanned: &Scanned, problems: &mut Problems) {
    let utf8 = plan.encoding == encoding_rs::UTF_8;
    let replaced = memchr::memmem::Finder::new("\u{fffd}");
    let sound = std::str::from_utf8(&chunk.text).is_ok() && (utf8 || replaced.find(&chunk.text).is_none());
    if sound {
        return;
    }
    for (row, record) in scanned.records.iter().enumerate() {
        let text = record.bytes(&chunk.text);
        match std::str::from_utf8(text) {
            Err(e) => {
                let near = shown(&text[e.valid_up_to().saturating_sub(10)..(e.valid_up_to() + 10).min(text.len())]);
                problems.add(
                    row,
                    Reason::InvalidEncoding,
                    None,
                    format!("byte {} of the record is no UTF-8, near {near}", e.valid_up_to() + 1),
                );
            }
            Ok(_) if !utf8 && replaced.find(text).is_some() => {
                let detail = format!("some bytes of the record are no {}", plan.encoding.name());
                problems.add(row, Reason::InvalidEncoding, None, detail);
            }
            Ok(_) => {}
        }
    }
}

fn too_long(plan: &RowPlan, file: &FileContext, chunk: &Chunk) -> Result<Parsed> {
    let rejected = Rejected::new(Reason::TooLong, "the record is longer than 32 MiB", &chunk.text, chunk.first_line, chunk.offset);
    let columns = plan.columns.iter().map(|c| arrow::array::new_empty_array(&crate::convert::arrow_type(c.kind))).collect();
    let rows = Rows { columns, lines: Int64Array::from(Vec::<i64>::new()), bad: Vec::new() };
    let counted = Counted { records: 1, rejected: vec![rejected], present: vec![false; plan.columns.len()] };
    finish(plan, file, chunk.file, rows, |_| 0, counted)
}
