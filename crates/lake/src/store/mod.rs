//! Where the lake is: one object store, a prefix in it, and (for a local one) the folder.

mod durable;
mod open;

use std::path::PathBuf;
use std::sync::Arc;

use deltalake::logstore::{LogStoreRef, StorageConfig, default_logstore};
use object_store::ObjectStore;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use url::Url;

use crate::TableName;

pub(crate) use open::open;

/// The place of a lake.
#[derive(Clone)]
pub(crate) struct Root {
    /// The store, its `/` being the root of the file system, bucket or container.
    pub(crate) whole: Arc<dyn ObjectStore>,
    /// The same store, its `/` being the lake.
    pub(crate) store: Arc<dyn ObjectStore>,
    /// The lake's URL, with a slash at the end.
    pub(crate) url: Url,
    /// The lake within `whole`.
    pub(crate) prefix: Path,
    /// The lake's folder, where it is local.
    pub(crate) folder: Option<PathBuf>,
}

/// A store would show its credentials.
impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Root({})", self.url)
    }
}

impl Root {
    pub(crate) fn new(whole: Arc<dyn ObjectStore>, url: Url, prefix: Path, folder: Option<PathBuf>) -> Self {
        let store: Arc<dyn ObjectStore> = Arc::new(PrefixStore::new(Arc::clone(&whole), prefix.clone()));
        Self { whole, store, url, prefix, folder }
    }

    /// The folder of a table, relative to the lake.
    pub(crate) fn table_path(table: &TableName) -> Path {
        Path::from_iter(["tables", table.schema.as_str(), table.name.as_str()])
    }

    /// The folder of a table within `whole`.
    pub(crate) fn table_prefix(&self, table: &TableName) -> Path {
        self.prefix.parts().chain(Self::table_path(table).parts()).collect()
    }

    /// Delta's view of a table's log, over our own store.
    pub(crate) fn log_store(&self, table: &TableName) -> Option<LogStoreRef> {
        let url = self.url.join(&format!("tables/{}/{}/", table.schema, table.name)).ok()?;
        let prefixed: Arc<dyn ObjectStore> = Arc::new(PrefixStore::new(Arc::clone(&self.whole), self.table_prefix(table)));
        Some(default_logstore(prefixed, Arc::clone(&self.whole), &url, &StorageConfig::default()))
    }
}
