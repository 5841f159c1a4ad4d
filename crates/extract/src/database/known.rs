//! Rows that the raw table has already, so that reading a row again doesn't add it again.
//!
//! A read with a cursor starts a little before the last one's end, and a read without one starts from the beginning. Rows are compared by
//! 64-bit hashes, of which 32 bytes a key are held in memory: of the rows beyond the cursor's start, or of all.

use super::request::Request;
use super::state::State;
use crate::error::{Error, Result};
use crate::log::known::{self, Lines, Shape};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, NaiveDate, TimeDelta};
use cscopilot_decode::database::{RowHashes, value};
use cscopilot_decode::row_hash;
use cscopilot_lake::{Lake, Params, TableInfo, Value};
use futures::{Stream, TryStreamExt};
use std::collections::BTreeMap;

/// What the raw table has.
#[derive(Debug, Default)]
pub(crate) struct Known {
    rows: cscopilot_decode::Known,
    /// Texts of rejected rows, by hash, and whether the window that they were rejected in was committed.
    rejected: BTreeMap<u64, bool>,
    /// Whether any row of the table may be met again.
    pub(crate) any: bool,
}

impl Known {
    /// Reads what the table has of what the request may give again.
    pub(crate) async fn load(lake: &Lake, request: &Request, stored: Option<&TableInfo>, state: &State) -> Result<Self> {
        let rows = match stored {
            Some(stored) => {
                let (condition, params) = since(request)?;
                known::latest(lake, &shape(request), &stored.schema, &condition, &params).await?
            }
            None => cscopilot_decode::Known::default(),
        };
        let any = stored.is_some_and(|stored| stored.rows != Some(0));
        // Even without rows: a run may have died before its first window was committed.
        Ok(Self { rows, rejected: rejected(lake, request, state).await?, any })
    }

    /// Which rows are new, by their hashes. Notes that they were met.
    pub(crate) fn new_rows(&mut self, hashes: &RowHashes) -> Vec<bool> {
        self.rows.new_rows(&hashes.rows, &hashes.keys)
    }

    /// Notes that a row with this key is there, although it could not be read.
    pub(crate) fn spare(&mut self, key: u64) {
        self.rows.spare(key);
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
        known::vanished(&self.rows, lake, &shape(request), &stored.schema).await
    }
}

fn shape(request: &Request) -> Shape {
    let plan = &request.plan;
    Shape {
        table: plan.tables.rows.clone(),
        columns: plan.rows.columns.iter().map(|c| c.name.to_string()).collect(),
        key: plan.rows.primary_key.clone(),
        lines: Lines::Rise,
    }
}

/// Which rows of the log may be met again: those at the cursor's start and beyond. All where that can't be said in SQL.
fn since(request: &Request) -> Result<(String, Params)> {
    let all = || (String::new(), Params::new());
    let (Some(cursor), Some(after)) = (request.plan.rows.cursor, &request.after) else { return Ok(all()) };
    let column = &request.plan.rows.columns[cursor];
    let array = value(column, &after.text())?;
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
    if lake.table(&request.plan.tables.rejected).await?.is_none() {
        return Ok(found);
    }
    let sql = format!("SELECT raw, _batch < $next AS told FROM {}", request.plan.tables.rejected);
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

    #[test]
    fn a_text_is_rejected_for_the_first_time_only_once() {
        let mut known = Known::default();
        assert_eq!([known.was_rejected("a"), known.was_rejected("a"), known.was_rejected("b")], [None, Some(true), None]);
    }
}
