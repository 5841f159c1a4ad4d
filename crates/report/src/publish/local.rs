//! Publishing on a local disk: files, sync, rename.

use super::pointer;
use crate::error::Error;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The folder a version is staged in, beside the published ones.
const STAGING: &str = ".staging";
const CURRENT: &str = "current";
/// Where an old version goes before it is deleted: a half-deleted folder must never stand under a version's name.
const TRASH: &str = ".trash";

/// A staging folder.
pub(super) struct Folder {
    root: PathBuf,
    made: Mutex<BTreeSet<String>>,
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let what = format!("{what} {}", path.display());
    move |source| Error::io(what, source)
}

impl Folder {
    pub(super) fn begin(root: PathBuf) -> Result<Self, Error> {
        for left in [STAGING, TRASH] {
            let left = root.join(left);
            if left.exists() {
                fs::remove_dir_all(&left).map_err(failed("removing", &left))?;
            }
        }
        let staging = root.join(STAGING);
        fs::create_dir_all(&staging).map_err(failed("making", &staging))?;
        Ok(Self { root, made: Mutex::default() })
    }

    pub(super) fn put(&self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        let staging = self.root.join(STAGING);
        if let Some((folder, _)) = path.rsplit_once('/') {
            let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
            if !made.contains(folder) {
                let folder_path = staging.join(folder);
                fs::create_dir_all(&folder_path).map_err(failed("making", &folder_path))?;
                made.insert(folder.to_owned());
            }
        }
        let target = staging.join(path);
        fs::write(&target, bytes).map_err(failed("writing", &target))
    }

    /// Whether nothing changed, and where the overview is.
    pub(super) fn publish(self, id: &str, keep: usize) -> Result<(bool, String), Error> {
        let staging = self.root.join(STAGING);
        let version = self.root.join("versions").join(id);
        let link = Path::new("versions").join(id);
        let current = self.root.join(CURRENT);
        let unchanged = fs::read_link(&current).is_ok_and(|target| target == link) && version.is_dir();
        if version.is_dir() {
            // The same content stands there already, complete: folders get their final name only after they are synced.
            fs::remove_dir_all(&staging).map_err(failed("removing", &staging))?;
        } else {
            sync_tree(&staging)?;
            let versions = self.root.join("versions");
            fs::create_dir_all(&versions).map_err(failed("making", &versions))?;
            fs::rename(&staging, &version).map_err(failed("publishing", &version))?;
            sync_folder(&versions)?;
        }
        if !unchanged {
            switch(&self.root, &link)?;
        }
        let index = self.root.join("index.html");
        let page = pointer("current/index.html");
        if fs::read(&index).ok().as_deref() != Some(page.as_bytes()) {
            replace(&index, page.as_bytes())?;
        }
        forget(&self.root, id, keep)?;
        Ok((unchanged, index.display().to_string()))
    }
}

/// The switch: a new link is made aside and renamed over the old one, so a reader sees the old version or the new one.
#[cfg(unix)]
fn switch(root: &Path, target: &Path) -> Result<(), Error> {
    let (aside, current) = (root.join(".current"), root.join(CURRENT));
    if aside.symlink_metadata().is_ok() {
        fs::remove_file(&aside).map_err(failed("removing", &aside))?;
    }
    std::os::unix::fs::symlink(target, &aside).map_err(failed("linking", &aside))?;
    fs::rename(&aside, &current).map_err(failed("switching", &current))?;
    sync_folder(root)
}

/// Where links need rights that people don't have, the page that leads to the version is the switch.
#[cfg(not(unix))]
fn switch(root: &Path, target: &Path) -> Result<(), Error> {
    let current = root.join(CURRENT);
    fs::create_dir_all(&current).map_err(failed("making", &current))?;
    let page = pointer(&format!("../{}/index.html", target.display().to_string().replace('\\', "/")));
    replace(&current.join("index.html"), page.as_bytes())
}

/// Writes a small file so that readers see the old bytes or the new ones.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let aside = path.with_extension("new");
    let mut file = fs::File::create(&aside).map_err(failed("writing", &aside))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed("writing", &aside))?;
    fs::rename(&aside, path).map_err(failed("replacing", path))?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Brings everything below a folder to the disk.
///
/// On Linux one call per file system is far cheaper than one per page; elsewhere each file is synced.
#[cfg(target_os = "linux")]
fn sync_tree(folder: &Path) -> Result<(), Error> {
    let handle = fs::File::open(folder).map_err(failed("syncing", folder))?;
    rustix::fs::syncfs(&handle).map_err(|errno| failed("syncing", folder)(errno.into()))
}

#[cfg(not(target_os = "linux"))]
fn sync_tree(folder: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(failed("syncing", folder))? {
        let path = entry.map_err(failed("syncing", folder))?.path();
        if path.is_dir() {
            sync_tree(&path)?;
        } else {
            fs::File::open(&path).and_then(|f| f.sync_all()).map_err(failed("syncing", &path))?;
        }
    }
    sync_folder(folder)
}

/// Brings the names in a folder to the disk.
fn sync_folder(folder: &Path) -> Result<(), Error> {
    if cfg!(unix) {
        fs::File::open(folder).and_then(|f| f.sync_all()).map_err(failed("syncing", folder))?;
    }
    Ok(())
}

/// Deletes versions beyond the newest ones. The order of publication is kept in a file, since names are hashes.
fn forget(root: &Path, id: &str, keep: usize) -> Result<(), Error> {
    let log = root.join("versions.txt");
    let text = fs::read_to_string(&log).unwrap_or_default();
    let mut order: Vec<&str> = text.lines().filter(|line| *line != id).collect();
    order.push(id);
    let kept: Vec<&str> = order.split_off(order.len().saturating_sub(keep.max(1)));
    let wanted = kept.join("\n") + "\n";
    if wanted != text {
        replace(&log, wanted.as_bytes())?;
    }
    let versions = root.join("versions");
    for entry in fs::read_dir(&versions).map_err(failed("reading", &versions))? {
        let entry = entry.map_err(failed("reading", &versions))?;
        if !kept.contains(&entry.file_name().to_string_lossy().as_ref()) {
            let trash = root.join(TRASH);
            fs::rename(entry.path(), &trash).map_err(failed("removing", &entry.path()))?;
            fs::remove_dir_all(&trash).map_err(failed("removing", &trash))?;
        }
    }
    Ok(())
}
