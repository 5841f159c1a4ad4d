//! What a task's result depends on, as one hash.
//!
//! A task is up to date when the fingerprint of its last success is the one it would get now: same program, same definition
//! (SQL, YAML, templates), same parameters, same date where the date matters, and the same inputs. An input made by other
//! tasks counts by their fingerprints, so that recomputing equal rows wakes nobody; any other table by its version.

use crate::graph::Graph;
use crate::task::{Task, TaskKind};
use chrono::NaiveDate;
use cscopilot_lake::{Lake, Result, TableName};
use std::collections::BTreeMap;

/// Fingerprints of tasks that are known so far, by position in the graph.
pub(crate) type Known = BTreeMap<usize, String>;

/// The fingerprint of a task whose needs all have one.
pub(crate) async fn of(lake: &Lake, graph: &Graph, position: usize, known: &Known, as_of: NaiveDate) -> Result<String> {
    let task = &graph.tasks[position];
    let mut hash = blake3::Hasher::new();
    let mut add = |part: &str| {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    };
    add(env!("CARGO_PKG_VERSION"));
    add(&task.id);
    add(&task.definition);
    if task.dated {
        add(&as_of.to_string());
    }
    for table in &task.reads {
        add(&table.to_string());
        add(&input(lake, graph, task, table, known).await?);
    }
    Ok(hash.finalize().to_hex()[..32].to_owned())
}

async fn input(lake: &Lake, graph: &Graph, reader: &Task, table: &TableName, known: &Known) -> Result<String> {
    let mut makers = Vec::new();
    for (i, task) in graph.tasks.iter().enumerate() {
        if task.id == reader.id || !task.writes.contains(table) {
            continue;
        }
        // What a source holds is known by what was read, not by how it was asked for.
        if matches!(task.kind, TaskKind::Extract { .. }) {
            makers.clear();
            break;
        }
        if let Some(fingerprint) = known.get(&i) {
            makers.push(fingerprint.as_str());
        }
    }
    if makers.is_empty() {
        return Ok(lake.table(table).await?.map_or_else(|| "absent".to_owned(), |t| format!("v{}", t.data_version)));
    }
    Ok(makers.join("+"))
}
