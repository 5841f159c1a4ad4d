//! What the doctor finds out about databases without reading a row.

use super::*;

const STREAM: &str =
    "    table: t\n    columns: {id: {type: int}, name: {type: string}, later: {type: int, optional: true}}\n    primary_key: [id]\n";

#[tokio::test]
async fn every_kind_of_database_is_tried() {
    let postgres = || servers::postgres("", "");
    let dbs = [
        Db::Postgres(postgres()),
        Db::AdbcPostgres(postgres()),
        Db::mysql().await,
        Db::sqlite(),
        Db::AdbcSqlite(tempfile::tempdir().unwrap()),
    ];
    for db in dbs {
        let f = Fixture::new(db).await;
        f.db.execute("CREATE TABLE t (id int PRIMARY KEY, name text)").await;
        f.stream("", STREAM);
        assert_eq!(f.doctor().await, (true, None, "1 stream is there with all columns".to_owned()), "{}", f.db.url());
        f.stream("", &STREAM.replace("name:", "nom:"));
        assert_eq!(f.doctor().await, (false, Some("EXT013".to_owned()), "t has no column `nom`".to_owned()), "{}", f.db.url());
        f.stream("", &STREAM.replace("table: t", "table: absent"));
        let (ok, code, message) = f.doctor().await;
        assert!(!ok && code.as_deref() == Some("EXT052") && message.contains("absent"), "{code:?} {message}");
        assert!(f.lake.tables().await.unwrap().is_empty(), "nothing is read");
    }
}

#[tokio::test]
async fn all_streams_that_fail_are_told() {
    let f = Fixture::new(Db::sqlite()).await;
    f.db.execute("CREATE TABLE t (id int); CREATE TABLE u (id int)").await;
    let column = "    columns: {id: {type: int}}\n";
    f.stream("", &format!("    table: t\n{column}  y:\n    table: v\n{column}  z:\n    table: u\n    columns: {{no: {{type: int}}}}\n"));
    let (_, code, message) = f.doctor().await;
    insta::assert_snapshot!(format!("{} {message}", code.unwrap()), @"EXT052 the database refuses to read v: no such table: v (1); u has no column `no`");
}

#[tokio::test]
async fn wrong_credentials_missing_rights_and_a_closed_port_are_told_without_secrets() {
    let access = "host all app 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\nlocal all all trust\n";
    let f = Fixture::new(Db::Postgres(servers::postgres("", access))).await;
    f.db.execute("CREATE TABLE t (id int, name text); CREATE ROLE reader LOGIN PASSWORD 'hunter2'").await;
    let Db::Postgres(server) = &f.db else { unreachable!() };
    let port = server.port;
    let closed = servers::postgres("", "").port;
    let source = |url: &str| format!("version: 1\ndatabase: {{postgres: {{url: '{url}'}}}}\nstreams:\n  x:\n{STREAM}");
    let file = f.folder.path().join("configs/sources/s.yaml");
    for (url, code, part) in [
        (format!("postgres://reader:hunter3@127.0.0.1:{port}/postgres"), "EXT051", "password authentication failed"),
        (format!("postgres://reader:hunter2@127.0.0.1:{port}/postgres"), "EXT052", "permission denied for table t"),
        (format!("postgres://reader:hunter2@127.0.0.1:{closed}/postgres"), "EXT051", "refused"),
    ] {
        std::fs::write(&file, source(&url)).unwrap();
        let (ok, found, message) = f.doctor().await;
        assert!(!ok && found.as_deref() == Some(code) && message.contains(part) && !message.contains("hunter"), "{found:?} {message}");
    }
    f.db.execute("GRANT SELECT ON t TO reader").await;
    std::fs::write(&file, source(&format!("postgres://reader:hunter2@127.0.0.1:{port}/postgres"))).unwrap();
    assert!(f.doctor().await.0);
}
