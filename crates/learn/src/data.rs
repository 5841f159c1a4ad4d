//! Rows to learn from and to score: read from the lake, cut in time, searched for leaks.

mod bridge;
pub mod dataset;
pub mod folds;
pub mod frame;
pub mod leaks;
mod row_columns;
mod spine;
pub mod split;
