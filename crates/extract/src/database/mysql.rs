//! MySQL and MariaDB: a prepared query whose values are asked for as text.
//!
//! The binary form of prepared queries has its own shape for every type, and the driver takes zero dates for NULL in it. So the server is
//! asked to write values as text, which is read by the same rules as a file; only floats come as they are, since text would round them.

use super::common::{self, describe, send_cells};
use super::connection::Scrubber;
use super::piece::Sink;
use super::request::Request;
use super::sql::Dialect;
use super::state::Bound;
use crate::error::{Error, Result};
use cscopilot_decode::database::CellRows;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow};
use sqlx::{AssertSqlSafe, Column, ConnectOptions, Connection, Executor, MySql, Row, TypeInfo, ValueRef};

const SQL: Dialect = Dialect { quote: '`' };

/// How a column's values come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Float,
    Double,
}

/// Reads what is asked for within one transaction that changes nothing and sees one state of the database.
pub(crate) async fn read(options: &MySqlConnectOptions, request: &Request, mut sink: Sink, scrubber: &Scrubber) -> Result<()> {
    let failed = |e: sqlx::Error| scrubber.query(request, &e);
    let mut connection = options.connect().await.map_err(|e| scrubber.connect(&e))?;
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").await.map_err(failed)?;
    connection.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await.map_err(failed)?;
    let described = describe::<MySql>(&mut connection, SQL, request, scrubber).await?;
    let kind = |place: usize| described.columns[place].type_info().name();
    let expressions = described.places.iter().zip(described.select(SQL)).map(|(place, column)| match place {
        Some(place) => expression(&column, kind(*place)),
        None => (column, Form::Text),
    });
    let (select, forms): (Vec<String>, Vec<Form>) = expressions.unzip();
    if let Some(strays) = SQL.strays(request, &select) {
        rows(&mut connection, request, &mut sink, scrubber, Asked { sql: strays, after: None, forms: &forms, stray: true }).await?;
    }
    let cursor_kind = request.plan.rows.cursor.and_then(|cursor| described.places[cursor]).map(kind);
    let bound = request.after.is_some().then(|| bound(cursor_kind.unwrap_or("VARCHAR"), request.lookback_secs));
    // The mark of UTC is ours, not the column's.
    let after = request.after.as_ref().map(|after| after.text().trim_end_matches('Z').to_owned());
    let sql = SQL.rows(request, &select, bound.as_deref());
    if rows(&mut connection, request, &mut sink, scrubber, Asked { sql, after, forms: &forms, stray: false }).await? {
        connection.execute("COMMIT").await.map_err(failed)?;
        connection.close().await.map_err(failed)?;
    }
    Ok(())
}

/// The expression that gives a column's values as text.
fn expression(column: &str, kind: &str) -> (String, Form) {
    match kind {
        "FLOAT" => (column.to_owned(), Form::Float),
        "DOUBLE" => (column.to_owned(), Form::Double),
        // The session's zone is UTC, and text doesn't say so.
        "TIMESTAMP" => (format!("CONCAT(CAST({column} AS CHAR), 'Z')"), Form::Text),
        "BIT" => (format!("CAST({column} + 0 AS CHAR)"), Form::Text),
        // Bytes stay as they are: the server would make NULL or question marks of what is no text.
        "BINARY" | "VARBINARY" | "TINYBLOB" | "BLOB" | "MEDIUMBLOB" | "LONGBLOB" | "GEOMETRY" => (column.to_owned(), Form::Text),
        "CHAR" | "VARCHAR" | "TINYTEXT" | "TEXT" | "MEDIUMTEXT" | "LONGTEXT" | "ENUM" | "SET" => (column.to_owned(), Form::Text),
        _ => (format!("CAST({column} AS CHAR)"), Form::Text),
    }
}

/// The expression of the bound value. With the column's own type an index serves, and large numbers aren't compared as floats.
fn bound(kind: &str, lookback_secs: u64) -> String {
    let back = |value: &str| if lookback_secs > 0 { format!("({value} - INTERVAL {lookback_secs} SECOND)") } else { value.to_owned() };
    match kind {
        "DATETIME" | "TIMESTAMP" => back("CAST(? AS DATETIME(6))"),
        "DATE" => back("CAST(? AS DATE)"),
        "DECIMAL" => "CAST(? AS DECIMAL(65, 30))".to_owned(),
        kind if kind.ends_with("UNSIGNED") => "CAST(? AS UNSIGNED)".to_owned(),
        "TINYINT" | "BOOLEAN" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT" | "YEAR" => "CAST(? AS SIGNED)".to_owned(),
        _ => "?".to_owned(),
    }
}

/// A query and what its rows are.
struct Asked<'a> {
    sql: String,
    after: Option<String>,
    forms: &'a [Form],
    stray: bool,
}

/// Sends the rows of a query; whether anyone listened to the end.
async fn rows(connection: &mut MySqlConnection, request: &Request, sink: &mut Sink, scrubber: &Scrubber, asked: Asked<'_>) -> Result<bool> {
    let Asked { sql, after, forms, stray } = asked;
    let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
    if let Some(after) = after {
        query = query.bind(after);
    }
    let cursor = request.plan.rows.cursor;
    send_cells(query.fetch(connection), request, sink, scrubber, stray, |row, cells| values(row, forms, cursor, cells)).await
}

/// Tries whether streams can be read: what stands in the way.
pub(crate) async fn look(options: &MySqlConnectOptions, requests: &[Request], scrubber: &Scrubber) -> Result<Vec<Error>> {
    let mut connection = options.connect().await.map_err(|e| scrubber.connect(&e))?;
    Ok(common::look::<MySql>(&mut connection, SQL, requests, scrubber).await)
}

/// Adds a row's values, and gives its cursor as text.
fn values(row: &MySqlRow, forms: &[Form], cursor: Option<usize>, cells: &mut CellRows) -> sqlx::Result<Option<Bound>> {
    let mut text = None;
    for (column, form) in forms.iter().enumerate() {
        let written;
        let value: Option<&[u8]> = if row.try_get_raw(column)?.is_null() {
            None
        } else {
            match form {
                Form::Text => Some(row.try_get_unchecked::<&[u8], _>(column)?),
                // The shortest text that is this number again.
                Form::Float => {
                    written = format!("{:?}", row.try_get_unchecked::<f32, _>(column)?);
                    Some(written.as_bytes())
                }
                Form::Double => {
                    written = format!("{:?}", row.try_get_unchecked::<f64, _>(column)?);
                    Some(written.as_bytes())
                }
            }
        };
        if cursor == Some(column) {
            text = value.map(|value| String::from_utf8_lossy(value).into_owned());
        }
        cells.value(value);
    }
    Ok(text.map(Bound::Text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_bound_as_numbers_and_only_instants_look_back() {
        assert_eq!(bound("BIGINT UNSIGNED", 300), "CAST(? AS UNSIGNED)");
        assert_eq!(bound("DATETIME", 300), "(CAST(? AS DATETIME(6)) - INTERVAL 300 SECOND)");
        assert_eq!(bound("DATE", 0), "CAST(? AS DATE)");
        assert_eq!(bound("VARCHAR", 300), "?");
    }
}
