//! A run that is killed and taken up again ends where an uninterrupted one ends.

use crate::support::{AS_OF, Company, expect};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// `CSCOPILOT_KILLS=30` for the long form.
fn kills() -> u32 {
    std::env::var("CSCOPILOT_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(4)
}

/// A small generator, so that a failing moment can be repeated: `CSCOPILOT_KILL_SEED`.
struct Moments(u64);

impl Moments {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[test]
fn a_killed_run_that_is_retried_ends_like_an_uninterrupted_one() {
    let mut company = Company::new(150, 10);
    #[allow(clippy::disallowed_methods)]
    let start = Instant::now();
    expect(&mut company.nightly(), &[0, 3]);
    let whole = start.elapsed();
    let expected = company.state();
    assert!(
        expected.tables.len() > 20 && expected.files.len() > 50 && expected.crm.len() > 1000,
        "the uninterrupted run did too little: {expected:?}"
    );

    let seed = std::env::var("CSCOPILOT_KILL_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let mut moments = Moments(seed);
    let mut in_the_middle = 0;
    for kill in 0..kills() {
        company.reset();
        let moment = whole.mul_f64(moments.next());
        let mut run = company.nightly().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        if !ended_within(&mut run, moment) {
            in_the_middle += 1;
        }
        run.kill().unwrap();
        run.wait().unwrap();
        // Killed before there was a plan: nothing to retry, so the night is started. Killed after the end: likewise.
        let retried = company.command(&["retry"]).output().unwrap();
        match retried.status.code() {
            Some(0 | 3) => {}
            Some(2) => drop(expect(&mut company.nightly(), &[0, 3])),
            other => panic!("retry after kill {kill} at {moment:?} ended with {other:?}: {}", String::from_utf8_lossy(&retried.stderr)),
        }
        let state = company.state();
        let differs = [
            ("tables", difference(&state.tables, &expected.tables)),
            ("models and pages", difference(&state.files, &expected.files)),
            ("the CRM", if state.crm == expected.crm { vec![] } else { vec!["salesforce.json".to_owned()] }),
        ];
        assert!(
            differs.iter().all(|(_, names)| names.is_empty()),
            "after kill {kill} at {moment:?} of {whole:?} (seed {seed}, as of {AS_OF}): {differs:?}"
        );
    }
    assert!(in_the_middle > 0, "every run had ended before it was killed");
}

/// The names of what only one side has or what differs.
fn difference<T: PartialEq>(left: &BTreeMap<String, T>, right: &BTreeMap<String, T>) -> Vec<String> {
    let names: BTreeSet<_> = left.keys().chain(right.keys()).collect();
    names.into_iter().filter(|name| left.get(*name) != right.get(*name)).cloned().collect()
}

/// Whether a process ended within a time. Looks at it now and then: the moment of the kill is what the test is about.
#[allow(clippy::disallowed_methods)]
fn ended_within(process: &mut std::process::Child, limit: Duration) -> bool {
    let start = Instant::now();
    while start.elapsed() < limit {
        if process.try_wait().unwrap().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    process.try_wait().unwrap().is_some()
}
