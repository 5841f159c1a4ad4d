//! What SQLite's values become, each of which has a type of its own, through its own driver and through ADBC's.

use super::*;

#[tokio::test]
async fn values_are_read_by_their_own_type() {
    let mut f = Fixture::new(Db::sqlite()).await;
    f.db.execute(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, anything, at DATETIME, ok BOOLEAN, money NUMERIC);
        INSERT INTO t VALUES (1, 'text', '2024-03-01T10:00:00Z', 1, 12.5), (2, 7, '2024-03-01 10:00:01', 'no', 3), (3, 0.1, 1709287202, 0, '9.25'),
            (4, NULL, NULL, NULL, NULL), (5, x'ff', '2024-03-01', 1, 1), (6, x'6869', '2024-03-01', 1, 'much')",
    )
    .await;
    f.stream(
        "",
        "    table: t
    columns:
      id: {type: int}
      anything: {type: string}
      at: {type: timestamp, formats: ['%Y-%m-%dT%H:%M:%SZ', '%Y-%m-%d %H:%M:%S', '%Y-%m-%d', unix_secs]}
      ok: {type: bool}
      money: {type: 'decimal(10,2)'}
    primary_key: [id]
",
    );
    let outcome = f.night().await.unwrap();
    assert_eq!((outcome.rows_in, outcome.rows_out, outcome.rows_rejected), (6, 4, 2), "{outcome:?}");
    insta::assert_snapshot!(f.rows("SELECT * FROM raw.s__x ORDER BY _line").await);
    insta::assert_snapshot!(f.rows("SELECT reason, column_name, detail, raw FROM raw.s__x__rejected ORDER BY _line").await);
}

#[tokio::test]
async fn a_cursor_of_any_type_goes_on_where_it_stopped() {
    for db in [Db::sqlite(), Db::AdbcSqlite(tempfile::tempdir().unwrap())] {
        let mut f = Fixture::new(db).await;
        f.db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, at TEXT, secs INTEGER, ratio REAL, untyped)").await;
        let row = |n: u64| format!("INSERT INTO t VALUES ({n}, '2024-01-01 00:{n:02}:00', {}, {n}.1, {n});", 1_704_067_200 + n);
        f.db.execute(&(1..=9).map(row).collect::<String>()).await;
        let cursors =
            [("id", "int"), ("at", "timestamp"), ("secs", "timestamp, format: unix_secs"), ("ratio", "'decimal(9,1)'"), ("untyped", "int")];
        for (column, kind) in cursors {
            f.lake.drop_table(&"raw.s__x".parse().unwrap()).await.unwrap();
            f.db.execute("DELETE FROM t WHERE id > 9").await;
            let columns = format!("{{id: {{type: int}}, {column}_: {{type: {kind}, from: {column}}}}}");
            let stream = format!("    query: SELECT * FROM t\n    columns: {columns}\n    primary_key: [id]\n    cursor: {column}_\n");
            f.stream("window_rows: 4", &stream);
            assert_eq!(f.night().await.unwrap().rows_out, 9, "{column}");
            let quiet = f.night().await.unwrap();
            assert!(quiet.up_to_date && quiet.rows_in == 1, "{column}: {quiet:?}");
            f.db.execute(&row(10)).await;
            assert_eq!(f.night().await.unwrap().rows_out, 1, "{column}");
        }
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_is_not_made() {
    let mut f = Fixture::new(Db::sqlite()).await;
    f.stream("", "    table: t\n    columns: {id: {type: int}}\n");
    assert_eq!(f.night().await.unwrap_err().code(), "EXT055");
    assert!(!std::path::Path::new(&f.db.url()).exists());
}

#[tokio::test]
async fn an_empty_table_makes_an_empty_table() {
    let mut f = Fixture::new(Db::sqlite()).await;
    f.db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)").await;
    f.stream("", "    table: t\n    columns: {id: {type: int}}\n    primary_key: [id]\n");
    assert_eq!(f.night().await.unwrap().rows_out, 0);
    assert_eq!(f.number("SELECT count(*) FROM raw.s__x").await, 0);
    assert_eq!(f.number("SELECT count(*) FROM raw.s__x__rejected").await, 0);
    assert!(f.night().await.unwrap().up_to_date);
}

#[tokio::test]
async fn adbc_values_are_cast_and_what_does_not_fit_is_rejected() {
    let mut f = Fixture::new(Db::AdbcSqlite(tempfile::tempdir().unwrap())).await;
    f.db.execute(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n REAL, text TEXT, day TEXT);
        INSERT INTO t VALUES (1, 1.0, 'a', '2024-02-29'), (2, 1.5, 'b', NULL), (3, NULL, NULL, '2024-02-30'), (4, NULL, NULL, NULL)",
    )
    .await;
    f.stream("", "    table: t\n    columns: {id: {type: int}, n: {type: int}, text: {type: string}, day: {type: date}, no: {type: int, optional: true}}\n    primary_key: [id]\n");
    let outcome = f.night().await.unwrap();
    assert_eq!((outcome.rows_out, outcome.rows_rejected), (2, 2), "{outcome:?}");
    insta::assert_snapshot!(f.rows("SELECT * EXCEPT (_extracted_at) FROM raw.s__x ORDER BY _line").await);
    insta::assert_snapshot!(f.rows("SELECT reason, column_name, detail, raw FROM raw.s__x__rejected ORDER BY _line").await);
}

#[tokio::test]
async fn an_adbc_driver_that_is_not_there_is_named() {
    let mut f = Fixture::new(Db::sqlite()).await;
    let stream = "streams:\n  x:\n    table: t\n    columns: {id: {type: int}}\n";
    for driver in ["./absent/libadbc.so", "adbc_driver_absent"] {
        let yaml = format!("version: 1\ndatabase: {{adbc: {{driver: '{driver}', options: {{password: hunter2}}}}}}\n{stream}");
        std::fs::write(f.folder.path().join("configs/sources/s.yaml"), yaml).unwrap();
        let error = f.night().await.unwrap_err();
        assert!(error.code() == "EXT054" && error.to_string().contains("absent"), "{error}");
    }
}

#[tokio::test]
async fn wherever_a_run_dies_the_next_one_ends_with_the_same_rows() {
    for (cursor, commits) in [("    cursor: at\n", 4), ("", 1)] {
        let mut f = Fixture::new(Db::sqlite()).await;
        // Every third row can't be read.
        let row =
            |n: u64| format!("INSERT INTO t VALUES ({n}, '2024-01-01T00:{n:02}:00Z', {});", if n.is_multiple_of(3) { "'x'" } else { "1" });
        f.db.execute(&format!("CREATE TABLE t (id INTEGER PRIMARY KEY, at TEXT, n);{}", (1..=14).map(row).collect::<String>())).await;
        let columns = "{id: {type: int}, at: {type: timestamp}, n: {type: int}}";
        f.stream("window_rows: 4", &format!("    table: t\n    columns: {columns}\n    primary_key: [id]\n{cursor}"));
        // Windows begin where the last one ended, so the batches may be others.
        let state = async |f: &Fixture| {
            let rows = f.rows("SELECT * EXCEPT (_extracted_at, _batch) FROM raw.s__x ORDER BY _line").await;
            let rejected = f.rows("SELECT raw, count(*) AS n FROM raw.s__x__rejected GROUP BY raw ORDER BY raw").await;
            (rows, rejected, f.lake.table(&"raw.s__x".parse().unwrap()).await.unwrap().unwrap().state.unwrap()["after"].clone())
        };
        f.night().await.unwrap();
        let whole = state(&f).await;
        let log = f.folder.path().join("lake/tables/raw/s__x/_delta_log");
        let entries =
            || std::fs::read_dir(&log).unwrap().filter(|e| e.as_ref().unwrap().path().extension().is_some_and(|e| e == "json")).count();
        assert_eq!(entries(), commits, "{cursor}");
        // The rejected rows of a window stay: they are published before its rows.
        for kept in 0..=commits {
            for same_run in [true, false] {
                for version in kept..entries() {
                    std::fs::remove_file(log.join(format!("{version:020}.json"))).unwrap();
                }
                f.lake = Lake::open(f.folder.path().join("lake").to_str().unwrap(), LakeOptions::default()).await.unwrap();
                f.nights -= u32::from(same_run);
                f.night().await.unwrap();
                assert_eq!(state(&f).await, whole, "{cursor}: {kept} of {commits} commits were made, by the same run: {same_run}");
            }
        }
    }
}
