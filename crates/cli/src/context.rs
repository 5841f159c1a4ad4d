//! What commands share: the loaded project, the open lake, and how a command fails.

use crate::args::Global;
use cscopilot_diag::{Coded, Diagnostic, Diagnostics, ExitClass};
use cscopilot_lake::{Lake, LakeOptions};
use cscopilot_spec::{LoadOptions, Project};
use std::sync::Arc;

/// Why a command could not do what was asked.
pub(crate) struct Failure {
    pub(crate) diagnostics: Diagnostics,
    pub(crate) exit: ExitClass,
}

impl Failure {
    /// The project or the command line is wrong.
    pub(crate) fn invalid(diagnostics: impl Into<Diagnostics>) -> Self {
        Self { diagnostics: diagnostics.into(), exit: ExitClass::Invalid }
    }

    /// Something outside went wrong.
    pub(crate) fn failed(diagnostic: Diagnostic) -> Self {
        Self { diagnostics: diagnostic.into(), exit: ExitClass::Failed }
    }
}

impl<E: Coded> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { diagnostics: error.to_diagnostic().into(), exit: error.exit_class() }
    }
}

/// Loads the project and checks it whole: nothing is started on a broken project.
pub(crate) fn checked_project(global: &Global) -> Result<Arc<Project>, Failure> {
    let project = project(global)?;
    cscopilot_run::check(&project).map_err(Failure::invalid)?;
    Ok(project)
}

/// Loads the project.
pub(crate) fn project(global: &Global) -> Result<Arc<Project>, Failure> {
    let options = LoadOptions { env: global.env.clone(), params: global.params.iter().cloned().collect() };
    Project::load(&global.project, &options).map(Arc::new).map_err(Failure::invalid)
}

/// Opens the project's lake.
pub(crate) async fn lake(project: &Project) -> Result<Lake, Failure> {
    let location = project.lake_location().map_err(Failure::invalid)?;
    // One thread a query, so that sums and ties don't depend on the number of cores; independent tasks run beside each other.
    let memory_limit_bytes = usize::try_from(project.memory_limit_bytes()).unwrap_or(usize::MAX);
    let options = LakeOptions { memory_limit_bytes, ..LakeOptions::default() };
    Ok(Lake::open(&location, options).await?)
}
