//! What a stream's declaration means for reading and publishing it: how its bytes become rows, and which tables they go to.

use crate::error::Error;
use crate::log::Tables;
use crate::rest::ConnectorPlan;
use arrow::datatypes::SchemaRef;
use cscopilot_decode::{RowPlan, rejected_schema};
use cscopilot_lake::TableName;
use cscopilot_spec::connector::Partitions;
use cscopilot_spec::source::{Format, Stream};
use cscopilot_spec::{Project, Source};
use std::collections::BTreeMap;

/// A stream, ready to be read.
#[derive(Debug)]
pub(crate) struct StreamPlan {
    pub(crate) tables: Tables,
    pub(crate) max_rejected_pct: f64,
    /// How its bytes become rows.
    pub(crate) rows: RowPlan,
    /// A hash of everything that changes how files are read.
    pub(crate) declaration: String,
}

impl StreamPlan {
    pub(crate) fn new(source_name: &str, source: &Source, stream_name: &str, stream: &Stream) -> Result<Self, Error> {
        let rows = RowPlan::new(stream)?;
        Ok(Self {
            tables: Tables::of(source_name, stream_name),
            max_rejected_pct: source.max_rejected_pct(stream),
            declaration: declaration(&rows.format, stream),
            rows,
        })
    }
}

fn declaration(format: &Format, stream: &Stream) -> String {
    // Both serialise in the order of the file, without maps of unstable order.
    let text = serde_json::to_string(&(format, &stream.columns)).unwrap_or_default();
    blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
}

/// What a task reads and writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskInfo {
    /// The source's name.
    pub source: String,
    /// The stream's name.
    pub stream: String,
    /// The task's id, such as `extract.crm.accounts`.
    pub id: String,
    /// Tables it reads: that of the parent, for streams that have one.
    pub reads: Vec<TableName>,
    /// Tables it writes: the raw table and the one of rejected rows.
    pub writes: Vec<TableName>,
}

/// One task a stream, sorted by source, in the order of the files.
#[must_use]
pub fn tasks(project: &Project) -> Vec<TaskInfo> {
    let mut tasks = Vec::new();
    for (source_name, source) in &project.sources {
        let connector = project.connector_of(&source.value);
        for stream in source.value.stream_names(connector) {
            // A child stream follows its parent's rows.
            let parents = connector.and_then(|c| c.streams.get(stream)).into_iter().flat_map(|s| &s.reads).filter_map(|read| {
                match &read.partitions {
                    Some(Partitions::Parent(parent)) => Some(Tables::of(source_name, &parent.stream).rows),
                    _ => None,
                }
            });
            let Tables { rows, rejected } = Tables::of(source_name, stream);
            tasks.push(TaskInfo {
                source: source_name.clone(),
                stream: stream.to_owned(),
                id: format!("extract.{source_name}.{stream}"),
                reads: parents.collect(),
                writes: vec![rows, rejected],
            });
        }
    }
    tasks
}

/// The schemas of all raw tables.
#[must_use]
pub fn outputs(project: &Project) -> BTreeMap<TableName, SchemaRef> {
    let mut tables = BTreeMap::new();
    for (source_name, source) in &project.sources {
        let connector = project.connector_of(&source.value);
        for name in source.value.stream_names(connector) {
            let schema = match connector {
                Some(connector) => ConnectorPlan::new(&source.value, connector, name).map(|plan| plan.schema()),
                None => source.value.streams.get(name).map(RowPlan::schema_of),
            };
            if let Some(schema) = schema {
                let Tables { rows, rejected } = Tables::of(source_name, name);
                tables.insert(rows, schema);
                tables.insert(rejected, rejected_schema());
            }
        }
    }
    tables
}
