//! What a stream's declaration means for reading: settings resolved, names bound, tables named.

use crate::convert::number::Style;
use crate::convert::time::Form;
use crate::convert::{ColumnPlan, arrow_type};
use crate::error::Error;
use crate::reject::rejected_schema;
use crate::rest::ConnectorPlan;
use arrow::array::timezone::Tz;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use cscopilot_lake::TableName;
use cscopilot_spec::connector::Partitions;
use cscopilot_spec::source::{Column, CsvFormat, Format, Stream};
use cscopilot_spec::{Project, Source};
use encoding_rs::Encoding;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The columns that every raw table has besides the declared ones.
pub(crate) const META_COLUMNS: [&str; 5] = ["_extracted_at", "_op", "_batch", "_file", "_line"];

/// A stream, ready to be read.
#[derive(Debug)]
pub(crate) struct StreamPlan {
    pub(crate) table: TableName,
    pub(crate) rejected: TableName,
    pub(crate) format: Format,
    pub(crate) encoding: &'static Encoding,
    pub(crate) columns: Vec<ColumnPlan>,
    pub(crate) primary_key: Vec<usize>,
    pub(crate) cursor: Option<usize>,
    pub(crate) max_rejected_pct: f64,
    pub(crate) schema: SchemaRef,
    /// A hash of everything that changes how files are read.
    pub(crate) declaration: String,
}

impl StreamPlan {
    /// What tells one row from another: the key, and the cursor where there is one, since a later version of a record is no repetition.
    pub(crate) fn row_key(&self) -> Vec<usize> {
        if self.primary_key.is_empty() {
            return Vec::new();
        }
        let cursor = self.cursor.filter(|cursor| !self.primary_key.contains(cursor));
        self.primary_key.iter().copied().chain(cursor).collect()
    }

    pub(crate) fn new(source_name: &str, source: &Source, stream_name: &str, stream: &Stream) -> Result<Self, Error> {
        let format = stream
            .format()
            .ok_or_else(|| Error::UnknownFormat { files: stream.files.as_ref().map(|f| f.value.clone()).unwrap_or_default() })?;
        let csv = match &format {
            Format::Csv(csv) => Some(csv),
            _ => None,
        };
        let label = match &format {
            Format::Csv(csv) => csv.encoding.as_str(),
            Format::Jsonl(jsonl) => jsonl.encoding.as_str(),
            Format::Parquet(_) => "utf-8",
        };
        let encoding = encoding(label).ok_or_else(|| Error::UnknownEncoding { label: label.to_owned() })?;
        let columns: Vec<ColumnPlan> =
            stream.columns.iter().map(|(name, column)| column_plan(name, column, stream, csv)).collect::<Result<_, _>>()?;
        Ok(Self {
            table: raw_table(source_name, stream_name),
            rejected: rejected_table(source_name, stream_name),
            encoding,
            primary_key: stream.primary_key.iter().filter_map(|key| stream.columns.position(key)).collect(),
            cursor: stream.cursor.as_ref().and_then(|cursor| stream.columns.position(cursor)),
            max_rejected_pct: source.max_rejected_pct(stream),
            schema: raw_schema(stream),
            declaration: declaration(&format, stream),
            columns,
            format,
        })
    }

    /// The layout of CSV files, if that is what they are.
    pub(crate) fn csv(&self) -> Option<&CsvFormat> {
        match &self.format {
            Format::Csv(csv) => Some(csv),
            _ => None,
        }
    }
}

/// `raw.<source>__<stream>`
pub(crate) fn raw_table(source: &str, stream: &str) -> TableName {
    TableName::new("raw", format!("{source}__{stream}"))
}

/// `raw.<source>__<stream>__rejected`
pub(crate) fn rejected_table(source: &str, stream: &str) -> TableName {
    TableName::new("raw", format!("{source}__{stream}__rejected"))
}

fn column_plan(name: &str, column: &Column, stream: &Stream, csv: Option<&CsvFormat>) -> Result<ColumnPlan, Error> {
    let of_csv = |pick: fn(&CsvFormat) -> Option<char>| csv.and_then(pick);
    let point = column.decimal_separator.as_ref().map(|s| s.value).or_else(|| of_csv(|c| c.decimal_separator.as_ref().map(|s| s.value)));
    let thousands =
        column.thousands_separator.as_ref().map(|s| s.value).or_else(|| of_csv(|c| c.thousands_separator.as_ref().map(|s| s.value)));
    let mut null_values: Vec<Vec<u8>> = column.null_values.iter().map(|v| v.clone().into_bytes()).collect();
    null_values.extend(csv.into_iter().flat_map(|c| &c.null_values).map(|v| v.clone().into_bytes()));
    let mut forms: Vec<Form> = column.all_formats().map(|f| Form::parse(f)).collect();
    if forms.is_empty() {
        forms.push(Form::Iso);
    }
    let zone = match &column.zone {
        None => None,
        Some(zone) => Some(parse_zone(zone).ok_or_else(|| Error::UnknownZone { zone: zone.value.clone() })?),
    };
    Ok(ColumnPlan {
        name: Arc::from(name),
        from: column.from.as_ref().map_or_else(|| name.to_owned(), |from| from.value.clone()),
        kind: column.r#type.value,
        needs_value: stream.needs_value(name),
        optional: column.optional,
        trim: csv.is_some_and(|c| c.trim),
        null_values,
        forms,
        zone: zone.flatten(),
        style: Style { point: point.unwrap_or('.'), thousands },
        round: column.round,
        true_values: column.true_values.clone(),
        false_values: column.false_values.clone(),
    })
}

/// A zone; UTC needs no conversion.
#[allow(clippy::option_option)]
pub(crate) fn parse_zone(zone: &str) -> Option<Option<Tz>> {
    if zone == "UTC" { Some(None) } else { zone.parse().ok().map(Some) }
}

/// An encoding by its web label.
pub(crate) fn encoding(label: &str) -> Option<&'static Encoding> {
    Encoding::for_label(label.as_bytes()).filter(|e| *e != encoding_rs::REPLACEMENT)
}

/// The schema of a raw table that holds a stream of files or a database.
fn raw_schema(stream: &Stream) -> SchemaRef {
    log_schema(stream.columns.iter().map(|(name, column)| (name.as_str(), arrow_type(column.r#type.value))))
}

/// The schema of a raw table: its own columns, and the log's.
pub(crate) fn log_schema(own: impl IntoIterator<Item = (impl Into<String>, DataType)>) -> SchemaRef {
    let meta = META_COLUMNS.map(|name| {
        let kind = match name {
            "_extracted_at" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            "_line" => DataType::Int64,
            _ => DataType::Utf8,
        };
        Field::new(name, kind, true)
    });
    let own = own.into_iter().map(|(name, kind)| Field::new(name, kind, true));
    Arc::new(Schema::new(own.chain(meta).collect::<Vec<_>>()))
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
                    Some(Partitions::Parent(parent)) => Some(raw_table(source_name, &parent.stream)),
                    _ => None,
                }
            });
            tasks.push(TaskInfo {
                source: source_name.clone(),
                stream: stream.to_owned(),
                id: format!("extract.{source_name}.{stream}"),
                reads: parents.collect(),
                writes: vec![raw_table(source_name, stream), rejected_table(source_name, stream)],
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
                None => source.value.streams.get(name).map(raw_schema),
            };
            if let Some(schema) = schema {
                tables.insert(raw_table(source_name, name), schema);
                tables.insert(rejected_table(source_name, name), rejected_schema());
            }
        }
    }
    tables
}
