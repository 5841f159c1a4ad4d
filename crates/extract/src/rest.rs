//! APIs: a connector's manifest says how one is spoken, and this engine speaks it. No vendor's name stands here.
//!
//! The way of a row: `stream` (which reads are due, over which windows and partitions) → `window_run` (one window, one commit) → `pages`
//! (one answer after the other; `pager` says which, `request` builds it, `fetch` sends it within the limits until there is an answer that
//! counts) → `cscopilot_decode::page` (records become typed rows) → `crate::log` (rows that are there already are left out,
//! the others are committed).

use crate::error::{Error, Result};
use cscopilot_diag::clock::Stopwatch;
use cscopilot_lake::step::{Outcome, StepContext};
use cscopilot_spec::connector::Connector;
use cscopilot_spec::{Project, Source};

mod children;
mod connection;
mod doctor;
mod error;
mod fetch;
mod job;
mod pager;
mod pages;
mod plan;
mod preview;
mod request;
mod state;
mod status;
mod stream;
mod tally;
mod window;
mod window_run;

pub use connection::{Connections, Tape};
pub use doctor::{Finding, doctor};
pub use error::RestError;
pub(crate) use plan::ConnectorPlan;
pub use preview::preview;
pub use status::{StreamStatus, status};

use crate::log::Tables;
use crate::log::state::Stored;

/// Reads one stream of a connector into its raw table.
///
/// Each closed window is one commit: its rows and the cursor behind them. So a run that dies anywhere neither loses nor repeats rows.
pub(crate) async fn run(ctx: &StepContext, connections: &Connections, source: &str, stream: &str) -> Result<Outcome> {
    let (ctx, connections) = (ctx.clone(), connections.clone());
    let (source, stream) = (source.to_owned(), stream.to_owned());
    // A stream is driven by a thread of its own, so that its closures over borrowed pages need not wander between threads.
    let runtime = tokio::runtime::Handle::current();
    let driven = tokio::task::spawn_blocking(move || runtime.block_on(drive(&ctx, &connections, &source, &stream)));
    driven.await.map_err(|e| Error::Task(e.to_string()))?
}

async fn drive(ctx: &StepContext, connections: &Connections, source_name: &str, stream_name: &str) -> Result<Outcome> {
    let no_stream = || Error::NoStream { source_name: source_name.to_owned(), stream: stream_name.to_owned() };
    let (source, connector) = connector_of(&ctx.project, source_name).ok_or_else(no_stream)?;
    let plan = ConnectorPlan::new(source, connector, stream_name).ok_or_else(no_stream)?;
    let watch = Stopwatch::start();
    let tables = Tables::of(source_name, stream_name);
    let table = tables.rows.to_string();
    let stored = ctx.lake.table(&tables.rows).await?;
    crate::run::check_types(&table, &plan.schema(), stored.as_ref())?;
    let state = state::State::parse(&table, stored.as_ref().and_then(|t| t.state.as_ref()))?;
    let connection = connections.get(&ctx.project, &ctx.lake, source_name, source, connector).await?;
    let counters = fetch::Counters::default();
    let mut run = stream::StreamRun {
        ctx,
        connection: &connection,
        source,
        source_name,
        plan: &plan,
        tables: &tables,
        state,
        counters: &counters,
        totals: tally::Totals::default(),
        published: false,
    };
    let result = run.run().await;
    // Also of a stream that failed: its requests were made.
    connection.save_spent(&ctx.lake).await?;
    result?;
    let mut outcome = run.totals.outcome(&table, &counters, watch.elapsed());
    if !run.published && outcome.warnings.is_empty() {
        outcome.up_to_date = true;
        outcome.checks.clone_from(&run.state.checks);
    }
    Ok(outcome)
}

/// The connector of a source, for commands that name one.
fn connector_of<'p>(project: &'p Project, name: &str) -> Option<(&'p Source, &'p Connector)> {
    let source = &project.sources.get(name)?.value;
    Some((source, project.connector_of(source)?))
}
