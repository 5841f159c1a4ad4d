//! Streams that are read once for each record of another: the parent's new and changed records lead to the child's.

use super::error::RestError;
use super::pages::{Ended, Go};
use super::request::context;
use super::state::ParentMark;
use super::stream::StreamRun;
use super::window_run::Reader;
use crate::error::{Error, Result};
use crate::log::Tables;
use crate::log::known::quoted;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use cscopilot_decode::Hashed;
use cscopilot_lake::Params;
use cscopilot_spec::connector::{ParentPartitions, Read};
use futures::{StreamExt, TryStreamExt};
use serde_json::{Map, Value, json};

/// Parents whose children become one commit.
const PARENTS_A_COMMIT: usize = 500;

/// A parent's record: the key by which it is ordered, and what templates see.
#[derive(Debug)]
struct Parent {
    key: String,
    values: Map<String, Value>,
}

impl<'a> StreamRun<'a> {
    /// Reads the children of every parent that came since the last time.
    pub(crate) async fn children(&mut self, read: &'a Read, spec: &ParentPartitions) -> Result<()> {
        let table = Tables::of(self.source_name, &spec.stream).rows;
        if self.ctx.lake.table(&table).await?.is_none() {
            return Ok(());
        }
        let mark = self.state.mark(&read.name, "").and_then(|m| m.parent.clone()).unwrap_or_default();
        let newest = match &mark.open {
            Some((upto, _)) => upto.clone(),
            None => self.newest_batch(&table.to_string()).await?,
        };
        if newest <= mark.batch {
            return Ok(());
        }
        let parents = self.parents(&table.to_string(), spec, &mark, &newest).await?;
        let chunks: Vec<&[Parent]> = parents.chunks(PARENTS_A_COMMIT).collect();
        let mut known = self.known_latest().await?;
        if chunks.is_empty() {
            return self.close_children(read, newest, None, None).await;
        }
        for (index, chunk) in chunks.iter().enumerate() {
            let mut reader = self.reader(read).await?;
            let query = self.query(read)?;
            let base = context(self.connection).await?;
            let mut collected = reader.collecting(&query.batch);
            let hashing = reader.hashing(&known);
            let concurrency = self.plan.connector.client.concurrency.value.max(1) as usize;
            let answers = futures::stream::iter(chunk.iter().map(|parent| {
                let mut context = base.clone();
                context.insert("parent".to_owned(), Value::Object(parent.values.clone()));
                let (query, hashing) = (&query, hashing.clone());
                async move {
                    let mut pages: Vec<Hashed> = Vec::new();
                    let ended = query
                        .run(&context, None, None, hashing, async |rows| {
                            pages.push(rows);
                            Ok(Go::On)
                        })
                        .await?;
                    Ok::<(Vec<Hashed>, Ended), Error>((pages, ended))
                }
            }))
            .buffered(concurrency);
            let mut answers = std::pin::pin!(answers);
            let result = async {
                while let Some((pages, ended)) = answers.try_next().await? {
                    reader.take_all(&mut collected, pages, &ended, &mut known).await?;
                }
                Ok::<(), Error>(())
            }
            .await;
            if let Err(error) = result {
                collected.abandon().await;
                return Err(error);
            }
            let last = index + 1 == chunks.len();
            let open = chunk.last().filter(|_| !last).map(|parent| parent.key.clone());
            self.close_children(read, newest.clone(), open, Some((reader, collected))).await?;
        }
        Ok(())
    }

    async fn close_children(
        &mut self,
        read: &'a Read,
        newest: String,
        open: Option<String>,
        collected: Option<(Reader<'a>, super::window_run::Collecting)>,
    ) -> Result<()> {
        let mark = &mut self.state.mark_mut(&read.name, "").parent;
        let before = mark.clone().unwrap_or_default().batch;
        *mark = Some(match open {
            Some(key) => ParentMark { batch: before, open: Some((newest, key)) },
            None => ParentMark { batch: newest, open: None },
        });
        let (reader, collected) = match collected {
            Some(both) => both,
            None => {
                let reader = self.reader(read).await?;
                let empty = reader.collecting(&self.state.next_batch());
                (reader, empty)
            }
        };
        self.published |= reader.close(collected, &mut self.state, &mut self.totals, true).await?;
        Ok(())
    }

    async fn newest_batch(&self, table: &str) -> Result<String> {
        let batches = self.ctx.lake.query(&format!("SELECT MAX(\"_batch\") AS b FROM {table}"), &Params::new()).await?;
        Ok(batches.iter().filter(|b| b.num_rows() > 0).find_map(|b| text(b, 0, 0)).unwrap_or_default())
    }

    /// The parents to follow, by key; of each the latest row.
    async fn parents(&self, table: &str, spec: &ParentPartitions, mark: &ParentMark, newest: &str) -> Result<Vec<Parent>> {
        let Some(key) = spec.columns.first() else { return Ok(Vec::new()) };
        let key = quoted(key);
        let columns: Vec<String> = spec.columns.iter().map(|c| quoted(c)).collect();
        let after = mark.open.as_ref().map(|(_, key)| key.clone()).unwrap_or_default();
        let sql = format!(
            "SELECT CAST({key} AS VARCHAR) AS \"_key\", {} FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY \"_batch\" DESC, \"_line\" DESC) \
             AS \"_nth\" FROM {table} WHERE \"_batch\" > $batch AND \"_batch\" <= $newest) \
             WHERE \"_nth\" = 1 AND \"_op\" <> 'delete' AND CAST({key} AS VARCHAR) > $after ORDER BY \"_key\"",
            columns.join(", ")
        );
        let params = Params::new().with("batch", mark.batch.as_str()).with("newest", newest).with("after", after.as_str());
        let mut parents = Vec::new();
        for batch in self.ctx.lake.query(&sql, &params).await? {
            for row in 0..batch.num_rows() {
                let Some(key) = text(&batch, 0, row) else { continue };
                let mut values = Map::new();
                for (index, column) in spec.columns.iter().enumerate() {
                    values.insert(column.value.clone(), text(&batch, index + 1, row).map_or(Value::Null, |v| json!(v)));
                }
                parents.push(Parent { key, values });
            }
        }
        Ok(parents)
    }
}

fn text(batch: &RecordBatch, column: usize, row: usize) -> Option<String> {
    let array = cast(batch.column(column), &DataType::Utf8).ok()?;
    (!array.is_null(row)).then(|| array.as_string::<i32>().value(row).to_owned())
}

/// What a child's query must come to.
pub(crate) fn settled(ended: &Ended) -> std::result::Result<Option<String>, RestError> {
    use super::fetch::Signal;
    match &ended.signal {
        None | Some(Signal::Empty) => Ok(None),
        Some(Signal::Ignore(reason)) => Ok(Some(reason.clone())),
        Some(Signal::SplitWindow(reason) | Signal::Restart(reason) | Signal::WithoutJob(reason)) => Err(RestError::Unsound(reason.clone())),
    }
}
