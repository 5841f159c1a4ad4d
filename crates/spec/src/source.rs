//! Sources of data: where files lie, which streams are in them, and what their columns mean.

use crate::{At, Component, Loaded, Project, Text, Version1};
use cscopilot_diag::{Diagnostics, suggest};
use schemars::JsonSchema;
use serde::Deserialize;

mod column;
mod format;
mod ordered;
mod rules;
#[cfg(test)]
mod tests;

pub use column::{Column, ColumnType};
pub use format::{CsvFormat, Format, JsonlFormat, ParquetFormat};
pub use ordered::Ordered;

/// `configs/sources/<name>.yaml`: a folder or bucket of files, and the streams in it.
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
    pub files: FilesRoot,
    /// How many percent of a stream's rows may be rejected before the stream fails and publishes nothing.
    #[serde(default = "default_max_rejected_pct")]
    pub max_rejected_pct: At<f64>,
    /// The streams by name.
    pub streams: Ordered<Stream>,
}

/// The folder or bucket of a source.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FilesRoot {
    /// A folder (relative ones start at the project), or a `file://`, `s3://`, `gs://` or `az://` URL.
    pub path: At<Text>,
    /// Options of the object store, such as `region` or `access_key_id`.
    #[serde(default)]
    pub options: std::collections::BTreeMap<String, At<Text>>,
}

/// One kind of record of a source.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// What one row is.
    #[serde(default)]
    pub description: Option<String>,
    /// The files, as a pattern below the source's path: `subscription*.csv.gz`, `2024/**/*.jsonl`.
    pub files: At<String>,
    /// How the files are written. The file's ending tells by default.
    #[serde(default)]
    pub format: Option<At<Format>>,
    /// No file at all is fine; it is an error by default.
    #[serde(default)]
    pub optional: bool,
    /// Replaces the source's `max_rejected_pct`.
    #[serde(default)]
    pub max_rejected_pct: Option<At<f64>>,
    /// The columns that are read, in the order in which the table has them.
    pub columns: Ordered<Column>,
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
            None => Format::of_name(&self.files),
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
        project.check_text(loaded, &source.files.path, out);
        for option in source.files.options.values() {
            project.check_text(loaded, option, out);
        }
        rules::percent(loaded, &source.max_rejected_pct, out);
        for (name, stream) in source.streams.iter() {
            rules::name(loaded, name, "stream", out);
            rules::stream(loaded, stream, out);
        }
        if source.streams.is_empty() {
            out.push(
                loaded.error("SRC001", &source.files.path, "the source has no streams").with_help("declare at least one under `streams:`"),
            );
        }
    }
}

/// The help for an unknown column: the nearest declared one.
fn column_help(stream: &Stream, name: &str) -> Option<String> {
    suggest::help(name, stream.columns.names())
}
