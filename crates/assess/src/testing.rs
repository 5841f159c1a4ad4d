//! What the tests of this crate share: a project in a folder, a lake in memory, a night.

use arrow::util::pretty::pretty_format_batches;
use chrono::NaiveDate;
use cscopilot_lake::step::{Progress, StepContext};
use cscopilot_lake::{Lake, LakeOptions, Mode, Params, Txn, Write};
use cscopilot_spec::{LoadOptions, Project};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

static COUNTER: AtomicU64 = AtomicU64::new(0);

pub(crate) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// A project with these files, and SQL files for the tables that rules read.
pub(crate) fn project(files: &[(&str, &str)]) -> Arc<Project> {
    Arc::new(try_project(files).unwrap_or_else(|d| panic!("{d}")))
}

pub(crate) fn try_project(files: &[(&str, &str)]) -> Result<Project, cscopilot_diag::Diagnostics> {
    let folder = tempfile::tempdir().unwrap();
    let fixed = [
        ("cscopilot.yaml", "version: 1\nname: test\nlake: lake\nparams: {min_arr: 100}\n"),
        ("sql/features/account_features.sql", "SELECT 1 AS x\n"),
        ("sql/marts/accounts.sql", "SELECT 1 AS x\n"),
        ("sql/marts/account_scores.sql", "SELECT 1 AS x\n"),
    ];
    for (path, text) in fixed.iter().chain(files) {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    Project::load(folder.path(), &LoadOptions::default())
}

pub(crate) async fn lake() -> Lake {
    let n = COUNTER.fetch_add(1, Ordering::Relaxed);
    Lake::open(&format!("memory://assess-{}-{n}", std::process::id()), LakeOptions::default()).await.unwrap()
}

/// Makes a table of a query.
pub(crate) async fn put(lake: &Lake, table: &str, sql: &str) {
    let data = lake.stream(sql, &Params::new()).await.unwrap();
    let n = COUNTER.fetch_add(1, Ordering::Relaxed);
    let write = Write::new(table.parse().unwrap(), Mode::Overwrite, data, Txn::new("test", n.to_string()));
    lake.commit(write).await.unwrap();
}

/// Puts a query's rows into a table that is partitioned by date; other dates stay.
pub(crate) async fn put_partitions(lake: &Lake, table: &str, sql: &str) {
    let data = lake.stream(sql, &Params::new()).await.unwrap();
    let n = COUNTER.fetch_add(1, Ordering::Relaxed);
    let write = Write::new(table.parse().unwrap(), Mode::OverwritePartitions, data, Txn::new("test", n.to_string()));
    lake.commit(write.partitioned_by(["as_of"])).await.unwrap();
}

/// A new run's context for a night.
pub(crate) fn night(project: &Arc<Project>, lake: &Lake, as_of: &str) -> StepContext {
    let n = COUNTER.fetch_add(1, Ordering::Relaxed);
    StepContext {
        project: Arc::clone(project),
        lake: lake.clone(),
        as_of: day(as_of),
        run_id: format!("run{n}"),
        step: "assess.test".to_owned(),
        full_refresh: false,
        params: Params::new().with("as_of", day(as_of)).with("min_arr", 100_i64),
        progress: Progress::new(),
        fingerprint: None,
    }
}

/// A query's result as text.
pub(crate) async fn show(lake: &Lake, sql: &str) -> String {
    pretty_format_batches(&lake.query(sql, &Params::new()).await.unwrap()).unwrap().to_string()
}
