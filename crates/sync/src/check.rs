//! What a check of a project finds in syncs and stores: tables and columns that aren't there, types that no field takes.

use crate::{publish, value};
use cscopilot_diag::{Diagnostic, Diagnostics, suggest};
use cscopilot_lake::{Params, SchemaRef, TableName, Value, check_sql};
use cscopilot_spec::{At, Loaded, ParamValue, Project, Store, StoreHash, Sync, SyncFrom};
use std::collections::BTreeMap;

/// Adds errors for mappings and stores that don't fit the tables they read.
pub fn check(project: &Project, schemas: &BTreeMap<TableName, SchemaRef>, out: &mut Diagnostics) {
    for loaded in project.syncs.values() {
        let from = &loaded.value.from;
        if let Some(schema) = table(loaded, from, schemas, out) {
            columns(loaded, schema, out);
            condition(project, loaded, from, schemas, out);
        }
    }
    for loaded in project.stores.values() {
        for (_, hash) in loaded.value.hashes.iter() {
            if let Some(schema) = table(loaded, &hash.from, schemas, out) {
                fields(loaded, hash, schema, out);
                condition(project, loaded, &hash.from, schemas, out);
            }
        }
    }
}

/// The columns of the table; an error if there is none of that name.
fn table<'a, T>(
    loaded: &Loaded<T>,
    from: &SyncFrom,
    schemas: &'a BTreeMap<TableName, SchemaRef>,
    out: &mut Diagnostics,
) -> Option<&'a SchemaRef> {
    let table = from.table.parse::<TableName>().ok()?;
    let schema = schemas.get(&table);
    if schema.is_none() {
        let names: Vec<String> = schemas.keys().map(ToString::to_string).collect();
        out.push(
            loaded
                .error("SYN004", &from.table, format!("there is no table `{table}`"))
                .with_help_opt(suggest::help(&from.table, names.iter().map(String::as_str))),
        );
    }
    schema
}

fn no_column<T>(loaded: &Loaded<T>, from: &SyncFrom, column: &At<String>, schema: &SchemaRef) -> Diagnostic {
    let names = schema.fields().iter().map(|f| f.name().as_str());
    loaded.error("SYN005", column, format!("`{}` has no column `{column}`", from.table)).with_help_opt(suggest::help(column, names))
}

fn columns(loaded: &Loaded<Sync>, schema: &SchemaRef, out: &mut Diagnostics) {
    let from = &loaded.value.from;
    let key = loaded.value.to.salesforce().r#match.column();
    if schema.index_of(key).is_err() {
        out.push(no_column(loaded, from, key, schema));
    }
    for (_, field) in loaded.value.fields.iter() {
        match schema.field_with_name(&field.column) {
            Err(_) => out.push(no_column(loaded, from, &field.column, schema)),
            Ok(column) if !value::fits(column.data_type(), field) => out.push(
                loaded
                    .error(
                        "SYN006",
                        &field.column,
                        format!("`{}` is {}, which no field of the CRM can hold", field.column, column.data_type()),
                    )
                    .with_help("cast it to text in SQL; of lists of structs, name the text with `part:`"),
            ),
            Ok(_) => {}
        }
    }
}

fn fields(loaded: &Loaded<Store>, hash: &StoreHash, schema: &SchemaRef, out: &mut Diagnostics) {
    // A key that is not written down points at the table that lacks it.
    let key = if hash.key.line == 0 { hash.from.table.clone().map(|_| hash.key.value.clone()) } else { hash.key.clone() };
    match schema.field_with_name(&key) {
        Err(_) => out.push(no_column(loaded, &hash.from, &key, schema)),
        Ok(column) if !publish::fits_key(column.data_type()) => out.push(
            loaded
                .error("SYN018", &key, format!("`{key}` is {}, which can't end a key", column.data_type()))
                .with_help("keys are texts or integers"),
        ),
        Ok(_) => {}
    }
    let table = &hash.from.table;
    match &hash.columns {
        Some(columns) => {
            for column in columns {
                match schema.field_with_name(column) {
                    // The event time is a field of every hash.
                    Err(_) if column.value == "as_of" => {}
                    Err(_) => out.push(no_column(loaded, &hash.from, column, schema)),
                    Ok(field) if !publish::fits(field.data_type()) => out.push(bytes(loaded, column, column, field.data_type())),
                    Ok(_) => {}
                }
            }
        }
        None => {
            for field in schema.fields().iter().filter(|f| !publish::fits(f.data_type())) {
                out.push(bytes(loaded, table, field.name(), field.data_type()));
            }
        }
    }
}

fn bytes(loaded: &Loaded<Store>, at: &At<String>, column: &str, kind: &arrow::datatypes::DataType) -> Diagnostic {
    loaded
        .error("SYN018", at, format!("`{column}` is {kind}, which a store can't hold"))
        .with_help("cast it to text in SQL, or name the columns to publish with `columns:`")
}

fn condition<T>(project: &Project, loaded: &Loaded<T>, from: &SyncFrom, schemas: &BTreeMap<TableName, SchemaRef>, out: &mut Diagnostics) {
    let Some(condition) = &from.r#where else { return };
    let sql = format!("SELECT 1 FROM {} WHERE {}", from.table, condition.value);
    if let Err(error) = check_sql(&sql, schemas, &params(project)) {
        out.push(loaded.error("SYN011", condition, error.message.clone()).with_help_opt(error.help));
    }
}

/// Parameters of the right types; their values don't matter for a check.
fn params(project: &Project) -> Params {
    let value = |value: &ParamValue| match value {
        ParamValue::Str(v) => Value::Str(v.clone()),
        ParamValue::Int(v) => Value::Int(*v),
        ParamValue::Float(v) => Value::Float(*v),
        ParamValue::Bool(v) => Value::Bool(*v),
    };
    let named = project.params.iter().map(|(name, v)| (name.clone(), value(v)));
    named.collect::<Params>().with("as_of", chrono::NaiveDate::default())
}
