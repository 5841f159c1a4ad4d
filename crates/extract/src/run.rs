//! Runs one stream: finds what is new, reads it, publishes rows and state in one commit.

use crate::error::{Error, Result};
use crate::files::{InputFile, Root};
use crate::log::commit::Commit;
use crate::log::rejected::{Again, Waiting};
use crate::log::state::Stored;
use crate::plan::StreamPlan;
use crate::read::read;
use crate::report::{Totals, checks, rejected_pct, too_many, warnings};
use crate::rest::Connections;
use crate::state::{FileState, State};
use crate::{database, rest};
use arrow::datatypes::{DataType, SchemaRef};
use chrono::NaiveTime;
use cscopilot_decode::{Edge, FileContext, KeyCounter, Parsed, Seen, Tally};
use cscopilot_lake::TableInfo;
use cscopilot_lake::step::{Outcome, StepContext};
use cscopilot_spec::SourceKind;
use futures::{StreamExt, TryStreamExt};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How much text of rejected rows is kept in memory before the stream is given up.
const MAX_REJECTED_BYTES: usize = 512 << 20;

/// Reads what is new of a stream into its raw table: new and changed files, or what an API or a database has since the last time.
///
/// Rows, their cursors and the files' fingerprints are one commit, so a run that dies anywhere neither loses nor repeats rows. Rejected rows
/// are committed before it: rows are never published without them.
///
/// # Errors
/// Any [`Error`]; nothing of the stream is published then.
pub async fn run(ctx: &StepContext, connections: &Connections, source_name: &str, stream_name: &str) -> Result<Outcome> {
    let no_stream = || Error::NoStream { source_name: source_name.to_owned(), stream: stream_name.to_owned() };
    let source = &ctx.project.sources.get(source_name).ok_or_else(no_stream)?.value;
    let root = match source.kind().ok_or_else(no_stream)? {
        SourceKind::Files(root) => root,
        SourceKind::Connector(_) => {
            return rest::run(ctx, connections, source_name, stream_name).await;
        }
        SourceKind::Database(_) => return database::run(ctx, source, source_name, stream_name).await,
    };
    let stream = source.streams.get(stream_name).ok_or_else(no_stream)?;
    let pattern = stream.files.as_ref().ok_or_else(no_stream)?;
    let plan = StreamPlan::new(source_name, source, stream_name, stream)?;
    let table = plan.tables.rows.to_string();

    let root = Root::open(&ctx.project, root)?;
    let found = root.list(pattern).await?;
    if found.is_empty() && !stream.optional {
        return Err(Error::NoFiles { pattern: pattern.value.clone(), root: root.shown() });
    }
    let stored = ctx.lake.table(&plan.tables.rows).await?;
    check_types(&table, &plan.rows.schema, stored.as_ref())?;
    let state = State::parse(&table, stored.as_ref().and_then(|t| t.state.as_ref()))?;
    let all = found.len();
    let files = state.changed(found);
    let redeclared = !state.files.is_empty() && state.declaration != plan.declaration && files.len() < all;
    let mut outcome = if stored.is_some() && files.is_empty() {
        Outcome { checks: state.checks.clone(), ..Outcome::up_to_date() }
    } else {
        Reading { ctx, plan: Arc::new(plan), files: Arc::new(files), state }.run().await?
    };
    if redeclared {
        outcome.warn(
            "EXT030",
            format!("the declaration of {table} has changed; files that were read before keep their rows as they are (drop the table to read them anew)"),
        );
    }
    outcome.fact("files_found", all);
    Ok(outcome)
}

/// Raw tables are never rewritten, so a column can't change its type.
pub(crate) fn check_types(table: &str, declared: &SchemaRef, stored: Option<&TableInfo>) -> Result<()> {
    let Some(stored) = stored else { return Ok(()) };
    for field in declared.fields() {
        let Ok(old) = stored.schema.field_with_name(field.name()) else { continue };
        if !same_type(old.data_type(), field.data_type()) {
            return Err(Error::TypeChanged {
                table: table.to_owned(),
                column: field.name().clone(),
                stored: type_name(old.data_type()),
                declared: type_name(field.data_type()),
            });
        }
    }
    Ok(())
}

/// A type as declarations name it.
fn type_name(kind: &DataType) -> String {
    match kind {
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => "string".to_owned(),
        DataType::Boolean => "bool".to_owned(),
        DataType::Int64 => "int".to_owned(),
        DataType::Float64 => "float".to_owned(),
        DataType::Decimal128(p, s) => format!("decimal({p},{s})"),
        DataType::Date32 => "date".to_owned(),
        DataType::Timestamp(_, _) => "timestamp".to_owned(),
        other => other.to_string(),
    }
}

fn same_type(stored: &DataType, declared: &DataType) -> bool {
    let text = |t: &DataType| matches!(t, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8);
    stored == declared || text(stored) && text(declared)
}

struct Reading<'a> {
    ctx: &'a StepContext,
    plan: Arc<StreamPlan>,
    files: Arc<Vec<InputFile>>,
    state: State,
}

/// What one file gave.
#[derive(Debug, Default)]
struct FileResult {
    rows: u64,
    known: u64,
    edge: Option<Edge>,
}

impl Reading<'_> {
    async fn run(self) -> Result<Outcome> {
        let contexts = Arc::new(self.contexts());
        let mut commit = Commit::new(self.ctx, &self.plan.tables.rows, Arc::clone(&self.plan.rows.schema), self.ctx.txn());
        let fed = match self.feed(&contexts, &mut commit).await {
            Ok(fed) => fed,
            Err(error) => {
                commit.abandon(&error.to_string()).await;
                return Err(error);
            }
        };
        let state = fed.as_ref().map(|(_, state)| state.to_json()).unwrap_or_default();
        let committed = commit.close(state).await?;
        let mut outcome = match fed {
            Some((totals, _)) => self.outcome(&totals),
            // The same run had committed before it died: its rows are there.
            None => Outcome { rows_in: committed.rows, ..Outcome::default() },
        };
        outcome.rows_out = committed.rows;
        Ok(outcome)
    }

    fn extracted_at_micros(&self) -> i64 {
        self.ctx.as_of.and_time(NaiveTime::MIN).and_utc().timestamp_micros()
    }

    fn contexts(&self) -> Vec<FileContext> {
        let table = self.plan.tables.rows.to_string();
        let extracted_at_micros = self.extracted_at_micros();
        let context = |file: &InputFile| FileContext {
            key: file.key.clone(),
            batch: file.batch(&table),
            seen: self
                .state
                .files
                .get(&file.key)
                .and_then(|known| known.edge.as_ref())
                .filter(|_| self.plan.rows.cursor.is_some())
                .map(Seen::new),
            extracted_at_micros,
        };
        self.files.iter().map(context).collect()
    }

    /// Reads everything and feeds the commit; nothing where that turned out to be made already.
    async fn feed(&self, contexts: &Arc<Vec<FileContext>>, commit: &mut Commit) -> Result<Option<(Totals, State)>> {
        let plan = &self.plan;
        let mut results: Vec<FileResult> = self.files.iter().map(|_| FileResult::default()).collect();
        let mut totals = Totals::new(plan.rows.columns.len());
        let mut keys = KeyCounter::new();
        let mut rejects = Waiting::default();
        let threads = self.ctx.project.threads();
        let mut parsed = read(Arc::clone(plan), Arc::clone(&self.files), Arc::clone(contexts), threads).boxed();
        let mut current = None;
        while let Some(Parsed { file, batch, records, known, rejected, edge, keys: hashes, present }) = parsed.try_next().await? {
            self.ctx.progress.rows(records);
            if current.replace(file) != Some(file) {
                self.ctx.progress.note(format!("{} (file {} of {})", contexts[file].key, file + 1, contexts.len()));
            }
            totals.records += records;
            totals.rows += batch.num_rows() as u64;
            totals.known += known;
            for (seen, now) in totals.present.iter_mut().zip(present) {
                *seen |= now;
            }
            let result = &mut results[file];
            result.rows += batch.num_rows() as u64 + known;
            result.known += known;
            result.edge = Edge::join(result.edge.take(), edge);
            for row in &rejected {
                totals.tally.add(&contexts[file].key, row);
            }
            rejects.add(&contexts[file].key, &contexts[file].batch, rejected);
            if rejects.bytes() > MAX_REJECTED_BYTES {
                return Err(too_many(plan, &totals));
            }
            keys.add(&hashes);
            if batch.num_rows() > 0 && !commit.send(batch).await? {
                return Ok(None);
            }
        }
        if !plan.rows.primary_key.is_empty() {
            totals.repeated_keys = tokio::task::spawn_blocking(|| keys.repeated()).await.map_err(|e| Error::Task(e.to_string()))?;
        }
        if rejected_pct(&totals.tally, totals.records) > plan.max_rejected_pct {
            return Err(too_many(plan, &totals));
        }
        totals.files = results.len() as u64;
        self.late_rows(&results, &mut totals);
        self.publish_rejected(&rejects).await?;
        let state = self.next_state(results, &totals);
        Ok(Some((totals, state)))
    }

    /// Rows below a file's cursor that weren't there before: the declaration says to leave them, but nobody should be surprised.
    fn late_rows(&self, results: &[FileResult], totals: &mut Totals) {
        for (file, result) in self.files.iter().zip(results) {
            if let Some(before) = self.state.files.get(&file.key) {
                totals.late += result.known.saturating_sub(before.rows);
            }
        }
    }

    async fn publish_rejected(&self, rejects: &Waiting) -> Result<()> {
        let mut batches = blake3::Hasher::new();
        for part in rejects.parts() {
            batches.update(part.batch.as_bytes());
        }
        let again = Again::Fingerprint(format!("rejected:{}", &batches.finalize().to_hex()[..32]));
        rejects.publish(self.ctx, &self.plan.tables.rejected, self.extracted_at_micros(), self.ctx.txn(), again).await
    }

    fn next_state(&self, results: Vec<FileResult>, totals: &Totals) -> State {
        let read: BTreeMap<String, FileState> = self
            .files
            .iter()
            .zip(results)
            .map(|(file, result)| {
                let before = self.state.files.get(&file.key).and_then(|f| f.edge.clone());
                // A file that lost its newest rows keeps the cursor that it once had.
                let edge = match (before, result.edge) {
                    (Some(old), Some(new)) if old.is_beyond(&new) => Some(old),
                    (old, None) => old,
                    (_, new) => new,
                };
                (file.key.clone(), FileState { size: file.size, content: file.content.clone(), rows: result.rows, edge })
            })
            .collect();
        let mut state = self.state.clone();
        state.declaration.clone_from(&self.plan.declaration);
        state.files.extend(read);
        state.checks = checks(&self.plan, totals);
        state
    }

    fn outcome(&self, totals: &Totals) -> Outcome {
        let mut outcome = Outcome {
            rows_in: totals.records,
            rows_out: totals.rows,
            rows_rejected: totals.tally.total(),
            checks: checks(&self.plan, totals),
            ..Outcome::default()
        };
        warnings(&self.plan, totals, &mut outcome);
        outcome.fact("files_read", totals.files);
        outcome.fact("bytes_read", self.files.iter().map(|f| f.size).sum::<u64>());
        if totals.known > 0 {
            outcome.fact("rows_read_before", totals.known);
        }
        outcome
    }
}

impl Totals {
    fn new(columns: usize) -> Self {
        Self { present: vec![false; columns], tally: Tally::default(), ..Self::default() }
    }
}
