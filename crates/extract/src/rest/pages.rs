//! All pages of one query: asked for one after the other, parsed, and handed on in order.

use super::connection::Connection;
use super::error::RestError;
use super::fetch::{Body, Content, Counters, Fetcher, Reply, Signal, Trouble};
use super::pager::{Next, PageFacts, Pager};
use super::request::{Context, build, shown};
use crate::error::{Error, Result};
use crate::page::{PageContext, PagePlan, PageRows, join_chunks, parse_json, parse_stream};
use bytes::Bytes;
use cscopilot_spec::connector::{ClientSpec, Endpoint, ErrorRule, Paginator, Read, ResponseFormat};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// A query whose pages are read: an endpoint, and all that is needed to understand its answers.
pub(crate) struct Query<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) client: &'a ClientSpec,
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) response: &'a ResponseFormat,
    pub(crate) paginator: Option<&'a Paginator>,
    pub(crate) read: &'a Read,
    pub(crate) plan: Arc<PagePlan>,
    pub(crate) counters: &'a Counters,
    /// What the log says of its rows.
    pub(crate) batch: String,
    pub(crate) extracted_at_micros: i64,
    /// Groups of fields that are asked for one after the other; one group where all fit.
    pub(crate) field_groups: Vec<String>,
    /// What templates see as `stream`, besides the fields.
    pub(crate) stream: Map<String, Value>,
}

/// How a query ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// A rule of the connector that ended it early.
    pub(crate) signal: Option<Signal>,
    /// The paginator's newest token.
    pub(crate) token: Option<String>,
    /// The least and most records that the API announced.
    pub(crate) announced: Option<(u64, u64)>,
    /// Pages that were left when the sink had enough.
    pub(crate) more: bool,
}

/// What the receiver of rows says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Go {
    On,
    Enough,
}

impl Query<'_> {
    /// The paths that a plan has to look for: those of the paginator, and the announced total.
    pub(crate) fn envelope(paginator: Option<&Paginator>, read: &Read) -> Vec<String> {
        let mut paths = Pager::paths(paginator);
        paths.extend(read.records.total.as_ref().map(|p| p.value.clone()));
        paths.sort();
        paths.dedup();
        paths
    }

    /// Reads pages until the last one, a signal, or until the sink has enough (asked after each page).
    pub(crate) async fn run(
        &self,
        context: &Context,
        token: Option<String>,
        mut sink: impl AsyncFnMut(PageRows) -> Result<Go>,
    ) -> Result<Ended> {
        let mut fetcher = Fetcher {
            connection: self.connection,
            retry: &self.client.retry,
            rules: self.read.errors.iter().chain(&self.client.errors).collect::<Vec<&ErrorRule>>(),
            counters: self.counters,
            forgets: false,
        };
        let constant = matches!(self.paginator, Some(Paginator::Cursor(p)) if p.constant);
        let mut pager = Pager::new(self.paginator, token);
        let mut announced: Option<(u64, u64)> = None;
        loop {
            let page = match self.page(&fetcher, context, &mut pager, &mut sink).await? {
                Reply::Signal(Signal::Empty) => {
                    return Ok(Ended { signal: None, token: pager.newest().map(str::to_owned), announced, more: false });
                }
                Reply::Signal(signal) => return Ok(Ended { signal: Some(signal), token: None, announced, more: false }),
                Reply::Good(page) => page,
            };
            if let Some(total) = page.announced {
                announced = Some(announced.map_or((total, total), |(least, most)| (least.min(total), most.max(total))));
            }
            // A scroll's token stays the same, so it can't say which page was lost.
            fetcher.forgets = constant;
            let more = page.next == Next::Page;
            if !more || page.go == Go::Enough {
                return Ok(Ended { signal: None, token: pager.newest().map(str::to_owned), announced, more });
            }
        }
    }

    async fn page(
        &self,
        fetcher: &Fetcher<'_>,
        context: &Context,
        pager: &mut Pager<'_>,
        sink: &mut impl AsyncFnMut(PageRows) -> Result<Go>,
    ) -> Result<Reply<Page>> {
        if *self.response != ResponseFormat::Json {
            return self.spooled(fetcher, context, pager, sink).await;
        }
        // The first groups' answers are kept until the last one is there: their records are joined.
        let mut parts: Vec<Bytes> = Vec::new();
        let (last, firsts) = self.field_groups.split_last().ok_or_else(|| Error::Task("a query has no fields".to_owned()))?;
        for fields in firsts {
            let request = build(self.client, self.endpoint, &self.with_fields(context, fields), Some(pager))?;
            let part = fetcher
                .fetch(&request, false, async |body| match body.content {
                    Content::Memory(bytes) => Ok(bytes),
                    Content::Disk(_) => Err(Trouble::Fatal(Box::new(Error::Task("a page went to disk".to_owned())))),
                })
                .await?;
            match part {
                Reply::Good(bytes) => parts.push(bytes),
                Reply::Signal(signal) => return Ok(Reply::Signal(signal)),
            }
        }
        let request = build(self.client, self.endpoint, &self.with_fields(context, last), Some(pager))?;
        let page_context = self.page_context(context, shown(&request))?;
        let reply = fetcher
            .fetch(&request, false, async |body: Body| {
                let Content::Memory(bytes) = body.content else {
                    return Err(Trouble::Fatal(Box::new(Error::Task("a page went to disk".to_owned()))));
                };
                let (plan, parts, ctx) = (Arc::clone(&self.plan), parts.clone(), Arc::clone(&page_context));
                let rows = tokio::task::spawn_blocking(move || {
                    if parts.is_empty() {
                        return parse_json(&plan, &ctx, &bytes);
                    }
                    let all: Vec<Bytes> = parts.into_iter().chain(std::iter::once(bytes)).collect();
                    parse_json(&plan, &ctx, &join_chunks(&plan, &all)?)
                });
                // An answer that can't be understood may have been cut; the next one may be whole.
                let rows = rows.await.map_err(|e| Trouble::Fatal(Box::new(Error::Task(e.to_string()))))?.map_err(unsound)?;
                let values = self.values(&rows);
                let facts = PageFacts {
                    records: rows.records,
                    values: &values,
                    headers: &body.headers,
                    last_id: rows.last_id.as_deref(),
                    body: body.hash,
                    url: &body.url,
                };
                let next = pager.advance(&facts).map_err(Trouble::Again)?;
                let announced = self.read.records.total.as_ref().and_then(|path| number(values.get(&path.value)?));
                Ok((rows, next, announced))
            })
            .await?;
        match reply {
            Reply::Signal(signal) => Ok(Reply::Signal(signal)),
            Reply::Good((rows, next, announced)) => Ok(Reply::Good(Page { go: sink(rows).await?, next, announced })),
        }
    }

    /// A body that is kept on disk while it is received, and read from there: only whole ones are parsed.
    async fn spooled(
        &self,
        fetcher: &Fetcher<'_>,
        context: &Context,
        pager: &mut Pager<'_>,
        sink: &mut impl AsyncFnMut(PageRows) -> Result<Go>,
    ) -> Result<Reply<Page>> {
        let fields = self.field_groups.first().map_or("", String::as_str);
        let request = build(self.client, self.endpoint, &self.with_fields(context, fields), Some(pager))?;
        let page_context = self.page_context(context, shown(&request))?;
        let reply = fetcher.fetch(&request, true, async |body: Body| Ok(body)).await?;
        let body = match reply {
            Reply::Signal(signal) => return Ok(Reply::Signal(signal)),
            Reply::Good(body) => body,
        };
        let Content::Disk(file) = body.content else { return Err(Error::Task("a spooled body is in memory".to_owned())) };
        let (sender, mut receiver) = mpsc::channel::<PageRows>(2);
        let (plan, format) = (Arc::clone(&self.plan), self.response.clone());
        let parsing = tokio::task::spawn_blocking(move || {
            parse_stream(&plan, &page_context, file, &format, &mut |rows| sender.blocking_send(rows).is_ok())
        });
        let (mut records, mut last_id, mut go) = (0, None, Go::On);
        while let Some(rows) = receiver.recv().await {
            records += rows.records;
            last_id = rows.last_id.clone().or(last_id);
            if sink(rows).await? == Go::Enough {
                go = Go::Enough;
            }
        }
        if let Err(error) = parsing.await.map_err(|e| Error::Task(e.to_string()))? {
            // Rows of it may be on their way: the window has to begin again.
            return match unsound(error) {
                Trouble::Again(error) => Ok(Reply::Signal(Signal::Restart(error.to_string()))),
                Trouble::Fatal(error) => Err(*error),
            };
        }
        let facts = PageFacts {
            records,
            values: &BTreeMap::new(),
            headers: &body.headers,
            last_id: last_id.as_deref(),
            body: body.hash,
            url: &body.url,
        };
        match pager.advance(&facts) {
            Ok(next) => Ok(Reply::Good(Page { go, next, announced: None })),
            Err(error) => Ok(Reply::Signal(Signal::Restart(error.to_string()))),
        }
    }

    /// The context of a request for a group of fields.
    pub(crate) fn with_fields(&self, context: &Context, fields: &str) -> Context {
        let mut stream = self.stream.clone();
        stream.insert("fields".to_owned(), json!(fields));
        let mut context = context.clone();
        context.insert("stream".to_owned(), Value::Object(stream));
        context
    }

    fn values(&self, rows: &PageRows) -> BTreeMap<String, Value> {
        Self::envelope(self.paginator, self.read)
            .into_iter()
            .zip(&rows.envelope)
            .filter_map(|(path, value)| Some((path, value.clone()?)))
            .collect()
    }

    fn page_context(&self, context: &Context, file: String) -> Result<Arc<PageContext>> {
        let context = Value::Object(context.clone());
        let added = self.read.records.add.iter().map(|(_, added)| match added.value.value.value(&context)? {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text)),
            other => Ok(Some(other.to_string())),
        });
        let added = added.collect::<std::result::Result<_, cscopilot_spec::connector::TemplateError>>().map_err(RestError::Template)?;
        Ok(Arc::new(PageContext {
            added,
            file,
            batch: self.batch.clone(),
            extracted_at_micros: self.extracted_at_micros,
            deletes: self.read.deletes,
        }))
    }
}

/// What one page came to.
struct Page {
    go: Go,
    next: Next,
    announced: Option<u64>,
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// An answer that can't be understood is asked for again; a declaration that doesn't fit is not.
fn unsound(error: Error) -> Trouble {
    if error.is_unsound_answer() { Trouble::Again(RestError::Unsound(error.to_string())) } else { Trouble::Fatal(Box::new(error)) }
}
