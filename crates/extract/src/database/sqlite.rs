//! SQLite: each value says itself what it is.

use super::common::{self, describe, send_cells};
use super::connection::Scrubber;
use super::piece::Sink;
use super::request::Request;
use super::sql::Dialect;
use super::state::Bound;
use crate::error::{Error, Result};
use cscopilot_decode::database::CellRows;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row, Sqlite, TypeInfo, ValueRef};
use std::path::Path;

const SQL: Dialect = Dialect { quote: '"' };

/// Reads what is asked for within one transaction, so that all queries see one state of the file.
pub(crate) async fn read(path: &Path, request: &Request, mut sink: Sink, scrubber: &Scrubber) -> Result<()> {
    let failed = |e: sqlx::Error| scrubber.query(request, &e);
    let mut connection = open(path, scrubber).await?;
    connection.execute("BEGIN").await.map_err(failed)?;
    let select = describe::<Sqlite>(&mut connection, SQL, request, scrubber).await?.select(SQL);
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
    let query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
    let query = match after {
        Some(Bound::Int(number)) => query.bind(*number),
        Some(Bound::Real(number)) => query.bind(*number),
        Some(bound) => query.bind(bound.text()),
        None => query,
    };
    let (columns, cursor) = (request.plan.rows.columns.len(), request.plan.rows.cursor);
    send_cells(query.fetch(connection), request, sink, scrubber, stray, |row, cells| values(row, columns, cursor, cells)).await
}

/// Tries whether streams can be read: what stands in the way.
pub(crate) async fn look(path: &Path, requests: &[Request], scrubber: &Scrubber) -> Result<Vec<Error>> {
    let mut connection = open(path, scrubber).await?;
    Ok(common::look::<Sqlite>(&mut connection, SQL, requests, scrubber).await)
}

async fn open(path: &Path, scrubber: &Scrubber) -> Result<SqliteConnection> {
    if !path.is_file() {
        return Err(Error::NoDatabaseFile { path: path.display().to_string() });
    }
    let options = SqliteConnectOptions::new().filename(path).read_only(true).create_if_missing(false).disable_statement_logging();
    options.connect().await.map_err(|e| scrubber.connect(&e))
}

/// Adds a row's values, and gives its cursor in the storage class that it has.
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
    Ok(last)
}
