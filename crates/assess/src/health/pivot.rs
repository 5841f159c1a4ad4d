//! Wide rows (a column per measure) to long rows (`marts.health_measures`).

use crate::error::{Error, Result};
use crate::outputs::health_measures_schema;
use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow::compute::{interleave, take};
use arrow::datatypes::DataType;
use cscopilot_spec::Scorecard;
use std::sync::Arc;

/// What is the same in every row of a measure.
#[derive(Debug, Clone)]
pub(crate) struct Constant {
    measure: String,
    group: String,
    label: String,
    unit: Option<String>,
    weight: f64,
}

/// The measures of a scorecard in the order of the file.
pub(crate) fn constants(card: &Scorecard) -> Vec<Constant> {
    card.measures()
        .into_iter()
        .map(|(group_name, group, name, measure)| Constant {
            measure: name.to_owned(),
            group: group.label.clone().unwrap_or_else(|| group_name.to_owned()),
            label: measure.label.clone(),
            unit: measure.unit.clone(),
            weight: measure.weight.value,
        })
        .collect()
}

/// Turns one batch of the measures query into rows of the table: account by account, measures in the order of the file.
pub(crate) fn to_long(wide: &RecordBatch, measures: &[Constant]) -> Result<RecordBatch> {
    let rows = wide.num_rows();
    let count = measures.len();
    let repeat = UInt64Array::from_iter_values((0..rows as u64).flat_map(|row| std::iter::repeat_n(row, count)));
    let spread = |prefix: &str, data_type: &DataType| -> Result<ArrayRef> {
        let columns = (0..count).map(|i| column(wide, &format!("{prefix}{i}"), data_type)).collect::<Result<Vec<_>>>()?;
        let refs: Vec<&dyn Array> = columns.iter().map(AsRef::as_ref).collect();
        let places: Vec<(usize, usize)> = (0..rows).flat_map(|row| (0..count).map(move |i| (i, row))).collect();
        Ok(interleave(&refs, &places)?)
    };
    let score = spread("s", &DataType::Float64)?;
    let missing: BooleanArray = (0..score.len()).map(|i| Some(score.is_null(i))).collect();
    let each = |get: &dyn Fn(&Constant) -> Option<&str>| -> ArrayRef {
        Arc::new((0..rows).flat_map(|_| measures.iter().map(get)).collect::<StringArray>())
    };
    let weight: Float64Array = (0..rows).flat_map(|_| measures.iter().map(|m| m.weight)).collect();
    Ok(RecordBatch::try_new(
        health_measures_schema(),
        vec![
            take(&column(wide, "account_id", &DataType::Utf8)?, &repeat, None)?,
            take(&column(wide, "as_of", &DataType::Date32)?, &repeat, None)?,
            each(&|m| Some(&m.measure)),
            each(&|m| Some(&m.group)),
            each(&|m| Some(&m.label)),
            each(&|m| m.unit.as_deref()),
            spread("v", &DataType::Float64)?,
            score,
            Arc::new(weight),
            spread("b", &DataType::Utf8)?,
            Arc::new(missing),
        ],
    )?)
}

fn column(batch: &RecordBatch, name: &str, data_type: &DataType) -> Result<ArrayRef> {
    let column = batch
        .column_by_name(name)
        .ok_or_else(|| Error::Columns { table: "the measures query".to_owned(), problem: format!("it has no column `{name}`") })?;
    Ok(arrow::compute::cast(column, data_type)?)
}
