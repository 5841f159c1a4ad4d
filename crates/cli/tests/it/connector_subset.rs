//! The staging models of `examples/connectors` serve whichever vendors a company uses, as its README promises.

use crate::connectors::copy;
use crate::support::{cscopilot, expect, root};

const VENDORS: [&str; 8] = ["salesforce", "hubspot", "zendesk", "intercom", "mixpanel", "amplitude", "stripe", "chargebee"];

#[test]
fn any_vendor_alone_makes_a_sound_project_whose_tests_pass() {
    for vendor in VENDORS {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().join("project");
        copy(&root().join("examples/connectors"), &project);
        let rewrite = |file: &str, line: &dyn Fn(&str) -> Option<String>| {
            let text = std::fs::read_to_string(project.join(file)).unwrap();
            std::fs::write(project.join(file), text.lines().filter_map(line).map(|l| l + "\n").collect::<String>()).unwrap();
        };
        rewrite("cscopilot.yaml", &|line| match line.trim_start().split_once(": ") {
            Some(("vendors", _)) => Some(format!("  vendors: {vendor}")),
            _ => Some(line.to_owned()),
        });
        for other in VENDORS.iter().filter(|other| **other != vendor) {
            rewrite("pipelines/nightly.yaml", &|line| (!line.contains(&format!("source: {other}"))).then(|| line.to_owned()));
            std::fs::remove_file(project.join(format!("configs/sources/{other}.yaml"))).unwrap();
            std::fs::remove_file(project.join(format!("sql/tests/{other}.yaml"))).unwrap();
        }
        for command in ["check", "test"] {
            let output = expect(cscopilot().args([command, "--env", "fakes", "--project"]).arg(&project), &[0]);
            let told = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(command == "check" || told.contains(&format!("sql/tests/{vendor}.yaml")), "{vendor}: {told}");
        }
    }
}
