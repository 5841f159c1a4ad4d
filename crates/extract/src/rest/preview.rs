//! The first rows of a stream, shown and not published.

use super::connection::Connections;
use super::fetch::Counters;
use super::pages::Go;
use super::plan::ConnectorPlan;
use super::request::context;
use super::stream::StreamRun;
use super::tally::Totals;
use super::window::windows;
use super::{connector_of, state};
use crate::error::{Error, Result};
use crate::log::Tables;
use arrow::array::RecordBatch;
use cscopilot_lake::step::StepContext;
use cscopilot_spec::connector::{Checkpoint, When};

/// The first records of a connector's stream as rows, at most `limit`. Neither rows nor cursors are kept.
///
/// # Errors
/// As for [`crate::run`].
pub async fn preview(
    ctx: &StepContext,
    connections: &Connections,
    source_name: &str,
    stream_name: &str,
    limit: usize,
) -> Result<Vec<RecordBatch>> {
    let no_stream = || Error::NoStream { source_name: source_name.to_owned(), stream: stream_name.to_owned() };
    let (source, connector) = connector_of(&ctx.project, source_name).ok_or_else(no_stream)?;
    let plan = ConnectorPlan::new(source, connector, stream_name).ok_or_else(no_stream)?;
    let tables = Tables::of(source_name, stream_name);
    let connection = connections.get(&ctx.project, &ctx.lake, source_name, source, connector).await?;
    let counters = Counters::default();
    let run = StreamRun {
        ctx,
        connection: &connection,
        source,
        source_name,
        plan: &plan,
        tables: &tables,
        state: state::State::default(),
        counters: &counters,
        totals: Totals::default(),
        published: false,
    };
    let Some(read) = plan.stream.reads.iter().find(|r| r.when != When::Later && r.partitions.is_none()).or(plan.stream.reads.first())
    else {
        return Ok(Vec::new());
    };
    let mut context = context(&connection).await?;
    if let Some(incremental) = &read.incremental {
        let span = run.span(read, "", incremental)?;
        let all = windows(incremental, span.start, span.end);
        // The newest window, or for exports that go on from a token, the whole span.
        let window = if incremental.checkpoint == Checkpoint::Token { Some(span) } else { all.last().copied() };
        if let Some(window) = window {
            context.insert("window".to_owned(), window.bounds(incremental));
        }
    }
    let query = run.query(read)?;
    let (mut batches, mut rows) = (Vec::new(), 0);
    query
        .run(
            &context,
            None,
            None,
            |rows| rows,
            async |page| {
                let batch = page.batch.slice(0, page.batch.num_rows().min(limit - rows));
                rows += batch.num_rows();
                batches.push(batch);
                Ok(if rows >= limit { Go::Enough } else { Go::On })
            },
        )
        .await?;
    connection.save_spent(&ctx.lake).await?;
    Ok(batches)
}
