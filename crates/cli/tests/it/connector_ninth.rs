//! A vendor that nobody sells, added by YAML alone: client credentials, pages by number, a stream below another, bodies of CSV. And what
//! must hold for every connector: no secret shows, and a recording answers without the API.

use crate::connectors::{Fakes, Project, credentials};
use crate::support::{cscopilot, expect};
use serde_json::Value;
use std::path::Path;

const MANIFEST: &str = r#"version: 1
description: A vendor that nobody sells.
settings:
  base_url: {}
  client_id: {secret: true}
  client_secret: {secret: true}
client:
  base_url: "{{ setting.base_url }}"
  auth:
    app:
      client_credentials:
        token_url: "{{ setting.base_url }}/oauth/token"
        client_id: "{{ setting.client_id }}"
        client_secret: "{{ setting.client_secret }}"
streams:
  projects:
    columns:
      id: {type: string}
      name: {type: string}
      status: {type: string}
      budget: {type: "decimal(18,2)"}
      note: {type: string}
      created_at: {type: timestamp}
      updated_at: {type: timestamp, not_null: true}
    primary_key: [id]
    reads:
      - name: changed
        endpoint: {path: projects, params: {per_page: 25, updated_since: "{{ window.start }}"}}
        response: {csv: {}}
        paginator: {page_number: {param: page, size: 25}}
        incremental: {cursor: updated_at, start: 2010-01-01, open_end: true}
  members:
    columns:
      id: {type: string}
      name: {type: string}
      email: {type: string}
      role: {type: string}
      hourly_rate: {type: "decimal(18,2)"}
    primary_key: [id]
    reads:
      - name: of_project
        endpoint: {path: "projects/{{ parent.id }}/members", params: {per_page: 25}}
        response: {csv: {}}
        paginator: {page_number: {param: page, size: 25}}
        partitions: {parent: {stream: projects, columns: [id]}}
        records: {add: {project_id: {type: string, value: "{{ parent.id }}"}}}
"#;

fn project(dir: &Path, url: &str) {
    for sub in ["configs/connectors", "configs/sources", "pipelines"] {
        std::fs::create_dir_all(dir.join(sub)).unwrap();
    }
    std::fs::write(dir.join("cscopilot.yaml"), "version: 1\nname: ninth\nlake: lake\n").unwrap();
    std::fs::write(dir.join("configs/connectors/ninth.yaml"), MANIFEST).unwrap();
    let source = format!(
        "version: 1\nconnector: ninth\nsettings: {{base_url: \"{url}/ninth\", client_id: \"${{secret:NINTH_ID}}\", client_secret: \"${{secret:NINTH_SECRET}}\"}}\n"
    );
    std::fs::write(dir.join("configs/sources/ninth.yaml"), source).unwrap();
}

#[test]
fn a_ninth_vendor_is_one_yaml_file() {
    let fakes = Fakes::start(&["--accounts", "60", "--months", "2"]);
    fakes.set_now("2026-06-30T00:00:00Z");
    let dir = tempfile::tempdir().unwrap();
    project(dir.path(), &format!("http://{}", fakes.address));
    let run = |as_of: &str| {
        let mut command = cscopilot();
        command.args(["extract", "ninth", "--as-of", as_of, "--format", "json", "--project"]).arg(dir.path());
        command.env("NINTH_ID", "fake-client").env("NINTH_SECRET", "fake-client-secret-9b2e");
        let output = expect(&mut command, &[0]);
        serde_json::from_slice::<Vec<Value>>(&output.stdout).unwrap()
    };
    run("2026-06-29");
    let held = |sql: &str| {
        let output = expect(cscopilot().args(["query", sql, "--output", "csv", "--project"]).arg(dir.path()), &[0]);
        String::from_utf8(output.stdout).unwrap().lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    for (stream, own) in [("projects", "budget"), ("members", "project_id")] {
        let truth = fakes.control("GET", &format!("truth/ninth/{stream}"), "");
        let mut want: Vec<String> = truth
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .map(|held| format!("{},{}", held["id"].as_str().unwrap(), held["body"][own].as_str().unwrap()))
            .collect();
        want.sort();
        assert!(want.len() > 30, "{stream} has {} records", want.len());
        assert_eq!(held(&format!("SELECT DISTINCT id, {own} FROM raw.ninth__{stream} ORDER BY id")), want, "{stream}");
    }
    fakes.set_now("2026-07-01T00:00:00Z");
    let second = run("2026-06-30");
    let asked = |task: &Value| task["outcome"]["facts"]["reconciliation"]["requests"].as_u64().unwrap();
    assert!(second.iter().all(|t| asked(t) < 20), "only parents that changed are followed: {second:#?}");
}

#[test]
fn no_secret_shows_in_logs_artifacts_recordings_or_errors() {
    let fakes = Fakes::start(&["--accounts", "30", "--months", "2", "--events-per-day", "20"]);
    fakes.set_now("2026-06-30T00:00:00Z");
    let tapes = tempfile::tempdir().unwrap();
    let project = Project::new(&fakes);
    let secrets: Vec<String> = credentials()
        .into_iter()
        .filter(|(name, _)| project.secrets().join(name).exists())
        .map(|(_, value)| value)
        .filter(|v| v.starts_with("fake-"))
        .collect();
    assert!(secrets.len() > 5);
    let mut told = String::new();
    for vendor in ["salesforce", "hubspot", "zendesk", "intercom", "mixpanel", "amplitude", "stripe", "chargebee"] {
        for as_of in ["2026-06-28", "2026-06-29"] {
            let mut command = project.command(&["extract", vendor, "--as-of", as_of, "-vv"]);
            // The last tokens are wrong, so that errors are seen as well.
            let output = command.arg("--record").arg(tapes.path()).env("RUST_LOG", "trace").output().unwrap();
            told.push_str(&String::from_utf8_lossy(&output.stdout));
            told.push_str(&String::from_utf8_lossy(&output.stderr));
            if as_of == "2026-06-28" {
                fakes.control(
                    "PUT",
                    "faults",
                    &serde_json::json!({"vendor": vendor, "kind": "expired_token", "at": 1, "times": 50}).to_string(),
                );
            } else {
                fakes.control("DELETE", "faults", "");
            }
        }
    }
    assert!(
        told.contains("answered") && told.contains("HTT") | told.contains("EXT"),
        "the log says little: {}",
        &told[..told.len().min(2000)]
    );
    let mut files = vec![("what was told".to_owned(), told.into_bytes())];
    read_all(tapes.path(), &mut files);
    read_all(&project.dir().join("lake"), &mut files);
    let recorded = files.iter().filter(|(name, _)| name.ends_with(".json")).count();
    assert!(recorded > 20, "only {recorded} exchanges were recorded");
    for (name, bytes) in &files {
        let text = String::from_utf8_lossy(bytes);
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{name} holds a secret");
        }
    }
}

#[test]
fn a_recording_gives_the_same_rows_without_the_api() {
    let fakes = Fakes::start(&["--accounts", "30", "--months", "2", "--events-per-day", "20"]);
    fakes.set_now("2026-06-30T00:00:00Z");
    let tapes = tempfile::tempdir().unwrap();
    let live = Project::new(&fakes);
    let arguments = ["extract", "stripe", "--as-of", "2026-06-29"];
    expect(live.command(&arguments).arg("--record").arg(tapes.path()), &[0, 3]);
    let replayed = Project::new(&fakes);
    drop(fakes);
    expect(replayed.command(&arguments).arg("--replay").arg(tapes.path()), &[0, 3]);
    assert_eq!(replayed.rows("stripe"), live.rows("stripe"));
    assert!(live.rows("stripe").values().sum::<u64>() > 30);
}

fn read_all(folder: &Path, into: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, into);
        } else {
            into.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}
