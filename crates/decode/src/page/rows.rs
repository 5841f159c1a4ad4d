//! From places to rows: converts the columns, adds the log's own, leaves out what can't be read.

use super::error::PageError;
use super::plan::{Origin, PageColumn, PagePlan};
use super::take::{Position, Taken};
use super::{PageContext, PageRows};
use crate::codec::Codec;
use crate::codec::cells::{Cell, Kind, Record};
use crate::codec::csv::Layout;
use crate::convert::{ColumnPlan, Problems, Source, arrow_type};
use crate::error::Result;
use crate::log::{DELETE, Meta, UPSERT};
use crate::reject::{Reason, Rejected, shown};
use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, UInt32Array, new_empty_array};
use arrow::compute::{filter_record_batch, take};
use arrow::datatypes::{DataType, Field, Schema};
use cscopilot_spec::connector::Drift;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A text whose records were taken.
pub(super) struct Text<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) codec: &'a Codec,
    pub(super) position: Position,
    /// Records that stand elsewhere in the text than in the answer: where they stand, and where they stood.
    pub(super) moved: &'a [(usize, usize)],
}

/// The rows of a text. `names` are those of the fields that no column reads.
pub(super) fn rows(plan: &PagePlan, ctx: &PageContext, file: &str, text: &Text<'_>, taken: Taken, names: &[String]) -> Result<PageRows> {
    let unknown_fields: BTreeSet<String> =
        names.iter().zip(&taken.unknown).filter(|(_, unknown)| **unknown).map(|(name, _)| name.clone()).collect();
    if plan.drift == Drift::Freeze && !unknown_fields.is_empty() {
        let fields: Vec<String> = unknown_fields.iter().map(|f| format!("`{f}`")).collect();
        return Err(PageError::NewFields { file: file.to_owned(), fields: fields.join(", ") }.into());
    }
    let count = taken.rows.len();
    let mut problems = Problems::new(count);
    check_encoding(text.bytes, &taken.rows, &mut problems);
    let source = Source { text: text.bytes, codec: text.codec };
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(plan.columns.len() + 8);
    for column in &plan.columns {
        let array = match column.origin {
            Origin::Record(slot) => column.plan.convert(&taken.cells[slot], &source, &mut problems)?,
            Origin::Request(position) => added(&column.plan, ctx.added.get(position).and_then(Option::as_deref), count)?,
        };
        check_null(column, &array, &taken.deletes, &mut problems);
        columns.push(array);
    }
    let rejected = rejected(text, &taken, &problems);
    columns.extend(meta(ctx, file, text, &taken));
    let mut fields: Vec<Arc<Field>> = plan.schema.fields().iter().cloned().collect();
    for (name, array) in kept(plan, text, &taken, names, &problems.bad) {
        fields.push(Arc::new(Field::new(name, DataType::Utf8, true)));
        columns.push(array);
    }
    let schema = if fields.len() == plan.schema.fields().len() { Arc::clone(&plan.schema) } else { Arc::new(Schema::new(fields)) };
    let mut batch = RecordBatch::try_new(schema, columns)?;
    if problems.bad.contains(&true) {
        let keep: Vec<bool> = problems.bad.iter().map(|bad| !bad).collect();
        batch = filter_record_batch(&batch, &BooleanArray::from(keep))?;
    }
    Ok(PageRows {
        batch,
        file: file.to_owned(),
        records: taken.records,
        filtered: taken.filtered,
        rejected,
        envelope: Vec::new(),
        last_id: taken.last_id.and_then(|id| text_of(id, text)),
        unknown_fields,
    })
}

/// A value of the request in every row.
fn added(column: &ColumnPlan, value: Option<&str>, count: usize) -> Result<ArrayRef> {
    if count == 0 {
        return Ok(new_empty_array(&arrow_type(column.kind)));
    }
    let cell = value.map_or(Cell::MISSING, |value| Cell::new(0, value.len(), Kind::Text));
    // Plain text: nothing in it is an escape.
    let codec = Codec::Csv(Layout { delimiter: b',', quote: None, fields: 1, wanted: Vec::new() });
    let source = Source { text: value.unwrap_or_default().as_bytes(), codec: &codec };
    let mut problems = Problems::new(1);
    let one = column.convert(&[cell], &source, &mut problems)?;
    if let Some(problem) = problems.list.first() {
        return Err(PageError::BadAdded { column: column.name.to_string(), reason: problem.detail.clone() }.into());
    }
    Ok(take(&one, &UInt32Array::from_value(0, count), None)?)
}

/// Rows without a value that they should have. Deletions need none: many APIs keep only the key of what is gone.
fn check_null(column: &PageColumn, array: &ArrayRef, deletes: &[bool], problems: &mut Problems) {
    if !column.not_null || array.null_count() == 0 {
        return;
    }
    for (row, deleted) in deletes.iter().enumerate() {
        if !deleted && array.is_null(row) {
            let name = &column.plan.name;
            problems.add(row, Reason::MissingValue, Some(name), format!("`{name}` has no value"));
        }
    }
}

/// Rows whose bytes are no text.
fn check_encoding(text: &[u8], rows: &[Record], problems: &mut Problems) {
    if std::str::from_utf8(text).is_ok() {
        return;
    }
    for (row, record) in rows.iter().enumerate() {
        let bytes = record.bytes(text);
        if let Err(e) = std::str::from_utf8(bytes) {
            let at = e.valid_up_to();
            let near = shown(&bytes[at.saturating_sub(10)..(at + 10).min(bytes.len())]);
            problems.add(row, Reason::InvalidEncoding, None, format!("byte {} of the record is no UTF-8, near {near}", at + 1));
        }
    }
}

fn rejected(text: &Text<'_>, taken: &Taken, problems: &Problems) -> Vec<Rejected> {
    let mut rejected = taken.rejected.clone();
    for problem in &problems.list {
        let record = taken.rows[problem.row];
        let start = record.start as usize;
        let start = text.moved.iter().find(|(now, _)| *now == start).map_or(start, |(_, then)| *then);
        let line = text.position.first_line + u64::from(record.line);
        let byte = text.position.offset + start as u64;
        let mut row = Rejected::new(problem.reason, problem.detail.clone(), record.bytes(text.bytes), line, byte);
        row.column = problem.column.clone();
        rejected.push(row);
    }
    rejected.sort_by_key(|r| (r.line, r.byte));
    rejected
}

/// The log's own columns.
fn meta(ctx: &PageContext, file: &str, text: &Text<'_>, taken: &Taken) -> [ArrayRef; 5] {
    let line = |record: &Record| i64::try_from(text.position.first_line + u64::from(record.line)).unwrap_or(i64::MAX);
    let lines = Int64Array::from_iter_values(taken.rows.iter().map(line));
    let meta = Meta { extracted_at_micros: ctx.extracted_at_micros, op: UPSERT, batch: &ctx.batch, file };
    let mut columns = meta.columns(lines);
    if taken.deletes.contains(&true) {
        let ops = taken.deletes.iter().map(|deleted| if *deleted { DELETE } else { UPSERT });
        columns[1] = Arc::new(StringArray::from_iter_values(ops));
    }
    columns
}

/// The fields that no column reads as columns of text, sorted by name.
fn kept(plan: &PagePlan, text: &Text<'_>, taken: &Taken, names: &[String], bad: &[bool]) -> Vec<(String, ArrayRef)> {
    let mut columns: BTreeMap<String, Vec<Option<Cow<'_, str>>>> = BTreeMap::new();
    for (row, field, cell) in &taken.kept {
        let column = columns.entry(column_name(plan, &names[*field])).or_insert_with(|| vec![None; taken.rows.len()]);
        if !bad[*row] {
            column[*row] = kept_text(*cell, text);
        }
    }
    columns.into_iter().map(|(name, values)| (name, Arc::new(values.into_iter().collect::<StringArray>()) as ArrayRef)).collect()
}

/// Text as it is, all else as JSON.
fn kept_text<'t>(cell: Cell, text: &Text<'t>) -> Option<Cow<'t, str>> {
    let bytes = match cell.kind() {
        Kind::Missing | Kind::Null => return None,
        Kind::Text | Kind::Escaped => text.codec.text(cell, text.bytes).unwrap_or(Cow::Borrowed(cell.bytes(text.bytes))),
        _ => Cow::Borrowed(cell.bytes(text.bytes)),
    };
    match bytes {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    }
}

/// The column of a field that no column reads. Tables allow fewer signs in names than JSON; the hash keeps names apart that become equal
/// without their signs (`$email` and `_email`), and declared columns keep theirs.
pub(super) fn column_name(plan: &PagePlan, field: &str) -> String {
    let plain: String = field.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    let taken = plan.schema.fields().iter().any(|f| f.name().eq_ignore_ascii_case(&plain));
    if plain == field && !taken && !plain.is_empty() {
        return plain;
    }
    format!("{plain}_{}", &blake3::hash(field.as_bytes()).to_hex()[..6])
}

/// A value as text; nothing where there is none.
pub(super) fn text_of(cell: Cell, text: &Text<'_>) -> Option<String> {
    match cell.kind() {
        Kind::Missing | Kind::Null | Kind::Composite => None,
        _ => kept_text(cell, text).map(Cow::into_owned),
    }
}
