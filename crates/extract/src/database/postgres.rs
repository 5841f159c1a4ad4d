//! PostgreSQL: one `COPY` of a query, its lines read as they are.
//!
//! `COPY` takes no parameters, so the value to start from is bound to a setting of the transaction, which the query reads.

use super::common::{self, describe};
use super::connection::Scrubber;
use super::piece::{PIECE_BYTES, PIECE_ROWS, Sink};
use super::request::Request;
use super::sql::Dialect;
use super::state::Bound;
use crate::error::{Error, Result};
use cscopilot_decode::database::{Rows, copied_value};
use futures::TryStreamExt;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgColumn, PgConnectOptions, PgConnection};
use sqlx::{Column, ConnectOptions, Connection, Executor, Postgres};

const SQL: Dialect = Dialect { quote: '"' };

/// Reads what is asked for within one transaction that changes nothing and sees one state of the database.
pub(crate) async fn read(options: &PgConnectOptions, request: &Request, mut sink: Sink, scrubber: &Scrubber) -> Result<()> {
    let failed = |e: sqlx::Error| scrubber.query(request, &e);
    let mut connection = options.connect().await.map_err(|e| scrubber.connect(&e))?;
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map_err(failed)?;
    let described = describe::<Postgres>(&mut connection, SQL, request, scrubber).await?;
    let select = described.select(SQL);
    if let Some(strays) = SQL.strays(request, &select) {
        copy(&mut connection, request, &mut sink, scrubber, &strays, true).await?;
    }
    let bound = match (&request.after, request.plan.rows.cursor.and_then(|cursor| described.places[cursor])) {
        (Some(after), Some(place)) => {
            Some(bound(&mut connection, &described.columns[place], after, request.lookback_secs).await.map_err(failed)?)
        }
        _ => None,
    };
    if copy(&mut connection, request, &mut sink, scrubber, &SQL.rows(request, &select, bound.as_deref()), false).await? {
        connection.execute("COMMIT").await.map_err(failed)?;
        connection.close().await.map_err(failed)?;
    }
    Ok(())
}

/// Tries whether streams can be read: what stands in the way.
pub(crate) async fn look(options: &PgConnectOptions, requests: &[Request], scrubber: &Scrubber) -> Result<Vec<Error>> {
    let mut connection = options.connect().await.map_err(|e| scrubber.connect(&e))?;
    Ok(common::look::<Postgres>(&mut connection, SQL, requests, scrubber).await)
}

/// Binds the value to start from, and gives the expression that reads it, of the type of its column.
async fn bound(connection: &mut PgConnection, column: &PgColumn, after: &Bound, lookback_secs: u64) -> sqlx::Result<String> {
    let oid = column.type_info().oid().unwrap_or(Oid(25));
    let kind: String = sqlx::query_scalar("SELECT format_type($1, NULL)").bind(oid).fetch_one(&mut *connection).await?;
    let set = sqlx::query("SELECT set_config('cscopilot.after', $1, true)").bind(after.text());
    set.execute(&mut *connection).await?;
    let value = format!("CAST(current_setting('cscopilot.after') AS {kind})");
    let timely = kind == "date" || kind.starts_with("timestamp");
    Ok(if timely && lookback_secs > 0 { format!("({value} - make_interval(secs => {lookback_secs}))") } else { value })
}

/// Sends the rows of a query; whether anyone listened to the end.
async fn copy(
    connection: &mut PgConnection,
    request: &Request,
    sink: &mut Sink,
    scrubber: &Scrubber,
    query: &str,
    stray: bool,
) -> Result<bool> {
    let failed = |e: sqlx::Error| scrubber.query(request, &e);
    let mut lines = connection.copy_out_raw(&format!("COPY (\n{query}\n) TO STDOUT (FORMAT text)")).await.map_err(failed)?;
    let mut text = Vec::with_capacity(PIECE_BYTES + PIECE_BYTES / 8);
    let mut rows = 0;
    let mut last = None;
    // The protocol promises that each message holds one row.
    while let Some(line) = lines.try_next().await.map_err(failed)? {
        text.extend_from_slice(&line);
        rows += 1;
        let closes = !stray && sink.count(1);
        if text.len() >= PIECE_BYTES || rows >= PIECE_ROWS || closes {
            let full = std::mem::replace(&mut text, Vec::with_capacity(PIECE_BYTES + PIECE_BYTES / 8));
            if !send(sink, full, &line, request, stray).await {
                return Ok(false);
            }
            rows = 0;
        }
        last = Some(line);
    }
    match last {
        Some(line) if !text.is_empty() => Ok(send(sink, text, &line, request, stray).await),
        _ => Ok(true),
    }
}

async fn send(sink: &mut Sink, text: Vec<u8>, last: &[u8], request: &Request, stray: bool) -> bool {
    if stray {
        return sink.stray(Rows::Copy(text)).await;
    }
    let bound = request.plan.rows.cursor.and_then(|cursor| copied_value(last, cursor));
    let bound = bound.map(|text| Bound::Text(String::from_utf8_lossy(&text).into_owned()));
    sink.send(Rows::Copy(text), bound).await
}
