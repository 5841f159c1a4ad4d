//! What the steps of this crate read and write, for the graph of a run.

use crate::health::scorecard;
use crate::outputs::{alerts, health_measures, health_scores, next_actions, opportunities};
use crate::rules::row_tables;
use cscopilot_lake::TableName;
use cscopilot_spec::{Loaded, Project};
use std::sync::Arc;

/// A task of the assess step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// `assess.health`, `assess.alerts`, `assess.opportunities` or `assess.actions`.
    pub id: &'static str,
    /// The tables it reads, without its own: a task that keeps state would never be up to date otherwise.
    pub reads: Vec<TableName>,
    /// The tables it writes.
    pub writes: Vec<TableName>,
    /// The texts that decide its result: YAML files, and the values of the project's parameters that they name.
    pub texts: Vec<Arc<str>>,
}

/// The tasks of a project, in the order of the tables they pass on. Each depends on `as_of`.
#[must_use]
pub fn tasks(project: &Project) -> Vec<Task> {
    let mut all = Vec::new();
    let health: Vec<Arc<str>> = texts(&project.scorecards);
    if let Some(card) = scorecard(project) {
        all.push(Task {
            id: "assess.health",
            reads: card.value.from.parse().into_iter().collect(),
            writes: vec![health_scores(), health_measures()],
            texts: health.clone(),
        });
    }
    // Without rules nothing is read, and the table is there but empty.
    let row = |used: bool| if used { row_tables(project) } else { Vec::new() };
    // The scorecard says which features table the row has.
    let with_row = |files: Vec<Arc<str>>| files.into_iter().chain(health.clone()).collect();
    all.push(Task {
        id: "assess.alerts",
        reads: row(!project.alerts.is_empty()),
        writes: vec![alerts()],
        texts: with_row(texts(&project.alerts)),
    });
    all.push(Task {
        id: "assess.opportunities",
        reads: row(!project.opportunities.is_empty()),
        writes: vec![opportunities()],
        texts: with_row(texts(&project.opportunities)),
    });
    let mut reads = row(!project.plays.is_empty());
    if !project.plays.is_empty() {
        reads.extend([alerts(), opportunities()]);
    }
    all.push(Task { id: "assess.actions", reads, writes: vec![next_actions()], texts: with_row(texts(&project.plays)) });
    for task in &mut all {
        let values = parameters(project, &task.texts);
        task.texts.push(values);
    }
    all
}

/// The project's parameters that texts name as `$name`, with their values.
fn parameters(project: &Project, texts: &[Arc<str>]) -> Arc<str> {
    let named = |name: &str| texts.iter().any(|text| text.contains(&format!("${name}")));
    let values: Vec<String> =
        project.params.iter().filter(|(name, _)| named(name)).map(|(name, value)| format!("{name}={value:?}")).collect();
    Arc::from(values.join(";"))
}

fn texts<T>(files: &std::collections::BTreeMap<String, Loaded<T>>) -> Vec<Arc<str>> {
    files.values().map(|f| Arc::clone(&f.text)).collect()
}

#[cfg(test)]
mod tests {
    use crate::tasks;
    use crate::testing::project;

    #[test]
    fn tasks_read_what_exists_and_never_their_own_tables() {
        let rules = "version: 1\nrules:\n  r: {title: t, severity: low, when: arr > $min_arr, message: m}\n";
        let project = project(&[("configs/alerts/a.yaml", rules)]);
        let all = tasks(&project);
        let shown: Vec<String> = all
            .iter()
            .map(|t| {
                let names = |tables: &[cscopilot_lake::TableName]| tables.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                format!("{}: {} -> {}", t.id, names(&t.reads), names(&t.writes))
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @"
        assess.alerts: marts.account_scores, marts.accounts, features.account_features -> ops.alerts
        assess.opportunities:  -> marts.opportunities
        assess.actions:  -> marts.next_actions
        ");
        assert_eq!(&*all[0].texts[1], "min_arr=Int(100)");
        assert_eq!(&*all[1].texts[0], "");
    }
}
