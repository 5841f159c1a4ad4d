//! Rules over tonight's row: alerts, opportunities and plays are all "for accounts where this holds, these values".
//!
//! [`Row`] says which columns there are and is the relation they come from; [`evaluate`] runs any number of rules as one
//! query and gives back their [`Hit`]s; [`render`] fills the placeholders of sentences.

pub(crate) mod cells;
mod evaluate;
mod render;
mod row;
#[cfg(test)]
mod tests;

pub use cells::Cell;
pub use evaluate::{Hit, Rule, evaluate};
pub use render::{evidence_json, render};
pub use row::Row;
pub(crate) use row::tables as row_tables;
