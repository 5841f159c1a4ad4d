//! What other crates ask of a whole project.

use crate::arrival::Embargoes;
use crate::check::{Schemas, check_models};
use crate::compile::{Model, Models, compile};
use crate::error::{Error, Result};
use crate::unit_test::{TestResult, run_tests};
use chrono::NaiveDate;
use cscopilot_diag::{Diagnostic, Diagnostics, Place, suggest};
use cscopilot_lake::{Params, TableName, Value};
use cscopilot_spec::sql::Materialization;
use cscopilot_spec::{Loaded, ParamValue, Project};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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
    let models = compile(project.sql.values(), &params, &Embargoes::of(project), out);
    unused_params(project, &models, out);
    check_models(&models, base_schemas, &params, out)
}

/// Warns of parameters that nothing uses: no SQL, no check, no other file.
fn unused_params(project: &Project, models: &Models, out: &mut Diagnostics) {
    if !models.broken.is_empty() {
        return;
    }
    let used: BTreeSet<&str> = models.models.values().flat_map(|m| m.params.iter().map(String::as_str)).collect();
    let texts = texts(project);
    for name in project.config.value.params.keys().filter(|name| !used.contains(name.as_str())) {
        if texts.iter().any(|text| text.contains(&format!("${{param:{name}}}")) || text.contains(&format!("${name}"))) {
            continue;
        }
        let config = &project.config;
        let at = config.text.lines().zip(1..).find_map(|(line, number)| {
            let key = line.trim_start();
            let found = key.strip_prefix(name.as_str()).is_some_and(|rest| rest.trim_start().starts_with(':'));
            found.then(|| (number, u32::try_from(line.len() - key.len()).unwrap_or(0) + 1))
        });
        let place = match at {
            Some((line, column)) => Place::new(config.path.clone(), Arc::clone(&config.text), line, column),
            None => Place::file(config.path.clone()),
        };
        let warning = Diagnostic::warning("TRF040", format!("nothing uses the parameter `{name}`"));
        out.push(warning.at(place).with_help(format!("use it as `${name}` in SQL or `${{param:{name}}}` in YAML, or remove it")));
    }
}

/// The texts of all YAML files.
fn texts(project: &Project) -> Vec<&str> {
    fn all<T>(files: &BTreeMap<String, Loaded<T>>) -> impl Iterator<Item = &str> {
        files.values().map(|f| &*f.text)
    }
    std::iter::once(&*project.config.text)
        .chain(project.site.iter().map(|f| &*f.text))
        .chain(all(&project.environments))
        .chain(all(&project.pipelines))
        .chain(all(&project.sources))
        .chain(all(&project.models))
        .chain(all(&project.features))
        .chain(all(&project.scorecards))
        .chain(all(&project.alerts))
        .chain(all(&project.opportunities))
        .chain(all(&project.plays))
        .chain(all(&project.syncs))
        .chain(all(&project.stores))
        .collect()
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
    let models = compile(project.sql.values(), params, &Embargoes::of(project), &mut Diagnostics::new());
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
    let models = compile(project.sql.values(), params, &Embargoes::of(project), &mut out);
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
    let mut compiled = compile([file], params, &Embargoes::of(project), &mut out);
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
    let models = compile(project.sql.values(), &params, &Embargoes::of(project), &mut out);
    let mut schemas = check_models(&models, base_schemas, &params, &mut out);
    schemas.extend(base_schemas.iter().map(|(t, s)| (t.clone(), s.clone())));
    run_tests(project.sql_tests.values(), select, &models, &schemas, &params).await
}
