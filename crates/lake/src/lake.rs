//! The handle of a lake.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use cscopilot_diag::Secret;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};

use crate::log::TableVersion;
use crate::objects::Objects;
use crate::store::{self, Root};
use crate::{Committed, Error, LockHeld, LockOwner, Params, Result, RunLock, Session, TableName, View, Write};

/// Tables that are looked at side by side.
const AT_A_TIME: usize = 8;

/// How a lake is opened.
#[derive(Debug, Clone)]
pub struct LakeOptions {
    /// Memory for queries, in bytes, shared by all sessions; what needs more spills to disk.
    pub memory_limit_bytes: usize,
    /// Threads per query. With one, which is the default, rows come in the same order and float sums have the same last digit every
    /// time. Independent steps run beside each other anyway.
    pub threads: usize,
    /// Where queries spill; default: the system's folder for temporary files.
    pub spill_folder: Option<PathBuf>,
    /// Settings of the object store, such as `aws_access_key_id`; they override the environment's variables.
    pub storage: BTreeMap<String, Secret>,
}

impl Default for LakeOptions {
    fn default() -> Self {
        Self { memory_limit_bytes: 2 << 30, threads: 1, spill_folder: None, storage: BTreeMap::new() }
    }
}

/// A lake. Cloning it is cheap.
#[derive(Clone)]
pub struct Lake {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) root: Root,
    pub(crate) options: LakeOptions,
    pub(crate) runtime: Arc<RuntimeEnv>,
    tables: Mutex<BTreeMap<TableName, Arc<TableVersion>>>,
}

/// What stands under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableKind {
    /// Rows.
    Table,
    /// SQL that is planned whenever it is read.
    View,
}

/// What is known about a table without reading its rows.
#[derive(Debug, Clone)]
pub struct TableInfo {
    /// Its name.
    pub name: TableName,
    /// Rows or SQL.
    pub kind: TableKind,
    /// Its version: the number of its last commit, from 0. For a view 0.
    pub version: u64,
    /// The last version that changed its rows; use this to find out whether what depends on it is up to date. For a view 0.
    pub data_version: u64,
    /// Its rows, where all files say how many they have. For a view unknown.
    pub rows: Option<u64>,
    /// Its data files.
    pub files: u64,
    /// Bytes of its data files.
    pub bytes: u64,
    /// Its partition columns.
    pub partition_by: Vec<String>,
    /// Its columns.
    pub schema: SchemaRef,
    /// The fingerprint that came with its last commit.
    pub fingerprint: Option<String>,
    /// The state that came with its last commit.
    pub state: Option<serde_json::Value>,
    /// The step that made its last commit.
    pub written_by: Option<String>,
}

impl std::fmt::Debug for Lake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lake({})", self.inner.root.url)
    }
}

impl Lake {
    /// Opens the lake at a folder or URL (`file://`, `s3://`, `gs://`, `az://`, `memory://`). A folder is made if need be; nothing else is
    /// touched until something is read or written.
    pub async fn open(location: &str, options: LakeOptions) -> Result<Self> {
        let root = store::open(location, &options.storage)?;
        let mode = match &options.spill_folder {
            Some(folder) => DiskManagerMode::Directories(vec![folder.clone()]),
            None => DiskManagerMode::OsTmpDirectory,
        };
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(options.memory_limit_bytes)))
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(mode))
            .build_arc()
            .map_err(Error::query)?;
        if let Ok(url) = url::Url::parse(crate::provider::STORE) {
            runtime.register_object_store(&url, Arc::clone(&root.store));
        }
        Ok(Self { inner: Arc::new(Inner { root, options, runtime, tables: Mutex::default() }) })
    }

    /// Where it is, as a URL.
    #[must_use]
    pub fn location(&self) -> &str {
        self.inner.root.url.as_str()
    }

    /// All tables and views, sorted by name.
    pub async fn tables(&self) -> Result<Vec<TableInfo>> {
        // An object store answers many at a time as quickly as one.
        let infos = futures::stream::iter(self.names().await?).map(|name| async move { self.table(&name).await }).buffered(AT_A_TIME);
        infos.try_filter_map(|info| async { Ok(info) }).try_collect().await
    }

    /// One table or view; `None` if there is none of that name.
    pub async fn table(&self, name: &TableName) -> Result<Option<TableInfo>> {
        if let Some(table) = self.newest(name).await? {
            let note = table.note.clone();
            return Ok(Some(TableInfo {
                name: name.clone(),
                kind: TableKind::Table,
                version: table.version,
                data_version: note.as_ref().map_or(table.version, |n| n.data_version),
                rows: table.rows(),
                files: table.files.len() as u64,
                bytes: table.bytes(),
                partition_by: table.partition_by.clone(),
                schema: Arc::clone(&table.schema),
                written_by: note.as_ref().map(|n| n.step.clone()),
                fingerprint: note.as_ref().and_then(|n| n.fingerprint.clone()),
                state: note.and_then(|n| n.state),
            }));
        }
        let Some(view) = self.view(name).await? else { return Ok(None) };
        let schema = self.session().schema_of(&view.sql, &view.params).await?;
        Ok(Some(TableInfo {
            name: name.clone(),
            kind: TableKind::View,
            version: 0,
            data_version: 0,
            rows: None,
            files: 0,
            bytes: 0,
            partition_by: vec![],
            schema,
            fingerprint: view.fingerprint,
            state: None,
            written_by: None,
        }))
    }

    /// The data files of each partition of a table, by the value of its first partition column; `None` for a table without partitions,
    /// a view, or none at all. As long as a partition's files are the same, so are its rows.
    pub async fn partition_files(&self, name: &TableName) -> Result<Option<BTreeMap<String, Vec<String>>>> {
        let Some(table) = self.newest(name).await? else { return Ok(None) };
        let Some(column) = table.partition_by.first() else { return Ok(None) };
        let mut partitions: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for file in &table.files {
            let value = file.partition.get(column).cloned().flatten().unwrap_or_default();
            partitions.entry(value).or_default().push(file.path.to_string());
        }
        partitions.values_mut().for_each(|files| files.sort());
        Ok(Some(partitions))
    }

    /// The names of all tables and views, sorted.
    pub async fn names(&self) -> Result<Vec<TableName>> {
        let store = &self.inner.root.store;
        let listing = |path: &Path| {
            let path = path.clone();
            async move {
                match store.list_with_delimiter(Some(&path)).await {
                    Ok(found) => Ok(found),
                    Err(object_store::Error::NotFound { .. }) => Ok(object_store::ListResult { common_prefixes: vec![], objects: vec![] }),
                    Err(error) => Err(Error::storage("listing the tables")(error)),
                }
            }
        };
        let mut names = vec![];
        for schema in listing(&Path::from("tables")).await?.common_prefixes {
            for table in listing(&schema).await?.common_prefixes {
                let name = TableName::new(schema.filename().unwrap_or_default(), table.filename().unwrap_or_default());
                if name.is_plain() && crate::log::first_object(store.as_ref(), &table.join("_delta_log")).await?.is_some() {
                    names.push(name);
                }
            }
        }
        for schema in listing(&Path::from("views")).await?.common_prefixes {
            for view in listing(&schema).await?.objects {
                let Some(stem) = view.location.filename().and_then(|f| f.strip_suffix(".json")) else { continue };
                let name = TableName::new(schema.filename().unwrap_or_default(), stem);
                if name.is_plain() {
                    names.push(name);
                }
            }
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// A new session: what it reads stays the same for as long as it lives.
    #[must_use]
    pub fn session(&self) -> Session {
        Session::new(self.clone())
    }

    /// The rows of a query, all in memory; for large results see [`Lake::stream`].
    pub async fn query(&self, sql: &str, params: &Params) -> Result<Vec<RecordBatch>> {
        self.session().query(sql, params).await
    }

    /// The rows of a query, as they come.
    pub async fn stream(&self, sql: &str, params: &Params) -> Result<SendableRecordBatchStream> {
        self.session().stream(sql, params).await
    }

    /// Makes one atomic commit; see [`Write`]. A stream that fails leaves the table as it was.
    pub async fn commit(&self, write: Write) -> Result<Committed> {
        crate::commit::commit(self, write).await
    }

    /// Stores a view under a table's name, replacing one that is there. What depends on it sees it from its next session on.
    pub async fn put_view(&self, view: &View) -> Result<()> {
        if self.newest(&view.table).await?.is_some() {
            let problem = "there is a table of that name; drop it first".to_owned();
            return Err(Error::BadWrite { table: view.table.clone(), problem });
        }
        let path = View::path(&view.table);
        let bytes = serde_json::to_vec_pretty(view).map_err(|source| Error::Json { path: path.to_string(), source })?;
        self.inner
            .root
            .store
            .put(&path, PutPayload::from(bytes))
            .await
            .map_err(Error::storage(format!("storing the view {}", view.table)))?;
        Ok(())
    }

    /// A stored view.
    pub async fn view(&self, name: &TableName) -> Result<Option<View>> {
        let path = View::path(name);
        let what = || format!("reading the view {name}");
        let found = match self.inner.root.store.get(&path).await {
            Ok(found) => found.bytes().await.map_err(Error::storage(what()))?,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(Error::storage(what())(error)),
        };
        serde_json::from_slice(&found).map(Some).map_err(|source| Error::Json { path: path.to_string(), source })
    }

    /// Removes a table or view; `false` if there was none.
    pub async fn drop_table(&self, name: &TableName) -> Result<bool> {
        self.lock_tables().remove(name);
        crate::maintain::drop_table(&self.inner.root, name).await
    }

    /// Deletes data files that no table's newest version needs and that are older than `keep`: what overwriting and crashes left behind.
    /// Gives the number of files deleted. Queries that began before that on an older version may then fail, so keep at least a day.
    pub async fn vacuum(&self, keep: chrono::TimeDelta) -> Result<u64> {
        let mut deleted = 0;
        for name in self.names().await? {
            if let Some(table) = self.newest(&name).await?.filter(|t| t.ours) {
                deleted += crate::maintain::vacuum(&self.inner.root, &table, keep).await?;
            }
        }
        Ok(deleted)
    }

    /// The objects beside the tables: runs, models, sites, states.
    #[must_use]
    pub fn objects(&self) -> Objects {
        Objects::new(self.inner.root.clone())
    }

    /// The lake's folder, where it is local.
    #[must_use]
    pub fn local_root(&self) -> Option<PathBuf> {
        self.inner.root.folder.clone()
    }

    /// Takes the lock that lets one run at a time write. It is free again when the returned value is dropped, or when this process dies.
    pub async fn lock(&self, owner: &LockOwner) -> Result<std::result::Result<RunLock, LockHeld>> {
        crate::lock::lock(&self.inner.root, owner).await
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }

    /// The newest version of a table.
    pub(crate) async fn newest(&self, name: &TableName) -> Result<Option<Arc<TableVersion>>> {
        let known = self.lock_tables().get(name).cloned();
        let newest = match known {
            Some(table) => table.newest(&self.inner.root).await?,
            None => TableVersion::load(&self.inner.root, name).await?.map(Arc::new),
        };
        let mut tables = self.lock_tables();
        match &newest {
            Some(table) => tables.insert(name.clone(), Arc::clone(table)),
            None => tables.remove(name),
        };
        Ok(newest)
    }

    fn lock_tables(&self) -> MutexGuard<'_, BTreeMap<TableName, Arc<TableVersion>>> {
        self.inner.tables.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
