//! A table that changes at random, beside a model of it: after each night the log says exactly what the table says, and no row came twice.

use super::*;

/// Numbers that look random and are the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Row {
    name: String,
    cents: u64,
    at: i64,
    note: Option<String>,
}

/// A night takes a second or two, most of which is the lake's.
const NIGHTS: u64 = 8;

/// Texts that a careless reader takes for something else.
const TEXTS: [&str; 12] = ["", "\\N", "NULL", "a\tb", "a\nb", "a\r\nb", "back\\slash", "quo\"te's", "ümläut €", "\\.", " blank ", ","];

struct Table<'a> {
    db: &'a Db,
    rows: BTreeMap<u64, Row>,
    /// Seconds since the first of January 2024.
    clock: i64,
    random: Random,
}

impl Table<'_> {
    fn instant(&self, at: i64) -> String {
        let text = DateTime::from_timestamp(1_704_067_200 + at, 123_456_000).unwrap().format("%Y-%m-%d %H:%M:%S%.6f").to_string();
        match self.db {
            Db::Postgres(_) | Db::AdbcPostgres(_) => text + "+00",
            _ => text,
        }
    }

    fn put(&mut self, id: u64, sql: &mut String) {
        // Many rows share an instant, also over the end of a night.
        self.clock += i64::from(self.random.below(4) == 0);
        let text = |n: u64| TEXTS[usize::try_from(n).unwrap_or(0) % TEXTS.len()].to_owned();
        let row = Row {
            name: text(self.random.below(100)),
            cents: self.random.below(1_000_000),
            at: self.clock,
            note: (self.random.below(3) > 0).then(|| text(self.random.below(100))),
        };
        let note = row.note.as_ref().map_or_else(|| "NULL".to_owned(), |note| self.db.literal(note));
        sql.push_str(&format!(
            "DELETE FROM t WHERE id = {id}; INSERT INTO t VALUES ({id}, {}, '{}.{:02}', '{}', {note});\n",
            self.db.literal(&row.name),
            row.cents / 100,
            row.cents % 100,
            self.instant(row.at)
        ));
        self.rows.insert(id, row);
    }

    /// A day's changes.
    async fn day(&mut self, deletes: bool) {
        let mut sql = String::new();
        for _ in 0..self.random.below(60) {
            let id = self.random.below(60);
            if deletes && self.random.below(4) == 0 {
                sql.push_str(&format!("DELETE FROM t WHERE id = {id};\n"));
                self.rows.remove(&id);
            } else {
                self.put(id, &mut sql);
            }
        }
        if !sql.is_empty() {
            self.db.execute(&sql).await;
        }
    }
}

/// The table as the log tells it.
async fn replayed(f: &Fixture) -> BTreeMap<u64, Row> {
    let sql = "SELECT id, name, CAST(amount * 100 AS BIGINT) AS cents, CAST(EXTRACT(epoch FROM at) AS BIGINT) AS at, note FROM \
               (SELECT *, row_number() OVER (PARTITION BY id ORDER BY _line DESC) AS nth FROM raw.s__x) WHERE nth = 1 AND _op = 'upsert'";
    let mut rows = BTreeMap::new();
    for batch in f.lake.query(sql, &Params::new()).await.unwrap() {
        let int = |column: usize| arrow::compute::cast(batch.column(column), &arrow::datatypes::DataType::Int64).unwrap();
        let text = |column: usize| arrow::compute::cast(batch.column(column), &arrow::datatypes::DataType::Utf8).unwrap();
        let (ids, cents, at) = (int(0), int(2), int(3));
        let (names, notes) = (text(1), text(4));
        for row in 0..batch.num_rows() {
            let number = |array: &arrow::array::ArrayRef| array.as_primitive::<Int64Type>().value(row);
            let note = notes.as_string::<i32>();
            let found = Row {
                name: names.as_string::<i32>().value(row).to_owned(),
                cents: number(&cents).unsigned_abs(),
                at: number(&at) - 1_704_067_200,
                note: arrow::array::Array::is_valid(note, row).then(|| note.value(row).to_owned()),
            };
            rows.insert(number(&ids).unsigned_abs(), found);
        }
    }
    rows
}

const COLUMNS: &str = "    columns:
      id: {type: int}
      name: {type: string}
      amount: {type: 'decimal(12,2)'}
      at: {type: timestamp}
      note: {type: string}
    primary_key: [id]
";

async fn nights(db: Db, ddl: &str, incremental: bool, count: u64) {
    let mut f = Fixture::new(db).await;
    f.db.execute(ddl).await;
    let cursor = if incremental { "    cursor: at\n" } else { "" };
    f.stream("window_rows: 13, lookback_secs: 0", &format!("    table: t\n{COLUMNS}{cursor}"));
    let (mut rows, mut clock, mut random, mut expected) = (BTreeMap::new(), 0, Random(count), 0);
    for night in 0..count {
        let before = rows.clone();
        let mut table = Table { db: &f.db, rows, clock, random };
        table.day(!incremental).await;
        (rows, clock, random) = (table.rows, table.clock, table.random);
        let changed = rows.iter().filter(|(id, row)| before.get(id) != Some(row)).count();
        let gone = before.keys().filter(|id| !rows.contains_key(id)).count();
        let outcome = f.night().await.unwrap();
        assert_eq!(outcome.rows_rejected, 0, "night {night}: {outcome:?}");
        assert_eq!(outcome.rows_out, (changed + gone) as u64, "night {night}: {outcome:?}");
        assert_eq!(replayed(&f).await, rows, "night {night}");
        expected += (changed + gone) as i64;
        assert_eq!(f.number("SELECT count(*) FROM raw.s__x").await, expected, "night {night}");
    }
    assert_eq!(f.number("SELECT max(_line) FROM raw.s__x").await, expected);
    assert_eq!(f.number("SELECT count(DISTINCT _line) FROM raw.s__x").await, expected);
    assert!(f.night().await.unwrap().up_to_date);
}

const POSTGRES: &str = "CREATE TABLE t (id bigint PRIMARY KEY, name text, amount numeric(12,2), at timestamptz, note text)";
const MYSQL: &str =
    "CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT, amount DECIMAL(12,2), at DATETIME(6), note TEXT) CHARACTER SET utf8mb4";
const SQLITE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, amount TEXT, at TEXT, note TEXT)";

#[tokio::test]
async fn postgres_changes_come_once_and_exactly() {
    nights(Db::Postgres(servers::postgres("", "")), POSTGRES, true, NIGHTS).await;
}

#[tokio::test]
async fn postgres_tables_without_a_cursor_are_followed_with_deletions() {
    nights(Db::Postgres(servers::postgres("", "")), POSTGRES, false, NIGHTS).await;
}

#[tokio::test]
async fn mysql_changes_come_once_and_exactly() {
    nights(Db::mysql().await, MYSQL, true, NIGHTS).await;
}

#[tokio::test]
async fn mysql_tables_without_a_cursor_are_followed_with_deletions() {
    nights(Db::mysql().await, MYSQL, false, NIGHTS).await;
}

#[tokio::test]
async fn sqlite_changes_come_once_and_exactly() {
    nights(Db::sqlite(), SQLITE, true, NIGHTS).await;
}

#[tokio::test]
async fn sqlite_tables_without_a_cursor_are_followed_with_deletions() {
    nights(Db::sqlite(), SQLITE, false, NIGHTS).await;
}

#[tokio::test]
async fn adbc_changes_of_postgres_come_once_and_exactly() {
    nights(Db::AdbcPostgres(servers::postgres("", "")), POSTGRES, true, NIGHTS).await;
}

#[tokio::test]
async fn adbc_tables_of_postgres_without_a_cursor_are_followed_with_deletions() {
    nights(Db::AdbcPostgres(servers::postgres("", "")), POSTGRES, false, NIGHTS).await;
}

#[tokio::test]
async fn adbc_changes_of_sqlite_come_once_and_exactly() {
    nights(Db::AdbcSqlite(tempfile::tempdir().unwrap()), SQLITE, true, NIGHTS).await;
}

#[tokio::test]
async fn adbc_tables_of_sqlite_without_a_cursor_are_followed_with_deletions() {
    nights(Db::AdbcSqlite(tempfile::tempdir().unwrap()), SQLITE, false, NIGHTS).await;
}
