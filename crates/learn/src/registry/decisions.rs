//! `ops.model_decisions`: what people decided about versions, against or ahead of the gates.
//!
//! A decision counts from its date on and until a later training passes the gates. It is one commit: a reader sees the old champion
//! or the new one.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Field, Int64Type, Schema, SchemaRef};
use chrono::NaiveDate;
use cscopilot_lake::{Lake, Mode, Params, TableName, Txn, Write, stream_of_batches};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::registry::runs::{self, ModelRun};
use crate::registry::{set_aliases, standing, verify};

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A version became champion.
    Promote,
    /// The champion was withdrawn; the one before it became champion again.
    Rollback,
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Rollback => "rollback",
        }
    }
}

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// The model.
    pub model: String,
    /// The decisions of a model are numbered from 1.
    pub number: i64,
    /// The date from which on it counts.
    pub as_of: NaiveDate,
    /// What was decided.
    pub action: Action,
    /// The champion from then on.
    pub version: i64,
    /// The champion until then.
    pub previous: Option<i64>,
    /// The newest version there was: a training of the same date with a higher one came later.
    pub newest: i64,
    /// Why.
    pub reason: Option<String>,
}

/// `ops.model_decisions`.
pub fn table() -> TableName {
    TableName::new("ops", "model_decisions")
}

/// The columns of `ops.model_decisions`.
pub fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let int = |name: &str| Field::new(name, DataType::Int64, true);
    Arc::new(Schema::new(vec![
        text("model"),
        int("number"),
        Field::new("as_of", DataType::Date32, true),
        text("action"),
        int("version"),
        int("previous"),
        int("newest"),
        text("reason"),
    ]))
}

fn batch(decision: &Decision) -> Result<RecordBatch> {
    let int = |value: Option<i64>| Arc::new(Int64Array::from(vec![value])) as ArrayRef;
    let text = |value: Option<&str>| Arc::new(StringArray::from(vec![value])) as ArrayRef;
    let columns = vec![
        text(Some(&decision.model)),
        int(Some(decision.number)),
        Arc::new(Date32Array::from(vec![decision.as_of.to_epoch_days()])) as ArrayRef,
        text(Some(decision.action.as_str())),
        int(Some(decision.version)),
        int(decision.previous),
        int(Some(decision.newest)),
        text(decision.reason.as_deref()),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}

async fn commit(lake: &Lake, decision: &Decision, txn: Txn) -> Result<()> {
    let data = stream_of_batches(schema(), vec![batch(decision)?]);
    let mode = Mode::Merge { keys: vec!["model".to_owned(), "number".to_owned()] };
    lake.commit(Write::new(table(), mode, data, txn)).await?;
    Ok(())
}

/// All decisions, by model and number.
pub(super) async fn read(lake: &Lake) -> Result<Vec<Decision>> {
    if lake.table(&table()).await?.is_none() {
        return Ok(Vec::new());
    }
    let names: Vec<String> = schema().fields().iter().map(|f| f.name().clone()).collect();
    let sql = format!("SELECT {} FROM {} ORDER BY model, number", names.join(", "), table());
    let mut decisions = Vec::new();
    for batch in lake.query(&sql, &Params::new()).await? {
        let columns = (batch.columns().iter().zip(schema().fields()))
            .map(|(column, field)| cast(column, field.data_type()))
            .collect::<Result<Vec<_>, _>>()?;
        decisions.extend((0..batch.num_rows()).map(|row| from_row(&columns, row)));
    }
    Ok(decisions)
}

/// Reads the columns in the order of [`schema`].
fn from_row(columns: &[ArrayRef], row: usize) -> Decision {
    let at = |column: usize| columns.get(column).filter(|c| c.is_valid(row));
    let text = |column| at(column).map(|c| c.as_string::<i32>().value(row).to_owned());
    let int = |column| at(column).map(|c| c.as_primitive::<Int64Type>().value(row));
    let date = at(2).and_then(|c| NaiveDate::from_epoch_days(c.as_primitive::<Date32Type>().value(row)));
    Decision {
        model: text(0).unwrap_or_default(),
        number: int(1).unwrap_or_default(),
        as_of: date.unwrap_or_default(),
        action: if text(3).as_deref() == Some(Action::Rollback.as_str()) { Action::Rollback } else { Action::Promote },
        version: int(4).unwrap_or_default(),
        previous: int(5),
        newest: int(6).unwrap_or_default(),
        reason: text(7),
    }
}

/// Makes a version champion from a date on, whatever the gates said of it. The caller holds the lake's lock.
///
/// # Errors
/// [`Error::NoVersion`] for a version that is not there by that date, [`Error::NothingFitted`] for one that holds no model,
/// [`Error::BadModel`] for one whose files are damaged, [`Error::ChampionAlready`] where nothing would change.
pub async fn promote(lake: &Lake, model: &str, version: i64, as_of: NaiveDate, reason: Option<&str>) -> Result<Decision> {
    let runs = known(lake, model).await?;
    let known = || runs.iter().filter(move |r| r.as_of <= as_of);
    let found = known().find(|r| r.version == version).ok_or_else(|| Error::NoVersion {
        model: model.to_owned(),
        version,
        as_of,
        known: known().map(|r| r.version).collect(),
    })?;
    decide(lake, &runs, found, as_of, Action::Promote, reason).await
}

/// Withdraws the champion of a date: the one before it is champion again. The caller holds the lake's lock.
///
/// # Errors
/// [`Error::NothingBefore`] where there was no other champion; as for [`promote`] where its files are damaged.
pub async fn rollback(lake: &Lake, model: &str, as_of: NaiveDate, reason: Option<&str>) -> Result<Decision> {
    let runs = known(lake, model).await?;
    let line = runs::succession(&runs, as_of);
    let before = line.iter().rev().nth(1).and_then(|version| runs.iter().find(|r| r.version == *version));
    let before = before.ok_or_else(|| Error::NothingBefore { model: model.to_owned(), champion: line.last().copied() })?;
    decide(lake, &runs, before, as_of, Action::Rollback, reason).await
}

async fn known(lake: &Lake, model: &str) -> Result<Vec<ModelRun>> {
    let runs = runs::read(lake, Some(model)).await?;
    if runs.is_empty() {
        return Err(Error::NeverTrained(model.to_owned()));
    }
    Ok(runs)
}

async fn decide(lake: &Lake, runs: &[ModelRun], to: &ModelRun, as_of: NaiveDate, action: Action, reason: Option<&str>) -> Result<Decision> {
    let (model, version) = (&to.model, to.version);
    let previous = runs::champion(runs, as_of).map(|r| r.version);
    if previous == Some(version) {
        return Err(Error::ChampionAlready { model: model.clone(), version });
    }
    if to.estimator.is_none() {
        return Err(Error::NothingFitted { model: model.clone(), version, reason: to.reason.clone() });
    }
    verify(&lake.objects(), model, version).await?;
    let decisions = runs.iter().flat_map(|r| &r.decisions);
    let number = decisions.map(|d| d.number).max().unwrap_or(0) + 1;
    let decision = Decision {
        model: model.clone(),
        number,
        as_of,
        action,
        version,
        previous,
        newest: runs.iter().map(|r| r.version).max().unwrap_or(version),
        reason: reason.map(ToOwned::to_owned),
    };
    commit(lake, &decision, Txn::new(format!("models.{model}"), format!("decision {number}"))).await?;
    // The aliases follow from the rows: should this fail, the next night sets them.
    let runs = runs::read(lake, Some(model)).await?;
    set_aliases(&lake.objects(), model, &standing(&runs)).await?;
    Ok(decision)
}
