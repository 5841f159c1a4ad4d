//! `cscopilot check`: everything that can be known without data or network.

use cscopilot_diag::Diagnostics;
use cscopilot_lake::{SchemaRef, TableName};
use cscopilot_spec::Project;
use std::collections::{BTreeMap, BTreeSet};

/// What a check learnt.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The columns of every table, SQL models included.
    pub schemas: BTreeMap<TableName, SchemaRef>,
    /// What is worth mending though it works.
    pub warnings: Diagnostics,
}

/// Compiles everything: SQL against declared schemas, SQL expressions in YAML, templates, the graph of each pipeline.
///
/// # Errors
/// All that is wrong, in all files.
pub fn check(project: &Project) -> Result<Checked, Diagnostics> {
    let mut out = Diagnostics::new();
    let mut schemas = base_schemas(project);
    schemas.extend(cscopilot_transform::check(project, &schemas, &mut out));
    crate::check_tests::check(project, &schemas, &mut out);
    cscopilot_extract::check(project, &schemas, &mut out);
    cscopilot_learn::check(project, &schemas, &mut out);
    cscopilot_assess::check(project, &schemas, &mut out);
    cscopilot_report::check(project, &mut out);
    cscopilot_sync::check(project, &schemas, &mut out);
    let some_day = chrono::NaiveDate::default();
    let params = cscopilot_transform::params(project, some_day);
    for name in project.pipelines.keys() {
        if let Err(error) = crate::plan::graph(project, name, &params) {
            out.extend(error.diagnostics());
        }
    }
    let mut out = without_consequences(out, project, &schemas);
    out.sort();
    if out.has_errors() { Err(out) } else { Ok(Checked { schemas, warnings: out }) }
}

/// Without the complaints that a table is missing which a broken SQL file would have made: that file's own error says it.
fn without_consequences(all: Diagnostics, project: &Project, schemas: &BTreeMap<TableName, SchemaRef>) -> Diagnostics {
    let made: BTreeSet<String> = schemas.keys().map(ToString::to_string).collect();
    let broken: Vec<String> =
        project.sql.keys().filter(|name| !made.contains(*name)).map(|name| format!("there is no table `{name}`")).collect();
    let mut kept = Diagnostics::new();
    kept.extend(all.into_iter().filter(|d| !broken.iter().any(|b| d.message.starts_with(b))));
    kept
}

/// The columns of the tables that SQL doesn't make.
#[must_use]
pub fn base_schemas(project: &Project) -> BTreeMap<TableName, SchemaRef> {
    let mut schemas = cscopilot_extract::outputs(project);
    schemas.extend(cscopilot_learn::outputs(project));
    schemas.extend(cscopilot_assess::outputs(project));
    schemas.extend(cscopilot_sync::outputs(project));
    schemas.insert(crate::quality::table(), crate::quality::schema());
    schemas.insert(crate::history::table(), crate::history::schema());
    schemas
}
