//! Tonight's scores and the reasons for them.

pub mod explain;
pub mod reasons;
mod rows;

pub use rows::{Scores, Stamp, account_ids, batch, commit, ensure_table, rows, schema, score, table};
