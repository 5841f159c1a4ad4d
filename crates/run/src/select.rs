//! `--select`: which tasks of a pipeline a run is about.
//!
//! A selector is a task's id (`transform.marts.accounts`), the beginning of ids (`extract.crm`), or a table or schema that
//! tasks write (`marts.accounts`, `staging`). `+` in front adds what it needs, `+` behind adds what needs it, as in dbt.
//! Several are separated by commas.

use crate::error::Error;
use crate::graph::Graph;
use crate::task::Task;
use cscopilot_diag::suggest;
use std::collections::BTreeSet;

/// The positions of the selected tasks; all without a selector.
pub(crate) fn select(graph: &Graph, selectors: &[String]) -> Result<BTreeSet<usize>, Error> {
    if selectors.is_empty() {
        return Ok((0..graph.tasks.len()).collect());
    }
    let mut selected = BTreeSet::new();
    for selector in selectors.iter().flat_map(|s| s.split(',')).map(str::trim).filter(|s| !s.is_empty()) {
        let upstream = selector.starts_with('+');
        let downstream = selector.ends_with('+');
        let name = selector.trim_matches('+');
        let found: Vec<usize> = (0..graph.tasks.len()).filter(|i| matches(&graph.tasks[*i], name)).collect();
        if found.is_empty() {
            let known = graph.tasks.iter().flat_map(|t| std::iter::once(t.id.as_str()).chain(t.id.split_once('.').map(|(_, n)| n)));
            return Err(Error::UnknownSelection { selector: selector.to_owned(), help: suggest::help(name, known) });
        }
        for i in found {
            selected.insert(i);
            if upstream {
                selected.extend(graph.upstream(i));
            }
            if downstream {
                selected.extend(graph.downstream(i));
            }
        }
    }
    Ok(selected)
}

fn matches(task: &Task, name: &str) -> bool {
    let begins = |id: &str| id == name || id.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
    begins(&task.id) || task.writes.iter().any(|t| t.schema == name || t.to_string() == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::TaskKind;
    use cscopilot_lake::TableName;

    fn graph() -> Graph {
        let table = |n: &str| TableName::new("staging", n);
        let task = |name: &str, reads: &[&str]| Task {
            kind: TaskKind::Transform(table(name)),
            id: format!("transform.staging.{name}"),
            reads: reads.iter().map(|r| table(r)).collect(),
            writes: vec![table(name)],
            definition: String::new(),
            dated: false,
        };
        Graph::new(vec![task("a", &[]), task("b", &["a"]), task("c", &["b"])]).unwrap()
    }

    fn chosen(selector: &str) -> Vec<usize> {
        select(&graph(), &[selector.to_owned()]).unwrap().into_iter().collect()
    }

    #[test]
    fn names_tables_schemas_and_prefixes() {
        assert_eq!(chosen("staging.b"), [1]);
        assert_eq!(chosen("staging"), [0, 1, 2]);
        assert_eq!(chosen("transform"), [0, 1, 2]);
        assert_eq!(chosen("transform.staging.a,staging.c"), [0, 2]);
    }

    #[test]
    fn plus_adds_what_is_needed_and_what_needs_it() {
        assert_eq!(chosen("+staging.b"), [0, 1]);
        assert_eq!(chosen("staging.b+"), [1, 2]);
        assert_eq!(chosen("+staging.b+"), [0, 1, 2]);
    }

    #[test]
    fn an_unknown_name_is_refused_with_a_hint() {
        let error = select(&graph(), &["staging.bb".to_owned()]).unwrap_err();
        assert!(matches!(&error, Error::UnknownSelection { help: Some(help), .. } if help.contains("staging.b")), "{error:?}");
    }
}
