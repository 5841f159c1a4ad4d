//! What a connector's stream means for one source: its columns, with those that the source adds, and the tables' schemas.

use crate::error::Result;
use crate::log::rows::log_rows;
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use cscopilot_decode::log::{DELETE, Meta, log_schema};
use cscopilot_decode::{arrow_type, segments};
use cscopilot_spec::connector::{Connector, ConnectorStream, Drift, Read};
use cscopilot_spec::source::{Column, Ordered, Source};
use std::sync::OnceLock;

/// A connector's stream, as a source reads it.
pub(crate) struct ConnectorPlan<'a> {
    pub(crate) connector: &'a Connector,
    pub(crate) stream: &'a ConnectorStream,
    /// Columns that the source adds.
    pub(crate) extra: &'a Ordered<Column>,
    pub(crate) drift: Drift,
    pub(crate) max_rejected_pct: f64,
}

fn no_columns() -> &'static Ordered<Column> {
    static NONE: OnceLock<Ordered<Column>> = OnceLock::new();
    NONE.get_or_init(Ordered::default)
}

impl<'a> ConnectorPlan<'a> {
    /// The plan of a stream; nothing where the connector has no such stream.
    pub(crate) fn new(source: &'a Source, connector: &'a Connector, stream_name: &str) -> Option<Self> {
        let stream = connector.streams.get(stream_name)?;
        let own = source.streams.get(stream_name);
        Some(Self {
            connector,
            stream,
            extra: own.map_or(no_columns(), |s| &s.columns),
            drift: own.and_then(|s| s.drift.as_ref()).map_or(stream.drift, |d| d.value),
            max_rejected_pct: own.and_then(|s| s.max_rejected_pct.as_ref()).unwrap_or(&source.max_rejected_pct).value,
        })
    }

    /// Whether new fields become columns.
    pub(crate) fn evolves(&self) -> bool {
        self.drift == Drift::Evolve
    }

    /// Declared columns, those of the source, and those whose values come from requests.
    fn columns(&self) -> Vec<(&str, DataType)> {
        let declared = self.stream.columns.iter().chain(self.extra.iter()).map(|(name, c)| (name.as_str(), arrow_type(c.r#type.value)));
        let mut all: Vec<(&str, DataType)> = declared.collect();
        for (name, added) in self.stream.reads.iter().flat_map(|read| read.records.add.iter()) {
            if !all.iter().any(|(other, _)| *other == name.value) {
                all.push((name.as_str(), arrow_type(added.r#type.value)));
            }
        }
        all
    }

    /// The names of all columns but the log's own.
    pub(crate) fn column_names(&self) -> Vec<String> {
        self.columns().into_iter().map(|(name, _)| name.to_owned()).collect()
    }

    /// The primary key's positions.
    pub(crate) fn key(&self) -> Vec<usize> {
        let columns = self.columns();
        self.stream.primary_key.iter().filter_map(|key| columns.iter().position(|(name, _)| *name == key.value)).collect()
    }

    /// The words that templates see as `stream.<name>`.
    pub(crate) fn words(&self) -> serde_json::Map<String, serde_json::Value> {
        self.stream.vars.iter().map(|(name, word)| (name.clone(), serde_json::json!(word))).collect()
    }

    /// The schema of the raw table.
    pub(crate) fn schema(&self) -> SchemaRef {
        log_schema(self.columns())
    }

    /// Rows that are gone, as rows of the log.
    pub(crate) fn deletions(&self, gone: &RecordBatch, batch: &str, extracted_at_micros: i64) -> Result<RecordBatch> {
        log_rows(gone, &self.schema(), &Meta { extracted_at_micros, op: DELETE, batch, file: "(missing from a complete list)" }, 1)
    }

    /// The fields that are asked for, in groups as long as the connector allows; one group where it sets no limit. Every group names the key.
    pub(crate) fn field_groups(&self, read: &Read) -> Vec<String> {
        let chunks = read.records.property_chunks.as_ref();
        let below = chunks.and_then(|c| c.below.as_deref());
        let mut names: Vec<String> = Vec::new();
        for (name, column) in self.stream.columns.iter().chain(self.extra.iter()) {
            let path = column.from.as_ref().map_or(name.as_str(), |from| from.value.as_str());
            if path.starts_with("$.") || read.records.add.get(name).is_some() {
                continue;
            }
            let mut segments = segments(path).into_iter();
            let first = segments.next();
            let field = match below {
                None => first,
                Some(below) if first.as_deref() == Some(below) => segments.next(),
                Some(_) => None,
            };
            if let Some(field) = field.filter(|f| !names.contains(f)) {
                names.push(field);
            }
        }
        let Some(chunks) = chunks else { return vec![names.join(",")] };
        let key = segments(&chunks.key).into_iter().next().filter(|key| names.contains(key));
        let most = chunks.max_chars.value as usize;
        let mut groups: Vec<String> = Vec::new();
        for name in names.iter().filter(|name| Some(*name) != key.as_ref()) {
            match groups.last_mut() {
                Some(group) if group.len() + 1 + name.len() <= most => {
                    group.push(',');
                    group.push_str(name);
                }
                _ => groups.push(key.iter().chain(std::iter::once(name)).cloned().collect::<Vec<_>>().join(",")),
            }
        }
        if groups.is_empty() { vec![key.unwrap_or_default()] } else { groups }
    }
}
