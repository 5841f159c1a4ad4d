//! The examples over real data.

use crate::support::{copy_folder, cscopilot, expect, root, shared, state};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A copy of an example, so that its lake lies elsewhere; templates come from the root.
fn copy(name: &str, to: &Path) -> PathBuf {
    let project = to.join("examples").join(name);
    copy_folder(&root().join("examples").join(name), &project);
    copy_folder(&root().join("reports"), &to.join("reports"));
    project
}

fn command(project: &Path, data: &Path, arguments: &[&str]) -> Command {
    let mut command = cscopilot();
    command.args(arguments).arg("--project").arg(project).arg("--param").arg(format!("data_dir={}", data.display()));
    command
}

fn rows(project: &Path, data: &Path, sql: &str) -> Vec<Value> {
    let output = expect(&mut command(project, data, &["query", sql, "-o", "json"]), &[0]);
    String::from_utf8(output.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

#[test]
fn nightly_crm5_promotes_a_churn_model_and_scores_every_active_account_with_reasons() {
    let Some(data) = shared("crm5") else { return };
    let folder = tempfile::tempdir().unwrap();
    let project = copy("crm5", folder.path());
    expect(&mut command(&project, &data, &["run", "nightly", "--as-of", "2023-10-01"]), &[0]);

    let churn = rows(&project, &data, "SELECT promoted, auc, auc_low FROM ops.model_runs WHERE model = 'churn'");
    assert_eq!(churn.len(), 1);
    assert_eq!(churn[0]["promoted"], true);
    assert!(churn[0]["auc"].as_f64().unwrap() >= 0.66, "{churn:?}");
    assert!(churn[0]["auc_low"].as_f64().unwrap() > 0.5, "{churn:?}");

    let scored = rows(
        &project,
        &data,
        "SELECT count(*) AS accounts, count(s.churn_probability) AS scored, count(CASE WHEN cardinality(s.top_reasons) > 0 THEN 1 END) AS explained \
         FROM marts.accounts a LEFT JOIN marts.account_scores s ON s.account_id = a.account_id AND s.as_of = DATE '2023-10-01'",
    );
    let of = |name: &str| scored[0][name].as_u64().unwrap();
    assert!(of("accounts") > 100, "{scored:?}");
    assert_eq!((of("scored"), of("explained")), (of("accounts"), of("accounts")));

    // The same run again does nothing; computed anew, everything is the same.
    let first = state(&project, &project);
    assert!(first.tables.len() > 20 && first.files.len() > 20, "{} tables, {} files", first.tables.len(), first.files.len());
    let again = expect(command(&project, &data, &["run", "nightly", "--as-of", "2023-10-01"]).args(["--format", "json"]), &[0]);
    let summary: Value = serde_json::from_slice(&again.stdout).unwrap();
    let worked: Vec<&Value> =
        summary["tasks"].as_array().unwrap().iter().filter(|t| t["status"] != "up_to_date").map(|t| &t["id"]).collect();
    assert!(worked.is_empty(), "the second run did work: {worked:?}");
    assert_eq!(state(&project, &project), first);
    expect(&mut command(&project, &data, &["run", "nightly", "--as-of", "2023-10-01", "--full-refresh"]), &[0]);
    let refreshed = state(&project, &project);
    assert_eq!(refreshed.tables, first.tables);
    assert_eq!(refreshed.files, first.files);
}

#[test]
fn nightly_ravenstack_counts_its_bad_rows_and_promotes_no_model() {
    let Some(data) = shared("ravenstack") else { return };
    let folder = tempfile::tempdir().unwrap();
    let project = copy("ravenstack", folder.path());
    expect(&mut command(&project, &data, &["run", "nightly", "--as-of", "2024-12-31"]), &[3]);

    let promoted = rows(&project, &data, "SELECT count(*) AS n, count(CASE WHEN promoted THEN 1 END) AS promoted FROM ops.model_runs");
    assert!(promoted[0]["n"].as_u64().unwrap() >= 1);
    assert_eq!(promoted[0]["promoted"], 0);
    let checks = rows(&project, &data, "SELECT subject, \"check\", failing_rows FROM ops.data_quality WHERE status = 'warned'");
    assert!(checks.iter().any(|c| c["failing_rows"] == 21), "the 21 duplicate usage ids are not counted: {checks:?}");
    let scores = rows(
        &project,
        &data,
        "SELECT count(*) AS n, count(health_score) AS health, count(churn_probability) AS churn FROM marts.account_scores",
    );
    assert!(scores[0]["health"].as_u64().unwrap() > 100, "{scores:?}");
    assert_eq!(scores[0]["churn"], 0);
    for table in ["ops.alerts", "marts.opportunities", "marts.next_actions"] {
        let n = rows(&project, &data, &format!("SELECT count(*) AS n FROM {table}"));
        assert!(n[0]["n"].as_u64().unwrap() > 0, "{table} is empty");
    }
}

/// The mean over the folds of what the one estimator of a training reached on rows that its models had not seen.
fn over_folds(detail: &Value, figure: &str) -> f64 {
    let cutoffs = detail["judgement"]["backtest"][0]["cutoffs"].as_array().unwrap();
    let folds: Vec<f64> = cutoffs.iter().filter(|c| c["part"] == "fold").map(|c| c["by_rows"][figure]["value"].as_f64().unwrap()).collect();
    assert_eq!(folds.len(), 5, "{cutoffs:#?}");
    folds.iter().sum::<f64>() / folds.len() as f64
}

#[test]
fn telco_reaches_the_reference_figures_on_the_same_folds_and_the_same_bytes_again() {
    let Some(data) = shared("telco") else { return };
    let folder = tempfile::tempdir().unwrap();
    let project = copy("telco", folder.path());
    expect(&mut command(&project, &data, &["run", "train", "--as-of", "2020-01-31"]), &[0]);

    // Mean AUC and log loss of scikit-learn's and XGBoost's Python packages, from the data's README.
    for (model, auc, log_loss) in [("churn_logistic", 0.8451, 0.4174), ("churn_xgboost", 0.8474, 0.4136)] {
        let runs =
            rows(&project, &data, &format!("SELECT promoted, rows_test, rows_train, detail FROM ops.model_runs WHERE model = '{model}'"));
        assert_eq!(runs.len(), 1);
        assert_eq!((&runs[0]["promoted"], &runs[0]["rows_test"], &runs[0]["rows_train"]), (&true.into(), &7043.into(), &7043.into()));
        let detail: Value = serde_json::from_str(runs[0]["detail"].as_str().unwrap()).unwrap();
        let (ours, loss) = (over_folds(&detail, "auc"), over_folds(&detail, "log_loss"));
        eprintln!("{model}: AUC {ours:.4} (reference {auc}), log loss {loss:.4} (reference {log_loss})");
        assert!((ours - auc).abs() <= 0.003 && (loss - log_loss).abs() <= 0.003, "{model}: AUC {ours}, log loss {loss}");
    }

    let first = state(&project, &project);
    expect(&mut command(&project, &data, &["run", "train", "--as-of", "2020-01-31", "--full-refresh"]), &[0]);
    let refreshed = state(&project, &project);
    assert_eq!((refreshed.tables, refreshed.files), (first.tables, first.files));
}
