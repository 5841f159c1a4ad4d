//! Rows that the raw table has already, so that reading a row again doesn't add it again.
//!
//! A read with a cursor starts a little before the last one's end, and a read without one starts from the beginning. Rows are compared by
//! 64-bit hashes, of which 32 bytes a key are held in memory: of the rows beyond the cursor's start, or of all.

use super::convert::{declared, hashes, known_by};
use super::request::Request;
use super::state::State;
use crate::convert::{Problems, Source};
use crate::cursor::row_hash;
use crate::error::{Error, Result};
use crate::keys::key_hashes;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Int64Type, SchemaRef, TimestampMicrosecondType};
use chrono::{DateTime, NaiveDate, TimeDelta};
use cscopilot_lake::{Lake, Params, TableInfo, Value};
use futures::{Stream, TryStreamExt};
use std::collections::BTreeMap;

/// What the raw table has.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Sorted by key.
    entries: Vec<Entry>,
    /// Whether the stream has a key; else rows are told apart by all their columns.
    by_key: bool,
    /// Texts of rejected rows, by hash, and whether the window that they were rejected in was committed.
    rejected: BTreeMap<u64, bool>,
    /// Whether any row of the table may be met again.
    pub(crate) any: bool,
}

/// One key; or, in a stream without a key, all equal rows.
#[derive(Debug, Clone, Copy)]
struct Entry {
    key: u64,
    row: u64,
    line: i64,
    /// How many rows there are: with a key 1, or 0 where the latest is a deletion.
    live: i32,
    met: i32,
}

impl Known {
    /// Reads what the table has of what the request may give again.
    pub(crate) async fn load(lake: &Lake, request: &Request, stored: &TableInfo, state: &State) -> Result<Self> {
        let by_key = !request.plan.primary_key.is_empty();
        let mut known = Self { any: stored.rows != Some(0), by_key, ..Self::default() };
        let (condition, params) = since(request)?;
        let mut rows = Box::pin(log(lake, request, stored, &condition, params).await?);
        while let Some(part) = rows.try_next().await? {
            let found = hashes(&request.plan, &part.batch);
            for (row, (key, hash)) in found.keys.into_iter().zip(found.rows).enumerate() {
                let delete = part.is_delete(row);
                let live = if by_key { i32::from(!delete) } else { 1 - 2 * i32::from(delete) };
                known.entries.push(Entry { key, row: hash, line: part.lines[row], live, met: 0 });
            }
        }
        known.entries.sort_unstable_by_key(|e| (e.key, e.line));
        known.entries.dedup_by(|later, kept| {
            let same = later.key == kept.key;
            if same {
                // The latest version of a key counts; of equal rows their number.
                let live = if by_key { later.live } else { kept.live + later.live };
                *kept = Entry { live, ..*later };
            }
            same
        });
        known.entries.shrink_to_fit();
        known.rejected = rejected(lake, request, state).await?;
        Ok(known)
    }

    /// Whether the table has this very row as the latest of its key. Notes that the row was met.
    pub(crate) fn meet(&mut self, key: u64, row: u64) -> bool {
        let Ok(at) = self.entries.binary_search_by_key(&key, |e| e.key) else { return false };
        let entry = &mut self.entries[at];
        entry.met += 1;
        if self.by_key { entry.live > 0 && entry.row == row } else { entry.met <= entry.live }
    }

    /// Notes that a row with this key is there, although it could not be read.
    pub(crate) fn spare(&mut self, key: u64) {
        if let Ok(at) = self.entries.binary_search_by_key(&key, |e| e.key) {
            self.entries[at].met += 1;
        }
    }

    /// Whether a row was rejected before, by its text, and if so, whether a run has told so: a run that died before its commit has not.
    pub(crate) fn was_rejected(&mut self, raw: &str) -> Option<bool> {
        self.rejected.insert(row_hash(raw.as_bytes()), true)
    }

    /// The rows of the table that a complete read didn't meet, as they were.
    pub(crate) async fn vanished(
        &self,
        lake: &Lake,
        request: &Request,
        stored: &TableInfo,
    ) -> Result<Option<impl Stream<Item = Result<RecordBatch>> + use<>>> {
        let mut gone: BTreeMap<u64, i32> = BTreeMap::new();
        for entry in self.entries.iter().filter(|e| e.live > e.met) {
            gone.insert(entry.key, entry.live - entry.met);
        }
        if gone.is_empty() {
            return Ok(None);
        }
        // Of a key only the latest row; of equal rows any.
        let lines: Option<BTreeMap<u64, i64>> = (!request.plan.primary_key.is_empty())
            .then(|| self.entries.iter().filter(|e| gone.contains_key(&e.key)).map(|e| (e.key, e.line)).collect());
        let key = known_by(&request.plan);
        let rows = log(lake, request, stored, "", Params::new()).await?;
        Ok(Some(rows.try_filter_map(move |part| {
            let picked = pick(&part, &key, &mut gone, lines.as_ref());
            std::future::ready(picked)
        })))
    }
}

/// The rows of a part of the log that have vanished.
fn pick(part: &Part, key: &[usize], gone: &mut BTreeMap<u64, i32>, lines: Option<&BTreeMap<u64, i64>>) -> Result<Option<RecordBatch>> {
    let keys = key_hashes(&part.batch, key);
    let mut keep = vec![false; keys.len()];
    for (row, key) in keys.iter().enumerate() {
        let Some(left) = gone.get_mut(key) else { continue };
        let right = match lines {
            Some(lines) => lines.get(key) == Some(&part.lines[row]),
            None => !part.is_delete(row) && *left > 0,
        };
        if right {
            *left -= 1;
            keep[row] = true;
        }
    }
    if !keep.contains(&true) {
        return Ok(None);
    }
    Ok(Some(arrow::compute::filter_record_batch(&part.batch, &keep.into())?))
}

/// Rows of the log: the declared columns, and what the log says of them.
struct Part {
    batch: RecordBatch,
    lines: Vec<i64>,
    ops: ArrayRef,
}

impl Part {
    fn is_delete(&self, row: usize) -> bool {
        self.ops.as_string::<i32>().value(row) == "delete"
    }
}

/// Reads the log.
async fn log(
    lake: &Lake,
    request: &Request,
    stored: &TableInfo,
    condition: &str,
    params: Params,
) -> Result<impl Stream<Item = Result<Part>> + use<>> {
    let schema = declared(&request.plan);
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    // A column that was declared later is NULL in all rows that are there.
    let there = schema.fields().iter().filter(|f| stored.schema.field_with_name(f.name()).is_ok());
    let mut columns: Vec<String> = there.map(|f| quoted(f.name())).collect();
    columns.extend(["_op", "_line"].map(quoted));
    let sql = format!("SELECT {} FROM {} {condition}", columns.join(", "), request.plan.table);
    let table = request.plan.table.to_string();
    let rows = lake.stream(&sql, &params).await?;
    Ok(rows
        .map_err(move |e| Error::Task(format!("{table} can't be read: {e}")))
        .and_then(move |batch| std::future::ready(part(&schema, &batch))))
}

fn part(schema: &SchemaRef, batch: &RecordBatch) -> Result<Part> {
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        columns.push(match batch.column_by_name(field.name()) {
            Some(column) => cast(column, field.data_type())?,
            None => new_null_array(field.data_type(), batch.num_rows()),
        });
    }
    let lost = |name: &str| Error::Task(format!("the log has no column {name}"));
    let ops = cast(batch.column_by_name("_op").ok_or_else(|| lost("_op"))?, &DataType::Utf8)?;
    let lines = cast(batch.column_by_name("_line").ok_or_else(|| lost("_line"))?, &DataType::Int64)?;
    let lines = lines.as_primitive::<Int64Type>().values().to_vec();
    Ok(Part { batch: RecordBatch::try_new(schema.clone(), columns)?, lines, ops })
}

/// Which rows of the log may be met again: those at the cursor's start and beyond. All where that can't be said in SQL.
fn since(request: &Request) -> Result<(String, Params)> {
    let all = || (String::new(), Params::new());
    let (Some(cursor), Some(after)) = (request.plan.cursor, &request.after) else { return Ok(all()) };
    let column = &request.plan.columns[cursor];
    let mut cells = super::cells::CellRows::new(1);
    cells.value(Some(after.text().as_bytes()));
    cells.end_row();
    let codec = super::cells::codec();
    let array = column.convert(&cells.cells[0], &Source { text: &cells.text, codec: &codec }, &mut Problems::new(1))?;
    let back = TimeDelta::seconds(i64::try_from(request.lookback_secs).unwrap_or(0));
    let value = match array.data_type() {
        _ if array.is_empty() || array.is_null(0) => None,
        DataType::Timestamp(_, _) => DateTime::from_timestamp_micros(array.as_primitive::<TimestampMicrosecondType>().value(0))
            .and_then(|at| at.checked_sub_signed(back))
            .map(Value::Timestamp),
        DataType::Date32 => NaiveDate::default()
            .checked_add_signed(TimeDelta::days(array.as_primitive::<Date32Type>().value(0).into()))
            .and_then(|day| day.checked_sub_signed(TimeDelta::days(back.num_days() + 1)))
            .map(Value::Date),
        DataType::Int64 => Some(Value::Int(array.as_primitive::<Int64Type>().value(0))),
        // The order of texts here may not be that of the database.
        _ => None,
    };
    Ok(match value {
        Some(value) => (format!("WHERE \"{}\" >= $after", column.name), Params::new().with("after", value)),
        None => all(),
    })
}

/// The hashes of all rejected rows' texts.
async fn rejected(lake: &Lake, request: &Request, state: &State) -> Result<BTreeMap<u64, bool>> {
    let mut found = BTreeMap::new();
    if lake.table(&request.plan.rejected).await?.is_none() {
        return Ok(found);
    }
    let sql = format!("SELECT raw, _batch < $next AS told FROM {}", request.plan.rejected);
    let mut rows = lake.stream(&sql, &Params::new().with("next", state.next_batch())).await?;
    while let Some(batch) = rows.try_next().await.map_err(|e| Error::Task(e.to_string()))? {
        let raw = cast(batch.column(0), &DataType::Utf8)?;
        let told = batch.column(1).as_boolean();
        for (row, text) in raw.as_string::<i32>().iter().enumerate() {
            let hash = row_hash(text.unwrap_or_default().as_bytes());
            *found.entry(hash).or_insert(false) |= told.is_valid(row) && told.value(row);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(by_key: bool, entries: &[(u64, u64, i32)]) -> Known {
        let entries = entries.iter().map(|(key, row, live)| Entry { key: *key, row: *row, line: 0, live: *live, met: 0 }).collect();
        Known { entries, by_key, ..Known::default() }
    }

    #[test]
    fn with_a_key_only_the_latest_row_is_known() {
        let mut known = known(true, &[(1, 10, 1), (2, 20, 0)]);
        assert!(known.meet(1, 10));
        assert!(known.meet(1, 10), "a repeated key is no news either");
        assert!(!known.meet(1, 11));
        assert!(!known.meet(2, 20), "a deleted row that comes back is news");
        assert!(!known.meet(3, 30));
    }

    #[test]
    fn without_a_key_as_many_rows_are_known_as_there_are() {
        let mut known = known(false, &[(7, 7, 2)]);
        assert_eq!([known.meet(7, 7), known.meet(7, 7), known.meet(7, 7)], [true, true, false]);
    }

    #[test]
    fn a_text_is_rejected_for_the_first_time_only_once() {
        let mut known = Known::default();
        assert_eq!([known.was_rejected("a"), known.was_rejected("a"), known.was_rejected("b")], [None, Some(true), None]);
    }
}
