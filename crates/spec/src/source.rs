//! Sources of data: an account at a vendor, a folder or bucket of files, or a database; which streams are read, and what their columns mean.

use crate::connector::{Connector, Drift};
use crate::{At, Component, Loaded, Project, Text, Version1};
use cscopilot_diag::{Diagnostics, suggest};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

mod account;
mod column;
mod database;
mod format;
mod ordered;
mod rules;
#[cfg(test)]
mod tests;

pub use column::{Column, ColumnType};
pub use database::*;
pub use format::{CsvFormat, Format, JsonlFormat, ParquetFormat};
pub use ordered::Ordered;

/// `configs/sources/<name>.yaml`: what is read, and the streams in it. Exactly one of `connector`, `files` and `database` says where.
///
/// Each stream becomes the tables `raw.<source>__<stream>` (an append-only log) and `raw.<source>__<stream>__rejected` (rows that
/// could not be read, with reason and position).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The format's version.
    pub version: Version1,
    /// What the source is.
    #[serde(default)]
    pub description: Option<String>,
    /// Where the files lie.
    #[serde(default)]
    pub files: Option<FilesRoot>,
    /// An account at a vendor: the name of a manifest in `configs/connectors/`, or of one that comes with the program.
    #[serde(default)]
    pub connector: Option<At<String>>,
    /// A database.
    #[serde(default)]
    pub database: Option<DatabaseRoot>,
    /// Which of the connector's ways to authenticate is used; its first by default.
    #[serde(default)]
    pub auth: Option<At<String>>,
    /// What the connector wants to know of the account. Secrets stand here as `${secret:NAME}`.
    #[serde(default)]
    pub settings: BTreeMap<String, At<Text>>,
    /// The first day of which a connector reads records that have a cursor.
    #[serde(default)]
    pub start: Option<At<chrono::NaiveDate>>,
    /// How many percent of a stream's rows may be rejected before the stream fails and publishes nothing.
    #[serde(default = "default_max_rejected_pct")]
    pub max_rejected_pct: At<f64>,
    /// How many days after their date records used to arrive. It tells when those of the first night, which reads all history at once, count
    /// as known: `known_on(…)` in SQL templates. Records of later nights are known from the night that read them.
    #[serde(default)]
    pub embargo_days: u32,
    /// The streams by name. A connector brings its own: those named here are read, with what is said here besides; all of them (but
    /// the ones that are to be asked for) where none is named.
    #[serde(default)]
    pub streams: Ordered<Stream>,
}

/// Where a source's records come from.
#[derive(Debug, Clone, Copy)]
pub enum SourceKind<'a> {
    /// Files in a folder or bucket.
    Files(&'a FilesRoot),
    /// An account at a vendor, by the name of its connector.
    Connector(&'a At<String>),
    /// A database.
    Database(&'a DatabaseRoot),
}

/// The folder or bucket of a source.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FilesRoot {
    /// A folder (relative ones start at the project), or a `file://`, `s3://`, `gs://` or `az://` URL.
    pub path: At<Text>,
    /// Options of the object store, such as `region` or `access_key_id`.
    #[serde(default)]
    pub options: BTreeMap<String, At<Text>>,
}

/// One kind of record of a source.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// What one row is.
    #[serde(default)]
    pub description: Option<String>,
    /// The files, as a pattern below the source's path: `subscription*.csv.gz`, `2024/**/*.jsonl`.
    #[serde(default)]
    pub files: Option<At<String>>,
    /// The table of a database: `customers` or `schema.customers`.
    #[serde(default)]
    pub table: Option<At<String>>,
    /// A query of a database, in place of a table.
    #[serde(default)]
    pub query: Option<At<String>>,
    /// How the files are written. The file's ending tells by default.
    #[serde(default)]
    pub format: Option<At<Format>>,
    /// No file at all is fine; it is an error by default.
    #[serde(default)]
    pub optional: bool,
    /// Replaces the source's `max_rejected_pct`.
    #[serde(default)]
    pub max_rejected_pct: Option<At<f64>>,
    /// The columns that are read, in the order in which the table has them. For a connector's stream: columns besides its own.
    #[serde(default)]
    pub columns: Ordered<Column>,
    /// Replaces the connector's rule for fields that no column reads.
    #[serde(default)]
    pub drift: Option<At<Drift>>,
    /// The columns that identify a record.
    #[serde(default)]
    pub primary_key: Vec<At<String>>,
    /// A column that grows with time. When a file has changed, only its rows beyond the highest value seen in it are read.
    #[serde(default)]
    pub cursor: Option<At<String>>,
}

fn default_max_rejected_pct() -> At<f64> {
    At::nowhere(1.0)
}

impl Source {
    /// Where its records come from; nothing for a source that says no place or several, which is an error of the project.
    #[must_use]
    pub fn kind(&self) -> Option<SourceKind<'_>> {
        match (&self.files, &self.connector, &self.database) {
            (Some(files), None, None) => Some(SourceKind::Files(files)),
            (None, Some(connector), None) => Some(SourceKind::Connector(connector)),
            (None, None, Some(database)) => Some(SourceKind::Database(database)),
            _ => None,
        }
    }

    /// The names of the streams that are read, in order: those it declares, else all that its connector doesn't want to be asked for.
    #[must_use]
    pub fn stream_names<'a>(&'a self, connector: Option<&'a Connector>) -> Vec<&'a str> {
        match connector {
            Some(connector) if self.streams.is_empty() => {
                connector.streams.iter().filter(|(_, stream)| !stream.opt_in).map(|(name, _)| name.as_str()).collect()
            }
            _ => self.streams.names().collect(),
        }
    }

    /// The threshold that holds for a stream.
    #[must_use]
    pub fn max_rejected_pct(&self, stream: &Stream) -> f64 {
        stream.max_rejected_pct.as_ref().unwrap_or(&self.max_rejected_pct).value
    }
}

impl Stream {
    /// How the files are written: as declared, else as the pattern's ending tells.
    #[must_use]
    pub fn format(&self) -> Option<Format> {
        match &self.format {
            Some(format) => Some(format.value.clone()),
            None => Format::of_name(self.files.as_ref()?),
        }
    }

    /// Whether a column identifies records, or may not be NULL for another reason.
    #[must_use]
    pub fn needs_value(&self, column: &str) -> bool {
        self.primary_key.iter().any(|key| key.value == column) || self.columns.get(column).is_some_and(|c| c.not_null)
    }
}

impl Component for Source {
    const KIND: &'static str = "source";
    const LOCATION: &'static str = "configs/sources";

    fn validate(loaded: &Loaded<Self>, project: &Project, out: &mut Diagnostics) {
        let source = &loaded.value;
        rules::percent(loaded, &source.max_rejected_pct, out);
        for text in source.settings.values() {
            project.check_text(loaded, text, out);
        }
        match source.kind() {
            Some(SourceKind::Files(root)) => {
                project.check_text(loaded, &root.path, out);
                for option in root.options.values() {
                    project.check_text(loaded, option, out);
                }
                rules::has_streams(loaded, &root.path, out);
                for (name, stream) in source.streams.iter() {
                    rules::name(loaded, name, "stream", out);
                    rules::stream(loaded, name, stream, out);
                }
                account::nothing_of_connectors(loaded, out);
            }
            Some(SourceKind::Connector(name)) => account::check(loaded, name, project, out),
            Some(SourceKind::Database(root)) => {
                root.check(loaded, project, out);
                account::nothing_of_connectors(loaded, out);
            }
            None => out.push(
                cscopilot_diag::Diagnostic::error("SRC020", "a source has exactly one of `connector`, `files` and `database`")
                    .at(cscopilot_diag::Place::file(loaded.path.clone()))
                    .with_help(
                        "say where the records come from: `connector: stripe`, `files: {path: data}` or `database: {postgres: {…}}`",
                    ),
            ),
        }
    }
}

/// The help for an unknown column: the nearest declared one.
fn column_help(stream: &Stream, name: &str) -> Option<String> {
    suggest::help(name, stream.columns.names())
}
