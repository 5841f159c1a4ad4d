use super::*;
use arrow::datatypes::Schema;
use cscopilot_lake::{LakeOptions, Mode, Txn, Write, stream_of_batches};
use cscopilot_spec::LoadOptions;
use serde_json::json;
use std::sync::Arc;

const MANIFEST: &str = "version: 1
description: A vendor.
client: {base_url: 'https://api.example'}
streams:
  new:
    columns: &columns {id: {type: string}, at: {type: timestamp}}
    primary_key: [id]
    reads: [{name: all, endpoint: {path: new}}]
  whole:
    columns: *columns
    primary_key: [id]
    reads: [{name: all, endpoint: {path: whole}}]
  feed: &feed
    columns: *columns
    primary_key: [id]
    reads:
      - {name: list, when: first, endpoint: {path: list}}
      - {name: events, when: later, endpoint: {path: events}, incremental: {cursor: at}}
      - {name: archived, endpoint: {path: archived}, deletes: true}
  feed_later: *feed
  windows:
    columns: *columns
    primary_key: [id]
    reads:
      - name: by_region
        endpoint: {path: \"x/{{ partition.region }}\"}
        partitions: {list: {name: region, values: [eu, us]}}
        incremental: {cursor: at}
  export:
    columns: *columns
    primary_key: [id]
    reads: [{name: export, endpoint: {path: export}, paginator: {cursor: {path: after, place: {param: after}}}, incremental: {cursor: at, checkpoint: token}}]
  children: &children
    columns: {id: {type: string}}
    primary_key: [id]
    reads: [{name: of, endpoint: {path: \"x/{{ parent.id }}\"}, partitions: {parent: {stream: whole, columns: [id]}}}]
  children_in_part: *children
";

/// A lake whose raw tables have these states, and the project that reads them.
async fn project(states: &[(&str, serde_json::Value)]) -> (tempfile::TempDir, Lake, Project) {
    let folder = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    put("cscopilot.yaml", "version: 1\nname: test\nlake: lake\n");
    put("configs/connectors/vendor.yaml", MANIFEST);
    put("configs/sources/api.yaml", "version: 1\nconnector: vendor\nstart: 2026-01-01\n");
    let stream = |name: &str, cursor: &str| format!("  {name}:\n    table: t\n    columns: {{at: {{type: timestamp}}}}\n{cursor}");
    let streams: String = [("log", "    cursor: at\n"), ("numbered", "    cursor: at\n"), ("copy", "")].map(|(n, c)| stream(n, c)).concat();
    put("configs/sources/db.yaml", &format!("version: 1\ndatabase: {{sqlite: {{path: x}}}}\nstreams:\n{streams}"));
    put(
        "configs/sources/lists.yaml",
        "version: 1\nfiles: {path: data}\nstreams:\n  a:\n    files: '*.csv'\n    columns: {id: {type: string}}\n",
    );
    let project = Project::load(folder.path(), &LoadOptions::default()).unwrap_or_else(|e| panic!("{e}"));
    let lake = Lake::open("memory://", LakeOptions::default()).await.unwrap();
    for (table, state) in states {
        let column = arrow::datatypes::Field::new("id", arrow::datatypes::DataType::Utf8, true);
        let rows = stream_of_batches(Arc::new(Schema::new(vec![column])), Vec::new());
        let write = Write::new(format!("raw.{table}").parse().unwrap(), Mode::Append, rows, Txn::new("extract", "run1"));
        lake.commit(write.with_state(state.clone())).await.unwrap();
    }
    (folder, lake, project)
}

fn micros(iso: &str) -> i64 {
    DateTime::parse_from_rfc3339(iso).unwrap().timestamp_micros()
}

#[tokio::test]
async fn what_is_said_is_what_the_state_holds() {
    let (whole, midnight, noon) = (micros("2026-06-29T13:37:42Z"), micros("2026-06-30T00:00:00Z"), micros("2026-06-30T12:00:00Z"));
    let api = |full: Option<i64>, reads: serde_json::Value| json!({"version": 1, "commits": 1, "full_read_at": full, "reads": reads});
    let db = |cursor: serde_json::Value, after: serde_json::Value| json!({"database_version": 1, "commits": 1, "lines": 9, "cursor": cursor, "after": after, "checks": []});
    let followed = |open: serde_json::Value| api(None, json!({"of": {"marks": {"": {"parent": {"batch": "0000000002", "open": open}}}}}));
    let (_folder, lake, project) = project(&[
        ("api__whole", api(None, json!({"all": {"marks": {"": {"upto": whole}}}}))),
        ("api__feed", api(Some(whole), json!({"list": {"marks": {"": {"upto": whole}}}, "archived": {"marks": {"": {"upto": whole}}}}))),
        ("api__feed_later", api(Some(whole), json!({"list": {"marks": {"": {"upto": whole}}}, "events": {"marks": {"": {"upto": noon}}}}))),
        ("api__windows", api(None, json!({"by_region": {"marks": {"eu": {"upto": midnight}, "us": {"upto": noon}}}}))),
        ("api__export", api(None, json!({"export": {"marks": {"": {"upto": noon, "token": "MTc4Mg"}}}}))),
        ("api__children", followed(json!(null))),
        ("api__children_in_part", followed(json!(["0000000003", "k"]))),
        ("db__log", db(json!("at"), json!({"text": "2026-06-30 13:00:00.5+02"}))),
        ("db__numbered", db(json!("at"), json!({"int": 4711}))),
        ("db__copy", db(json!(null), json!(null))),
        ("lists__a", json!({"version": 1, "declaration": "x", "files": {"a.csv": {"size": 1, "content": "x", "rows": 1}}, "checks": []})),
    ])
    .await;
    let now = DateTime::from_timestamp_micros(noon + 8_000_000_000).unwrap();
    let all = status_at(&project, &lake, now).await.unwrap();
    let told: Vec<String> = all.iter().map(|s| format!("{}.{}: {}", s.source, s.stream, s.progress)).collect();
    insta::assert_snapshot!(told.join("\n"), @"
    api.new: not read yet
    api.whole: read whole, last change on 2026-06-29 13:37 UTC
    api.feed: read whole on 2026-06-29 13:37 UTC, 24 h behind
    api.feed_later: read whole on 2026-06-29 13:37 UTC, changes up to 2026-06-30 12:00 UTC, 2 h behind
    api.windows: up to 2026-06-30 00:00 UTC, 14 h behind
    api.export: up to 2026-06-30 12:00 UTC, 2 h behind
    api.children: read for all of whole
    api.children_in_part: read for a part of whole
    db.log: up to at 2026-06-30 13:00:00.5+02, 3 h behind
    db.numbered: up to at 4711
    db.copy: read whole
    lists.a: 1 file
    ");
    let of = |stream: &str| all.iter().find(|s| s.stream == stream).unwrap();
    assert_eq!((of("feed").upto.as_deref(), of("feed").cursor.as_deref()), (None, None), "the time of a whole read is no cursor");
    assert_eq!((of("feed").lag_secs, of("whole").lag_secs), (Some(88_538), None), "whole reads that find nothing leave no trace");
    assert_eq!((of("export").cursor.as_deref(), of("export").lag_secs), (Some("MTc4Mg"), Some(8_000)));
    assert_eq!(of("feed_later").whole_at.as_deref(), Some("2026-06-29T13:37:42Z"));
}
