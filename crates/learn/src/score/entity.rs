//! Where scores go: those of accounts to `marts.model_scores`, those of anything else to tables of their own.
//!
//! Whoever reads `marts.model_scores` counts on one row per account, date and model: a join by account would silently multiply rows if an
//! account had several. What accounts have several of (subscriptions, contacts) is in `marts.entity_scores` and `marts.entity_movements`,
//! which have the same columns and before them `entity`, the column of what is scored, and `entity_id`; SQL brings them to accounts.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use cscopilot_lake::{Params, TableName};

use crate::error::Result;
use crate::score::{moved, rows};

/// A table and its columns.
pub(crate) type Shape = (TableName, SchemaRef);

/// The table of the scores of accounts, or else of what `entity` names.
pub(crate) fn scores(entity: Option<&str>) -> Shape {
    match entity {
        None => (rows::table(), rows::schema()),
        Some(_) => (TableName::new("marts", "entity_scores"), schema(&rows::schema())),
    }
}

/// The table of what moved them.
pub(crate) fn movements(entity: Option<&str>) -> Shape {
    match entity {
        None => (moved::table(), moved::schema()),
        Some(_) => (TableName::new("marts", "entity_movements"), schema(&moved::schema())),
    }
}

fn schema(of_accounts: &Schema) -> SchemaRef {
    let keys = ["entity", "entity_id"].map(|name| Arc::new(Field::new(name, DataType::Utf8, true)));
    Arc::new(Schema::new(keys.into_iter().chain(of_accounts.fields().iter().cloned()).collect::<Vec<_>>()))
}

/// Rows of accounts as rows of what `entity` names, one id a row.
pub(crate) fn keyed(of_accounts: &RecordBatch, entity: &str, ids: ArrayRef) -> Result<RecordBatch> {
    let names: ArrayRef = Arc::new(StringArray::from(vec![entity; of_accounts.num_rows()]));
    let columns = [names, ids].into_iter().chain(of_accounts.columns().iter().cloned()).collect();
    Ok(RecordBatch::try_new(schema(&of_accounts.schema()), columns)?)
}

/// The column with the ids of what is scored.
pub(crate) fn id(entity: Option<&str>) -> &'static str {
    if entity.is_some() { "entity_id" } else { "account_id" }
}

/// The condition that a row of these tables is of the model, as it is about the same thing tonight, and what it binds. Ids of two
/// things may be the same numbers.
pub(crate) fn whose(model: &str, entity: Option<&str>) -> (&'static str, Params) {
    let params = Params::new().with("model", model);
    match entity {
        None => ("model = $model", params),
        Some(entity) => ("model = $model AND entity = $entity", params.with("entity", entity)),
    }
}
