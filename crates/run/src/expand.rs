//! A pipeline's steps as tasks.

use crate::adapt;
use crate::task::{Task, TaskKind};
use cscopilot_lake::{Params, TableName};
use cscopilot_spec::{Pipeline, Project, Step};

/// The tasks of a pipeline, in the order of its steps, each once.
pub(crate) fn expand(project: &Project, pipeline: &Pipeline, params: &Params) -> Vec<Task> {
    let mut tasks: Vec<Task> = Vec::new();
    let sql = adapt::transforms(project, params);
    for step in &pipeline.steps {
        match step {
            Step::Extract(step) => {
                let wanted = |stream: &str| step.streams.as_ref().is_none_or(|s| s.iter().any(|w| w.value == stream));
                tasks.extend(adapt::extracts(project).into_iter().filter(|t| match &t.kind {
                    TaskKind::Extract { source, stream } => *source == step.source.value && wanted(stream),
                    _ => false,
                }));
            }
            Step::Transform(step) => tasks.extend(
                sql.iter()
                    .filter(|task| match (&task.kind, &step.select) {
                        (TaskKind::Transform(table), Some(select)) => select.iter().any(|s| selects(s, table)),
                        _ => true,
                    })
                    .cloned(),
            ),
            Step::Learn(step) => tasks.extend(adapt::learn(project, &step.model.value)),
            Step::Assess(_) => tasks.extend(adapt::assess(project)),
            Step::Report(_) => tasks.push(adapt::report(project)),
            Step::Sync(step) => tasks.extend(adapt::sync(project, &step.sync.value)),
            Step::Publish(step) => tasks.extend(adapt::publish(project, step.store())),
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    tasks.retain(|t| seen.insert(t.id.clone()));
    let quality = adapt::quality(&tasks);
    tasks.push(quality);
    tasks
}

fn selects(selector: &str, table: &TableName) -> bool {
    selector == table.schema || selector == table.to_string()
}
