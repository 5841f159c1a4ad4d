//! A version of a Delta table as DataFusion reads it.
//!
//! Our tables keep partition columns in the files too, so a scan is a plain Parquet scan over a list of files, and partitions are
//! pruned by the same statistics as everything else. Files come in the order in which they were written, so that a session with
//! one thread sees rows in the same order every time.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PrunableStatistics;
use datafusion::common::{DFSchema, Result, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use object_store::path::Path;

use crate::log::{DataFile, TableVersion};
use crate::store::Root;

/// The name under which a session knows the lake's store.
pub(crate) const STORE: &str = "cscopilot-lake://lake";

/// A scan over data files of a table.
#[derive(Debug)]
pub(crate) struct FilesTable {
    schema: SchemaRef,
    folder: Path,
    files: Vec<DataFile>,
}

impl FilesTable {
    pub(crate) fn of(table: &TableVersion) -> Self {
        Self { schema: Arc::clone(&table.schema), folder: Root::table_path(&table.name), files: table.files.clone() }
    }

    /// Which files may hold rows that pass the filters.
    fn prune(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<&DataFile>> {
        let all = || self.files.iter().collect();
        let Some(filter) = conjunction(filters.iter().cloned()) else { return Ok(all()) };
        let schema = DFSchema::try_from(Arc::clone(&self.schema))?;
        let predicate = state.create_physical_expr(filter, &schema)?;
        let Ok(pruning) = PruningPredicateBuilder::new().with_file_schema(Arc::clone(&self.schema)).try_build(predicate) else {
            return Ok(all());
        };
        let statistics = PrunableStatistics::new(self.files.iter().map(|f| Arc::clone(&f.statistics)).collect(), Arc::clone(&self.schema));
        let keep = pruning.prune(&statistics)?;
        Ok(self.files.iter().zip(keep).filter_map(|(file, keep)| keep.then_some(file)).collect())
    }

    fn merged<'a>(&self, files: impl IntoIterator<Item = &'a DataFile>) -> Result<Statistics> {
        let mut files = files.into_iter().map(|f| f.statistics.as_ref()).peekable();
        if files.peek().is_none() { Ok(Statistics::new_unknown(&self.schema)) } else { Statistics::try_merge_iter(files, &self.schema) }
    }
}

#[async_trait]
impl TableProvider for FilesTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    fn statistics(&self) -> Option<Statistics> {
        self.merged(&self.files).ok()
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.prune(state, filters)?;
        if files.is_empty() {
            let schema = match projection {
                Some(columns) => Arc::new(self.schema.project(columns)?),
                None => self.schema(),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let statistics = self.merged(files.iter().copied())?;
        let url = ObjectStoreUrl::parse(STORE)?;
        let runtime = state.runtime_env();
        let factory = CachedParquetFileReaderFactory::new(runtime.object_store(&url)?, runtime.cache_manager.get_file_metadata_cache());
        let source = ParquetSource::new(Arc::clone(&self.schema))
            .with_table_parquet_options(state.default_table_options().parquet)
            .with_parquet_file_reader_factory(Arc::new(factory));
        let config = FileScanConfigBuilder::new(url, Arc::new(source))
            .with_file_groups(self.groups(&files, state.config_options().execution.target_partitions))
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

impl FilesTable {
    /// The files in at most `threads` groups of neighbours. DataFusion splits large files further itself.
    fn groups(&self, files: &[&DataFile], threads: usize) -> Vec<FileGroup> {
        let per_group = files.len().div_ceil(threads.max(1)).max(1);
        files
            .chunks(per_group)
            .map(|chunk| {
                let files = chunk.iter().map(|file| {
                    let path: Path = self.folder.parts().chain(file.path.parts()).collect();
                    let mut scanned = PartitionedFile::new("", file.size);
                    scanned.object_meta.location = path;
                    scanned.with_statistics(Arc::clone(&file.statistics))
                });
                FileGroup::new(files.collect())
            })
            .collect()
    }
}
