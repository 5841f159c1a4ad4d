//! `cscopilot check`: everything that can be known without data or network.

use cscopilot_diag::Diagnostics;
use cscopilot_lake::{SchemaRef, TableName};
use cscopilot_spec::Project;
use std::collections::BTreeMap;

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
    cscopilot_extract::check(project, &mut out);
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
    out.sort();
    if out.has_errors() { Err(out) } else { Ok(Checked { schemas, warnings: out }) }
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
