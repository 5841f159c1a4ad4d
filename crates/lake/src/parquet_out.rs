//! Writing rows as Parquet files, streaming, split by partition, in bounded memory.
//!
//! Files are named so that the order of their names is the order in which they were written: version, number, and a random part that
//! keeps two writers apart. Partition columns stay in the files too. Nothing refers to a file until a commit does, so a file that
//! was left behind by a crash is invisible.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{partition, take_record_batch};
use arrow::datatypes::SchemaRef;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::AsyncArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use uuid::Uuid;

use crate::stats::{partition_text, to_json};
use crate::store::Root;
use crate::{Error, Result, TableName};

/// A file is closed when it has about so many bytes.
const FILE_BYTES: usize = 128 << 20;
/// Rows of a row group.
const GROUP_ROWS: usize = 1 << 20;
/// Encoded bytes of a row group.
const GROUP_BYTES: usize = 64 << 20;
/// Encoded bytes waiting in all open files together.
const BUFFERED_BYTES: usize = 160 << 20;
/// Files open at once; more partitions than that in unsorted data make more, smaller files.
const OPEN_FILES: usize = 64;

/// The values of the partition columns, as the log writes them.
pub(crate) type Partition = Vec<Option<String>>;

/// A file that was written.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    /// Relative to the table's folder.
    pub(crate) path: Path,
    pub(crate) size: u64,
    pub(crate) rows: u64,
    pub(crate) partition: BTreeMap<String, Option<String>>,
    pub(crate) stats: String,
}

/// Writes rows of one table.
pub(crate) struct Output {
    store: Arc<dyn ObjectStore>,
    table: TableName,
    schema: SchemaRef,
    partition_by: Vec<String>,
    columns: Vec<usize>,
    version: u64,
    next: u32,
    open: BTreeMap<Partition, Open>,
    clock: u64,
    done: Vec<Written>,
}

struct Open {
    writer: AsyncArrowWriter<BufWriter>,
    path: Path,
    number: u32,
    used: u64,
}

impl Output {
    /// `first` is the number of the first file: it orders files of one commit.
    pub(crate) fn new(
        store: Arc<dyn ObjectStore>,
        table: &TableName,
        schema: SchemaRef,
        partition_by: &[String],
        version: u64,
        first: u32,
    ) -> Result<Self> {
        let column = |name: &String| {
            let problem = format!("there is no column `{name}` to partition by");
            schema.index_of(name).map_err(|_| Error::BadWrite { table: table.clone(), problem })
        };
        let columns = partition_by.iter().map(column).collect::<Result<_>>()?;
        let (table, partition_by) = (table.clone(), partition_by.to_vec());
        Ok(Self { store, table, schema, partition_by, columns, version, next: first, open: BTreeMap::new(), clock: 0, done: vec![] })
    }

    fn failed(&self) -> impl FnOnce(ParquetError) -> Error + use<> {
        let table = self.table.clone();
        move |source| Error::Parquet { table, action: "written", source: Box::new(source) }
    }

    /// Writes a batch that has exactly the schema.
    pub(crate) async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        if self.columns.is_empty() {
            return self.write_part(vec![], batch).await;
        }
        for (key, rows) in self.split(batch)? {
            self.write_part(key, &rows).await?;
        }
        Ok(())
    }

    /// The rows of each partition, their order kept.
    fn split(&self, batch: &RecordBatch) -> Result<Vec<(Partition, RecordBatch)>> {
        let arrow = |e: arrow::error::ArrowError| self.failed()(e.into());
        let values: Vec<ArrayRef> = self.columns.iter().map(|i| Arc::clone(batch.column(*i))).collect();
        let runs = partition(&values).map_err(arrow)?.ranges();
        let mut parts: BTreeMap<Partition, Vec<std::ops::Range<usize>>> = BTreeMap::new();
        for run in runs {
            let key = values.iter().map(|v| partition_text(v, run.start)).collect();
            parts.entry(key).or_default().push(run);
        }
        parts
            .into_iter()
            .map(|(key, runs)| {
                if let [run] = runs.as_slice() {
                    return Ok((key, batch.slice(run.start, run.len())));
                }
                let rows: UInt32Array = runs.into_iter().flatten().map(|row| u32::try_from(row).unwrap_or(u32::MAX)).collect();
                Ok((key, take_record_batch(batch, &rows).map_err(arrow)?))
            })
            .collect()
    }

    async fn write_part(&mut self, key: Partition, rows: &RecordBatch) -> Result<()> {
        self.clock += 1;
        if !self.open.contains_key(&key) {
            if self.open.len() >= OPEN_FILES
                && let Some(oldest) = self.open.iter().min_by_key(|(_, file)| file.used).map(|(key, _)| key.clone())
            {
                self.close(&oldest).await?;
            }
            let file = self.start()?;
            self.open.insert(key.clone(), file);
        }
        let (failed, used) = (self.failed(), self.clock);
        if let Some(file) = self.open.get_mut(&key) {
            file.used = used;
            file.writer.write(rows).await.map_err(failed)?;
            if file.writer.bytes_written() + file.writer.in_progress_size() >= FILE_BYTES {
                return self.close(&key).await;
            }
        }
        self.relieve().await
    }

    /// Ends the row group of the fullest file when too much waits in memory.
    async fn relieve(&mut self) -> Result<()> {
        let waiting: usize = self.open.values().map(|f| f.writer.in_progress_size()).sum();
        if self.open.len() < 2 || waiting < BUFFERED_BYTES {
            return Ok(());
        }
        let failed = self.failed();
        match self.open.values_mut().max_by_key(|f| f.writer.in_progress_size()) {
            Some(fullest) => fullest.writer.flush().await.map_err(failed),
            None => Ok(()),
        }
    }

    fn start(&mut self) -> Result<Open> {
        let number = self.next;
        self.next += 1;
        let random = Uuid::new_v4().simple().to_string();
        let path = Path::from(format!("{:010}-{number:05}-{}.parquet", self.version, &random[..12]));
        let whole: Path = Root::table_path(&self.table).parts().chain(path.parts()).collect();
        let sink = BufWriter::new(Arc::clone(&self.store), whole);
        let zstd = ZstdLevel::try_new(1).map_err(self.failed())?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(zstd))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_max_row_group_bytes(Some(GROUP_BYTES))
            .build();
        let writer = AsyncArrowWriter::try_new(sink, Arc::clone(&self.schema), Some(properties)).map_err(self.failed())?;
        Ok(Open { writer, path, number, used: self.clock })
    }

    async fn close(&mut self, key: &Partition) -> Result<()> {
        let Some(Open { mut writer, path, number, .. }) = self.open.remove(key) else { return Ok(()) };
        let failed = self.failed();
        let metadata = writer.finish().await.map_err(failed)?;
        let partition = self.partition_by.iter().cloned().zip(key.iter().cloned()).collect();
        let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or_default();
        let stats = to_json(&metadata, &self.schema, &self.partition_by);
        let size = writer.bytes_written() as u64;
        tracing::debug!(table = %self.table, file = %path, number, rows, size, "data file written");
        self.done.push(Written { path, size, rows, partition, stats });
        Ok(())
    }

    /// Closes what is open; the files in the order of their names.
    pub(crate) async fn finish(mut self) -> Result<Vec<Written>> {
        for key in self.open.keys().cloned().collect::<Vec<_>>() {
            self.close(&key).await?;
        }
        self.done.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(std::mem::take(&mut self.done))
    }

    /// Gives up: deletes what was written, as far as that works; what stays is invisible.
    pub(crate) async fn abort(self) {
        discard(self.store.as_ref(), &self.table, &self.done).await;
    }
}

/// Deletes files that no commit refers to, as far as that works.
pub(crate) async fn discard(store: &dyn ObjectStore, table: &TableName, files: &[Written]) {
    for file in files {
        let whole: Path = Root::table_path(table).parts().chain(file.path.parts()).collect();
        if let Err(error) = store.delete(&whole).await {
            tracing::debug!(%error, file = %whole, "a file that is not needed could not be deleted");
        }
    }
}
