//! SQL unit tests name tables and columns: those must be there.

use cscopilot_diag::{Diagnostics, suggest};
use cscopilot_lake::{SchemaRef, TableName};
use cscopilot_spec::sql_test::{GivenTable, SqlTest};
use cscopilot_spec::{At, Loaded, Project, SqlTests};
use std::collections::BTreeMap;

type Schemas = BTreeMap<TableName, SchemaRef>;

/// Adds an error for each table and column that a test names and the project lacks.
pub(crate) fn check(project: &Project, schemas: &Schemas, out: &mut Diagnostics) {
    for file in project.sql_tests.values() {
        for test in &file.value.tests {
            model(file, test, project, schemas, out);
            for (name, given) in &test.given {
                table(file, name, given, project, schemas, out);
            }
        }
    }
}

fn model(file: &Loaded<SqlTests>, test: &SqlTest, project: &Project, schemas: &Schemas, out: &mut Diagnostics) {
    if !project.sql.contains_key(&test.table.value) {
        let known = project.sql.keys().map(String::as_str);
        out.push(
            file.error("RUN020", &test.table, format!("there is no SQL model `{}`", test.table))
                .with_help_opt(suggest::help(&test.table, known)),
        );
        return;
    }
    let Some(schema) = schema_of(schemas, &test.table) else { return };
    for row in &test.expect.rows {
        columns(file, row.value.iter().map(|(name, cell)| (name, cell.line, cell.column)), &test.table, schema, out);
    }
}

fn table(file: &Loaded<SqlTests>, name: &str, given: &At<GivenTable>, project: &Project, schemas: &Schemas, out: &mut Diagnostics) {
    match schema_of(schemas, name) {
        Some(schema) => {
            for row in &given.rows {
                let extra = row.value.iter().filter(|(column, _)| !given.columns.contains_key(*column));
                columns(file, extra.map(|(name, cell)| (name, cell.line, cell.column)), name, schema, out);
            }
        }
        // A model whose own file is broken says so itself; a table with declared columns may be one of nobody's.
        None if project.sql.contains_key(name) || !given.columns.is_empty() => {}
        None => {
            let known: Vec<String> = schemas.keys().map(ToString::to_string).collect();
            out.push(
                file.error("RUN021", given, format!("there is no table `{name}`"))
                    .with_help_opt(suggest::help(name, known.iter().map(String::as_str))),
            );
        }
    }
}

fn columns<'a>(
    file: &Loaded<SqlTests>,
    named: impl Iterator<Item = (&'a String, u32, u32)>,
    table: &str,
    schema: &SchemaRef,
    out: &mut Diagnostics,
) {
    for (name, line, column) in named {
        if schema.field_with_name(name).is_err() {
            let known = schema.fields().iter().map(|f| f.name().as_str());
            out.push(
                file.error("RUN022", &At { value: (), line, column }, format!("`{table}` has no column `{name}`"))
                    .with_help_opt(suggest::help(name, known)),
            );
        }
    }
}

fn schema_of<'a>(schemas: &'a Schemas, name: &str) -> Option<&'a SchemaRef> {
    schemas.get(&name.parse::<TableName>().ok()?)
}
