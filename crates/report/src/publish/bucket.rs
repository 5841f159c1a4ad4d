//! Publishing to an object store: there are no links, so the object `site/index.html` is the switch.

use super::pointer;
use crate::error::Error;
use cscopilot_lake::Objects;
use futures::{StreamExt, TryStreamExt};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Files that are put side by side.
const AT_A_TIME: usize = 16;

/// Written last into a version: a version without it is what a killed run left.
const COMPLETE: &str = "complete";

/// Files held in memory until the content id is known.
#[derive(Default)]
pub(super) struct Held(Mutex<BTreeMap<String, Vec<u8>>>);

impl Held {
    pub(super) fn put(&self, path: &str, bytes: Vec<u8>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), bytes);
    }

    /// Whether nothing changed, and where the overview is.
    pub(super) async fn publish(self, objects: &Objects, id: &str, keep: usize) -> Result<(bool, String), Error> {
        let folder = format!("site/versions/{id}");
        let page = pointer(&format!("versions/{id}/index.html"));
        let overview = objects.url("site/index.html");
        let done = objects.exists(&format!("{folder}/{COMPLETE}")).await?;
        let pointed = objects.get("site/index.html").await?.is_some_and(|now| now == page.as_bytes());
        if !done {
            let files = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
            // An object store takes many at a time as quickly as one.
            let folder = &folder;
            let puts = files.into_iter().map(|(path, bytes)| async move { objects.put(&format!("{folder}/{path}"), bytes).await });
            futures::stream::iter(puts).buffer_unordered(AT_A_TIME).try_collect::<()>().await?;
            objects.put(&format!("{folder}/{COMPLETE}"), Vec::new()).await?;
        }
        if !pointed {
            objects.put("site/index.html", page.into_bytes()).await?;
        }
        forget(objects, id, keep).await?;
        Ok((done && pointed, overview))
    }
}

/// Deletes versions beyond the newest ones.
async fn forget(objects: &Objects, id: &str, keep: usize) -> Result<(), Error> {
    let known: Vec<String> = objects.get_json("site/versions.json").await?.unwrap_or_default();
    let mut order: Vec<String> = known.iter().filter(|line| *line != id).cloned().collect();
    order.push(id.to_owned());
    let kept = order.split_off(order.len().saturating_sub(keep.max(1)));
    if kept != known {
        objects.put_json("site/versions.json", &kept).await?;
    }
    for version in objects.folders("site/versions").await? {
        if !kept.contains(&version) {
            // Without this mark a half-deleted version is not taken for a whole one.
            objects.delete(&format!("site/versions/{version}/{COMPLETE}")).await?;
            objects.delete_folder(&format!("site/versions/{version}")).await?;
        }
    }
    Ok(())
}
