//! Snowflake through its ADBC driver, against PyPI's `fakesnow`, a server of Snowflake's protocol over DuckDB.
//!
//! `make test-snowflake` installs both and runs this; where they are not installed, it says so in one line.

use super::*;
use adbc_core::options::{AdbcVersion, OptionDatabase, OptionValue};
use adbc_core::{Connection as _, Database as _, Driver as _, Statement as _};
use adbc_driver_manager::ManagedDriver;

fn options(port: u16) -> Vec<(&'static str, String)> {
    vec![
        ("username", "fake".to_owned()),
        ("password", "snow".to_owned()),
        ("adbc.snowflake.sql.account", "fakesnow".to_owned()),
        ("adbc.snowflake.sql.db", "DB".to_owned()),
        ("adbc.snowflake.sql.schema", "PUBLIC".to_owned()),
        ("adbc.snowflake.sql.uri.protocol", "http".to_owned()),
        ("adbc.snowflake.sql.uri.host", "127.0.0.1".to_owned()),
        ("adbc.snowflake.sql.uri.port", port.to_string()),
    ]
}

#[tokio::test]
async fn snowflake_changes_come_once_and_exactly() {
    let Some(server) = servers::fakesnow() else { return };
    let library = servers::adbc("snowflake");
    let options = options(server.port);
    let mut driver = ManagedDriver::load_dynamic_from_filename(&library, None, AdbcVersion::V110).unwrap();
    let given = options.iter().map(|(key, value)| (OptionDatabase::from(*key), OptionValue::from(value.as_str())));
    let mut connection = driver.new_database_with_opts(given).unwrap().new_connection().unwrap();
    let mut execute = |sql: &str| {
        let mut statement = connection.new_statement().unwrap();
        statement.set_sql_query(sql).unwrap();
        statement.execute().unwrap().for_each(|batch| drop(batch.unwrap()));
    };
    execute("CREATE OR REPLACE TABLE accounts (id INT, name VARCHAR, arr NUMBER(12,2), changed_at TIMESTAMP_NTZ)");
    execute("INSERT INTO accounts VALUES (1, 'Müller', 1.25, '2024-01-01 10:00:00.123456'), (2, NULL, NULL, '2024-01-01 10:00:01')");

    let mut f = Fixture::new(Db::sqlite()).await;
    let stream = |f: &Fixture, cursor: &str| {
        let options: Vec<String> = options.iter().map(|(key, value)| format!("{key}: '{value}'")).collect();
        let yaml = format!(
            "version: 1\ndatabase: {{adbc: {{driver: '{}', options: {{{}}}}}}}\nstreams:\n  x:\n    table: ACCOUNTS\n    columns:\n      \
             id: {{type: int, from: ID}}\n      name: {{type: string, from: NAME}}\n      arr: {{type: 'decimal(12,2)', from: ARR}}\n      \
             changed_at: {{type: timestamp, from: CHANGED_AT}}\n    primary_key: [id]\n{cursor}",
            library.display(),
            options.join(", ")
        );
        std::fs::write(f.folder.path().join("configs/sources/s.yaml"), yaml).unwrap();
    };
    stream(&f, "    cursor: changed_at\n");
    assert_eq!(f.night().await.unwrap().rows_out, 2);
    assert!(f.night().await.unwrap().up_to_date);
    execute("INSERT INTO accounts VALUES (3, 'c', 3.00, '2024-01-01 10:00:01')");
    execute("UPDATE accounts SET name = 'b', changed_at = '2024-01-02 00:00:00' WHERE id = 2");
    assert_eq!(f.night().await.unwrap().rows_out, 2);
    insta::assert_snapshot!(f.rows("SELECT id, name, arr, changed_at, _op FROM raw.s__x ORDER BY _line").await, @r"
    +----+--------+------+-----------------------------+--------+
    | id | name   | arr  | changed_at                  | _op    |
    +----+--------+------+-----------------------------+--------+
    | 1  | Müller | 1.25 | 2024-01-01T10:00:00.123456Z | upsert |
    | 2  |        |      | 2024-01-01T10:00:01Z        | upsert |
    | 3  | c      | 3.00 | 2024-01-01T10:00:01Z        | upsert |
    | 2  | b      |      | 2024-01-02T00:00:00Z        | upsert |
    +----+--------+------+-----------------------------+--------+
    ");
}
