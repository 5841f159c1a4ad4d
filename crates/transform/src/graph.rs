//! The order in which models are made.

use cscopilot_lake::TableName;
use std::collections::{BTreeMap, BTreeSet};

/// What reads what: for each model the models that it needs.
pub(crate) type Needs = BTreeMap<TableName, BTreeSet<TableName>>;

/// All models, each after those it needs; ties in alphabetical order.
///
/// # Errors
/// The cycles, each as the names along it, starting at the first in the alphabet.
pub(crate) fn order(needs: &Needs) -> Result<Vec<TableName>, Vec<Vec<TableName>>> {
    let mut done = Vec::with_capacity(needs.len());
    let mut placed = BTreeSet::new();
    let mut left: BTreeSet<&TableName> = needs.keys().collect();
    while !left.is_empty() {
        let ready: Vec<&TableName> =
            left.iter().copied().filter(|n| needs[*n].iter().all(|need| placed.contains(need) || !needs.contains_key(need))).collect();
        if ready.is_empty() {
            return Err(cycles(needs, &left));
        }
        for name in ready {
            left.remove(name);
            placed.insert(name.clone());
            done.push(name.clone());
        }
    }
    Ok(done)
}

/// The distinct loops among models that could not be placed. Models that only hang on a loop are not named.
fn cycles(needs: &Needs, left: &BTreeSet<&TableName>) -> Vec<Vec<TableName>> {
    let mut found: Vec<Vec<TableName>> = Vec::new();
    let mut seen: BTreeSet<&TableName> = BTreeSet::new();
    for start in left {
        if seen.contains(*start) {
            continue;
        }
        if let Some(path) = shortest_loop(needs, left, start) {
            seen.extend(path.iter().filter_map(|n| left.get(n).copied()));
            found.push(path);
        }
    }
    found
}

/// The shortest way from a model back to itself.
fn shortest_loop(needs: &Needs, left: &BTreeSet<&TableName>, start: &TableName) -> Option<Vec<TableName>> {
    let mut from: BTreeMap<&TableName, &TableName> = BTreeMap::new();
    let mut front = vec![start];
    while !front.is_empty() {
        let mut next = Vec::new();
        for name in front {
            for need in needs.get(name)?.iter().filter_map(|n| left.get(n).copied()) {
                if need == start {
                    let mut path = vec![name.clone()];
                    let mut at = name;
                    while at != start {
                        at = from.get(at)?;
                        path.push(at.clone());
                    }
                    path.reverse();
                    return Some(path);
                }
                if !from.contains_key(need) {
                    from.insert(need, name);
                    next.push(need);
                }
            }
        }
        front = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(edges: &[(&str, &[&str])]) -> Needs {
        edges.iter().map(|(n, to)| (n.parse().unwrap(), to.iter().map(|t| t.parse().unwrap()).collect())).collect()
    }

    fn names(list: &[TableName]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn models_come_after_what_they_need() {
        let needs =
            needs(&[("a.first", &["z.last"]), ("m.mid", &["raw.x", "z.last"]), ("z.last", &["raw.x"]), ("b.sum", &["a.first", "m.mid"])]);
        assert_eq!(names(&order(&needs).unwrap()), ["z.last", "a.first", "m.mid", "b.sum"]);
    }

    #[test]
    fn a_loop_is_named_without_what_hangs_on_it() {
        let needs = needs(&[("a.x", &["b.y"]), ("b.y", &["c.z"]), ("c.z", &["a.x"]), ("d.w", &["a.x"]), ("e.self", &["e.self"])]);
        let cycles = order(&needs).unwrap_err();
        assert_eq!(cycles.iter().map(|c| names(c)).collect::<Vec<_>>(), [vec!["a.x", "b.y", "c.z"], vec!["e.self"]]);
    }
}
