//! `ops.alerts` to and from [`Alert`].

use super::state::{Alert, Content, State};
use crate::error::{Error, Result};
use crate::outputs::{alerts, alerts_schema};
use crate::rules::cells::conform;
use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::TimestampMicrosecondType;
use chrono::{DateTime, Utc};
use cscopilot_lake::{Lake, Params, TableInfo};
use cscopilot_spec::Severity;
use std::sync::Arc;

/// All alerts of the lake.
pub(crate) async fn load(lake: &Lake, info: Option<&TableInfo>) -> Result<Vec<Alert>> {
    if info.is_none() {
        return Ok(Vec::new());
    }
    let sql = format!("SELECT * FROM {} ORDER BY opened_at, dedupe_key, alert_id", alerts());
    let mut all = Vec::new();
    for batch in lake.query(&sql, &Params::new()).await? {
        read(&batch, &mut all)?;
    }
    Ok(all)
}

fn read(batch: &RecordBatch, all: &mut Vec<Alert>) -> Result<()> {
    let batch = conform(batch, &alerts_schema())?;
    let column = |name: &str| batch.column_by_name(name).cloned().ok_or_else(|| bad(format!("there is no column `{name}`")));
    let texts = |name: &str| column(name).map(|c| c.as_string::<i32>().clone());
    let times = |name: &str| column(name).map(|c| c.as_primitive::<TimestampMicrosecondType>().clone());
    let (alert_id, dedupe_key, account_id, rule) = (texts("alert_id")?, texts("dedupe_key")?, texts("account_id")?, texts("rule")?);
    let (severity, state, resolved_from, owner) = (texts("severity")?, texts("state")?, texts("resolved_from")?, texts("owner")?);
    let (title, message, evidence) = (texts("title")?, texts("message")?, texts("evidence")?);
    let (opened_at, updated_at) = (times("opened_at")?, times("updated_at")?);
    let (resolved_at, snoozed_until) = (times("resolved_at")?, times("snoozed_until")?);
    for row in 0..batch.num_rows() {
        let text = |column: &StringArray| column.value(row).to_owned();
        let time = |column: &TimestampMicrosecondArray| {
            (!column.is_null(row)).then(|| DateTime::<Utc>::from_timestamp_micros(column.value(row))).flatten()
        };
        let word =
            |column: &StringArray| State::parse(column.value(row)).ok_or_else(|| bad(format!("`{}` is not a state", column.value(row))));
        let must = |column: &TimestampMicrosecondArray| time(column).ok_or_else(|| bad("a time is missing".to_owned()));
        all.push(Alert {
            alert_id: text(&alert_id),
            dedupe_key: text(&dedupe_key),
            state: word(&state)?,
            opened_at: must(&opened_at)?,
            updated_at: must(&updated_at)?,
            resolved_at: time(&resolved_at),
            resolved_from: if resolved_from.is_null(row) { None } else { Some(word(&resolved_from)?) },
            snoozed_until: time(&snoozed_until),
            content: Content {
                account_id: text(&account_id),
                rule: text(&rule),
                severity: [Severity::Low, Severity::Medium, Severity::High, Severity::Critical]
                    .into_iter()
                    .find(|s| s.as_str() == severity.value(row))
                    .ok_or_else(|| bad(format!("`{}` is not a severity", severity.value(row))))?,
                owner: (!owner.is_null(row)).then(|| text(&owner)),
                title: text(&title),
                message: text(&message),
                evidence: text(&evidence),
            },
        });
    }
    Ok(())
}

fn bad(problem: String) -> Error {
    Error::Columns { table: alerts().to_string(), problem }
}

/// Alerts as rows of the table, in the given order.
pub(crate) fn to_batch(all: &[Alert]) -> Result<RecordBatch> {
    let text = |get: &dyn Fn(&Alert) -> Option<&str>| -> ArrayRef { Arc::new(all.iter().map(get).collect::<StringArray>()) };
    let time = |get: &dyn Fn(&Alert) -> Option<DateTime<Utc>>| -> ArrayRef {
        let micros: TimestampMicrosecondArray = all.iter().map(|a| get(a).map(|t| t.timestamp_micros())).collect();
        Arc::new(micros.with_timezone("UTC"))
    };
    Ok(RecordBatch::try_new(
        alerts_schema(),
        vec![
            text(&|a| Some(&a.alert_id)),
            text(&|a| Some(&a.dedupe_key)),
            text(&|a| Some(&a.content.account_id)),
            text(&|a| Some(&a.content.rule)),
            text(&|a| Some(a.content.severity.as_str())),
            text(&|a| Some(a.state.as_str())),
            time(&|a| Some(a.opened_at)),
            time(&|a| Some(a.updated_at)),
            time(&|a| a.resolved_at),
            text(&|a| a.resolved_from.map(State::as_str)),
            time(&|a| a.snoozed_until),
            text(&|a| a.content.owner.as_deref()),
            text(&|a| Some(&a.content.title)),
            text(&|a| Some(&a.content.message)),
            text(&|a| Some(&a.content.evidence)),
        ],
    )?)
}
