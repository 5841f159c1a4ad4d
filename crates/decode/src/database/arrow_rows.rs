//! Arrow batches of ADBC drivers as the declared columns.
//!
//! They are read as Parquet is: text by the rules of the declaration, since drivers give text for what Arrow has no type for (PostgreSQL's
//! numeric, SQLite's dates), and everything else is cast.

use super::convert::{Typed, key_first};
use crate::columnar::{RowText, cast};
use crate::convert::Problems;
use crate::error::Result;
use crate::plan::RowPlan;
use crate::reject::Reason;
use arrow::array::{Array, ArrayRef, RecordBatch};

/// The columns of a batch whose columns are those of the plan, in its order.
pub(crate) fn typed(plan: &RowPlan, batch: &RecordBatch) -> Result<Typed> {
    let mut problems = Problems::new(batch.num_rows());
    let mut columns: Vec<Option<ArrayRef>> = vec![None; plan.columns.len()];
    for index in key_first(plan) {
        let (column, input) = (&plan.columns[index], batch.column(index));
        let array = cast(column, input, &mut problems)?;
        if column.needs_value {
            for row in (0..array.len()).filter(|row| input.is_null(*row)) {
                problems.add(row, Reason::MissingValue, Some(&column.name), format!("`{}` has no value", column.name));
            }
        }
        columns[index] = Some(array);
    }
    let text = RowText::new(batch)?;
    let raw = problems.list.iter().map(|p| (p.row, text.of(p.row).into_bytes())).collect();
    Ok(Typed { columns: columns.into_iter().flatten().collect(), problems, raw })
}
