//! Whole streams from real databases: servers in temporary folders, nights one after the other.

use crate::Error;
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use arrow::util::pretty::pretty_format_batches;
use chrono::{DateTime, NaiveDate};
use cscopilot_diag::Coded;
use cscopilot_lake::step::{Outcome, Progress, StepContext};
use cscopilot_lake::{Lake, LakeOptions, Params};
use cscopilot_servers::{self as servers, Server};
use cscopilot_spec::{LoadOptions, Project};
use sqlx::{AssertSqlSafe, Connection, MySqlConnection, PgConnection, SqliteConnection};
use std::collections::BTreeMap;
use std::sync::Arc;

mod doctor;
mod model;
mod mysql;
mod postgres;
mod snowflake;
mod sqlite;

/// A database, and through what it is read.
enum Db {
    Postgres(Server),
    Mysql(Server),
    Sqlite(tempfile::TempDir),
    AdbcPostgres(Server),
    AdbcSqlite(tempfile::TempDir),
}

impl Db {
    async fn mysql() -> Self {
        let db = Self::Mysql(servers::mariadb());
        let Self::Mysql(server) = &db else { unreachable!() };
        let mut root = MySqlConnection::connect(&format!("mysql://root@127.0.0.1:{}/mysql", server.port)).await.unwrap();
        sqlx::raw_sql("CREATE DATABASE crm CHARACTER SET utf8mb4").execute(&mut root).await.unwrap();
        db
    }

    fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    fn url(&self) -> String {
        match self {
            Self::Postgres(server) | Self::AdbcPostgres(server) => format!("postgres://app@127.0.0.1:{}/postgres", server.port),
            Self::Mysql(server) => format!("mysql://root@127.0.0.1:{}/crm", server.port),
            Self::Sqlite(folder) | Self::AdbcSqlite(folder) => folder.path().join("crm.db").display().to_string(),
        }
    }

    /// The value of `database:` in the source.
    fn root(&self, reading: &str) -> String {
        let url = self.url();
        match self {
            Self::Postgres(_) => format!("{{postgres: {{url: '{url}', reading: {{{reading}}}}}}}"),
            Self::Mysql(_) => format!("{{mysql: {{url: '{url}', reading: {{{reading}}}}}}}"),
            Self::Sqlite(_) => format!("{{sqlite: {{path: '{url}', reading: {{{reading}}}}}}}"),
            Self::AdbcPostgres(_) => format!(
                "{{adbc: {{driver: '{}', placeholder: dollar, options: {{uri: '{url}'}}, reading: {{{reading}}}}}}}",
                servers::adbc("postgresql").display()
            ),
            Self::AdbcSqlite(_) => {
                format!("{{adbc: {{driver: '{}', options: {{uri: '{url}'}}, reading: {{{reading}}}}}}}", servers::adbc("sqlite").display())
            }
        }
    }

    async fn execute(&self, sql: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        let url = self.url();
        match self {
            Self::Postgres(_) | Self::AdbcPostgres(_) => {
                sql.execute(&mut PgConnection::connect(&url).await.unwrap()).await.unwrap();
            }
            Self::Mysql(_) => {
                sql.execute(&mut MySqlConnection::connect(&url).await.unwrap()).await.unwrap();
            }
            Self::Sqlite(_) | Self::AdbcSqlite(_) => {
                let mut connection = SqliteConnection::connect(&format!("sqlite://{url}?mode=rwc")).await.unwrap();
                sql.execute(&mut connection).await.unwrap();
            }
        }
    }

    /// A text as it stands in SQL.
    fn literal(&self, text: &str) -> String {
        let text = text.replace('\'', "''");
        match self {
            Self::Mysql(_) => format!("'{}'", text.replace('\\', "\\\\")),
            _ => format!("'{text}'"),
        }
    }
}

/// A project with one source `s`, whose stream is `x`.
struct Fixture {
    db: Db,
    folder: tempfile::TempDir,
    lake: Lake,
    nights: u32,
}

impl Fixture {
    async fn new(db: Db) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path().join("lake").to_str().unwrap(), LakeOptions::default()).await.unwrap();
        std::fs::create_dir_all(folder.path().join("configs/sources")).unwrap();
        std::fs::write(folder.path().join("cscopilot.yaml"), "version: 1\nname: test\nlake: lake\n").unwrap();
        Self { db, folder, lake, nights: 0 }
    }

    /// Declares the stream; `reading` says how much is read at a time.
    fn stream(&self, reading: &str, stream: &str) {
        let root = self.db.root(reading);
        let yaml = format!("version: 1\ndatabase: {root}\nmax_rejected_pct: 60\nstreams:\n  x:\n{stream}");
        std::fs::write(self.folder.path().join("configs/sources/s.yaml"), yaml).unwrap();
    }

    async fn night(&mut self) -> Result<Outcome, Error> {
        self.nights += 1;
        let project = Project::load(self.folder.path(), &LoadOptions::default()).unwrap_or_else(|e| panic!("{e}"));
        let context = StepContext {
            project: Arc::new(project),
            lake: self.lake.clone(),
            as_of: NaiveDate::from_ymd_opt(2024, 5, 1).unwrap() + chrono::Days::new(self.nights.into()),
            run_id: format!("run{}", self.nights),
            step: "extract.s.x".to_owned(),
            full_refresh: false,
            params: Params::new(),
            progress: Progress::new(),
            fingerprint: None,
        };
        super::run(&context, &context.project.sources["s"].value, "s", "x").await
    }

    /// What the doctor says of the source: whether it is well, the code of what is not, and the message.
    async fn doctor(&self) -> (bool, Option<String>, String) {
        let project = Project::load(self.folder.path(), &LoadOptions::default()).unwrap_or_else(|e| panic!("{e}"));
        let mut findings = crate::doctor(&project, &self.lake, &crate::Connections::default(), None).await;
        assert_eq!(findings.len(), 1);
        let finding = findings.remove(0);
        assert_eq!((finding.source.as_str(), finding.kind.as_str(), finding.ok), ("s", "database", finding.code.is_none()));
        (finding.ok, finding.code, finding.message)
    }

    async fn rows(&self, sql: &str) -> String {
        let batches = self.lake.query(sql, &Params::new()).await.unwrap();
        pretty_format_batches(&batches).unwrap().to_string()
    }

    async fn number(&self, sql: &str) -> i64 {
        let batches = self.lake.query(sql, &Params::new()).await.unwrap();
        batches[0].column(0).as_primitive::<Int64Type>().value(0)
    }
}

fn fact(outcome: &Outcome, name: &str) -> u64 {
    outcome.facts.get(name).and_then(serde_json::Value::as_u64).unwrap_or_default()
}
