//! The raw table of a stream as a log, whatever it is read from: what is appended to it, and what is known of it.
//!
//! A commit is made in this order: `state` (what will be remembered), `rejected` (what can't be read, published first, since rows are never
//! published without it), `rows` and with them the state (`commit`: one Delta transaction, so that a cursor can't be without its rows). What is
//! `known` is read from the table itself, so it needs no commit. Wherever a process dies, the next one reads on from the last commit: rejected
//! rows that were published before their rows are recognised when they come again.

pub(crate) mod commit;
pub(crate) mod known;
pub(crate) mod rejected;
pub(crate) mod rows;
pub(crate) mod state;

use cscopilot_lake::TableName;

/// The tables of a stream.
#[derive(Debug, Clone)]
pub(crate) struct Tables {
    /// `raw.<source>__<stream>`
    pub(crate) rows: TableName,
    /// `raw.<source>__<stream>__rejected`
    pub(crate) rejected: TableName,
}

impl Tables {
    pub(crate) fn of(source: &str, stream: &str) -> Self {
        let name = format!("{source}__{stream}");
        Self { rejected: TableName::new("raw", format!("{name}__rejected")), rows: TableName::new("raw", name) }
    }
}
