//! Reading a table's Delta log: one version of a table, with its files and what its last commit said about itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::Statistics;
use deltalake::kernel::{Remove, Version};
use deltalake::logstore::LogStoreRef;
use deltalake::{DeltaTable, DeltaTableError};
use futures::StreamExt;
use object_store::ObjectStore;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use crate::schema::lenient_schema;
use crate::stats;
use crate::store::Root;
use crate::{Error, Result, TableName};

/// The key under which a commit says what it is; also the table property that marks our own tables.
pub(crate) const NOTE: &str = "cscopilot";
/// The table property by which we know that partition columns are in the files too, as our reader expects.
pub(crate) const LAYOUT: &str = "cscopilot.layout";

/// What a commit of ours says about itself, in the log entry's `commitInfo`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) step: String,
    pub(crate) run: String,
    /// Tells one attempt from another.
    #[serde(default)]
    pub(crate) token: String,
    pub(crate) mode: String,
    /// Rows of the data.
    pub(crate) rows: u64,
    /// The last version that changed rows; it is this one, unless nothing was added or removed.
    pub(crate) data_version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fingerprint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<serde_json::Value>,
}

/// A data file of a table.
#[derive(Debug, Clone)]
pub(crate) struct DataFile {
    /// Relative to the table's folder.
    pub(crate) path: Path,
    pub(crate) size: u64,
    pub(crate) rows: Option<u64>,
    pub(crate) partition: BTreeMap<String, Option<String>>,
    pub(crate) statistics: Arc<Statistics>,
    /// What the log says to be rid of it.
    pub(crate) remove: Remove,
}

/// One version of a table.
#[derive(Debug)]
pub(crate) struct TableVersion {
    pub(crate) name: TableName,
    pub(crate) version: Version,
    pub(crate) schema: SchemaRef,
    pub(crate) partition_by: Vec<String>,
    /// In the order in which they were written, which is the order of their names.
    pub(crate) files: Vec<DataFile>,
    /// Whether we made the table: then our own reader and writer fit it.
    pub(crate) ours: bool,
    pub(crate) note: Option<Note>,
    pub(crate) delta: DeltaTable,
}

impl TableVersion {
    /// All rows, if every file says how many it has.
    pub(crate) fn rows(&self) -> Option<u64> {
        self.files.iter().map(|f| f.rows).sum()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|f| f.size).sum()
    }

    pub(crate) fn log_store(&self) -> LogStoreRef {
        self.delta.log_store()
    }

    /// Reads the newest version; `None` if there is no such table.
    pub(crate) async fn load(root: &Root, name: &TableName) -> Result<Option<Self>> {
        let log = Root::table_path(name).join("_delta_log");
        if first_object(root.store.as_ref(), &log).await?.is_none() {
            return Ok(None);
        }
        let store = root.log_store(name).ok_or_else(|| Error::BadName { name: name.to_string() })?;
        let mut delta = DeltaTable::new(store);
        match delta.load().await {
            Ok(()) => Self::read(name, delta).await.map(Some),
            Err(DeltaTableError::NotATable(_)) => Ok(None),
            Err(error) => Err(Error::delta(name)(error)),
        }
    }

    /// This version if it is still the newest one, else the newest one.
    pub(crate) async fn newest(self: Arc<Self>, root: &Root) -> Result<Option<Arc<Self>>> {
        let entry = |version: u64| Root::table_path(&self.name).join("_delta_log").join(format!("{version:020}.json"));
        let store = root.store.as_ref();
        if !exists(store, &entry(self.version)).await? {
            // Dropped, perhaps made anew: what is known about it is void.
            return Ok(Self::load(root, &self.name).await?.map(Arc::new));
        }
        if !exists(store, &entry(self.version + 1)).await? {
            return Ok(Some(self));
        }
        let mut delta = self.delta.clone();
        match delta.update_state().await {
            Ok(()) => Ok(Some(Arc::new(Self::read(&self.name, delta).await?))),
            Err(_) => Ok(Self::load(root, &self.name).await?.map(Arc::new)),
        }
    }

    async fn read(name: &TableName, delta: DeltaTable) -> Result<Self> {
        let failed = || Error::delta(name);
        let state = delta.snapshot().map_err(failed())?;
        let version = state.version();
        let metadata = state.metadata();
        let ours = metadata.configuration().contains_key(LAYOUT);
        let partition_by = metadata.partition_columns().to_vec();
        let schema = lenient_schema(state.snapshot().arrow_schema().as_ref());
        let mut files: Vec<DataFile> = state
            .log_data()
            .iter()
            .map(|view| {
                let size = u64::try_from(view.size()).unwrap_or_default();
                let (statistics, rows) = stats::from_json(view.stats().as_deref(), &schema, size);
                let partition = view.partition_values_map().into_iter().collect();
                let remove = view.remove_action(true);
                DataFile { path: view.object_store_path(), size, rows, partition, statistics: Arc::new(statistics), remove }
            })
            .collect();
        files.sort_by(|a, b| (a.path.filename(), &a.path).cmp(&(b.path.filename(), &b.path)));
        let note = note_of(&delta, name, version).await?;
        Ok(Self { name: name.clone(), version, schema, partition_by, files, ours, note, delta })
    }

    /// The note of the commit by this step and run, if there was one. Delta keeps the last transaction of every step; the exact run
    /// stands in the entry itself, which is looked for from the newest backwards.
    pub(crate) async fn committed_by(&self, step: &str, run: &str) -> Result<Option<(Version, Option<Note>)>> {
        let state = self.delta.snapshot().map_err(Error::delta(&self.name))?;
        let store = self.log_store();
        let last = state.transaction_version(store.as_ref(), step).await.map_err(Error::delta(&self.name))?;
        if last != Some(run_number(run)) {
            return Ok(None);
        }
        for version in (0..=self.version).rev() {
            match note_of(&self.delta, &self.name, version).await? {
                Some(note) if note.step == step && note.run == run => return Ok(Some((version, Some(note)))),
                Some(note) if note.step == step => return Ok(None),
                _ => {}
            }
        }
        Ok(Some((self.version, None)))
    }
}

/// Delta wants a number for a transaction: the first 63 bits of a hash of the run.
pub(crate) fn run_number(run: &str) -> i64 {
    // FNV-1a: stable, and short enough to stand here. Collisions are told apart by the run's name in the entry.
    let hash = run.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    i64::try_from(hash >> 1).unwrap_or(i64::MAX)
}

async fn note_of(delta: &DeltaTable, name: &TableName, version: Version) -> Result<Option<Note>> {
    let Some(bytes) = delta.log_store().read_commit_entry(version).await.map_err(Error::delta(name))? else { return Ok(None) };
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Line {
        commit_info: Option<serde_json::Value>,
    }
    // Ours is the first line; others may put it anywhere.
    for line in bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
        if let Ok(Line { commit_info: Some(mut info) }) = serde_json::from_slice::<Line>(line) {
            return Ok(serde_json::from_value(info[NOTE].take()).ok());
        }
    }
    Ok(None)
}

pub(crate) async fn first_object(store: &dyn ObjectStore, prefix: &Path) -> Result<Option<Path>> {
    match store.list(Some(prefix)).next().await {
        None | Some(Err(object_store::Error::NotFound { .. })) => Ok(None),
        Some(Ok(meta)) => Ok(Some(meta.location)),
        Some(Err(error)) => Err(Error::storage(format!("listing {prefix}"))(error)),
    }
}

pub(crate) async fn exists(store: &dyn ObjectStore, path: &Path) -> Result<bool> {
    use object_store::ObjectStoreExt;
    match store.head(path).await {
        Ok(_) => Ok(true),
        Err(object_store::Error::NotFound { .. }) => Ok(false),
        Err(error) => Err(Error::storage(format!("looking for {path}"))(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_always_has_the_same_number() {
        assert_eq!(run_number("2023-10-01-a"), run_number("2023-10-01-a"));
        assert_ne!(run_number("2023-10-01-a"), run_number("2023-10-01-b"));
        assert!(run_number("x") >= 0);
    }
}
