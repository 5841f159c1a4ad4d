//! Merging by key: which rows of a table go because newer ones with the same keys come.
//!
//! The keys of the new rows are kept as 128-bit hashes, about 30 bytes each. Files whose bounds can't hold any of them are left alone;
//! of the others only the key columns are read first, and only files with a match are written anew.

use std::hash::{BuildHasherDefault, DefaultHasher, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow::compute::{filter_record_batch, not};
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, SortField};
use arrow::util::display::array_value_to_string;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Statistics};
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::path::Path;
use parquet::arrow::ProjectionMask;
use parquet::arrow::async_reader::{ParquetRecordBatchStream, ParquetRecordBatchStreamBuilder};

use crate::log::{DataFile, TableVersion};
use crate::parquet_in::StoredFile;
use crate::parquet_out::{Output, Written};
use crate::schema::conform;
use crate::store::Root;
use crate::{Error, Result, TableName, stats};

/// A file is small if it has fewer bytes; many small files are joined while a merge writes anyway.
const SMALL: u64 = 8 << 20;
/// So many small files are too many.
const MANY: usize = 12;

/// Hashes are their own hash.
#[derive(Default)]
struct Itself(u64);

impl Hasher for Itself {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 ^= u64::from_le_bytes(word);
        }
    }
}

/// Only ever asked whether something is in it, so its order can't show.
#[allow(clippy::disallowed_types)]
type Hashes = std::collections::HashSet<u128, BuildHasherDefault<Itself>>;

/// The keys of the new rows.
pub(crate) struct Keys {
    table: TableName,
    names: Vec<String>,
    schema: SchemaRef,
    converter: RowConverter,
    seen: Hashes,
}

impl Keys {
    /// `schema` has the key columns with the table's types.
    pub(crate) fn new(table: &TableName, names: &[String], schema: &SchemaRef) -> Result<Self> {
        let bad = |problem: String| Error::BadWrite { table: table.clone(), problem };
        if names.is_empty() {
            return Err(bad("a merge needs at least one key column".to_owned()));
        }
        let indices = names
            .iter()
            .map(|name| schema.index_of(name).map_err(|_| bad(format!("there is no key column `{name}`"))))
            .collect::<Result<Vec<_>>>()?;
        let schema = Arc::new(schema.project(&indices).map_err(|e| bad(e.to_string()))?);
        let fields = schema.fields().iter().map(|f| SortField::new(f.data_type().clone())).collect();
        let converter = RowConverter::new(fields).map_err(|e| bad(e.to_string()))?;
        Ok(Self { table: table.clone(), names: names.to_vec(), schema, converter, seen: Hashes::default() })
    }

    fn columns(&self, batch: &RecordBatch) -> Vec<ArrayRef> {
        let column = |name: &String| batch.column_by_name(name).map(Arc::clone);
        self.names
            .iter()
            .zip(self.schema.fields())
            .map(|(name, field)| column(name).unwrap_or_else(|| new_null_array(field.data_type(), batch.num_rows())))
            .collect()
    }

    fn hashes(&self, batch: &RecordBatch) -> Result<Vec<u128>> {
        let problem = |e: arrow::error::ArrowError| Error::BadWrite { table: self.table.clone(), problem: e.to_string() };
        let rows = self.converter.convert_columns(&self.columns(batch)).map_err(problem)?;
        Ok(rows.iter().map(|row| hash(row.as_ref())).collect())
    }

    /// Takes the keys of a batch; one that was there before is an error.
    pub(crate) fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        for (row, hash) in self.hashes(batch)?.into_iter().enumerate() {
            if !self.seen.insert(hash) {
                let shown =
                    |column: &ArrayRef| if column.is_null(row) { Ok("NULL".to_owned()) } else { array_value_to_string(column, row) };
                let values: Vec<_> = self.columns(batch).iter().map(|c| shown(c).unwrap_or_default()).collect();
                let key = self.names.iter().zip(values).map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join(", ");
                return Err(Error::DuplicateKey { table: self.table.clone(), key: format!("({key})") });
            }
        }
        Ok(())
    }

    /// Which rows of a batch have one of the keys.
    fn matches(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        Ok(self.hashes(batch)?.iter().map(|hash| Some(self.seen.contains(hash))).collect())
    }
}

/// Two rounds of the standard library's hash, which has fixed keys, give 128 bits: a chance collision among a billion keys is less
/// likely than a cosmic ray.
fn hash(bytes: &[u8]) -> u128 {
    let round = |seed: u8| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(seed);
        hasher.write(bytes);
        u128::from(hasher.finish())
    };
    (round(1) << 64) | round(2)
}

/// What a merge changes besides adding the new rows.
#[derive(Debug, Default)]
pub(crate) struct Rewrite {
    /// Files that go.
    pub(crate) removed: Vec<DataFile>,
    /// Files with those rows of them that stay.
    pub(crate) kept: Vec<Written>,
}

/// Writes anew what is left of the files that hold one of the keys. `new` are the files with the new rows; `output` takes what is kept.
pub(crate) async fn rewrite(
    store: &Arc<dyn ObjectStore>,
    current: &TableVersion,
    schema: &SchemaRef,
    keys: &Keys,
    new: &[Written],
    mut output: Output,
) -> Result<Rewrite> {
    let bounds: Vec<Statistics> = new.iter().map(|f| stats::from_json(Some(&f.stats), schema, f.size).0).collect();
    let small: Vec<&DataFile> = current.files.iter().filter(|f| f.size < SMALL).collect();
    let join_small = small.len() > MANY;
    let mut removed = vec![];
    for file in &current.files {
        let may_match = bounds.iter().any(|b| overlap(&file.statistics, b, schema, &keys.names));
        let matched = may_match && any_match(store, current, file, keys).await?;
        let joined = join_small && file.size < SMALL;
        if !matched && !joined {
            continue;
        }
        let mut rows = open(store, current, file, None).await?;
        while let Some(batch) = rows.try_next().await.map_err(unreadable(&current.name))? {
            let batch = if matched {
                let keep = not(&keys.matches(&batch)?).and_then(|keep| filter_record_batch(&batch, &keep));
                keep.map_err(|e| unreadable(&current.name)(e.into()))?
            } else {
                batch
            };
            let batch = conform(&batch, schema).map_err(|e| unreadable(&current.name)(e.into()))?;
            output.write(&batch).await?;
        }
        removed.push(file.clone());
    }
    Ok(Rewrite { removed, kept: output.finish().await? })
}

async fn any_match(store: &Arc<dyn ObjectStore>, table: &TableVersion, file: &DataFile, keys: &Keys) -> Result<bool> {
    let mut rows = open(store, table, file, Some(&keys.names)).await?;
    while let Some(batch) = rows.try_next().await.map_err(unreadable(&table.name))? {
        if keys.matches(&batch)?.true_count() > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn open(
    store: &Arc<dyn ObjectStore>,
    table: &TableVersion,
    file: &DataFile,
    columns: Option<&[String]>,
) -> Result<ParquetRecordBatchStream<StoredFile>> {
    let path: Path = Root::table_path(&table.name).parts().chain(file.path.parts()).collect();
    let reader = StoredFile { store: Arc::clone(store), path, size: file.size };
    let mut builder = ParquetRecordBatchStreamBuilder::new(reader).await.map_err(unreadable(&table.name))?.with_batch_size(8192);
    if let Some(columns) = columns {
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().map(String::as_str));
        builder = builder.with_projection(mask);
    }
    builder.build().map_err(unreadable(&table.name))
}

fn unreadable(table: &TableName) -> impl FnOnce(parquet::errors::ParquetError) -> Error + use<> {
    let table = table.clone();
    move |source| Error::Parquet { table, action: "read", source: Box::new(source) }
}

/// Whether two sets of rows may share a key, as far as their bounds say.
fn overlap(a: &Statistics, b: &Statistics, schema: &SchemaRef, keys: &[String]) -> bool {
    keys.iter().all(|key| {
        let Ok(index) = schema.index_of(key) else { return true };
        match (a.column_statistics.get(index), b.column_statistics.get(index)) {
            (Some(a), Some(b)) => !apart(a, b),
            _ => true,
        }
    })
}

/// Whether no value is in both columns; NULLs count as values.
fn apart(a: &ColumnStatistics, b: &ColumnStatistics) -> bool {
    let no_nulls = |c: &ColumnStatistics| c.null_count == Precision::Exact(0);
    let below = |high: &Precision<_>, low: &Precision<_>| match (high, low) {
        (Precision::Exact(high), Precision::Exact(low)) => high < low,
        _ => false,
    };
    (no_nulls(a) || no_nulls(b)) && (below(&a.max_value, &b.min_value) || below(&b.max_value, &a.min_value))
}
