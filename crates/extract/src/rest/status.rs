//! What is known of each stream: how far it was read, and how far behind it is.

use super::{connector_of, state_of};
use crate::error::Result;
use chrono::{DateTime, Utc};
use cscopilot_diag::clock;
use cscopilot_lake::Lake;
use cscopilot_spec::{Project, SourceKind};
use serde::Serialize;

/// How far a stream was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamStatus {
    /// The source.
    pub source: String,
    /// The stream.
    pub stream: String,
    /// The connector's name, `files` or `database`.
    pub kind: String,
    /// Rows in the raw table; nothing where it isn't there yet.
    pub rows: Option<u64>,
    /// Up to when the API was read, or the exports's token.
    pub cursor: Option<String>,
    /// How long ago that is, in seconds.
    pub lag_secs: Option<i64>,
}

/// All streams of all sources, from what the lake says; sends nothing.
///
/// # Errors
/// Those of the lake.
pub async fn status(project: &Project, lake: &Lake) -> Result<Vec<StreamStatus>> {
    let mut all = Vec::new();
    for (name, loaded) in &project.sources {
        let source = &loaded.value;
        let kind = match source.kind() {
            Some(SourceKind::Connector(connector)) => connector.value.clone(),
            Some(SourceKind::Files(_)) => "files".to_owned(),
            Some(SourceKind::Database(_)) => "database".to_owned(),
            None => continue,
        };
        for stream in source.stream_names(project.connector_of(source)) {
            let info = lake.table(&crate::plan::raw_table(name, stream)).await?;
            let (mut cursor, mut lag_secs) = (None, None);
            if connector_of(project, name).is_some()
                && let Some(state) = state_of(lake, name, stream).await?
            {
                let marks = || state.reads.values().flat_map(|read| read.marks.values());
                let upto = marks().filter_map(|mark| mark.upto).max();
                let at = upto.and_then(DateTime::<Utc>::from_timestamp_micros);
                lag_secs = at.map(|at| (clock::now() - at).num_seconds());
                cursor = at
                    .map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
                    .or_else(|| marks().find_map(|mark| mark.token.clone()));
            }
            all.push(StreamStatus {
                source: name.clone(),
                stream: stream.to_owned(),
                kind: kind.clone(),
                rows: info.and_then(|i| i.rows),
                cursor,
                lag_secs,
            });
        }
    }
    Ok(all)
}
