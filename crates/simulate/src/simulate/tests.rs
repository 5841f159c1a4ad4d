use super::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

fn small(out: &Path) -> Config {
    Config { accounts: 300, months: 6, events_per_day: Some(600), ..Config::demo(out.to_path_buf()) }
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for folder in std::fs::read_dir(dir).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let name = path.strip_prefix(dir).unwrap().display().to_string();
            found.insert(name, std::fs::read(path).unwrap());
        }
    }
    found
}

fn lines(dir: &Path, vendor: &str, stream: &str) -> Vec<String> {
    let mut paths: Vec<_> = std::fs::read_dir(dir.join(vendor)).unwrap().map(|f| f.unwrap().path()).collect();
    paths.retain(|p| p.file_name().unwrap().to_str().unwrap().starts_with(&format!("{stream}-2")));
    paths.sort();
    let text = |p: &PathBuf| String::from_utf8(zstd::decode_all(std::fs::File::open(p).unwrap()).unwrap()).unwrap();
    paths.iter().flat_map(|p| text(p).lines().map(str::to_string).collect::<Vec<_>>()).collect()
}

fn records(dir: &Path, vendor: &str, stream: &str) -> Vec<Value> {
    lines(dir, vendor, stream).iter().filter_map(|l| serde_json::from_str(l).ok()).collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes_with_any_number_of_threads() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let run = |threads, out: &Path| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| simulate(&small(out)).unwrap());
    };
    run(1, one.path());
    run(3, two.path());
    let (a, b) = (files(one.path()), files(two.path()));
    assert!(a.len() > 60);
    assert!(a == b, "files differ");
}

#[test]
fn another_seed_gives_another_company() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    simulate(&small(one.path())).unwrap();
    simulate(&Config { seed: 7, ..small(two.path()) }).unwrap();
    assert_ne!(files(one.path())["truth/accounts.csv"], files(two.path())["truth/accounts.csv"]);
}

#[test]
fn the_past_stays_the_same_when_the_company_is_simulated_for_longer() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    simulate(&small(one.path())).unwrap();
    let longer = Config { months: 7, as_of: "2026-07-31".parse().unwrap(), ..small(two.path()) };
    simulate(&longer).unwrap();
    let (a, b) = (files(one.path()), files(two.path()));
    for (name, bytes) in a.iter().filter(|(name, _)| !name.starts_with("truth")) {
        assert!(bytes == &b[name], "{name} differs");
    }
}

#[test]
fn bad_lines_are_as_many_as_the_truth_says() {
    let dir = tempfile::tempdir().unwrap();
    let summary = simulate(&Config { accounts: 600, months: 3, events_per_day: Some(2_000), ..small(dir.path()) }).unwrap();
    let mut seen = Counts::default();
    for stream in &summary.streams {
        let lines = lines(dir.path(), stream.vendor, stream.stream);
        assert_eq!(lines.len() as u64, stream.counts.lines, "{}", stream.stream);
        let broken = lines.iter().filter(|l| serde_json::from_str::<Value>(l).is_err()).count() as u64;
        assert_eq!(broken, stream.counts.malformed, "{}", stream.stream);
        let distinct: BTreeSet<_> = lines.iter().collect();
        // A line may be repeated on purpose, and the copy of a cut-off line may be equal to another cut-off one.
        assert_eq!((lines.len() - distinct.len()) as u64, stream.counts.duplicated, "{}", stream.stream);
        seen += stream.counts;
    }
    assert!(seen.malformed > 3 && seen.duplicated > 500 && seen.late > 500 && seen.wrong_type > 3);
    let late = records(dir.path(), "mixpanel", "events");
    let late = late.iter().filter(|e| e["properties"].get("mp_processing_time_ms").is_some());
    let ids: BTreeSet<_> = late.map(|e| e["properties"]["$insert_id"].as_str().unwrap().to_string()).collect();
    assert_eq!(ids.len() as u64, summary.counts("mixpanel", "events").late);
}

#[test]
fn churn_is_what_the_hazard_says() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { accounts: 5_000, months: 12, events_per_day: Some(1), ..small(dir.path()) };
    let summary = simulate(&config).unwrap();
    let text = std::fs::read_to_string(dir.path().join("truth/hazards.csv")).unwrap();
    let mut rows: Vec<(f64, f64, bool)> = text
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<_> = line.split(',').collect();
            (cells[2].parse().unwrap(), cells[3].parse().unwrap(), cells[4] == "true")
        })
        .collect();
    let expected: f64 = rows.iter().map(|r| r.0).sum();
    let seen = rows.iter().filter(|r| r.2).count();
    let four_sigma = 4.0 * expected.sqrt();
    assert!((seen as f64 - expected).abs() < four_sigma, "{seen} churns, {expected} expected");
    assert!(seen.abs_diff(summary.churned) <= 40, "{seen} in the file, {} in all", summary.churned);
    let monthly = seen as f64 / rows.len() as f64;
    assert!((0.01..0.02).contains(&monthly), "{monthly} a month");

    // The best that any score can do: the AUC of the hazard itself.
    rows.sort_by(|a, b| a.1.total_cmp(&b.1));
    let ranks: f64 = rows.iter().enumerate().filter(|(_, r)| r.2).map(|(rank, _)| rank as f64).sum();
    let (p, n) = (seen as f64, (rows.len() - seen) as f64);
    let auc = (ranks - p * (p - 1.0) / 2.0) / (p * n);
    assert!((0.78..0.88).contains(&auc), "AUC {auc}");
}

#[test]
fn a_year_goes_by_as_the_one_before_since_the_first_customers_are_those_that_stayed() {
    let dir = tempfile::tempdir().unwrap();
    simulate(&Config { accounts: 10_000, months: 18, events_per_day: Some(1), ..small(dir.path()) }).unwrap();
    let text = std::fs::read_to_string(dir.path().join("truth/hazards.csv")).unwrap();
    // The same months of both years, since January and July are worse ones.
    let means_of = |year: &str| {
        let rows: Vec<Vec<&str>> = text.lines().map(|l| l.split(',').collect()).collect();
        let rows: Vec<&Vec<&str>> = rows.iter().filter(|cells| (2..=6).any(|month| cells[1] == format!("{year}-0{month}"))).collect();
        let mean = |column: usize| rows.iter().map(|cells| cells[column].parse::<f64>().unwrap()).sum::<f64>() / rows.len() as f64;
        (rows.len() as f64, mean(3), mean(5))
    };
    let ((customers, hazard, health), (later, later_hazard, later_health)) = (means_of("2025"), means_of("2026"));
    assert!((later / customers - 1.0).abs() < 0.02, "{customers} customers, then {later}");
    assert!((later_hazard / hazard - 1.0).abs() < 0.10, "hazard {hazard}, then {later_hazard}");
    assert!((later_health - health).abs() < 0.06, "health {health}, then {later_health}");
}

#[test]
fn usage_has_the_volume_that_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let summary = simulate(&Config { accounts: 1_000, months: 3, events_per_day: Some(2_000), ..small(dir.path()) }).unwrap();
    let a_day = summary.counts("mixpanel", "events").lines as f64 / 91.0;
    assert!((1_800.0..2_300.0).contains(&a_day), "{a_day} events a day");
}

#[test]
fn records_have_the_vendors_shapes() {
    let dir = tempfile::tempdir().unwrap();
    simulate(&small(dir.path())).unwrap();
    let first = |vendor: &str, stream: &str| records(dir.path(), vendor, stream).swap_remove(0);
    let keys = |vendor: &str, stream: &str| first(vendor, stream).as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    insta::assert_debug_snapshot!(
        "shapes",
        [
            ("salesforce", "accounts"),
            ("salesforce", "contacts"),
            ("salesforce", "opportunities"),
            ("salesforce", "tasks"),
            ("salesforce", "users"),
            ("stripe", "customers"),
            ("stripe", "subscriptions"),
            ("stripe", "invoices"),
            ("zendesk", "tickets"),
            ("zendesk", "organizations"),
            ("zendesk", "satisfaction_ratings"),
            ("mixpanel", "events"),
        ]
        .map(|(vendor, stream)| (vendor, stream, keys(vendor, stream).join(" ")))
    );
}

#[test]
fn subscriptions_end_when_the_truth_says() {
    let dir = tempfile::tempdir().unwrap();
    let summary = simulate(&small(dir.path())).unwrap();
    let ended: BTreeSet<_> = records(dir.path(), "stripe", "subscriptions")
        .into_iter()
        .filter(|s| s["status"] == "canceled" && s["ended_at"].is_i64())
        .map(|s| s["id"].to_string())
        .collect();
    assert_eq!(ended.len(), summary.churned);
    let truth = std::fs::read_to_string(dir.path().join("truth/accounts.csv")).unwrap();
    assert_eq!(truth.lines().skip(1).filter(|l| !l.split(',').nth(3).unwrap().is_empty()).count(), summary.churned);
}

#[test]
fn a_company_without_accounts_is_refused() {
    let error = simulate(&Config { accounts: 0, ..small(Path::new("/nowhere")) }).unwrap_err();
    assert_eq!(cscopilot_diag::Coded::code(&error), "SIM001");
}
