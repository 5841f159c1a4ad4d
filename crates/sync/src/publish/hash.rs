//! One table as hashes: which rows and columns, and the commands that write them.

use super::server::Packed;
use super::texts::{Texts, fits, fits_key};
use crate::{Error, Result};
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use cscopilot_lake::step::StepContext;
use cscopilot_lake::{SchemaRef, Session, TableName};
use cscopilot_spec::{Store, StoreHash};
use redis::Cmd;

/// The column of the event time, and the field that holds it.
const EVENT_TIME: &str = "as_of";
const SECONDS_A_DAY: u64 = 86_400;

/// What is known of one hash of a store before its rows are read.
pub(super) struct Hash {
    /// Gives the key's column first, then the fields'.
    pub(super) sql: String,
    /// Rows that it gives.
    pub(super) rows: u64,
    /// What its keys begin with, `:` included.
    prefix: String,
    /// The event time of all rows: the run's date.
    as_of: String,
    /// Seconds until a key vanishes.
    seconds: String,
    /// Whether the key's column is a field as well.
    key_is_field: bool,
}

impl Hash {
    /// Looks at the table; rows that claim the same key are an error, as nobody knows which one is right.
    pub(super) async fn plan(ctx: &StepContext, session: &Session, store: &Store, name: &str, hash: &StoreHash) -> Result<Self> {
        let table = &hash.from.table.value;
        let no_table = || Error::NoTable { table: table.clone() };
        let parsed: TableName = table.parse().map_err(|_| no_table())?;
        let schema = session.table_schema(&parsed).await?.ok_or_else(no_table)?;
        let fields = fields(hash, &schema)?;
        let filter = filter(hash, &schema);
        let key = quoted(&hash.key);
        let totals = format!("SELECT COUNT(*), COUNT({key}) - COUNT(DISTINCT {key}) FROM {table}{filter}");
        let totals = session.query(&totals, &ctx.params).await?;
        let total = |column: usize| {
            let count = totals.first().and_then(|b| b.column(column).as_primitive_opt::<Int64Type>()).map_or(0, |c| c.value(0));
            u64::try_from(count).unwrap_or(0)
        };
        if total(1) > 0 {
            return Err(Error::RepeatedKeys { table: table.clone(), column: hash.key.value.clone(), rows: total(1) });
        }
        let key_is_field = fields.contains(&hash.key.value);
        let columns = std::iter::once(&hash.key.value).chain(fields.iter().filter(|f| **f != hash.key.value));
        let columns: Vec<String> = columns.map(|c| quoted(c)).collect();
        Ok(Self {
            sql: format!("SELECT {} FROM {table}{filter}", columns.join(", ")),
            rows: total(0),
            prefix: format!("{}:{name}:", store.prefix),
            as_of: ctx.as_of.to_string(),
            seconds: (u64::from(store.expire_after_days.value) * SECONDS_A_DAY).to_string(),
            key_is_field,
        })
    }

    /// The commands that write these rows, one a row; `script` is the server's name of the script.
    pub(super) fn pack(&self, rows: &RecordBatch, script: &str) -> Result<Packed> {
        let schema = rows.schema();
        let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        let texts = schema.fields().iter().zip(rows.columns()).map(|(field, column)| Texts::new(field, column));
        let mut texts = texts.collect::<Result<Vec<_>>>()?;
        let mut packed = Packed::default();
        let mut value: Vec<u8> = Vec::new();
        for row in 0..rows.num_rows() {
            let mut key = self.prefix.clone().into_bytes();
            if !texts[0].write(row, &mut key) || key.len() == self.prefix.len() {
                packed.without_key += 1;
                continue;
            }
            let mut command = Cmd::with_capacity(6 + 2 * names.len(), 32 * names.len());
            command.arg("EVALSHA").arg(script).arg(1).arg(key).arg(&self.as_of).arg(&self.seconds);
            for (name, texts) in names.iter().zip(&mut texts).skip(usize::from(!self.key_is_field)) {
                value.clear();
                // A field without a value is left out: the script replaces the whole hash, so the old value goes.
                if texts.write(row, &mut value) {
                    command.arg(*name).arg(value.as_slice());
                }
            }
            packed.commands.add_command(command);
        }
        Ok(packed)
    }
}

/// The columns that become fields.
fn fields(hash: &StoreHash, schema: &SchemaRef) -> Result<Vec<String>> {
    let table = &hash.from.table.value;
    let find =
        |column: &str| schema.field_with_name(column).map_err(|_| Error::NoColumn { table: table.clone(), column: column.to_owned() });
    let bad_type =
        |column: &str, kind: &arrow::datatypes::DataType| Error::BadFieldType { column: column.to_owned(), data_type: kind.to_string() };
    let key = find(&hash.key)?;
    if !fits_key(key.data_type()) {
        return Err(bad_type(key.name(), key.data_type()));
    }
    let names: Vec<&str> = match &hash.columns {
        Some(columns) => columns.iter().map(|c| c.value.as_str()).collect(),
        None => schema.fields().iter().map(|f| f.name().as_str()).filter(|name| *name != hash.key.value).collect(),
    };
    let mut fields = Vec::new();
    for name in names.into_iter().filter(|name| *name != EVENT_TIME) {
        let field = find(name)?;
        if !fits(field.data_type()) {
            return Err(bad_type(name, field.data_type()));
        }
        fields.push(name.to_owned());
    }
    Ok(fields)
}

/// The rows of the run's date, where the table has dates.
fn filter(hash: &StoreHash, schema: &SchemaRef) -> String {
    let mut conditions = Vec::new();
    if schema.index_of(EVENT_TIME).is_ok() {
        conditions.push(format!("\"{EVENT_TIME}\" = $as_of"));
    }
    conditions.extend(hash.from.r#where.as_ref().map(|w| format!("({})", w.value)));
    if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) }
}

fn quoted(column: &str) -> String {
    format!("\"{}\"", column.replace('"', "\"\""))
}
