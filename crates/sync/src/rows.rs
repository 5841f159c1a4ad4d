//! The rows that a sync wants to see in the CRM.

use crate::decide::Fields;
use crate::value::{fits, values};
use crate::{Error, Result};
use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use cscopilot_lake::step::StepContext;
use cscopilot_lake::{SchemaRef, TableName};
use cscopilot_spec::Sync;
use std::collections::BTreeMap;

/// What the records of a sync should hold.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// Fields by record key.
    pub(crate) records: BTreeMap<String, Record>,
    /// Rows that name no record.
    pub(crate) without_key: u64,
    /// Keys that several rows name; none of them is written, since nobody knows which one is right.
    pub(crate) repeated: Vec<String>,
    pub(crate) rows: u64,
}

/// One record.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// A name for people, where the table has one.
    pub(crate) name: Option<String>,
    pub(crate) fields: Fields,
}

const NAME: &str = "account_name";

/// Reads the rows of the sync's table.
pub(crate) async fn wanted(ctx: &StepContext, sync: &Sync) -> Result<Wanted> {
    let no_table = || Error::NoTable { table: sync.from.table.value.clone() };
    let table: TableName = sync.from.table.parse().map_err(|_| no_table())?;
    let info = ctx.lake.table(&table).await?.ok_or_else(no_table)?;
    let batches = ctx.lake.query(&sql(sync, &info.schema)?, &ctx.params).await?;
    let mut wanted = Wanted::default();
    for batch in &batches {
        add(&mut wanted, sync, batch)?;
    }
    for key in &wanted.repeated {
        wanted.records.remove(key);
    }
    Ok(wanted)
}

fn sql(sync: &Sync, schema: &SchemaRef) -> Result<String> {
    let table = &sync.from.table;
    let mut columns = vec![sync.to.salesforce().r#match.column().value.as_str()];
    columns.extend(sync.fields.iter().map(|(_, f)| f.column.value.as_str()));
    for column in &columns {
        if schema.index_of(column).is_err() {
            return Err(Error::NoColumn { table: table.value.clone(), column: (*column).to_owned() });
        }
    }
    columns.push(NAME);
    columns.sort_unstable();
    columns.dedup();
    let selected: Vec<String> = columns.iter().filter(|c| schema.index_of(c).is_ok()).map(|c| format!("\"{c}\"")).collect();
    let mut conditions = Vec::new();
    if schema.index_of("as_of").is_ok() {
        conditions.push("\"as_of\" = $as_of".to_owned());
    }
    conditions.extend(sync.from.r#where.as_ref().map(|w| format!("({})", w.value)));
    let filter = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    Ok(format!("SELECT {} FROM {table}{filter}", selected.join(", ")))
}

fn add(wanted: &mut Wanted, sync: &Sync, batch: &RecordBatch) -> Result<()> {
    let column = |name: &str| {
        batch.column_by_name(name).ok_or_else(|| Error::NoColumn { table: sync.from.table.value.clone(), column: name.to_owned() })
    };
    let keys = column(sync.to.salesforce().r#match.column())?;
    let names = batch.column_by_name(NAME);
    let mut fields: Vec<(&String, bool, Vec<serde_json::Value>)> = Vec::new();
    for (api_name, field) in sync.fields.iter() {
        let array = column(&field.column)?;
        if !fits(array.data_type(), field) {
            return Err(Error::BadType { column: field.column.value.clone(), data_type: array.data_type().to_string() });
        }
        fields.push((&api_name.value, field.keep_if_null, values(array, field)?));
    }
    for row in 0..batch.num_rows() {
        wanted.rows += 1;
        let Some(key) = text(keys, row)?.filter(|key| !key.is_empty()) else {
            wanted.without_key += 1;
            continue;
        };
        let name = names.map(|n| text(n, row)).transpose()?.flatten();
        let of_row = fields.iter().filter(|(_, keep, values)| !(*keep && values[row].is_null()));
        let record = Record { name, fields: of_row.map(|(api, _, values)| ((*api).clone(), values[row].clone())).collect() };
        if wanted.records.insert(key.clone(), record).is_some() && !wanted.repeated.contains(&key) {
            wanted.repeated.push(key);
        }
    }
    wanted.repeated.sort();
    Ok(())
}

fn text(array: &ArrayRef, row: usize) -> Result<Option<String>> {
    if array.is_null(row) {
        return Ok(None);
    }
    Ok(Some(ArrayFormatter::try_new(array.as_ref(), &FormatOptions::default())?.value(row).to_string()))
}
