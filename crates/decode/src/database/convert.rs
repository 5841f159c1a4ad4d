//! From a piece to typed columns: the work that runs on all cores.

use super::Rows;
use super::arrow_rows;
use super::cells::{CellRows, codec};
use super::copy_text;
use crate::convert::{ColumnPlan, Problems, Source};
use crate::error::Result;
use crate::keys::{hashes_of, key_hashes};
use crate::log::UPSERT;
use crate::plan::RowPlan;
use crate::reject::{Reason, Rejected};
use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Schema, SchemaRef};
use std::sync::Arc;

/// The rows of a piece.
#[derive(Debug)]
pub struct Converted {
    /// The declared columns of the sound rows.
    pub batch: RecordBatch,
    /// The others. Their line is their number in the piece, from 1.
    pub rejected: Vec<Rejected>,
    /// All rows, sound or not.
    pub records: u64,
    /// What sound rows are known by, where that was asked for.
    pub hashes: Option<RowHashes>,
    /// How many rows repeat the key of the row before them.
    pub repeated_keys: u64,
    /// The first and the last row's key, by which pieces are joined.
    pub edges: Option<(u64, u64)>,
    /// Keys of rows that were rejected for something else.
    pub rejected_keys: Vec<u64>,
    /// Whether a rejected row has a key that can't be read.
    pub lost_keys: bool,
}

/// What rows are known by.
#[derive(Debug)]
pub struct RowHashes {
    /// By the primary key; by all columns where there is none.
    pub keys: Vec<u64>,
    /// By all columns and `_op`, as [`crate::Hashing`] hashes rows of the log.
    pub rows: Vec<u64>,
}

/// Some records column by column, and what is wrong with them.
pub(crate) struct Typed {
    /// In the order of the plan.
    pub(crate) columns: Vec<ArrayRef>,
    pub(crate) problems: Problems,
    /// The text of a record.
    pub(crate) raw: Vec<(usize, Vec<u8>)>,
}

/// The schema of the declared columns alone.
fn declared(plan: &RowPlan) -> SchemaRef {
    let fields: Vec<_> = plan.schema.fields().iter().take(plan.columns.len()).cloned().collect();
    Arc::new(Schema::new(fields))
}

/// The order in which columns are converted: the key first, so that a row that fails elsewhere still has it.
pub(crate) fn key_first(plan: &RowPlan) -> Vec<usize> {
    let others = (0..plan.columns.len()).filter(|column| !plan.primary_key.contains(column));
    plan.primary_key.iter().copied().chain(others).collect()
}

/// Converts and checks some rows; `hashed` asks for what they are known by.
///
/// # Errors
/// [`crate::Error::ValueCount`]; [`crate::Error::Arrow`], where a batch can't be built. Rows that can't be read are rejected, not errors.
pub fn convert(plan: &RowPlan, hashed: bool, rows: Rows) -> Result<Converted> {
    let (typed, mut rejected) = match rows {
        Rows::Copy(lines) => cells(plan, copy_text::scan(lines, plan.columns.len())?)?,
        Rows::Cells(rows) => cells(plan, rows)?,
        Rows::Batch(batch) => (arrow_rows::typed(plan, &batch)?, Vec::new()),
    };
    let Typed { columns, problems, raw } = typed;
    let records = (problems.bad.len() + rejected.len()) as u64;
    let all = RecordBatch::try_new(declared(plan), columns)?;
    // A record that is not even text has no key that could be read.
    let mut lost_keys = !rejected.is_empty() || problems.list.iter().any(|p| p.reason == Reason::InvalidEncoding);
    for (problem, (row, text)) in problems.list.iter().zip(&raw) {
        let mut reject = Rejected::new(problem.reason, problem.detail.clone(), text, *row as u64 + 1, 0);
        reject.column = problem.column.clone();
        lost_keys |= problem.column.as_ref().is_some_and(|name| plan.primary_key.iter().any(|key| plan.columns[*key].name == *name));
        rejected.push(reject);
    }
    rejected.sort_by_key(|r| r.line);
    let mut rejected_keys = Vec::new();
    let mut batch = all;
    if !problems.list.is_empty() {
        if !plan.primary_key.is_empty() {
            let bad = filter_record_batch(&batch, &BooleanArray::from(problems.bad.clone()))?;
            rejected_keys = key_hashes(&bad, &plan.primary_key);
        }
        let sound: Vec<bool> = problems.bad.iter().map(|bad| !bad).collect();
        batch = filter_record_batch(&batch, &BooleanArray::from(sound))?;
    }
    let hashes = hashed.then(|| hashes(plan, &batch));
    let (repeated_keys, edges) = repetitions(plan, &batch);
    Ok(Converted { batch, rejected, records, hashes, repeated_keys, edges, rejected_keys, lost_keys })
}

/// What rows are known by.
fn hashes(plan: &RowPlan, batch: &RecordBatch) -> RowHashes {
    let all: Vec<usize> = (0..plan.columns.len()).collect();
    let keys = key_hashes(batch, if plan.primary_key.is_empty() { &all } else { &plan.primary_key });
    // As rows of the log are hashed, so that a row that comes back is not taken for its own deletion.
    let ops: ArrayRef = Arc::new(StringArray::from_iter_values(std::iter::repeat_n(UPSERT, batch.num_rows())));
    RowHashes { keys, rows: hashes_of(batch.num_rows(), batch.columns().iter().chain([&ops]).map(Some)) }
}

/// Rows come in the order of their keys, so equal ones stand together.
fn repetitions(plan: &RowPlan, batch: &RecordBatch) -> (u64, Option<(u64, u64)>) {
    let key = plan.row_key();
    if key.is_empty() {
        return (0, None);
    }
    let hashes = key_hashes(batch, &key);
    let repeated = hashes.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64;
    (repeated, hashes.first().copied().zip(hashes.last().copied()))
}

/// A text as a value of a column, in an array of one row: NULL where it is none.
///
/// # Errors
/// [`crate::Error::Arrow`], where an array can't be built.
pub fn value(column: &ColumnPlan, text: &str) -> Result<ArrayRef> {
    let mut cells = CellRows::new(1);
    cells.value(Some(text.as_bytes()));
    cells.end_row();
    let codec = codec();
    Ok(column.convert(&cells.cells[0], &Source { text: &cells.text, codec: &codec }, &mut Problems::new(1))?)
}

/// Text cells as typed columns.
fn cells(plan: &RowPlan, rows: CellRows) -> Result<(Typed, Vec<Rejected>)> {
    let CellRows { text, records, cells, rejected, .. } = rows;
    let mut problems = Problems::new(records.len());
    if std::str::from_utf8(&text).is_err() {
        for (row, record) in records.iter().enumerate() {
            // Values that had escapes stand elsewhere, so the cells are what counts.
            let broken = cells.iter().position(|column| std::str::from_utf8(column[row].bytes(&text)).is_err());
            if let Some(column) = broken {
                let name = &plan.columns[column].name;
                problems.add(row, Reason::InvalidEncoding, Some(name), format!("`{name}` holds bytes that are no UTF-8"));
            } else {
                debug_assert!(std::str::from_utf8(record.bytes(&text)).is_ok());
            }
        }
    }
    let codec = codec();
    let source = Source { text: &text, codec: &codec };
    let mut columns: Vec<Option<ArrayRef>> = vec![None; plan.columns.len()];
    for column in key_first(plan) {
        columns[column] = Some(plan.columns[column].convert(&cells[column], &source, &mut problems)?);
    }
    let raw = problems.list.iter().map(|p| (p.row, records[p.row].bytes(&text).to_vec())).collect();
    Ok((Typed { columns: columns.into_iter().flatten().collect(), problems, raw }, rejected))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cscopilot_spec::At;
    use cscopilot_spec::source::{CsvFormat, Format, Source as SourceSpec, Stream};

    fn plan() -> RowPlan {
        let yaml = "version: 1\ndatabase: {sqlite: {path: x}}\nstreams:\n  s:\n    table: t\n    columns:\n      n: {type: int}\n      id: {type: string}\n    primary_key: [id]\n";
        let source: SourceSpec = cscopilot_spec::parse("x.yaml", &Arc::from(yaml), yaml, 0).unwrap();
        let format = Format::Csv(CsvFormat { null_values: Vec::new(), ..CsvFormat::default() });
        RowPlan::new(&Stream { format: Some(At::nowhere(format)), ..source.streams.get("s").unwrap().clone() }).unwrap()
    }

    fn converted(hashed: bool, lines: &[u8]) -> Converted {
        convert(&plan(), hashed, Rows::Copy(lines.to_vec())).unwrap()
    }

    #[test]
    fn a_row_that_fails_elsewhere_still_has_its_key() {
        let sound = converted(true, b"1\ta\n2\tb\n");
        let broken = converted(true, b"x\ta\n2\tb\n");
        assert_eq!(broken.rejected_keys, [sound.hashes.unwrap().keys[0]]);
        assert_eq!((broken.batch.num_rows(), broken.records, broken.lost_keys), (1, 2, false));
        assert_eq!((broken.rejected[0].raw.as_str(), broken.rejected[0].line), ("x\ta", 1));
    }

    #[test]
    fn a_key_that_is_no_text_is_lost() {
        let broken = converted(false, b"1\t\xff\n");
        assert!(broken.lost_keys);
        assert_eq!(broken.rejected[0].reason, Reason::InvalidEncoding);
        assert!(converted(false, b"1\t\\N\n").lost_keys);
    }

    #[test]
    fn rows_are_hashed_as_those_of_the_log() {
        let rows = converted(true, b"1\ta\n2\tb\n");
        let ops: ArrayRef = Arc::new(StringArray::from(vec!["upsert", "delete"]));
        let columns = [("id", rows.batch.column(1)), ("n", rows.batch.column(0)), ("_op", &ops)];
        let log = RecordBatch::try_from_iter(columns.map(|(name, column)| (name, Arc::clone(column)))).unwrap();
        let (log, rows) = (crate::Hashing::new(&["n".to_owned(), "id".to_owned()], &[1]).rows(&log), rows.hashes.unwrap().rows);
        assert!(log[0] == rows[0] && log[1] != rows[1]);
    }

    #[test]
    fn null_and_nothing_are_different_rows() {
        let hashes = |lines: &[u8]| converted(true, lines).hashes.unwrap().rows[0];
        assert_ne!(hashes(b"\\N\ta\n"), hashes(b"0\ta\n"));
    }

    #[test]
    fn equal_keys_stand_together() {
        let converted = converted(false, b"1\ta\n2\ta\n3\tb\n");
        assert_eq!(converted.repeated_keys, 1);
    }
}
