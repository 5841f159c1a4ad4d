use super::exchange::{Content, Exchange, Key};
use super::unusable;
use crate::redact::Redactor;
use crate::{Answer, Error, Request, Result};
use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use url::Url;

/// Answers from a folder.
#[derive(Debug)]
pub(crate) struct Player {
    dir: PathBuf,
    /// Which files answer a request, in the order of recording, and how many did already.
    files: Mutex<BTreeMap<Key, (VecDeque<PathBuf>, usize)>>,
}

impl Player {
    pub(super) fn new(dir: PathBuf) -> Result<Self> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(&dir).map_err(|e| unusable(&dir, e))? {
            let path = entry.map_err(|e| unusable(&dir, e))?.path();
            if path.extension().is_some_and(|ending| ending == "json") {
                paths.push(path);
            }
        }
        // Numbers have leading zeros; beyond a million a longer name is a later one.
        paths.sort_by_key(|path| (path.as_os_str().len(), path.clone()));
        let mut files = BTreeMap::<Key, (VecDeque<PathBuf>, usize)>::new();
        for path in paths {
            let key = read(&path)?.key();
            files.entry(key).or_default().0.push_back(path);
        }
        Ok(Self { dir, files: Mutex::new(files) })
    }

    pub(crate) fn answer(&self, request: &Request, asked: (String, String), redactor: &Redactor) -> Result<Answer> {
        let key = Key {
            method: request.method.to_string(),
            url: request.recorded_url(redactor),
            body: request.recorded_body(redactor).map(Content::new),
        };
        let path = self.next(key)?;
        let exchange = read(&path)?;
        let url = match exchange.answered_by {
            None => request.url.clone(),
            Some(url) => Url::parse(&url).map_err(|e| unusable(&path, e))?,
        };
        let body = exchange.body.bytes().ok_or_else(|| unusable(&path, "its body is not base64"))?;
        tracing::debug!(method = asked.0, url = asked.1, status = exchange.status, "answered from a recording");
        Ok(Answer::kept(exchange.status, exchange.headers, url, asked, redactor.clone(), body.into()))
    }

    fn next(&self, key: Key) -> Result<PathBuf> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let mut given = 0;
        if let Some((paths, count)) = files.get_mut(&key) {
            given = *count;
            if let Some(path) = paths.pop_front() {
                *count += 1;
                return Ok(path);
            }
        }
        Err(Error::NotRecorded { method: key.method, url: key.url, dir: self.dir.display().to_string(), nth: given + 1 })
    }
}

fn read(path: &Path) -> Result<Exchange> {
    let text = fs::read(path).map_err(|e| unusable(path, e))?;
    serde_json::from_slice(&text).map_err(|e| unusable(path, e))
}
