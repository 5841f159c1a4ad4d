//! Type-checking models in the order in which they are made, without data.

use crate::compile::{Model, Models};
use crate::header;
use crate::locate::locate;
use arrow::datatypes::{DataType, SchemaRef};
use cscopilot_diag::{Diagnostic, Diagnostics, suggest};
use cscopilot_lake::{Params, TableName, check_sql, storage_schema};
use datafusion::prelude::SessionContext;
use std::collections::{BTreeMap, BTreeSet};

/// Columns of tables.
pub type Schemas = BTreeMap<TableName, SchemaRef>;

/// The columns of every model that is in order. `base` holds the tables that are not made by SQL.
pub fn check_models(models: &Models, base: &Schemas, params: &Params, out: &mut Diagnostics) -> Schemas {
    let mut known = base.clone();
    let mut made = Schemas::new();
    let mut broken = models.broken.clone();
    for (table, model) in &models.models {
        if base.contains_key(table) {
            out.push(
                Diagnostic::error("TRF008", format!("`{table}` is written by another step already"))
                    .at(model.place(1, 1))
                    .with_help("rename the file, or remove the other writer"),
            );
        }
    }
    for table in &models.order {
        let Some(model) = models.models.get(table) else { continue };
        if !tables_exist(model, models, &known, &mut broken, out) {
            broken.insert(table.clone());
            continue;
        }
        match check_model(model, &known, params, out) {
            Some(schema) => {
                known.insert(table.clone(), schema.clone());
                made.insert(table.clone(), schema);
                header::check(model, &known, params, &broken, out);
            }
            None => {
                broken.insert(table.clone());
            }
        }
    }
    made
}

/// Whether all tables that a model reads are known. Those whose own file is broken are no error here: it has been shown.
fn tables_exist(model: &Model, models: &Models, known: &Schemas, broken: &mut BTreeSet<TableName>, out: &mut Diagnostics) -> bool {
    let mut fine = true;
    for reference in &model.reads {
        if known.contains_key(&reference.table) {
            continue;
        }
        fine = false;
        if broken.contains(&reference.table) {
            continue;
        }
        out.push(
            Diagnostic::error("TRF007", format!("there is no table `{}`", reference.table))
                .at(model.place(reference.line, reference.column))
                .with_help_opt(table_help(&reference.table, known, models)),
        );
    }
    fine
}

/// "did you mean" among tables: first of the same name in another schema, then the nearest.
pub(crate) fn table_help(table: &TableName, known: &Schemas, models: &Models) -> Option<String> {
    let all: BTreeSet<&TableName> = known.keys().chain(models.models.keys()).filter(|t| *t != table).collect();
    let twins: Vec<String> = all.iter().filter(|t| t.name == table.name).map(|t| format!("`{t}`")).collect();
    if !twins.is_empty() {
        return Some(format!("did you mean {}?", twins.join(" or ")));
    }
    let names: Vec<String> = all.iter().map(ToString::to_string).collect();
    if let Some(close) = suggest::closest(&table.to_string(), names.iter().map(String::as_str)) {
        return Some(format!("did you mean `{close}`?"));
    }
    let siblings: Vec<&str> = all.iter().filter(|t| t.schema == table.schema).map(|t| t.name.as_str()).collect();
    if siblings.is_empty() {
        let schemas: BTreeSet<&str> = all.iter().map(|t| t.schema.as_str()).collect();
        return Some(format!(
            "there is no table in a schema `{}`; schemas: {}",
            table.schema,
            schemas.into_iter().collect::<Vec<_>>().join(", ")
        ));
    }
    Some(match suggest::help(&table.name, siblings.iter().copied()) {
        Some(help) => format!("in `{}`: {help}", table.schema),
        None => "a table is declared by a stream of a source or by a file in `sql/`".to_owned(),
    })
}

/// "did you mean" for a function's name.
fn function_help(message: &str) -> Option<String> {
    let name = message.strip_prefix("invalid function '")?.strip_suffix('\'')?;
    let context = SessionContext::new();
    let state = context.state();
    let scalar = state.scalar_functions().keys();
    let known: BTreeSet<&str> =
        scalar.chain(state.aggregate_functions().keys()).chain(state.window_functions().keys()).map(String::as_str).collect();
    Some(match suggest::closest(name, known) {
        Some(close) => format!("did you mean `{close}`?"),
        None => "see DataFusion's list of SQL functions".to_owned(),
    })
}

/// Names in messages of DataFusion, quoted as ours are.
fn in_backticks(message: &str) -> String {
    if message.matches('\'').count().is_multiple_of(2) && !message.contains('`') { message.replace('\'', "`") } else { message.to_owned() }
}

fn check_model(model: &Model, known: &Schemas, params: &Params, out: &mut Diagnostics) -> Option<SchemaRef> {
    let tables: Schemas = model.reads().into_iter().filter_map(|t| known.get(&t).map(|s| (t, s.clone()))).collect();
    let schema = match check_sql(&model.sql, &tables, params) {
        Ok(schema) => schema,
        Err(error) => {
            let (line, column) = if error.line > 0 {
                (error.line, error.column)
            } else {
                locate(&model.sql, &error.message, &tables, params).unwrap_or((1, 0))
            };
            let help = error.help.clone().or_else(|| function_help(&error.message));
            out.push(
                Diagnostic::error("TRF010", in_backticks(&error.message))
                    .at(model.place(line, column))
                    .with_help_opt(help.map(|h| in_backticks(&h))),
            );
            return None;
        }
    };
    let before = out.len();
    let mut names = BTreeSet::new();
    for field in schema.fields() {
        let error = |message: String, help: String| Diagnostic::error("TRF011", message).at(model.place(1, 0)).with_help(help);
        let name = field.name();
        if !names.insert(name.to_lowercase()) {
            out.push(error(
                format!("the query gives two columns named `{name}`"),
                "name the columns one by one instead of `*`, or rename one with AS; names may not differ in case only".to_owned(),
            ));
        } else if !name.chars().all(|c| c.is_alphanumeric() || c == '_') || name.is_empty() {
            out.push(error(
                format!("the column `{name}` has no proper name"),
                "add `AS some_name` to the expression; letters, digits and `_` are allowed".to_owned(),
            ));
        } else if *field.data_type() == DataType::Null {
            out.push(error(format!("the column `{name}` has no type"), format!("give the NULL a type: CAST(NULL AS VARCHAR) AS {name}")));
        }
    }
    if out.len() > before {
        return None;
    }
    match storage_schema(&schema) {
        Ok(stored) => Some(stored),
        Err(error) => {
            use cscopilot_diag::Coded;
            out.push(error.to_diagnostic().at(model.place(1, 0)));
            None
        }
    }
}
