//! What a reader is asked for.

use crate::error::Result;
use crate::plan::StreamPlan;
use cscopilot_spec::source::{CsvFormat, DatabaseReading, Format, Stream};
use cscopilot_spec::{At, Source};

use super::state::Bound;

/// Where rows come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum From {
    /// A table, by the parts of its name.
    Table(Vec<String>),
    /// A query without its semicolon.
    Query(String),
}

/// All that a reader needs to know.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) plan: StreamPlan,
    pub(crate) from: From,
    /// The table's name, or the stream's where a query is read: what messages and `_file` say.
    pub(crate) shown: String,
    /// Rows from here on; all rows without it.
    pub(crate) after: Option<Bound>,
    pub(crate) lookback_secs: u64,
    pub(crate) window_rows: u64,
}

impl Request {
    pub(crate) fn new(plan: StreamPlan, stream: &Stream, stream_name: &str, reading: &DatabaseReading, after: Option<Bound>) -> Self {
        let (from, shown) = match (&stream.table, &stream.query) {
            (_, Some(query)) => (From::Query(query.trim().trim_end_matches([';', ' ', '\n']).to_owned()), stream_name.to_owned()),
            (Some(table), None) => (From::Table(table.split('.').map(str::to_owned).collect()), table.value.clone()),
            // The project's check refuses a stream without either.
            (None, None) => (From::Table(vec![stream_name.to_owned()]), stream_name.to_owned()),
        };
        Self { plan, from, shown, after, lookback_secs: reading.lookback_secs, window_rows: reading.window_rows.value.max(1) }
    }

    /// Whether all rows are read every time.
    pub(crate) fn is_full(&self) -> bool {
        self.plan.rows.cursor.is_none()
    }

    /// The columns by which rows are ordered: cursor, then key, each once, as the database names them.
    pub(crate) fn order(&self) -> Vec<&str> {
        let key = self.plan.rows.primary_key.iter().copied().filter(|key| Some(*key) != self.plan.rows.cursor);
        self.plan.rows.cursor.into_iter().chain(key).map(|column| self.plan.rows.columns[column].from.as_str()).collect()
    }
}

/// The plan of a stream: as for text without any rules of writing, since a database says itself what is NULL.
pub(crate) fn plan(source_name: &str, source: &Source, stream_name: &str, stream: &Stream) -> Result<StreamPlan> {
    let format = Format::Csv(CsvFormat { null_values: Vec::new(), ..CsvFormat::default() });
    let stream = Stream { format: Some(At::nowhere(format)), ..stream.clone() };
    let mut plan = StreamPlan::new(source_name, source, stream_name, &stream)?;
    // A row without a cursor would never be read again when it changes.
    if let Some(cursor) = plan.rows.cursor {
        plan.rows.columns[cursor].needs_value = true;
    }
    Ok(plan)
}
