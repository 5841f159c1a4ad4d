//! What other crates ask of a whole project.

use crate::check::{Schemas, check_models};
use crate::compile::{Model, Models, compile};
use crate::error::{Error, Result};
use crate::unit_test::{TestResult, run_tests};
use chrono::NaiveDate;
use cscopilot_diag::{Diagnostics, suggest};
use cscopilot_lake::{Params, TableName, Value};
use cscopilot_spec::sql::Materialization;
use cscopilot_spec::{ParamValue, Project};
use std::collections::{BTreeMap, BTreeSet};

/// The date that stands for `as_of` where only its type matters.
const SOME_DAY: NaiveDate = match NaiveDate::from_ymd_opt(2000, 1, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};

/// A parameter's value as SQL gets it.
pub(crate) fn value(value: &ParamValue) -> Value {
    match value {
        ParamValue::Str(v) => Value::Str(v.clone()),
        ParamValue::Int(v) => Value::Int(*v),
        ParamValue::Float(v) => Value::Float(*v),
        ParamValue::Bool(v) => Value::Bool(*v),
    }
}

/// The parameters that SQL sees: the project's, and `as_of`.
#[must_use]
pub fn params(project: &Project, as_of: NaiveDate) -> Params {
    let mut params: Params = project.params.iter().map(|(name, v)| (name.clone(), value(v))).collect();
    params.set("as_of", as_of);
    params
}

/// Type-checks every SQL model in the order in which they are made, and gives their columns. `base_schemas` are the
/// tables that SQL doesn't make: raw ones and those of other steps. Errors go to `out`, with their places.
pub fn check(project: &Project, base_schemas: &Schemas, out: &mut Diagnostics) -> Schemas {
    let params = params(project, SOME_DAY);
    let models = compile(project.sql.values(), &params, out);
    check_models(&models, base_schemas, &params, out)
}

/// One SQL model as a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The table it makes.
    pub table: TableName,
    /// How it is kept.
    pub materialization: Materialization,
    /// Tables that must be up to date before it runs. Where one of them is a view, what that view reads is listed too:
    /// their versions say whether this table is up to date.
    pub reads: BTreeSet<TableName>,
    /// Tables it writes.
    pub writes: BTreeSet<TableName>,
    /// Parameters (with `as_of`) on whose values its rows or checks depend.
    pub params: BTreeSet<String>,
    /// Its files' text and that of the views it reads: part of its fingerprint.
    pub definition: String,
}

/// The tasks of all models, each after those it needs. Models with errors are left out: see [`check`].
#[must_use]
pub fn tasks(project: &Project, params: &Params) -> Vec<Task> {
    let models = compile(project.sql.values(), params, &mut Diagnostics::new());
    let mut done: BTreeMap<TableName, Task> = BTreeMap::new();
    for table in &models.order {
        let Some(model) = models.models.get(table) else { continue };
        let mut task = Task {
            table: table.clone(),
            materialization: model.materialization(),
            reads: model.needs(),
            writes: [table.clone()].into(),
            params: model.params.clone(),
            definition: model.definition(),
        };
        for read in model.needs() {
            if let Some(view) = done.get(&read).filter(|t| t.materialization == Materialization::View) {
                task.reads.extend(view.reads.iter().cloned());
                task.params.extend(view.params.iter().cloned());
                task.definition.push_str(&view.definition);
            }
        }
        done.insert(table.clone(), task);
    }
    models.order.iter().filter_map(|table| done.remove(table)).collect()
}

/// Compiles all models of a project, in order.
///
/// # Errors
/// Every error of every file.
pub fn models(project: &Project, params: &Params) -> Result<Models, Diagnostics> {
    let mut out = Diagnostics::new();
    let models = compile(project.sql.values(), params, &mut out);
    if out.has_errors() {
        out.sort();
        return Err(out);
    }
    Ok(models)
}

/// One compiled model.
///
/// # Errors
/// When there is none of that name, or its file is broken.
pub fn model(project: &Project, params: &Params, table: &TableName) -> Result<Model> {
    let name = table.to_string();
    let Some(file) = project.sql.get(&name) else {
        return Err(Error::UnknownModel { help: suggest::help(&name, project.sql.keys().map(String::as_str)), name });
    };
    let mut out = Diagnostics::new();
    let mut compiled = compile([file], params, &mut out);
    match compiled.models.remove(table) {
        Some(model) if !out.has_errors() => Ok(model),
        _ => Err(Error::Invalid(out)),
    }
}

/// Runs the project's SQL unit tests. `select` names tests, tables, schemas or files of tests; empty means all.
///
/// # Errors
/// When no session can be had; a failing test is a result.
pub async fn test(project: &Project, base_schemas: &Schemas, select: &[String]) -> Result<Vec<TestResult>> {
    let params = params(project, SOME_DAY);
    let mut out = Diagnostics::new();
    let models = compile(project.sql.values(), &params, &mut out);
    let mut schemas = check_models(&models, base_schemas, &params, &mut out);
    schemas.extend(base_schemas.iter().map(|(t, s)| (t.clone(), s.clone())));
    run_tests(project.sql_tests.values(), select, &models, &schemas, &params).await
}
