//! Databases: rows of a table or a query become Arrow batches in the raw change log.
//!
//! A stream with a cursor is read in the cursor's order from where the last run stopped, in windows that each commit their rows together
//! with the cursor. A stream without one is read whole and compared with what the raw table has: rows that are as they were are left out,
//! and rows that vanished are noted with `_op = delete`.
//!
//! The way of a row: a reader (`postgres`, `mysql`, `sqlite`, `adbc`) sends pieces of some megabytes → `cscopilot_decode::database` makes
//! typed columns of them on all cores → `known` leaves out what the table has → `read` adds the log's columns and closes windows → `crate::log`.

mod adbc;
mod common;
mod connection;
mod known;
mod mysql;
mod piece;
mod postgres;
mod read;
mod request;
mod sql;
mod sqlite;
mod state;

#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use crate::log::state::Stored;
use crate::run::check_types;
use connection::Connection;
use cscopilot_lake::step::{Outcome, StepContext};
use cscopilot_spec::{Project, Source};
use known::Known;
use read::Reading;
use request::Request;
use state::State;
use std::sync::Arc;

/// Reads what is new in a table or query of a database into its raw table.
///
/// # Errors
/// Any [`Error`]. Windows that were closed before it stay; of the open one nothing is published.
pub(crate) async fn run(ctx: &StepContext, source: &Source, source_name: &str, stream_name: &str) -> Result<Outcome> {
    let no_stream = || Error::NoStream { source_name: source_name.to_owned(), stream: stream_name.to_owned() };
    let root = source.database.as_ref().ok_or_else(no_stream)?;
    let stream = source.streams.get(stream_name).ok_or_else(no_stream)?;
    let plan = request::plan(source_name, source, stream_name, stream)?;
    let stored = ctx.lake.table(&plan.tables.rows).await?;
    check_types(&plan.tables.rows.to_string(), &plan.rows.schema, stored.as_ref())?;
    let mut state = State::parse(&plan.tables.rows.to_string(), stored.as_ref().and_then(|t| t.state.as_ref()))?;
    state.follow(plan.rows.cursor.map(|cursor| plan.rows.columns[cursor].name.as_ref()));
    let connection = Connection::resolve(&ctx.project, root)?;
    let request = Arc::new(Request::new(plan, stream, stream_name, root.reading(), state.after.clone()));
    let known = Known::load(&ctx.lake, &request, stored.as_ref(), &state).await?;
    Reading::new(ctx, request, state, known, stored.is_some()).run(connection).await
}

/// Tries whether a database can be reached and its streams can be read, without reading a row: what stands in the way of streams.
///
/// # Errors
/// Any [`Error`] that concerns all streams.
pub(crate) async fn look(project: &Project, source: &Source, source_name: &str) -> Result<Vec<Error>> {
    let Some(root) = &source.database else { return Ok(Vec::new()) };
    let mut requests = Vec::new();
    for (name, stream) in source.streams.iter() {
        let plan = request::plan(source_name, source, name, stream)?;
        requests.push(Request::new(plan, stream, name, root.reading(), None));
    }
    Connection::resolve(project, root)?.look(requests).await
}

/// The column by which a stream's state says that it is read, where it is, and the last value that was read.
pub(crate) fn reached(table: &str, state: &serde_json::Value) -> Result<Option<(String, Option<String>)>> {
    let state = State::parse(table, Some(state))?;
    Ok(state.cursor.map(|column| (column, state.after.map(|after| after.text()))))
}
