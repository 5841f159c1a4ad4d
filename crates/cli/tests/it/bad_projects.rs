//! Broken projects: each diagnostic names the file, line and column, what is wrong and what to do; nothing is started.
//!
//! `tests/bad/base` is a small sound project. Each file of `tests/bad/cases` names one of its files in the first line and
//! holds that file's broken text below.

use crate::support::{cscopilot, expect, root};
use std::path::Path;

/// Copies the sound project, with the starter's templates.
fn base(to: &Path) {
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad/base"), to);
    copy(&root().join("reports"), &to.join("reports"));
}

fn copy(from: &Path, to: &Path) {
    let mut open = vec![from.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let target = to.join(path.strip_prefix(from).unwrap());
            std::fs::create_dir_all(target.parent().unwrap()).unwrap();
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn the_base_of_the_broken_projects_is_sound() {
    let folder = tempfile::tempdir().unwrap();
    base(folder.path());
    expect(cscopilot().arg("check").arg("--project").arg(folder.path()), &[0]);
    expect(cscopilot().arg("test").arg("--project").arg(folder.path()), &[0]);
}

#[test]
fn every_broken_project_gets_a_diagnostic_with_its_place_and_no_work_is_started() {
    let mut cases = 0;
    insta::glob!("../bad", "cases/*.case", |path| {
        cases += 1;
        let folder = tempfile::tempdir().unwrap();
        base(folder.path());
        let case = std::fs::read_to_string(path).unwrap();
        let (file, text) = case.split_once('\n').unwrap();
        let target = folder.path().join(file);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(&target, text).unwrap();

        let checked = cscopilot().arg("check").arg("--project").arg(folder.path()).output().unwrap();
        let said = String::from_utf8(checked.stderr).unwrap();
        assert!(!said.contains("panicked"), "{said}");
        insta::assert_snapshot!(format!("exit {}\n{said}", checked.status.code().unwrap()));

        // `run` refuses it as well, before anything is made.
        let run = cscopilot().args(["run", "nightly", "--as-of", "2026-01-31", "--project"]).arg(folder.path()).output().unwrap();
        assert_eq!(run.status.code(), Some(2), "{}", String::from_utf8_lossy(&run.stderr));
        assert!(!folder.path().join("lake").exists(), "a broken project started work");
    });
    assert!(cases >= 40, "only {cases} broken projects");
}
