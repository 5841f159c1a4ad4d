//! Making streams of rows for [`crate::Write`].

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{Stream, StreamExt};

/// A caller's error as an item of a stream of rows; [`crate::Error::from_producer`] gives it back.
pub fn stream_error(error: impl std::error::Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// Rows that are in memory, as a stream.
#[must_use]
pub fn stream_of_batches(schema: SchemaRef, batches: Vec<RecordBatch>) -> SendableRecordBatchStream {
    stream_of(schema, futures::stream::iter(batches.into_iter().map(Ok)))
}

/// Any stream of batches, with its schema. Wrap errors with [`stream_error`].
#[must_use]
pub fn stream_of(
    schema: SchemaRef,
    batches: impl Stream<Item = Result<RecordBatch, DataFusionError>> + Send + 'static,
) -> SendableRecordBatchStream {
    Box::pin(RecordBatchStreamAdapter::new(schema, batches))
}

/// A stream fed from another thread: at most `capacity` batches wait, so memory stays bounded. The producer says when it is done
/// ([`BatchSender::finish`]) or why it failed ([`BatchSender::fail`]); one that only vanishes, by a panic, fails the write.
#[must_use]
pub fn channel(schema: SchemaRef, capacity: usize) -> (BatchSender, SendableRecordBatchStream) {
    let (sender, receiver) = tokio::sync::mpsc::channel(capacity.max(1));
    let stream = futures::stream::unfold((receiver, false), |(mut receiver, ended)| async move {
        if ended {
            return None;
        }
        match receiver.recv().await {
            Some(Item::Batch(batch)) => Some((batch, (receiver, false))),
            Some(Item::End) => None,
            None => {
                let lost = DataFusionError::Execution("the producer of these rows ended without saying that it was done".to_owned());
                Some((Err(lost), (receiver, true)))
            }
        }
    });
    (BatchSender { sender }, Box::pin(RecordBatchStreamAdapter::new(schema, stream.fuse())))
}

enum Item {
    Batch(Result<RecordBatch, DataFusionError>),
    End,
}

/// The sending end of [`channel`]. Its methods say `false` when the reader is gone, which means: stop.
#[derive(Clone)]
pub struct BatchSender {
    sender: tokio::sync::mpsc::Sender<Item>,
}

impl BatchSender {
    /// Sends one batch from a plain thread, waiting while the channel is full.
    #[must_use]
    pub fn send_blocking(&self, batch: RecordBatch) -> bool {
        self.sender.blocking_send(Item::Batch(Ok(batch))).is_ok()
    }

    /// Sends one batch from async code, waiting while the channel is full.
    pub async fn send(&self, batch: RecordBatch) -> bool {
        self.sender.send(Item::Batch(Ok(batch))).await.is_ok()
    }

    /// Ends the stream: these were all rows. From a plain thread.
    pub fn finish_blocking(self) {
        drop(self.sender.blocking_send(Item::End));
    }

    /// Ends the stream: these were all rows. From async code.
    pub async fn finish(self) {
        drop(self.sender.send(Item::End).await);
    }

    /// Ends the stream with an error, so that nothing is published. From a plain thread.
    pub fn fail_blocking(self, error: impl std::error::Error + Send + Sync + 'static) {
        drop(self.sender.blocking_send(Item::Batch(Err(stream_error(error)))));
    }

    /// Ends the stream with an error, so that nothing is published. From async code.
    pub async fn fail(self, error: impl std::error::Error + Send + Sync + 'static) {
        drop(self.sender.send(Item::Batch(Err(stream_error(error)))).await);
    }
}
