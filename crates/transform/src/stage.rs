//! Rows that wait for their checks.
//!
//! A table's rows go straight into the commit, which publishes nothing until its stream ends well. Beside it, the
//! columns that checks look at are kept here: in memory while they are few, then in a temporary file.

use crate::error::{Error, Result};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use cscopilot_lake::TableName;
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::sync::Arc;
use tempfile::NamedTempFile;

/// From this size on, rows go to a file.
const IN_MEMORY_BYTES: usize = 64 << 20;

/// Keeps some columns of the batches pushed into it.
pub(crate) struct Stage {
    table: TableName,
    schema: SchemaRef,
    columns: Vec<usize>,
    batches: Vec<RecordBatch>,
    bytes: usize,
    limit: usize,
    file: Option<(NamedTempFile, StreamWriter<BufWriter<File>>)>,
}

impl Stage {
    /// A stage for these columns of a schema.
    pub(crate) fn new(table: TableName, schema: &SchemaRef, columns: Vec<usize>) -> Result<Self> {
        let projected = schema.project(&columns).map_err(|e| fail(&table, e))?;
        // Where a result lacks rows, the checks' SQL may still not assume that no NULL can come.
        let fields: Vec<_> = projected.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect();
        let schema = Arc::new(arrow::datatypes::Schema::new(fields));
        Ok(Self { table, schema, columns, batches: Vec::new(), bytes: 0, limit: IN_MEMORY_BYTES, file: None })
    }

    #[cfg(test)]
    pub(crate) fn with_limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Adds a batch of the whole schema.
    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = self.columns.iter().map(|i| Arc::clone(batch.column(*i))).collect();
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options).map_err(|e| fail(&self.table, e))?;
        if let Some((_, writer)) = &mut self.file {
            return writer.write(&batch).map_err(|e| fail(&self.table, e));
        }
        self.bytes += batch.get_array_memory_size();
        self.batches.push(batch);
        if self.bytes > self.limit {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> Result<()> {
        let file = NamedTempFile::new().map_err(|e| fail(&self.table, e))?;
        let handle = file.reopen().map_err(|e| fail(&self.table, e))?;
        let mut writer =
            StreamWriter::try_new(BufWriter::with_capacity(1 << 20, handle), &self.schema).map_err(|e| fail(&self.table, e))?;
        for batch in self.batches.drain(..) {
            writer.write(&batch).map_err(|e| fail(&self.table, e))?;
        }
        self.file = Some((file, writer));
        Ok(())
    }

    /// The rows as a table to query.
    pub(crate) fn finish(mut self) -> Result<Arc<dyn TableProvider>> {
        let schema = Arc::clone(&self.schema);
        match self.file.take() {
            None => {
                let table = MemTable::try_new(schema, vec![std::mem::take(&mut self.batches)]).map_err(|e| fail(&self.table, e))?;
                Ok(Arc::new(table))
            }
            Some((file, mut writer)) => {
                writer.finish().map_err(|e| fail(&self.table, e))?;
                drop(writer);
                let part = Arc::new(FilePart { schema: Arc::clone(&schema), file });
                let table = StreamingTable::try_new(schema, vec![part]).map_err(|e| fail(&self.table, e))?;
                Ok(Arc::new(table))
            }
        }
    }
}

fn fail(table: &TableName, source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Stage { table: table.clone(), source: Box::new(source) }
}

#[derive(Debug)]
struct FilePart {
    schema: SchemaRef,
    file: NamedTempFile,
}

impl PartitionStream for FilePart {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let reader = self
            .file
            .reopen()
            .map_err(DataFusionError::from)
            .and_then(|file| StreamReader::try_new(BufReader::with_capacity(1 << 20, file), None).map_err(DataFusionError::from));
        let schema = Arc::clone(&self.schema);
        match reader {
            Ok(reader) => {
                let batches = futures::stream::iter(reader.map(|batch| batch.map_err(DataFusionError::from)));
                Box::pin(RecordBatchStreamAdapter::new(schema, batches))
            }
            Err(error) => Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::iter([Err(error)]))),
        }
    }
}
