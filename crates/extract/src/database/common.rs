//! What the readers of PostgreSQL, MySQL and SQLite have in common: columns are asked for first, and rows of cells are sent in pieces.

use super::connection::Scrubber;
use super::piece::{PIECE_BYTES, PIECE_ROWS, Sink};
use super::request::Request;
use super::sql::{Dialect, bind};
use super::state::Bound;
use crate::error::{Error, Result};
use cscopilot_decode::database::{CellRows, Rows};
use futures::{Stream, TryStreamExt};
use sqlx::{AssertSqlSafe, Column, Database, Executor, SqlSafeStr, Statement};

/// What the database has of a stream.
pub(super) struct Described<C> {
    /// All its columns.
    pub(super) columns: Vec<C>,
    /// Column by column of the plan its position among them; nothing where the database lacks an optional one.
    pub(super) places: Vec<Option<usize>>,
}

impl<C: Column> Described<C> {
    /// The expression of each column of the plan.
    pub(super) fn select(&self, sql: Dialect) -> Vec<String> {
        let expression = |place: &Option<usize>| place.map_or_else(|| "NULL".to_owned(), |p| sql.column(self.columns[p].name()));
        self.places.iter().map(expression).collect()
    }
}

/// Asks for the columns of a stream.
pub(super) async fn describe<DB>(
    connection: &mut DB::Connection,
    sql: Dialect,
    request: &Request,
    scrubber: &Scrubber,
) -> Result<Described<DB::Column>>
where
    DB: Database,
    DB::Column: Clone,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let describe = AssertSqlSafe(sql.describe(request)).into_sql_str();
    let described = (&mut *connection).prepare(describe).await.map_err(|e| scrubber.query(request, &e))?;
    let columns = described.columns().to_vec();
    let names: Vec<String> = columns.iter().map(|c| c.name().to_owned()).collect();
    Ok(Described { places: bind(request, &names)?, columns })
}

/// Tries whether streams can be read, without reading a row: what stands in the way.
pub(super) async fn look<DB>(connection: &mut DB::Connection, sql: Dialect, requests: &[Request], scrubber: &Scrubber) -> Vec<Error>
where
    DB: Database,
    DB::Column: Clone,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let mut errors = Vec::new();
    for request in requests {
        let tried = match describe::<DB>(connection, sql, request, scrubber).await {
            // Only a query that runs tells whether it is allowed.
            Ok(_) => {
                let run = AssertSqlSafe(sql.describe(request)).into_sql_str();
                (&mut *connection).execute(run).await.map(drop).map_err(|e| scrubber.query(request, &e))
            }
            Err(error) => Err(error),
        };
        errors.extend(tried.err());
    }
    errors
}

/// Sends the rows of a query; `add` adds one to the cells and gives its cursor. Whether anyone listened to the end.
pub(super) async fn send_cells<R>(
    mut found: impl Stream<Item = sqlx::Result<R>> + Unpin,
    request: &Request,
    sink: &mut Sink,
    scrubber: &Scrubber,
    stray: bool,
    mut add: impl FnMut(&R, &mut CellRows) -> sqlx::Result<Option<Bound>>,
) -> Result<bool> {
    let failed = |e: sqlx::Error| scrubber.query(request, &e);
    let columns = request.plan.rows.columns.len();
    let mut cells = CellRows::new(columns);
    let mut last = None;
    while let Some(row) = found.try_next().await.map_err(failed)? {
        last = add(&row, &mut cells).map_err(failed)?;
        cells.end_row();
        let closes = !stray && sink.count(1);
        if cells.bytes() >= PIECE_BYTES || cells.len() >= PIECE_ROWS || closes {
            let full = std::mem::replace(&mut cells, CellRows::new(columns));
            if !send(sink, full, last.clone(), stray).await {
                return Ok(false);
            }
        }
    }
    Ok(cells.is_empty() || send(sink, cells, last, stray).await)
}

async fn send(sink: &mut Sink, cells: CellRows, last: Option<Bound>, stray: bool) -> bool {
    if stray { sink.stray(Rows::Cells(cells)).await } else { sink.send(Rows::Cells(cells), last).await }
}
