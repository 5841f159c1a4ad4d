//! Single values out of Arrow columns.

use crate::error::{Error, Result};
use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, SchemaRef};
use chrono::{NaiveDate, TimeDelta};
use std::collections::BTreeMap;

/// One value of a row, as sentences and evidence need it.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// NULL.
    Null,
    /// Text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// A decimal: its digits, and how many of them stand behind the point.
    Decimal(i128, u8),
    /// True or false.
    Bool(bool),
    /// A day.
    Date(NaiveDate),
}

impl Cell {
    /// The value as text; NULL where it is none.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value as a number. NaN and infinity are none.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Int(v) => Some(*v as f64),
            Self::Float(v) => Some(*v).filter(|v| v.is_finite()),
            Self::Decimal(v, scale) => Some(*v as f64 / 10f64.powi(i32::from(*scale))),
            _ => None,
        }
    }

    /// The value as hundredths, rounded half away from zero: money of scale 2.
    #[must_use]
    pub fn hundredths(&self) -> Option<i128> {
        match self {
            Self::Int(v) => Some(i128::from(*v) * 100),
            Self::Decimal(v, 2) => Some(*v),
            other => other.number().map(|v| (v * 100.0).round() as i128),
        }
    }
}

/// Whether values of this type can stand in sentences and evidence.
#[must_use]
pub(crate) fn is_scalar(data_type: &DataType) -> bool {
    is_text(data_type) || data_type.is_numeric() || data_type.is_temporal() || matches!(data_type, DataType::Boolean | DataType::Null)
}

/// Whether this is a type of text.
pub(crate) fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// A column brought to one of the few types that [`cell`] reads. Types without a counterpart become text.
pub(crate) fn plain(column: &ArrayRef) -> Result<ArrayRef> {
    let target = match column.data_type() {
        DataType::Boolean => DataType::Boolean,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        t if t.is_integer() => DataType::Int64,
        t if t.is_floating() => DataType::Float64,
        DataType::Decimal128(p, s) if *s >= 0 => DataType::Decimal128(*p, *s),
        t if t.is_decimal() => DataType::Float64,
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => DataType::Date32,
        _ => DataType::Utf8,
    };
    Ok(cast(column, &target)?)
}

/// One value of a column that went through [`plain`].
pub(crate) fn cell(column: &ArrayRef, row: usize) -> Cell {
    if column.is_null(row) {
        return Cell::Null;
    }
    match column.data_type() {
        DataType::Boolean => Cell::Bool(column.as_boolean().value(row)),
        DataType::Int64 => Cell::Int(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Cell::Float(column.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(_, scale) => Cell::Decimal(column.as_primitive::<Decimal128Type>().value(row), scale.unsigned_abs()),
        DataType::Date32 => day(column.as_primitive::<Date32Type>().value(row)).map_or(Cell::Null, Cell::Date),
        DataType::Utf8 => Cell::Text(column.as_string::<i32>().value(row).to_owned()),
        _ => Cell::Null,
    }
}

fn day(days: i32) -> Option<NaiveDate> {
    NaiveDate::default().checked_add_signed(TimeDelta::days(i64::from(days)))
}

/// Days since 1970-01-01, as Arrow keeps dates.
pub(crate) fn days(date: NaiveDate) -> i32 {
    i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).unwrap_or(i32::MAX)
}

/// A whole number out of any numeric column.
pub(crate) fn integer(column: &ArrayRef, row: usize) -> Result<Option<i64>> {
    let column = cast(column, &DataType::Int64)?;
    Ok((!column.is_null(row)).then(|| column.as_primitive::<Int64Type>().value(row)))
}

/// A date out of a date column.
pub(crate) fn as_date(column: &ArrayRef, row: usize) -> Result<Option<NaiveDate>> {
    let column = cast(column, &DataType::Date32)?;
    Ok(if column.is_null(row) { None } else { day(column.as_primitive::<Date32Type>().value(row)) })
}

/// The named columns of a batch with plain types: what [`cell`] reads.
pub(crate) fn columns(batch: &RecordBatch) -> Result<BTreeMap<String, ArrayRef>> {
    batch.schema().fields().iter().zip(batch.columns()).map(|(field, column)| Ok((field.name().clone(), plain(column)?))).collect()
}

/// The batch with exactly the columns and types of a schema, matched by name.
pub(crate) fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = schema
        .fields()
        .iter()
        .map(|field| {
            let column = batch
                .column_by_name(field.name())
                .ok_or_else(|| Error::Columns { table: "the query".to_owned(), problem: format!("it has no column `{}`", field.name()) })?;
            Ok(cast(column, field.data_type())?)
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}
