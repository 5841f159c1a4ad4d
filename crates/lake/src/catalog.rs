//! The catalog of a session: the lake's tables and views under their own names, each pinned when it is first used, and whatever
//! the session registered on top.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, plan_err};
use datafusion::datasource::ViewTable;
use datafusion::datasource::provider_as_source;
use datafusion::execution::context::SessionContext;
use datafusion::logical_expr::{LogicalPlanBuilder, cast, ident};

use crate::log::TableVersion;
use crate::provider::FilesTable;
use crate::session::{context, plan_sql};
use crate::{Lake, TableName};

/// The catalog's name in DataFusion.
pub(crate) const CATALOG: &str = "lake";
/// The schema of names without one: only what a session registered itself.
pub(crate) const LOCAL: &str = "local";

tokio::task_local! {
    /// The views being planned, to notice one that needs itself.
    static PLANNING: Vec<TableName>;
}

/// A table as a session sees it.
#[derive(Clone)]
struct Pinned {
    provider: Arc<dyn TableProvider>,
    version: Option<u64>,
}

/// The catalog of one session.
pub(crate) struct LakeCatalog {
    me: Weak<Self>,
    /// No lake: only what is registered.
    lake: Option<Lake>,
    pins: Mutex<BTreeMap<TableName, Pinned>>,
}

impl fmt::Debug for LakeCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LakeCatalog({:?})", self.lake)
    }
}

impl LakeCatalog {
    pub(crate) fn new(lake: Option<Lake>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self { me: me.clone(), lake, pins: Mutex::default() })
    }

    fn pins(&self) -> MutexGuard<'_, BTreeMap<TableName, Pinned>> {
        self.pins.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Puts a table on top of the lake's.
    pub(crate) fn register(&self, name: TableName, provider: Arc<dyn TableProvider>) {
        self.pins().insert(name, Pinned { provider, version: None });
    }

    /// The versions of the lake's tables that were used so far.
    pub(crate) fn versions(&self) -> BTreeMap<TableName, u64> {
        self.pins().iter().filter_map(|(name, pinned)| Some((name.clone(), pinned.version?))).collect()
    }

    /// The names that are known without asking the lake.
    pub(crate) fn known(&self) -> Vec<TableName> {
        self.pins().keys().cloned().collect()
    }

    /// The table of that name, pinned from now on.
    pub(crate) async fn resolve(&self, name: &TableName) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        if let Some(pinned) = self.pins().get(name) {
            return Ok(Some(Arc::clone(&pinned.provider)));
        }
        let Some(lake) = self.lake.as_ref().filter(|_| name.is_plain()) else { return Ok(None) };
        let external = |e: crate::Error| DataFusionError::External(Box::new(e));
        let pinned = if let Some(table) = lake.newest(name).await.map_err(external)? {
            let provider: Arc<dyn TableProvider> =
                if table.ours { Arc::new(FilesTable::of(&table)) } else { foreign(lake, &table).await? };
            Pinned { provider, version: Some(table.version) }
        } else if let Some(view) = lake.view(name).await.map_err(external)? {
            Pinned { provider: self.plan_view(lake, &view).await?, version: None }
        } else {
            return Ok(None);
        };
        // Another task may have been quicker; then its version is the session's.
        Ok(Some(Arc::clone(&self.pins().entry(name.clone()).or_insert(pinned).provider)))
    }

    async fn plan_view(&self, lake: &Lake, view: &crate::View) -> Result<Arc<dyn TableProvider>, DataFusionError> {
        let mut stack = PLANNING.try_with(Clone::clone).unwrap_or_default();
        if stack.contains(&view.table) {
            return plan_err!("the view {} needs itself", view.table);
        }
        stack.push(view.table.clone());
        let Some(me) = self.me.upgrade() else { return plan_err!("the session has ended") };
        let context: SessionContext = context(lake.inner());
        context.register_catalog(CATALOG, me);
        let plan = PLANNING.scope(stack, plan_sql(&context.state(), &view.sql, &view.params)).await?;
        Ok(Arc::new(ViewTable::new(plan, Some(view.sql.clone()))))
    }
}

/// A table that another program made: read by delta's own scan, with the types that our tables have.
async fn foreign(lake: &Lake, table: &TableVersion) -> Result<Arc<dyn TableProvider>, DataFusionError> {
    let state = Arc::new(context(lake.inner()).state());
    table.delta.update_datafusion_session(state.as_ref()).map_err(|e| DataFusionError::External(Box::new(e)))?;
    let provider = table.delta.table_provider().with_session(state).await?;
    let columns = table.schema.fields().iter().map(|f| cast(ident(f.name()), f.data_type().clone()).alias(f.name()));
    let plan = LogicalPlanBuilder::scan("delta", provider_as_source(provider), None)?.project(columns.collect::<Vec<_>>())?.build()?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

impl CatalogProvider for LakeCatalog {
    fn schema_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.pins().keys().map(|n| n.schema.clone()).collect();
        names.dedup();
        names
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        Some(Arc::new(LakeSchema { catalog: self.me.upgrade()?, name: name.to_owned() }))
    }
}

#[derive(Debug)]
struct LakeSchema {
    catalog: Arc<LakeCatalog>,
    name: String,
}

#[async_trait]
impl SchemaProvider for LakeSchema {
    fn table_names(&self) -> Vec<String> {
        self.catalog.pins().keys().filter(|n| n.schema == self.name).map(|n| n.name.clone()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        self.catalog.resolve(&TableName::new(&self.name, name)).await
    }

    fn register_table(&self, name: String, table: Arc<dyn TableProvider>) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        let pinned = Pinned { provider: table, version: None };
        Ok(self.catalog.pins().insert(TableName::new(&self.name, name), pinned).map(|p| p.provider))
    }

    fn deregister_table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        Ok(self.catalog.pins().remove(&TableName::new(&self.name, name)).map(|p| p.provider))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.catalog.pins().contains_key(&TableName::new(&self.name, name))
    }
}
