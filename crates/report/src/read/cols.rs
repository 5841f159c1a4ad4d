//! Columns of query results by name, in the few types that pages need.
//!
//! Projects make most tables by SQL, so the physical type of a column may vary (`Utf8View`, `Decimal128`, `Int32` …); every
//! access casts. A column that isn't there reads as nothing.

use crate::error::Error;
use crate::night::Cents;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Float64Type, Int64Type};
use chrono::NaiveDate;

/// Days from the common era to 1970-01-01.
const EPOCH: i32 = 719_163;

fn column(batch: &RecordBatch, name: &str, to: &DataType) -> Result<Option<ArrayRef>, Error> {
    let Some(column) = batch.column_by_name(name) else { return Ok(None) };
    if matches!(column.data_type(), DataType::Null) {
        return Ok(None);
    }
    cast(column, to).map(Some).map_err(|cause| Error::Table {
        table: "of the report".to_owned(),
        problem: format!("has a column `{name}` of an unexpected type: {cause}"),
    })
}

/// A text column.
pub(super) struct Texts(Option<ArrayRef>);

impl Texts {
    pub(super) fn of(batch: &RecordBatch, name: &str) -> Result<Self, Error> {
        Ok(Self(column(batch, name, &DataType::Utf8)?))
    }

    /// The text of a row; empty text counts as nothing.
    pub(super) fn get(&self, row: usize) -> Option<&str> {
        let array = self.0.as_ref().filter(|a| a.is_valid(row))?;
        Some(array.as_string::<i32>().value(row)).filter(|t| !t.is_empty())
    }

    pub(super) fn owned(&self, row: usize) -> Option<String> {
        self.get(row).map(str::to_owned)
    }
}

/// A number column.
pub(super) struct Floats(Option<ArrayRef>);

impl Floats {
    pub(super) fn of(batch: &RecordBatch, name: &str) -> Result<Self, Error> {
        Ok(Self(column(batch, name, &DataType::Float64)?))
    }

    pub(super) fn get(&self, row: usize) -> Option<f64> {
        let array = self.0.as_ref().filter(|a| a.is_valid(row))?;
        Some(array.as_primitive::<Float64Type>().value(row)).filter(|v| v.is_finite())
    }
}

/// A column of whole numbers.
pub(super) struct Ints(Option<ArrayRef>);

impl Ints {
    pub(super) fn of(batch: &RecordBatch, name: &str) -> Result<Self, Error> {
        Ok(Self(column(batch, name, &DataType::Int64)?))
    }

    pub(super) fn get(&self, row: usize) -> Option<i64> {
        let array = self.0.as_ref().filter(|a| a.is_valid(row))?;
        Some(array.as_primitive::<Int64Type>().value(row))
    }
}

/// A column of dates; times count as their day.
pub(super) struct Dates(Option<ArrayRef>);

impl Dates {
    pub(super) fn of(batch: &RecordBatch, name: &str) -> Result<Self, Error> {
        Ok(Self(column(batch, name, &DataType::Date32)?))
    }

    pub(super) fn get(&self, row: usize) -> Option<NaiveDate> {
        let array = self.0.as_ref().filter(|a| a.is_valid(row))?;
        NaiveDate::from_num_days_from_ce_opt(array.as_primitive::<Date32Type>().value(row).checked_add(EPOCH)?)
    }
}

/// A column of money.
pub(super) struct Money(Option<ArrayRef>);

impl Money {
    pub(super) fn of(batch: &RecordBatch, name: &str) -> Result<Self, Error> {
        Ok(Self(column(batch, name, &DataType::Decimal128(38, 2))?))
    }

    pub(super) fn get(&self, row: usize) -> Option<Cents> {
        let array = self.0.as_ref().filter(|a| a.is_valid(row))?;
        i64::try_from(array.as_primitive::<Decimal128Type>().value(row)).ok()
    }
}

/// A column of lists of structs, such as `top_reasons`.
pub(super) struct Lists(Option<ArrayRef>);

impl Lists {
    pub(super) fn of(batch: &RecordBatch, name: &str) -> Self {
        let lists = |c: &&ArrayRef| matches!(c.data_type(), DataType::List(f) if matches!(f.data_type(), DataType::Struct(_)));
        Self(batch.column_by_name(name).filter(lists).cloned())
    }

    /// The list of a row as a batch of its own.
    pub(super) fn get(&self, row: usize) -> Option<RecordBatch> {
        let array = self.0.as_ref().filter(|a| a.is_valid(row))?;
        let items = array.as_list::<i32>().value(row);
        let items: &StructArray = items.as_struct_opt()?;
        Some(RecordBatch::from(items))
    }
}
