//! `marts.model_scores`: probability, decile and reasons of every account.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Float64Array, Float64Builder, Int32Array, Int64Array, ListArray, RecordBatch, StringArray, StringBuilder,
    StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use chrono::NaiveDate;
use cscopilot_lake::TableName;

use crate::error::Result;
use crate::estimate::extras::Expected;
use crate::score::entity;
use crate::score::reasons::Reason;

/// The column that tells whether an account's reasons still hold: a hash of what they were made from.
pub(crate) const KEY: &str = "explanation_key";

/// `marts.model_scores`
pub(crate) fn table() -> TableName {
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

/// The type of the lists of reasons.
pub(crate) fn reasons_type() -> DataType {
    DataType::List(Arc::new(Field::new("item", DataType::Struct(reason_fields()), true)))
}

/// The columns of `marts.model_scores`. Account ids are text, whatever the features table has.
pub(crate) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("account_id", DataType::Utf8, true),
        Field::new("as_of", DataType::Date32, true),
        Field::new("model", DataType::Utf8, true),
        Field::new("model_version", DataType::Int64, true),
        Field::new("estimator", DataType::Utf8, true),
        Field::new("probability", DataType::Float64, true),
        Field::new("margin", DataType::Float64, true),
        Field::new("decile", DataType::Int32, true),
        Field::new("top_reasons", reasons_type(), true),
        Field::new(KEY, DataType::Int64, true),
        Field::new("survival_30d", DataType::Float64, true),
        Field::new("survival_90d", DataType::Float64, true),
        Field::new("survival_180d", DataType::Float64, true),
        Field::new("median_days", DataType::Float64, true),
        Field::new("expected_amount", DataType::Float64, true),
    ]))
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
    /// The column of what is scored, where that isn't the account.
    pub entity: Option<String>,
}

/// Scores of some accounts, or of what the model is about: one entry each.
pub(crate) struct Scores<'a> {
    /// The ids of what is scored.
    pub(crate) ids: ArrayRef,
    /// Its accounts: the same, if accounts are scored.
    pub(crate) accounts: ArrayRef,
    pub(crate) probabilities: &'a [f64],
    pub(crate) margins: &'a [f64],
    pub(crate) deciles: &'a [i32],
    /// Lists of reasons.
    pub(crate) reasons: ArrayRef,
    /// What the reasons were made from; none where nothing is explained.
    pub(crate) keys: Option<&'a [i64]>,
    /// What the models beside the probability's say.
    pub(crate) expected: Expected,
}

/// Scores as rows of `marts.model_scores`, or of `marts.entity_scores` if the stamp names an entity.
pub(crate) fn batch(scores: Scores<'_>, stamp: &Stamp) -> Result<RecordBatch> {
    let n = scores.accounts.len();
    let text = |value: &str| Arc::new(StringArray::from(vec![value; n])) as ArrayRef;
    let keys = scores.keys.map_or_else(|| Int64Array::new_null(n), |keys| Int64Array::from(keys.to_vec()));
    let mut columns: Vec<ArrayRef> = vec![
        scores.accounts,
        Arc::new(Date32Array::from(vec![stamp.as_of.to_epoch_days(); n])),
        text(&stamp.model),
        Arc::new(Int64Array::from(vec![stamp.version; n])),
        text(&stamp.estimator),
        Arc::new(Float64Array::from(scores.probabilities.to_vec())),
        Arc::new(Float64Array::from(scores.margins.to_vec())),
        Arc::new(Int32Array::from(scores.deciles.to_vec())),
        scores.reasons,
        Arc::new(keys),
    ];
    columns.extend(expected_columns(&scores.expected, n));
    let batch = RecordBatch::try_new(schema(), columns)?;
    match &stamp.entity {
        Some(entity) => entity::keyed(&batch, entity, scores.ids),
        None => Ok(batch),
    }
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

/// Reasons as lists, one an account.
pub(crate) fn lists(reasons: &[Vec<Reason>]) -> Result<ArrayRef> {
    let (mut features, mut values, mut contributions, mut texts) =
        (StringBuilder::new(), Float64Builder::new(), Float64Builder::new(), StringBuilder::new());
    for reason in reasons.iter().flatten() {
        features.append_value(&reason.feature);
        values.append_option(reason.value);
        contributions.append_value(reason.contribution);
        texts.append_value(&reason.text);
    }
    let items: Vec<ArrayRef> =
        vec![Arc::new(features.finish()), Arc::new(values.finish()), Arc::new(contributions.finish()), Arc::new(texts.finish())];
    let items = StructArray::try_new(reason_fields(), items, None)?;
    let item = Arc::new(Field::new("item", DataType::Struct(reason_fields()), true));
    let offsets = OffsetBuffer::from_lengths(reasons.iter().map(Vec::len));
    Ok(Arc::new(ListArray::try_new(item, offsets, Arc::new(items), None)?))
}

/// Deciles by falling margin; equal margins go by the order of the rows, which is that of the accounts.
pub(crate) fn deciles(margins: &[f64]) -> Vec<i32> {
    let mut order: Vec<usize> = (0..margins.len()).collect();
    order.sort_by(|a, b| margins[*b].total_cmp(&margins[*a]).then(a.cmp(b)));
    let mut deciles = vec![0; margins.len()];
    for (rank, at) in order.into_iter().enumerate() {
        deciles[at] = (rank * 10 / margins.len()) as i32 + 1;
    }
    deciles
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Array, AsArray};

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
        let ids: ArrayRef = Arc::new(StringArray::from(vec!["7", "8"]));
        let scores = Scores {
            ids: Arc::clone(&ids),
            accounts: ids,
            probabilities: &[0.1, 0.2],
            margins: &[-2.0, -1.0],
            deciles: &[6, 1],
            reasons: lists(&[vec![], vec![reason("a"), reason("b")]]).unwrap(),
            keys: None,
            expected: Expected { outlooks: None, amounts: Some(vec![10.0, 20.0]) },
        };
        let stamp = Stamp { model: "churn".into(), version: 2, estimator: "xgboost".into(), as_of: NaiveDate::default(), entity: None };
        let batch = batch(scores, &stamp).unwrap();
        assert_eq!(batch.schema(), schema());
        let list = batch.column(8).as_list::<i32>();
        assert_eq!((list.value(0).len(), list.value(1).len()), (0, 2));
        assert!(batch.column(9).is_null(0));
        let named = |name: &str| batch.column_by_name(name).unwrap().as_any().downcast_ref::<Float64Array>().unwrap().clone();
        assert_eq!((named("survival_90d").null_count(), named("median_days").null_count()), (2, 2));
        assert_eq!(named("expected_amount").value(1), 20.0);
    }
}
