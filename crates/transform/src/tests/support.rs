//! Small projects and lakes for tests.

use crate::arrival::Embargoes;
use crate::check::{Schemas, check_models};
use crate::compile::compile;
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use chrono::NaiveDate;
use cscopilot_diag::Diagnostics;
use cscopilot_lake::step::{Outcome, Progress, StepContext};
use cscopilot_lake::{Lake, LakeOptions, Mode, Params, TableName, Txn, Write, stream_of_batches};
use cscopilot_spec::{LoadOptions, Project};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) fn schema(columns: &[(&str, DataType)]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(|(n, t)| Field::new(*n, t.clone(), true)).collect::<Vec<_>>()))
}

pub(super) fn base() -> Schemas {
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    [
        (
            "raw.crm__accounts",
            schema(&[
                ("account_id", DataType::Utf8),
                ("name", DataType::Utf8),
                ("arr", DataType::Decimal128(18, 2)),
                ("signed_on", DataType::Date32),
            ]),
        ),
        (
            "raw.app__events",
            schema(&[
                ("event_id", DataType::Utf8),
                ("account_id", DataType::Utf8),
                ("day", DataType::Date32),
                ("n", DataType::Int64),
                ("_extracted_at", utc),
            ]),
        ),
    ]
    .into_iter()
    .map(|(name, schema)| (name.parse().unwrap(), schema))
    .collect()
}

pub(super) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

pub(super) fn params() -> Params {
    Params::new().with("as_of", day("2023-10-01")).with("least", 3_i64)
}

/// What `check` says about these files, as text.
pub(super) fn diagnose(files: &[(&str, &str)]) -> String {
    let mut out = Diagnostics::new();
    check_files(files, &mut out);
    out.sort();
    out.to_string()
}

pub(super) fn check_files(files: &[(&str, &str)], out: &mut Diagnostics) -> Schemas {
    let mut loaded = Vec::new();
    for (path, text) in files {
        match cscopilot_spec::SqlModel::parse(path, Arc::from(*text), None) {
            Ok(file) => {
                file.validate(out);
                loaded.push(file);
            }
            Err(error) => out.push(error),
        }
    }
    let models = compile(&loaded, &params(), &Embargoes::default(), out);
    check_models(&models, &base(), &params(), out)
}

/// A project in a folder of its own, and a lake in memory.
pub(super) struct World {
    folder: tempfile::TempDir,
    pub(super) lake: Lake,
    runs: AtomicU64,
}

impl World {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "cscopilot.yaml", "version: 1\nname: test\nlake: lake\nparams:\n  least: 3\n");
        static WORLDS: AtomicU64 = AtomicU64::new(0);
        let name = format!("memory://transform-{}", WORLDS.fetch_add(1, Ordering::Relaxed));
        let lake = Lake::open(&name, LakeOptions::default()).await.unwrap();
        Self { folder, lake, runs: AtomicU64::new(0) }
    }

    pub(super) fn file(&self, path: &str, text: &str) {
        write(self.folder.path(), path, text);
    }

    pub(super) fn project(&self) -> Project {
        Project::load(self.folder.path(), &LoadOptions::default()).unwrap_or_else(|e| panic!("{e}"))
    }

    pub(super) fn context(&self, as_of: &str) -> StepContext {
        let project = self.project();
        let as_of = day(as_of);
        StepContext {
            params: crate::params(&project, as_of),
            project: Arc::new(project),
            lake: self.lake.clone(),
            as_of,
            run_id: format!("run-{}", self.runs.fetch_add(1, Ordering::Relaxed)),
            step: "transform.test".to_owned(),
            full_refresh: false,
            progress: Progress::new(),
            fingerprint: None,
        }
    }

    pub(super) async fn run(&self, table: &str) -> crate::Result<Outcome> {
        crate::run(&self.context("2023-10-01"), &table.parse().unwrap()).await
    }

    pub(super) async fn refresh(&self, table: &str) -> crate::Result<Outcome> {
        let mut ctx = self.context("2023-10-01");
        ctx.full_refresh = true;
        crate::run(&ctx, &table.parse().unwrap()).await
    }

    /// Fills a table with what a query gives.
    pub(super) async fn fill(&self, table: &str, mode: Mode, sql: &str) {
        let table: TableName = table.parse().unwrap();
        let session = self.lake.session();
        let schema = session.schema_of(sql, &Params::new()).await.unwrap();
        let batches: Vec<RecordBatch> = session.query(sql, &Params::new()).await.unwrap();
        let given = batches.first().map_or(schema, RecordBatch::schema);
        let txn = Txn::new("fill", format!("fill-{}", self.runs.fetch_add(1, Ordering::Relaxed)));
        self.lake.commit(Write::new(table, mode, stream_of_batches(given, batches), txn)).await.unwrap();
    }

    /// The rows of a query, one line each.
    pub(super) async fn rows(&self, sql: &str) -> Vec<String> {
        let batches = self.lake.query(sql, &Params::new()).await.unwrap();
        let Some(first) = batches.first() else { return vec![] };
        let names: Vec<String> = first.schema().fields().iter().map(|f| f.name().clone()).collect();
        let cells = crate::rows::cells(&batches, &names).unwrap();
        cells.into_iter().map(|row| row.into_iter().map(|c| c.text).collect::<Vec<_>>().join(" ")).collect()
    }
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}
