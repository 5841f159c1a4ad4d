//! Publishes a site: pages go to a folder of their own, then one atomic switch makes readers see them.
//!
//! ```text
//! site/versions/<content id>/…   every version is complete and never changes
//! site/current                   local lakes: a link, replaced by rename(2)
//! site/index.html                what people open: it leads to the current version
//! ```
//!
//! The content id is a hash of all paths and bytes, so an unchanged site is recognised and nothing is written.

mod bucket;
mod local;

use crate::error::Error;
use cscopilot_lake::Objects;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Published {
    /// The content id.
    pub(crate) id: String,
    /// Files of the version.
    pub(crate) files: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Whether the very same content was published already.
    pub(crate) unchanged: bool,
    /// Where the overview is: a path on this machine, or a URL.
    pub(crate) overview: String,
}

/// A site being staged. Pages may be put from several threads.
pub(crate) struct Stage {
    place: Place,
    /// Hash and size of every file, by path: sorted, so the id doesn't depend on the order of threads.
    files: Mutex<BTreeMap<String, (blake3::Hash, u64)>>,
}

enum Place {
    Local(local::Folder),
    Bucket(bucket::Held),
}

impl Stage {
    /// Begins a site; what an earlier, killed run left behind is removed.
    pub(crate) fn begin(objects: &Objects) -> Result<Self, Error> {
        let place = match objects.local_path("site")? {
            Some(root) => Place::Local(local::Folder::begin(root)?),
            None => Place::Bucket(bucket::Held::default()),
        };
        Ok(Self { place, files: Mutex::default() })
    }

    /// Puts one file.
    pub(crate) fn put(&self, path: &str, bytes: Vec<u8>) -> Result<(), Error> {
        let entry = (blake3::hash(&bytes), bytes.len() as u64);
        match &self.place {
            Place::Local(folder) => folder.put(path, &bytes)?,
            Place::Bucket(held) => held.put(path, bytes),
        }
        self.files.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), entry);
        Ok(())
    }

    /// Makes the staged site the current one, and deletes versions beyond the newest `keep`.
    pub(crate) async fn publish(self, objects: &Objects, keep: usize) -> Result<Published, Error> {
        let files = self.files.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut hasher = blake3::Hasher::new();
        for (path, (hash, _)) in &files {
            hasher.update(path.as_bytes());
            hasher.update(&[0]);
            hasher.update(hash.as_bytes());
        }
        let id = hasher.finalize().to_hex()[..16].to_owned();
        let (unchanged, overview) = match self.place {
            Place::Local(folder) => folder.publish(&id, keep)?,
            Place::Bucket(held) => held.publish(objects, &id, keep).await?,
        };
        Ok(Published { id, files: files.len() as u64, bytes: files.values().map(|(_, n)| n).sum(), unchanged, overview })
    }
}

/// The page that people open: it leads to another page at once, with JavaScript off too.
fn pointer(target: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Customer Success Copilot</title>\n\
         <meta http-equiv=\"refresh\" content=\"0; url={target}\">\n<link rel=\"canonical\" href=\"{target}\">\n</head>\n\
         <body><p><a href=\"{target}\">Open the report</a></p></body>\n</html>\n"
    )
}

#[cfg(test)]
mod tests;
