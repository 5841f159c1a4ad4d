//! Which types tables hold, and what happens when the columns of a write differ from the table's.
//!
//! Tables hold few types, so that what a check says about a table, what a query gives and what the files hold are the same:
//! `Utf8`, `Binary`, `Boolean`, signed integers, floats, `Decimal128`, `Date32`, `Timestamp(µs, UTC)`, and lists and structs of
//! those. All columns are nullable; that a column has no NULLs is a data check, not a type.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;

use crate::{Error, Result, SchemaPolicy, TableName};

/// The schema that a table has when rows of `schema` are written to it: string views become strings, timestamps become
/// microseconds in UTC (one without a zone counts as UTC), unsigned integers become signed ones, everything becomes nullable.
///
/// # Errors
/// When a column has a type that no table can hold, such as an interval or a bare NULL.
pub fn storage_schema(schema: &Schema) -> Result<SchemaRef> {
    let fields = schema.fields().iter().map(|field| stored_field(field).ok_or_else(|| unsupported(field))).collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(Schema::new(fields)))
}

/// Like [`storage_schema`], but types that can't be stored stay as they are.
pub(crate) fn lenient_schema(schema: &Schema) -> SchemaRef {
    let fields: Vec<FieldRef> = schema
        .fields()
        .iter()
        .map(|field| stored_field(field).unwrap_or_else(|| Arc::new(field.as_ref().clone().with_nullable(true))))
        .collect();
    Arc::new(Schema::new(fields))
}

fn unsupported(field: &Field) -> Error {
    Error::UnsupportedType { column: field.name().clone(), data_type: field.data_type().to_string() }
}

fn stored_field(field: &Field) -> Option<FieldRef> {
    Some(Arc::new(Field::new(field.name(), stored_type(field.data_type())?, true)))
}

fn stored_type(data_type: &DataType) -> Option<DataType> {
    Some(match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal128(_, _)
        | DataType::Date32 => data_type.clone(),
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(p, s) | DataType::Decimal64(p, s) => DataType::Decimal128(*p, *s),
        DataType::Date64 => DataType::Date32,
        DataType::Timestamp(_, _) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        DataType::Dictionary(_, values) => stored_type(values)?,
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) | DataType::ListView(item) => {
            DataType::List(Arc::new(Field::new("element", stored_type(item.data_type())?, true)))
        }
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|f| stored_field(f)).collect::<Option<_>>()?),
        _ => return None,
    })
}

/// What a write means for a table's columns.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    /// The table's columns after the write.
    pub(crate) table: SchemaRef,
    /// Whether they differ from what they were (or the table is new).
    pub(crate) changed: bool,
    /// The columns of the files to be written: the data's, with the table's types, in the table's order.
    pub(crate) files: SchemaRef,
}

/// Applies a schema policy. `incoming` is a storage schema.
pub(crate) fn plan(table: &TableName, current: Option<&SchemaRef>, incoming: &SchemaRef, policy: SchemaPolicy) -> Result<Plan> {
    let mut seen = BTreeSet::new();
    if let Some(twice) = incoming.fields().iter().find(|f| !seen.insert(f.name().to_lowercase())) {
        return Err(Error::BadWrite { table: table.clone(), problem: format!("the column `{}` is there twice", twice.name()) });
    }
    if let Some(odd) =
        incoming.fields().iter().find(|f| f.name().is_empty() || f.name().contains([' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '=']))
    {
        let problem = format!("`{}` can't be the name of a column", odd.name());
        return Err(Error::Schema { table: table.clone(), problem, help: "give it a plain name: … AS name".to_owned() });
    }
    let Some(current) = current.filter(|_| policy != SchemaPolicy::Replace) else {
        let changed = current.is_none_or(|c| c.fields() != incoming.fields());
        return Ok(Plan { table: Arc::clone(incoming), changed, files: Arc::clone(incoming) });
    };
    let mut problems = vec![];
    let (mut fields, mut files): (Vec<FieldRef>, Vec<FieldRef>) = (vec![], vec![]);
    for field in current.fields() {
        fields.push(Arc::clone(field));
        match incoming.field_with_name(field.name()) {
            Ok(new) if new.data_type() == field.data_type() || widens(new.data_type(), field.data_type()) => files.push(Arc::clone(field)),
            Ok(new) => problems.push(format!("`{}` was {} and is now {}", field.name(), field.data_type(), new.data_type())),
            Err(_) if policy == SchemaPolicy::Freeze => problems.push(format!("`{}` is missing", field.name())),
            Err(_) => {}
        }
    }
    let mut changed = false;
    for field in incoming.fields().iter().filter(|f| current.field_with_name(f.name()).is_err()) {
        if policy == SchemaPolicy::Freeze {
            problems.push(format!("`{}` is new", field.name()));
        }
        changed = true;
        fields.push(Arc::clone(field));
        files.push(Arc::clone(field));
    }
    if problems.is_empty() {
        return Ok(Plan { table: Arc::new(Schema::new(fields)), changed, files: Arc::new(Schema::new(files)) });
    }
    let help = match policy {
        SchemaPolicy::Freeze => "the table's schema is frozen: mend the source, or allow the schema to evolve",
        _ => "new columns are fine, changed types are not: cast the column to the old type, or rebuild the table with --full-refresh",
    };
    Err(Error::Schema { table: table.clone(), problem: problems.join("; "), help: help.to_owned() })
}

/// Whether every value of `from` is one of `to`, so that data may be cast silently.
fn widens(from: &DataType, to: &DataType) -> bool {
    use DataType::{Decimal128, Float32, Float64, Int8, Int16, Int32, Int64};
    match (from, to) {
        (Int8, Int16 | Int32 | Int64) | (Int16, Int32 | Int64) | (Int32, Int64) | (Float32, Float64) => true,
        (Int8 | Int16 | Int32, Float64) => true,
        (Decimal128(p, s), Decimal128(to_p, to_s)) => s <= to_s && i16::from(*p) - i16::from(*s) <= i16::from(*to_p) - i16::from(*to_s),
        _ => false,
    }
}

/// A batch with the columns and types of `schema`, matched by name; columns it lacks are NULL. A value that doesn't fit its type is
/// an error, never NULL.
pub(crate) fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let columns = schema
        .fields()
        .iter()
        .map(|field| -> Result<ArrayRef, ArrowError> {
            match batch.column_by_name(field.name()) {
                Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
                Some(column) => cast_column(column, field.data_type(), &options),
                None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            }
        })
        .collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

fn cast_column(column: &ArrayRef, to: &DataType, options: &CastOptions<'_>) -> Result<ArrayRef, ArrowError> {
    // A timestamp without a zone is UTC by our convention; arrow would also read it so, but only for the same unit.
    if let (DataType::Timestamp(_, None), DataType::Timestamp(unit, Some(_))) = (column.data_type(), to) {
        let plain = cast_with_options(column, &DataType::Timestamp(*unit, None), options)?;
        return cast_with_options(&plain, to, options);
    }
    cast_with_options(column, to, options)
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int32Array, StringViewArray, TimestampNanosecondArray, UInt64Array};

    use super::*;

    fn table() -> TableName {
        TableName::new("staging", "t")
    }

    fn schema(fields: &[(&str, DataType)]) -> SchemaRef {
        Arc::new(Schema::new(fields.iter().map(|(n, t)| Field::new(*n, t.clone(), true)).collect::<Vec<_>>()))
    }

    #[test]
    fn types_become_those_that_tables_hold() {
        let incoming =
            schema(&[("a", DataType::Utf8View), ("b", DataType::UInt64), ("c", DataType::Timestamp(TimeUnit::Nanosecond, None))]);
        let stored = storage_schema(&incoming).unwrap();
        let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        assert_eq!(stored, schema(&[("a", DataType::Utf8), ("b", DataType::Int64), ("c", utc)]));
        let batch = RecordBatch::try_new(
            incoming,
            vec![
                Arc::new(StringViewArray::from(vec!["x"])),
                Arc::new(UInt64Array::from(vec![7])),
                Arc::new(TimestampNanosecondArray::from(vec![1_000])),
            ],
        )
        .unwrap();
        assert_eq!(conform(&batch, &stored).unwrap().schema(), stored);
        let error = storage_schema(&schema(&[("n", DataType::Null)])).unwrap_err();
        insta::assert_snapshot!(error, @"column `n` has the type Null, which can't be stored");
    }

    #[test]
    fn a_number_that_does_not_fit_is_an_error_not_null() {
        let batch = RecordBatch::try_new(schema(&[("b", DataType::UInt64)]), vec![Arc::new(UInt64Array::from(vec![u64::MAX]))]).unwrap();
        assert!(conform(&batch, &schema(&[("b", DataType::Int64)])).is_err());
    }

    #[test]
    fn evolve_adds_columns_and_widens_data_but_not_tables() {
        let current = schema(&[("id", DataType::Int64), ("name", DataType::Utf8)]);
        let plan =
            plan(&table(), Some(&current), &schema(&[("seats", DataType::Int64), ("id", DataType::Int32)]), SchemaPolicy::Evolve).unwrap();
        assert_eq!(plan.table, schema(&[("id", DataType::Int64), ("name", DataType::Utf8), ("seats", DataType::Int64)]));
        assert_eq!(plan.files, schema(&[("id", DataType::Int64), ("seats", DataType::Int64)]));
        assert!(plan.changed);
        let batch = RecordBatch::try_new(schema(&[("id", DataType::Int32)]), vec![Arc::new(Int32Array::from(vec![1]))]).unwrap();
        assert_eq!(conform(&batch, &plan.files).unwrap().column(1).null_count(), 1);
    }

    #[test]
    fn refusals_name_every_column_that_differs() {
        let current = schema(&[("id", DataType::Int64), ("name", DataType::Utf8)]);
        let incoming = schema(&[("id", DataType::Utf8), ("seats", DataType::Int64)]);
        let evolve = plan(&table(), Some(&current), &incoming, SchemaPolicy::Evolve).unwrap_err();
        insta::assert_snapshot!(evolve, @"the columns of `staging.t` don't fit: `id` was Int64 and is now Utf8");
        let freeze = plan(&table(), Some(&current), &incoming, SchemaPolicy::Freeze).unwrap_err();
        insta::assert_snapshot!(freeze, @"the columns of `staging.t` don't fit: `id` was Int64 and is now Utf8; `name` is missing; `seats` is new");
    }

    #[test]
    fn a_column_without_a_plain_name_is_refused() {
        let error = plan(&table(), None, &schema(&[("count(*)", DataType::Int64)]), SchemaPolicy::Evolve).unwrap_err();
        insta::assert_snapshot!(error, @"the columns of `staging.t` don't fit: `count(*)` can't be the name of a column");
    }

    #[test]
    fn replace_takes_whatever_comes() {
        let (current, incoming) = (schema(&[("id", DataType::Int64)]), schema(&[("id", DataType::Utf8)]));
        let plan = plan(&table(), Some(&current), &incoming, SchemaPolicy::Replace).unwrap();
        assert_eq!((plan.table, plan.changed), (incoming, true));
    }
}
