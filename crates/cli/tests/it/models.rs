//! The registry from the command line: two nights, two versions, and what people decide about them.

use crate::support::{cscopilot, expect};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const FILES: [(&str, &str); 6] = [
    ("cscopilot.yaml", "version: 1\nname: models\nlake: lake\n"),
    (
        "configs/sources/app.yaml",
        "version: 1\nfiles: {path: data}\nstreams:\n  months:\n    files: months.csv\n    columns:\n      account_id: {type: string}\n      \
         day: {type: date}\n      logins: {type: int}\n      tickets: {type: int}\n      churned: {type: int}\n    primary_key: [account_id, day]\n",
    ),
    (
        "configs/models/churn.yaml",
        "version: 1\nlabel: {table: labels.churn, column: churned, horizon_days: 28, lead_days: 2}\n\
         features: {table: features.account_features}\nestimators: [logistic_regression: {}]\ngates: {bootstrap_samples: 100}\n",
    ),
    (
        "pipelines/nightly.yaml",
        "version: 1\nsteps:\n  - extract: {source: app}\n  - transform: {select: [features, labels]}\n  - learn: {model: churn}\n",
    ),
    ("sql/features/account_features.sql", "SELECT account_id, day AS as_of, logins, tickets FROM raw.app__months WHERE day <= $as_of\n"),
    (
        "sql/labels/churn.sql",
        "SELECT account_id, day AS as_of, CASE WHEN day + INTERVAL '30 days' <= $as_of THEN churned = 1 END AS churned\n\
         FROM raw.app__months WHERE day <= $as_of\n",
    ),
];

/// 250 accounts over 20 months; those that log in less leave more.
fn months() -> String {
    let mut csv = "account_id,day,logins,tickets,churned\n".to_owned();
    let mut state = 42_u64;
    let mut random = |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    for month in 0..20 {
        for account in 0..250_u64 {
            let (logins, tickets) = (account % 10 + random(6), random(5));
            let churned = u8::from(random(100) < 60 / (logins + 1));
            let (year, month) = (2022 + month / 12, month % 12 + 1);
            let _ = writeln!(csv, "a{account:03},{year}-{month:02}-01,{logins},{tickets},{churned}");
        }
    }
    csv
}

fn project() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    for (path, text) in FILES {
        write(path, text);
    }
    write("data/months.csv", &months());
    let path = folder.path().to_owned();
    (folder, path)
}

fn command(project: &Path, arguments: &[&str]) -> Command {
    let mut command = cscopilot();
    command.args(arguments).arg("--project").arg(project);
    command
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn people_list_compare_withdraw_and_promote_versions() {
    let (_folder, project) = project();
    let run = |arguments: &[&str], code: i32| expect(&mut command(&project, arguments), &[code]);
    assert!(text(&run(&["models"], 0)).contains("no model was trained yet"));
    run(&["run", "nightly", "--as-of", "2023-07-01"], 0);
    run(&["run", "nightly", "--as-of", "2023-08-01"], 0);
    let alias = |version: i64| {
        let listed = text(&run(&["models", "list", "--format", "json"], 0));
        let lines: Vec<serde_json::Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2, "{listed}");
        lines.iter().find(|v| v["version"] == version).unwrap()["alias"].clone()
    };
    assert_eq!((alias(1), alias(2)), (serde_json::Value::Null, "champion".into()));
    let scored = || {
        text(&run(&["query", "SELECT DISTINCT model_version AS v FROM marts.model_scores WHERE as_of = DATE '2023-08-01'", "-o", "csv"], 0))
    };
    assert_eq!(scored(), "v\n2\n");

    let decided = run(&["models", "rollback", "churn", "--as-of", "2023-08-01", "--reason", "odd reasons"], 0);
    insta::assert_snapshot!("rolled_back", text(&decided));
    assert_eq!((alias(1), alias(2)), ("champion".into(), "challenger".into()));
    // The decision is a reason to score that night anew.
    run(&["run", "nightly", "--as-of", "2023-08-01"], 0);
    assert_eq!(scored(), "v\n1\n");

    let compared: serde_json::Value =
        serde_json::from_str(&text(&run(&["models", "compare", "churn", "champion", "2", "--format", "json"], 0))).unwrap();
    assert_eq!((&compared["versions"][0]["version"], &compared["versions"][1]["version"]), (&1.into(), &2.into()));
    assert!(compared["figures"].as_array().unwrap().iter().any(|f| f["name"] == "auc" && f["before"]["low"].is_number()));
    assert!(text(&run(&["models", "compare", "churn", "1", "2"], 0)).contains("version 2 (challenger)"));
    let card = text(&run(&["models", "show", "churn"], 0));
    assert!(
        card.starts_with("# churn, version 1") && card.trim_end().ends_with("by rollback, in place of version 2: odd reasons"),
        "{card}"
    );

    insta::assert_snapshot!(
        "promoted",
        text(&run(&["models", "promote", "churn", "challenger", "--as-of", "2023-08-01", "--format", "json"], 0))
    );
    assert_eq!((alias(1), alias(2)), (serde_json::Value::Null, "champion".into()));

    // What can't be done is refused with its reason: 2 for a wish that makes no sense, 1 for files that are damaged.
    for (name, arguments, code) in [
        ("champion_already", &["promote", "churn", "2"][..], 2),
        ("no_such_version", &["promote", "churn", "v9"], 2),
        ("no_such_model", &["rollback", "expansion"], 2),
        ("no_challenger", &["show", "churn", "challenger"], 2),
    ] {
        let refused = run(&[&["models"], arguments].concat(), code);
        // Today's date is part of what is said.
        let said = String::from_utf8(refused.stderr).unwrap();
        insta::with_settings!({filters => vec![(r"\d{4}-\d\d-\d\d", "[today]")]}, { insta::assert_snapshot!(name, said) });
    }
    std::fs::write(project.join("lake/models/churn/v0001/logistic.json"), "tree\nversion=v4\n").unwrap();
    let damaged = run(&["models", "promote", "churn", "1"], 1);
    insta::assert_snapshot!("damaged", String::from_utf8(damaged.stderr).unwrap());
}
