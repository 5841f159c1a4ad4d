//! Stripe's manifest against localstripe, a server of Stripe's API that nobody here wrote.
//!
//! It answers the lists and the whole feed of events. The feed of some kinds of events, by which objects are followed after the first time,
//! it refuses (`types[]`): then a project lists anew each time, with a manifest of its own (docs/reference/connectors/stripe.md).

use crate::connectors::{at, manifest, same};
use crate::support::{cscopilot, expect, root};
use cscopilot_diag::clock;
use cscopilot_servers::{Stripe, localstripe};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

/// A project with one source, the account on localstripe.
struct Project {
    folder: tempfile::TempDir,
    api: Stripe,
}

impl Project {
    fn new(api: Stripe) -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap(), api };
        project.put("cscopilot.yaml", "version: 1\nname: t\nlake: lake\n");
        let settings = format!("{{base_url: \"{}\", api_key: \"${{secret:STRIPE_KEY}}\"}}", project.api.url());
        project.put("configs/sources/stripe.yaml", &format!("version: 1\nconnector: stripe\nsettings: {settings}\n"));
        project
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = cscopilot();
        command.args(arguments).arg("--project").arg(self.folder.path()).env("STRIPE_KEY", Stripe::KEY);
        command
    }

    /// Extracts all streams; how many rows each has published.
    fn extract(&self, code: i32) -> BTreeMap<String, u64> {
        let output = expect(&mut self.command(&["extract", "stripe", "--format", "json"]), &[code]);
        let tasks: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        let published = |task: &Value| Some((task["id"].as_str()?.rsplit('.').next()?.to_owned(), task["outcome"]["rows_out"].as_u64()?));
        tasks.iter().filter_map(published).collect()
    }

    /// The latest version of each record of a stream, by id.
    fn held(&self, stream: &str) -> BTreeMap<String, Map<String, Value>> {
        let sql = format!("SELECT * FROM raw.stripe__{stream} ORDER BY _batch, _line");
        let output = expect(&mut self.command(&["query", &sql, "--output", "json"]), &[0]);
        let rows = String::from_utf8(output.stdout).unwrap();
        let rows = rows.lines().map(|line| serde_json::from_str::<Map<String, Value>>(line).unwrap());
        rows.map(|row| (row["id"].as_str().unwrap().to_owned(), row)).collect()
    }

    /// All records of a stream as the API lists them.
    fn listed(&self, stream: &str) -> BTreeMap<String, Value> {
        let status = if stream == "subscriptions" { "&status=all" } else { "" };
        let answer: Value = self.api.call("GET", &format!("/v1/{stream}?limit=100000{status}"), "").parse().unwrap();
        assert_eq!(answer["has_more"], false);
        answer["data"].as_array().unwrap().iter().map(|r| (r["id"].as_str().unwrap().to_owned(), r.clone())).collect()
    }

    /// Insists that every value of every stream's table is what the API lists; the number of records.
    fn exact(&self, when: &str) -> usize {
        let mut records = 0;
        for (stream, declared) in manifest("stripe").streams.iter() {
            let (held, listed) = (self.held(stream), self.listed(stream));
            let live: Vec<_> = held.iter().filter(|(_, row)| row["_op"] != "delete").map(|(id, _)| id).collect();
            assert_eq!(live, listed.keys().collect::<Vec<_>>(), "{when}: {}", stream.value);
            for (id, record) in &listed {
                for (name, column) in declared.columns.iter().filter(|(_, c)| !c.from.as_ref().is_some_and(|from| from.starts_with("$."))) {
                    let (got, want) = (&held[id][&name.value], at(record, name, column));
                    assert!(same(column, got, want), "{when}: {} {id}: `{}` is {got} and should be {want:?}", stream.value, name.value);
                }
            }
            records += listed.len();
        }
        records
    }

    fn create(&self, path: &str, form: &str) -> String {
        let created: Value = self.api.call("POST", path, form).parse().unwrap();
        created["id"].as_str().unwrap().to_owned()
    }

    /// A second is read when it is over.
    fn wait_for_the_next_second(&self) {
        let now = clock::now().timestamp();
        while clock::now().timestamp() <= now + 1 {
            std::thread::yield_now();
        }
    }
}

/// Customers on more than one page; some of them with a card, a subscription and what was billed for it.
fn fill(project: &Project) -> Vec<String> {
    project.create("/v1/plans", "id=pro&amount=4900&currency=eur&interval=month&nickname=Pro&product[name]=Pro");
    let customers: Vec<_> = (0..120)
        .map(|n| {
            let country = if n % 2 == 0 { "&address[country]=DE" } else { "" };
            project.create("/v1/customers", &format!("name=M%C3%BCller+{n}&email=k{n}@example.com&metadata[account]=a{n}{country}"))
        })
        .collect();
    for (n, customer) in customers.iter().enumerate().take(12) {
        let card = "type=card&card[number]=4242424242424242&card[exp_month]=12&card[exp_year]=2040&card[cvc]=123";
        let card = project.create("/v1/payment_methods", card);
        project.create(&format!("/v1/payment_methods/{card}/attach"), &format!("customer={customer}"));
        project.create(&format!("/v1/customers/{customer}"), &format!("invoice_settings[default_payment_method]={card}"));
        let trial = if n % 3 == 0 { "&trial_period_days=14" } else { "" };
        let form = format!("customer={customer}&items[0][plan]=pro&items[0][quantity]={}&metadata[seats]={n}{trial}", n + 1);
        let subscription = project.create("/v1/subscriptions", &form);
        if n % 4 == 0 {
            let ended = project.api.call("DELETE", &format!("/v1/subscriptions/{subscription}"), "");
            assert!(ended.contains("canceled"), "{ended}");
        }
    }
    customers
}

/// The manifest without its feeds: every list is read each time, as docs/reference/connectors/stripe.md says.
fn lists_only() -> String {
    let path: PathBuf = root().join("configs/connectors/stripe.yaml");
    let (mut kept, mut in_feed) = (String::new(), false);
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let indent = line.len() - line.trim_start().len();
        in_feed = line == "      - name: events" || (in_feed && (indent >= 8 || line.is_empty()));
        if !in_feed && line.trim() != "when: first" && !line.starts_with("# yaml-language-server") {
            kept += &format!("{line}\n");
        }
    }
    kept
}

#[test]
fn stripes_manifest_reads_what_localstripe_lists() {
    let project = Project::new(localstripe());
    let customers = fill(&project);
    project.wait_for_the_next_second();
    let published = project.extract(0);
    let records = project.exact("the first time");
    assert_eq!(published.values().sum::<u64>(), records as u64);
    assert!(published["customers"] == 120 && published["subscriptions"] == 12 && published["invoices"] > 5, "{published:?}");

    // What follows the lists is a feed that this server refuses: the run says so, and publishes only the feed of all events.
    project.create(&format!("/v1/customers/{}", customers[0]), "name=Renamed");
    project.wait_for_the_next_second();
    let refused = expect(&mut project.command(&["extract", "stripe"]), &[1]);
    let said = String::from_utf8_lossy(&refused.stdout);
    assert!(said.contains("EXT067") && said.contains("Unexpected types"), "{said}");
    assert_ne!(project.held("customers")[&customers[0]]["name"], "Renamed");

    // Listing anew finds changes and deletions, and publishes nothing else.
    project.put("configs/connectors/stripe.yaml", &lists_only());
    let gone = project.api.call("DELETE", &format!("/v1/customers/{}", customers[119]), "");
    assert!(gone.contains("true"), "{gone}");
    project.create("/v1/subscriptions", &format!("customer={}&items[0][plan]=pro&trial_period_days=7", customers[20]));
    project.wait_for_the_next_second();
    let published = project.extract(0);
    project.exact("listed anew");
    assert_eq!((published["customers"], published["subscriptions"], published["invoices"]), (2, 1, 0), "{published:?}");
    assert_eq!(project.held("customers")[&customers[119]]["_op"], "delete");
    assert_eq!(project.extract(0).values().sum::<u64>(), 0);
}
