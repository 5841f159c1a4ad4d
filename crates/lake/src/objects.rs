//! Objects beside the tables: journals, models, sites, states.

use std::path::PathBuf;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{Attribute, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::Root;
use crate::{Error, Result};

/// The folders that hold objects.
pub(crate) const FOLDERS: &[&str] = &["models", "runs", "site", "state"];

/// Objects beside the tables, by path: `runs/…`, `models/…`, `site/…`, `state/…`. Every put is atomic: readers see the old object or
/// the new one. On a local disk it has been synced when the call returns.
#[derive(Debug, Clone)]
pub struct Objects {
    root: Root,
}

/// One object in a listing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectInfo {
    /// Its path in the lake.
    pub path: String,
    /// Its bytes.
    pub size: u64,
}

impl Objects {
    pub(crate) fn new(root: Root) -> Self {
        Self { root }
    }

    fn store(&self) -> &dyn ObjectStore {
        self.root.store.as_ref()
    }

    /// On an object store a page gets the type by which a browser shows it; a local disk keeps no types.
    fn put_options(&self, location: &Path, mode: PutMode) -> PutOptions {
        let mut options = PutOptions { mode, ..PutOptions::default() };
        if let (None, Some(kind)) = (&self.root.folder, content_type(location)) {
            options.attributes.insert(Attribute::ContentType, kind.into());
        }
        options
    }

    /// The object's bytes; `None` if there is none.
    pub async fn get(&self, path: &str) -> Result<Option<Bytes>> {
        let location = checked(path)?;
        match self.store().get(&location).await {
            Ok(found) => Ok(Some(found.bytes().await.map_err(Error::storage(format!("reading {path}")))?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(Error::storage(format!("reading {path}"))(error)),
        }
    }

    /// Whether there is such an object.
    pub async fn exists(&self, path: &str) -> Result<bool> {
        crate::log::exists(self.store(), &checked(path)?).await
    }

    /// Puts an object, replacing one that is there.
    pub async fn put(&self, path: &str, bytes: impl Into<Bytes>) -> Result<()> {
        let location = checked(path)?;
        let options = self.put_options(&location, PutMode::Overwrite);
        let done = self.store().put_opts(&location, PutPayload::from(bytes.into()), options).await;
        done.map(|_| ()).map_err(Error::storage(format!("writing {path}")))
    }

    /// Puts an object only if there is none; `false` if there was one, which stays as it is.
    pub async fn put_if_absent(&self, path: &str, bytes: impl Into<Bytes>) -> Result<bool> {
        let location = checked(path)?;
        let options = self.put_options(&location, PutMode::Create);
        match self.store().put_opts(&location, PutPayload::from(bytes.into()), options).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(Error::storage(format!("writing {path}"))(error)),
        }
    }

    /// The object as JSON; `None` if there is none.
    pub async fn get_json<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>> {
        let Some(bytes) = self.get(path).await? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|source| Error::Json { path: path.to_owned(), source })
    }

    /// Puts an object as indented JSON.
    pub async fn put_json<T: Serialize + ?Sized>(&self, path: &str, value: &T) -> Result<()> {
        self.put(path, json(path, value)?).await
    }

    /// Puts an object as indented JSON only if there is none.
    pub async fn put_json_if_absent<T: Serialize + ?Sized>(&self, path: &str, value: &T) -> Result<bool> {
        self.put_if_absent(path, json(path, value)?).await
    }

    /// All objects below a folder, sorted by path.
    pub async fn list(&self, folder: &str) -> Result<Vec<ObjectInfo>> {
        let location = checked(folder)?;
        let found: Vec<_> = match self.store().list(Some(&location)).try_collect::<Vec<_>>().await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => vec![],
            Err(error) => return Err(Error::storage(format!("listing {folder}"))(error)),
        };
        let mut infos: Vec<_> = found.into_iter().map(|meta| ObjectInfo { path: meta.location.to_string(), size: meta.size }).collect();
        infos.sort();
        Ok(infos)
    }

    /// The names of the folders directly below a folder, sorted.
    pub async fn folders(&self, folder: &str) -> Result<Vec<String>> {
        let location = checked(folder)?;
        match self.store().list_with_delimiter(Some(&location)).await {
            Ok(found) => {
                let mut names: Vec<_> = found.common_prefixes.iter().filter_map(|p| p.filename().map(str::to_owned)).collect();
                names.sort();
                Ok(names)
            }
            Err(object_store::Error::NotFound { .. }) => Ok(vec![]),
            Err(error) => Err(Error::storage(format!("listing {folder}"))(error)),
        }
    }

    /// Deletes an object; `false` if there was none.
    pub async fn delete(&self, path: &str) -> Result<bool> {
        let location = checked(path)?;
        if !crate::log::exists(self.store(), &location).await? {
            return Ok(false);
        }
        match self.store().delete(&location).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(true),
            Err(error) => Err(Error::storage(format!("deleting {path}"))(error)),
        }
    }

    /// Deletes all objects below a folder, and the folder itself where the lake is local.
    pub async fn delete_folder(&self, folder: &str) -> Result<()> {
        for object in self.list(folder).await? {
            self.delete(&object.path).await?;
        }
        if let Some(path) = self.local_path(folder)?
            && path.is_dir()
        {
            std::fs::remove_dir_all(&path).map_err(Error::disk(format!("removing {}", path.display())))?;
        }
        Ok(())
    }

    /// Copies an object, replacing one that is there.
    pub async fn copy(&self, from: &str, to: &str) -> Result<()> {
        let (source, target) = (checked(from)?, checked(to)?);
        self.store().copy(&source, &target).await.map_err(Error::storage(format!("copying {from} to {to}")))
    }

    /// The lake's folder, where it is local.
    #[must_use]
    pub fn local_root(&self) -> Option<PathBuf> {
        self.root.folder.clone()
    }

    /// Where an object is on this machine, where the lake is local.
    pub fn local_path(&self, path: &str) -> Result<Option<PathBuf>> {
        let location = checked(path)?;
        Ok(self.root.folder.as_ref().map(|folder| location.parts().fold(folder.clone(), |at, part| at.join(part.as_ref()))))
    }

    /// Where an object is, as a URL.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.root.url)
    }
}

fn content_type(path: &Path) -> Option<&'static str> {
    Some(match path.extension()? {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        _ => return None,
    })
}

fn json<T: Serialize + ?Sized>(path: &str, value: &T) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|source| Error::Json { path: path.to_owned(), source })?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// A path below one of the folders for objects, with no way out of it.
fn checked(path: &str) -> Result<Path> {
    let bad = || Error::BadPath { path: path.to_owned() };
    let location = Path::parse(path).map_err(|_| bad())?;
    let first = location.parts().next().ok_or_else(bad)?;
    if FOLDERS.contains(&first.as_ref()) { Ok(location) } else { Err(bad()) }
}
