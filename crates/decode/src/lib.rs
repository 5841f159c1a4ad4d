//! From bytes to rows: what files, APIs and databases send becomes typed Arrow batches and counted rejections.
//!
//! Nothing here asks for anything, waits for anything or publishes anything: bytes come in, [`Parsed`], [`page::PageRows`] or
//! [`database::Converted`] come out. These are the inner loops of an extract, so they are a crate of their own that is compiled with all
//! optimisations, and once; `cscopilot-extract` finds the bytes and publishes the rows.
//!
//! | of | way |
//! |---|---|
//! | a text file | [`Chunks::open`] (decompressed, decoded, cut at record ends) → [`Chunk::rows`] (`codec` finds values, `convert` types them) |
//! | a Parquet file | [`read_parquet`] |
//! | an API | [`page`] |
//! | a database | [`database`] |
//!
//! Whatever it was, the rows get the [`log`]'s columns, and those that the raw table has already are left out by their hashes: [`Known`],
//! [`Sieve`], [`Seen`].
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod chunker;
mod chunks;
mod codec;
mod columnar;
mod convert;
mod cursor;
pub mod database;
mod error;
mod hashed;
mod keys;
mod known;
pub mod log;
pub mod page;
mod parse;
mod plan;
mod recent;
mod reject;
mod sieve;
mod text;

pub use chunks::{Chunk, Chunks};
pub use codec::paths::segments;
pub use columnar::{ParquetInput, read_parquet};
pub use convert::{ColumnPlan, arrow_type};
pub use cursor::{Edge, row_hash};
pub use error::{Error, Result};
pub use hashed::{Hashed, Hashing};
pub use keys::{KeyCounter, key_hashes};
pub use known::{Known, LogRows, Vanished};
pub use parse::{FileContext, Parsed, Seen};
pub use plan::{RowPlan, encoding, time_zone};
pub use reject::{Group, Rejected, RejectedOfFile, Tally, rejected_batch, rejected_schema};
pub use sieve::{Sieve, Sifted, outside};

#[cfg(test)]
mod roundtrip;
