//! What PostgreSQL's types become, and how reads end badly and go on.

use super::*;
use std::process::Command;

async fn fixture() -> Fixture {
    Fixture::new(Db::Postgres(servers::postgres("", ""))).await
}

#[tokio::test]
async fn values_are_read_exactly_and_what_does_not_fit_is_rejected() {
    let mut f = fixture().await;
    f.db.execute(
        r#"CREATE TYPE plan AS ENUM ('free', 'pro');
        CREATE SCHEMA "Sales Data";
        CREATE TABLE "Sales Data"."Accounts" ("Id" uuid PRIMARY KEY, big bigint, money numeric(30,8), ratio double precision, single real,
            ok boolean, day date, at timestamptz, local timestamp, doc jsonb, tags text[], plan plan, raw bytea, wide text);
        INSERT INTO "Sales Data"."Accounts" VALUES
            ('00000000-0000-0000-0000-000000000001', 9223372036854775807, 12345678901234567890.12345678, 0.1, 0.1, true, '2024-02-29',
             '2024-03-01 10:00:00.123456+02', '2024-07-01 12:00:00', '{"a": [1, "x\ty"]}', '{a,"b c"}', 'pro', '\x00ff', E'tab\t line\n \\N'),
            ('00000000-0000-0000-0000-000000000002', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, ''),
            ('00000000-0000-0000-0000-000000000003', 1, 'NaN', 1, 1, false, '2024-01-01', 'infinity', '2024-01-01', '1', '{}', 'free', '', 'x'),
            ('00000000-0000-0000-0000-000000000004', 1, 1, 'Infinity', 1, false, '2024-01-01', now(), '2024-01-01', '1', '{}', 'free', '', 'x')"#,
    )
    .await;
    f.stream(
        "",
        "    table: Sales Data.Accounts
    columns:
      id: {type: string, from: Id}
      big: {type: int}
      money: {type: 'decimal(30,8)'}
      ratio: {type: float}
      single: {type: float}
      ok: {type: bool}
      day: {type: date}
      at: {type: timestamp}
      local: {type: timestamp, zone: Europe/Berlin}
      doc: {type: json}
      tags: {type: string}
      plan: {type: string}
      raw: {type: string}
      wide: {type: string}
      absent: {type: string, optional: true}
    primary_key: [id]
",
    );
    let outcome = f.night().await.unwrap();
    assert_eq!((outcome.rows_in, outcome.rows_out, outcome.rows_rejected), (4, 2, 2));
    insta::assert_snapshot!(f.rows("SELECT * EXCEPT (wide) FROM raw.s__x ORDER BY _line").await);
    assert_eq!(f.number("SELECT count(*) FROM raw.s__x WHERE wide IN ('', 'tab' || chr(9) || ' line' || chr(10) || ' \\N')").await, 2);
    insta::assert_snapshot!(f.rows("SELECT reason, column_name, detail, _file, _line FROM raw.s__x__rejected ORDER BY _line").await);
    // As long as the rows are not mended, every night says so; but they are kept once.
    let again = f.night().await.unwrap();
    assert_eq!((again.rows_out, again.rows_rejected, again.up_to_date), (0, 2, false));
    assert_eq!(f.number("SELECT count(*) FROM raw.s__x__rejected").await, 2);
}

const EVENTS: &str = "    table: events
    columns:
      id: {type: int}
      at: {type: timestamp}
      amount: {type: int}
    primary_key: [id]
    cursor: at
";

#[tokio::test]
async fn windows_that_were_closed_stay_when_a_later_one_fails() {
    let mut f = fixture().await;
    f.db.execute(
        "CREATE TABLE events (id bigint PRIMARY KEY, at timestamptz, amount text);
        INSERT INTO events SELECT n, timestamptz '2024-01-01' + n * interval '1 minute', CASE WHEN n > 250 THEN 'much' ELSE '1' END
            FROM generate_series(1, 1000) n",
    )
    .await;
    f.stream("window_rows: 100", &format!("    max_rejected_pct: 1\n{EVENTS}"));
    let error = f.night().await.unwrap_err();
    assert_eq!(error.code(), "EXT016");
    assert_eq!(f.number("SELECT count(*) FROM raw.s__x").await, 200);
    f.db.execute("UPDATE events SET amount = '2' WHERE amount = 'much'").await;
    let outcome = f.night().await.unwrap();
    assert_eq!((outcome.rows_out, outcome.rows_rejected), (800, 0));
    assert_eq!(f.number("SELECT count(*) - count(DISTINCT id) FROM raw.s__x").await, 0);
    assert_eq!(f.number("SELECT sum(amount) FROM raw.s__x").await, 250 + 2 * 750);
    assert!(f.night().await.unwrap().up_to_date);
}

#[tokio::test]
async fn rows_that_were_committed_late_are_found_within_the_lookback() {
    let mut f = fixture().await;
    f.db.execute("CREATE TABLE events (id bigint PRIMARY KEY, at timestamptz, amount int)").await;
    f.stream("lookback_secs: 60", EVENTS);
    f.db.execute("INSERT INTO events VALUES (1, '2024-01-01 10:00:00', 1), (2, '2024-01-01 10:05:00', 1)").await;
    assert_eq!(f.night().await.unwrap().rows_out, 2);
    f.db.execute("INSERT INTO events VALUES (3, '2024-01-01 10:04:30', 1), (4, '2024-01-01 10:03:00', 1)").await;
    let outcome = f.night().await.unwrap();
    assert_eq!((outcome.rows_out, fact(&outcome, "rows_unchanged")), (1, 1));
    assert_eq!(f.number("SELECT max(id) FROM raw.s__x").await, 3);
}

#[tokio::test]
async fn a_row_without_a_cursor_is_rejected_every_night_and_kept_once() {
    let mut f = fixture().await;
    f.db.execute("CREATE TABLE events (id bigint, at timestamptz, amount int); INSERT INTO events VALUES (1, NULL, 1), (2, now(), 1)")
        .await;
    f.stream("", EVENTS);
    for _ in 0..3 {
        let outcome = f.night().await.unwrap();
        assert_eq!(outcome.rows_rejected, 1, "{outcome:?}");
    }
    let sql = "SELECT count(*) FROM raw.s__x__rejected WHERE reason = 'missing_value' AND column_name = 'at' AND raw = '1' || chr(9) || '\\N' || chr(9) || '1'";
    assert_eq!((f.number(sql).await, f.number("SELECT count(*) FROM raw.s__x__rejected").await), (1, 1));
    assert_eq!(f.number("SELECT count(*) FROM raw.s__x").await, 1);
}

#[tokio::test]
async fn many_rows_of_a_query_come_whole_and_repeated_keys_are_counted() {
    let mut f = fixture().await;
    f.stream(
        "window_rows: 70000",
        "    query: |
      SELECT n / 2 AS id, timestamptz '2024-01-01' + (n / 1000) * interval '1 second' AS at, repeat('x', 40) AS text
      FROM generate_series(2, 300001) n -- two of each
      ;
    columns: {id: {type: int}, at: {type: timestamp}, text: {type: string}}
    primary_key: [id]
    cursor: at
",
    );
    let outcome = f.night().await.unwrap();
    assert_eq!((outcome.rows_in, outcome.rows_out, fact(&outcome, "windows")), (300_000, 300_000, 5));
    let repeated = outcome.checks.iter().find(|c| c.check == "duplicate_keys(id, at)").unwrap();
    assert_eq!(repeated.failing_rows, 150_000);
    assert_eq!(f.number("SELECT count(DISTINCT id) FROM raw.s__x").await, 150_000);
    assert_eq!(f.number("SELECT count(DISTINCT _line) FROM raw.s__x").await, 300_000);
    assert_eq!(f.number("SELECT count(DISTINCT _batch) FROM raw.s__x").await, 5);
    let quiet = f.night().await.unwrap();
    assert!(quiet.up_to_date, "{quiet:?}");
}

#[tokio::test]
async fn without_a_key_equal_rows_are_counted() {
    let mut f = fixture().await;
    f.db.execute("CREATE TABLE t (name text, n int); INSERT INTO t VALUES ('a', 1), ('a', 1), ('b', NULL)").await;
    f.stream("", "    table: public.t\n    columns: {name: {type: string}, n: {type: int}}\n");
    assert_eq!(f.night().await.unwrap().rows_out, 3);
    assert!(f.night().await.unwrap().up_to_date);
    f.db.execute("INSERT INTO t VALUES ('a', 1), ('b', 0); DELETE FROM t WHERE n IS NULL").await;
    let outcome = f.night().await.unwrap();
    assert_eq!((outcome.rows_out, fact(&outcome, "rows_deleted")), (3, 1));
    insta::assert_snapshot!(f.rows("SELECT name, n, _op, _batch, _line FROM raw.s__x ORDER BY _line").await);
    assert!(f.night().await.unwrap().up_to_date);
}

#[tokio::test]
async fn a_column_that_is_declared_later_brings_the_rows_anew() {
    let mut f = fixture().await;
    f.db.execute("CREATE TABLE t (id int PRIMARY KEY, n int, m int); INSERT INTO t VALUES (1, 1, 7), (2, 2, NULL)").await;
    f.stream("", "    table: t\n    columns: {id: {type: int}, n: {type: int}}\n    primary_key: [id]\n");
    assert_eq!(f.night().await.unwrap().rows_out, 2);
    f.stream("", "    table: t\n    columns: {id: {type: int}, n: {type: int}, m: {type: int}}\n    primary_key: [id]\n");
    assert_eq!(f.night().await.unwrap().rows_out, 1);
    f.stream("", "    table: t\n    columns: {id: {type: int}, n: {type: float}}\n    primary_key: [id]\n");
    assert_eq!(f.night().await.unwrap_err().code(), "EXT017");
}

#[tokio::test]
async fn what_is_wrong_is_said_without_secrets() {
    let access = "host all all 127.0.0.1/32 scram-sha-256\nlocal all all trust\n";
    let mut f = Fixture::new(Db::Postgres(servers::postgres("", access))).await;
    let Db::Postgres(server) = &f.db else { unreachable!() };
    let port = server.port;
    let stream = "    table: t\n    columns: {id: {type: int}}\n";
    let source = |url: &str| format!("version: 1\ndatabase: {{postgres: {{url: '{url}'}}}}\nstreams:\n  x:\n{stream}");
    let file = f.folder.path().join("configs/sources/s.yaml");
    std::fs::write(&file, source(&format!("postgres://app:hunter%402@127.0.0.1:{port}/postgres"))).unwrap();
    let error = f.night().await.unwrap_err();
    assert_eq!(error.code(), "EXT051");
    let said = format!("{error} {error:?}");
    assert!(said.contains("password authentication failed") && !said.contains("hunter"), "{said}");
    std::fs::write(&file, source("postgres://app:hunter2@127.0.0.1:notaport/postgres")).unwrap();
    let error = f.night().await.unwrap_err();
    assert!(error.code() == "EXT050" && !format!("{error:?}").contains("hunter"), "{error:?}");
    let gone = servers::postgres("", "").port;
    std::fs::write(&file, source(&format!("postgres://app:hunter2@127.0.0.1:{gone}/postgres"))).unwrap();
    let error = f.night().await.unwrap_err();
    assert!(error.code() == "EXT051" && !format!("{error:?}").contains("hunter"), "{error:?}");
}

#[tokio::test]
async fn missing_tables_and_columns_are_named() {
    let mut f = fixture().await;
    f.stream("", "    table: absent\n    columns: {id: {type: int}}\n");
    let error = f.night().await.unwrap_err();
    insta::assert_snapshot!(error, @r#"the database refuses to read absent: relation "absent" does not exist (42P01)"#);
    f.db.execute("CREATE TABLE t (ident int)").await;
    f.stream("", "    table: t\n    columns: {iden: {type: int}}\n");
    let error = f.night().await.unwrap_err();
    insta::assert_snapshot!(format!("{error}\n{}", error.help().unwrap()), @r"
    t has no column `iden`
    did you mean `ident`? (set `from:` to the file's name of the column, or `optional: true`)
    ");
    assert!(f.lake.tables().await.unwrap().is_empty());
}

#[tokio::test]
async fn tls_is_what_the_url_says() {
    let certificate = tempfile::tempdir().unwrap();
    let (key, cert) = (certificate.path().join("key.pem"), certificate.path().join("cert.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .output()
        .expect("openssl was not found: scripts/servers.sh installs it");
    assert!(made.status.success(), "{made:?}");
    let access = "hostssl all all 127.0.0.1/32 trust\n";
    let server = servers::postgres_with("ssl = on", access, &[(&key, "server.key"), (&cert, "server.crt")]);
    let mut f = Fixture::new(Db::Postgres(server)).await;
    let url = f.db.url();
    let stream = "    query: SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()\n    columns: {ssl: {type: bool}}\n";
    let file = f.folder.path().join("configs/sources/s.yaml");
    let source = |mode: &str| format!("version: 1\ndatabase: {{postgres: {{url: '{url}?{mode}'}}}}\nstreams:\n  x:\n{stream}");
    for refused in ["sslmode=disable", "sslmode=verify-full"] {
        std::fs::write(&file, source(refused)).unwrap();
        assert_eq!(f.night().await.unwrap_err().code(), "EXT051", "{refused}");
    }
    for accepted in ["sslmode=require".to_owned(), format!("sslmode=verify-full&sslrootcert={}", cert.display())] {
        std::fs::write(&file, source(&accepted)).unwrap();
        f.night().await.unwrap();
    }
    assert_eq!(f.rows("SELECT ssl FROM raw.s__x").await.matches("true").count(), 1);
}
