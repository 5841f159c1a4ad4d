//! Arrow batches of ADBC drivers as the declared columns.
//!
//! Drivers give text for what Arrow has no type for (PostgreSQL's numeric, SQLite's dates), so text is read by the rules of the
//! declaration, as in a file; everything else is cast as in Parquet.

use super::cells::{CellRows, codec};
use super::convert::{Typed, key_first};
use crate::columnar::{RowText, cast};
use crate::convert::{Problems, Source};
use crate::error::Result;
use crate::plan::StreamPlan;
use crate::reject::Reason;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::DataType;

/// The columns of a batch whose columns are those of the plan, in its order.
pub(crate) fn typed(plan: &StreamPlan, batch: &RecordBatch) -> Result<Typed> {
    let mut problems = Problems::new(batch.num_rows());
    let mut columns: Vec<Option<ArrayRef>> = vec![None; plan.columns.len()];
    for index in key_first(plan) {
        let column = &plan.columns[index];
        let input = batch.column(index);
        columns[index] = Some(match as_text(input)? {
            Some(text) => {
                let rows = cells(&text);
                let codec = codec();
                column.convert(&rows.cells[0], &Source { text: &rows.text, codec: &codec }, &mut problems)?
            }
            None => {
                let array = cast(column, input, &mut problems)?;
                if column.needs_value {
                    for row in (0..array.len()).filter(|row| input.is_null(*row)) {
                        problems.add(row, Reason::MissingValue, Some(&column.name), format!("`{}` has no value", column.name));
                    }
                }
                array
            }
        });
    }
    let text = RowText::new(batch)?;
    let raw = problems.list.iter().map(|p| (p.row, text.of(p.row).into_bytes())).collect();
    Ok(Typed { columns: columns.into_iter().flatten().collect(), problems, raw })
}

/// The column as plain strings, if it holds text.
fn as_text(array: &ArrayRef) -> Result<Option<ArrayRef>> {
    Ok(match array.data_type() {
        DataType::Utf8 => Some(std::sync::Arc::clone(array)),
        DataType::LargeUtf8 | DataType::Utf8View => Some(arrow::compute::cast(array, &DataType::Utf8)?),
        DataType::Dictionary(_, value) if matches!(**value, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => {
            Some(arrow::compute::cast(array, &DataType::Utf8)?)
        }
        _ => None,
    })
}

fn cells(text: &ArrayRef) -> CellRows {
    let strings = text.as_string::<i32>();
    let mut rows = CellRows::new(1);
    for row in 0..strings.len() {
        rows.value(strings.is_valid(row).then(|| strings.value(row).as_bytes()));
        rows.end_row();
    }
    rows
}
