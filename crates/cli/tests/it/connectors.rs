//! Extraction from the fakes of all vendors: exact, then only what changed, whatever goes wrong on the way.
//!
//! What must be there is what the fakes hold (`/_fake/truth`), compared column by column: a value of the table equals the value at the
//! column's path in the record.

use crate::support::{cscopilot, expect, root};
use cscopilot_spec::connector::Connector;
use cscopilot_spec::source::{Column, ColumnType};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The fakes, in a process of their own.
pub(crate) struct Fakes {
    child: Child,
    pub(crate) address: String,
}

impl Drop for Fakes {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Fakes {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = cscopilot()
            .args(["simulate", "serve", "--port", "0"])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_else(|| panic!("{line}")).to_owned();
        Self { child, address }
    }

    /// One HTTP exchange with the fakes' control; the answer's body.
    pub(crate) fn control(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = format!(
            "{method} /_fake/{path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let text = String::from_utf8(answer).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 ") || head.contains(" 204 "), "{method} {path}: {text}");
        if head.to_lowercase().contains("transfer-encoding: chunked") { unchunked(body) } else { body.to_owned() }
    }

    pub(crate) fn set_now(&self, iso: &str) {
        self.control("PUT", "now", &json!({"now": iso}).to_string());
    }

    /// What an exact extraction holds: each record by id, deleted or not.
    fn truth(&self, vendor: &str, stream: &str) -> BTreeMap<String, (bool, Value)> {
        let text = self.control("GET", &format!("truth/{vendor}/{stream}"), "");
        text.lines()
            .map(|line| {
                let held: Value = serde_json::from_str(line).unwrap();
                (held["id"].as_str().unwrap().to_owned(), (held["deleted"].as_bool().unwrap(), held["body"].clone()))
            })
            .collect()
    }
}

fn unchunked(body: &str) -> String {
    let (mut text, mut rest) = (Vec::new(), body.as_bytes());
    loop {
        let end = rest.windows(2).position(|w| w == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return String::from_utf8(text).unwrap();
        }
        text.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 4 + size..];
    }
}

/// A project over the fakes: `examples/connectors` in its environment `fakes`, with a lake of its own.
pub(crate) struct Project {
    folder: tempfile::TempDir,
    address: String,
}

impl Project {
    pub(crate) fn new(fakes: &Fakes) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(&root().join("examples/connectors"), &folder.path().join("project"));
        let secrets = folder.path().join("secrets");
        std::fs::create_dir(&secrets).unwrap();
        for (name, value) in credentials() {
            std::fs::write(secrets.join(name), value).unwrap();
        }
        let project = Self { folder, address: fakes.address.clone() };
        // Everything there ever was; of usage, which is read day by day, what the fakes simulate.
        for (source, start, settings) in [
            ("salesforce", "2015-01-01", ""),
            ("zendesk", "2015-01-01", "  exports_per_minute: \"100000\"\n"),
            ("intercom", "2015-01-01", ""),
            ("chargebee", "2015-01-01", "  requests_per_minute: \"100000\"\n"),
            ("hubspot", "2015-01-01", ""),
            ("mixpanel", "2026-04-28", "  exports_per_hour: \"100000\"\n  queries_per_hour: \"100000\"\n"),
            ("amplitude", "2026-04-28", ""),
        ] {
            let path = project.dir().join(format!("configs/sources/{source}.yaml"));
            let text = std::fs::read_to_string(&path).unwrap();
            let lines = text.lines().filter(|line| !line.starts_with("start:")).map(|line| match line {
                "settings:" => format!("start: {start}\nsettings:\n{settings}"),
                line => format!("{line}\n"),
            });
            std::fs::write(&path, lines.collect::<String>()).unwrap();
        }
        // Some limits are waited for by the minute; those of the fakes are over after a request or two.
        std::fs::create_dir_all(project.dir().join("configs/connectors")).unwrap();
        for vendor in ["intercom", "chargebee"] {
            let manifest = std::fs::read_to_string(root().join(format!("configs/connectors/{vendor}.yaml"))).unwrap();
            assert!(manifest.contains("wait: {secs: 60}"));
            let hasty = manifest.replace("wait: {secs: 60}", "wait: {secs: 0.1}");
            std::fs::write(project.dir().join(format!("configs/connectors/{vendor}.yaml")), hasty).unwrap();
        }
        project
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    pub(crate) fn secrets(&self) -> PathBuf {
        self.folder.path().join("secrets")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = cscopilot();
        command.args(arguments).arg("--project").arg(self.dir()).args(["--env", "fakes"]);
        for (parameter, path) in [
            ("salesforce_login_url", "salesforce"),
            ("hubspot_url", "hubspot"),
            ("zendesk_url", "zendesk"),
            ("intercom_url", "intercom"),
            ("mixpanel_export_url", "mixpanel"),
            ("mixpanel_query_url", "mixpanel"),
            ("amplitude_url", "amplitude"),
            ("stripe_url", "stripe"),
            ("chargebee_url", "chargebee"),
        ] {
            command.arg("--param").arg(format!("{parameter}=http://{}/{path}", self.address));
        }
        command.env("CSCOPILOT_SECRETS_DIR", self.secrets());
        for (name, value) in credentials() {
            // What is no secret is an environment variable.
            if !is_secret(&name) {
                command.env(name, value);
            }
        }
        command
    }

    pub(crate) fn extract(&self, vendor: &str, as_of: &str, codes: &[i32]) -> Vec<Value> {
        let output = expect(&mut self.command(&["extract", vendor, "--as-of", as_of, "--format", "json"]), codes);
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The latest version of each record in a raw table, by id.
    fn held(&self, table: &str, key: &[String], cursor: Option<&str>) -> BTreeMap<String, Map<String, Value>> {
        let keys = key.join(", ");
        // A feed that comes newest first holds several versions of a record in one batch.
        let order = cursor.map(|c| format!("{c} DESC NULLS LAST, ")).unwrap_or_default();
        let sql = format!(
            "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY {keys} ORDER BY _batch DESC, {order}_line DESC) AS nth FROM {table}) WHERE nth = 1"
        );
        let output = expect(&mut self.command(&["query", &sql, "--output", "json"]), &[0]);
        let text = String::from_utf8(output.stdout).unwrap();
        let rows: Vec<Map<String, Value>> = match serde_json::from_str(&text) {
            Ok(rows) => rows,
            Err(_) => text.lines().filter(|l| !l.is_empty()).map(|l| serde_json::from_str(l).unwrap()).collect(),
        };
        rows.into_iter().map(|row| (text_of(&row[&key[key.len() - 1]]), row)).collect()
    }
}

impl Project {
    /// Rows of each raw table of a vendor, by stream.
    pub(crate) fn rows(&self, vendor: &str) -> BTreeMap<String, u64> {
        let output = expect(&mut self.command(&["tables", "--format", "json"]), &[0]);
        let text = String::from_utf8(output.stdout).unwrap();
        let tables = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        tables
            .filter_map(|t| {
                let stream = t["name"].as_str()?.strip_prefix(&format!("raw.{vendor}__"))?.to_owned();
                Some((stream, t["rows"].as_u64()?))
            })
            .collect()
    }
}

fn is_secret(name: &str) -> bool {
    ![
        "SALESFORCE_CLIENT_ID",
        "ZENDESK_SUBDOMAIN",
        "ZENDESK_EMAIL",
        "MIXPANEL_USERNAME",
        "MIXPANEL_PROJECT_ID",
        "CHARGEBEE_SITE",
        "AMPLITUDE_API_KEY",
    ]
    .contains(&name)
}

pub(crate) fn credentials() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join("examples/connectors/fakes.env")).unwrap();
    text.lines().filter(|l| !l.starts_with('#')).filter_map(|l| l.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name() == "lake" {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The manifest of a vendor.
pub(crate) fn manifest(vendor: &str) -> Connector {
    let path = root().join(format!("configs/connectors/{vendor}.yaml"));
    let text = std::fs::read_to_string(&path).unwrap();
    cscopilot_spec::parse("manifest", &std::sync::Arc::from(text.as_str()), &text, 0).unwrap()
}

/// The value at a column's path in a record.
pub(crate) fn at<'v>(record: &'v Value, name: &str, column: &Column) -> Option<&'v Value> {
    let path = column.from.as_ref().map_or(name, |from| from.value.as_str());
    let mut value = record;
    for key in path.replace("\\.", "\u{1}").split('.') {
        let key = key.replace('\u{1}', ".");
        value = match value {
            Value::Array(items) => items.get(key.parse::<usize>().ok()?)?,
            other => other.get(&key)?,
        };
    }
    (!value.is_null()).then_some(value)
}

/// Whether a value of the table is that of the record.
pub(crate) fn same(column: &Column, got: &Value, want: Option<&Value>) -> bool {
    let Some(want) = want else { return got.is_null() };
    match column.r#type.value {
        ColumnType::String => text_of(got) == text_of(want),
        ColumnType::Json => got.as_str().and_then(|t| serde_json::from_str::<Value>(t).ok()).as_ref() == Some(want),
        ColumnType::Bool => text_of(got) == text_of(want),
        ColumnType::Int | ColumnType::Float | ColumnType::Decimal(..) => {
            (want.as_str() == Some("") && got.is_null()) || text_of(got).parse::<f64>().ok() == text_of(want).parse::<f64>().ok()
        }
        ColumnType::Date => text_of(got) == text_of(want).chars().take(10).collect::<String>(),
        ColumnType::Timestamp => {
            let got = chrono::DateTime::parse_from_rfc3339(&text_of(got)).map(|t| t.timestamp_millis()).ok();
            got == instant(want, column.all_formats().next().map(|f| f.value.as_str()))
        }
    }
}

fn instant(value: &Value, format: Option<&str>) -> Option<i64> {
    let text = text_of(value);
    match format {
        Some("unix_secs") => text.parse::<f64>().ok().map(|n| (n * 1000.0) as i64),
        Some("unix_millis") => text.parse().ok(),
        _ => {
            let iso = text.replace(' ', "T");
            let zoned =
                chrono::DateTime::parse_from_rfc3339(&iso).or_else(|_| chrono::DateTime::parse_from_str(&iso, "%Y-%m-%dT%H:%M:%S%.f%z"));
            zoned
                .map(|t| t.timestamp_millis())
                .or_else(|_| iso.parse::<chrono::NaiveDateTime>().map(|t| t.and_utc().timestamp_millis()))
                .ok()
        }
    }
}

/// Insists that every stream of a vendor is what the fakes hold.
pub(crate) fn exact(project: &Project, fakes: &Fakes, vendor: &str, when: &str) -> usize {
    let mut records = 0;
    for (name, stream) in manifest(vendor).streams.iter() {
        if stream.opt_in {
            continue;
        }
        let mut truth = fakes.truth(vendor, name);
        if (vendor, name.as_str()) == ("stripe", "events") {
            // Kept for thirty days: what is older when it is first asked for can't be had.
            truth.retain(|_, (_, body)| body["created"].as_i64().unwrap() >= FIRST_SEEN - 30 * 86_400);
        }
        let key: Vec<String> = stream.primary_key.iter().map(|k| k.value.clone()).collect();
        let cursor = stream.reads.iter().find_map(|read| read.incremental.as_ref()).map(|i| i.cursor.value.as_str());
        let held = project.held(&format!("raw.{vendor}__{name}"), &key, cursor);
        records += truth.len();
        let live: BTreeSet<&String> = truth.iter().filter(|(_, (deleted, _))| !deleted).map(|(id, _)| id).collect();
        let held_live: BTreeSet<&String> = held.iter().filter(|(_, row)| row["_op"] != "delete").map(|(id, _)| id).collect();
        let missing: Vec<_> = live.difference(&held_live).take(5).collect();
        let extra: Vec<_> = held_live.difference(&live).take(5).collect();
        assert!(
            missing.is_empty() && extra.is_empty(),
            "{when}: {vendor}.{name}: {} live, held {}; missing {missing:?}, not live {extra:?}",
            live.len(),
            held_live.len()
        );
        for id in live {
            let (row, (_, body)) = (&held[id], &truth[id]);
            for (column_name, column) in stream.columns.iter() {
                if column.from.as_ref().is_some_and(|from| from.starts_with("$.")) {
                    continue;
                }
                let want = at(body, column_name, column);
                assert!(
                    same(column, &row[&column_name.value], want),
                    "{when}: {vendor}.{name} {id}: `{column_name}` is {} and should be {want:?}",
                    row[&column_name.value]
                );
            }
        }
    }
    records
}

/// 2026-06-29T23:59:59Z, the last second of the first day: the fakes' clock at the first extraction.
const FIRST_SEEN: i64 = 1_782_777_599;
const DAY_ONE: &str = "2026-06-29";
const DAY_TWO: &str = "2026-06-30";

/// First everything, then only what a day changed.
fn two_days(vendor: &str, accounts: &str) {
    let fakes = Fakes::start(&["--accounts", accounts, "--months", "2", "--events-per-day", "300"]);
    let project = Project::new(&fakes);
    // What changes at midnight belongs to the next day. Amplitude shows an hour two hours after its end, and all of a day from midnight on.
    let (first_end, second_end) = match vendor {
        "amplitude" => ("2026-06-30T00:00:00Z", "2026-07-01T00:00:00Z"),
        _ => ("2026-06-29T23:59:59Z", "2026-06-30T23:59:59Z"),
    };
    fakes.set_now(first_end);
    let first = project.extract(vendor, DAY_ONE, &[0, 3]);
    let records = exact(&project, &fakes, vendor, "the first day");
    assert!(records > 0);
    // Nothing has changed: nothing is published.
    let again = project.extract(vendor, DAY_ONE, &[0, 3]);
    let published = |tasks: &[Value]| tasks.iter().map(|t| t["outcome"]["rows_out"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(published(&again), 0, "{again:#?}");
    fakes.set_now(second_end);
    let second = project.extract(vendor, DAY_TWO, &[0, 3]);
    exact(&project, &fakes, vendor, "the second day");
    let (all, new) = (published(&first), published(&second));
    assert!(new > 0 && new * 4 < all, "the second day published {new} rows, the first {all}");
    eprintln!("{vendor}: {records} records, {all} rows on the first day, {new} on the second");
}

macro_rules! vendors {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            two_days(stringify!($name), &std::env::var("CSCOPILOT_ACCOUNTS").unwrap_or_else(|_| "150".to_owned()));
        }
    )*};
}

mod extracts_exactly_and_then_only_what_changed {
    use super::two_days;
    vendors! { salesforce hubspot zendesk intercom mixpanel amplitude stripe chargebee }
}
