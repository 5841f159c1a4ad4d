//! What MySQL's types become.

use super::*;

#[tokio::test]
async fn values_are_read_exactly_and_what_does_not_fit_is_rejected() {
    let mut f = Fixture::new(Db::mysql().await).await;
    f.db.execute(
        "SET sql_mode = '';
        CREATE TABLE `Acc``ounts` (`Id` VARCHAR(20) PRIMARY KEY, big BIGINT UNSIGNED, small TINYINT, ok BOOLEAN, money DECIMAL(30,8),
            ratio DOUBLE, single FLOAT, day DATE, at TIMESTAMP(6) NULL, local DATETIME(3), doc JSON, kind ENUM('a','b'), flags SET('x','y'),
            bits BIT(10), raw BLOB, latin VARCHAR(20) CHARACTER SET latin1);
        SET time_zone = '+02:00';
        INSERT INTO `Acc``ounts` VALUES
            ('a', 9223372036854775807, -5, TRUE, 12345678901234567890.12345678, 0.1, 0.1, '2024-02-29', '2024-03-01 10:00:00.123456',
             '2024-07-01 12:00:00.5', '{\"a\": [1, \"x\"]}', 'b', 'x,y', b'1000000001', 'text', 'ümläut'),
            ('b', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
            ('too large', 18446744073709551615, 1, 1, 1, 1, 1, '2024-01-01', '2024-01-01', '2024-01-01', '1', 'a', '', 1, '', ''),
            ('zero date', 1, 1, 1, 1, 1, 1, '0000-00-00', '2024-01-01', '2024-01-01', '1', 'a', '', 1, '', ''),
            ('no text', 1, 1, 1, 1, 1, 1, '2024-01-01', '2024-01-01', '2024-01-01', '1', 'a', '', 1, x'00ff', '')",
    )
    .await;
    f.stream(
        "",
        "    query: SELECT * FROM `Acc``ounts`
    columns:
      id: {type: string, from: Id}
      big: {type: int}
      small: {type: int}
      ok: {type: bool}
      money: {type: 'decimal(30,8)'}
      ratio: {type: float}
      single: {type: float}
      day: {type: date}
      at: {type: timestamp}
      local: {type: timestamp, zone: Europe/Berlin}
      doc: {type: json}
      kind: {type: string}
      flags: {type: string}
      bits: {type: int}
      raw: {type: string}
      latin: {type: string}
    primary_key: [id]
",
    );
    let outcome = f.night().await.unwrap();
    assert_eq!((outcome.rows_in, outcome.rows_out, outcome.rows_rejected), (5, 2, 3), "{outcome:?}");
    insta::assert_snapshot!(f.rows("SELECT * FROM raw.s__x ORDER BY _line").await);
    insta::assert_snapshot!(f.rows("SELECT reason, column_name, detail FROM raw.s__x__rejected ORDER BY _line").await);
}

#[tokio::test]
async fn a_cursor_of_any_type_goes_on_where_it_stopped() {
    let mut f = Fixture::new(Db::mysql().await).await;
    f.db.execute("CREATE TABLE t (id BIGINT UNSIGNED PRIMARY KEY, at TIMESTAMP, day DATE, price DECIMAL(20,4), code VARCHAR(20))").await;
    let row =
        |n: u64| format!("INSERT INTO t VALUES ({}, '2024-01-01 00:{n:02}:00', '2024-01-{n:02}', {n}.5, 'c{n:03}');", u64::MAX / 4 + n);
    f.db.execute(&(1..=9).map(row).collect::<String>()).await;
    for (column, kind) in [("id", "int"), ("at", "timestamp"), ("day", "date"), ("price", "'decimal(20,4)'"), ("code", "string")] {
        f.lake.drop_table(&"raw.s__x".parse().unwrap()).await.unwrap();
        f.db.execute("DELETE FROM t WHERE code > 'c009'").await;
        let columns = format!("{{id: {{type: int}}, {column}_: {{type: {kind}, from: {column}}}}}");
        f.stream(
            "window_rows: 4, lookback_secs: 30",
            &format!("    table: t\n    columns: {columns}\n    primary_key: [id]\n    cursor: {column}_\n"),
        );
        assert_eq!(f.night().await.unwrap().rows_out, 9, "{column}");
        let quiet = f.night().await.unwrap();
        assert!(quiet.up_to_date && quiet.rows_in <= 2, "{column}: {quiet:?}");
        f.db.execute(&row(10)).await;
        assert_eq!(f.night().await.unwrap().rows_out, 1, "{column}");
    }
}

#[tokio::test]
async fn a_refused_query_and_a_refused_user_are_told_apart() {
    let mut f = Fixture::new(Db::mysql().await).await;
    f.stream("", "    table: absent\n    columns: {id: {type: int}}\n");
    let error = f.night().await.unwrap_err();
    assert!(error.code() == "EXT052" && error.to_string().contains("absent"), "{error}");
    let url = f.db.url().replace("root@", "nobody:hunter2@");
    let yaml =
        format!("version: 1\ndatabase: {{mysql: {{url: '{url}'}}}}\nstreams:\n  x:\n    table: t\n    columns: {{id: {{type: int}}}}\n");
    std::fs::write(f.folder.path().join("configs/sources/s.yaml"), yaml).unwrap();
    let error = f.night().await.unwrap_err();
    assert!(error.code() == "EXT051" && !format!("{error:?}").contains("hunter"), "{error:?}");
}
