use super::exchange::{Content, Exchange};
use super::unusable;
use crate::redact::Redactor;
use crate::request::shown;
use crate::{Answer, Request, Result};
use cscopilot_diag::Secret;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Headers of answers that grant something.
const GRANTING: [&str; 5] = ["set-cookie", "set-cookie2", "authorization", "proxy-authorization", "authentication-info"];
/// Fields of answers that are secrets, whoever sends them.
const TOKENS: [&str; 3] = ["access_token", "refresh_token", "id_token"];

/// Writes exchanges into a folder.
#[derive(Debug)]
pub(crate) struct Recorder {
    dir: PathBuf,
    next: AtomicU32,
}

impl Recorder {
    pub(super) fn new(dir: PathBuf) -> Result<Self> {
        fs::create_dir_all(&dir).map_err(|e| unusable(&dir, e))?;
        Ok(Self { dir, next: AtomicU32::new(1) })
    }

    /// Reads an answer whole, writes it down, and gives it back to be read again.
    pub(crate) async fn keep(&self, request: &Request, mut answer: Answer, redactor: &Redactor) -> Result<Answer> {
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await? {
            body.extend_from_slice(&piece);
        }
        let redactor_here = redactor.also(&tokens(&body));
        let exchange = exchange(request, &answer, &body, &redactor_here);
        let text = serde_json::to_vec_pretty(&exchange).map_err(|e| unusable(&self.dir, e))?;
        self.write(&text)?;
        let asked = answer.asked().clone();
        Ok(Answer::kept(answer.status, answer.headers, answer.url, asked, redactor.clone(), body.into()))
    }

    /// Writes the next file: whole or not at all, and never over another one, for several clients may record into one folder.
    fn write(&self, text: &[u8]) -> Result<()> {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let path = self.dir.join(format!("{number:06}.json"));
            let part = self.dir.join(format!("{number:06}.json.part"));
            // Whoever makes the part owns the number.
            let file = match OpenOptions::new().write(true).create_new(true).open(&part) {
                Ok(file) => file,
                Err(e) if e.kind() == ErrorKind::AlreadyExists => continue,
                Err(e) => return Err(unusable(&part, e)),
            };
            if path.exists() {
                fs::remove_file(&part).map_err(|e| unusable(&part, e))?;
                continue;
            }
            return finish(file, text, &part, &path).map_err(|e| unusable(&path, e));
        }
    }
}

fn finish(mut file: File, text: &[u8], part: &Path, path: &Path) -> std::io::Result<()> {
    file.write_all(text)?;
    file.write_all(b"\n")?;
    drop(file);
    fs::rename(part, path)
}

fn exchange(request: &Request, answer: &Answer, body: &[u8], redactor: &Redactor) -> Exchange {
    let body = Content::new(redactor.clean_bytes(body));
    let mut headers: std::collections::BTreeMap<String, String> = answer
        .headers
        .iter()
        .filter(|(name, _)| !GRANTING.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), redactor.clean(value)))
        .collect();
    // What was taken out of the body changed its length.
    if let Some(length) = headers.get_mut("content-length") {
        *length = body.len().to_string();
    }
    Exchange {
        method: request.method.to_string(),
        url: request.recorded_url(redactor),
        request_body: request.recorded_body(redactor).map(Content::new),
        status: answer.status,
        answered_by: (answer.url != request.url).then(|| redactor.clean(&shown(&answer.url))),
        headers,
        body,
    }
}

/// The tokens in an answer, if it is one that brings tokens.
fn tokens(body: &[u8]) -> Vec<Secret> {
    // Only a small answer is a token answer; the others need not be parsed.
    const MOST: usize = 64 * 1024;
    let parsed = if body.len() <= MOST { serde_json::from_slice(body).unwrap_or_default() } else { serde_json::Value::Null };
    TOKENS.iter().filter_map(|name| parsed.get(name)?.as_str()).map(Secret::new).collect()
}
