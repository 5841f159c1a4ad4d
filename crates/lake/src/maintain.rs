//! Dropping tables, and sweeping out files that no version needs.

use std::collections::BTreeSet;

use cscopilot_diag::clock;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use crate::log::TableVersion;
use crate::store::Root;
use crate::{Error, Result, TableName, View};

/// Removes a table or view; `false` if there was none. The log goes first, newest entry first, so that a crash in between leaves an
/// older version of the table, not a broken one.
pub(crate) async fn drop_table(root: &Root, name: &TableName) -> Result<bool> {
    if !name.is_plain() {
        return Err(Error::BadName { name: name.to_string() });
    }
    let store = root.store.as_ref();
    let view = View::path(name);
    let mut dropped = crate::log::exists(store, &view).await?;
    if dropped {
        delete(store, &view).await?;
    }
    let folder = Root::table_path(name);
    let (mut log, mut data): (Vec<Path>, Vec<Path>) = (vec![], vec![]);
    for object in list(store, &folder).await? {
        let in_log = object.location.parts().any(|part| part.as_ref() == "_delta_log");
        if in_log { log.push(object.location) } else { data.push(object.location) }
    }
    // `_last_checkpoint` and checkpoints first, since they sort after the entries that make them needless.
    log.sort_by_key(|path| {
        let file = path.filename().unwrap_or_default().to_owned();
        (!file.contains("checkpoint"), std::cmp::Reverse(file))
    });
    dropped |= !log.is_empty();
    for path in log.into_iter().chain(data) {
        delete(store, &path).await?;
    }
    if let Some(root) = &root.folder {
        let folder = root.join("tables").join(&name.schema).join(&name.name);
        if folder.is_dir() {
            std::fs::remove_dir_all(&folder).map_err(Error::disk(format!("removing {}", folder.display())))?;
        }
    }
    Ok(dropped)
}

/// Deletes files of a table's folder that its newest version does not refer to and that are older than `keep`. Readers of older
/// versions lose them, which is what `keep` is for.
pub(crate) async fn vacuum(root: &Root, table: &TableVersion, keep: chrono::TimeDelta) -> Result<u64> {
    let folder = Root::table_path(&table.name);
    let needed: BTreeSet<String> = table.files.iter().map(|f| f.path.to_string()).collect();
    let before = clock::now() - keep;
    let mut deleted = 0;
    for object in list(root.store.as_ref(), &folder).await? {
        let relative = object.location.prefix_match(&folder).map(|parts| parts.collect::<Path>()).unwrap_or_default();
        let data = relative.extension() == Some("parquet") && relative.parts_count() == 1;
        if data && object.last_modified < before && !needed.contains(relative.as_ref()) {
            delete(root.store.as_ref(), &object.location).await?;
            deleted += 1;
        }
    }
    Ok(deleted)
}

/// Deletes the unfinished files (`part.parquet#1`) that a killed process left anywhere in a local lake; the store doesn't list them.
/// Only for the holder of the lock: another writer's would be among them. Cost: one look at every file name.
pub(crate) fn sweep(root: &std::path::Path) -> Result<u64> {
    let mut folders: Vec<_> =
        std::iter::once("tables").chain(crate::objects::FOLDERS.iter().copied()).map(|name| root.join(name)).collect();
    let mut deleted = 0;
    while let Some(folder) = folders.pop() {
        let failed = |e| Error::disk(format!("sweeping {}", folder.display()))(e);
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(error)),
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type().map_err(failed)?.is_dir() {
                folders.push(entry.path());
            } else if name.rsplit_once('#').is_some_and(|(_, n)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())) {
                std::fs::remove_file(entry.path()).map_err(failed)?;
                deleted += 1;
            }
        }
    }
    Ok(deleted)
}

async fn list(store: &dyn ObjectStore, folder: &Path) -> Result<Vec<ObjectMeta>> {
    match store.list(Some(folder)).try_collect().await {
        Ok(found) => Ok(found),
        Err(object_store::Error::NotFound { .. }) => Ok(vec![]),
        Err(error) => Err(Error::storage(format!("listing {folder}"))(error)),
    }
}

async fn delete(store: &dyn ObjectStore, path: &Path) -> Result<()> {
    match store.delete(path).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(Error::storage(format!("deleting {path}"))(error)),
    }
}
