use crate::testing::{fill, lake_in, project, run, store};
use std::collections::BTreeMap;

async fn site() -> (tempfile::TempDir, BTreeMap<String, String>) {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake_in(&dir.path().join("lake")).await;
    fill(&lake).await;
    let (_, pages) = run(project(dir.path()), &lake).await;
    (dir, pages)
}

#[tokio::test]
async fn the_pages_of_a_small_lake_look_as_they_should() {
    let (_dir, pages) = site().await;
    let names: Vec<&str> = pages.keys().map(String::as_str).collect();
    insta::assert_snapshot!("list", names.join("\n"));
    for page in ["index.html", "account/a-1.html", "csm/c1.html", "models.html", "quality.html"] {
        insta::assert_snapshot!(page.replace(['/', '.'], "_"), &pages[page]);
    }
}

#[tokio::test]
async fn names_from_vendors_are_escaped_everywhere() {
    let (_dir, pages) = site().await;
    let html = || pages.iter().filter(|(path, _)| path.ends_with(".html"));
    assert!(html().any(|(_, text)| text.contains("Fjord &lt;script&gt;")));
    for (path, text) in html() {
        assert!(!text.contains("<script>"), "{path}");
        assert!(!text.contains("Acme & Sons"), "{path}");
    }
}

#[tokio::test]
async fn every_link_leads_to_a_page_of_the_site() {
    let (_dir, pages) = site().await;
    let mut links = 0;
    for (path, text) in pages.iter().filter(|(path, _)| path.ends_with(".html")) {
        for part in text.split("href=\"").skip(1).chain(text.split("src=\"").skip(1)) {
            let target = part.split('"').next().unwrap();
            if target.starts_with('#') {
                continue;
            }
            assert!(!target.contains("://") && !target.starts_with('/'), "{path} leads outside: {target}");
            let mut at: Vec<&str> = path.split('/').collect();
            at.pop();
            for step in target.split('/') {
                if step == ".." {
                    at.pop();
                } else {
                    at.push(step);
                }
            }
            assert!(pages.contains_key(&at.join("/")), "{path} leads nowhere: {target}");
            links += 1;
        }
        assert!(!text.contains("http://") && !text.contains("https://"), "{path} names an external resource");
    }
    assert!(links > 50, "{links}");
}

#[tokio::test]
async fn the_same_night_twice_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake_in(&dir.path().join("lake")).await;
    fill(&lake).await;
    let (first, pages) = run(project(dir.path()), &lake).await;
    let (second, again) = run(project(dir.path()), &lake).await;
    assert_eq!(pages, again);
    assert_eq!(first.facts["version"], second.facts["version"]);
    assert_eq!((first.facts["unchanged"].as_bool(), second.facts["unchanged"].as_bool()), (Some(false), Some(true)));
    // Another lake with the same rows gives the same site.
    let other = tempfile::tempdir().unwrap();
    let lake = lake_in(&other.path().join("lake")).await;
    fill(&lake).await;
    let (third, _) = run(project(other.path()), &lake).await;
    assert_eq!(first.facts["version"], third.facts["version"]);
}

#[tokio::test]
async fn nothing_after_tonight_is_shown() {
    let (_dir, pages) = site().await;
    assert!(pages.values().all(|text| !text.contains("From the future")));
}

#[tokio::test]
async fn without_models_and_checks_the_pages_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake_in(&dir.path().join("lake")).await;
    store(&lake, "marts.accounts", "SELECT 'a' AS account_id, 'Alpha' AS account_name, 'c1' AS csm_id, CAST(100 AS DECIMAL(18,2)) AS arr")
        .await;
    let (outcome, pages) = run(project(dir.path()), &lake).await;
    assert_eq!(outcome.rows_in, 1);
    assert!(pages["index.html"].contains("No churn model is in use"));
    assert!(pages["index.html"].contains("No alert is open"));
    assert!(pages["models.html"].contains("This project has no models"));
    assert!(pages["quality.html"].contains("No checks were recorded"));
    assert!(pages["quality.html"].contains("marts.health_scores"));
    assert!(pages["account/a.html"].contains("no score tonight"));
    assert!(pages["csm/c1.html"].contains("Alpha"));
}

#[tokio::test]
async fn an_empty_lake_still_makes_a_site() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake_in(&dir.path().join("lake")).await;
    let (outcome, pages) = run(project(dir.path()), &lake).await;
    assert_eq!(outcome.rows_in, 0);
    assert!(pages["index.html"].contains("0 active customers"));
    assert!(pages["accounts.html"].contains("There are no active customers"));
}
