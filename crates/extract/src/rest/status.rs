//! What is known of each stream: how far it was read, and how far behind that is.

use super::connector_of;
use super::state::{Mark, State};
use crate::error::Result;
use crate::log::Tables;
use crate::log::state::Stored;
use chrono::{DateTime, SecondsFormat, Utc};
use cscopilot_diag::clock;
use cscopilot_lake::Lake;
use cscopilot_spec::connector::{ConnectorStream, Partitions, Read, When};
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
    /// How far it was read, in words.
    pub progress: String,
    /// When everything was read at once: the last time that this was done, or where it is done every time, that it brought a change.
    pub whole_at: Option<String>,
    /// Everything that changed before this instant was read.
    pub upto: Option<String>,
    /// What the next read goes on from: an export's token, or the last value of a database's cursor.
    pub cursor: Option<String>,
    /// How long ago the last instant is of which all changes were read, in seconds; unknown where everything is read every time.
    pub lag_secs: Option<i64>,
}

/// All streams of all sources, from what the lake says; sends nothing.
///
/// # Errors
/// Those of the lake.
pub async fn status(project: &Project, lake: &Lake) -> Result<Vec<StreamStatus>> {
    status_at(project, lake, clock::now()).await
}

async fn status_at(project: &Project, lake: &Lake, now: DateTime<Utc>) -> Result<Vec<StreamStatus>> {
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
            let table = Tables::of(name, stream).rows;
            let info = lake.table(&table).await?;
            let api = connector_of(project, name).and_then(|(_, connector)| connector.streams.get(stream));
            let reached = match info.as_ref().and_then(|info| info.state.as_ref()) {
                None => Reached::default(),
                Some(state) => match (source.kind(), api) {
                    (_, Some(api)) => of_api(api, &State::parse(&table.to_string(), Some(state))?),
                    (Some(SourceKind::Database(_)), _) => of_database(crate::database::reached(&table.to_string(), state)?),
                    _ => Reached {
                        files: Some(crate::state::State::parse(&table.to_string(), Some(state))?.files.len()),
                        ..Reached::default()
                    },
                },
            };
            all.push(StreamStatus {
                source: name.clone(),
                stream: stream.to_owned(),
                kind: kind.clone(),
                progress: if info.is_some() { reached.words(now) } else { "not read yet".to_owned() },
                rows: info.and_then(|i| i.rows),
                whole_at: reached.whole_at.map(iso),
                upto: reached.upto.map(iso),
                lag_secs: reached.known_until().map(|at| (now - at).num_seconds()),
                cursor: reached.cursor.map(|(_, value)| value),
            });
        }
    }
    Ok(all)
}

/// What a stream's state says.
#[derive(Debug, Default)]
struct Reached {
    /// When everything was read at once.
    whole_at: Option<DateTime<Utc>>,
    /// That is done every time.
    always_whole: bool,
    upto: Option<DateTime<Utc>>,
    /// The name of a cursor, or nothing for a token, and its value.
    cursor: Option<(Option<String>, String)>,
    /// The stream whose records it follows, and whether it followed all.
    parent: Option<(String, bool)>,
    files: Option<usize>,
}

fn of_api(stream: &ConnectorStream, state: &State) -> Reached {
    let of = |read: &Read| state.reads.get(&read.name.value).map(|r| r.marks.values().collect::<Vec<&Mark>>()).unwrap_or_default();
    let reads = || stream.reads.iter();
    let at = |micros: Option<i64>| micros.and_then(DateTime::from_timestamp_micros);
    // As far as the one of them that is furthest behind.
    let upto = |later: bool| {
        let windows = reads().filter(|r| r.incremental.is_some() && (r.when != When::First) == later);
        windows.flat_map(of).filter_map(|mark| mark.upto).min()
    };
    let whole = reads().filter(|r| r.incremental.is_none() && !matches!(r.partitions, Some(Partitions::Parent(_))));
    let last_whole = whole.filter(|r| r.when != When::First).flat_map(of).filter_map(|mark| mark.upto).max();
    let has_windows = reads().any(|r| r.incremental.is_some() && r.when != When::First);
    let parent = reads().find_map(|read| match &read.partitions {
        Some(Partitions::Parent(parent)) => {
            let mark = of(read).into_iter().find_map(|mark| mark.parent.as_ref())?;
            Some((parent.stream.value.clone(), mark.open.is_none()))
        }
        _ => None,
    });
    Reached {
        whole_at: at(state.full_read_at).or_else(|| at(last_whole).filter(|_| !has_windows)),
        always_whole: state.full_read_at.is_none() && !has_windows,
        upto: at(upto(true).or_else(|| upto(false))),
        cursor: reads().flat_map(of).find_map(|mark| mark.token.clone()).map(|token| (None, token)),
        parent,
        files: None,
    }
}

/// A database's cursor is a value of a column; only one that says its zone tells how long ago it was.
fn of_database(cursor: Option<(String, Option<String>)>) -> Reached {
    let Some((column, value)) = cursor else { return Reached { always_whole: true, ..Reached::default() } };
    let instant = |text: &str| {
        let zoned = DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z"));
        zoned.ok().map(|at| at.to_utc())
    };
    let upto = value.as_deref().and_then(instant);
    Reached { upto, cursor: value.map(|value| (Some(column), value)), ..Reached::default() }
}

impl Reached {
    /// Everything that changed until then was read. What is read whole every time says only when it changed last.
    fn known_until(&self) -> Option<DateTime<Utc>> {
        self.upto.or(self.whole_at.filter(|_| !self.always_whole))
    }

    fn words(&self, now: DateTime<Utc>) -> String {
        let behind = |at: DateTime<Utc>| match (now - at).num_seconds() {
            secs if secs > 0 => format!(", {} behind", span(secs)),
            _ => String::new(),
        };
        let mut parts = Vec::new();
        match self.whole_at {
            Some(at) if self.always_whole => parts.push(format!("read whole, last change on {}", minute(at))),
            Some(at) if self.upto.is_none() => parts.push(format!("read whole on {}{}", minute(at), behind(at))),
            Some(at) => parts.push(format!("read whole on {}", minute(at))),
            None if self.always_whole && self.parent.is_none() => parts.push("read whole".to_owned()),
            None => {}
        }
        match (&self.cursor, self.upto) {
            (Some((Some(column), value)), at) => parts.push(format!("up to {column} {value}{}", at.map(behind).unwrap_or_default())),
            (_, Some(at)) if self.whole_at.is_some() => parts.push(format!("changes up to {}{}", minute(at), behind(at))),
            (_, Some(at)) => parts.push(format!("up to {}{}", minute(at), behind(at))),
            (_, None) => {}
        }
        match &self.parent {
            Some((stream, true)) => parts.push(format!("read for all of {stream}")),
            Some((stream, false)) => parts.push(format!("read for a part of {stream}")),
            None => {}
        }
        match self.files {
            Some(1) => parts.push("1 file".to_owned()),
            Some(files) => parts.push(format!("{files} files")),
            None => {}
        }
        if parts.is_empty() { "nothing to read yet".to_owned() } else { parts.join(", ") }
    }
}

fn iso(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn minute(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

fn span(secs: i64) -> String {
    match secs {
        s if s < 120 => format!("{s} s"),
        s if s < 7_200 => format!("{} min", s / 60),
        s if s < 172_800 => format!("{} h", s / 3_600),
        s => format!("{} days", s / 86_400),
    }
}

#[cfg(test)]
mod tests;
