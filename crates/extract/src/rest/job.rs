//! Records that come from a job: created, polled until it is done, fetched, and deleted whatever happened.

use super::connection::Connection;
use super::error::RestError;
use super::fetch::{Content, Fetcher, Reply, Signal, Trouble, at_path};
use super::pages::Query;
use super::plan::ConnectorPlan;
use super::request::{Context, build};
use super::window::Window;
use super::window_run::{Reader, WindowEnd};
use crate::error::{Error, Result};
use cscopilot_decode::Known;
use cscopilot_decode::page::PagePlan;
use cscopilot_spec::connector::{Endpoint, ErrorRule, Job, Poll};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Reads a window by a job, or by the read's own requests where a job isn't worth it or isn't possible.
pub(crate) async fn window(
    reader: &mut Reader<'_>,
    query: &Query<'_>,
    job: &Job,
    context: &Context,
    window: Option<Window>,
    known: &mut Known,
    plan: &ConnectorPlan<'_>,
) -> Result<WindowEnd> {
    let mut context = query.with_fields(context, &all_fields(query));
    if let Some(count) = &job.at_least {
        let answer = match ask(query, &count.endpoint, &context, &[]).await? {
            Reply::Good(answer) => answer,
            Reply::Signal(signal) => return ended_by(signal),
        };
        let records = at_path(&answer, &count.path)
            .and_then(Value::as_u64)
            .ok_or_else(|| RestError::NoNextPage { place: count.path.value.clone() })?;
        if records < count.records {
            return reader.window(query, &context, window, None, known, None).await;
        }
    }
    let created = match ask(query, &job.create, &context, &job.errors).await? {
        Reply::Good(answer) => answer,
        Reply::Signal(Signal::WithoutJob(reason)) => {
            tracing::info!(reason, "reading without a job");
            return reader.window(query, &context, window, None, known, None).await;
        }
        Reply::Signal(signal) => return ended_by(signal),
    };
    let id = match at_path(&created, &job.id) {
        Some(Value::String(id)) => id.clone(),
        Some(id) if !id.is_null() => id.to_string(),
        _ => return Err(RestError::NoId { path: job.id.value.clone() }.into()),
    };
    context.insert("job".to_owned(), json!({"id": id}));
    let result = fetched(reader, query, job, &context, window, known, plan, &id).await;
    if let Some(delete) = &job.delete
        && let Err(error) = ask(query, delete, &context, &[]).await
    {
        tracing::warn!(%error, id, "the job could not be deleted");
    }
    result
}

#[allow(clippy::too_many_arguments)]
async fn fetched(
    reader: &mut Reader<'_>,
    query: &Query<'_>,
    job: &Job,
    context: &Context,
    window: Option<Window>,
    known: &mut Known,
    plan: &ConnectorPlan<'_>,
    id: &str,
) -> Result<WindowEnd> {
    let total = match done(query, &job.poll, context, id).await? {
        Reply::Good(total) => total,
        Reply::Signal(signal) => return ended_by(signal),
    };
    let paginator = job.results.paginator.as_ref();
    let envelope = Query::envelope(paginator, query.read);
    let results = Query {
        connection: query.connection,
        client: query.client,
        endpoint: &job.results.endpoint,
        response: &job.results.response,
        paginator,
        read: query.read,
        plan: Arc::new(PagePlan::new(plan.stream, plan.extra, plan.drift, query.read, &job.results.response, &envelope)?),
        counters: query.counters,
        batch: query.batch.clone(),
        extracted_at_micros: query.extracted_at_micros,
        field_groups: vec![all_fields(query)],
        stream: query.stream.clone(),
    };
    let end = reader.window(&results, context, window, None, known, None).await?;
    let WindowEnd::Read { ended, mut collected } = end else { return Ok(end) };
    if let Some(announced) = total {
        let read = collected.totals.records;
        if read != announced {
            collected.abandon().await;
            return Err(RestError::Short { announced, read }.into());
        }
        (collected.totals.announced, collected.totals.announced_read) = (Some(announced), read);
    }
    Ok(WindowEnd::Read { ended, collected })
}

/// Waits until the job is done; how many records it found, where the API tells.
async fn done(query: &Query<'_>, poll: &Poll, context: &Context, id: &str) -> Result<Reply<Option<u64>>> {
    let (mut waited, mut wait) = (0.0, poll.first_wait_secs);
    loop {
        let answer = match ask(query, &poll.endpoint, context, &[]).await? {
            Reply::Good(answer) => answer,
            Reply::Signal(signal) => return Ok(Reply::Signal(signal)),
        };
        let at = |path: Option<&str>| path.and_then(|path| at_path(&answer, path));
        let holds = |p: &cscopilot_spec::connector::Predicate| p.holds(at(p.path.as_ref().map(|p| p.value.as_str())));
        let state = || {
            at(poll.done.path.as_ref().map(|p| p.value.as_str()))
                .map_or_else(String::new, |v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
        };
        if holds(&poll.done) {
            return Ok(Reply::Good(at(poll.total.as_ref().map(|p| p.value.as_str())).and_then(Value::as_u64)));
        }
        let reason =
            at(poll.message.as_ref().map(|p| p.value.as_str())).and_then(Value::as_str).unwrap_or("the API says no reason").to_owned();
        if holds(&poll.failed) {
            return Err(RestError::Job { id: id.to_owned(), state: state(), reason }.into());
        }
        if waited >= poll.timeout_secs {
            return Err(RestError::Job { id: id.to_owned(), state: state(), reason: format!("it was not done after {waited} s") }.into());
        }
        tokio::time::sleep(Duration::try_from_secs_f64(wait).unwrap_or(Duration::from_secs(1))).await;
        waited += wait;
        wait = (wait * 2.0).min(poll.longest_wait_secs);
    }
}

/// One JSON answer. An empty body is null.
async fn ask(query: &Query<'_>, endpoint: &Endpoint, context: &Context, rules: &[ErrorRule]) -> Result<Reply<Value>> {
    let request = build(query.client, endpoint, context, None)?;
    let fetcher = Fetcher {
        connection: query.connection,
        retry: &query.client.retry,
        rules: rules.iter().chain(&query.read.errors).chain(&query.client.errors).collect(),
        counters: query.counters,
        forgets: false,
    };
    fetcher.fetch(&request, false, async |body| json_of(body.content)).await
}

pub(crate) fn json_of(content: Content) -> std::result::Result<Value, Trouble> {
    let Content::Memory(bytes) = content else { return Err(Trouble::Fatal(Box::new(Error::Task("an answer went to disk".to_owned())))) };
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes).map_err(|e| Trouble::Again(RestError::Unsound(format!("the answer is no JSON: {e}"))))
}

fn all_fields(query: &Query<'_>) -> String {
    let mut all: Vec<&str> = Vec::new();
    for name in query.field_groups.iter().flat_map(|group| group.split(',')) {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all.join(",")
}

fn ended_by(signal: Signal) -> Result<WindowEnd> {
    match signal {
        Signal::SplitWindow(reason) => Ok(WindowEnd::Split(reason)),
        Signal::WithoutJob(reason) => Ok(WindowEnd::WithoutJob(reason)),
        Signal::Empty => Err(RestError::Unsound("the API has nothing where a job was expected".to_owned()).into()),
        Signal::Ignore(reason) | Signal::Restart(reason) => Err(RestError::Unsound(reason).into()),
    }
}

/// A request that tells whether credentials and permissions are right; what it shows.
pub(crate) async fn probe(
    connection: &Connection,
    client: &cscopilot_spec::connector::ClientSpec,
    counters: &super::fetch::Counters,
) -> Result<Option<String>> {
    let Some(probe) = &client.probe else { return Ok(None) };
    let mut context = super::request::context(connection).await?;
    let request = build(client, &probe.endpoint, &context, None)?;
    let fetcher = Fetcher { connection, retry: &client.retry, rules: client.errors.iter().collect(), counters, forgets: false };
    let answer = match fetcher.fetch(&request, false, async |body| json_of(body.content)).await? {
        Reply::Good(answer) => answer,
        Reply::Signal(Signal::Empty) => return Ok(None),
        Reply::Signal(Signal::Ignore(reason) | Signal::SplitWindow(reason) | Signal::Restart(reason) | Signal::WithoutJob(reason)) => {
            return Ok(Some(reason));
        }
    };
    let Some(shows) = &probe.shows else { return Ok(None) };
    context.insert("answer".to_owned(), answer);
    Ok(Some(shows.render(&Value::Object(context)).map_err(RestError::Template)?))
}
