//! Databases as sources: how one is reached, and how much of it is read at a time.

use super::{Source, Stream, rules};
use crate::{At, Loaded, Project, Text};
use cscopilot_diag::Diagnostics;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A database that is read.
///
/// A stream names a `table`, or a `query` where it needs more than a table's columns. With a `cursor`, a run reads the rows that have
/// changed since the last one, in the cursor's order; rows that vanish are not noticed then. Without a cursor a run reads all rows,
/// leaves out those that are as they were, and notes vanished ones with `_op = delete`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DatabaseRoot {
    /// PostgreSQL, and what speaks its protocol and knows `COPY`.
    Postgres(PostgresDatabase),
    /// MySQL and MariaDB.
    Mysql(MysqlDatabase),
    /// A SQLite file.
    Sqlite(SqliteDatabase),
    /// Any other database, through an ADBC driver: Snowflake, BigQuery, Flight SQL, DuckDB.
    Adbc(AdbcDatabase),
}

/// How a PostgreSQL database is reached.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresDatabase {
    /// `postgres://user:password@host:5432/database`. `?sslmode=` says what TLS must be: `disable`, `prefer` (the default), `require`,
    /// `verify-ca`, `verify-full`; `sslrootcert=FILE` names the authority.
    pub url: At<Text>,
    /// How much is read at a time.
    #[serde(default)]
    pub reading: DatabaseReading,
}

/// How a MySQL or MariaDB database is reached.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MysqlDatabase {
    /// `mysql://user:password@host:3306/database`. `?ssl-mode=` says what TLS must be: `DISABLED`, `PREFERRED` (the default), `REQUIRED`,
    /// `VERIFY_CA`, `VERIFY_IDENTITY`; `ssl-ca=FILE` names the authority.
    pub url: At<Text>,
    /// How much is read at a time.
    #[serde(default)]
    pub reading: DatabaseReading,
}

/// Where a SQLite database lies.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqliteDatabase {
    /// The file; a relative path starts at the project.
    pub path: At<Text>,
    /// How much is read at a time.
    #[serde(default)]
    pub reading: DatabaseReading,
}

/// How a database is reached through an ADBC driver.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdbcDatabase {
    /// The driver's shared library: a path (with a `/`; a relative one starts at the project), or a name that the system's loader or a
    /// driver manifest knows, such as `adbc_driver_snowflake`.
    pub driver: At<Text>,
    /// The library's function that starts the driver; found from the name by default.
    #[serde(default)]
    pub entrypoint: Option<String>,
    /// The driver's options: `uri`, `username`, `password`, and its own, such as `adbc.snowflake.sql.account`.
    #[serde(default)]
    pub options: BTreeMap<String, At<Text>>,
    /// How a bound value stands in a query.
    #[serde(default)]
    pub placeholder: Placeholder,
    /// The sign around names of tables and columns: a double quote by default, a backtick for BigQuery.
    #[serde(default = "double_quote")]
    pub identifier_quote: At<char>,
    /// How much is read at a time.
    #[serde(default)]
    pub reading: DatabaseReading,
}

fn double_quote() -> At<char> {
    At::nowhere('"')
}

/// How a bound value stands in a query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Placeholder {
    /// `?`
    #[default]
    Question,
    /// `$1`, as PostgreSQL has it.
    Dollar,
}

/// How much of a database is read at a time.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseReading {
    /// With a cursor: after so many rows, they and the cursor are committed together, so that a run that dies goes on from there.
    pub window_rows: At<u64>,
    /// With a timestamp or date as cursor: a run starts so far before the last run's newest row, because a transaction may be committed
    /// after others that began later. Rows that are read again as they were are left out. Not for SQLite, which has one writer.
    pub lookback_secs: u64,
}

impl Default for DatabaseReading {
    fn default() -> Self {
        Self { window_rows: At::nowhere(500_000), lookback_secs: 300 }
    }
}

impl DatabaseRoot {
    /// How much is read at a time.
    #[must_use]
    pub fn reading(&self) -> &DatabaseReading {
        match self {
            Self::Postgres(database) => &database.reading,
            Self::Mysql(database) => &database.reading,
            Self::Sqlite(database) => &database.reading,
            Self::Adbc(database) => &database.reading,
        }
    }

    /// Where the database lies, as it was written.
    fn place(&self) -> &At<Text> {
        match self {
            Self::Postgres(database) => &database.url,
            Self::Mysql(database) => &database.url,
            Self::Sqlite(database) => &database.path,
            Self::Adbc(database) => &database.driver,
        }
    }

    /// The rules of a source that is a database, and of its streams.
    pub(super) fn check(&self, loaded: &Loaded<Source>, project: &Project, out: &mut Diagnostics) {
        project.check_text(loaded, self.place(), out);
        self.rules(loaded, out);
        if let Self::Adbc(adbc) = self {
            for option in adbc.options.values() {
                project.check_text(loaded, option, out);
            }
        }
    }

    /// The rules that need no project.
    fn rules(&self, loaded: &Loaded<Source>, out: &mut Diagnostics) {
        if let Self::Adbc(adbc) = self {
            let quote = &adbc.identifier_quote;
            if !matches!(quote.value, '"' | '`') {
                out.push(
                    loaded
                        .error("SRC040", quote, format!("{:?} can't stand around names", quote.value))
                        .with_help("take a double quote, or a backtick for BigQuery"),
                );
            }
        }
        let window = &self.reading().window_rows;
        if window.value == 0 {
            out.push(loaded.error("SRC041", window, "a window of no rows is never full").with_help("take some 100000 rows"));
        }
        rules::has_streams(loaded, self.place(), out);
        for (name, stream) in loaded.value.streams.iter() {
            rules::name(loaded, name, "stream", out);
            stream_rules(loaded, name, stream, out);
        }
    }
}

/// The rules of a stream that is read from a database.
fn stream_rules(loaded: &Loaded<Source>, name: &At<String>, stream: &Stream, out: &mut Diagnostics) {
    match (&stream.table, &stream.query) {
        (Some(_), None) | (None, Some(_)) => {}
        (None, None) => out.push(
            loaded
                .error("SRC042", name, format!("the stream `{name}` doesn't say what it is read from"))
                .with_help("add `table: schema.customers`, or `query: SELECT …`"),
        ),
        (Some(_), Some(query)) => out.push(
            loaded
                .error("SRC043", query, format!("the stream `{name}` has both a table and a query"))
                .with_help("keep one: a query can name any table"),
        ),
    }
    if let Some(table) = &stream.table
        && table.split('.').any(|part| part.is_empty() || part.contains(['"', '`', '\0']))
    {
        out.push(
            loaded
                .error("SRC044", table, format!("`{table}` can't be the name of a table"))
                .with_help("write `customers` or `schema.customers` without quotes; for any other name write a `query`"),
        );
    }
    if let Some(query) = &stream.query
        && query.trim().trim_end_matches(';').trim().is_empty()
    {
        out.push(loaded.error("SRC045", query, "the query is empty").with_help("write `SELECT …`"));
    }
    let of_files = [("files", stream.files.as_ref().map(place)), ("format", stream.format.as_ref().map(place))];
    for (what, at) in of_files.into_iter().filter_map(|(what, at)| at.map(|at| (what, at))) {
        out.push(
            loaded
                .error("SRC046", &at, format!("`{what}` has no meaning for a stream of a database"))
                .with_help("remove it; a database's stream has a `table` or a `query`"),
        );
    }
    rules::columns(loaded, name, stream, out);
}

fn place<T: Clone>(at: &At<T>) -> At<()> {
    at.clone().map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const SOUND: &str = r#"version: 1
database:
  postgres: {url: "${secret:CRM_DB}", reading: {window_rows: 1000}}
streams:
  customers:
    table: public.customers
    columns:
      id: {type: int}
      updated_at: {type: timestamp}
    primary_key: [id]
    cursor: updated_at
"#;

    /// The errors of the sound source with one text replaced.
    fn errors(from: &str, to: &str) -> String {
        assert!(SOUND.contains(from), "{from}");
        let text: Arc<str> = Arc::from(SOUND.replace(from, to));
        let value: Source = match crate::parse("configs/sources/crm.yaml", &text, &text, 0) {
            Err(error) => return error.to_string(),
            Ok(source) => source,
        };
        let loaded = Loaded { name: "crm".to_owned(), path: "configs/sources/crm.yaml".to_owned(), text, value };
        let mut out = Diagnostics::new();
        if let Some(root) = &loaded.value.database {
            root.rules(&loaded, &mut out);
        }
        out.to_string()
    }

    #[test]
    fn a_sound_database_source_has_no_errors() {
        let adbc = "adbc: {driver: adbc_driver_snowflake, options: {uri: x}, identifier_quote: '`', placeholder: dollar}";
        let others = ["mysql: {url: x}", "sqlite: {path: crm.db}", adbc];
        for other in others {
            assert_eq!(errors(r#"postgres: {url: "${secret:CRM_DB}", reading: {window_rows: 1000}}"#, other), "", "{other}");
        }
        assert_eq!(errors("table: public.customers", "query: SELECT * FROM customers"), "");
        assert_eq!(errors("version: 1", "version: 1"), "");
    }

    #[test]
    fn says_what_is_wrong_with_a_database_and_what_to_do() {
        let cases = [
            ("postgres: {", "postgers: {"),
            ("reading: {window_rows: 1000}", "reading: {window_rows: 0}"),
            ("reading: {window_rows: 1000}", "readings: {}"),
            ("    table: public.customers\n", ""),
            ("table: public.customers", "table: public.customers\n    query: SELECT 1"),
            ("table: public.customers", "table: public.\"customers\""),
            ("table: public.customers", "query: ' ; '"),
            ("cursor: updated_at", "cursor: updated"),
            ("cursor: updated_at", "files: '*.csv'"),
            (r#"postgres: {url: "${secret:CRM_DB}", reading: {window_rows: 1000}}"#, "adbc: {driver: x, identifier_quote: '['}"),
        ];
        let all: Vec<String> = cases.iter().map(|(from, to)| errors(from, to)).collect();
        insta::assert_snapshot!(all.join("\n\n"));
    }
}
