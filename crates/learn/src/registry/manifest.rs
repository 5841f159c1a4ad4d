//! `manifest.json`: the files of a version with their lengths and hashes, so that damage is found before anything is made of it.
//!
//! The XGBoost library trusts its files: one flipped byte in a model can end the process, whatever is caught around the call. So no file
//! reaches it that is not the one that was written.

use cscopilot_lake::Objects;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::registry::card::pretty;
use crate::registry::vet;

/// The manifest's name in a version's folder.
pub const FILE: &str = "manifest.json";

/// `manifest.json`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version's files by name.
    pub files: Vec<FileEntry>,
}

/// One file of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// The BLAKE3 hash of its content in hexadecimal.
    pub blake3: String,
}

impl Manifest {
    /// The manifest of files that are about to be written.
    pub fn of(files: &[(String, Vec<u8>)]) -> Self {
        let mut files: Vec<FileEntry> =
            files.iter().map(|(name, bytes)| FileEntry { name: name.clone(), bytes: bytes.len() as u64, blake3: hash(bytes) }).collect();
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Self { files }
    }

    /// The file's content.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        pretty(self)
    }

    /// The entry of a file.
    pub fn entry(&self, name: &str) -> Option<&FileEntry> {
        self.files.iter().find(|f| f.name == name)
    }
}

impl FileEntry {
    /// Says what is wrong with a content that is not the one that was written.
    fn problem(&self, bytes: &[u8]) -> Option<String> {
        if bytes.len() as u64 == self.bytes && hash(bytes) == self.blake3 {
            return None;
        }
        if let Some(other) = vet::foreign(bytes).filter(|_| self.name.starts_with("model.")) {
            return Some(format!("it was replaced by another file: it is {other}"));
        }
        if bytes.len() as u64 == self.bytes {
            return Some("it is damaged: its content is not what was written".to_owned());
        }
        Some(format!("it is damaged: it has {} bytes, {} were written", bytes.len(), self.bytes))
    }
}

fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// The files of one version, each checked as it is read.
pub struct Files<'a> {
    objects: &'a Objects,
    folder: String,
    manifest: Manifest,
}

impl<'a> Files<'a> {
    /// Opens a version's folder.
    ///
    /// # Errors
    /// [`Error::BadModel`] where there is no manifest or it can't be read: nothing would vouch for the other files.
    pub async fn open(objects: &'a Objects, folder: String) -> Result<Self> {
        let path = format!("{folder}/{FILE}");
        let bytes = objects.get(&path).await?.ok_or_else(|| missing(path.clone()))?;
        Ok(Self { objects, folder, manifest: json(&path, &bytes)? })
    }

    /// The path of a file.
    pub fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// The content of a file; nothing where the version never had it.
    ///
    /// # Errors
    /// [`Error::BadModel`] for a file that is gone, or is not the one that was written.
    pub async fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let Some(entry) = self.manifest.entry(name) else { return Ok(None) };
        let path = self.path(name);
        let bytes = self.objects.get(&path).await?.ok_or_else(|| missing(path.clone()))?;
        match entry.problem(&bytes) {
            Some(problem) => Err(Error::BadModel { path, problem }),
            None => Ok(Some(bytes.to_vec())),
        }
    }

    /// The content of a file that every version has.
    ///
    /// # Errors
    /// [`Error::BadModel`] as for [`Files::get`], and where there is none.
    pub async fn need(&self, name: &str) -> Result<Vec<u8>> {
        self.get(name).await?.ok_or_else(|| missing(self.path(name)))
    }

    /// Every file of the version by name and content, but the manifest itself.
    ///
    /// # Errors
    /// [`Error::BadModel`] as for [`Files::get`].
    pub async fn all(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let mut all = Vec::new();
        for entry in &self.manifest.files {
            all.push((entry.name.clone(), self.need(&entry.name).await?));
        }
        Ok(all)
    }
}

fn missing(path: String) -> Error {
    Error::BadModel { path, problem: "the file is missing".to_owned() }
}

/// Reads a JSON file of the registry.
///
/// # Errors
/// [`Error::BadModel`] for JSON that is none, or of something else.
pub fn json<T: serde::de::DeserializeOwned>(path: &str, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|e| Error::BadModel { path: path.to_owned(), problem: e.to_string() })
}
