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
use arrow::util::display::{ArrayFormatter, FormatOptions};
use cscopilot_spec::source::ColumnType;

/// The columns of a batch whose columns are those of the plan, in its order.
pub(crate) fn typed(plan: &StreamPlan, batch: &RecordBatch) -> Result<Typed> {
    let mut problems = Problems::new(batch.num_rows());
    let mut columns: Vec<Option<ArrayRef>> = vec![None; plan.columns.len()];
    for index in key_first(plan) {
        let column = &plan.columns[index];
        let input = batch.column(index);
        columns[index] = Some(match as_text(column.kind, input)? {
            Some(rows) => {
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

/// The column as text, if it holds text, or if a cast would not do what the declaration says: a number is no instant by itself, any
/// number would be a truth, and a float would be rounded to a decimal without a word.
fn as_text(kind: ColumnType, array: &ArrayRef) -> Result<Option<CellRows>> {
    let from = array.data_type();
    let is_text = match from {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => matches!(**value, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View),
        _ => false,
    };
    if is_text {
        let text = arrow::compute::cast(array, &DataType::Utf8)?;
        let strings = text.as_string::<i32>();
        return Ok(Some(cells((0..strings.len()).map(|row| strings.is_valid(row).then(|| strings.value(row))))));
    }
    let misread = match kind {
        ColumnType::Bool | ColumnType::Date | ColumnType::Timestamp => from.is_numeric(),
        ColumnType::Decimal(_, _) => from.is_floating(),
        _ => false,
    };
    if !misread {
        return Ok(None);
    }
    let formatter = ArrayFormatter::try_new(array.as_ref(), &FormatOptions::default())?;
    Ok(Some(cells((0..array.len()).map(|row| array.is_valid(row).then(|| formatter.value(row).to_string())))))
}

fn cells<T: AsRef<str>>(values: impl Iterator<Item = Option<T>>) -> CellRows {
    let mut rows = CellRows::new(1);
    for value in values {
        rows.value(value.as_ref().map(|text| text.as_ref().as_bytes()));
        rows.end_row();
    }
    rows
}
