//! What a check of a project finds in syncs: tables and columns that aren't there, types that no field takes.

use crate::value::fits;
use cscopilot_diag::{Diagnostics, suggest};
use cscopilot_lake::{Params, SchemaRef, TableName, Value, check_sql};
use cscopilot_spec::{At, Loaded, ParamValue, Project, Sync};
use std::collections::BTreeMap;

/// Adds errors for mappings that don't fit the tables they read.
pub fn check(project: &Project, schemas: &BTreeMap<TableName, SchemaRef>, out: &mut Diagnostics) {
    for loaded in project.syncs.values() {
        let from = &loaded.value.from;
        let Ok(table) = from.table.parse::<TableName>() else { continue };
        let Some(schema) = schemas.get(&table) else {
            let names: Vec<String> = schemas.keys().map(ToString::to_string).collect();
            out.push(
                loaded
                    .error("SYN004", &from.table, format!("there is no table `{table}`"))
                    .with_help_opt(suggest::help(&from.table, names.iter().map(String::as_str))),
            );
            continue;
        };
        columns(loaded, &table, schema, out);
        condition(project, loaded, schemas, out);
    }
}

fn columns(loaded: &Loaded<Sync>, table: &TableName, schema: &SchemaRef, out: &mut Diagnostics) {
    let no_column = |column: &At<String>| {
        let names = schema.fields().iter().map(|f| f.name().as_str());
        loaded.error("SYN005", column, format!("`{table}` has no column `{column}`")).with_help_opt(suggest::help(column, names))
    };
    let key = loaded.value.to.salesforce().r#match.column();
    if schema.index_of(key).is_err() {
        out.push(no_column(key));
    }
    for (_, field) in loaded.value.fields.iter() {
        match schema.field_with_name(&field.column) {
            Err(_) => out.push(no_column(&field.column)),
            Ok(column) if !fits(column.data_type(), field) => out.push(
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

fn condition(project: &Project, loaded: &Loaded<Sync>, schemas: &BTreeMap<TableName, SchemaRef>, out: &mut Diagnostics) {
    let Some(condition) = &loaded.value.from.r#where else { return };
    let sql = format!("SELECT 1 FROM {} WHERE {}", loaded.value.from.table, condition.value);
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
