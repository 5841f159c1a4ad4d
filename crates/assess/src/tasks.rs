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
    /// The texts of the YAML files that decide its result.
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
    all
}

fn texts<T>(files: &std::collections::BTreeMap<String, Loaded<T>>) -> Vec<Arc<str>> {
    files.values().map(|f| Arc::clone(&f.text)).collect()
}
