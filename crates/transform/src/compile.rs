//! SQL files to models: rendered, parsed, put in order.

use crate::arrival::Embargoes;
use crate::graph;
use crate::parse::{ParamUse, Problem, Reference, parse_condition, parse_query};
use crate::render::render;
use cscopilot_diag::{Diagnostic, Diagnostics, Place, suggest};
use cscopilot_lake::{Params, TableName};
use cscopilot_spec::sql::{Check, Materialization, SqlModel};
use cscopilot_spec::{At, Loaded};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A SQL file that was rendered and parsed.
#[derive(Debug, Clone)]
pub struct Model {
    /// The table it makes.
    pub table: TableName,
    /// The SQL that is run: rendered, without the header.
    pub sql: Arc<str>,
    /// The file it came from.
    pub file: Loaded<SqlModel>,
    pub(crate) reads: Vec<Reference>,
    /// Parameters that the SQL, its template or its checks use, by name.
    pub(crate) params: BTreeSet<String>,
    /// Whether the query itself says in which order its rows come.
    pub(crate) ordered: bool,
}

impl Model {
    /// How its rows are kept.
    #[must_use]
    pub fn materialization(&self) -> Materialization {
        *self.file.value.header.materialized
    }

    /// The tables that its SQL reads, sorted.
    #[must_use]
    pub fn reads(&self) -> BTreeSet<TableName> {
        self.reads.iter().map(|r| r.table.clone()).collect()
    }

    /// The tables that must be there before it can run: those that its SQL reads and those that its checks look at.
    #[must_use]
    pub fn needs(&self) -> BTreeSet<TableName> {
        let mut needs = self.reads();
        needs.extend(self.relationships().map(|(table, _)| table).filter(|t| *t != self.table));
        needs
    }

    /// The parameters whose values its rows or checks depend on.
    #[must_use]
    pub fn params_used(&self) -> &BTreeSet<String> {
        &self.params
    }

    /// Whether another `as_of` may give other rows or another result of its checks.
    #[must_use]
    pub fn depends_on_as_of(&self) -> bool {
        self.params.contains("as_of")
    }

    /// Everything in its files that its rows depend on, as text for a fingerprint.
    #[must_use]
    pub fn definition(&self) -> String {
        let header = self.file.value.sibling.as_ref().map_or("", |s| &s.text);
        format!("{}\n{}\n{header}", self.sql, self.file.text)
    }

    /// Relationship checks: the table that is looked at, and the place of its name.
    pub(crate) fn relationships(&self) -> impl Iterator<Item = (TableName, &At<String>)> {
        self.file.value.header.checks.iter().filter_map(|check| match &check.value {
            Check::Relationship(r) => r.target().and_then(|(table, _)| table.parse().ok()).map(|table| (table, &r.to)),
            _ => None,
        })
    }

    /// A place in the SQL. For a template this is the rendered text, which is shown.
    pub(crate) fn place(&self, line: u32, column: u32) -> Place {
        sql_place(&self.file, &self.sql, line, column)
    }
}

/// All models of a project.
#[derive(Debug, Clone, Default)]
pub struct Models {
    /// The models that parsed, by table.
    pub models: BTreeMap<TableName, Model>,
    /// Their names, each after those it needs. Models on a loop are left out.
    pub order: Vec<TableName>,
    /// Tables whose files are broken or on a loop: nothing is known of their columns.
    pub(crate) broken: BTreeSet<TableName>,
    /// What templates were rendered with; a unit test renders them again.
    pub(crate) embargoes: Embargoes,
}

/// Renders and parses SQL files, and orders them. What is wrong is added to `out`.
pub fn compile<'a>(
    files: impl IntoIterator<Item = &'a Loaded<SqlModel>>,
    params: &Params,
    embargoes: &Embargoes,
    out: &mut Diagnostics,
) -> Models {
    let mut all = Models { embargoes: embargoes.clone(), ..Models::default() };
    for file in files {
        let table = TableName::new(&file.value.schema, &file.value.table);
        match compile_one(file, table.clone(), params, embargoes, out) {
            Some(model) => {
                all.models.insert(table, model);
            }
            None => {
                all.broken.insert(table);
            }
        }
    }
    let needs: graph::Needs = all
        .models
        .values()
        .map(|m| (m.table.clone(), m.needs().into_iter().chain(m.reads()).filter(|t| all.models.contains_key(t)).collect()))
        .collect();
    match graph::order(&needs) {
        Ok(order) => all.order = order,
        Err(cycles) => {
            for cycle in &cycles {
                out.push(cycle_error(&all, cycle));
                all.broken.extend(cycle.iter().cloned());
            }
            let rest: graph::Needs = needs.into_iter().filter(|(name, _)| !all.broken.contains(name)).collect();
            all.order = graph::order(&rest).unwrap_or_default();
        }
    }
    all
}

fn compile_one(file: &Loaded<SqlModel>, table: TableName, params: &Params, embargoes: &Embargoes, out: &mut Diagnostics) -> Option<Model> {
    let text = file.sql();
    let (sql, mut used) = if file.value.template {
        match render(&file.path, &text, params, embargoes, driver(file)) {
            Ok(rendered) => (Arc::from(rendered.sql), rendered.params),
            Err(problem) => {
                let place = Place::new(file.path.clone(), Arc::clone(&file.text), problem.line, problem.column);
                out.push(diagnostic(problem, place));
                return None;
            }
        }
    } else {
        (Arc::from(text), BTreeSet::new())
    };
    let parsed = match parse_query(&sql) {
        Ok(parsed) => parsed,
        Err(problem) => {
            let place = sql_place(file, &sql, problem.line, problem.column);
            out.push(diagnostic(problem, place));
            return None;
        }
    };
    let mut fine = true;
    for param in &parsed.params {
        fine &= known_param(param, params, sql_place(file, &sql, param.line, param.column), out);
        used.insert(param.name.clone());
    }
    for check in &file.value.header.checks {
        match &check.value {
            Check::Freshness(_) => {
                used.insert("as_of".to_owned());
            }
            Check::Expression(expression) => match parse_condition(&expression.sql) {
                Ok(parsed) => {
                    for param in &parsed.params {
                        known_param(param, params, file.header_place(&expression.sql), out);
                        used.insert(param.name.clone());
                    }
                }
                Err(problem) => out.push(diagnostic(problem, file.header_place(&expression.sql))),
            },
            _ => {}
        }
    }
    fine.then(|| Model { table, sql, file: file.clone(), reads: parsed.reads, params: used, ordered: parsed.ordered })
}

/// The table that an incremental model is computed along.
pub(crate) fn driver(file: &Loaded<SqlModel>) -> Option<&str> {
    file.value.header.on.as_ref().map(|on| on.value.as_str())
}

/// Whether a parameter is defined; adds an error where it isn't.
fn known_param(used: &ParamUse, params: &Params, place: Place, out: &mut Diagnostics) -> bool {
    if params.get(&used.name).is_some() {
        return true;
    }
    let known = || params.iter().map(|(name, _)| name);
    let help = match suggest::closest(&used.name, known()) {
        Some(close) => format!("did you mean `${close}`?"),
        None => {
            let names: Vec<String> = known().map(|n| format!("${n}")).collect();
            format!("declare it under `params:` in cscopilot.yaml; known: {}", names.join(", "))
        }
    };
    out.push(Diagnostic::error("TRF006", format!("there is no parameter `${}`", used.name)).at(place).with_help(help));
    false
}

fn cycle_error(all: &Models, cycle: &[TableName]) -> Diagnostic {
    let mut names: Vec<String> = cycle.iter().map(ToString::to_string).collect();
    names.push(names[0].clone());
    let message = if cycle.len() == 1 {
        format!("`{}` reads itself", cycle[0])
    } else {
        format!("these tables need each other: {}", names.join(" → "))
    };
    let error = Diagnostic::error("TRF005", message)
        .with_help("a table can't be made from itself: take one of these reads out, or move the shared part to a table of its own");
    let next = &cycle[1 % cycle.len()];
    let Some(model) = all.models.get(&cycle[0]) else { return error };
    let in_sql = model.reads.iter().find(|r| r.table == *next).map(|r| model.place(r.line, r.column));
    let in_header = || model.relationships().find(|(table, _)| table == next).map(|(_, at)| model.file.header_place(at));
    match in_sql.or_else(in_header) {
        Some(place) => error.at(place),
        None => error,
    }
}

pub(crate) fn diagnostic(problem: Problem, place: Place) -> Diagnostic {
    Diagnostic::error(problem.code, problem.message).at(place).with_help_opt(problem.help)
}

fn sql_place(file: &Loaded<SqlModel>, sql: &Arc<str>, line: u32, column: u32) -> Place {
    if line == 0 {
        Place::file(file.path.clone())
    } else if file.value.template {
        Place::new(format!("{} (rendered)", file.path), Arc::clone(sql), line, column)
    } else {
        Place::new(file.path.clone(), Arc::clone(&file.text), line, column)
    }
}
