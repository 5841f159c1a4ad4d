//! Any other database through an ADBC driver: a shared library that gives Arrow batches.

use super::connection::{Scrubber, unresolved};
use super::piece::{PIECE_ROWS, Sink};
use super::request::Request;
use super::sql::{Dialect, bind};
use super::state::Bound;
use crate::error::{Error, Result};
use adbc_core::error::{Error as AdbcError, Status};
use adbc_core::options::{AdbcVersion, OptionDatabase, OptionValue};
use adbc_core::{Connection, Database, Driver, LOAD_FLAG_DEFAULT, Statement};
use adbc_driver_manager::{ManagedConnection, ManagedDriver, ManagedStatement};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchReader, StringArray, new_null_array};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit, TimestampMicrosecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use cscopilot_decode::database::Rows;
use cscopilot_diag::Secret;
use cscopilot_spec::Project;
use cscopilot_spec::source::{AdbcDatabase, Placeholder};
use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

/// A driver and what it is told.
pub(crate) struct Adbc {
    driver: String,
    is_path: bool,
    entrypoint: Option<String>,
    options: Vec<(String, Secret)>,
    placeholder: Placeholder,
    sql: Dialect,
}

impl Adbc {
    /// Resolves the driver's place and its options.
    pub(crate) fn resolve(project: &Project, database: &AdbcDatabase, scrubber: &mut Scrubber) -> Result<Self> {
        let name = project.resolve(&database.driver).map_err(|d| unresolved(&database.driver, d))?;
        let is_path = name.contains(['/', '\\']);
        let driver = if is_path { project.location(&database.driver).map_err(|d| unresolved(&database.driver, d))? } else { name };
        let mut options = Vec::new();
        for (key, text) in &database.options {
            options.push((key.clone(), scrubber.option(project, key, text)?));
        }
        let sql = Dialect { quote: database.identifier_quote.value };
        Ok(Self { driver, is_path, entrypoint: database.entrypoint.clone(), options, placeholder: database.placeholder, sql })
    }

    /// Loads the driver, or takes the one that is loaded already.
    ///
    /// Drivers are never unloaded: many are written in Go, whose runtime can't be.
    fn load(&self) -> adbc_core::error::Result<ManagedDriver> {
        static LOADED: Mutex<BTreeMap<(String, Option<String>), ManagedDriver>> = Mutex::new(BTreeMap::new());
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (self.driver.clone(), self.entrypoint.clone());
        if let Some(driver) = loaded.get(&key) {
            return Ok(driver.clone());
        }
        let entrypoint = self.entrypoint.as_ref().map(|name| name.as_bytes());
        let load = |version| {
            if self.is_path {
                ManagedDriver::load_dynamic_from_filename(&self.driver, entrypoint, version)
            } else {
                ManagedDriver::load_from_name(&self.driver, entrypoint, version, LOAD_FLAG_DEFAULT, None)
            }
        };
        let driver = load(AdbcVersion::V110).or_else(|_| load(AdbcVersion::V100))?;
        loaded.insert(key, driver.clone());
        Ok(driver)
    }

    fn connect(&self, scrubber: &Scrubber) -> Result<ManagedConnection> {
        let no_driver = |e: AdbcError| Error::NoDriver { driver: self.driver.clone(), reason: scrubber.scrub(&e.message) };
        let mut driver = self.load().map_err(no_driver)?;
        let options = self.options.iter().map(|(key, value)| (OptionDatabase::from(key.as_str()), OptionValue::from(value.expose())));
        let refused = |e: AdbcError| Error::DatabaseConnect { reason: scrubber.scrub(&e.message) };
        let database = driver.new_database_with_opts(options).map_err(refused)?;
        database.new_connection().map_err(refused)
    }
}

/// A result, and the statement that must not be released before it is read. The reader is dropped first.
struct Running {
    reader: Box<dyn RecordBatchReader + Send>,
    _statement: ManagedStatement,
}

/// Reads what is asked for. May block.
pub(crate) fn read(adbc: &Adbc, request: &Request, mut sink: Sink, scrubber: &Scrubber) -> Result<()> {
    let mut connection = adbc.connect(scrubber)?;
    let failed = |e: AdbcError| refused(request, scrubber, &e);
    let (found, places) = found(&mut connection, adbc, request, scrubber)?;
    // Of an optional column that isn't there nothing is selected: drivers don't agree on the type of NULL.
    let select: Vec<String> = places.iter().flatten().map(|place| adbc.sql.column(&found[*place])).collect();
    if let Some(strays) = adbc.sql.strays(request, &select) {
        let mut running = run(&mut connection, &strays, None).map_err(failed)?;
        for batch in &mut running.reader {
            let batch = aligned(request, &places, &batch.map_err(|e| lost(request, scrubber, &e))?)?;
            if batch.num_rows() > 0 && !sink.stray_blocking(Rows::Batch(batch)) {
                return Ok(());
            }
        }
    }
    let mut running = match &request.after {
        Some(after) => {
            let sql = adbc.sql.rows(request, &select, Some(if adbc.placeholder == Placeholder::Dollar { "$1" } else { "?" }));
            let value = parameter(request, after)?;
            match run(&mut connection, &sql, Some(value.clone())) {
                // Snowflake's driver binds no instants and no decimals; the database makes them of text.
                Err(error) if error.status == Status::NotImplemented => {
                    run(&mut connection, &sql, Some(written(&value)?)).map_err(|_| failed(error))?
                }
                other => other.map_err(failed)?,
            }
        }
        None => run(&mut connection, &adbc.sql.rows(request, &select, None), None).map_err(failed)?,
    };
    for batch in &mut running.reader {
        let batch = aligned(request, &places, &batch.map_err(|e| lost(request, scrubber, &e))?)?;
        let mut from = 0;
        while from < batch.num_rows() {
            let part = batch.slice(from, PIECE_ROWS.min(batch.num_rows() - from));
            from += part.num_rows();
            sink.count(part.num_rows() as u64);
            let last = match request.plan.rows.cursor {
                Some(cursor) => last(part.column(cursor))?,
                None => None,
            };
            if !sink.send_blocking(Rows::Batch(part), last) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Tries whether streams can be read: what stands in the way. May block.
pub(crate) fn look(adbc: &Adbc, requests: &[Request], scrubber: &Scrubber) -> Result<Vec<Error>> {
    let mut connection = adbc.connect(scrubber)?;
    let mut tried = |request: &Request| found(&mut connection, adbc, request, scrubber).map(drop);
    Ok(requests.iter().filter_map(|request| tried(request).err()).collect())
}

/// The columns that the database has of a stream, and where those of the plan stand among them.
fn found(
    connection: &mut ManagedConnection,
    adbc: &Adbc,
    request: &Request,
    scrubber: &Scrubber,
) -> Result<(Vec<String>, Vec<Option<usize>>)> {
    let describe = run(connection, &adbc.sql.describe(request), None).map_err(|e| refused(request, scrubber, &e))?;
    let found: Vec<String> = describe.reader.schema().fields().iter().map(|f| f.name().clone()).collect();
    let places = bind(request, &found)?;
    Ok((found, places))
}

/// Runs one query.
fn run(connection: &mut ManagedConnection, sql: &str, bound: Option<RecordBatch>) -> adbc_core::error::Result<Running> {
    let mut statement = connection.new_statement()?;
    statement.set_sql_query(sql)?;
    if let Some(bound) = bound {
        statement.prepare()?;
        statement.bind(bound)?;
    }
    let reader = statement.execute()?;
    Ok(Running { reader, _statement: statement })
}

/// The parameter as text.
fn written(value: &RecordBatch) -> Result<RecordBatch> {
    let text = cast(value.column(0), &DataType::Utf8)?;
    Ok(RecordBatch::try_new(Arc::new(Schema::new(vec![Field::new("after", DataType::Utf8, true)])), vec![text])?)
}

fn refused(request: &Request, scrubber: &Scrubber, error: &AdbcError) -> Error {
    let (what, reason) = (request.shown.clone(), scrubber.scrub(&error.message));
    match error.status {
        Status::IO | Status::Timeout | Status::Cancelled => Error::DatabaseLost { what, reason },
        _ => Error::DatabaseRefused { what, reason },
    }
}

fn lost(request: &Request, scrubber: &Scrubber, error: &dyn std::fmt::Display) -> Error {
    Error::DatabaseLost { what: request.shown.clone(), reason: scrubber.scrub(&error.to_string()) }
}

/// The batch with the columns of the plan in its order; NULL where the database lacks an optional one.
fn aligned(request: &Request, places: &[Option<usize>], batch: &RecordBatch) -> Result<RecordBatch> {
    let mut selected = 0;
    let mut fields = Vec::with_capacity(places.len());
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(places.len());
    for (place, column) in places.iter().zip(&request.plan.rows.columns) {
        let array = match place {
            Some(_) => {
                selected += 1;
                batch.columns().get(selected - 1).map(Arc::clone)
            }
            None => None,
        };
        let array = array.unwrap_or_else(|| new_null_array(&DataType::Utf8, batch.num_rows()));
        fields.push(Field::new(column.name.as_ref(), array.data_type().clone(), true));
        columns.push(array);
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// The last value as it will be bound again.
fn last(column: &ArrayRef) -> Result<Option<Bound>> {
    let Some(row) = column.len().checked_sub(1).filter(|row| !column.is_null(*row)) else { return Ok(None) };
    let text = ArrayFormatter::try_new(column.as_ref(), &FormatOptions::default())?.value(row).to_string();
    Ok(Some(Bound::Arrow { kind: column.data_type().to_string(), text }))
}

/// The value to start from, with the lookback taken off, as the one parameter of a query.
fn parameter(request: &Request, after: &Bound) -> Result<RecordBatch> {
    let bad = |reason: String| Error::BadState { table: request.plan.tables.rows.to_string(), reason };
    let kind = match after {
        Bound::Arrow { kind, .. } => DataType::from_str(kind).map_err(|e| bad(e.to_string()))?,
        _ => DataType::Utf8,
    };
    let text: ArrayRef = Arc::new(StringArray::from(vec![after.text()]));
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let mut value = cast_with_options(&text, &kind, &strict).map_err(|e| bad(e.to_string()))?;
    let back = i64::try_from(request.lookback_secs).unwrap_or(0).saturating_mul(1_000_000);
    if back > 0 && matches!(kind, DataType::Timestamp(_, _)) {
        let zone = match &kind {
            DataType::Timestamp(_, zone) => zone.clone(),
            _ => None,
        };
        let micros = cast(&value, &DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?;
        let earlier = micros.as_primitive::<TimestampMicrosecondType>().unary::<_, TimestampMicrosecondType>(|at| at.saturating_sub(back));
        let earlier: ArrayRef = Arc::new(earlier.with_timezone_opt(zone));
        value = cast(&earlier, &kind)?;
    }
    let field = Field::new("after", value.data_type().clone(), true);
    Ok(RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![value])?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::request::plan;
    use arrow::array::{Int64Array, TimestampMicrosecondArray};
    use cscopilot_spec::Source;

    fn request() -> Request {
        let yaml = "version: 1\ndatabase: {sqlite: {path: x, reading: {lookback_secs: 60}}}\nstreams:\n  s:\n    table: t\n    columns: {at: {type: timestamp}}\n    cursor: at\n";
        let source: Source = cscopilot_spec::parse("x.yaml", &Arc::from(yaml), yaml, 0).unwrap();
        let stream = source.streams.get("s").unwrap();
        Request::new(plan("x", &source, "s", stream).unwrap(), stream, "s", source.database.as_ref().unwrap().reading(), None)
    }

    #[test]
    fn a_value_is_bound_with_the_type_that_it_came_with() {
        let micros: i64 = 1_709_287_200_123_456;
        for zone in [None, Some("UTC")] {
            let column: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![0, micros]).with_timezone_opt(zone));
            let bound = last(&column).unwrap().unwrap();
            let parameter = parameter(&request(), &bound).unwrap();
            assert_eq!(parameter.column(0).data_type(), column.data_type());
            assert_eq!(parameter.column(0).as_primitive::<TimestampMicrosecondType>().value(0), micros - 60_000_000);
        }
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, i64::MAX]));
        let parameter = parameter(&request(), &last(&numbers).unwrap().unwrap()).unwrap();
        assert_eq!(parameter.column(0), &(Arc::new(Int64Array::from(vec![i64::MAX])) as ArrayRef));
        let empty: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
        assert_eq!(last(&empty).unwrap(), None);
    }
}
