//! Rows written in YAML as Arrow batches, and Arrow batches as text.

use arrow::array::{Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use cscopilot_spec::{At, sql_test::Row};
use std::sync::Arc;

/// A value of a row that its column can't hold.
#[derive(Debug)]
pub(crate) struct BadCell {
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) name: String,
    pub(crate) data_type: DataType,
    pub(crate) reason: String,
}

/// Rows as one batch with these columns; what a row doesn't name is NULL. Names that are no columns are ignored here:
/// the caller points at them.
pub(crate) fn batch(schema: &SchemaRef, rows: &[At<Row>]) -> Result<RecordBatch, BadCell> {
    let fields: Vec<Field> = schema.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect();
    let nullable = Arc::new(Schema::new(fields));
    decode(&nullable, rows).map_err(|error| bad_cell(&nullable, rows, &error))
}

fn decode(schema: &SchemaRef, rows: &[At<Row>]) -> Result<RecordBatch, ArrowError> {
    let empty = || {
        let columns = schema.fields().iter().map(|f| arrow::array::new_null_array(f.data_type(), rows.len())).collect();
        RecordBatch::try_new_with_options(Arc::clone(schema), columns, &RecordBatchOptions::new().with_row_count(Some(rows.len())))
    };
    if rows.is_empty() || schema.fields().is_empty() {
        return empty();
    }
    let mut decoder = arrow::json::ReaderBuilder::new(Arc::clone(schema)).with_coerce_primitive(true).build_decoder()?;
    decoder.serialize(rows)?;
    decoder.flush()?.map_or_else(empty, Ok)
}

/// Finds the value at fault by decoding one at a time.
fn bad_cell(schema: &SchemaRef, rows: &[At<Row>], error: &ArrowError) -> BadCell {
    for row in rows {
        for field in schema.fields() {
            let Some(value) = row.get(field.name()) else { continue };
            let one = Arc::new(Schema::new(vec![Arc::clone(field)]));
            let cell: Row = [(field.name().clone(), value.clone())].into();
            if let Err(error) = decode(&one, &[At::nowhere(cell)]) {
                return BadCell {
                    line: value.line,
                    column: value.column,
                    name: field.name().clone(),
                    data_type: field.data_type().clone(),
                    reason: error.to_string(),
                };
            }
        }
    }
    let (line, column) = rows.first().map_or((0, 0), |r| (r.line, r.column));
    BadCell { line, column, name: String::new(), data_type: DataType::Null, reason: error.to_string() }
}

/// A cell as people read it, and as it is compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cell {
    pub(crate) key: String,
    pub(crate) text: String,
}

/// The rows of some columns, as text. Fractions count as equal when nine significant digits agree.
pub(crate) fn cells(batches: &[RecordBatch], columns: &[String]) -> Result<Vec<Vec<Cell>>, ArrowError> {
    let options = FormatOptions::default().with_null("NULL").with_display_error(true);
    let mut rows = Vec::new();
    for batch in batches {
        let mut formatted = Vec::with_capacity(columns.len());
        for name in columns {
            let index = batch.schema().index_of(name)?;
            let array = batch.column(index);
            let text = ArrayFormatter::try_new(array.as_ref(), &options)?;
            let float = matches!(array.data_type(), DataType::Float16 | DataType::Float32 | DataType::Float64);
            let column: Vec<Cell> = (0..batch.num_rows())
                .map(|i| {
                    let text = text.value(i).to_string();
                    let key = match text.parse::<f64>() {
                        // Adding zero turns -0 into 0.
                        Ok(value) if float && !array.is_null(i) => format!("{:.8e}", value + 0.0),
                        _ => text.clone(),
                    };
                    Cell { key, text }
                })
                .collect();
            formatted.push(column.into_iter());
        }
        for _ in 0..batch.num_rows() {
            rows.push(formatted.iter_mut().filter_map(Iterator::next).collect());
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::TimeUnit;
    use serde_json::json;

    fn row(pairs: &[(&str, serde_json::Value)]) -> At<Row> {
        At::nowhere(pairs.iter().map(|(k, v)| ((*k).to_owned(), At { value: v.clone(), line: 7, column: 9 })).collect())
    }

    fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![
            Field::new("id", DataType::Utf8, false),
            Field::new("day", DataType::Date32, true),
            Field::new("amount", DataType::Decimal128(18, 2), true),
            Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
            Field::new("n", DataType::Int64, true),
            Field::new("share", DataType::Float64, true),
            Field::new("ok", DataType::Boolean, true),
        ]))
    }

    #[test]
    fn values_take_the_columns_types_and_the_rest_is_null() {
        let rows = [
            row(&[("id", json!(1)), ("day", json!("2023-10-01")), ("amount", json!(12.5)), ("at", json!("2023-10-01T10:00:00Z"))]),
            row(&[("n", json!(3)), ("share", json!(1)), ("ok", json!(true))]),
        ];
        let batch = batch(&schema(), &rows).unwrap();
        let names: Vec<String> = schema().fields().iter().map(|f| f.name().clone()).collect();
        let text: Vec<String> =
            cells(&[batch], &names).unwrap().iter().map(|r| r.iter().map(|c| c.text.as_str()).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(text, ["1 2023-10-01 12.50 2023-10-01T10:00:00Z NULL NULL NULL", "NULL NULL NULL NULL 3 1.0 true"]);
    }

    #[test]
    fn a_value_that_does_not_fit_is_pointed_at() {
        let bad = batch(&schema(), &[row(&[("id", json!("a"))]), row(&[("day", json!("yesterday"))])]).unwrap_err();
        assert_eq!((bad.name.as_str(), bad.line, bad.column), ("day", 7, 9));
    }

    #[test]
    fn fractions_are_compared_to_nine_digits() {
        let schema = Arc::new(Schema::new(vec![Field::new("x", DataType::Float64, true)]));
        let batch = batch(&schema, &[row(&[("x", json!(0.1 + 0.2))]), row(&[("x", json!(0.3))]), row(&[("x", json!(0.300_001))])]).unwrap();
        let cells = cells(&[batch], &["x".to_owned()]).unwrap();
        assert_eq!(cells[0][0].key, cells[1][0].key);
        assert_ne!(cells[0][0].key, cells[2][0].key);
    }
}
