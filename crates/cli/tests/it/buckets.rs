//! A whole night whose lake is a bucket, on moto, a server of S3.

use crate::support::{AS_OF, Company, expect};
use std::process::Command;

#[test]
fn a_whole_night_over_a_bucket_is_published_there_and_not_done_twice() {
    let bucket = cscopilot_servers::s3();
    let company = Company::new(40, 6);
    let command = |arguments: &[&str]| -> Command {
        let mut command = company.command(arguments);
        command.args(["--env", "prod"]).env("CSCOPILOT_LAKE", format!("{}/lake", bucket.url));
        command.envs(bucket.options.iter().map(|(name, value)| (name.to_uppercase(), value)));
        command
    };
    expect(&mut command(&["run", "nightly", "--as-of", AS_OF]), &[0, 3]);
    assert!(!company.project().join("lake").exists(), "something was written beside the bucket");

    let again = expect(&mut command(&["run", "nightly", "--as-of", AS_OF, "--format", "json"]), &[0, 3]);
    let summary: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    let worked: Vec<_> = summary["tasks"].as_array().unwrap().iter().filter(|t| t["status"] != "up_to_date").collect();
    assert!(worked.is_empty(), "the second run did work: {worked:?}");

    let tables = String::from_utf8(expect(&mut command(&["tables", "--format", "json"]), &[0]).stdout).unwrap();
    let scores: serde_json::Value = tables.lines().find(|t| t.contains("marts.account_scores")).unwrap().parse().unwrap();
    let query = ["query", "SELECT account_id FROM marts.account_scores", "-o", "csv"];
    let rows = String::from_utf8(expect(&mut command(&query), &[0]).stdout).unwrap();
    assert_eq!(Some(rows.lines().count() as u64 - 1), scores["rows"].as_u64(), "{rows}");

    let pointer = bucket.read("lake/site/index.html");
    let overview = pointer.split("url=").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_else(|| panic!("{pointer}"));
    let page = bucket.read(&format!("lake/site/{overview}"));
    let account = page.split("href=\"account/").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_else(|| panic!("{page}"));
    let folder = overview.trim_end_matches("index.html");
    assert!(bucket.read(&format!("lake/site/{folder}account/{account}")).contains("</html>"));

    let logged = expect(command(&["extract", "salesforce", "--stream", "accounts", "--as-of", AS_OF]).env("RUST_LOG", "trace"), &[0, 3]);
    let logs = String::from_utf8_lossy(&logged.stderr);
    assert!(logs.contains("starting new connection"), "nothing of the requests is logged");
    assert!(!logs.contains(&bucket.options["aws_secret_access_key"]), "the logs hold the secret");
}
