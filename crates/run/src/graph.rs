//! Order from tables: whoever writes a table comes before whoever reads it.

use crate::error::Error;
use crate::task::Task;
use cscopilot_lake::TableName;
use std::collections::{BTreeMap, BTreeSet};

/// Tasks with their edges, in an order that respects them.
#[derive(Debug, Clone)]
pub(crate) struct Graph {
    /// The tasks; each stands behind all it needs.
    pub(crate) tasks: Vec<Task>,
    /// For each task, the positions of the tasks it needs.
    pub(crate) needs: Vec<BTreeSet<usize>>,
}

impl Graph {
    /// Orders tasks. Among tasks that don't depend on one another the given order stays.
    ///
    /// # Errors
    /// [`Error::Cycle`]
    pub(crate) fn new(tasks: Vec<Task>) -> Result<Self, Error> {
        let mut writers: BTreeMap<&TableName, Vec<usize>> = BTreeMap::new();
        for (i, task) in tasks.iter().enumerate() {
            for table in &task.writes {
                writers.entry(table).or_default().push(i);
            }
        }
        let needs: Vec<BTreeSet<usize>> = tasks
            .iter()
            .enumerate()
            .map(|(i, task)| task.reads.iter().filter_map(|t| writers.get(t)).flatten().copied().filter(|w| *w != i).collect())
            .collect();
        let order = order(&needs).map_err(|cycle| Error::Cycle(cycle.iter().map(|i| tasks[*i].id.clone()).collect()))?;
        let position: BTreeMap<usize, usize> = order.iter().enumerate().map(|(new, old)| (*old, new)).collect();
        Ok(Self {
            tasks: order.iter().map(|i| tasks[*i].clone()).collect(),
            needs: order.iter().map(|i| needs[*i].iter().map(|n| position[n]).collect()).collect(),
        })
    }

    /// Positions of the tasks that need a task, directly or not.
    pub(crate) fn downstream(&self, of: usize) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        for i in of + 1..self.tasks.len() {
            if self.needs[i].iter().any(|n| *n == of || found.contains(n)) {
                found.insert(i);
            }
        }
        found
    }

    /// Positions of the tasks that a task needs, directly or not.
    pub(crate) fn upstream(&self, of: usize) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut open = vec![of];
        while let Some(i) = open.pop() {
            for n in &self.needs[i] {
                if found.insert(*n) {
                    open.push(*n);
                }
            }
        }
        found
    }
}

/// A topological order, or one cycle.
fn order(needs: &[BTreeSet<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut placed = vec![false; needs.len()];
    let mut order = Vec::with_capacity(needs.len());
    while order.len() < needs.len() {
        let next = (0..needs.len()).find(|i| !placed[*i] && needs[*i].iter().all(|n| placed[*n]));
        match next {
            Some(i) => {
                placed[i] = true;
                order.push(i);
            }
            None => return Err(cycle(needs, &placed)),
        }
    }
    Ok(order)
}

/// Follows unplaced needs from an unplaced task until one comes twice: every unplaced task has such a need.
fn cycle(needs: &[BTreeSet<usize>], placed: &[bool]) -> Vec<usize> {
    let mut path = Vec::new();
    let mut next = (0..needs.len()).find(|i| !placed[*i]);
    while let Some(i) = next {
        if let Some(start) = path.iter().position(|p| *p == i) {
            path.push(i);
            return path.split_off(start);
        }
        path.push(i);
        next = needs[i].iter().copied().find(|n| !placed[*n]);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::TaskKind;

    fn task(name: &str, reads: &[&str]) -> Task {
        let table = |n: &str| TableName::new("s", n);
        let kind = TaskKind::Transform(table(name));
        Task {
            id: name.to_owned(),
            kind,
            reads: reads.iter().map(|r| table(r)).collect(),
            writes: vec![table(name)],
            definition: String::new(),
            dated: false,
        }
    }

    fn ids(graph: &Graph) -> Vec<&str> {
        graph.tasks.iter().map(|t| t.id.as_str()).collect()
    }

    #[test]
    fn a_reader_comes_after_its_writers_whatever_the_order_in_the_file() {
        let graph = Graph::new(vec![task("c", &["b"]), task("b", &["a"]), task("x", &[]), task("a", &[])]).unwrap();
        assert_eq!(ids(&graph), ["x", "a", "b", "c"]);
        assert_eq!(graph.upstream(3), [1, 2].into());
        assert_eq!(graph.downstream(1), [2, 3].into());
    }

    #[test]
    fn a_cycle_is_named_with_its_members() {
        let error = Graph::new(vec![task("a", &["b"]), task("b", &["c"]), task("c", &["a"]), task("d", &[])]).unwrap_err();
        assert_eq!(error.to_string(), "these tasks wait for one another: a -> b -> c -> a");
    }

    #[test]
    fn a_task_may_read_what_it_wrote_the_night_before() {
        let graph = Graph::new(vec![task("alerts", &["alerts"])]).unwrap();
        assert!(graph.needs[0].is_empty());
    }

    proptest::proptest! {
        #[test]
        fn every_order_respects_its_edges(edges in proptest::collection::vec((0usize..12, 0usize..12), 0..40)) {
            let tasks = (0..12).map(|i| {
                let reads: Vec<String> = edges.iter().filter(|(to, from)| *to == i && from < to).map(|(_, f)| f.to_string()).collect();
                task(&i.to_string(), &reads.iter().map(String::as_str).collect::<Vec<_>>())
            }).rev().collect();
            let graph = Graph::new(tasks).unwrap();
            for (i, needs) in graph.needs.iter().enumerate() {
                proptest::prop_assert!(needs.iter().all(|n| *n < i));
            }
        }
    }
}
