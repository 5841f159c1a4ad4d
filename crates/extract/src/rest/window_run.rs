//! One window of a read: its pages become rows of an open commit, which is published when the last page was read.

use super::error::RestError;
use super::fetch::Signal;
use super::pages::{Ended, Go, Query};
use super::request::Context;
use super::state::State;
use super::tally::Totals;
use super::window::Window;
use crate::error::{Error, Result};
use crate::log::Tables;
use crate::log::commit::{Commit, txn};
use crate::log::known::Shape;
use crate::log::rejected::{Again, Waiting};
use crate::log::rows::fit;
use crate::log::state::Stored;
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use cscopilot_decode::page::PageRows;
use cscopilot_decode::{Hashed, Known, Sieve, outside};
use cscopilot_lake::step::StepContext;
use cscopilot_spec::connector::Incremental;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How much text of rejected rows is kept in memory before the stream is given up.
const MAX_REJECTED_BYTES: usize = 256 << 20;

/// What all windows of a read share.
pub(crate) struct Reader<'a> {
    pub(crate) ctx: &'a StepContext,
    pub(crate) tables: &'a Tables,
    pub(crate) shape: Shape,
    pub(crate) schema: SchemaRef,
    /// Columns of text that the stream has gained; they follow the log's own columns.
    pub(crate) gained: BTreeSet<String>,
    pub(crate) incremental: Option<&'a Incremental>,
    pub(crate) max_rejected_pct: f64,
    pub(crate) attempts: u32,
    pub(crate) extracted_at_micros: i64,
}

/// A window whose rows are being collected.
pub(crate) struct Collecting {
    batch: String,
    commit: Commit,
    sieve: Sieve,
    rejected: Waiting,
    pub(crate) totals: Totals,
}

/// Why a window's rows can't be collected any further.
enum Halt {
    /// New fields came: the table needs more columns, so the window begins again with them.
    Grown(BTreeSet<String>),
    /// So many rows of an API that keeps to its windows are outside of this one: it answered another request.
    Astray(u64),
    Failed(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// How a window ended.
pub(crate) enum WindowEnd {
    Read { ended: Ended, collected: Box<Collecting> },
    Split(String),
    Ignored(Box<Collecting>),
    WithoutJob(String),
}

impl Reader<'_> {
    pub(crate) fn collecting(&self, batch: &str) -> Collecting {
        Collecting {
            batch: batch.to_owned(),
            commit: Commit::new(self.ctx, &self.tables.rows, self.full_schema(), txn(self.ctx, &format!("/{batch}"))),
            sieve: Sieve::new(self.incremental.is_some_and(|i| i.newest_first)),
            rejected: Waiting::default(),
            totals: Totals::default(),
        }
    }

    /// Reads a window. Where the API repeats itself, is short of what it announced or wants a fresh start, the window begins again; nothing of
    /// the attempt is kept.
    pub(crate) async fn window(
        &mut self,
        query: &Query<'_>,
        context: &Context,
        window: Option<Window>,
        token: Option<&str>,
        known: &mut Known,
        pages: Option<u64>,
    ) -> Result<WindowEnd> {
        let mut attempt = 1;
        loop {
            let mut collected = self.collecting(&query.batch);
            let mut grown: Option<BTreeSet<String>> = None;
            let mut astray: Option<RestError> = None;
            let result = query
                .run(context, token.map(str::to_owned), pages, self.hashing(known), async |rows| {
                    match self.take(&mut collected, rows, window, known).await {
                        Ok(()) => Ok(Go::On),
                        Err(Halt::Grown(fields)) => {
                            grown = Some(fields);
                            Err(Error::Task("the stream has new fields".to_owned()))
                        }
                        Err(Halt::Astray(rows)) => {
                            astray = Some(RestError::Unsound(format!("the answer has {rows} rows outside the window that was asked for")));
                            Ok(Go::Enough)
                        }
                        Err(Halt::Failed(error)) => Err(error),
                    }
                })
                .await;
            if let Some(fields) = grown {
                collected.abandon().await;
                self.shape.columns.extend(fields.iter().cloned());
                self.gained.extend(fields);
                continue;
            }
            let ended = match result {
                Ok(ended) => ended,
                Err(error) => {
                    collected.abandon().await;
                    return Err(error);
                }
            };
            let again = match &ended.signal {
                _ if astray.is_some() => astray,
                Some(Signal::Restart(reason)) => Some(RestError::Unsound(reason.clone())),
                Some(Signal::SplitWindow(reason)) => {
                    collected.abandon().await;
                    return Ok(WindowEnd::Split(reason.clone()));
                }
                Some(Signal::WithoutJob(reason)) => {
                    collected.abandon().await;
                    return Ok(WindowEnd::WithoutJob(reason.clone()));
                }
                Some(Signal::Ignore(reason)) => {
                    collected.totals.ignored.push(reason.clone());
                    return Ok(WindowEnd::Ignored(Box::new(collected)));
                }
                Some(Signal::Empty) | None => short(&ended, &collected.totals),
            };
            match again {
                None => {
                    if let Some((_, most)) = ended.announced.filter(|_| !ended.more) {
                        let read = collected.totals.records;
                        collected.totals.announced =
                            Some(if ended.announced.is_some_and(|(least, _)| least <= read && read <= most) { read } else { most });
                        collected.totals.announced_read = read;
                    }
                    return Ok(WindowEnd::Read { ended, collected: Box::new(collected) });
                }
                Some(error) => {
                    collected.abandon().await;
                    if attempt >= self.attempts.max(1) {
                        return Err(error.into());
                    }
                    attempt += 1;
                    tracing::warn!(%error, attempt, "the window begins again");
                }
            }
        }
    }

    /// How the pages of a window are prepared before they are taken.
    pub(crate) fn hashing(&self, known: &Known) -> impl Fn(PageRows) -> Hashed + Clone + Send + use<> {
        let hashing = self.shape.hashing(known.by_key());
        move |rows| hashing.hash(rows)
    }

    /// Takes all answers of one parent's query.
    pub(crate) async fn take_all(
        &mut self,
        collected: &mut Collecting,
        pages: Vec<Hashed>,
        ended: &Ended,
        known: &mut Known,
    ) -> Result<()> {
        if let Some(reason) = super::children::settled(ended)? {
            collected.totals.ignored.push(reason);
        }
        let before = collected.totals.records;
        for rows in pages {
            match self.take(collected, rows, None, known).await {
                Ok(()) => {}
                Err(Halt::Grown(fields)) => {
                    let names: Vec<String> = fields.into_iter().collect();
                    return Err(RestError::Grown { fields: names.join(", ") }.into());
                }
                Err(Halt::Astray(_)) => {}
                Err(Halt::Failed(error)) => return Err(error),
            }
        }
        if let Some((least, most)) = ended.announced {
            let read = collected.totals.records - before;
            if read < least || read > most {
                return Err(RestError::Short { announced: most, read }.into());
            }
        }
        Ok(())
    }

    /// Takes one answer's rows: leaves out those that are known or belong to another window, and hands on the rest.
    async fn take(
        &self,
        collected: &mut Collecting,
        page: Hashed,
        window: Option<Window>,
        known: &mut Known,
    ) -> std::result::Result<(), Halt> {
        let Hashed { rows, hashes, keys } = page;
        let full = self.full_schema();
        let new: BTreeSet<String> =
            rows.batch.schema().fields().iter().map(|f| f.name().clone()).filter(|name| full.field_with_name(name).is_err()).collect();
        if !new.is_empty() {
            return Err(Halt::Grown(new));
        }
        let totals = &mut collected.totals;
        totals.records += rows.records;
        totals.filtered += rows.filtered;
        totals.unknown_fields.extend(rows.unknown_fields);
        self.ctx.progress.rows(rows.records);
        if !rows.rejected.is_empty() {
            for row in &rows.rejected {
                totals.tally.add(&rows.file, row);
            }
            collected.rejected.add(&rows.file, &collected.batch, rows.rejected);
            if collected.rejected.bytes() > MAX_REJECTED_BYTES {
                return Err(Halt::Failed(self.too_many(&collected.totals)));
            }
        }
        if rows.batch.num_rows() == 0 {
            return Ok(());
        }
        // Reads of a stream may lack each other's columns; from here on all batches look the same.
        let batch = fit(rows.batch, &full)?;
        let totals = &mut collected.totals;
        let mut keep = vec![true; batch.num_rows()];
        if let (Some(window), Some(incremental)) = (window, self.incremental.filter(|i| i.filter || i.open_end || i.exact)) {
            let left = outside(&batch, incremental, window.start, window.end, &mut keep);
            if incremental.exact && left > 0 {
                return Err(Halt::Astray(left));
            }
            totals.outside += left;
        }
        let sifted = collected.sieve.pass(batch, &hashes, &keys, keep, known).map_err(Error::from)?;
        totals.known += sifted.known;
        totals.deletes += sifted.deletes;
        totals.rows += sifted.batch.num_rows() as u64;
        self.send(collected, sifted.batch).await.map_err(Halt::Failed)
    }

    /// Hands rows to the window's commit, which the first of them opens.
    pub(crate) async fn send(&self, collected: &mut Collecting, batch: RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let _wanted = collected.commit.send(batch).await?;
        Ok(())
    }

    /// Publishes what was collected, and the state it leads to. Without rows only where the state has to be kept; whether it was published.
    pub(crate) async fn close(&self, collected: Collecting, state: &mut State, totals: &mut Totals, keep_state: bool) -> Result<bool> {
        if collected.totals.rejected_pct() > self.max_rejected_pct {
            let error = self.too_many(&collected.totals);
            collected.abandon().await;
            return Err(error);
        }
        self.publish_rejected(&collected).await?;
        totals.absorb(collected.totals);
        if !collected.commit.has_rows() && !keep_state {
            return Ok(false);
        }
        state.checks = totals.checks(&self.tables.rows.to_string());
        state.commits += 1;
        collected.commit.close(state.to_json()).await?;
        Ok(true)
    }

    async fn publish_rejected(&self, collected: &Collecting) -> Result<()> {
        let mut these = blake3::Hasher::new();
        for row in collected.rejected.rows() {
            these.update(row.raw.as_bytes());
        }
        let batch = &collected.batch;
        let again = Again::Fingerprint(format!("rejected:{batch}:{}", &these.finalize().to_hex()[..16]));
        let txn = txn(self.ctx, &format!("/{batch}"));
        collected.rejected.publish(self.ctx, &self.tables.rejected, self.extracted_at_micros, txn, again).await
    }

    fn full_schema(&self) -> SchemaRef {
        if self.gained.is_empty() {
            return Arc::clone(&self.schema);
        }
        let gained = self.gained.iter().map(|name| Arc::new(Field::new(name, DataType::Utf8, true)));
        Arc::new(Schema::new(self.schema.fields().iter().cloned().chain(gained).collect::<Vec<_>>()))
    }

    fn too_many(&self, totals: &Totals) -> Error {
        let reasons: Vec<String> = totals
            .tally
            .groups()
            .take(3)
            .map(|(name, group)| format!("{} × {name} ({})", group.rows, group.examples.first().map_or("", String::as_str)))
            .collect();
        Error::TooManyRejected {
            table: self.tables.rows.to_string(),
            rejected: totals.tally.total(),
            total: totals.records,
            pct: totals.rejected_pct(),
            allowed: self.max_rejected_pct,
            summary: reasons.join("; "),
        }
    }
}

impl Collecting {
    /// Gives the window up.
    pub(crate) async fn abandon(self) {
        self.commit.abandon("the window was given up").await;
    }
}

/// Whether a query gave fewer or more records than the API announced. Lists move while they are read, so any number between the least and
/// the most that was announced is fine.
fn short(ended: &Ended, totals: &Totals) -> Option<RestError> {
    let (least, most) = ended.announced.filter(|_| !ended.more)?;
    let read = totals.records;
    (read < least || read > most).then_some(RestError::Short { announced: most, read })
}
