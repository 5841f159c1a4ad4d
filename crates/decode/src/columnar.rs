//! Parquet files and Arrow batches of databases: columns become those of the declaration; a value that its type can't hold rejects its row.

use crate::codec::Codec;
use crate::codec::cells::{Cell, Kind, MAX_TEXT_BYTES};
use crate::codec::csv::Layout;
use crate::convert::{ColumnPlan, Problems, Source, arrow_type};
use crate::cursor::row_hash;
use crate::error::{Error, Result};
use crate::parse::{Counted, FileContext, Parsed, Rows, finish};
use crate::plan::RowPlan;
use crate::reject::{Reason, Rejected, shown};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, new_null_array};
use arrow::compute::kernels::cmp::not_distinct;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bytes::Bytes;
use cscopilot_spec::source::ColumnType;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::reader::ChunkReader;
use std::sync::Arc;

const BATCH_ROWS: usize = 64 * 1024;

/// The bytes of a Parquet file.
#[derive(Debug)]
pub enum ParquetInput {
    /// On disk.
    File(std::fs::File),
    /// In memory.
    Bytes(Bytes),
}

/// Reads one Parquet file, handing each batch to `send`, which says whether to go on. `index` is its number among those that are read.
///
/// # Errors
/// [`Error::Parquet`], [`Error::NoColumn`]. Values that their type can't hold reject their row, they are no errors.
pub fn read_parquet(
    plan: &RowPlan,
    context: &FileContext,
    index: usize,
    input: ParquetInput,
    send: &mut dyn FnMut(Parsed) -> bool,
) -> Result<()> {
    match input {
        ParquetInput::File(file) => batches(plan, context, index, file, send),
        ParquetInput::Bytes(bytes) => batches(plan, context, index, bytes, send),
    }
}

fn batches(
    plan: &RowPlan,
    context: &FileContext,
    index: usize,
    input: impl ChunkReader + 'static,
    send: &mut dyn FnMut(Parsed) -> bool,
) -> Result<()> {
    let bad = |reason: String| Error::Parquet { path: context.key.clone(), reason };
    let builder = ParquetRecordBatchReaderBuilder::try_new(input).map_err(|e| bad(e.to_string()))?;
    let wanted = bind(plan, &context.key, builder.schema())?;
    let roots: Vec<usize> = wanted.iter().flatten().copied().collect();
    let mask = parquet::arrow::ProjectionMask::roots(builder.parquet_schema(), roots.iter().copied());
    let reader: ParquetRecordBatchReader =
        builder.with_projection(mask).with_batch_size(BATCH_ROWS).build().map_err(|e| bad(e.to_string()))?;
    let mut first_row: u64 = 1;
    for batch in reader {
        let batch = batch.map_err(|e| bad(e.to_string()))?;
        let rows = batch.num_rows() as u64;
        let parsed = convert(plan, index, context, &batch, first_row)?;
        first_row += rows;
        if !send(parsed) {
            break;
        }
    }
    Ok(())
}

/// Column by column its index in the file.
fn bind(plan: &RowPlan, key: &str, schema: &SchemaRef) -> Result<Vec<Option<usize>>> {
    let found: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
    plan.columns
        .iter()
        .map(|column| match schema.index_of(&column.from) {
            Ok(index) => Ok(Some(index)),
            Err(_) if column.optional => Ok(None),
            Err(_) => Err(Error::no_column(key, &column.from, &found)),
        })
        .collect()
}

fn convert(plan: &RowPlan, index: usize, context: &FileContext, batch: &RecordBatch, first_row: u64) -> Result<Parsed> {
    let rows = batch.num_rows();
    let mut problems = Problems::new(rows);
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(plan.schema.fields().len());
    let mut present = Vec::with_capacity(plan.columns.len());
    for column in &plan.columns {
        let input = batch.column_by_name(&column.from);
        present.push(input.is_some());
        let array = match input {
            Some(array) => cast(column, array, &mut problems)?,
            None => new_null_array(&arrow_type(column.kind), rows),
        };
        if column.needs_value && array.null_count() > 0 {
            for row in (0..rows).filter(|row| array.is_null(*row)) {
                problems.add(row, Reason::MissingValue, Some(&column.name), format!("`{}` has no value", column.name));
            }
        }
        columns.push(array);
    }
    let text = RowText::new(batch)?;
    let mut rejected: Vec<Rejected> = problems
        .list
        .iter()
        .map(|problem| {
            let line = first_row + problem.row as u64;
            let mut row = Rejected::new(problem.reason, problem.detail.clone(), text.of(problem.row).as_bytes(), line, 0);
            row.column = problem.column.clone();
            row
        })
        .collect();
    rejected.sort_by_key(|r| r.line);
    let first = i64::try_from(first_row).unwrap_or(i64::MAX);
    let lines = Int64Array::from_iter_values((0..).map(|n| first + n).take(rows));
    let counted = Counted { records: rows as u64, rejected, present };
    let rows = Rows { columns, lines, bad: problems.bad };
    finish(plan, context, index, rows, |row| row_hash(text.of(row).as_bytes()), counted)
}

/// A column as its declared type; a value that it can't hold becomes a problem of its row.
pub(crate) fn cast(column: &ColumnPlan, array: &ArrayRef, problems: &mut Problems) -> Result<ArrayRef> {
    let target = arrow_type(column.kind);
    let is_plain_text = column.kind == ColumnType::String && column.null_values.is_empty() && !column.trim;
    if *array.data_type() == target && (target != DataType::Utf8 || is_plain_text) {
        return Ok(Arc::clone(array));
    }
    if goes_by_text(column.kind, array.data_type()) {
        return by_text(column, array, problems);
    }
    // Instants without a zone are in the column's zone, or in UTC.
    let local;
    let mut source = array;
    let options = CastOptions { safe: true, ..CastOptions::default() };
    if let (DataType::Timestamp(unit, None), ColumnType::Timestamp) = (array.data_type(), column.kind) {
        let zone = column.zone.map_or_else(|| "UTC".to_owned(), |z| z.to_string());
        local = cast_with_options(array, &DataType::Timestamp(*unit, Some(zone.into())), &options)?;
        source = &local;
    }
    let cast = cast_with_options(source, &target, &options)?;
    let exact = if column.round { None } else { exact(source, &cast)? };
    let formatter = ArrayFormatter::try_new(array.as_ref(), &FormatOptions::default())?;
    for row in 0..array.len() {
        if !array.is_null(row) && (cast.is_null(row) || exact.as_ref().is_some_and(|e| !e.value(row))) {
            let value = formatter.value(row).to_string();
            problems.add(
                row,
                Reason::BadValue,
                Some(&column.name),
                format!("{} is no {} (the file has {})", shown(value.as_bytes()), column.kind, array.data_type()),
            );
        }
    }
    Ok(cast)
}

/// Whether values are read by the declaration's rules, as in a file of text: text is, and so is a number that a cast would misread. A number
/// is no instant without a `format`, any number would be a truth, and a float would be rounded to a decimal without a word.
fn goes_by_text(kind: ColumnType, from: &DataType) -> bool {
    let is_text = match from {
        DataType::Dictionary(_, value) => value.is_string(),
        from => from.is_string(),
    };
    let is_misread = match kind {
        ColumnType::Bool | ColumnType::Date | ColumnType::Timestamp => from.is_numeric(),
        ColumnType::Decimal(_, _) => from.is_floating(),
        _ => false,
    };
    is_text || is_misread
}

fn by_text(column: &ColumnPlan, array: &ArrayRef, problems: &mut Problems) -> Result<ArrayRef> {
    let kind = if array.data_type().is_numeric() { Kind::Number } else { Kind::Text };
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let text = cast_with_options(array, &DataType::Utf8, &strict)?;
    let text = text.as_string::<i32>();
    let mut cells = Vec::with_capacity(text.len());
    for (row, ends) in text.value_offsets().windows(2).enumerate() {
        let (start, end) = (ends[0] as usize, ends[1] as usize);
        if end - start > MAX_TEXT_BYTES {
            problems.add(row, Reason::TooLong, Some(&column.name), format!("a value has {} bytes", end - start));
        }
        let is_there = text.is_valid(row) && end - start <= MAX_TEXT_BYTES;
        cells.push(if is_there { Cell::new(start, end, kind) } else { Cell::MISSING });
    }
    // Nothing in it is an escape.
    let codec = Codec::Csv(Layout { delimiter: b'\t', quote: None, fields: 1, wanted: Vec::new() });
    Ok(column.convert(&cells, &Source { text: text.value_data(), codec: &codec }, problems)?)
}

/// For casts that cut off what doesn't fit (a fraction, a time of day): row by row whether nothing was cut.
fn exact(source: &ArrayRef, cast: &ArrayRef) -> Result<Option<BooleanArray>> {
    let may_cut = match (source.data_type(), cast.data_type()) {
        (from, DataType::Int64) => from.is_floating() || from.is_decimal(),
        (DataType::Decimal128(_, from) | DataType::Decimal256(_, from), DataType::Decimal128(_, to)) => from > to,
        (DataType::Timestamp(_, _), DataType::Date32) => true,
        _ => false,
    };
    if !may_cut {
        return Ok(None);
    }
    let back = cast_with_options(cast, source.data_type(), &CastOptions { safe: true, ..CastOptions::default() })?;
    Ok(Some(not_distinct(source, &back)?))
}

/// Rows as text, for the table of rejected ones.
pub(crate) struct RowText<'a> {
    columns: Vec<(&'a str, ArrayFormatter<'a>)>,
}

impl<'a> RowText<'a> {
    pub(crate) fn new(batch: &'a RecordBatch) -> Result<Self> {
        const OPTIONS: FormatOptions<'static> = FormatOptions::new().with_null("null");
        let mut columns = Vec::new();
        for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            columns.push((field.name().as_str(), ArrayFormatter::try_new(array.as_ref(), &OPTIONS)?));
        }
        Ok(Self { columns })
    }

    pub(crate) fn of(&self, row: usize) -> String {
        let parts: Vec<String> = self.columns.iter().map(|(name, f)| format!("{name}={}", f.value(row))).collect();
        parts.join(", ")
    }
}

#[cfg(test)]
mod tests;
