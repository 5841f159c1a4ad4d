use crate::render::{PAGE_LIMIT, render};
use crate::sample;
use crate::settings;
use crate::site::environment;
use crate::templates::sources;
use crate::testing::project;
use crate::tone::Bands;
use crate::view::{View, pages};
use std::collections::BTreeMap;

/// Renders the pages of a made-up night that a filter picks, and gives the largest by template.
fn largest(night: &crate::night::Night, wanted: impl Fn(usize, &str) -> bool) -> BTreeMap<&'static str, (usize, String)> {
    let dir = tempfile::tempdir().unwrap();
    let project = project(dir.path());
    let site = settings::site(&project);
    let sources = sources(&project.root, "reports").unwrap();
    let env = environment(&project, &site, night, &sources).unwrap();
    let bands = Bands::new(&sample::bounds(), &[], &BTreeMap::new());
    let titles = sample::titles();
    let view = View { night, bands: &bands, titles: &titles, rows_per_page: site.rows_per_page.value as usize };
    let mut largest = BTreeMap::new();
    for (i, page) in pages(&view).iter().enumerate().filter(|(i, page)| wanted(*i, page.template)) {
        let html = render(&env, &sources, page).unwrap_or_else(|e| panic!("{i} {}: {e}", page.path));
        let slot: &mut (usize, String) = largest.entry(page.template).or_default();
        if html.len() > slot.0 {
            *slot = (html.len(), page.path.clone());
        }
    }
    largest
}

fn assert_small(sizes: &BTreeMap<&'static str, (usize, String)>) {
    assert_eq!(sizes.len(), 7, "{sizes:?}");
    for (template, (bytes, path)) in sizes {
        assert!(*bytes <= PAGE_LIMIT, "{template}: {path} is {bytes} bytes");
    }
}

#[test]
fn no_page_is_larger_than_40_kb_with_20_000_accounts() {
    let night = sample::night(20_000, 20, true);
    // All kinds of pages; of the many alike, a sample.
    assert_small(&largest(&night, |i, template| match template {
        "account.html" => i % 199 == 0,
        "csm.html" | "accounts.html" => i % 3 == 0,
        _ => true,
    }));
}

#[test]
fn no_page_is_larger_than_40_kb_when_everything_is_long() {
    let mut night = sample::night(60, 2, true);
    let long = "Überlange Bezeichnung & <Sonderzeichen> ".repeat(20);
    for account in &mut night.accounts {
        account.name = format!("{} {long}", account.name);
        account.csm_name = Some(long.clone());
        account.segment = Some(format!("{} {long}", account.segment.clone().unwrap_or_default()));
        account.plan = Some(long.clone());
        for reason in account.risk.iter_mut().flat_map(|r| r.reasons.iter_mut()) {
            reason.text.clone_from(&long);
        }
        for action in &mut account.actions {
            (action.title, action.reason, action.effect) = (Some(long.clone()), Some(long.clone()), Some(long.clone()));
        }
        for alert in &mut account.alerts {
            (alert.title, alert.evidence) = (Some(long.clone()), Some(long.clone()));
        }
        let alerts = account.alerts.clone();
        account.alerts.extend(alerts.iter().cycle().take(60).cloned());
        let measures = account.measures.clone();
        account.measures.extend(measures.iter().cycle().take(90).cloned());
    }
    night.checks = night.checks.iter().cycle().take(900).cloned().collect();
    for check in &mut night.checks {
        (check.check, check.detail, check.sample) = (long.clone(), Some(long.clone()), Some(long.clone()));
    }
    night.unmatched = night.unmatched.iter().cycle().take(90).cloned().collect();
    night.tables = night.tables.iter().cycle().take(400).cloned().collect();
    assert_small(&largest(&night, |_, _| true));
}

#[test]
fn a_night_without_a_model_renders_too() {
    let night = sample::night(50, 3, false);
    assert_small(&largest(&night, |_, _| true));
}
