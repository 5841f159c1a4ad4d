//! Whatever goes wrong between the engine and a vendor: the tables end exact, or the run ends with a named error and the next one
//! completes it. Never short under exit code 0.
//!
//! The short form tries each kind of fault at one position of each vendor; `CSCOPILOT_FAULT_POSITIONS=20` tries twenty. The short form
//! kills an extraction at a few moments; `CSCOPILOT_EXTRACT_KILLS=100` at a hundred.

use crate::connectors::{Fakes, Project, exact};
use crate::support::expect;
use serde_json::json;
use std::process::Stdio;

const KINDS: [&str; 13] = [
    "rate_limited",
    "rate_limited_bare",
    "status_500",
    "status_502",
    "status_503",
    "reset",
    "truncated",
    "wrong_length",
    "drip",
    "repeated_cursor",
    "empty_page",
    "expired_token",
    "mutate",
];

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn survives_faults(vendor: &str) {
    let positions = number("CSCOPILOT_FAULT_POSITIONS", 1);
    let (mut green, mut named) = (0, 0);
    for (index, kind) in KINDS.iter().enumerate() {
        for nth in 0..positions {
            // Different kinds begin at different requests, so that the short form sees several.
            let position = 1 + if positions == 1 { index as u64 % 5 } else { nth };
            // More companies than a page of a scroll has.
            let accounts = if vendor == "intercom" { "130" } else { "60" };
            let fakes = Fakes::start(&["--accounts", accounts, "--months", "2", "--events-per-day", "20"]);
            let project = Project::new(&fakes);
            fakes.set_now("2026-06-30T00:00:00Z");
            fakes.control("PUT", "faults", &json!({"vendor": vendor, "kind": kind, "at": position, "times": 1}).to_string());
            let output = project.command(&["extract", vendor, "--as-of", "2026-06-29", "--format", "json"]).output().unwrap();
            let code = output.status.code();
            let told = String::from_utf8_lossy(&output.stdout).into_owned();
            match code {
                Some(0 | 3) => green += 1,
                Some(1) => {
                    assert!(
                        told.contains("\"code\":\"EXT") || told.contains("\"code\":\"HTT"),
                        "{vendor} {kind} at {position}: no named error: {told}"
                    );
                    named += 1;
                }
                other => panic!("{vendor} {kind} at {position}: ended with {other:?}: {told} {}", String::from_utf8_lossy(&output.stderr)),
            }
            if *kind != "mutate" && code != Some(1) {
                exact(&project, &fakes, vendor, &format!("{kind} at {position}"));
            }
            fakes.control("DELETE", "faults", "");
            // What changed while it was read belongs to the next day, and so does what a failed run left.
            fakes.set_now("2026-07-01T00:00:00Z");
            expect(&mut project.command(&["extract", vendor, "--as-of", "2026-06-30", "--format", "json"]), &[0, 3]);
            exact(&project, &fakes, vendor, &format!("the day after {kind} at {position}"));
        }
    }
    eprintln!("{vendor}: {green} runs went through, {named} ended with a named error; all were exact after the next");
}

/// Kills an extraction at moments spread over its length; the runs that follow leave nothing out and add nothing twice.
fn survives_kills(vendor: &str) {
    let kills = number("CSCOPILOT_EXTRACT_KILLS", 3);
    let fakes = Fakes::start(&["--accounts", "200", "--months", "2", "--events-per-day", "50"]);
    fakes.set_now("2026-06-30T00:00:00Z");
    let arguments = ["extract", vendor, "--as-of", "2026-06-29", "--format", "json"];
    let whole = Project::new(&fakes);
    let watch = cscopilot_diag::clock::Stopwatch::start();
    expect(&mut whole.command(&arguments), &[0, 3]);
    let length = watch.elapsed();
    let project = Project::new(&fakes);
    let mut killed = 0;
    for n in 0..kills {
        let mut child = project.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Fractions of the whole run, in an order that jumps about.
        let part = (n * 61 % kills + 1) as f64 / (kills + 1) as f64;
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let _silence = wait.recv_timeout(length.mul_f64(part));
        drop(done);
        if child.try_wait().unwrap().is_none() {
            killed += 1;
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(killed > 0, "no run was killed on its way");
    expect(&mut project.command(&arguments), &[0, 3]);
    exact(&project, &fakes, vendor, "after all kills");
    for (stream, rows) in whole.rows(vendor) {
        assert_eq!(project.rows(vendor).get(&stream), Some(&rows), "{vendor}.{stream}: rows of the log after {killed} kills and without");
    }
    eprintln!("{vendor}: killed {killed} times on the way");
}

/// Each request moves a scroll on: where its manifest calls it a cursor, asking again for a page would leave that page out.
#[test]
fn a_scroll_that_is_declared_as_a_cursor_ends_with_a_named_error() {
    let fakes = Fakes::start(&["--accounts", "230", "--months", "2", "--events-per-day", "20"]);
    let project = Project::new(&fakes);
    fakes.set_now("2026-06-30T00:00:00Z");
    let manifest = project.dir().join("configs/connectors/intercom.yaml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("constant: true, ", "")).unwrap();
    let arguments = ["extract", "intercom", "--stream", "companies", "--as-of", "2026-06-29", "--format", "json"];
    let output = expect(&mut project.command(&arguments), &[1]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("a page that it gave before"), "{told}");
    assert_eq!(project.rows("intercom").get("companies"), None, "nothing of it is published");
}

macro_rules! vendors {
    ($what:ident: $($name:ident)*) => {$(
        #[test]
        fn $name() {
            super::$what(stringify!($name));
        }
    )*};
}

mod faults_of {
    vendors! { survives_faults: salesforce hubspot zendesk intercom mixpanel amplitude stripe chargebee }
}

mod kills_of {
    vendors! { survives_kills: salesforce stripe zendesk }
}
