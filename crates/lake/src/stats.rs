//! Statistics of a data file: from its Parquet footer into the Delta log, and from the log into DataFusion's form.
//!
//! Only exact bounds are written, of integers, dates, timestamps and short strings: those are the columns queries filter on, and
//! the optimiser may answer `min`, `max` and `count` from them. Floats are left out because of NaN.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Schema, TimeUnit};
use chrono::{DateTime, NaiveDate};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::file::metadata::ParquetMetaData;
use serde_json::{Map, Value, json};

/// Delta's own default: statistics of the first 32 columns. Partition columns always have theirs.
const COLUMNS: usize = 32;
/// Longer strings get no bounds.
const LONGEST: usize = 48;

fn has_bounds(data_type: &DataType) -> bool {
    data_type.is_signed_integer()
        || matches!(data_type, DataType::Date32 | DataType::Utf8 | DataType::Timestamp(TimeUnit::Microsecond, Some(_)))
}

/// The statistics of a file just written, as the log wants them.
pub(crate) fn to_json(metadata: &ParquetMetaData, schema: &Schema, partition_by: &[String]) -> String {
    let rows = metadata.file_metadata().num_rows();
    let (mut mins, mut maxes, mut nulls) = (Map::new(), Map::new(), Map::new());
    for (index, field) in schema.fields().iter().enumerate() {
        if (index >= COLUMNS && !partition_by.contains(field.name())) || field.data_type().is_nested() {
            continue;
        }
        let Ok(converter) = StatisticsConverter::try_new(field.name(), schema, metadata.file_metadata().schema_descr()) else { continue };
        let groups = metadata.row_groups();
        if let Ok(counts) = converter.row_group_null_counts(groups)
            && counts.null_count() == 0
        {
            nulls.insert(field.name().clone(), json!(counts.values().iter().sum::<u64>()));
        }
        if !has_bounds(field.data_type()) || !exact(&converter, metadata, field.data_type()) {
            continue;
        }
        let bounds = (converter.row_group_mins(groups), converter.row_group_maxes(groups));
        if let (Ok(low), Ok(high)) = bounds
            && let (Some(low), Some(high)) = (extreme(&low, false), extreme(&high, true))
        {
            mins.insert(field.name().clone(), low);
            maxes.insert(field.name().clone(), high);
        }
    }
    json!({"numRecords": rows, "minValues": mins, "maxValues": maxes, "nullCount": nulls}).to_string()
}

/// Whether the footer's bounds are values of the column, not truncated ones.
fn exact(converter: &StatisticsConverter<'_>, metadata: &ParquetMetaData, data_type: &DataType) -> bool {
    let Some(index) = converter.parquet_column_index() else { return false };
    data_type != &DataType::Utf8
        || metadata.row_groups().iter().all(|group| {
            group.column(index).statistics().is_some_and(|s| {
                let short = |bytes: Option<&[u8]>| bytes.is_none_or(|b| b.len() <= LONGEST);
                short(s.min_bytes_opt()) && short(s.max_bytes_opt())
            })
        })
}

/// The smallest or largest value of an array of bounds. A group without a bound has only NULLs, or had none kept; the second case
/// can't happen for the types that get here, since the writer keeps them for every group.
fn extreme(bounds: &ArrayRef, largest: bool) -> Option<Value> {
    let mut best: Option<ScalarValue> = None;
    for index in 0..bounds.len() {
        let value = ScalarValue::try_from_array(bounds, index).ok()?;
        if value.is_null() {
            continue;
        }
        let better = best.as_ref().is_none_or(|b| {
            let order = value.partial_cmp(b);
            order == Some(if largest { std::cmp::Ordering::Greater } else { std::cmp::Ordering::Less })
        });
        if better {
            best = Some(value);
        }
    }
    json_of(&best?)
}

fn json_of(value: &ScalarValue) -> Option<Value> {
    Some(match value {
        ScalarValue::Int8(Some(v)) => json!(v),
        ScalarValue::Int16(Some(v)) => json!(v),
        ScalarValue::Int32(Some(v)) => json!(v),
        ScalarValue::Int64(Some(v)) => json!(v),
        ScalarValue::Utf8(Some(v)) => json!(v),
        ScalarValue::Date32(Some(days)) => json!(date(*days)?.to_string()),
        ScalarValue::TimestampMicrosecond(Some(us), _) => {
            json!(DateTime::from_timestamp_micros(*us)?.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
        }
        _ => return None,
    })
}

/// The date of so many days since 1970.
pub(crate) fn date(days: i32) -> Option<NaiveDate> {
    NaiveDate::from_num_days_from_ce_opt(days.checked_add(719_163)?)
}

/// The days since 1970 of a date.
pub(crate) fn days(date: NaiveDate) -> i32 {
    use chrono::Datelike;
    date.num_days_from_ce() - 719_163
}

fn scalar_of(value: &Value, data_type: &DataType) -> Option<ScalarValue> {
    match data_type {
        DataType::Int8 => Some(ScalarValue::Int8(Some(i8::try_from(value.as_i64()?).ok()?))),
        DataType::Int16 => Some(ScalarValue::Int16(Some(i16::try_from(value.as_i64()?).ok()?))),
        DataType::Int32 => Some(ScalarValue::Int32(Some(i32::try_from(value.as_i64()?).ok()?))),
        DataType::Int64 => Some(ScalarValue::Int64(Some(value.as_i64()?))),
        DataType::Utf8 => Some(ScalarValue::Utf8(Some(value.as_str()?.to_owned()))),
        DataType::Date32 => Some(ScalarValue::Date32(Some(days(value.as_str()?.parse().ok()?)))),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let at = DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
            Some(ScalarValue::TimestampMicrosecond(Some(at.timestamp_micros()), zone.clone()))
        }
        _ => None,
    }
}

/// The statistics of a file as DataFusion wants them, and its number of rows.
pub(crate) fn from_json(stats: Option<&str>, schema: &Schema, size: u64) -> (Statistics, Option<u64>) {
    let parsed: Value = stats.and_then(|s| serde_json::from_str(s).ok()).unwrap_or_default();
    let rows = parsed["numRecords"].as_u64();
    let mut statistics = Statistics::new_unknown(schema);
    let count = |n: u64| usize::try_from(n).map_or(Precision::Absent, Precision::Exact);
    statistics.num_rows = rows.map_or(Precision::Absent, count);
    statistics.total_byte_size = usize::try_from(size).map_or(Precision::Absent, Precision::Inexact);
    statistics.column_statistics = schema
        .fields()
        .iter()
        .map(|field| {
            let bound = |name: &str| scalar_of(&parsed[name][field.name()], field.data_type()).map_or(Precision::Absent, Precision::Exact);
            ColumnStatistics {
                null_count: parsed["nullCount"][field.name()].as_u64().map_or(Precision::Absent, count),
                min_value: bound("minValues"),
                max_value: bound("maxValues"),
                ..ColumnStatistics::new_unknown()
            }
        })
        .collect();
    (statistics, rows)
}

/// The value of a partition column as the log writes it; an empty string counts as NULL, as everywhere in Delta.
pub(crate) fn partition_text(column: &ArrayRef, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    match column.data_type() {
        DataType::Utf8 => Some(column.as_string::<i32>().value(row).to_owned()).filter(|v| !v.is_empty()),
        DataType::Boolean => Some(column.as_boolean().value(row).to_string()),
        _ => match ScalarValue::try_from_array(column, row).ok()? {
            ScalarValue::Date32(Some(days)) => Some(date(days)?.to_string()),
            ScalarValue::Int8(Some(v)) => Some(v.to_string()),
            ScalarValue::Int16(Some(v)) => Some(v.to_string()),
            ScalarValue::Int32(Some(v)) => Some(v.to_string()),
            ScalarValue::Int64(Some(v)) => Some(v.to_string()),
            _ => None,
        },
    }
}

/// Whether a column of this type may partition a table.
pub(crate) fn may_partition(data_type: &DataType) -> bool {
    data_type.is_signed_integer() || matches!(data_type, DataType::Utf8 | DataType::Boolean | DataType::Date32)
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Field;

    use super::*;

    #[test]
    fn bounds_come_back_from_the_log_as_they_went() {
        let zone = Some("UTC".into());
        let schema = Schema::new(vec![
            Field::new("n", DataType::Int64, true),
            Field::new("s", DataType::Utf8, true),
            Field::new("d", DataType::Date32, true),
            Field::new("t", DataType::Timestamp(TimeUnit::Microsecond, zone.clone()), true),
        ]);
        let values = [
            ScalarValue::Int64(Some(-7)),
            ScalarValue::Utf8(Some("a".into())),
            ScalarValue::Date32(Some(19_000)),
            ScalarValue::TimestampMicrosecond(Some(1_700_000_000_123_456), zone),
        ];
        let bounds: Map<_, _> = schema.fields().iter().zip(&values).map(|(f, v)| (f.name().clone(), json_of(v).unwrap())).collect();
        let text = json!({"numRecords": 3, "minValues": bounds, "nullCount": {"n": 1}}).to_string();
        let (statistics, rows) = from_json(Some(&text), &schema, 10);
        assert_eq!(rows, Some(3));
        assert_eq!(statistics.column_statistics[0].null_count, Precision::Exact(1));
        for (column, value) in statistics.column_statistics.iter().zip(values) {
            assert_eq!(column.min_value, Precision::Exact(value));
            assert_eq!(column.max_value, Precision::Absent);
        }
    }
}
