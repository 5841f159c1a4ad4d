//! One night of the starter project, and the same night again.

use crate::support::{Company, expect};
use std::process::Stdio;

#[test]
fn the_same_run_again_does_no_work_and_a_full_refresh_gives_the_same() {
    let company = Company::new(150, 10);
    expect(&mut company.nightly(), &[0, 3]);
    let first = company.state();

    let again = expect(company.nightly().args(["--format", "json"]), &[0, 3]);
    let summary: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    let worked: Vec<&str> =
        summary["tasks"].as_array().unwrap().iter().filter(|t| t["status"] != "up_to_date").filter_map(|t| t["id"].as_str()).collect();
    assert!(worked.is_empty(), "the second run did work: {worked:?}");
    assert_eq!(company.state(), first);

    expect(company.nightly().arg("--full-refresh"), &[0, 3]);
    let refreshed = company.state();
    assert_eq!(refreshed.tables, first.tables);
    assert_eq!(refreshed.files, first.files);
    assert_eq!(refreshed.crm, first.crm);
}

#[test]
fn a_second_run_is_refused_while_one_is_at_work_and_not_after_it_was_killed() {
    let company = Company::new(60, 8);
    let mut first = company.nightly().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // Its first line comes when it holds the lock.
    let mut stderr = std::io::BufReader::new(first.stderr.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut stderr, &mut line).unwrap();
    assert!(line.starts_with("run "), "{line}");
    let second = expect(&mut company.nightly(), &[1]);
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains("another run is at work") && said.contains("RUN005"), "{said}");
    first.kill().unwrap();
    first.wait().unwrap();
    expect(&mut company.command(&["retry"]), &[0, 3]);
}

#[test]
fn an_edited_sql_file_rebuilds_what_reads_it_and_nothing_else() {
    let company = Company::new(60, 8);
    expect(&mut company.nightly(), &[0, 3]);
    let file = company.project().join("sql/marts/accounts.sql");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text + "\n-- edited\n").unwrap();
    let again = expect(company.nightly().args(["--format", "json"]), &[0, 3]);
    let summary: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    let status = |id: &str| summary["tasks"].as_array().unwrap().iter().find(|t| t["id"] == id).unwrap()["status"].clone();
    assert_eq!(status("transform.marts.accounts"), "done");
    assert_eq!(status("transform.features.account_features"), "up_to_date");
    assert_eq!(status("report"), "done");
}

#[test]
fn a_new_sql_file_is_picked_up() {
    let company = Company::new(60, 8);
    std::fs::write(company.project().join("sql/marts/dropped_in.sql"), "SELECT count(*) AS accounts FROM marts.accounts\n").unwrap();
    expect(&mut company.nightly(), &[0, 3]);
    let rows = expect(&mut company.command(&["query", "SELECT accounts FROM marts.dropped_in", "-o", "csv"]), &[0]);
    let text = String::from_utf8(rows.stdout).unwrap();
    let accounts: u64 = text.lines().nth(1).unwrap().parse().unwrap();
    assert!(accounts > 20, "{text}");
}
