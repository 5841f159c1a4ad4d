//! Nothing known after a day reaches that day's features.
//!
//! The features of a past day, as a later run made them for training, must equal those that a run of that very day makes:
//! that run can't have seen more. A feature that peeks one day ahead differs, and is caught. So is one that sees rows which are dated
//! before the day and came after it.

use crate::support::{copy_folder, cscopilot, expect, root, shared};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the features of a project as of a day into a lake of their own, and gives those of `day` as CSV.
fn features(mut command: impl FnMut() -> Command, as_of: &str, day: &str) -> Vec<String> {
    expect(command().args(["run", "nightly", "--as-of", as_of, "--select", "+features.account_features"]), &[0, 3]);
    let sql = format!("SELECT * FROM features.account_features WHERE as_of = DATE '{day}' ORDER BY account_id");
    let rows = expect(command().args(["query", &sql, "-o", "csv"]), &[0]);
    String::from_utf8(rows.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn differing(left: &[String], right: &[String]) -> usize {
    assert_eq!(left.len(), right.len(), "not the same accounts");
    left.iter().zip(right).filter(|(l, r)| l != r).count()
}

fn small(project: &str) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/leak").join(project);
    let run = |lake: &'static str| {
        let (path, lake) = (path.clone(), folder.path().join(lake));
        move || {
            let mut command = cscopilot();
            command.arg("--project").arg(&path).arg("--param").arg(format!("lake={}", lake.display()));
            command
        }
    };
    let later = features(run("later"), "2024-03-15", "2024-03-01");
    let then = features(run("then"), "2024-03-01", "2024-03-01");
    assert!(then.len() > 2, "{then:?}");
    differing(&later, &then)
}

#[test]
fn honest_features_of_a_past_day_are_those_that_were_known_then() {
    assert_eq!(small("honest"), 0);
}

#[test]
fn a_planted_feature_that_peeks_one_day_ahead_is_caught() {
    assert!(small("leaky") > 0);
}

/// The honest project whose features count a row from the day on which it had arrived; `condition` may put another one in its place.
fn with_arrival(folder: &Path, embargo_days: u32, condition: &str) -> PathBuf {
    let project = folder.join("project");
    copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/leak/data"), &folder.join("data"));
    copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/leak/honest"), &project);
    let change = |file: &str, to: &str, from: &str, by: &str| {
        let text = std::fs::read_to_string(project.join(file)).unwrap();
        assert!(text.contains(from), "{file} has no `{from}`");
        std::fs::write(project.join(to), text.replace(from, by)).unwrap();
    };
    change("cscopilot.yaml", "cscopilot.yaml", "../../../../../reports", &root().join("reports").display().to_string());
    let source = "configs/sources/app.yaml";
    change(source, source, "files: {path: ../data}", &format!("files: {{path: ../data}}\nembargo_days: {embargo_days}"));
    change(source, source, "files: logins.csv", "files: logins*.csv");
    let known_on = "logins,\n  {{ known_on('raw.app__logins', 'l.day', row='l') }} AS known_on\nFROM raw.app__logins AS l";
    change("sql/staging/logins.sql", "sql/staging/logins.sql.j2", "logins\nFROM raw.app__logins", known_on);
    std::fs::remove_file(project.join("sql/staging/logins.sql")).unwrap();
    let features = "sql/features/account_features.sql";
    change(features, features, "AND l.day <= s.as_of\n", &format!("AND l.day <= s.as_of\n  AND {condition}\n"));
    project
}

#[test]
fn a_row_that_came_late_does_not_reach_the_days_before_it_came() {
    let late = |condition: &str| {
        let folder = tempfile::tempdir().unwrap();
        let project = with_arrival(folder.path(), 0, condition);
        let run = || {
            let mut command = cscopilot();
            command.arg("--project").arg(&project);
            command
        };
        let (file, row) = (folder.path().join("data/logins.csv"), "acc-1,2024-02-28,10\n");
        let data = std::fs::read_to_string(&file).unwrap();
        assert!(data.contains(row), "the data has changed");
        std::fs::write(&file, data.replace(row, "")).unwrap();
        let then = features(run, "2024-03-01", "2024-03-01");
        std::fs::write(folder.path().join("data/logins-late.csv"), format!("account_id,day,logins\n{row}")).unwrap();
        expect(run().args(["run", "nightly", "--as-of", "2024-03-15", "--full-refresh"]), &[0, 3]);
        differing(&features(run, "2024-03-15", "2024-03-01"), &then)
    };
    assert_eq!(late("l.known_on <= s.as_of"), 0);
    assert_eq!(late("TRUE"), 1, "the late row shows nowhere: this test can't find a leak");
}

#[test]
fn history_that_was_read_at_once_counts_as_known_after_the_embargo() {
    let of = |embargo_days: u32, condition: &str| {
        let folder = tempfile::tempdir().unwrap();
        let project = with_arrival(folder.path(), embargo_days, condition);
        let run = || {
            let mut command = cscopilot();
            command.arg("--project").arg(&project);
            command
        };
        ["2024-03-01", "2024-03-15"].map(|day| features(run, "2024-03-15", day))
    };
    let [past, tonight] = of(2, "l.known_on <= s.as_of");
    let [two_days_less, _] = of(0, "l.day <= s.as_of - INTERVAL '2 days'");
    let [all, all_tonight] = of(0, "l.known_on <= s.as_of");
    assert_eq!(differing(&past, &two_days_less), 0);
    assert!(differing(&past, &all) > 0);
    // What was read tonight is known tonight.
    assert_eq!(differing(&tonight, &all_tonight), 0);
}

#[test]
fn crm5_has_no_leak_and_one_that_is_planted_there_is_caught() {
    let Some(data) = shared("crm5") else { return };
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&root().join("reports"), &folder.path().join("reports"));
    let project = |name: &str| {
        let to = folder.path().join("examples").join(name);
        copy_folder(&root().join("examples/crm5"), &to);
        to
    };
    let run = |project: &Path| {
        let (project, data) = (project.to_path_buf(), data.clone());
        move || {
            let mut command = cscopilot();
            command.arg("--project").arg(&project).arg("--param").arg(format!("data_dir={}", data.display()));
            command
        }
    };
    let day = "2023-07-09";
    let then = features(run(&project("then")), day, day);
    assert!(then.len() > 300, "only {} accounts", then.len());
    assert_eq!(differing(&features(run(&project("honest")), "2023-10-01", day), &then), 0);

    let leaky = project("leaky");
    let file = leaky.join("sql/features/account_features.sql");
    let text = std::fs::read_to_string(&file).unwrap();
    let honest = "u.usage_date <= s.as_of";
    assert!(text.contains(honest), "the place for the leak has moved");
    // The range check on days since the last use would stop this leak by itself; here the comparison has to.
    let check = "  - range: {column: days_since_last_use, min: 0, max: 84}\n";
    assert!(text.contains(check), "the check has changed");
    std::fs::write(&file, text.replace(honest, "u.usage_date <= s.as_of + INTERVAL '1 day'").replace(check, "")).unwrap();
    let caught = differing(&features(run(&leaky), "2023-10-01", day), &then);
    assert!(caught > 50, "the planted leak shows in {caught} accounts only");
}
