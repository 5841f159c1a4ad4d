//! What the model said the last time it scored before tonight, in the order of tonight's rows.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Float64Type, Int64Type};
use chrono::NaiveDate;
use cscopilot_lake::{Lake, Value};
use futures::TryStreamExt;

use crate::error::Result;
use crate::score::entity;
use crate::score::evening::Evening;
use crate::score::rows::{self, Stamp};

/// The last score of an account, or of what the model is about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scored {
    /// Its calibrated probability.
    pub(crate) probability: f64,
    /// Its margin.
    pub(crate) margin: f64,
    /// What its explanation was made from; none where it was not explained.
    pub(crate) key: Option<i64>,
}

/// The last evening that the model scored.
#[derive(Debug, Clone)]
pub(crate) struct Last {
    /// The evening.
    pub(crate) as_of: NaiveDate,
    /// The version that scored.
    pub(crate) version: i64,
    /// By tonight's rows; none for what wasn't scored then.
    pub(crate) scored: Vec<Option<Scored>>,
}

/// Reasons that were found last time, and where tonight's rows find theirs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// Lists of reasons.
    pub(crate) batches: Vec<ArrayRef>,
    /// By tonight's rows: batch and row, where the reasons still hold.
    pub(crate) places: Vec<Option<(usize, usize)>>,
}

impl Last {
    /// The newest evening before a date that the model scored, if there is one.
    pub(crate) async fn read(lake: &Lake, stamp: &Stamp, tonight: &Evening) -> Result<Option<Self>> {
        let entity = stamp.entity.as_deref();
        let ((table, _), id, (whose, params)) = (entity::scores(entity), entity::id(entity), entity::whose(&stamp.model, entity));
        let Some(info) = lake.table(&table).await? else { return Ok(None) };
        let params = params.with("as_of", Value::Date(stamp.as_of));
        let sql = format!("SELECT CAST(max(as_of) AS DATE) FROM {table} WHERE {whose} AND as_of < $as_of");
        let found = lake.query(&sql, &params).await?;
        let newest = found.iter().find(|b| b.num_rows() > 0).map(|b| b.column(0)).filter(|c| c.is_valid(0));
        let Some(newest) = newest.and_then(|c| NaiveDate::from_epoch_days(c.as_primitive::<Date32Type>().value(0))) else {
            return Ok(None);
        };
        let key = if info.schema.field_with_name(rows::KEY).is_ok() { rows::KEY } else { "CAST(NULL AS BIGINT)" };
        let sql = format!("SELECT {id}, model_version, probability, margin, {key} FROM {table} WHERE {whose} AND as_of = $as_of");
        let mut stream = lake.stream(&sql, &params.with("as_of", Value::Date(newest))).await?;
        let mut last = Self { as_of: newest, version: 0, scored: vec![None; tonight.len()] };
        while let Some(batch) = stream.try_next().await.map_err(|e| cscopilot_lake::Error::Query(Box::new(e)))? {
            let ids = cast(batch.column(0), &DataType::Utf8)?;
            let (ids, versions) = (ids.as_string::<i32>(), batch.column(1).as_primitive::<Int64Type>());
            let float = |at: usize| batch.column(at).as_primitive::<Float64Type>();
            let (probabilities, margins, keys) = (float(2), float(3), batch.column(4).as_primitive::<Int64Type>());
            for row in 0..batch.num_rows() {
                last.version = last.version.max(versions.value(row));
                if let Some(at) = tonight.row_of(ids.value(row)) {
                    let key = keys.is_valid(row).then(|| keys.value(row));
                    last.scored[at] = Some(Scored { probability: probabilities.value(row), margin: margins.value(row), key });
                }
            }
        }
        Ok(Some(last))
    }

    /// The reasons of those for which nothing changed that reasons are made from.
    pub(crate) async fn known(&self, lake: &Lake, stamp: &Stamp, tonight: &Evening, keys: &[i64]) -> Result<Known> {
        let same = |row: usize| self.scored[row].is_some_and(|s| s.key == Some(keys[row]));
        let mut known = Known { batches: Vec::new(), places: vec![None; tonight.len()] };
        if !(0..tonight.len()).any(same) {
            return Ok(known);
        }
        let entity = stamp.entity.as_deref();
        let ((table, _), id, (whose, params)) = (entity::scores(entity), entity::id(entity), entity::whose(&stamp.model, entity));
        let sql = format!("SELECT {id}, top_reasons FROM {table} WHERE {whose} AND as_of = $as_of");
        let mut stream = lake.stream(&sql, &params.with("as_of", Value::Date(self.as_of))).await?;
        while let Some(batch) = stream.try_next().await.map_err(|e| cscopilot_lake::Error::Query(Box::new(e)))? {
            let ids = cast(batch.column(0), &DataType::Utf8)?;
            let ids = ids.as_string::<i32>();
            let before = known.batches.len();
            for row in 0..batch.num_rows() {
                if let Some(at) = tonight.row_of(ids.value(row)).filter(|at| same(*at)) {
                    known.places[at] = Some((before, row));
                }
            }
            known.batches.push(cast(batch.column(1), &rows::reasons_type())?);
        }
        Ok(known)
    }
}
