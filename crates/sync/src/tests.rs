//! Whole runs against a small fake of the collections API on this machine.

mod fake;

use crate::{Error, diff, run};
use arrow::array::{ArrayRef, Date32Array, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::pretty::pretty_format_batches;
use chrono::NaiveDate;
use cscopilot_diag::Coded;
use cscopilot_lake::step::{Outcome, Progress, StepContext};
use cscopilot_lake::{Lake, LakeOptions, Mode, Params, TableName, Txn, Write, stream_of_batches};
use cscopilot_spec::{LoadOptions, Project};
use fake::Fake;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

const MAPPING: &str = "fields:
  Health__c: {column: health_score, places: 1}
  Band__c: {column: health_band}
";

struct Fixture {
    folder: tempfile::TempDir,
    lake: Lake,
    fake: Fake,
    runs: u32,
    writes: u32,
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path().join("lake").to_str().unwrap(), LakeOptions::default()).await.unwrap();
        let fixture = Self { folder, lake, fake: Fake::start().await, runs: 0, writes: 0 };
        fixture.put("cscopilot.yaml", "version: 1\nname: test\nlake: lake\n");
        fixture.mapping("{record_id: crm_id}", MAPPING);
        fixture
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn mapping(&self, matching: &str, fields: &str) {
        let yaml = format!(
            "version: 1\nfrom: {{table: marts.account_scores}}\nto:\n  salesforce:\n    base_url: {}\n    token: t0p-secret\n    object: Account\n    match: {matching}\n{fields}",
            self.fake.url
        );
        self.put("configs/syncs/crm.yaml", &yaml);
    }

    /// Replaces the table: crm id, score, band.
    async fn scores(&mut self, rows: &[(Option<&str>, f64, &str)]) {
        self.writes += 1;
        let text = |of: Vec<Option<&str>>| -> ArrayRef { Arc::new(StringArray::from(of)) };
        let columns: [(&str, ArrayRef); 5] = [
            ("crm_id", text(rows.iter().map(|r| r.0).collect())),
            ("account_name", text(rows.iter().map(|r| r.0).collect())),
            ("as_of", Arc::new(Date32Array::from(vec![19_844; rows.len()]))),
            ("health_score", Arc::new(Float64Array::from(rows.iter().map(|r| r.1).collect::<Vec<_>>()))),
            ("health_band", text(rows.iter().map(|r| Some(r.2)).collect())),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let data = stream_of_batches(batch.schema(), vec![batch]);
        let txn = Txn::new("scores", self.writes.to_string());
        self.lake.commit(Write::new("marts.account_scores".parse().unwrap(), Mode::Overwrite, data, txn)).await.unwrap();
    }

    fn context(&mut self) -> StepContext {
        self.runs += 1;
        let project = Project::load(self.folder.path(), &LoadOptions::default()).unwrap_or_else(|e| panic!("{e}"));
        let as_of = NaiveDate::from_ymd_opt(2024, 5, 1).unwrap();
        StepContext {
            project: Arc::new(project),
            lake: self.lake.clone(),
            as_of,
            run_id: format!("run{}", self.runs),
            step: "sync.crm".to_owned(),
            full_refresh: false,
            params: Params::new().with("as_of", as_of),
            progress: Progress::new(),
            fingerprint: None,
        }
    }

    async fn run(&mut self) -> Result<Outcome, Error> {
        let context = self.context();
        run(&context, "crm").await
    }

    async fn log(&self) -> String {
        let sql = "SELECT run_id, record_key, attempt, fields, before, after, status, error_code FROM ops.sync_log ORDER BY sequence, record_key, attempt";
        let batches = self.lake.query(sql, &Params::new()).await.unwrap();
        pretty_format_batches(&batches).unwrap().to_string()
    }
}

#[tokio::test]
async fn writes_what_changed_and_nothing_else() {
    let mut f = Fixture::new().await;
    f.fake.put("001A", json!({"Health__c": null, "Band__c": "red", "Industry": "Retail"}));
    f.fake.put("001B", json!({}));
    f.scores(&[(Some("001A"), 71.26, "green"), (Some("001B"), 20.0, "red"), (None, 5.0, "red")]).await;
    let outcome = f.run().await.unwrap();
    assert_eq!((outcome.rows_in, outcome.rows_out, outcome.rows_rejected), (3, 2, 0));
    assert_eq!(outcome.facts["rows_without_record"], 1);
    assert_eq!(f.fake.record("001A"), json!({"Health__c": 71.3, "Band__c": "green", "Industry": "Retail"}));
    assert_eq!(f.run().await.unwrap().rows_out, 0);
    f.scores(&[(Some("001A"), 71.34, "yellow"), (Some("001B"), 20.0, "red")]).await;
    assert_eq!(f.run().await.unwrap().rows_out, 1);
    // Two calls in three runs: the second one had nothing to write.
    assert_eq!(f.fake.writes(), [vec!["001A", "001B"], vec!["001A"]]);
    insta::assert_snapshot!(f.log().await, @r#"
    +--------+------------+---------+-------------------------+------------------------------------+--------------------------------------+--------+------------+
    | run_id | record_key | attempt | fields                  | before                             | after                                | status | error_code |
    +--------+------------+---------+-------------------------+------------------------------------+--------------------------------------+--------+------------+
    | run1   | 001A       | 1       | ["Band__c","Health__c"] | {"Band__c":"red","Health__c":null} | {"Band__c":"green","Health__c":71.3} | ok     |            |
    | run1   | 001B       | 1       | ["Band__c","Health__c"] | {"Band__c":null,"Health__c":null}  | {"Band__c":"red","Health__c":20.0}   | ok     |            |
    | run3   | 001A       | 1       | ["Band__c"]             | {"Band__c":"green"}                | {"Band__c":"yellow"}                 | ok     |            |
    +--------+------------+---------+-------------------------+------------------------------------+--------------------------------------+--------+------------+
    "#);
}

#[tokio::test]
async fn a_call_has_two_hundred_records_at_most() {
    let mut f = Fixture::new().await;
    let ids: Vec<String> = (0..450).map(|n| format!("001{n:05}")).collect();
    for id in &ids {
        f.fake.put(id, json!({}));
    }
    let rows: Vec<_> = ids.iter().map(|id| (Some(id.as_str()), 1.0, "red")).collect();
    f.scores(&rows).await;
    assert_eq!(f.run().await.unwrap().rows_out, 450);
    assert_eq!(f.fake.writes().iter().map(Vec::len).collect::<Vec<_>>(), [200, 200, 50]);
}

#[tokio::test]
async fn refused_records_are_logged_and_tried_again() {
    let mut f = Fixture::new().await;
    f.fake.put("001A", json!({}));
    f.fake.put("001B", json!({}));
    f.fake.refuse("001B", "FIELD_CUSTOM_VALIDATION_EXCEPTION", 1);
    f.scores(&[(Some("001A"), 1.0, "red"), (Some("001B"), 2.0, "red"), (Some("001C"), 3.0, "red")]).await;
    let outcome = f.run().await.unwrap();
    assert_eq!((outcome.rows_out, outcome.rows_rejected), (1, 2));
    insta::assert_snapshot!(outcome.warnings[0].message, @"the CRM refused 2 records (1 × FIELD_CUSTOM_VALIDATION_EXCEPTION, 1 × NOT_FOUND); they are tried again next time");
    let outcome = f.run().await.unwrap();
    assert_eq!((outcome.rows_out, outcome.rows_rejected), (1, 1));
    insta::assert_snapshot!(f.log().await, @r#"
    +--------+------------+---------+-------------------------+-----------------------------------+-----------------------------------+---------+-----------------------------------+
    | run_id | record_key | attempt | fields                  | before                            | after                             | status  | error_code                        |
    +--------+------------+---------+-------------------------+-----------------------------------+-----------------------------------+---------+-----------------------------------+
    | run1   | 001A       | 1       | ["Band__c","Health__c"] | {"Band__c":null,"Health__c":null} | {"Band__c":"red","Health__c":1.0} | ok      |                                   |
    | run1   | 001B       | 1       | ["Band__c","Health__c"] | {"Band__c":null,"Health__c":null} | {"Band__c":"red","Health__c":2.0} | refused | FIELD_CUSTOM_VALIDATION_EXCEPTION |
    | run1   | 001C       | 1       | ["Band__c","Health__c"] | {}                                | {"Band__c":"red","Health__c":3.0} | refused | NOT_FOUND                         |
    | run2   | 001B       | 1       | ["Band__c","Health__c"] | {"Band__c":null,"Health__c":null} | {"Band__c":"red","Health__c":2.0} | ok      |                                   |
    | run2   | 001C       | 1       | ["Band__c","Health__c"] | {}                                | {"Band__c":"red","Health__c":3.0} | refused | NOT_FOUND                         |
    +--------+------------+---------+-------------------------+-----------------------------------+-----------------------------------+---------+-----------------------------------+
    "#);
}

#[tokio::test]
async fn a_locked_record_is_sent_again_in_the_same_run() {
    let mut f = Fixture::new().await;
    f.fake.put("001A", json!({}));
    f.fake.refuse("001A", "UNABLE_TO_LOCK_ROW", 2);
    f.scores(&[(Some("001A"), 1.0, "red")]).await;
    let outcome = f.run().await.unwrap();
    assert_eq!((outcome.rows_out, outcome.rows_rejected), (1, 0));
    insta::assert_snapshot!(f.log().await, @r#"
    +--------+------------+---------+-------------------------+-----------------------------------+-----------------------------------+---------+--------------------+
    | run_id | record_key | attempt | fields                  | before                            | after                             | status  | error_code         |
    +--------+------------+---------+-------------------------+-----------------------------------+-----------------------------------+---------+--------------------+
    | run1   | 001A       | 1       | ["Band__c","Health__c"] | {"Band__c":null,"Health__c":null} | {"Band__c":"red","Health__c":1.0} | refused | UNABLE_TO_LOCK_ROW |
    | run1   | 001A       | 2       | ["Band__c","Health__c"] | {"Band__c":null,"Health__c":null} | {"Band__c":"red","Health__c":1.0} | refused | UNABLE_TO_LOCK_ROW |
    | run1   | 001A       | 3       | ["Band__c","Health__c"] | {"Band__c":null,"Health__c":null} | {"Band__c":"red","Health__c":1.0} | ok      |                    |
    +--------+------------+---------+-------------------------+-----------------------------------+-----------------------------------+---------+--------------------+
    "#);
}

#[tokio::test]
async fn what_a_person_edited_stays_unless_the_mapping_says_overwrite() {
    let mut f = Fixture::new().await;
    f.fake.put("001A", json!({}));
    f.scores(&[(Some("001A"), 50.0, "yellow")]).await;
    f.run().await.unwrap();
    f.fake.put("001A", json!({"Health__c": 50.0, "Band__c": "watch closely"}));
    f.scores(&[(Some("001A"), 60.0, "green")]).await;
    let outcome = f.run().await.unwrap();
    assert_eq!(outcome.facts["edits_kept"], 1);
    assert_eq!(f.fake.record("001A"), json!({"Health__c": 60.0, "Band__c": "watch closely"}));
    f.run().await.unwrap();
    insta::assert_snapshot!(f.log().await, @r#"
    +--------+------------+---------+-------------------------+-----------------------------------+---------------------------------------+-----------+------------+
    | run_id | record_key | attempt | fields                  | before                            | after                                 | status    | error_code |
    +--------+------------+---------+-------------------------+-----------------------------------+---------------------------------------+-----------+------------+
    | run1   | 001A       | 1       | ["Band__c","Health__c"] | {"Band__c":null,"Health__c":null} | {"Band__c":"yellow","Health__c":50.0} | ok        |            |
    | run2   | 001A       | 1       | ["Band__c"]             | {"Band__c":"watch closely"}       | {"Band__c":"green"}                   | kept_edit |            |
    | run2   | 001A       | 2       | ["Health__c"]           | {"Health__c":50.0}                | {"Health__c":60.0}                    | ok        |            |
    +--------+------------+---------+-------------------------+-----------------------------------+---------------------------------------+-----------+------------+
    "#);
    f.mapping("{record_id: crm_id}", &format!("{MAPPING}on_conflict: overwrite\n"));
    f.run().await.unwrap();
    assert_eq!(f.fake.record("001A"), json!({"Health__c": 60.0, "Band__c": "green"}));
}

#[tokio::test]
async fn a_run_that_died_between_writing_and_logging_writes_nothing_twice() {
    let mut f = Fixture::new().await;
    f.fake.put("001A", json!({}));
    f.scores(&[(Some("001A"), 50.0, "yellow")]).await;
    f.run().await.unwrap();
    let complete = f.log().await;
    f.lake.drop_table(&"ops.sync_log".parse().unwrap()).await.unwrap();
    f.run().await.unwrap();
    assert_eq!(f.fake.writes().len(), 1);
    assert_eq!(f.log().await.replace("run2", "run1"), complete);
}

#[tokio::test]
async fn a_quota_that_ends_midway_keeps_the_log_of_what_was_written() {
    let mut f = Fixture::new().await;
    for id in ["001A", "001B"] {
        f.fake.put(id, json!({}));
    }
    f.mapping("{record_id: crm_id}\n    batch_size: 1", MAPPING);
    f.fake.stop_after(1);
    f.scores(&[(Some("001A"), 1.0, "red"), (Some("001B"), 2.0, "red")]).await;
    let error = f.run().await.unwrap_err();
    assert_eq!(error.code(), "SYN008");
    assert!(error.to_string().contains("REQUEST_LIMIT_EXCEEDED"), "{error}");
    f.fake.stop_after(usize::MAX);
    f.run().await.unwrap();
    assert_eq!(f.fake.writes(), [vec!["001A"], vec!["001B"]]);
    insta::assert_snapshot!(f.log().await, @r#"
    +--------+------------+---------+-------------------------+-----------------------------------+-----------------------------------+--------+------------+
    | run_id | record_key | attempt | fields                  | before                            | after                             | status | error_code |
    +--------+------------+---------+-------------------------+-----------------------------------+-----------------------------------+--------+------------+
    | run1   | 001A       | 1       | ["Band__c","Health__c"] | {"Band__c":null,"Health__c":null} | {"Band__c":"red","Health__c":1.0} | ok     |            |
    | run2   | 001B       | 1       | ["Band__c","Health__c"] | {"Band__c":null,"Health__c":null} | {"Band__c":"red","Health__c":2.0} | ok     |            |
    +--------+------------+---------+-------------------------+-----------------------------------+-----------------------------------+--------+------------+
    "#);
}

#[tokio::test]
async fn a_wrong_token_is_a_clear_error_without_the_token() {
    let mut f = Fixture::new().await;
    f.scores(&[(Some("001A"), 1.0, "red")]).await;
    f.fake.token("another");
    let error = f.run().await.unwrap_err();
    insta::assert_snapshot!(format!("{error}\n{}", error.help().unwrap()), @r#"
    the CRM refuses the token: [{"errorCode":"INVALID_SESSION_ID","message":"Session expired or invalid"}]
    renew the token that `token:` of the sync names; nothing was written
    "#);
    assert_eq!(error.code(), "SYN007");
}

#[tokio::test]
async fn finds_records_by_an_external_id() {
    let mut f = Fixture::new().await;
    f.mapping("{external_id: {field: Key__c, column: crm_id}}", MAPPING);
    f.fake.put("001A", json!({"Key__c": "o'hara"}));
    f.scores(&[(Some("o'hara"), 1.0, "red"), (Some("nobody"), 1.0, "red")]).await;
    let outcome = f.run().await.unwrap();
    assert_eq!((outcome.rows_out, outcome.rows_rejected), (1, 1));
    assert_eq!(f.fake.record("001A"), json!({"Key__c": "o'hara", "Health__c": 1.0, "Band__c": "red"}));
}

#[tokio::test]
async fn a_dry_run_shows_the_differences_and_writes_nothing() {
    let mut f = Fixture::new().await;
    f.fake.put("001A", json!({"Band__c": "green"}));
    f.scores(&[(Some("001A"), 1.0, "red"), (Some("001B"), 1.0, "red"), (Some("001D"), 1.0, "a"), (Some("001D"), 2.0, "b")]).await;
    let context = f.context();
    let diff = diff(&context, "crm").await.unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&diff.changes).unwrap(), @r#"
    [
      {
        "record": "001A",
        "name": "001A",
        "field": "Band__c",
        "before": "green",
        "after": "red",
        "action": "write"
      },
      {
        "record": "001A",
        "name": "001A",
        "field": "Health__c",
        "before": null,
        "after": 1.0,
        "action": "write"
      },
      {
        "record": "001B",
        "name": "001B",
        "field": "Band__c",
        "before": null,
        "after": "red",
        "action": "refuse"
      },
      {
        "record": "001B",
        "name": "001B",
        "field": "Health__c",
        "before": null,
        "after": 1.0,
        "action": "refuse"
      }
    ]
    "#);
    assert_eq!((diff.rows, diff.unchanged), (4, 0));
    assert!(f.fake.writes().is_empty());
    assert!(f.lake.table(&"ops.sync_log".parse().unwrap()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_check_finds_tables_and_columns_that_are_not_there() {
    let mut f = Fixture::new().await;
    f.mapping(
        "{record_id: crm_ids}",
        "fields:\n  A__c: {column: health_scor}\n  B__c: {column: reasons}\n  C__c: {column: reasons, part: text}\n",
    );
    let project = f.context().project;
    let reason = DataType::Struct(vec![Field::new("text", DataType::Utf8, true)].into());
    let schema = Arc::new(Schema::new(vec![
        Field::new("crm_id", DataType::Utf8, true),
        Field::new("health_score", DataType::Float64, true),
        Field::new("reasons", DataType::List(Arc::new(Field::new("item", reason, true))), true),
    ]));
    let shown = |tables: &[&str]| {
        let tables: BTreeMap<TableName, _> = tables.iter().map(|t| (t.parse().unwrap(), Arc::clone(&schema))).collect();
        let mut out = cscopilot_diag::Diagnostics::new();
        crate::check(&project, &tables, &mut out);
        out.sort();
        let url = f.fake.url.clone();
        out.to_string().replace(&url, "URL")
    };
    insta::assert_snapshot!(shown(&["marts.account_scores"]), @r#"
    error[SYN005]: `marts.account_scores` has no column `crm_ids`
      --> configs/syncs/crm.yaml:8:24
       |
     8 |     match: {record_id: crm_ids}
       |                        ^^^^^^^
      = help: did you mean `crm_id`?

    error[SYN005]: `marts.account_scores` has no column `health_scor`
      --> configs/syncs/crm.yaml:10:18
        |
     10 |   A__c: {column: health_scor}
        |                  ^^^^^^^^^^^
      = help: did you mean `health_score`?

    error[SYN006]: `reasons` is List(Struct("text": Utf8)), which no field of the CRM can hold
      --> configs/syncs/crm.yaml:11:18
        |
     11 |   B__c: {column: reasons}
        |                  ^^^^^^^
      = help: cast it to text in SQL; of lists of structs, name the text with `part:`
    "#);
    insta::assert_snapshot!(shown(&["marts.account_score"]), @r"
    error[SYN004]: there is no table `marts.account_scores`
      --> configs/syncs/crm.yaml:2:15
       |
     2 | from: {table: marts.account_scores}
       |               ^^^^^^^^^^^^^^^^^^^^
      = help: did you mean `marts.account_score`?
    ");
}
