use crate::testing::{context, fill, lake_in, load, project};
use cscopilot_diag::Diagnostics;

fn problems(change: impl FnOnce(&std::path::Path)) -> String {
    let dir = tempfile::tempdir().unwrap();
    let _made = project(dir.path());
    change(&dir.path().join("reports"));
    let mut out = Diagnostics::new();
    crate::check(&load(dir.path()), &mut out);
    out.sort();
    out.to_string()
}

#[test]
fn the_templates_of_the_starter_are_sound() {
    assert_eq!(problems(|_| {}), "");
}

#[test]
fn a_broken_template_is_shown_with_file_and_line() {
    insta::assert_snapshot!(problems(|reports| {
        std::fs::write(reports.join("templates/quality.html"), "<h1>Quality</h1>\n{% if counts %}\n<p>open\n").unwrap();
        std::fs::write(reports.join("templates/models.html"), "<h1>Models</h1>\n{{ modles }}\n").unwrap();
        std::fs::write(reports.join("templates/managers.html"), "{{ total|mony }}\n").unwrap();
    }));
}

#[test]
fn a_misspelt_name_is_found_without_data() {
    insta::assert_snapshot!(problems(|reports| {
        std::fs::write(reports.join("templates/models.html"), "<h1>Models</h1>\n{{ modles }}\n").unwrap();
        std::fs::write(reports.join("templates/managers.html"), "{{ total|mony }}\n").unwrap();
    }));
}

#[test]
fn a_missing_template_is_named() {
    insta::assert_snapshot!(problems(|reports| std::fs::remove_file(reports.join("templates/account.html")).unwrap()));
}

#[tokio::test]
async fn a_template_that_fails_publishes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake_in(&dir.path().join("lake")).await;
    fill(&lake).await;
    crate::run(&context(project(dir.path()), &lake)).await.unwrap();
    let before = std::fs::read_link(dir.path().join("lake/site/current")).unwrap();
    std::fs::write(dir.path().join("reports/templates/account.html"), "{{ account.nmae }}").unwrap();
    let error = crate::run(&context(load(dir.path()), &lake)).await.unwrap_err().to_string();
    assert!(error.contains("RPT015") && error.contains("reports/templates/account.html:1"), "{error}");
    assert_eq!(std::fs::read_link(dir.path().join("lake/site/current")).unwrap(), before);
}

#[test]
fn the_readme_of_the_templates_names_everything_that_pages_get() {
    let readme = include_str!("../../../../reports/README.md");
    let night = crate::sample::night(30, 2, true);
    let bands = crate::tone::Bands::new(&crate::sample::bounds(), &[], &std::collections::BTreeMap::new());
    let titles = crate::sample::titles();
    let view = crate::view::View { night: &night, bands: &bands, titles: &titles, rows_per_page: 25 };
    for page in crate::view::pages(&view) {
        let context = (page.context)().unwrap();
        for key in context.try_iter().unwrap() {
            assert!(readme.contains(&format!("`{key}`")), "{} gets `{key}`", page.template);
        }
    }
}
