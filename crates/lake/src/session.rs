//! A session: SQL over the lake, with everything it reads pinned.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, plan_err};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::{MemTable, TableProvider, ViewTable};
use datafusion::execution::context::{SQLOptions, SessionContext};
use datafusion::execution::{SendableRecordBatchStream, SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionConfig;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;

use crate::catalog::{CATALOG, LOCAL, LakeCatalog};
use crate::lake::Inner;
use crate::schema::lenient_schema;
use crate::{Error, Lake, Params, Result, SqlError, TableName, udf};

/// SQL over the lake. Every table is read at the version it had when this session first used it, so all queries of a session agree
/// with each other. Tables and views that are registered here hide those of the lake and are gone with the session.
pub struct Session {
    context: SessionContext,
    catalog: Arc<LakeCatalog>,
    lake: Lake,
}

/// The configuration of every session: plain strings, UTC, places in errors.
pub(crate) fn config(threads: usize) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_target_partitions(threads.max(1))
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(CATALOG, LOCAL)
        .with_information_schema(false);
    let options = config.options_mut();
    options.execution.time_zone = Some("UTC".to_owned());
    options.execution.parquet.schema_force_view_types = false;
    options.sql_parser.map_string_types_to_utf8view = false;
    options.sql_parser.collect_spans = true;
    config
}

/// A context over the lake's runtime, without its catalog.
pub(crate) fn context(lake: &Inner) -> SessionContext {
    let state = SessionStateBuilder::new()
        .with_config(config(lake.options.threads))
        .with_runtime_env(Arc::clone(&lake.runtime))
        .with_default_features()
        .build();
    let context = SessionContext::new_with_state(state);
    udf::register(&context);
    context
}

/// Parses, binds parameters and plans; only queries (and `EXPLAIN`).
pub(crate) async fn plan_sql(state: &SessionState, sql: &str, params: &Params) -> Result<LogicalPlan, DataFusionError> {
    let dialect = state.config().options().sql_parser.dialect;
    let mut statement = state.sql_to_statement(sql, &dialect)?;
    if !is_query(&statement) {
        return plan_err!("only queries are allowed here: a statement that begins with SELECT, WITH or VALUES");
    }
    crate::bind::bind(&mut statement, params)?;
    let plan = state.statement_to_plan(statement).await?;
    SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false).verify_plan(&plan)?;
    Ok(plan)
}

fn is_query(statement: &Statement) -> bool {
    match statement {
        Statement::Statement(inner) => matches!(inner.as_ref(), ast::Statement::Query(_) | ast::Statement::Explain { .. }),
        Statement::Explain(explain) => is_query(&explain.statement),
        _ => false,
    }
}

impl Session {
    pub(crate) fn new(lake: Lake) -> Self {
        let context = context(lake.inner());
        let catalog = LakeCatalog::new(Some(lake.clone()));
        context.register_catalog(CATALOG, Arc::clone(&catalog) as _);
        Self { context, catalog, lake }
    }

    /// DataFusion's own context, for what this type doesn't offer.
    #[must_use]
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    /// The lake it reads.
    #[must_use]
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    /// A planned query.
    pub async fn sql(&self, sql: &str, params: &Params) -> Result<DataFrame> {
        let state = self.context.state();
        match plan_sql(&state, sql, params).await {
            Ok(plan) => Ok(DataFrame::new(state, plan)),
            Err(error) => Err(self.explain(sql, error).await),
        }
    }

    /// The rows of a query, all in memory.
    pub async fn query(&self, sql: &str, params: &Params) -> Result<Vec<RecordBatch>> {
        self.sql(sql, params).await?.collect().await.map_err(|e| self.failed(sql, e))
    }

    /// The rows of a query, as they come.
    pub async fn stream(&self, sql: &str, params: &Params) -> Result<SendableRecordBatchStream> {
        self.sql(sql, params).await?.execute_stream().await.map_err(|e| self.failed(sql, e))
    }

    /// The columns a query gives, as a table would hold them.
    pub async fn schema_of(&self, sql: &str, params: &Params) -> Result<SchemaRef> {
        Ok(lenient_schema(self.sql(sql, params).await?.schema().as_arrow()))
    }

    /// The columns of a table or view.
    pub async fn table_schema(&self, table: &TableName) -> Result<Option<SchemaRef>> {
        let found = self.catalog.resolve(table).await.map_err(Error::query)?;
        Ok(found.map(|provider| lenient_schema(&provider.schema())))
    }

    /// Puts rows under a name, for this session only.
    pub fn register_batches(&self, table: &TableName, schema: SchemaRef, batches: Vec<RecordBatch>) -> Result<()> {
        let provider = MemTable::try_new(schema, vec![batches]).map_err(Error::query)?;
        self.register_provider(table, Arc::new(provider));
        Ok(())
    }

    /// Puts a query under a name, for this session only.
    pub async fn register_view(&self, table: &TableName, sql: &str, params: &Params) -> Result<()> {
        let plan = self.sql(sql, params).await?.into_unoptimized_plan();
        self.register_provider(table, Arc::new(ViewTable::new(plan, Some(sql.to_owned()))));
        Ok(())
    }

    /// Puts anything DataFusion can read under a name, for this session only.
    pub fn register_provider(&self, table: &TableName, provider: Arc<dyn TableProvider>) {
        self.catalog.register(table.clone(), provider);
    }

    /// The versions of the lake's tables that this session has used so far.
    #[must_use]
    pub fn pinned_versions(&self) -> BTreeMap<TableName, u64> {
        self.catalog.versions()
    }

    /// An error of planning: with its place, and with what was meant, for which the lake is asked for its tables.
    async fn explain(&self, sql: &str, error: DataFusionError) -> Error {
        let mut names = self.catalog.known();
        names.extend(self.lake.names().await.unwrap_or_default());
        SqlError::from_planning(sql, &error, &names).into()
    }

    /// An error of execution; one that planning could have found (by a view, by a cast of a literal) still gets its place.
    fn failed(&self, sql: &str, error: DataFusionError) -> Error {
        match error.find_root() {
            DataFusionError::Plan(_) | DataFusionError::SchemaError(..) => {
                SqlError::from_planning(sql, &error, &self.catalog.known()).into()
            }
            _ => Error::query(error),
        }
    }
}
