//! `ops.model_drift`: one row for each thing compared, model and night.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use cscopilot_lake::TableName;

use super::measure::{Drifted, Kind, Status};
use crate::error::Result;
use crate::score::Stamp;

/// `ops.model_drift`
pub fn table() -> TableName {
    TableName::new("ops", "model_drift")
}

/// The columns of `ops.model_drift`: means and missing shares (in percent) in training and tonight, the PSI and what chance hardly exceeds.
pub fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let float = |name: &str| Field::new(name, DataType::Float64, true);
    Arc::new(Schema::new(vec![
        Field::new("as_of", DataType::Date32, true),
        text("model"),
        Field::new("model_version", DataType::Int64, true),
        text("kind"),
        text("name"),
        float("psi"),
        float("psi_by_chance"),
        float("mean_train"),
        float("mean_now"),
        float("missing_train_pct"),
        float("missing_now_pct"),
        text("status"),
    ]))
}

/// Comparisons as rows.
pub(crate) fn batch(all: &[Drifted], stamp: &Stamp) -> Result<RecordBatch> {
    let text = |of: fn(&Drifted) -> &str| Arc::new(all.iter().map(|d| Some(of(d))).collect::<StringArray>()) as ArrayRef;
    let float = |of: fn(&Drifted) -> Option<f64>| Arc::new(all.iter().map(of).collect::<Float64Array>()) as ArrayRef;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Date32Array::from(vec![stamp.as_of.to_epoch_days(); all.len()])),
        Arc::new(StringArray::from(vec![stamp.model.as_str(); all.len()])),
        Arc::new(Int64Array::from(vec![stamp.version; all.len()])),
        text(|d| match d.kind {
            Kind::Feature => "feature",
            Kind::Score => "score",
            Kind::Label => "label",
            Kind::Population => "population",
        }),
        text(|d| &d.name),
        float(|d| d.psi),
        float(|d| d.chance),
        float(|d| d.means.0),
        float(|d| d.means.1),
        float(|d| Some(d.missing.0 * 100.0)),
        float(|d| Some(d.missing.1 * 100.0)),
        text(|d| match d.status {
            Status::Same => "same",
            Status::Changed => "changed",
            Status::Bad => "bad",
        }),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}
