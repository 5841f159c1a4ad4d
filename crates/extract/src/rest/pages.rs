//! All pages of one query: asked for one after the other, parsed, and handed on in order.
//!
//! Asking and parsing go on while the receiver works on the pages before: one waits, one is being taken, so memory stays that of a few
//! pages.

use super::connection::Connection;
use super::error::RestError;
use super::fetch::{Body, Content, Counters, Fetcher, Reply, Signal, Trouble, hash_of};
use super::pager::{Amiss, Next, PageFacts, Pager};
use super::request::{Context, build, shown};
use crate::error::{Error, Result};
use bytes::Bytes;
use cscopilot_decode::page::{PageContext, PagePlan, PageRows, find_records, join_chunks, parse_stream};
use cscopilot_spec::connector::{ClientSpec, Endpoint, ErrorRule, Paginator, Read, ResponseFormat};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// A page of at most so many bytes is walked over where it was received: in less time than another thread needs to wake up twice.
const AT_ONCE: usize = 512 << 10;

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
    /// Whether pages are left.
    pub(crate) more: bool,
}

/// What the receiver of rows says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Go {
    On,
    Enough,
}

/// A page that is being prepared.
type Coming<T> = JoinHandle<Result<T>>;

/// Hands pages to the sink, in order.
struct Hand<T, P> {
    sender: mpsc::Sender<Coming<T>>,
    prepare: P,
}

impl<T: Send + 'static, P: Fn(PageRows) -> T + Clone + Send + 'static> Hand<T, P> {
    /// Begins to prepare a page, and waits until there is room for it. Whoever takes no more pages drops the reader too, so a page that nobody
    /// takes is not missed.
    async fn on(&self, rows: impl FnOnce() -> Result<PageRows> + Send + 'static) {
        let prepare = self.prepare.clone();
        let coming = tokio::task::spawn_blocking(move || rows().map(prepare));
        let _taken = self.sender.send(coming).await;
    }
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

    /// Reads pages until the last one, a signal, so many pages, or until the sink has enough. What `prepare` does with a page runs on another
    /// thread, beside the next request; the sink takes the pages in order.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        context: &Context,
        token: Option<String>,
        most: Option<u64>,
        prepare: impl Fn(PageRows) -> T + Clone + Send + 'static,
        mut sink: impl AsyncFnMut(T) -> Result<Go>,
    ) -> Result<Ended> {
        let (sender, mut receiver) = mpsc::channel::<Coming<T>>(1);
        let hand = Hand { sender, prepare };
        let mut reading = std::pin::pin!(self.read_pages(context, token, most, hand));
        let mut taking = std::pin::pin!(async {
            while let Some(rows) = receiver.recv().await {
                if sink(rows.await.map_err(|e| Error::Task(e.to_string()))??).await? == Go::Enough {
                    return Ok(Go::Enough);
                }
            }
            Ok::<Go, Error>(Go::On)
        });
        let mut ended = None;
        loop {
            tokio::select! {
                read = &mut reading, if ended.is_none() => ended = Some(read?),
                taken = &mut taking => return match (taken?, ended) {
                    (Go::Enough, _) => Ok(Ended { signal: None, token: None, announced: None, more: true }),
                    (Go::On, Some(ended)) => Ok(ended),
                    // The channel closes a moment before the reader says how it ended.
                    (Go::On, None) => reading.await,
                },
            }
        }
    }

    async fn read_pages<T: Send + 'static>(
        &self,
        context: &Context,
        token: Option<String>,
        most: Option<u64>,
        hand: Hand<T, impl Fn(PageRows) -> T + Clone + Send + 'static>,
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
        let mut pages = 0;
        loop {
            let page = match self.page(&fetcher, context, &mut pager, &hand).await? {
                Reply::Signal(Signal::Empty) if !pager.may_end_empty() => {
                    let reason = RestError::EmptyPage { records: pager.records() }.to_string();
                    return Ok(Ended { signal: Some(Signal::Restart(reason)), token: None, announced, more: false });
                }
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
            pages += 1;
            let more = page.next == Next::Page;
            if !more || most.is_some_and(|most| pages >= most) {
                return Ok(Ended { signal: None, token: pager.newest().map(str::to_owned), announced, more });
            }
        }
    }

    async fn page<T: Send + 'static>(
        &self,
        fetcher: &Fetcher<'_>,
        context: &Context,
        pager: &mut Pager<'_>,
        hand: &Hand<T, impl Fn(PageRows) -> T + Clone + Send + 'static>,
    ) -> Result<Reply<Page>> {
        if *self.response != ResponseFormat::Json {
            return self.spooled(fetcher, context, pager, hand).await;
        }
        // The first groups' answers are kept until the last one is there: their records are joined.
        let mut parts: Vec<Bytes> = Vec::new();
        let (last, firsts) = self.field_groups.split_last().ok_or_else(|| Error::Task("a query has no fields".to_owned()))?;
        for fields in firsts {
            let request = build(self.client, self.endpoint, &self.with_fields(context, fields), Some(pager))?;
            let part = fetcher
                .fetch(&request, false, async |body| match body.content {
                    Content::Memory(bytes) => Ok(bytes),
                    Content::Disk(..) => Err(Trouble::Fatal(Box::new(Error::Task("a page went to disk".to_owned())))),
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
                let all: Vec<Bytes> = parts.iter().cloned().chain(std::iter::once(bytes.clone())).collect();
                let (plan, ctx) = (Arc::clone(&self.plan), Arc::clone(&page_context));
                let find = move || Ok(find_records(&plan, &ctx, join_chunks(&plan, &all)?)?);
                let found = if bytes.len() <= AT_ONCE {
                    find()
                } else {
                    let elsewhere = tokio::task::spawn_blocking(find);
                    elsewhere.await.map_err(|e| Trouble::Fatal(Box::new(Error::Task(e.to_string()))))?
                };
                // An answer that can't be understood may have been cut; the next one may be whole.
                let found = found.map_err(unsound)?;
                let values = self.values(&found.envelope);
                let facts = PageFacts {
                    records: found.records(),
                    values: &values,
                    headers: &body.headers,
                    last_id: found.last_id.as_deref(),
                    body: found.edges().unwrap_or_else(|| hash_of(&bytes)),
                    url: &body.url,
                };
                let next = match pager.advance(&facts) {
                    Ok(next) => next,
                    Err(Amiss::Again(error)) => return Err(Trouble::Again(error)),
                    Err(Amiss::Anew(error)) => return Ok(Reply::Signal(Signal::Restart(error.to_string()))),
                };
                let announced = self.read.records.total.as_ref().and_then(|path| number(values.get(&path.value)?));
                Ok(Reply::Good((found, next, announced)))
            })
            .await?;
        match reply {
            Reply::Signal(signal) | Reply::Good(Reply::Signal(signal)) => Ok(Reply::Signal(signal)),
            Reply::Good(Reply::Good((found, next, announced))) => {
                let plan = Arc::clone(&self.plan);
                hand.on(move || Ok(found.rows(&plan, &page_context)?)).await;
                Ok(Reply::Good(Page { next, announced }))
            }
        }
    }

    /// A body that is kept on disk while it is received, and read from there: only whole ones are parsed.
    async fn spooled<T: Send + 'static>(
        &self,
        fetcher: &Fetcher<'_>,
        context: &Context,
        pager: &mut Pager<'_>,
        hand: &Hand<T, impl Fn(PageRows) -> T + Clone + Send + 'static>,
    ) -> Result<Reply<Page>> {
        let fields = self.field_groups.first().map_or("", String::as_str);
        let request = build(self.client, self.endpoint, &self.with_fields(context, fields), Some(pager))?;
        let page_context = self.page_context(context, shown(&request))?;
        let reply = fetcher.fetch(&request, true, async |body: Body| Ok(body)).await?;
        let body = match reply {
            Reply::Signal(signal) => return Ok(Reply::Signal(signal)),
            Reply::Good(body) => body,
        };
        let Content::Disk(file, hash) = body.content else { return Err(Error::Task("a spooled body is in memory".to_owned())) };
        let (chunk, mut chunks) = mpsc::channel::<PageRows>(1);
        let (plan, format) = (Arc::clone(&self.plan), self.response.clone());
        let parsing = tokio::task::spawn_blocking(move || {
            parse_stream(&plan, &page_context, file, &format, &mut |rows| chunk.blocking_send(rows).is_ok())
        });
        let (mut records, mut last_id) = (0, None);
        while let Some(rows) = chunks.recv().await {
            records += rows.records;
            last_id = rows.last_id.clone().or(last_id);
            hand.on(move || Ok(rows)).await;
        }
        if let Err(error) = parsing.await.map_err(|e| Error::Task(e.to_string()))?.map_err(Error::from) {
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
            body: hash,
            url: &body.url,
        };
        match pager.advance(&facts) {
            Ok(next) => Ok(Reply::Good(Page { next, announced: None })),
            Err(Amiss::Again(error) | Amiss::Anew(error)) => Ok(Reply::Signal(Signal::Restart(error.to_string()))),
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

    fn values(&self, envelope: &[Option<Value>]) -> BTreeMap<String, Value> {
        Self::envelope(self.paginator, self.read)
            .into_iter()
            .zip(envelope)
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
