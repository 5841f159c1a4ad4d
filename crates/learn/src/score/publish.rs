//! Publishing a night's rows: made on a thread of their own, a batch at a time, while earlier ones are being written.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use cscopilot_lake::{Lake, Mode, Params, TableName, Txn, Value, Write, channel};

use crate::error::{Error, Result};
use crate::score::Stamp;

/// Batches that may wait to be written.
const WAITING: usize = 2;
/// What the tables of scores are partitioned by.
const PARTITIONS: [&str; 2] = ["model", "as_of"];

/// Where rows go, and whose they are.
pub(crate) struct Place<'a> {
    pub(crate) lake: &'a Lake,
    pub(crate) table: TableName,
    pub(crate) schema: SchemaRef,
    /// The columns that tell rows of one model and date apart.
    pub(crate) key: &'static str,
    pub(crate) stamp: &'a Stamp,
    pub(crate) txn: Txn,
}

impl Place<'_> {
    /// Replaces the rows of the model and date by what `make` hands over, in one commit; makes the table if need be. `make` stops when it
    /// is told `false`: the rows are there already, or can't be written.
    pub(crate) async fn replace(self, make: impl FnOnce(&mut dyn FnMut(RecordBatch) -> bool) -> Result<()> + Send + 'static) -> Result<()> {
        let (sender, stream) = channel(self.schema.clone(), WAITING);
        // Scoring keeps all cores busy: it must not block the threads that serve other steps.
        let making = tokio::task::spawn_blocking(move || {
            let made = make(&mut |batch| sender.send_blocking(batch));
            match &made {
                Ok(()) => sender.finish_blocking(),
                Err(_) => sender.fail_blocking(std::io::Error::other("the rows could not be made")),
            }
            made
        });
        let write = Write::new(self.table.clone(), Mode::OverwritePartitions, stream, self.txn.clone()).partitioned_by(PARTITIONS);
        let committed = self.lake.commit(write).await;
        making.await.map_err(|e| Error::Thread(e.to_string()))??;
        if committed?.rows == 0 { self.clear().await } else { Ok(()) }
    }

    /// Removes the rows of the model and date: overwriting partitions leaves one alone that has no rows any more.
    async fn clear(self) -> Result<()> {
        let params = Params::new().with("model", self.stamp.model.as_str()).with("as_of", Value::Date(self.stamp.as_of));
        let (table, here) = (&self.table, "model = $model AND as_of = $as_of");
        let found = self.lake.query(&format!("SELECT model FROM {table} WHERE {here} LIMIT 1"), &params).await?;
        if found.iter().all(|batch| batch.num_rows() == 0) {
            return Ok(());
        }
        let rest = format!("SELECT * FROM {table} WHERE NOT ({here}) ORDER BY model, as_of, {}", self.key);
        let data = self.lake.stream(&rest, &params).await?;
        let txn = Txn::new(format!("{}.clear", self.txn.app), self.txn.run);
        self.lake.commit(Write::new(self.table, Mode::Overwrite, data, txn).partitioned_by(PARTITIONS)).await?;
        Ok(())
    }
}
