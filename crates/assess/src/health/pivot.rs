//! Wide rows (a column per measure) to long rows (`marts.health_measures`).

use crate::error::{Error, Result};
use crate::outputs::health_measures_schema;
use arrow::array::{Array, ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow::compute::{interleave, is_null, take};
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

/// Turns batches of the measures query into rows of the table: account by account, measures in the order of the file.
pub(crate) struct Pivot {
    measures: Vec<Constant>,
    /// The columns that are the same for every account, for the longest batch so far; shorter ones get a slice.
    fixed: Option<(usize, [ArrayRef; 5])>,
}

impl Pivot {
    pub(crate) fn new(card: &Scorecard) -> Self {
        Self { measures: constants(card), fixed: None }
    }

    /// One batch.
    pub(crate) fn lengthen(&mut self, wide: &RecordBatch) -> Result<RecordBatch> {
        let rows = wide.num_rows();
        let count = self.measures.len();
        let repeat = UInt64Array::from_iter_values((0..rows as u64).flat_map(|row| std::iter::repeat_n(row, count)));
        let places: Vec<(usize, usize)> = (0..rows).flat_map(|row| (0..count).map(move |i| (i, row))).collect();
        let spread = |prefix: &str, data_type: &DataType| -> Result<ArrayRef> {
            let columns = (0..count).map(|i| column(wide, &format!("{prefix}{i}"), data_type)).collect::<Result<Vec<_>>>()?;
            let refs: Vec<&dyn Array> = columns.iter().map(AsRef::as_ref).collect();
            Ok(interleave(&refs, &places)?)
        };
        let score = spread("s", &DataType::Float64)?;
        let missing = is_null(&score)?;
        let [measure, group, label, unit, weight] = self.fixed(rows);
        Ok(RecordBatch::try_new(
            health_measures_schema(),
            vec![
                take(&column(wide, "account_id", &DataType::Utf8)?, &repeat, None)?,
                take(&column(wide, "as_of", &DataType::Date32)?, &repeat, None)?,
                measure,
                group,
                label,
                unit,
                spread("v", &DataType::Float64)?,
                score,
                weight,
                spread("b", &DataType::Utf8)?,
                Arc::new(missing),
            ],
        )?)
    }

    /// Measure, group, label, unit and weight for so many accounts.
    fn fixed(&mut self, rows: usize) -> [ArrayRef; 5] {
        let measures = &self.measures;
        let build = || {
            let each = |get: &dyn Fn(&Constant) -> Option<&str>| -> ArrayRef {
                Arc::new((0..rows).flat_map(|_| measures.iter().map(get)).collect::<StringArray>())
            };
            let weight: Float64Array = (0..rows).flat_map(|_| measures.iter().map(|m| m.weight)).collect();
            let texts = [each(&|m| Some(&m.measure)), each(&|m| Some(&m.group)), each(&|m| Some(&m.label)), each(&|m| m.unit.as_deref())];
            let [measure, group, label, unit] = texts;
            (rows, [measure, group, label, unit, Arc::new(weight) as ArrayRef])
        };
        let long_enough = self.fixed.take().filter(|(have, _)| *have >= rows);
        let (have, arrays) = long_enough.unwrap_or_else(build);
        let sliced = arrays.each_ref().map(|array| array.slice(0, rows * measures.len()));
        self.fixed = Some((have, arrays));
        sliced
    }
}

fn column(batch: &RecordBatch, name: &str, data_type: &DataType) -> Result<ArrayRef> {
    let column = batch
        .column_by_name(name)
        .ok_or_else(|| Error::Columns { table: "the measures query".to_owned(), problem: format!("it has no column `{name}`") })?;
    Ok(arrow::compute::cast(column, data_type)?)
}
