//! SQLite: each value says itself what it is.

use super::cells::CellRows;
use super::connection::Scrubber;
use super::piece::{PIECE_BYTES, PIECE_ROWS, Rows, Sink};
use super::request::Request;
use super::sql::{Dialect, bind};
use super::state::Bound;
use crate::error::{Error, Result};
use futures::TryStreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Column, ConnectOptions, Connection, Executor, Row, SqlSafeStr, Statement, TypeInfo, ValueRef};
use std::path::Path;

const SQL: Dialect = Dialect { quote: '"' };

/// Reads what is asked for within one transaction, so that all queries see one state of the file.
pub(crate) async fn read(path: &Path, request: &Request, mut sink: Sink, scrubber: &Scrubber) -> Result<()> {
    if !path.is_file() {
        return Err(Error::NoDatabaseFile { path: path.display().to_string() });
    }
    let failed = |e: sqlx::Error| scrubber.query(request, &e);
    let options = SqliteConnectOptions::new().filename(path).read_only(true).create_if_missing(false).disable_statement_logging();
    let mut connection = options.connect().await.map_err(|e| scrubber.connect(&e))?;
    connection.execute("BEGIN").await.map_err(failed)?;
    let describe = AssertSqlSafe(SQL.describe(request)).into_sql_str();
    let described = (&mut connection).prepare(describe).await.map_err(failed)?;
    let found: Vec<String> = described.columns().iter().map(|c| c.name().to_owned()).collect();
    let places = bind(request, &found)?;
    let select: Vec<String> = places.iter().map(|place| place.map_or_else(|| "NULL".to_owned(), |p| SQL.column(&found[p]))).collect();
    if let Some(strays) = SQL.strays(request, &select) {
        rows(&mut connection, request, &mut sink, scrubber, strays, None, true).await?;
    }
    let bound = request.after.as_ref().map(|_| "?");
    let sql = SQL.rows(request, &select, bound);
    if rows(&mut connection, request, &mut sink, scrubber, sql, request.after.as_ref(), false).await? {
        connection.execute("COMMIT").await.map_err(failed)?;
        connection.close().await.map_err(failed)?;
    }
    Ok(())
}

/// Sends the rows of a query; whether anyone listened to the end.
async fn rows(
    connection: &mut SqliteConnection,
    request: &Request,
    sink: &mut Sink,
    scrubber: &Scrubber,
    sql: String,
    after: Option<&Bound>,
    stray: bool,
) -> Result<bool> {
    let failed = |e: sqlx::Error| scrubber.query(request, &e);
    let query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
    let query = match after {
        Some(Bound::Int(number)) => query.bind(*number),
        Some(Bound::Real(number)) => query.bind(*number),
        Some(bound) => query.bind(bound.text()),
        None => query,
    };
    let columns = request.plan.columns.len();
    let mut found = query.fetch(connection);
    let mut cells = CellRows::new(columns);
    let mut last = None;
    while let Some(row) = found.try_next().await.map_err(failed)? {
        last = values(&row, columns, request.plan.cursor, &mut cells).map_err(failed)?;
        let closes = !stray && sink.count(1);
        if cells.text.len() >= PIECE_BYTES || cells.len() >= PIECE_ROWS || closes {
            let full = std::mem::replace(&mut cells, CellRows::new(columns));
            if !send(sink, full, last.clone(), stray).await {
                return Ok(false);
            }
        }
    }
    if cells.len() > 0 {
        return Ok(send(sink, cells, last, stray).await);
    }
    Ok(true)
}

async fn send(sink: &mut Sink, cells: CellRows, last: Option<Bound>, stray: bool) -> bool {
    if stray { sink.stray(Rows::Cells(cells)).await } else { sink.send(Rows::Cells(cells), last).await }
}

/// Adds a row, and gives its cursor in the storage class that it has.
fn values(row: &SqliteRow, columns: usize, cursor: Option<usize>, cells: &mut CellRows) -> sqlx::Result<Option<Bound>> {
    let mut last = None;
    for column in 0..columns {
        let raw = row.try_get_raw(column)?;
        let written;
        let bound;
        let value: Option<&[u8]> = if raw.is_null() {
            bound = None;
            None
        } else {
            match raw.type_info().name() {
                "INTEGER" => {
                    let number: i64 = row.try_get_unchecked(column)?;
                    bound = Some(Bound::Int(number));
                    written = number.to_string();
                    Some(written.as_bytes())
                }
                "REAL" => {
                    let number: f64 = row.try_get_unchecked(column)?;
                    bound = Some(Bound::Real(number));
                    // The shortest text that is this number again.
                    written = format!("{number:?}");
                    Some(written.as_bytes())
                }
                _ => {
                    let text: &[u8] = row.try_get_unchecked(column)?;
                    bound = (cursor == Some(column)).then(|| Bound::Text(String::from_utf8_lossy(text).into_owned()));
                    Some(text)
                }
            }
        };
        if cursor == Some(column) {
            last = bound;
        }
        cells.value(value);
    }
    cells.end_row();
    Ok(last)
}
