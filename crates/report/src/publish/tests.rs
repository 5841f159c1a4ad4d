use super::*;
use crate::testing::{lake_in, objects_in_memory};
use std::path::Path;

async fn put(objects: &Objects, text: &str, keep: usize) -> Published {
    let stage = Stage::begin(objects).unwrap();
    stage.put("index.html", text.as_bytes().to_vec()).unwrap();
    stage.put("account/a.html", b"a".to_vec()).unwrap();
    stage.publish(objects, keep).await.unwrap()
}

fn current(root: &Path) -> String {
    std::fs::read_to_string(root.join("site/current/index.html")).unwrap()
}

#[tokio::test]
async fn the_switch_leads_to_the_new_version_and_keeps_a_few_old_ones() {
    let dir = tempfile::tempdir().unwrap();
    let objects = lake_in(dir.path()).await.objects();
    let first = put(&objects, "one", 2).await;
    assert!(!first.unchanged);
    assert_eq!(current(dir.path()), "one");
    assert!(std::fs::read_to_string(dir.path().join("site/index.html")).unwrap().contains("url=current/index.html"));
    put(&objects, "two", 2).await;
    let third = put(&objects, "three", 2).await;
    assert_eq!(current(dir.path()), "three");
    let mut versions: Vec<_> =
        std::fs::read_dir(dir.path().join("site/versions")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    versions.sort();
    assert_eq!(versions.len(), 2);
    assert!(versions.contains(&third.id) && !versions.contains(&first.id));
    assert!(third.overview.ends_with("site/index.html"));
}

#[tokio::test]
async fn the_same_content_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let objects = lake_in(dir.path()).await.objects();
    let first = put(&objects, "one", 5).await;
    let page = dir.path().join("site/current/index.html");
    let written = std::fs::metadata(&page).unwrap().modified().unwrap();
    let again = put(&objects, "one", 5).await;
    assert_eq!((again.unchanged, &again.id), (true, &first.id));
    assert_eq!(std::fs::metadata(&page).unwrap().modified().unwrap(), written);
    assert!(!dir.path().join("site/.staging").exists());
}

#[tokio::test]
async fn what_a_killed_run_left_does_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let objects = lake_in(dir.path()).await.objects();
    put(&objects, "one", 5).await;
    // Killed while staging: a reader still sees the old site, the next run starts clean.
    let stage = Stage::begin(&objects).unwrap();
    stage.put("index.html", b"half".to_vec()).unwrap();
    stage.put("stray.html", b"stray".to_vec()).unwrap();
    drop(stage);
    assert_eq!(current(dir.path()), "one");
    // Killed while deleting an old version.
    std::fs::create_dir_all(dir.path().join("site/.trash/account")).unwrap();
    // Killed between the two renames of the switch.
    std::os::unix::fs::symlink("versions/nowhere", dir.path().join("site/.current")).unwrap();
    put(&objects, "two", 5).await;
    assert_eq!(current(dir.path()), "two");
    assert!(!dir.path().join("site/current/stray.html").exists());
}

#[tokio::test]
async fn a_reader_sees_the_old_site_or_the_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let objects = lake_in(dir.path()).await.objects();
    put(&objects, "0", 3).await;
    let root = dir.path().to_owned();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let reader = std::thread::spawn({
        let stop = std::sync::Arc::clone(&stop);
        move || {
            let mut seen = 0_u32;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let number: u32 = current(&root).parse().unwrap();
                assert!(number >= seen, "{number} after {seen}");
                seen = number;
            }
        }
    });
    for n in 1..=40 {
        put(&objects, &n.to_string(), 3).await;
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    reader.join().unwrap();
}

#[tokio::test]
async fn on_an_object_store_the_pointer_is_the_switch() {
    let objects = objects_in_memory().await;
    let first = put(&objects, "one", 2).await;
    let pointer = |bytes: Option<_>| String::from_utf8(Vec::from(bytes.unwrap())).unwrap();
    assert!(pointer(objects.get("site/index.html").await.unwrap()).contains(&format!("versions/{}/index.html", first.id)));
    assert!(put(&objects, "one", 2).await.unchanged);
    put(&objects, "two", 2).await;
    let third = put(&objects, "three", 2).await;
    assert!(pointer(objects.get("site/index.html").await.unwrap()).contains(&third.id));
    let versions = objects.folders("site/versions").await.unwrap();
    assert!(versions.len() == 2 && !versions.contains(&first.id), "{versions:?}");
}
