//! Tonight's scores: probability, decile and reasons of every account.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Date32Array, Float64Array, Float64Builder, Int32Array, Int64Array, ListArray, RecordBatch, StringArray, StringBuilder,
    StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use chrono::NaiveDate;
use cscopilot_lake::{Lake, Mode, TableName, Txn, Write, stream_of_batches};

use crate::data::dataset::Table;
use crate::data::frame;
use crate::error::{Error, Result};
use crate::estimate::extras::Expected;
use crate::registry::Registered;
use crate::score::reasons::{Narrator, Reason};

/// How far the sum of the reasons may be from the margin.
const ADDITIVITY: f64 = 1e-4;

/// `marts.model_scores`
pub fn table() -> TableName {
    TableName::new("marts", "model_scores")
}

fn reason_fields() -> Fields {
    Fields::from(vec![
        Field::new("feature", DataType::Utf8, true),
        Field::new("value", DataType::Float64, true),
        Field::new("contribution", DataType::Float64, true),
        Field::new("text", DataType::Utf8, true),
    ])
}

/// The columns of `marts.model_scores`. Account ids are text, whatever the features table has.
pub fn schema() -> SchemaRef {
    let item = Field::new("item", DataType::Struct(reason_fields()), true);
    Arc::new(Schema::new(vec![
        Field::new("account_id", DataType::Utf8, true),
        Field::new("as_of", DataType::Date32, true),
        Field::new("model", DataType::Utf8, true),
        Field::new("model_version", DataType::Int64, true),
        Field::new("estimator", DataType::Utf8, true),
        Field::new("probability", DataType::Float64, true),
        Field::new("margin", DataType::Float64, true),
        Field::new("decile", DataType::Int32, true),
        Field::new("top_reasons", DataType::List(Arc::new(item)), true),
        Field::new("survival_30d", DataType::Float64, true),
        Field::new("survival_90d", DataType::Float64, true),
        Field::new("survival_180d", DataType::Float64, true),
        Field::new("median_days", DataType::Float64, true),
        Field::new("expected_amount", DataType::Float64, true),
    ]))
}

/// Scores of rows: one entry per row.
#[derive(Debug, Clone, Default)]
pub struct Scores {
    /// Calibrated probabilities.
    pub probabilities: Vec<f64>,
    /// Margins.
    pub margins: Vec<f64>,
    /// Deciles by margin, 1 the highest.
    pub deciles: Vec<i32>,
    /// Reasons, the largest first.
    pub reasons: Vec<Vec<Reason>>,
    /// What the models beside the probability's say.
    pub expected: Expected,
}

/// Scores and explains every row of a table.
///
/// # Errors
/// [`Error::NotAdditive`] if the reasons don't add up to the margin that the model itself gives.
pub fn score(name: &str, model: &Registered, table: &Table, narrator: Narrator<'_>) -> Result<Scores> {
    let rows: Vec<usize> = (0..table.rows).collect();
    let margins = model.fitted.margins(table, &rows)?;
    let explained = model.fitted.explain(table, &rows)?;
    let mut off = 0.0;
    for (row, margin) in margins.iter().enumerate() {
        let here = (explained.margin(row) - margin).abs();
        if here.is_nan() || here > off {
            off = here;
        }
    }
    if off.is_nan() || off > ADDITIVITY {
        return Err(Error::NotAdditive { model: name.to_owned(), off });
    }
    let reasons = rows
        .iter()
        .map(|&row| {
            let values: Vec<f64> = table.columns.iter().map(|c| c[row]).collect();
            narrator.top(&values, explained.row(row))
        })
        .collect();
    let probabilities: Vec<f64> = margins.iter().map(|m| model.calibrator.probability(*m)).collect();
    let expected = model.extras.expected(table, &probabilities)?;
    Ok(Scores { probabilities, deciles: deciles(&margins), margins, reasons, expected })
}

/// Deciles by falling margin; equal margins go by the order of the rows, which is that of the accounts.
fn deciles(margins: &[f64]) -> Vec<i32> {
    let mut order: Vec<usize> = (0..margins.len()).collect();
    order.sort_by(|a, b| margins[*b].total_cmp(&margins[*a]).then(a.cmp(b)));
    let mut deciles = vec![0; margins.len()];
    for (rank, at) in order.into_iter().enumerate() {
        deciles[at] = (rank * 10 / margins.len()) as i32 + 1;
    }
    deciles
}

/// What is written beside the scores.
#[derive(Debug, Clone)]
pub struct Stamp {
    /// The model.
    pub model: String,
    /// Its version.
    pub version: i64,
    /// Its estimator.
    pub estimator: String,
    /// The date.
    pub as_of: NaiveDate,
}

/// Scores as rows of `marts.model_scores`.
pub fn batch(accounts: ArrayRef, scores: &Scores, stamp: &Stamp) -> Result<RecordBatch> {
    let n = accounts.len();
    let text = |value: &str| Arc::new(StringArray::from(vec![value; n])) as ArrayRef;
    let (mut features, mut values, mut contributions, mut texts) =
        (StringBuilder::new(), Float64Builder::new(), Float64Builder::new(), StringBuilder::new());
    for reason in scores.reasons.iter().flatten() {
        features.append_value(&reason.feature);
        values.append_option(reason.value);
        contributions.append_value(reason.contribution);
        texts.append_value(&reason.text);
    }
    let items: Vec<ArrayRef> =
        vec![Arc::new(features.finish()), Arc::new(values.finish()), Arc::new(contributions.finish()), Arc::new(texts.finish())];
    let items = StructArray::try_new(reason_fields(), items, None)?;
    let item = Arc::new(Field::new("item", DataType::Struct(reason_fields()), true));
    let offsets = OffsetBuffer::from_lengths(scores.reasons.iter().map(Vec::len));
    let mut columns: Vec<ArrayRef> = vec![
        accounts,
        Arc::new(Date32Array::from(vec![stamp.as_of.to_epoch_days(); n])),
        text(&stamp.model),
        Arc::new(Int64Array::from(vec![stamp.version; n])),
        text(&stamp.estimator),
        Arc::new(Float64Array::from(scores.probabilities.clone())),
        Arc::new(Float64Array::from(scores.margins.clone())),
        Arc::new(Int32Array::from(scores.deciles.clone())),
        Arc::new(ListArray::try_new(item, offsets, Arc::new(items), None)?),
    ];
    columns.extend(expected_columns(&scores.expected, n));
    Ok(RecordBatch::try_new(schema(), columns)?)
}

/// Survival, median time and amount; NULL where the model has none.
fn expected_columns(expected: &Expected, n: usize) -> Vec<ArrayRef> {
    let column = |value: &dyn Fn(usize) -> Option<f64>| Arc::new(Float64Array::from_iter((0..n).map(value))) as ArrayRef;
    let outlook = |row: usize| expected.outlooks.as_ref().and_then(|o| o.get(row));
    let survival = |horizon: usize| column(&move |row| outlook(row).map(|o| o.survival[horizon]));
    vec![
        survival(0),
        survival(1),
        survival(2),
        column(&|row| outlook(row).and_then(|o| o.median_days)),
        column(&|row| expected.amounts.as_ref().and_then(|a| a.get(row).copied())),
    ]
}

/// The account ids of rows that [`frame::unlabelled`] read.
pub fn account_ids(batches: &[RecordBatch]) -> Result<Option<ArrayRef>> {
    if batches.is_empty() {
        return Ok(None);
    }
    let arrays: Vec<&dyn Array> = batches.iter().map(|b| b.column(0).as_ref()).collect();
    Ok(Some(cast(&concat(&arrays)?, &DataType::Utf8)?))
}

/// Replaces the scores of the stamp's model and date.
pub async fn commit(lake: &Lake, rows: RecordBatch, txn: Txn) -> Result<()> {
    let data = stream_of_batches(rows.schema(), vec![rows]);
    lake.commit(Write::new(table(), Mode::OverwritePartitions, data, txn).partitioned_by(["model", "as_of"])).await?;
    Ok(())
}

/// Makes the table if it isn't there, so that SQL may read it on nights without any champion.
pub async fn ensure_table(lake: &Lake, txn: Txn) -> Result<()> {
    if lake.table(&table()).await?.is_none() {
        let data = stream_of_batches(schema(), vec![RecordBatch::new_empty(schema())]);
        lake.commit(Write::new(table(), Mode::Append, data, txn).partitioned_by(["model", "as_of"])).await?;
    }
    Ok(())
}

/// Reads the rows of a date for a model and checks that its columns are there.
pub async fn rows(lake: &Lake, name: &str, version: i64, model: &Registered, as_of: NaiveDate) -> Result<Vec<RecordBatch>> {
    let source = &model.features.table;
    let schema = frame::schema_of(lake, source).await?;
    let names = model.features.names();
    let categorical = model.features.categorical();
    let usable = |n: &&String| {
        let right = if categorical.contains(*n) { frame::is_category_type } else { frame::is_feature_type };
        schema.field_with_name(n).is_ok_and(|f| right(f.data_type()))
    };
    let missing: Vec<String> = names.iter().filter(|n| !usable(n)).map(|n| format!("`{n}`")).collect();
    if !missing.is_empty() {
        return Err(Error::MissingFeatures { model: name.to_owned(), version, missing: missing.join(", "), table: source.clone() });
    }
    frame::unlabelled(lake, source, &names, &categorical, as_of).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deciles_are_even_and_start_with_the_highest() {
        let margins: Vec<f64> = (0..20).map(f64::from).collect();
        let deciles = deciles(&margins);
        assert_eq!((deciles[19], deciles[18], deciles[17], deciles[0]), (1, 1, 2, 10));
        assert_eq!(super::deciles(&[0.5, 0.5]), [1, 6]);
    }

    #[test]
    fn scores_become_rows_with_lists_of_reasons() {
        let reason = |f: &str| Reason { feature: f.into(), value: None, contribution: 0.5, text: "t".into() };
        let scores = Scores {
            probabilities: vec![0.1, 0.2],
            margins: vec![-2.0, -1.0],
            deciles: vec![6, 1],
            reasons: vec![vec![], vec![reason("a"), reason("b")]],
            expected: Expected { outlooks: None, amounts: Some(vec![10.0, 20.0]) },
        };
        let stamp = Stamp { model: "churn".into(), version: 2, estimator: "xgboost".into(), as_of: NaiveDate::default() };
        let batch = batch(Arc::new(StringArray::from(vec!["7", "8"])), &scores, &stamp).unwrap();
        assert_eq!(batch.schema(), schema());
        let list = batch.column(8).as_any().downcast_ref::<ListArray>().unwrap();
        assert_eq!((list.value(0).len(), list.value(1).len()), (0, 2));
        let named = |name: &str| batch.column_by_name(name).unwrap().as_any().downcast_ref::<Float64Array>().unwrap().clone();
        assert_eq!((named("survival_90d").null_count(), named("median_days").null_count()), (2, 2));
        assert_eq!(named("expected_amount").value(1), 20.0);
    }
}
