//! One stream of a connector: which reads are due, over which partitions and windows, and the state they lead to.

use super::connection::{Connection, now_micros};
use super::error::RestError;
use super::fetch::Counters;
use super::pages::Query;
use super::plan::ConnectorPlan;
use super::request::{Context, context};
use super::state::State;
use super::tally::Totals;
use super::window::{Window, resolution, windows};
use super::window_run::{Reader, WindowEnd};
use crate::error::{Error, Result};
use crate::log::Tables;
use crate::log::known::{self, Lines, Shape, quoted};
use arrow::datatypes::DataType;
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta};
use cscopilot_decode::Known;
use cscopilot_decode::page::PagePlan;
use cscopilot_lake::step::StepContext;
use cscopilot_lake::{Params, TableInfo};
use cscopilot_spec::connector::{Checkpoint, Incremental, Partitions, Read, When};
use cscopilot_spec::source::Source;
use futures::TryStreamExt;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Exports that go on from a token are published every so many pages.
const TOKEN_PAGES: u64 = 200;

/// A stream that is being read.
pub(crate) struct StreamRun<'a> {
    pub(crate) ctx: &'a StepContext,
    pub(crate) connection: &'a Connection,
    pub(crate) source: &'a Source,
    pub(crate) source_name: &'a str,
    pub(crate) plan: &'a ConnectorPlan<'a>,
    pub(crate) tables: &'a Tables,
    pub(crate) state: State,
    pub(crate) counters: &'a Counters,
    pub(crate) totals: Totals,
    /// Whether anything was published or had to be.
    pub(crate) published: bool,
}

impl<'a> StreamRun<'a> {
    /// Does every read that is due. What ends one early, like a quota that is used up, leaves what was published.
    pub(crate) async fn run(&mut self) -> Result<()> {
        let began = now_micros();
        let first = self.first_is_due(began);
        let stream = self.plan.stream;
        let due: Vec<&'a Read> = stream
            .reads
            .iter()
            .filter(|read| match read.when {
                When::Always => true,
                When::First => first,
                When::Later => !first,
            })
            .collect();
        for read in due {
            let result = self.read(read, began).await;
            match result {
                Ok(()) => {}
                Err(Error::Rest(error)) if matches!(*error, RestError::Quota { .. }) => {
                    self.totals.stopped = Some(error.to_string());
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether the stream is to be read as at first: nothing was read yet, or too long ago for what later reads can see.
    fn first_is_due(&self, now: i64) -> bool {
        let reads = &self.plan.stream.reads;
        let has_first = reads.iter().any(|r| r.when == When::First);
        let Some(full) = self.state.full_read_at else { return has_first };
        has_first
            && reads.iter().filter(|r| r.when == When::Later).any(|read| {
                let upto = self.state.mark(&read.name, "").and_then(|m| m.upto).unwrap_or(full);
                // A run for an earlier day sees nothing of later days, so it isn't late either.
                read.max_age_days.is_some_and(|days| now.min(self.end_of_day()) - upto > i64::from(days) * 86_400_000_000)
            })
    }

    async fn read(&mut self, read: &'a Read, began: i64) -> Result<()> {
        match &read.partitions {
            None => self.partition(read, "", &context(self.connection).await?, began).await,
            Some(Partitions::List(list)) => {
                let mut values = list.values.clone();
                if let Some(setting) = &list.setting {
                    let text = self.connection.settings.get(&setting.value).and_then(|v| v.as_str()).unwrap_or_default();
                    values.extend(text.split(',').map(str::trim).filter(|v| !v.is_empty()).map(str::to_owned));
                }
                for value in values {
                    let mut context = context(self.connection).await?;
                    context.insert("partition".to_owned(), json!({list.name.value.clone(): value}));
                    self.partition(read, &value, &context, began).await?;
                }
                Ok(())
            }
            Some(Partitions::Parent(parent)) => self.children(read, parent).await,
        }
    }

    /// One partition: its windows one after the other, or all of it at once.
    async fn partition(&mut self, read: &'a Read, partition: &str, context: &Context, began: i64) -> Result<()> {
        let Some(incremental) = &read.incremental else { return self.whole(read, partition, context, began).await };
        if incremental.checkpoint == Checkpoint::Token {
            return self.tokens(read, partition, context, incremental, began).await;
        }
        let span = self.span(read, partition, incremental)?;
        let mut todo: Vec<Window> = windows(incremental, span.start, span.end);
        todo.reverse();
        if todo.is_empty() {
            return self.finish_first(read, began).await;
        }
        let mut known = self.known_since(incremental, span.start).await?;
        let last_end = todo.first().map(|w| w.end);
        while let Some(window) = todo.pop() {
            let closes = Some(window.end) == last_end;
            let mut bounded = context.clone();
            bounded.insert("window".to_owned(), window.bounds(incremental));
            self.ctx.progress.note(window.shown());
            let query = self.query(read)?;
            let mut reader = self.reader(read).await?;
            let end = match &read.job {
                Some(job) => super::job::window(&mut reader, &query, job, &bounded, Some(window), &mut known, self.plan).await?,
                None => reader.window(&query, &bounded, Some(window), None, &mut known, None).await?,
            };
            let collected = match end {
                WindowEnd::Split(reason) => {
                    let (one, other) =
                        window.halves(resolution(incremental)).ok_or_else(|| RestError::TooLarge { window: window.shown(), reason })?;
                    todo.push(other);
                    todo.push(one);
                    continue;
                }
                WindowEnd::Read { collected, .. } | WindowEnd::Ignored(collected) => *collected,
                WindowEnd::WithoutJob(reason) => return Err(RestError::Unsound(reason).into()),
            };
            self.state.mark_mut(&read.name, partition).upto = Some(window.end);
            if closes {
                self.note_full_read(read, began);
            }
            self.published |= reader.close(collected, &mut self.state, &mut self.totals, true).await?;
        }
        Ok(())
    }

    /// A read without a cursor: everything, compared with what is there.
    async fn whole(&mut self, read: &'a Read, partition: &str, context: &Context, began: i64) -> Result<()> {
        let mut known = self.known_latest().await?;
        let query = self.query(read)?;
        let mut reader = self.reader(read).await?;
        let end = match &read.job {
            Some(job) => super::job::window(&mut reader, &query, job, context, None, &mut known, self.plan).await?,
            None => reader.window(&query, context, None, None, &mut known, None).await?,
        };
        let (mut collected, complete) = match end {
            WindowEnd::Read { collected, .. } => (*collected, true),
            WindowEnd::Ignored(collected) => (*collected, false),
            WindowEnd::Split(reason) | WindowEnd::WithoutJob(reason) => {
                return Err(RestError::TooLarge { window: "of all records".to_owned(), reason }.into());
            }
        };
        if complete && read.complete {
            self.vanished(&known, &reader, &mut collected).await?;
        }
        let first = self.note_full_read(read, began);
        let keep = first || self.state.mark(&read.name, partition).is_none();
        self.state.mark_mut(&read.name, partition).upto = Some(began);
        self.published |= reader.close(collected, &mut self.state, &mut self.totals, keep).await?;
        Ok(())
    }

    /// An export that goes on from a token: published every so many pages.
    async fn tokens(&mut self, read: &'a Read, partition: &str, context: &Context, incremental: &Incremental, began: i64) -> Result<()> {
        let span = self.span(read, partition, incremental)?;
        let window = Window { start: span.start, end: span.end };
        let mut bounded = context.clone();
        bounded.insert("window".to_owned(), window.bounds(incremental));
        let mut known = if self.state.mark(&read.name, partition).is_some() { self.known_latest().await? } else { Known::default() };
        loop {
            let token = self.state.mark(&read.name, partition).and_then(|m| m.token.clone());
            let query = self.query(read)?;
            let mut reader = self.reader(read).await?;
            let end = reader.window(&query, &bounded, Some(window), token.as_deref(), &mut known, Some(TOKEN_PAGES)).await?;
            let (ended, collected) = match end {
                WindowEnd::Read { ended, collected } => (ended, *collected),
                WindowEnd::Ignored(collected) => {
                    self.published |= reader.close(*collected, &mut self.state, &mut self.totals, false).await?;
                    return Ok(());
                }
                WindowEnd::Split(reason) | WindowEnd::WithoutJob(reason) => {
                    return Err(RestError::TooLarge { window: window.shown(), reason }.into());
                }
            };
            let moved = ended.token.is_some() && ended.token != token;
            let mark = self.state.mark_mut(&read.name, partition);
            mark.upto = Some(window.end);
            if ended.token.is_some() {
                mark.token.clone_from(&ended.token);
            }
            let first = !ended.more && self.note_full_read(read, began);
            self.published |= reader.close(collected, &mut self.state, &mut self.totals, moved || first).await?;
            if !ended.more {
                return Ok(());
            }
        }
    }

    /// Keys that a complete list no longer has become deletions.
    pub(crate) async fn vanished(&self, known: &Known, reader: &Reader<'_>, collected: &mut super::window_run::Collecting) -> Result<()> {
        let Some(info) = self.ctx.lake.table(&self.tables.rows).await? else { return Ok(()) };
        let Some(gone) = known::vanished(known, &self.ctx.lake, &reader.shape, &info.schema).await? else { return Ok(()) };
        let mut gone = Box::pin(gone);
        while let Some(gone) = gone.try_next().await? {
            let batch = self.plan.deletions(&gone, &self.state.next_batch(), self.extracted_at())?;
            let rows = batch.num_rows() as u64;
            collected.totals.rows += rows;
            collected.totals.deletes += rows;
            reader.send(collected, batch).await?;
        }
        Ok(())
    }

    /// The part of time that a read is due for.
    pub(crate) fn span(&self, read: &Read, partition: &str, incremental: &Incremental) -> Result<Window> {
        let micros = |n: u64| i64::try_from(n).unwrap_or(i64::MAX / 1_000_000).saturating_mul(1_000_000);
        let lookback = micros(incremental.lookback_secs);
        let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc().timestamp_micros();
        let end = self.end_of_day().min(now_micros() - micros(incremental.end_lag_secs));
        let mark = self.state.mark(&read.name, partition).and_then(|m| m.upto);
        let begun = match read.when {
            When::Later => mark.into_iter().chain(self.state.full_read_at).max(),
            _ => mark,
        };
        if let Some(upto) = begun {
            // Nothing new can be there.
            let start = if upto >= end { end } else { upto - lookback };
            return Ok(Window { start, end });
        }
        let start = match &self.source.start {
            Some(day) => day.value,
            None => {
                let context = json!({"setting": self.connection.settings});
                let text = incremental.start.render(&context).map_err(RestError::Template)?;
                text.parse().map_err(|_| RestError::Setting {
                    setting: "start".to_owned(),
                    reason: format!("`{text}` is no date like 2024-01-31"),
                })?
            }
        };
        Ok(Window { start: midnight(start), end })
    }

    /// Notes that everything was read once; whether that is news.
    fn note_full_read(&mut self, read: &Read, began: i64) -> bool {
        let first = read.when == When::First;
        if first {
            self.state.full_read_at = Some(began.min(self.end_of_day()));
        }
        first
    }

    /// A first read that had no window to read is done all the same.
    async fn finish_first(&mut self, read: &'a Read, began: i64) -> Result<()> {
        if self.note_full_read(read, began) {
            let reader = self.reader(read).await?;
            let collected = reader.collecting(&self.state.next_batch());
            self.published |= reader.close(collected, &mut self.state, &mut self.totals, true).await?;
        }
        Ok(())
    }

    /// The first instant that the run's day doesn't know any more.
    fn end_of_day(&self) -> i64 {
        (self.ctx.as_of + TimeDelta::days(1)).and_time(NaiveTime::MIN).and_utc().timestamp_micros()
    }

    pub(crate) fn extracted_at(&self) -> i64 {
        self.ctx.as_of.and_time(NaiveTime::MIN).and_utc().timestamp_micros()
    }

    async fn table(&self) -> Result<Option<TableInfo>> {
        Ok(self.ctx.lake.table(&self.tables.rows).await?)
    }

    /// Rows whose cursor is at or after an instant.
    async fn known_since(&self, incremental: &Incremental, from: i64) -> Result<Known> {
        let Some(info) = self.table().await? else { return Ok(Known::default()) };
        let (have, cursor) = (&info.schema, &incremental.cursor);
        let at = DateTime::from_timestamp_micros(from).unwrap_or_default();
        let from = || format!("WHERE {} >= $from", quoted(cursor));
        let (condition, params) = match have.field_with_name(cursor).map(|f| f.data_type()) {
            Ok(DataType::Timestamp(_, _)) => (from(), Params::new().with("from", at)),
            Ok(DataType::Date32) => (from(), Params::new().with("from", at.date_naive())),
            _ => (String::new(), Params::new()),
        };
        known::any_version(&self.ctx.lake, &self.wide_shape(&info), have, &condition, &params).await
    }

    /// The latest row of every key.
    pub(crate) async fn known_latest(&self) -> Result<Known> {
        let Some(info) = self.table().await? else { return Ok(Known::default()) };
        known::latest(&self.ctx.lake, &self.wide_shape(&info), &info.schema, "", &Params::new()).await
    }

    /// The shape with the columns that the table has gained.
    fn wide_shape(&self, info: &TableInfo) -> Shape {
        let schema = self.plan.schema();
        let mut shape = self.shape();
        if self.plan.evolves() {
            let gained: BTreeSet<String> =
                info.schema.fields().iter().map(|f| f.name().clone()).filter(|name| schema.field_with_name(name).is_err()).collect();
            shape.columns.extend(gained);
        }
        shape
    }

    fn shape(&self) -> Shape {
        Shape { table: self.tables.rows.clone(), columns: self.plan.column_names(), key: self.plan.key(), lines: Lines::Restart }
    }

    /// What the windows of a read share. Columns that the table has gained before stay.
    pub(crate) async fn reader(&self, read: &'a Read) -> Result<Reader<'a>> {
        let shape = match self.table().await? {
            Some(info) => self.wide_shape(&info),
            None => self.shape(),
        };
        let gained = shape.columns[self.plan.column_names().len()..].iter().cloned().collect();
        Ok(Reader {
            ctx: self.ctx,
            tables: self.tables,
            shape,
            schema: self.plan.schema(),
            gained,
            incremental: read.incremental.as_ref(),
            max_rejected_pct: self.plan.max_rejected_pct,
            attempts: self.plan.connector.client.retry.attempts,
            extracted_at_micros: self.extracted_at(),
        })
    }

    pub(crate) fn query(&self, read: &'a Read) -> Result<Query<'a>> {
        let envelope = Query::envelope(read.paginator.as_ref(), read);
        let plan = PagePlan::new(self.plan.stream, self.plan.extra, self.plan.drift, read, &read.response, &envelope)?;
        Ok(Query {
            connection: self.connection,
            client: &self.plan.connector.client,
            endpoint: &read.endpoint,
            response: &read.response,
            paginator: read.paginator.as_ref(),
            read,
            plan: Arc::new(plan),
            counters: self.counters,
            batch: self.state.next_batch(),
            extracted_at_micros: self.extracted_at(),
            field_groups: self.plan.field_groups(read),
            stream: self.plan.words(),
        })
    }
}
