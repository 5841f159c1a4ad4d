//! The lake: Delta tables on any object store, a DataFusion session over them, and one atomic commit.
//!
//! Everything a step publishes goes through [`Lake::commit`] (rows) or [`Lake::objects`] (models, journals, pages). A
//! commit is all or nothing, carries the run and step that made it ([`Txn`]) so that a repeated one is recognised and
//! skipped, and on a local disk it is synced before it counts.
//!
//! - Reading: [`Lake::query`] for small results, [`Lake::stream`] for large ones, [`Lake::session`] for work that needs
//!   DataFusion itself. All tables are visible as `schema.table`; a session pins each table's version on first use.
//! - Row order is *not* defined without `ORDER BY`: callers that need the same bytes every time must order.
//! - Checking without data: [`check_sql`].
//! - What every step gets and gives back: [`step`].
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod bind;
mod catalog;
mod check;
mod commit;
mod error;
mod lake;
mod lock;
mod log;
mod maintain;
mod merge;
mod name;
mod objects;
mod params;
mod parquet_in;
mod parquet_out;
mod provider;
mod schema;
mod session;
mod sql_error;
mod stats;
pub mod step;
mod store;
mod streams;
mod udf;
mod view;
mod write;

pub use check::{check_sql, check_sql_with_views};
pub use error::{Error, Result};
pub use lake::{Lake, LakeOptions, TableInfo, TableKind};
pub use lock::{LockHeld, LockOwner, RunLock};
pub use name::TableName;
pub use objects::{ObjectInfo, Objects};
pub use params::{Params, Value};
pub use schema::storage_schema;
pub use session::Session;
pub use sql_error::SqlError;
pub use streams::{BatchSender, channel, stream_error, stream_of, stream_of_batches};
pub use view::View;
pub use write::{Committed, LateState, Mode, SchemaPolicy, Txn, Write};

pub use arrow;
pub use arrow::array::RecordBatch;
pub use arrow::datatypes::{Schema, SchemaRef};
pub use datafusion::execution::SendableRecordBatchStream;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
