//! The rules of the house that a compiler doesn't know.

use cargo_metadata::{DependencyKind, MetadataCommand};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Which of our crates each may use: the data flow. `xtask` may use anything.
const EDGES: [(&str, &[&str]); 17] = [
    ("cli", &["run", "lake", "extract", "transform", "learn", "sync", "simulate", "spec", "diag"]),
    ("run", &["extract", "transform", "learn", "assess", "report", "sync", "lake", "spec", "diag"]),
    ("extract", &["decode", "http", "lake", "spec", "diag"]),
    ("decode", &["spec", "diag"]),
    ("transform", &["lake", "spec", "diag"]),
    ("learn", &["shap", "metrics", "lake", "http", "spec", "diag"]),
    ("assess", &["lake", "spec", "diag"]),
    ("report", &["lake", "spec", "diag"]),
    ("sync", &["http", "lake", "spec", "diag"]),
    ("lake", &["spec", "diag"]),
    ("http", &["spec", "diag"]),
    ("spec", &["diag"]),
    ("shap", &[]),
    ("metrics", &[]),
    ("diag", &[]),
    ("simulate", &["spec", "diag"]),
    ("servers", &[]),
];

/// Third-party crates that only some of ours may name.
const OWNERS: [(&str, &[&str]); 9] = [
    ("deltalake", &["lake"]),
    ("datafusion", &["lake", "transform"]),
    ("xgb", &["learn"]),
    ("polars", &["learn"]),
    ("polars-arrow", &["learn"]),
    ("reqwest", &["http"]),
    ("redis", &["sync"]),
    ("minijinja", &["report", "spec", "transform"]),
    ("clap", &["cli", "xtask"]),
];

fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec().unwrap();
    let short = |name: &str| name.strip_prefix("cscopilot-").unwrap_or(name).to_owned();
    metadata
        .packages
        .iter()
        .map(|p| {
            let uses = p.dependencies.iter().filter(|d| d.kind != DependencyKind::Development).map(|d| short(&d.name)).collect();
            (short(p.name.as_ref()), uses)
        })
        .collect()
}

#[test]
fn crates_use_only_those_the_data_flow_allows() {
    let edges: BTreeMap<&str, &[&str]> = EDGES.into();
    let all = dependencies();
    let mut wrong = Vec::new();
    for (name, uses) in &all {
        if name == "xtask" {
            continue;
        }
        let allowed =
            edges.get(name.as_str()).unwrap_or_else(|| panic!("crate `{name}` is not in the plan: add it to EDGES and ARCHITECTURE.md"));
        wrong.extend(uses.iter().filter(|u| all.contains_key(*u) && !allowed.contains(&u.as_str())).map(|u| format!("{name} -> {u}")));
    }
    assert_eq!(all.len(), EDGES.len() + 1, "a crate of the plan is missing");
    assert!(wrong.is_empty(), "edges against the data flow: {wrong:?}");
}

#[test]
fn heavy_libraries_are_named_only_by_their_owners() {
    let mut wrong = Vec::new();
    for (name, uses) in dependencies() {
        for (library, owners) in OWNERS {
            if uses.contains(library) && !owners.contains(&name.as_str()) {
                wrong.push(format!("{name} names {library}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn no_file_of_ours_is_too_long_to_read_in_one_sitting() {
    let mut long = Vec::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("..")];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let lines = std::fs::read_to_string(&path).unwrap().lines().count();
                if lines > 700 {
                    long.push(format!("{} ({lines} lines)", path.display()));
                }
            }
        }
    }
    assert!(long.is_empty(), "split these: {long:?}");
}

#[test]
fn every_starter_yaml_names_its_schema() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut without = Vec::new();
    let mut seen = 0;
    let mut open = vec![root.join("pipelines"), root.join("configs"), root.join("sql/tests")];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "yaml") {
                seen += 1;
                let text = std::fs::read_to_string(&path).unwrap();
                let first = text.lines().next().unwrap_or("");
                let schema = first.strip_prefix("# yaml-language-server: $schema=").map(|s| path.parent().unwrap().join(s));
                if !schema.is_some_and(|s| s.is_file()) {
                    without.push(path.display().to_string());
                }
            }
        }
    }
    assert!(seen > 5, "only {seen} YAML files found");
    assert!(without.is_empty(), "no schema header, or one that names no file: {without:?}");
}
