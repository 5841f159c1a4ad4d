//! The tables this crate makes, and their columns.

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use cscopilot_lake::TableName;
use cscopilot_spec::Project;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The precision and scale of money.
pub(crate) const MONEY: DataType = DataType::Decimal128(18, 2);

pub(crate) fn health_scores() -> TableName {
    TableName::new("marts", "health_scores")
}

pub(crate) fn health_measures() -> TableName {
    TableName::new("marts", "health_measures")
}

pub(crate) fn alerts() -> TableName {
    TableName::new("ops", "alerts")
}

pub(crate) fn opportunities() -> TableName {
    TableName::new("marts", "opportunities")
}

pub(crate) fn next_actions() -> TableName {
    TableName::new("marts", "next_actions")
}

fn must(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, false)
}

fn may(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}

fn schema(fields: Vec<Field>) -> SchemaRef {
    Arc::new(Schema::new(fields))
}

/// UTC, as every time in the lake.
pub(crate) fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

pub(crate) fn health_scores_schema() -> SchemaRef {
    schema(vec![
        must("account_id", DataType::Utf8),
        must("as_of", DataType::Date32),
        may("health_score", DataType::Float64),
        must("health_band", DataType::Utf8),
        must("health_coverage_pct", DataType::Float64),
        may("segment", DataType::Utf8),
        may("tenure_band", DataType::Utf8),
    ])
}

pub(crate) fn health_measures_schema() -> SchemaRef {
    schema(vec![
        must("account_id", DataType::Utf8),
        must("as_of", DataType::Date32),
        must("measure", DataType::Utf8),
        must("group", DataType::Utf8),
        must("label", DataType::Utf8),
        may("unit", DataType::Utf8),
        may("value", DataType::Float64),
        may("score", DataType::Float64),
        must("weight", DataType::Float64),
        must("band", DataType::Utf8),
        must("missing", DataType::Boolean),
    ])
}

pub(crate) fn alerts_schema() -> SchemaRef {
    schema(vec![
        must("alert_id", DataType::Utf8),
        must("dedupe_key", DataType::Utf8),
        must("account_id", DataType::Utf8),
        must("rule", DataType::Utf8),
        must("severity", DataType::Utf8),
        must("state", DataType::Utf8),
        must("opened_at", timestamp()),
        must("updated_at", timestamp()),
        may("resolved_at", timestamp()),
        may("resolved_from", DataType::Utf8),
        may("snoozed_until", timestamp()),
        may("owner", DataType::Utf8),
        must("title", DataType::Utf8),
        must("message", DataType::Utf8),
        must("evidence", DataType::Utf8),
    ])
}

pub(crate) fn opportunities_schema() -> SchemaRef {
    schema(vec![
        must("account_id", DataType::Utf8),
        must("as_of", DataType::Date32),
        must("kind", DataType::Utf8),
        must("product", DataType::Utf8),
        must("title", DataType::Utf8),
        may("propensity", DataType::Float64),
        may("expected_arr", MONEY),
        must("message", DataType::Utf8),
        must("evidence", DataType::Utf8),
    ])
}

pub(crate) fn next_actions_schema() -> SchemaRef {
    schema(vec![
        must("account_id", DataType::Utf8),
        must("as_of", DataType::Date32),
        must("play", DataType::Utf8),
        must("rank", DataType::Int32),
        must("priority", DataType::Int32),
        must("title", DataType::Utf8),
        must("reason", DataType::Utf8),
        must("since", DataType::Date32),
        must("due_on", DataType::Date32),
        may("owner", DataType::Utf8),
        may("expected_effect", DataType::Utf8),
    ])
}

/// The tables that this crate makes for a project, with their columns.
#[must_use]
pub fn outputs(project: &Project) -> BTreeMap<TableName, SchemaRef> {
    let mut all =
        BTreeMap::from([(alerts(), alerts_schema()), (opportunities(), opportunities_schema()), (next_actions(), next_actions_schema())]);
    if !project.scorecards.is_empty() {
        all.insert(health_scores(), health_scores_schema());
        all.insert(health_measures(), health_measures_schema());
    }
    all
}
