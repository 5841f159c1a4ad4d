//! What syncs read and write.

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use cscopilot_lake::TableName;
use cscopilot_spec::Project;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One sync of a project.
#[derive(Debug, Clone)]
pub struct Task {
    /// The sync's name.
    pub sync: String,
    /// The table it reads.
    pub reads: Vec<TableName>,
    /// The log it writes.
    pub writes: Vec<TableName>,
    /// The texts that decide what it does.
    pub texts: Vec<Arc<str>>,
}

/// `ops.sync_log`
pub(crate) fn log_table() -> TableName {
    TableName::new("ops", "sync_log")
}

/// One task a sync, sorted by name.
#[must_use]
pub fn tasks(project: &Project) -> Vec<Task> {
    let task = |(name, loaded): (&String, &cscopilot_spec::Loaded<cscopilot_spec::Sync>)| Task {
        sync: name.clone(),
        reads: loaded.value.from.table.parse().into_iter().collect(),
        writes: vec![log_table()],
        texts: vec![Arc::clone(&loaded.text)],
    };
    project.syncs.iter().map(task).collect()
}

/// The schema of the log.
#[must_use]
pub fn outputs(_project: &Project) -> BTreeMap<TableName, SchemaRef> {
    BTreeMap::from([(log_table(), log_schema())])
}

pub(crate) fn log_schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    Arc::new(Schema::new(vec![
        text("sync"),
        text("run_id"),
        Field::new("as_of", DataType::Date32, true),
        // Which run of the sync this was, counted from 1: the order in which values were written.
        Field::new("sequence", DataType::Int64, true),
        text("record_key"),
        Field::new("attempt", DataType::Int64, true),
        text("operation"),
        text("fields"),
        text("before"),
        text("after"),
        text("status"),
        text("error_code"),
        text("error_message"),
    ]))
}
