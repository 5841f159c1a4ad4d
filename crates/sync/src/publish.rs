//! The online side of the feature store: the newest rows of tables as hashes in Redis.
//!
//! The lake has the features and scores of every night (the offline side); a program that must know an account's within a millisecond
//! reads its hash. One row is one hash, replaced as a whole by a script on the server, which first compares event times: so a night that is
//! run again puts right what differs, and one that is older than what is there changes nothing. What this promises to readers stands in
//! `docs/reference/feature-store.md`.
//!
//! Rows stream: in memory are a batch of the lake's rows and two exchanges with the server.

mod hash;
mod server;
mod texts;

pub(crate) use texts::{fits, fits_key};

use crate::{Error, Result};
use cscopilot_lake::TableName;
use cscopilot_lake::step::{Outcome, StepContext};
use cscopilot_spec::Store;
use futures::{StreamExt, TryStreamExt, stream};
use hash::Hash;
use server::Server;

/// Exchanges that are under way: while the server works on one, the next one is packed.
const UNDER_WAY: usize = 2;

/// How rows fared.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Rows that the server answered to, and those without a key.
    rows: u64,
    written: u64,
    unchanged: u64,
    /// What is there is newer, and stays.
    older: u64,
    /// Under the key is something that no publish wrote, and stays.
    foreign: u64,
    without_key: u64,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.written += other.written;
        self.unchanged += other.unchanged;
        self.older += other.older;
        self.foreign += other.foreign;
        self.without_key += other.without_key;
    }
}

/// The tables that a store is made of.
#[must_use]
pub fn published_tables(store: &Store) -> Vec<TableName> {
    let mut tables: Vec<TableName> = store.hashes.iter().filter_map(|(_, hash)| hash.from.table.parse().ok()).collect();
    tables.sort();
    tables.dedup();
    tables
}

/// Writes the rows of the context's date to an online store.
///
/// # Errors
/// A store, table, column or secret that isn't there, rows that claim the same key, or a server that can't be reached, refuses the password
/// or stops taking rows. What it took by then stays, and the error says how much that was.
pub async fn publish(ctx: &StepContext, name: &str) -> Result<Outcome> {
    let store = &ctx.project.stores.get(name).ok_or_else(|| Error::NoStore { name: name.to_owned() })?.value;
    // One session, so that all hashes come from one state of the lake.
    let session = ctx.lake.session();
    let mut hashes = Vec::new();
    for (hash_name, hash) in store.hashes.iter() {
        hashes.push(Hash::plan(ctx, &session, store, hash_name, hash).await?);
    }
    ctx.progress.expect_rows(hashes.iter().map(|h| h.rows).sum());
    let server = Server::connect(ctx, name, store.to.redis()).await?;
    let mut counts = Counts::default();
    for hash in &hashes {
        let mut batches = session.stream(&hash.sql, &ctx.params).await?;
        while let Some(batch) = batches.try_next().await.map_err(|e| cscopilot_lake::Error::Query(Box::new(e)))? {
            let size = store.to.redis().batch_size.value;
            let exchange = |first: usize| {
                let rows = batch.slice(first, size.min(batch.num_rows() - first));
                let packed = hash.pack(&rows, server.script());
                let server = server.clone();
                async move { Ok::<_, Error>(server.send(packed?).await) }
            };
            let mut answers = stream::iter((0..batch.num_rows()).step_by(size)).map(exchange).buffered(UNDER_WAY);
            while let Some(answer) = answers.next().await {
                let answer = answer?;
                counts.add(answer.counts);
                ctx.progress.rows(answer.counts.rows);
                if let Some(reason) = answer.stopped {
                    return Err(Error::StoreStopped { place: server.place().to_owned(), rows: counts.rows, reason });
                }
            }
        }
    }
    Ok(outcome(&counts))
}

fn outcome(counts: &Counts) -> Outcome {
    let mut outcome = Outcome { rows_in: counts.rows, rows_out: counts.written, rows_rejected: counts.foreign, ..Outcome::default() };
    outcome.fact("rows_written", counts.written);
    outcome.fact("rows_unchanged", counts.unchanged);
    outcome.fact("rows_older", counts.older);
    outcome.fact("rows_failed", counts.foreign);
    outcome.fact("rows_without_key", counts.without_key);
    if counts.foreign > 0 {
        outcome.warn("SYN023", format!("{} keys hold something that was not published; they stay as they are", counts.foreign));
    }
    if counts.older > 0 {
        outcome.warn("SYN024", format!("{} hashes are of a later date already; they stay as they are", counts.older));
    }
    if counts.without_key > 0 {
        outcome.warn("SYN025", format!("{} rows have no value to end a key with", counts.without_key));
    }
    outcome
}

#[cfg(test)]
mod tests;
