//! Rows in the order of their keys.
//!
//! Which thread finishes first must not show in a table. Rows as a set are the same each time anyway; small results are
//! also put in order, so that files and whatever reads them without ORDER BY stay the same. Large ones are passed on as
//! they come: sorting twenty million rows would cost more than the rest of the night.

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, SortField};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt, stream};
use std::sync::Arc;

/// Results with at most so many values (rows × columns) are put in order.
const MAX_CELLS: usize = 32 << 20;
/// Rows of a batch that is given out.
const BATCH_ROWS: usize = 8192;

/// The same rows, sorted by these columns if there are not too many.
pub(crate) fn sort_small(input: SendableRecordBatchStream, keys: Vec<usize>) -> SendableRecordBatchStream {
    sort_up_to(input, keys, MAX_CELLS)
}

fn sort_up_to(mut input: SendableRecordBatchStream, keys: Vec<usize>, max_cells: usize) -> SendableRecordBatchStream {
    if keys.is_empty() {
        return input;
    }
    let schema = input.schema();
    let out = Arc::clone(&schema);
    let batches = stream::once(async move {
        let mut held = Vec::new();
        let mut cells = 0;
        while let Some(batch) = input.next().await {
            let batch = batch?;
            cells += batch.num_rows() * batch.num_columns().max(1);
            held.push(batch);
            if cells > max_cells {
                return Ok::<_, DataFusionError>(stream::iter(held.into_iter().map(Ok)).chain(input).boxed());
            }
        }
        Ok(stream::iter(sort(&schema, &held, &keys)?).boxed())
    })
    .try_flatten();
    Box::pin(RecordBatchStreamAdapter::new(out, batches))
}

fn sort(schema: &SchemaRef, batches: &[RecordBatch], keys: &[usize]) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<>> {
    let fields = keys.iter().map(|k| SortField::new(schema.field(*k).data_type().clone())).collect();
    let converter = RowConverter::new(fields)?;
    let mut rows = Vec::new();
    for (b, batch) in batches.iter().enumerate() {
        let columns: Vec<_> = keys.iter().map(|k| Arc::clone(batch.column(*k))).collect();
        let converted = converter.convert_columns(&columns)?;
        rows.extend(converted.iter().enumerate().map(|(r, row)| (row.owned(), (b, r))));
    }
    // Stable: rows with equal keys keep the order in which they came.
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    let order: Vec<(usize, usize)> = rows.into_iter().map(|(_, at)| at).collect();
    let batches: Vec<RecordBatch> = batches.to_vec();
    let chunks = order.len().div_ceil(BATCH_ROWS);
    Ok((0..chunks).map(move |c| {
        let part = &order[c * BATCH_ROWS..((c + 1) * BATCH_ROWS).min(order.len())];
        let all: Vec<&RecordBatch> = batches.iter().collect();
        Ok(interleave_record_batch(&all, part)?)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};

    fn input() -> SendableRecordBatchStream {
        let schema = Arc::new(Schema::new(vec![Field::new("k", DataType::Utf8, true), Field::new("n", DataType::Int64, true)]));
        let batch = |k: &[Option<&str>], n: &[i64]| {
            RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(StringArray::from(k.to_vec())), Arc::new(Int64Array::from(n.to_vec()))])
        };
        let batches = [batch(&[Some("c"), Some("a")], &[1, 2]).unwrap(), batch(&[None, Some("b"), Some("a")], &[3, 4, 5]).unwrap()];
        let out = Arc::clone(&schema);
        Box::pin(RecordBatchStreamAdapter::new(out, stream::iter(batches.into_iter().map(Ok))))
    }

    async fn numbers(stream: SendableRecordBatchStream) -> Vec<i64> {
        let batches: Vec<RecordBatch> = stream.try_collect().await.unwrap();
        batches.iter().flat_map(|b| b.column(1).as_any().downcast_ref::<Int64Array>().unwrap().values().to_vec()).collect()
    }

    #[tokio::test]
    async fn small_results_are_in_key_order() {
        assert_eq!(numbers(sort_up_to(input(), vec![0], 1000)).await, [3, 2, 5, 4, 1]);
    }

    #[tokio::test]
    async fn large_results_pass_through_whole() {
        assert_eq!(numbers(sort_up_to(input(), vec![0], 3)).await, [1, 2, 3, 4, 5]);
    }
}
