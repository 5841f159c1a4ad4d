//! One read: pieces come in, known rows are left out, windows are committed.

use super::connection::Connection;
use super::known::Known;
use super::piece::{Piece, Sink};
use super::request::Request;
use super::state::{Bound, State};
use crate::error::{Error, Result};
use crate::log::commit::{Commit, txn};
use crate::log::rejected::{Again, Waiting};
use crate::log::rows::log_rows;
use crate::log::state::Stored;
use crate::report::{Totals, checks, too_many, warnings};
use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use chrono::NaiveTime;
use cscopilot_decode::Rejected;
use cscopilot_decode::database::{Converted, convert};
use cscopilot_decode::log::{DELETE, Meta, UPSERT};
use cscopilot_lake::TableInfo;
use cscopilot_lake::step::{Outcome, StepContext};
use futures::{Stream, StreamExt, TryStreamExt};
use std::sync::Arc;
use tokio::sync::mpsc;

/// How much text of rejected rows is kept in memory before the stream is given up.
const MAX_REJECTED_BYTES: usize = 512 << 20;

/// A [`Piece`] whose rows are typed.
struct Typed {
    rows: Converted,
    stray: bool,
    last: Option<Bound>,
    closes: bool,
}

/// A read of one stream.
pub(crate) struct Reading<'a> {
    ctx: &'a StepContext,
    request: Arc<Request>,
    /// As of the last commit, but for `after`, which is as of the last row.
    state: State,
    known: Known,
    /// The open window, from its first rows on.
    commit: Option<Commit>,
    /// Whether the raw table is there.
    exists: bool,
    extracted_at_micros: i64,
    totals: Totals,
    /// Rejected rows of the open window that no run has published yet.
    rejected: Waiting,
    /// Rows that no run has told before that they are rejected.
    newly_rejected: u64,
    /// Rows of the open window.
    open_rows: u64,
    /// The key of the last row.
    last_key: Option<u64>,
    lost_keys: bool,
    /// The cursor as of the last commit.
    committed: Option<Bound>,
    windows: u64,
    deleted: u64,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(ctx: &'a StepContext, request: Arc<Request>, state: State, known: Known, exists: bool) -> Self {
        let plan = &request.plan;
        let totals = Totals { present: vec![true; plan.rows.columns.len()], ..Totals::default() };
        Self {
            ctx,
            known,
            commit: None,
            exists,
            extracted_at_micros: ctx.as_of.and_time(NaiveTime::MIN).and_utc().timestamp_micros(),
            totals,
            rejected: Waiting::default(),
            newly_rejected: 0,
            open_rows: 0,
            last_key: None,
            lost_keys: false,
            committed: state.after.clone(),
            windows: 0,
            deleted: 0,
            state,
            request,
        }
    }

    pub(crate) async fn run(mut self, connection: Connection) -> Result<Outcome> {
        let threads = self.ctx.project.threads();
        let mut pieces = converted(connection, Arc::clone(&self.request), self.known.any, threads).boxed();
        match self.all(&mut pieces).await {
            Ok(()) => Ok(self.outcome()),
            Err(error) => {
                if let Some(commit) = self.commit.take() {
                    commit.abandon(&error.to_string()).await;
                }
                Err(error)
            }
        }
    }

    async fn all(&mut self, pieces: &mut (impl Stream<Item = Result<Typed>> + Unpin)) -> Result<()> {
        while let Some(piece) = pieces.try_next().await? {
            let closes = piece.closes;
            self.take(piece).await?;
            // A window that brought nothing new has nothing to commit: it lies where the last read ended.
            if closes && self.has_news() {
                self.close_window(false).await?;
            }
        }
        if self.request.is_full() {
            self.deletions().await?;
        }
        if self.has_news() || self.state.after != self.committed {
            self.close_window(true).await?;
        }
        Ok(())
    }

    /// Whether the open window has anything to publish.
    fn has_news(&self) -> bool {
        self.open_rows > 0 || !self.exists || !self.rejected.is_empty()
    }

    /// Adds the rows of a piece to the open window.
    async fn take(&mut self, piece: Typed) -> Result<()> {
        let Typed { rows, stray, last, .. } = piece;
        let Converted { batch, rejected, records, hashes, repeated_keys, edges, rejected_keys, lost_keys } = rows;
        self.ctx.progress.rows(records);
        self.ctx.progress.note(format!("{} ({} windows committed)", self.request.shown, self.windows));
        let first_row = self.totals.records;
        self.totals.records += records;
        self.totals.repeated_keys += repeated_keys;
        if let Some((first, end)) = edges {
            self.totals.repeated_keys += u64::from(self.last_key == Some(first));
            self.last_key = Some(end);
        }
        self.lost_keys |= lost_keys;
        for key in rejected_keys {
            self.known.spare(key);
        }
        self.reject(rejected, first_row, stray)?;
        if last.is_some() {
            self.state.after = last;
        }
        let batch = match hashes {
            Some(hashes) => {
                let fresh = self.known.new_rows(&hashes);
                self.totals.known += fresh.iter().filter(|fresh| !**fresh).count() as u64;
                if fresh.contains(&false) { filter_record_batch(&batch, &BooleanArray::from(fresh))? } else { batch }
            }
            None => batch,
        };
        self.send(&batch, UPSERT).await
    }

    async fn send(&mut self, declared: &RecordBatch, op: &str) -> Result<()> {
        let rows = declared.num_rows() as u64;
        if rows == 0 {
            return Ok(());
        }
        let first_line = i64::try_from(self.state.lines + 1).unwrap_or(i64::MAX - i64::try_from(rows).unwrap_or(0));
        let (schema, batch) = (&self.request.plan.rows.schema, self.state.next_batch());
        let meta = Meta { extracted_at_micros: self.extracted_at_micros, op, batch: &batch, file: &self.request.shown };
        let batch = log_rows(declared, schema, &meta, first_line)?;
        if !self.commit().send(batch).await? {
            let (commit, table) = (self.state.commits, &self.request.plan.tables.rows);
            return Err(Error::Task(format!("the commit {commit} of {table} had been made before")));
        }
        self.state.lines += rows;
        self.open_rows += rows;
        self.totals.rows += rows;
        Ok(())
    }

    /// The open window.
    fn commit(&mut self) -> &mut Commit {
        self.commit.get_or_insert_with(|| {
            let plan = &self.request.plan;
            Commit::new(self.ctx, &plan.tables.rows, Arc::clone(&plan.rows.schema), txn(self.ctx, &format!("#{}", self.state.commits)))
        })
    }

    /// Counts rejected rows, and keeps those that are to be published.
    fn reject(&mut self, rejected: Vec<Rejected>, first_row: u64, stray: bool) -> Result<()> {
        let mut fresh = Vec::new();
        for mut row in rejected {
            row.line += first_row;
            let before = self.known.was_rejected(&row.raw);
            if before == Some(true) && !stray && !self.request.is_full() {
                // The overlap with the last read gave it again: it has been counted.
                self.totals.records -= 1;
                continue;
            }
            self.totals.tally.add(&self.request.shown, &row);
            self.newly_rejected += u64::from(before != Some(true));
            if before.is_none() {
                fresh.push(row);
            }
        }
        self.rejected.add(&self.request.shown, &self.state.next_batch(), fresh);
        if self.rejected.bytes() > MAX_REJECTED_BYTES { Err(too_many(&self.request.plan, &self.totals)) } else { Ok(()) }
    }

    /// Notes the rows that have vanished.
    async fn deletions(&mut self) -> Result<()> {
        // A row whose key can't be read may be any of those that seem to have vanished.
        if self.lost_keys || !self.exists {
            return Ok(());
        }
        let Some(stored) = self.stored().await? else { return Ok(()) };
        let Some(vanished) = self.known.vanished(&self.ctx.lake, &self.request, &stored).await? else { return Ok(()) };
        let mut vanished = Box::pin(vanished);
        while let Some(rows) = vanished.try_next().await? {
            self.deleted += rows.num_rows() as u64;
            self.send(&rows, DELETE).await?;
        }
        Ok(())
    }

    async fn stored(&self) -> Result<Option<TableInfo>> {
        Ok(self.ctx.lake.table(&self.request.plan.tables.rows).await?)
    }

    /// Publishes the open window: its rejected rows, then its rows and how far they reach.
    async fn close_window(&mut self, last: bool) -> Result<()> {
        // What was let through once doesn't stop the few rows of another night.
        #[allow(clippy::cast_precision_loss)]
        let pct = self.newly_rejected as f64 * 100.0 / (self.totals.records.max(1)) as f64;
        if pct > self.request.plan.max_rejected_pct {
            return Err(too_many(&self.request.plan, &self.totals));
        }
        self.publish_rejected().await?;
        let commit = self.state.commits;
        let mut state = State { commits: commit + 1, ..self.state.clone() };
        if last || state.checks.is_empty() {
            state.checks = checks(&self.request.plan, &self.totals);
        }
        self.commit();
        if let Some(open) = self.commit.take() {
            open.close(state.to_json()).await?;
        }
        self.committed.clone_from(&state.after);
        self.state = state;
        self.exists = true;
        self.open_rows = 0;
        self.windows += 1;
        Ok(())
    }

    async fn publish_rejected(&mut self) -> Result<()> {
        if self.rejected.is_empty() && self.exists {
            return Ok(());
        }
        let rejected = std::mem::take(&mut self.rejected);
        let mut these = blake3::Hasher::new();
        for row in rejected.rows() {
            these.update(row.raw.as_bytes()).update(&[0]);
        }
        // A run that dies between this commit and that of the rows finds these texts in the table when it reads the rows again.
        let txn = txn(self.ctx, &format!("#{}:{}", self.state.commits, &these.finalize().to_hex()[..16]));
        rejected.publish(self.ctx, &self.request.plan.tables.rejected, self.extracted_at_micros, txn, Again::Known).await
    }

    fn outcome(self) -> Outcome {
        let plan = &self.request.plan;
        let rejected = self.totals.tally.total();
        if self.windows == 0 && rejected == 0 {
            let checks = if self.request.is_full() { checks(plan, &self.totals) } else { self.state.checks.clone() };
            let mut outcome = Outcome { rows_in: self.totals.records, checks, ..Outcome::up_to_date() };
            outcome.fact("rows_unchanged", self.totals.known);
            return outcome;
        }
        let mut outcome = Outcome {
            rows_in: self.totals.records,
            rows_out: self.totals.rows,
            rows_rejected: rejected,
            checks: checks(plan, &self.totals),
            ..Outcome::default()
        };
        warnings(plan, &self.totals, &mut outcome);
        if self.request.is_full() && self.lost_keys {
            outcome.warn(
                "EXT059",
                format!("some rows of {} have keys that can't be read, so vanished rows were not looked for", self.request.shown),
            );
        }
        outcome.fact("windows", self.windows);
        outcome.fact("rows_unchanged", self.totals.known);
        if self.request.is_full() {
            outcome.fact("rows_deleted", self.deleted);
        }
        outcome
    }
}

/// The pieces of a read in order, converted on all cores. Memory is bounded: so many wait, so many are converted at a time.
fn converted(connection: Connection, request: Arc<Request>, hashed: bool, threads: usize) -> impl Stream<Item = Result<Typed>> {
    let (sender, receiver) = mpsc::channel(threads);
    let asked = Arc::clone(&request);
    tokio::spawn(async move {
        let sink = Sink::new(sender.clone(), asked.window_rows, !asked.is_full());
        if let Err(error) = connection.read(asked, sink).await {
            drop(sender.send(Err(error)).await);
        }
    });
    let pieces = futures::stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|item| (item, receiver)) });
    pieces
        .map_ok(move |piece| {
            let request = Arc::clone(&request);
            async move {
                let Piece { rows, stray, last, closes } = piece;
                let rows = tokio::task::spawn_blocking(move || convert(&request.plan.rows, hashed, rows));
                Ok(Typed { rows: rows.await.map_err(|e| Error::Task(e.to_string()))??, stray, last, closes })
            }
        })
        .try_buffered(threads + 1)
}
