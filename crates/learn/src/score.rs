//! Tonight's scores, the reasons for them, and what moved them.
//!
//! [`evening`] reads the accounts, [`tonight`] scores and explains them, [`moved`] says what changed since last time, [`publish`] commits.

mod entity;
mod evening;
pub mod explain;
pub mod groups;
mod last;
mod moved;
mod movements;
mod publish;
pub mod reasons;
mod rows;
mod scorer;
mod tonight;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use cscopilot_lake::TableName;
use cscopilot_lake::step::{Outcome, StepContext};

use crate::error::{Error, Result};
use last::{Known, Last};
use moved::Moved;
use publish::Place;

pub(crate) use entity::{movements as movements_shape, scores as scores_shape};
pub(crate) use evening::Evening;
pub use rows::Stamp;
pub(crate) use tonight::{Tonight, Words};

/// Leaves the model without scores on a night without a champion. The tables are there all the same, so that SQL may read them.
pub(crate) async fn without_champion(ctx: &StepContext, stamp: &Stamp) -> Result<()> {
    movements(ctx, stamp).replace(|_| Ok(())).await?;
    scores(ctx, stamp).replace(|_| Ok(())).await
}

fn scores<'a>(ctx: &'a StepContext, stamp: &'a Stamp) -> Place<'a> {
    let (table, schema) = entity::scores(stamp.entity.as_deref());
    Place { lake: &ctx.lake, table, schema, key: entity::id(stamp.entity.as_deref()), stamp, txn: ctx.txn() }
}

fn movements<'a>(ctx: &'a StepContext, stamp: &'a Stamp) -> Place<'a> {
    let (table, schema) = entity::movements(stamp.entity.as_deref());
    let key = if stamp.entity.is_some() { "entity_id, cause, feature" } else { "account_id, cause, feature" };
    Place { lake: &ctx.lake, table, schema, key, stamp, txn: ctx.txn() }
}

/// Scores an evening and commits what moved the scores, then the scores. With words they are explained; `digest` is the version's.
pub(crate) async fn score(ctx: &StepContext, tonight: Tonight, explain: Option<(Words, String)>, outcome: &mut Outcome) -> Result<()> {
    let tonight = Arc::new(tonight);
    let stamp = &tonight.stamp;
    let Some((words, digest)) = explain else {
        movements(ctx, stamp).replace(|_| Ok(())).await?;
        let made = Arc::clone(&tonight);
        return scores(ctx, stamp).replace(move |give| made.rows(None, give)).await;
    };
    let last = Last::read(&ctx.lake, stamp, &tonight.evening).await?;
    match moved_since(ctx, &tonight, last.as_ref(), &words, outcome).await? {
        Some(moved) => movements(ctx, stamp).replace(move |give| moved.rows(give)).await?,
        None => movements(ctx, stamp).replace(|_| Ok(())).await?,
    }

    ctx.progress.note(format!("explaining the scores of {}", stamp.model));
    let (keys, words) = blocking({
        let tonight = Arc::clone(&tonight);
        move || Ok((tonight.keys(&digest, &words), words))
    })
    .await?;
    let known = match last {
        Some(last) => last.known(&ctx.lake, stamp, &tonight.evening, &keys).await?,
        None => Known::default(),
    };
    let reused = known.places.iter().flatten().count();
    outcome.fact("explained", tonight.evening.len() - reused);
    outcome.fact("explanations_reused", reused);
    let made = Arc::clone(&tonight);
    scores(ctx, stamp).replace(move |give| made.rows(Some((&words, &keys, &known)), give)).await
}

/// What is needed to tell what moved the scores since last time; nothing if there was no such time, or it can't be told.
async fn moved_since(
    ctx: &StepContext,
    tonight: &Arc<Tonight>,
    last: Option<&Last>,
    words: &Words,
    outcome: &mut Outcome,
) -> Result<Option<Moved>> {
    let Some(last) = last else { return Ok(None) };
    let model = &tonight.stamp.model;
    ctx.progress.note(format!("splitting the movements of {model}"));
    match Moved::read(&ctx.lake, Arc::clone(tonight), last.clone(), words.clone()).await {
        Ok(moved) => Ok(Some(moved)),
        Err(error @ (Error::BadModel { .. } | Error::NoTable(_) | Error::NoKey { .. })) => {
            outcome.warn("LRN052", format!("what moved the scores of `{model}` since its version {} can't be told: {error}", last.version));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Replaces the rows of a model and date in a table by these, which fit in memory.
pub(crate) async fn publish_rows(
    ctx: &StepContext,
    table: TableName,
    schema: SchemaRef,
    key: &'static str,
    stamp: &Stamp,
    rows: RecordBatch,
) -> Result<()> {
    let place = Place { lake: &ctx.lake, table, schema, key, stamp, txn: ctx.txn() };
    place
        .replace(move |give| {
            // Whether more rows are wanted does not matter: these are all.
            let _more = give(rows);
            Ok(())
        })
        .await
}

/// Training and scoring keep all cores busy: they must not block the threads that serve other steps.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Error::Thread(e.to_string()))?
}
