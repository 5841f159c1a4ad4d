//! The columns of the features table that are no features but say what a row is worth and by what rows are told apart.

use cscopilot_spec::Model;
use polars::prelude::{BooleanChunked, DataFrame, DataType as PolarsType};

use crate::data::dataset::SegmentColumn;
use crate::data::frame::quoted;
use crate::error::{Error, Result};

/// What stands for a missing segment.
const NONE: &str = "(none)";

/// Their part of the SELECT list, under short aliases: `w`, `t`, `k`, `s0`, `s1`, …
pub(super) fn select(model: &Model) -> String {
    let mut sql = String::new();
    if let Some(column) = &model.weight {
        sql += &format!(", CAST(f.{} AS DOUBLE) AS w", quoted(column));
    }
    if let Some(tenure) = &model.tenure {
        sql += &format!(", CAST(f.{} AS DOUBLE) AS t", quoted(&tenure.column));
    }
    if let Some(cross) = &model.split.cross_validation {
        sql += &format!(", CAST(f.{} AS VARCHAR) AS k", quoted(&cross.fold_column));
    }
    for (i, column) in model.segments.iter().enumerate() {
        sql += &format!(", CAST(f.{} AS VARCHAR) AS s{i}", quoted(column));
    }
    sql
}

/// Only the rows of accounts that have been customers for long enough; unknown is not long enough.
pub(super) fn old_enough(df: DataFrame, model: &Model) -> Result<DataFrame> {
    let Some(tenure) = model.tenure.as_ref().filter(|t| t.min_days.value > 0) else { return Ok(df) };
    let least = f64::from(tenure.min_days.value);
    let keep: BooleanChunked = df.column("t")?.f64()?.iter().map(|days| Some(days.is_some_and(|d| d >= least))).collect();
    Ok(df.filter(&keep)?)
}

/// What each row is worth. Nothing where it is missing, negative or no number.
pub(super) fn weights(df: &DataFrame, model: &Model) -> Result<Option<Vec<f64>>> {
    if model.weight.is_none() {
        return Ok(None);
    }
    let worth = |x: Option<f64>| x.filter(|x| x.is_finite() && *x > 0.0).unwrap_or(0.0);
    Ok(Some(df.column("w")?.f64()?.iter().map(worth).collect()))
}

/// Each row's tenure in days.
pub(super) fn tenure_days(df: &DataFrame, model: &Model) -> Result<Option<Vec<f64>>> {
    if model.tenure.is_none() {
        return Ok(None);
    }
    Ok(Some(df.column("t")?.f64()?.iter().map(|x| x.unwrap_or(f64::NAN)).collect()))
}

/// The segments, and the bands of tenure as one more column of them.
pub(super) fn segments(df: &DataFrame, model: &Model) -> Result<Vec<SegmentColumn>> {
    let mut found = Vec::new();
    for (i, column) in model.segments.iter().enumerate() {
        found.push(coded(df, &format!("s{i}"), column)?);
    }
    if let (Some(tenure), Some(days)) = (&model.tenure, tenure_days(df, model)?) {
        let ends: Vec<u32> = tenure.bands_days.iter().map(|b| b.value).collect();
        found.push(bands(&tenure.column, &days, &ends));
    }
    Ok(found)
}

/// Each row's fold, where the model is cross-validated on given folds. A row without one can be neither learned from nor judged.
pub(super) fn folds(df: &DataFrame, model: &Model) -> Result<Option<SegmentColumn>> {
    let Some(cross) = &model.split.cross_validation else { return Ok(None) };
    let empty = df.column("k")?.null_count();
    if empty > 0 {
        let (column, table) = (&cross.fold_column, &model.features.table);
        return Err(Error::Column(format!("the fold column `{column}` of `{table}` is empty in {empty} rows: each row needs its fold")));
    }
    Ok(Some(coded(df, "k", &cross.fold_column)?))
}

/// A column of text as codes, in the order of the labels.
fn coded(df: &DataFrame, alias: &str, name: &str) -> Result<SegmentColumn> {
    let values = df.column(alias)?.cast(&PolarsType::String)?;
    let values: Vec<&str> = values.str()?.iter().map(|v| v.unwrap_or(NONE)).collect();
    let mut labels: Vec<&str> = values.clone();
    labels.sort_unstable();
    labels.dedup();
    let codes = values.iter().map(|v| labels.binary_search(v).unwrap_or_default() as u32).collect();
    Ok(SegmentColumn { name: name.to_owned(), codes, labels: labels.into_iter().map(str::to_owned).collect() })
}

/// Bands of tenure: `ends` says where one ends and the next begins.
fn bands(column: &str, days: &[f64], ends: &[u32]) -> SegmentColumn {
    let mut labels = Vec::with_capacity(ends.len() + 2);
    for (i, end) in ends.iter().enumerate() {
        labels.push(match i.checked_sub(1).map(|before| ends[before]) {
            None => format!("under {end} days"),
            Some(from) => format!("{from} to {} days", end - 1),
        });
    }
    labels.push(ends.last().map_or_else(|| "all".to_owned(), |last| format!("{last} days and more")));
    labels.push(NONE.to_owned());
    let band = |d: &f64| if d.is_nan() { ends.len() + 1 } else { ends.partition_point(|e| f64::from(*e) <= *d) };
    SegmentColumn { name: column.to_owned(), codes: days.iter().map(|d| band(d) as u32).collect(), labels }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_begin_where_the_one_before_ends() {
        let made = bands("tenure_days", &[0.0, 89.0, 90.0, 364.9, 365.0, 9000.0, f64::NAN], &[90, 365]);
        assert_eq!(made.labels, ["under 90 days", "90 to 364 days", "365 days and more", "(none)"]);
        assert_eq!(made.codes, [0, 0, 1, 1, 2, 2, 3]);
        assert_eq!(bands("t", &[5.0], &[]).labels, ["all", "(none)"]);
    }
}
