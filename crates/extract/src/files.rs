//! Which files a stream has: in a folder or a bucket, in a stable order, each with a fingerprint of its content.

use crate::error::{Error, Result};
use cscopilot_spec::Project;
use cscopilot_spec::source::FilesRoot;
use futures::TryStreamExt;
use glob::{MatchOptions, Pattern};
use object_store::{ObjectStore, ObjectStoreExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// How deep `**` looks; a loop of links ends here.
const MAX_DEPTH: usize = 32;

/// Where a source's files lie. It has no `Debug`, nor has what holds it: a store would show its credentials.
#[derive(Clone)]
pub(crate) enum Root {
    /// A folder.
    Local(PathBuf),
    /// A bucket, and the folder in it.
    Bucket { store: Arc<dyn ObjectStore>, prefix: object_store::path::Path, url: String },
}

/// A file to be read.
#[derive(Clone)]
pub(crate) struct InputFile {
    /// Its path below the root, with forward slashes: the same wherever the root lies.
    pub(crate) key: String,
    /// Its size as stored.
    pub(crate) size: u64,
    /// What tells this content from any other: a hash, or the store's own tag.
    pub(crate) content: String,
    pub(crate) place: Place,
}

/// Where one file lies.
#[derive(Clone)]
pub(crate) enum Place {
    /// On disk, with its time of change when its content was hashed.
    Local { path: PathBuf, modified: Option<SystemTime> },
    /// In a bucket.
    Object { store: Arc<dyn ObjectStore>, meta: object_store::ObjectMeta },
}

impl InputFile {
    /// The hash that stands in `_batch`: the same content under the same name is the same batch.
    pub(crate) fn batch(&self, table: &str) -> String {
        let mut hash = blake3::Hasher::new();
        for part in [table, &self.key, &self.content] {
            hash.update(part.as_bytes());
            hash.update(&[0]);
        }
        hash.finalize().to_hex()[..16].to_owned()
    }

    /// Checks that the file still is what it was when it was listed.
    pub(crate) fn check_unchanged(&self) -> Result<()> {
        match &self.place {
            Place::Local { path, modified } => {
                let now = std::fs::metadata(path).map_err(|e| read_error(&self.key, &e))?;
                if now.len() == self.size && now.modified().ok() == *modified {
                    Ok(())
                } else {
                    Err(Error::Changed { path: self.key.clone() })
                }
            }
            // A bucket was asked for this very content.
            Place::Object { .. } => Ok(()),
        }
    }
}

pub(crate) fn read_error(path: &str, error: &dyn std::fmt::Display) -> Error {
    cscopilot_decode::Error::read(path, error).into()
}

impl Root {
    /// Resolves the root of a source.
    pub(crate) fn open(project: &Project, files: &FilesRoot) -> Result<Self> {
        let unresolved = |text: &cscopilot_spec::Text, d: cscopilot_diag::Diagnostic| Error::Unresolved {
            text: text.raw().to_owned(),
            reason: d.message,
        };
        let path = project.location(&files.path).map_err(|d| unresolved(&files.path, d))?;
        if let Some(local) = path.strip_prefix("file://") {
            return Ok(Self::Local(PathBuf::from(local)));
        }
        if !path.contains("://") {
            return Ok(Self::Local(PathBuf::from(path)));
        }
        // The vendors' own variables, such as AWS_REGION; nothing that merely has the name of an option.
        let own = |name: &str| ["AWS_", "GOOGLE_", "AZURE_"].iter().any(|prefix| name.starts_with(prefix));
        let mut options: Vec<(String, String)> = std::env::vars().filter(|(name, _)| own(name)).collect();
        for (name, value) in &files.options {
            let value = project.secret(value).map_err(|d| unresolved(value, d))?;
            options.push((name.clone(), value.expose().to_owned()));
        }
        Self::bucket(&path, options)
    }

    fn bucket(url: &str, options: Vec<(String, String)>) -> Result<Self> {
        let bad = |reason: String| read_error(url, &reason);
        let parsed = url::Url::parse(url).map_err(|e| bad(e.to_string()))?;
        let (store, prefix) = object_store::parse_url_opts(&parsed, options).map_err(|e| bad(e.to_string()))?;
        Ok(Self::Bucket { store: store.into(), prefix, url: url.to_owned() })
    }

    /// The root as messages name it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Local(path) => path.display().to_string(),
            Self::Bucket { url, .. } => url.clone(),
        }
    }

    /// The files that match a pattern, sorted by key.
    pub(crate) async fn list(&self, pattern: &str) -> Result<Vec<InputFile>> {
        let matcher = Pattern::new(pattern).map_err(|e| Error::BadPattern { pattern: pattern.to_owned(), reason: e.msg.to_owned() })?;
        let mut files = match self {
            Self::Local(root) => {
                let (root, pattern) = (root.clone(), pattern.to_owned());
                tokio::task::spawn_blocking(move || list_folder(&root, &pattern, &matcher))
                    .await
                    .map_err(|e| Error::Task(e.to_string()))??
            }
            Self::Bucket { store, prefix, url } => list_bucket(store, prefix, url, &matcher).await?,
        };
        files.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(files)
    }
}

fn matches(matcher: &Pattern, key: &str) -> bool {
    let options = MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };
    matcher.matches_with(key, options)
}

fn list_folder(root: &Path, pattern: &str, matcher: &Pattern) -> Result<Vec<InputFile>> {
    let depth = if pattern.contains("**") { MAX_DEPTH } else { pattern.split('/').count() };
    let mut keys = Vec::new();
    walk(root, "", depth, &mut keys)?;
    keys.retain(|key| matches(matcher, key));
    keys.into_iter().map(|key| local_file(root, key)).collect()
}

fn walk(root: &Path, below: &str, depth: usize, keys: &mut Vec<String>) -> Result<()> {
    let folder = root.join(below);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(e) if below.is_empty() && e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(read_error(&folder.display().to_string(), &e)),
    };
    for entry in entries {
        let entry = entry.map_err(|e| read_error(&folder.display().to_string(), &e))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let key = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
        let Ok(meta) = std::fs::metadata(entry.path()) else { continue };
        if meta.is_file() {
            keys.push(key);
        } else if meta.is_dir() && depth > 1 {
            walk(root, &key, depth - 1, keys)?;
        }
    }
    Ok(())
}

fn local_file(root: &Path, key: String) -> Result<InputFile> {
    let path = root.join(&key);
    let fail = |e: std::io::Error| read_error(&path.display().to_string(), &e);
    let mut file = std::fs::File::open(&path).map_err(fail)?;
    let meta = file.metadata().map_err(fail)?;
    let mut hash = blake3::Hasher::new();
    let size = std::io::copy(&mut file, &mut hash).map_err(fail)?;
    let content = format!("blake3:{}", &hash.finalize().to_hex()[..32]);
    Ok(InputFile { key, size, content, place: Place::Local { path, modified: meta.modified().ok() } })
}

async fn list_bucket(
    store: &Arc<dyn ObjectStore>,
    prefix: &object_store::path::Path,
    url: &str,
    matcher: &Pattern,
) -> Result<Vec<InputFile>> {
    let fail = |e: object_store::Error| read_error(url, &e);
    let metas: Vec<object_store::ObjectMeta> = store.list(Some(prefix)).try_collect().await.map_err(fail)?;
    let mut files = Vec::new();
    for meta in metas {
        let Some(below) = meta.location.prefix_match(prefix) else { continue };
        let key = below.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/");
        if !matches(matcher, &key) {
            continue;
        }
        // Listings may lack the tag that tells contents apart.
        let meta = if meta.e_tag.is_some() { meta } else { store.head(&meta.location).await.map_err(fail)? };
        let content = match &meta.e_tag {
            Some(tag) => format!("etag:{tag}"),
            None => format!("modified:{}", meta.last_modified.to_rfc3339()),
        };
        files.push(InputFile { key, size: meta.size, content, place: Place::Object { store: Arc::clone(store), meta } });
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn keys(root: &Path, pattern: &str) -> Vec<String> {
        Root::Local(root.to_owned()).list(pattern).await.unwrap().into_iter().map(|f| f.key).collect()
    }

    #[tokio::test]
    async fn patterns_choose_files_in_a_stable_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.csv", "a.csv", ".hidden.csv", "a.csv.tmp", "2024/01/c.csv", "2024/02/d.csv"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, name).unwrap();
        }
        assert_eq!(keys(folder.path(), "*.csv").await, ["a.csv", "b.csv"]);
        assert_eq!(keys(folder.path(), "2024/*/*.csv").await, ["2024/01/c.csv", "2024/02/d.csv"]);
        assert_eq!(keys(folder.path(), "**/*.csv").await, ["2024/01/c.csv", "2024/02/d.csv", "a.csv", "b.csv"]);
        assert!(keys(folder.path(), "*.json").await.is_empty());
        assert!(keys(&folder.path().join("absent"), "*").await.is_empty());
    }

    #[tokio::test]
    async fn the_same_content_under_the_same_name_is_the_same_batch() {
        let write = |text: &str| {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("a.csv"), text).unwrap();
            folder
        };
        let batch =
            async |folder: &tempfile::TempDir| Root::Local(folder.path().to_owned()).list("a.csv").await.unwrap()[0].batch("raw.x__y");
        let (one, same, other) = (write("1"), write("1"), write("2"));
        assert_eq!(batch(&one).await, batch(&same).await);
        assert_ne!(batch(&one).await, batch(&other).await);
    }

    #[tokio::test]
    async fn lists_a_bucket_below_its_prefix() {
        let store: Arc<dyn ObjectStore> = Arc::new(object_store::memory::InMemory::new());
        for path in ["exports/a.csv", "exports/deep/b.csv", "other/c.csv"] {
            store.put(&path.into(), "x".into()).await.unwrap();
        }
        let root = Root::Bucket { store, prefix: "exports".into(), url: "memory://".to_owned() };
        let keys: Vec<_> = root.list("**/*.csv").await.unwrap().into_iter().map(|f| f.key).collect();
        assert_eq!(keys, ["a.csv", "deep/b.csv"]);
    }
}
