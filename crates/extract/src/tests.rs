//! Whole streams: files in a folder, a lake in memory, nights one after the other.

use crate::{Error, outputs, run, tasks};
use arrow::util::pretty::pretty_format_batches;
use chrono::NaiveDate;
use cscopilot_diag::Coded;
use cscopilot_lake::step::{CheckStatus, Outcome, Progress, StepContext};
use cscopilot_lake::{Lake, LakeOptions, Params};
use cscopilot_spec::{LoadOptions, Project};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

mod buckets;

/// A project with one source `s` over its folder `data`.
struct Fixture {
    folder: tempfile::TempDir,
    lake: Lake,
    nights: u32,
}

impl Fixture {
    async fn new(streams: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path().join("lake").to_str().unwrap(), LakeOptions::default()).await.unwrap();
        let fixture = Self { folder, lake, nights: 0 };
        fixture.put("cscopilot.yaml", b"version: 1\nname: test\nlake: lake\n");
        fixture.source(streams);
        std::fs::create_dir_all(fixture.folder.path().join("data")).unwrap();
        fixture
    }

    fn source(&self, streams: &str) {
        self.put(
            "configs/sources/s.yaml",
            format!("version: 1\nfiles: {{path: data}}\nmax_rejected_pct: 60\nstreams:\n{streams}").as_bytes(),
        );
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn data(&self, name: &str, text: impl AsRef<[u8]>) {
        self.put(&format!("data/{name}"), text.as_ref());
    }

    fn context(&mut self) -> StepContext {
        self.nights += 1;
        let project = Project::load(self.folder.path(), &LoadOptions::default()).unwrap_or_else(|e| panic!("{e}"));
        StepContext {
            project: Arc::new(project),
            lake: self.lake.clone(),
            as_of: NaiveDate::from_ymd_opt(2024, 5, self.nights).unwrap(),
            run_id: format!("run{}", self.nights),
            step: "extract.s.x".to_owned(),
            full_refresh: false,
            params: Params::new(),
            progress: Progress::new(),
            fingerprint: None,
        }
    }

    async fn night(&mut self) -> Result<Outcome, Error> {
        let context = self.context();
        run(&context, &crate::Connections::default(), "s", "x").await
    }

    async fn rows(&self, sql: &str) -> String {
        let batches = self.lake.query(sql, &Params::new()).await.unwrap();
        pretty_format_batches(&batches).unwrap().to_string()
    }
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

const CSV: &str = "  x:
    files: '*.csv*'
    format: {csv: {delimiter: ';', null_values: ['', 'NA'], decimal_separator: ','}}
    columns:
      id: {type: string, from: Id}
      day: {type: date, format: '%d-%m-%Y'}
      seen_at: {type: timestamp, formats: ['%d-%m-%Y %H:%M', '%d-%m-%Y'], zone: Europe/Berlin}
      amount: {type: 'decimal(10,2)', thousands_separator: '.'}
      active: {type: bool}
      seats: {type: int}
      share: {type: float}
    primary_key: [id]
";

#[tokio::test]
async fn reads_csv_with_formats_and_keeps_the_log_columns() {
    let mut f = Fixture::new(CSV).await;
    f.data("a.csv.gz", gzip("Id;day;seen_at;amount;active;seats;share;other\n1;24-12-2023;24-12-2023 03:00;1.234,5;TRUE;9;0,5;x\n\"a;b\";NA;01-07-2023;;no;;;y\n"));
    let outcome = f.night().await.unwrap();
    assert_eq!((outcome.rows_in, outcome.rows_out, outcome.rows_rejected, outcome.up_to_date), (2, 2, 0, false));
    insta::assert_snapshot!(f.rows("SELECT * EXCEPT (_batch) FROM raw.s__x ORDER BY _line").await, @r"
    +-----+------------+----------------------+---------+--------+-------+-------+----------------------+--------+----------+-------+
    | id  | day        | seen_at              | amount  | active | seats | share | _extracted_at        | _op    | _file    | _line |
    +-----+------------+----------------------+---------+--------+-------+-------+----------------------+--------+----------+-------+
    | 1   | 2023-12-24 | 2023-12-24T02:00:00Z | 1234.50 | true   | 9     | 0.5   | 2024-05-01T00:00:00Z | upsert | a.csv.gz | 2     |
    | a;b |            | 2023-06-30T22:00:00Z |         | false  |       |       | 2024-05-01T00:00:00Z | upsert | a.csv.gz | 3     |
    +-----+------------+----------------------+---------+--------+-------+-------+----------------------+--------+----------+-------+
    ");
    assert_eq!(f.rows("SELECT count(*) FROM raw.s__x__rejected").await.matches("| 0 ").count(), 1);
}

#[tokio::test]
async fn a_second_night_with_the_same_files_does_nothing() {
    let mut f = Fixture::new(CSV).await;
    f.data("a.csv", "Id;day;seen_at;amount;active;seats;share\n1;;;;;;\n1;;;;;;\n");
    let first = f.night().await.unwrap();
    let version = f.lake.table(&"raw.s__x".parse().unwrap()).await.unwrap().unwrap().version;
    let second = f.night().await.unwrap();
    assert!(second.up_to_date);
    assert_eq!(second.checks, first.checks);
    assert_eq!(f.lake.table(&"raw.s__x".parse().unwrap()).await.unwrap().unwrap().version, version);
    let duplicates = first.checks.iter().find(|c| c.check == "duplicate_keys(id)").unwrap();
    assert_eq!((duplicates.failing_rows, duplicates.total_rows, duplicates.status), (1, 2, CheckStatus::Warned));
}

#[tokio::test]
async fn rows_that_cannot_be_read_are_kept_with_reason_and_position() {
    let mut f = Fixture::new(CSV).await;
    let head = "Id;day;seen_at;amount;active;seats;share\n";
    let rows = [
        "1;24-12-2023;;;;;",
        "2;2023-12-24;;;;;",
        "3;;31-03-2024 02:30;;;;",
        "4;;;12,345;;;",
        "5;;;1.23;;;",
        "6;;;;maybe;;",
        "7;;;;;12,5;",
        "8;;;;;99999999999999999999;",
        ";;;;;;",
        "9;;;",
        "10;;;;;;;",
        "11;\"x\"y;;;;;",
        "12;;;;;;",
        "13;;;;;;",
        "14;;;;;;",
        "15;;;;;;",
        "16;;;;;;",
        "17;;;;;;",
        "18;;;;;;",
        "19;;;;;;",
    ];
    let mut text = format!("{head}{}\n", rows.join("\n")).into_bytes();
    text.extend_from_slice(b"x\xff;;;;;;\n");
    f.data("a.csv", &text);
    let outcome = f.night().await.unwrap();
    assert_eq!((outcome.rows_in, outcome.rows_out, outcome.rows_rejected), (21, 9, 12));
    insta::assert_snapshot!(f.rows("SELECT reason, column_name, detail, raw, _line, _byte FROM raw.s__x__rejected ORDER BY _line").await, @r#"
    +-------------------+-------------+---------------------------------------------------------------------------+-----------------------------+-------+-------+
    | reason            | column_name | detail                                                                    | raw                         | _line | _byte |
    +-------------------+-------------+---------------------------------------------------------------------------+-----------------------------+-------+-------+
    | bad_value         | day         | `2023-12-24` is no date of the declared format (date)                     | 2;2023-12-24;;;;;           | 3     | 59    |
    | bad_value         | seen_at     | `31-03-2024 02:30` is a time that the zone's clocks pass over (timestamp) | 3;;31-03-2024 02:30;;;;     | 4     | 77    |
    | bad_value         | amount      | `12,345` has more decimal places than its type (decimal(10,2))            | 4;;;12,345;;;               | 5     | 101   |
    | bad_value         | amount      | `1.23` has digits that are grouped wrongly (decimal(10,2))                | 5;;;1.23;;;                 | 6     | 115   |
    | bad_value         | active      | `maybe` is neither true nor false (bool)                                  | 6;;;;maybe;;                | 7     | 127   |
    | bad_value         | seats       | `12,5` is no whole number (int)                                           | 7;;;;;12,5;                 | 8     | 140   |
    | bad_value         | seats       | `99999999999999999999` is too large for its type (int)                    | 8;;;;;99999999999999999999; | 9     | 152   |
    | missing_value     | id          | `id` has no value                                                         | ;;;;;;                      | 10    | 180   |
    | wrong_field_count |             | 4 fields where the file has 7                                             | 9;;;                        | 11    | 187   |
    | wrong_field_count |             | 8 fields where the file has 7                                             | 10;;;;;;;                   | 12    | 192   |
    | bad_quote         |             | text follows a closing quote                                              | 11;"x"y;;;;;                | 13    | 202   |
    | invalid_encoding  |             | byte 2 of the record is no UTF-8, near `x�;;;;;;`                         | x\xff;;;;;;                 | 22    | 287   |
    +-------------------+-------------+---------------------------------------------------------------------------+-----------------------------+-------+-------+
    "#);
    insta::assert_snapshot!(outcome.warnings[0].message, @"12 of 21 rows of raw.s__x were rejected: 2 × bad_value(amount) (a.csv:5: `12,345` has more decimal places than its type (decimal(10,2))); 2 × bad_value(seats) (a.csv:8: `12,5` is no whole number (int)); 2 × wrong_field_count (a.csv:11: 4 fields where the file has 7); and 6 more reasons");
    let checks: Vec<_> = outcome.checks.iter().map(|c| format!("{} {}/{}", c.check, c.failing_rows, c.total_rows)).collect();
    insta::assert_snapshot!(checks.join("\n"), @r"
    rejected_rows 12/21
    rejected_invalid_encoding 1/21
    rejected_wrong_field_count 2/21
    rejected_bad_quote 1/21
    rejected_bad_value(active) 1/21
    rejected_bad_value(amount) 2/21
    rejected_bad_value(day) 1/21
    rejected_bad_value(seats) 2/21
    rejected_bad_value(seen_at) 1/21
    rejected_missing_value(id) 1/21
    duplicate_keys(id) 0/9
    ");
}

#[tokio::test]
async fn too_many_rejected_rows_publish_nothing() {
    let mut f = Fixture::new(CSV).await;
    f.data("a.csv", "Id;day;seen_at;amount;active;seats;share\n1;x;;;;;\n2;y;;;;;\n3;;;;;;\n");
    let error = f.night().await.unwrap_err();
    insta::assert_snapshot!(error, @"2 of 3 rows of raw.s__x can't be read (66.67 %, allowed are 60 %): 2 × bad_value(day) (a.csv:2: `x` is no date of the declared format (date))");
    assert_eq!(error.code(), "EXT016");
    assert!(f.lake.tables().await.unwrap().is_empty());
}

const JSONL: &str = "  x:
    files: '**/*.jsonl*'
    columns:
      event: {type: string, not_null: true}
      time: {type: timestamp, from: properties.time, format: unix_secs, not_null: true}
      company: {type: string, from: properties.company.id}
      size: {type: int, from: properties.size}
      properties: {type: json}
      later: {type: string, optional: true}
    cursor: time
";

fn event(name: &str, time: u32) -> String {
    format!("{{\"event\":\"{name}\",\"properties\":{{\"time\":{time},\"company\":{{\"id\":\"c\\u00e4\"}},\"size\":3.0}}}}\n")
}

#[tokio::test]
async fn reads_nested_json_lines() {
    let mut f = Fixture::new(JSONL).await;
    let text = format!(
        "{}\n{{\"event\":7,\"properties\":{{\"time\":\"86400\",\"size\":null}}}}\n{{\"event\":null}}\n[]\n{{\"event\":\"x\"\n",
        event("login", 60)
    );
    f.data("2024/a.jsonl.zst", zstd::encode_all(text.as_bytes(), 1).unwrap());
    let outcome = f.night().await.unwrap();
    assert_eq!((outcome.rows_out, outcome.rows_rejected), (2, 3));
    insta::assert_snapshot!(f.rows("SELECT * EXCEPT (_batch) FROM raw.s__x ORDER BY _line").await, @r#"
    +-------+----------------------+---------+------+---------------------------------------------------+-------+----------------------+--------+------------------+-------+
    | event | time                 | company | size | properties                                        | later | _extracted_at        | _op    | _file            | _line |
    +-------+----------------------+---------+------+---------------------------------------------------+-------+----------------------+--------+------------------+-------+
    | login | 1970-01-01T00:01:00Z | cä      | 3    | {"time":60,"company":{"id":"c\u00e4"},"size":3.0} |       | 2024-05-01T00:00:00Z | upsert | 2024/a.jsonl.zst | 1     |
    | 7     | 1970-01-02T00:00:00Z |         |      | {"time":"86400","size":null}                      |       | 2024-05-01T00:00:00Z | upsert | 2024/a.jsonl.zst | 3     |
    +-------+----------------------+---------+------+---------------------------------------------------+-------+----------------------+--------+------------------+-------+
    "#);
    insta::assert_snapshot!(f.rows("SELECT reason, column_name, detail, _file, _line FROM raw.s__x__rejected ORDER BY _line").await, @r"
    +---------------+-------------+--------------------------------------------------------------+------------------+-------+
    | reason        | column_name | detail                                                       | _file            | _line |
    +---------------+-------------+--------------------------------------------------------------+------------------+-------+
    | missing_value | event       | `event` has no value                                         | 2024/a.jsonl.zst | 4     |
    | not_an_object |             | the line is no JSON object                                   | 2024/a.jsonl.zst | 5     |
    | broken_json   |             | a comma or a closing brace is missing at the end of the line | 2024/a.jsonl.zst | 6     |
    +---------------+-------------+--------------------------------------------------------------+------------------+-------+
    ");
}

#[tokio::test]
async fn of_a_grown_file_only_new_rows_are_read() {
    let mut f = Fixture::new(JSONL).await;
    let before = [event("a", 10), event("b", 20), event("c", 20)].concat();
    f.data("a.jsonl", &before);
    f.night().await.unwrap();
    // One more at the same second, one later, and one that came late.
    f.data("a.jsonl", [&before, &event("d", 20), &event("e", 30), &event("f", 5)].map(String::as_str).concat());
    f.data("b.jsonl", event("g", 1));
    let outcome = f.night().await.unwrap();
    assert_eq!((outcome.rows_in, outcome.rows_out), (7, 3));
    assert!(outcome.warnings.iter().any(|w| w.code == "EXT022"), "{:?}", outcome.warnings);
    insta::assert_snapshot!(f.rows("SELECT event, _file, _line, _extracted_at FROM raw.s__x ORDER BY _extracted_at, _file, _line").await, @r"
    +-------+---------+-------+----------------------+
    | event | _file   | _line | _extracted_at        |
    +-------+---------+-------+----------------------+
    | a     | a.jsonl | 1     | 2024-05-01T00:00:00Z |
    | b     | a.jsonl | 2     | 2024-05-01T00:00:00Z |
    | c     | a.jsonl | 3     | 2024-05-01T00:00:00Z |
    | d     | a.jsonl | 4     | 2024-05-02T00:00:00Z |
    | e     | a.jsonl | 5     | 2024-05-02T00:00:00Z |
    | g     | b.jsonl | 1     | 2024-05-02T00:00:00Z |
    +-------+---------+-------+----------------------+
    ");
    assert!(f.night().await.unwrap().up_to_date);
}

#[tokio::test]
async fn a_cut_file_fails_and_publishes_nothing() {
    let mut f = Fixture::new(JSONL).await;
    f.data("a.jsonl", event("a", 10));
    let whole = gzip(&(0..20_000).map(|n| event("a", n)).collect::<String>());
    f.data("b.jsonl.gz", &whole[..whole.len() - 20]);
    let error = f.night().await.unwrap_err();
    assert_eq!(error.code(), "EXT009");
    assert!(error.to_string().starts_with("b.jsonl.gz can't be decompressed beyond line"), "{error}");
    assert!(f.lake.tables().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_run_that_died_between_its_two_commits_repeats_nothing() {
    let mut f = Fixture::new(JSONL).await;
    f.data("a.jsonl", format!("{}nonsense\n", event("a", 10)));
    f.night().await.unwrap();
    // As if the rows had never been committed: their table is gone, the rejected ones are there.
    f.lake.drop_table(&"raw.s__x".parse().unwrap()).await.unwrap();
    f.night().await.unwrap();
    let counts = f.rows("SELECT (SELECT count(*) FROM raw.s__x) AS rows, (SELECT count(*) FROM raw.s__x__rejected) AS rejected").await;
    insta::assert_snapshot!(counts, @r"
    +------+----------+
    | rows | rejected |
    +------+----------+
    | 1    | 1        |
    +------+----------+
    ");
}

#[tokio::test]
async fn a_run_that_died_behind_its_commit_repeats_nothing() {
    let mut f = Fixture::new(JSONL).await;
    f.data("a.jsonl", [event("a", 10).as_str(), "no record\n"].concat());
    f.night().await.unwrap();
    let counts = "SELECT (SELECT count(*) FROM raw.s__x) AS rows, (SELECT count(*) FROM raw.s__x__rejected) AS rejected";
    let before = f.rows(counts).await;
    f.nights -= 1;
    assert!(f.night().await.unwrap().up_to_date);
    // Even if it finds more than it did: its commit was made.
    f.data("b.jsonl", event("b", 20));
    f.nights -= 1;
    assert_eq!(f.night().await.unwrap().rows_out, 1);
    assert_eq!(f.rows(counts).await, before);
}

#[tokio::test]
async fn no_file_is_an_error_unless_the_stream_is_optional() {
    let mut f = Fixture::new(JSONL).await;
    let error = f.night().await.unwrap_err();
    assert_eq!((error.code(), error.help().unwrap().contains("optional: true")), ("EXT006", true));
    f.source(&JSONL.replace("    columns:", "    optional: true\n    columns:"));
    let outcome = f.night().await.unwrap();
    assert_eq!(outcome.rows_out, 0);
    // The table is there, so that SQL over it works.
    f.rows("SELECT event FROM raw.s__x").await;
    f.rows("SELECT reason FROM raw.s__x__rejected").await;
    assert!(f.night().await.unwrap().up_to_date);
}

#[tokio::test]
async fn a_column_that_changed_its_type_is_refused() {
    let mut f = Fixture::new(JSONL).await;
    f.data("a.jsonl", event("a", 10));
    f.night().await.unwrap();
    f.source(&JSONL.replace("size: {type: int", "size: {type: float"));
    let error = f.night().await.unwrap_err();
    insta::assert_snapshot!(error, @"raw.s__x.size holds int but is declared as float");
    f.source(&JSONL.replace("      later:", "      more: {type: string, optional: true}\n      later:"));
    let outcome = f.night().await.unwrap();
    assert!(outcome.up_to_date && outcome.warnings[0].code == "EXT030", "{outcome:?}");
    f.data("b.jsonl", "{\"event\":\"n\",\"properties\":{\"time\":1},\"more\":\"m\"}\n");
    f.night().await.unwrap();
    insta::assert_snapshot!(f.rows("SELECT event, more FROM raw.s__x ORDER BY event").await, @r"
    +-------+------+
    | event | more |
    +-------+------+
    | a     |      |
    | n     | m    |
    +-------+------+
    ");
}

#[tokio::test]
async fn a_missing_or_doubled_column_names_the_file_and_what_is_there() {
    let mut f = Fixture::new(CSV).await;
    f.data("a.csv", "id;day;seen_at;amount;active;seats;share\n");
    let error = f.night().await.unwrap_err();
    insta::assert_snapshot!(format!("{error}\n{}", error.help().unwrap()), @r"
    a.csv has no column `Id`
    did you mean `id`? (set `from:` to the file's name of the column, or `optional: true`)
    ");
    f.data("a.csv", "Id;day;day;seen_at;amount;active;seats;share\n");
    assert_eq!(f.night().await.unwrap_err().code(), "EXT014");
    f.data("a.csv", "");
    assert_eq!(f.night().await.unwrap_err().code(), "EXT012");
}

#[tokio::test]
async fn reads_parquet_and_rejects_what_does_not_fit() {
    use arrow::array::{ArrayRef, Date32Array, Float64Array, Int32Array, RecordBatch, StringArray};
    let mut f = Fixture::new(
        "  x:
    files: '*.parquet'
    columns:
      id: {type: string, from: key}
      seats: {type: int}
      n: {type: int, from: small}
      day: {type: date}
    primary_key: [id]
",
    )
    .await;
    let columns: [(&str, ArrayRef); 5] = [
        ("key", Arc::new(StringArray::from(vec![Some("a"), Some("b"), None, Some("d")]))),
        ("seats", Arc::new(Float64Array::from(vec![Some(3.0), Some(3.5), Some(1.0), None]))),
        ("small", Arc::new(Int32Array::from(vec![1, 2, 3, 4]))),
        ("day", Arc::new(Date32Array::from(vec![0, 1, 2, 19_000]))),
        ("unused", Arc::new(Int32Array::from(vec![0, 0, 0, 0]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let path = f.folder.path().join("data/a.parquet");
    let mut writer = parquet::arrow::ArrowWriter::try_new(std::fs::File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let outcome = f.night().await.unwrap();
    assert_eq!((outcome.rows_out, outcome.rows_rejected), (2, 2));
    insta::assert_snapshot!(f.rows("SELECT id, seats, n, day, _file, _line FROM raw.s__x ORDER BY _line").await, @r"
    +----+-------+---+------------+-----------+-------+
    | id | seats | n | day        | _file     | _line |
    +----+-------+---+------------+-----------+-------+
    | a  | 3     | 1 | 1970-01-01 | a.parquet | 1     |
    | d  |       | 4 | 2022-01-08 | a.parquet | 4     |
    +----+-------+---+------------+-----------+-------+
    ");
    insta::assert_snapshot!(f.rows("SELECT reason, column_name, detail, raw, _line FROM raw.s__x__rejected ORDER BY _line").await, @r"
    +---------------+-------------+----------------------------------------+----------------------------------------------+-------+
    | reason        | column_name | detail                                 | raw                                          | _line |
    +---------------+-------------+----------------------------------------+----------------------------------------------+-------+
    | bad_value     | seats       | `3.5` is no int (the file has Float64) | key=b, seats=3.5, small=2, day=1970-01-02    | 2     |
    | missing_value | id          | `id` has no value                      | key=null, seats=1.0, small=3, day=1970-01-03 | 3     |
    +---------------+-------------+----------------------------------------+----------------------------------------------+-------+
    ");
}

#[tokio::test]
async fn many_chunks_and_files_come_out_whole_and_in_order() {
    let mut f = Fixture::new(JSONL).await;
    let mut expected = 0_u64;
    for file in 0..3 {
        let text: String = (0..60_000).map(|n| event("login", file * 100_000 + n)).collect();
        expected += 60_000;
        f.data(&format!("{file}.jsonl.gz"), gzip(&text));
    }
    let outcome = f.night().await.unwrap();
    assert_eq!((outcome.rows_in, outcome.rows_out), (expected, expected));
    let table = f
        .rows(
            "SELECT count(*) AS rows, count(DISTINCT time) AS times, max(_line) AS lines, count(DISTINCT _batch) AS batches FROM raw.s__x",
        )
        .await;
    insta::assert_snapshot!(table, @r"
    +--------+--------+-------+---------+
    | rows   | times  | lines | batches |
    +--------+--------+-------+---------+
    | 180000 | 180000 | 60000 | 3       |
    +--------+--------+-------+---------+
    ");
}

#[tokio::test]
async fn tasks_and_outputs_name_every_table() {
    let mut f = Fixture::new(JSONL).await;
    let project = f.context().project;
    let task = &tasks(&project)[0];
    assert_eq!((task.id.as_str(), task.writes.len()), ("extract.s.x", 2));
    let names: Vec<String> = outputs(&project).keys().map(ToString::to_string).collect();
    assert_eq!(names, ["raw.s__x", "raw.s__x__rejected"]);
    assert!(Path::new(&project.root).exists());
}

#[tokio::test]
async fn a_check_knows_encodings_and_time_zones() {
    let mut f =
        Fixture::new(&CSV.replace("delimiter: ';'", "delimiter: ';', encoding: utf8-latin").replace("Europe/Berlin", "Europe/Berln")).await;
    let project = f.context().project;
    let mut out = cscopilot_diag::Diagnostics::new();
    crate::check(&project, &outputs(&project), &mut out);
    out.sort();
    insta::assert_snapshot!(out, @r"
    error[EXT003]: `utf8-latin` is no known encoding
      --> configs/sources/s.yaml:7:46
       |
     7 |     format: {csv: {delimiter: ';', encoding: utf8-latin, null_values: ['', 'NA'], decimal_separator: ','}}
       |                                              ^^^^^^^^^^
      = help: take a web label such as utf-8, windows-1252, iso-8859-15, utf-16le, shift_jis

    error[EXT004]: `Europe/Berln` is no known time zone
      --> configs/sources/s.yaml:11:81
        |
     11 |       seen_at: {type: timestamp, formats: ['%d-%m-%Y %H:%M', '%d-%m-%Y'], zone: Europe/Berln}
        |                                                                                 ^^^^^^
      = help: take a name such as `Europe/Berlin` or an offset such as `+02:00`
    ");
}
