//! One run of a sync: read what is wanted, read what is there, decide, write, log.

use crate::decide::{Decision, Fields, Known, decide};
use crate::log::{Entry, Status, append, history};
use crate::rows::{Wanted, wanted};
use crate::salesforce::{Current, Salesforce, Written};
use crate::{Error, Result};
use cscopilot_lake::step::{Outcome, StepContext};
use cscopilot_spec::Sync;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// How often a record is sent in one run, where the CRM says that it was locked.
const ATTEMPTS: i64 = 3;

/// What a sync would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diff {
    /// The sync's name.
    pub sync: String,
    /// The CRM's object, such as `Account`.
    pub object: String,
    /// Every field that would change or is kept, sorted by record and field.
    pub changes: Vec<Change>,
    /// Rows of the table.
    pub rows: u64,
    /// Records that have all values already.
    pub unchanged: u64,
    /// Rows that name no record.
    pub without_key: u64,
}

/// One field of one record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The record's key.
    pub record: String,
    /// The record's name, where the table has a column `account_name`.
    pub name: Option<String>,
    /// The field's API name.
    pub field: String,
    /// What the CRM has.
    pub before: Value,
    /// What the table says.
    pub after: Value,
    /// What would happen.
    pub action: Action,
}

/// What happens to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is written.
    Write,
    /// A person has edited it, and that stays.
    KeepEdit,
    /// The CRM has no such record, or several rows claim it.
    Refuse,
}

/// A sync, with all that is known before anything is written.
struct Plan<'a> {
    sync: &'a Sync,
    crm: Salesforce,
    wanted: Wanted,
    known: BTreeMap<String, Known>,
    current: BTreeMap<String, Current>,
    sequence: i64,
}

/// A record with something to do.
struct Todo<'a> {
    key: &'a str,
    current: &'a Current,
    decision: Decision,
}

impl<'a> Plan<'a> {
    async fn make(ctx: &'a StepContext, name: &str) -> Result<Self> {
        let sync = &ctx.project.syncs.get(name).ok_or_else(|| Error::NoSync { name: name.to_owned() })?.value;
        let target = sync.to.salesforce();
        let crm = Salesforce::new(ctx, target, sync.fields.names().map(str::to_owned).collect())?;
        let wanted = wanted(ctx, sync).await?;
        let history = history(ctx, name).await?;
        let keys: Vec<&str> = wanted.records.keys().map(String::as_str).collect();
        let mut current = BTreeMap::new();
        for some in keys.chunks(target.batch_size.value) {
            current.extend(crm.read(some).await?);
            ctx.progress.note(format!("{} of {} records read", current.len(), keys.len()));
        }
        Ok(Self { sync, crm, wanted, known: history.records, current, sequence: history.sequence + 1 })
    }

    /// Records with something to do, sorted by key.
    fn todos(&self) -> Vec<Todo<'_>> {
        let nothing = Known::default();
        let todo = |(key, record): (&'_ String, &crate::rows::Record)| {
            let known = self.known.get(key).unwrap_or(&nothing);
            let (key, current) = self.current.get_key_value(key)?;
            let decision = decide(&record.fields, &current.fields, known, self.sync.on_conflict);
            (!decision.is_nothing()).then_some(Todo { key, current, decision })
        };
        self.wanted.records.iter().filter_map(todo).collect()
    }

    /// Records that can't be written, with the reason.
    fn impossible(&self) -> Vec<(String, Fields, (String, String))> {
        let missing =
            self.wanted.records.iter().filter(|(key, _)| !self.current.contains_key(*key)).map(|(key, record)| {
                (key.clone(), record.fields.clone(), ("NOT_FOUND".to_owned(), "the CRM has no such record".to_owned()))
            });
        let repeated = self
            .wanted
            .repeated
            .iter()
            .map(|key| (key.clone(), Fields::new(), ("DUPLICATE_KEY".to_owned(), "several rows claim this record".to_owned())));
        missing.chain(repeated).collect()
    }
}

/// Says what [`run`] would do; nothing is written, neither there nor here.
///
/// # Errors
/// Any [`Error`].
pub async fn diff(ctx: &StepContext, name: &str) -> Result<Diff> {
    let plan = Plan::make(ctx, name).await?;
    let mut changes = Vec::new();
    let name_of = |key: &str| plan.wanted.records.get(key).and_then(|r| r.name.clone());
    let todos = plan.todos();
    for todo in &todos {
        for (fields, action) in [(&todo.decision.write, Action::Write), (&todo.decision.keep, Action::KeepEdit)] {
            for (field, after) in fields {
                let before = todo.current.fields.get(field).cloned().unwrap_or_default();
                changes.push(Change {
                    record: todo.key.to_owned(),
                    name: name_of(todo.key),
                    field: field.clone(),
                    before,
                    after: after.clone(),
                    action,
                });
            }
        }
    }
    for (key, fields, _) in plan.impossible() {
        for (field, after) in fields {
            changes.push(Change { record: key.clone(), name: name_of(&key), field, before: Value::Null, after, action: Action::Refuse });
        }
    }
    changes.sort_by(|a, b| (&a.record, &a.field).cmp(&(&b.record, &b.field)));
    let differing = todos.iter().filter(|t| !t.decision.write.is_empty() || !t.decision.keep.is_empty()).count();
    Ok(Diff {
        sync: name.to_owned(),
        object: plan.sync.to.salesforce().object.value.clone(),
        changes,
        rows: plan.wanted.rows,
        unchanged: plan.current.len() as u64 - differing as u64,
        without_key: plan.wanted.without_key,
    })
}

/// What a run has done so far.
#[derive(Debug, Default)]
struct Done {
    entries: Vec<Entry>,
    written: u64,
    refused: u64,
    kept: u64,
    calls: u64,
}

/// Writes what has changed, and logs it in one commit.
///
/// # Errors
/// Any [`Error`]; what was written before it is logged.
pub async fn run(ctx: &StepContext, name: &str) -> Result<Outcome> {
    let plan = Plan::make(ctx, name).await?;
    let todos = plan.todos();
    let mut done = Done::default();
    for (record, after, error) in plan.impossible() {
        done.refused += 1;
        done.entries.push(Entry { record, attempt: 1, before: Fields::new(), after, status: Status::Refused, error: Some(error) });
    }
    for todo in &todos {
        note_what_is_not_written(todo, &plan, &mut done);
    }
    let writes: Vec<&Todo<'_>> = todos.iter().filter(|t| !t.decision.write.is_empty()).collect();
    let stopped = write_all(ctx, &plan, &writes, &mut done).await;
    number(&mut done.entries);
    append(ctx, name, plan.sequence, &done.entries).await?;
    stopped?;
    Ok(outcome(&plan, &todos, &done))
}

/// Sorts entries by record, and numbers those of one record in the order in which they came: the log's key.
fn number(entries: &mut [Entry]) {
    entries.sort_by(|a, b| a.record.cmp(&b.record));
    let mut last: Option<(String, i64)> = None;
    for entry in entries {
        entry.attempt = match &last {
            Some((record, attempt)) if *record == entry.record => attempt + 1,
            _ => 1,
        };
        last = Some((entry.record.clone(), entry.attempt));
    }
}

/// Values that are there already, and edits that stay.
fn note_what_is_not_written(todo: &Todo<'_>, plan: &Plan<'_>, done: &mut Done) {
    let decision = &todo.decision;
    if !decision.confirm.is_empty() {
        let known = plan.known.get(todo.key);
        let before =
            decision.confirm.keys().map(|f| (f.clone(), known.and_then(|k| k.written.get(f)).cloned().unwrap_or_default())).collect();
        done.entries.push(entry(todo.key, before, decision.confirm.clone(), Status::Ok));
    }
    done.kept += decision.keep.len() as u64;
    if !decision.newly_kept.is_empty() {
        let of = |fields: &Fields| -> Fields {
            decision.newly_kept.iter().map(|f| (f.clone(), fields.get(f).cloned().unwrap_or_default())).collect()
        };
        done.entries.push(entry(todo.key, of(&todo.current.fields), of(&decision.keep), Status::KeptEdit));
    }
}

fn entry(record: &str, before: Fields, after: Fields, status: Status) -> Entry {
    Entry { record: record.to_owned(), attempt: 1, before, after, status, error: None }
}

/// Writes records in calls of at most 200; those that were locked are sent again at the end.
async fn write_all(ctx: &StepContext, plan: &Plan<'_>, writes: &[&Todo<'_>], done: &mut Done) -> Result<()> {
    let mut left: Vec<&Todo<'_>> = writes.to_vec();
    for attempt in 1..=ATTEMPTS {
        let mut locked = Vec::new();
        for some in left.chunks(plan.sync.to.salesforce().batch_size.value) {
            let records: Vec<(&str, &Fields)> = some.iter().map(|t| (t.current.id.as_str(), &t.decision.write)).collect();
            let results = plan.crm.write(&records).await?;
            done.calls += 1;
            tracing::debug!(call = done.calls, records = some.len(), attempt, "written");
            ctx.progress.rows(some.len() as u64);
            for (todo, result) in some.iter().zip(results) {
                let again = result.passes() && attempt < ATTEMPTS;
                if again {
                    locked.push(*todo);
                }
                note_result(todo, result, again, done);
            }
        }
        if locked.is_empty() {
            break;
        }
        left = locked;
    }
    Ok(())
}

fn note_result(todo: &Todo<'_>, result: Written, again: bool, done: &mut Done) {
    let after = todo.decision.write.clone();
    let before = after.keys().map(|f| (f.clone(), todo.current.fields.get(f).cloned().unwrap_or_default())).collect();
    let (status, error) = match result {
        Written::Ok => {
            done.written += 1;
            (Status::Ok, None)
        }
        Written::Refused { code, message } => {
            done.refused += u64::from(!again);
            (Status::Refused, Some((code, message)))
        }
    };
    done.entries.push(Entry { error, ..entry(todo.key, before, after, status) });
}

fn outcome(plan: &Plan<'_>, todos: &[Todo<'_>], done: &Done) -> Outcome {
    let mut outcome = Outcome { rows_in: plan.wanted.rows, rows_out: done.written, rows_rejected: done.refused, ..Outcome::default() };
    let differing = todos.iter().filter(|t| !t.decision.write.is_empty() || !t.decision.keep.is_empty()).count();
    outcome.fact("records_written", done.written);
    outcome.fact("records_refused", done.refused);
    outcome.fact("records_unchanged", plan.current.len().saturating_sub(differing));
    outcome.fact("edits_kept", done.kept);
    outcome.fact("rows_without_record", plan.wanted.without_key);
    outcome.fact("calls", done.calls);
    if done.refused > 0 {
        let mut codes: BTreeMap<&str, u64> = BTreeMap::new();
        for (code, _) in done.entries.iter().filter_map(|e| e.error.as_ref()) {
            *codes.entry(code).or_default() += 1;
        }
        let codes: Vec<String> = codes.iter().map(|(code, count)| format!("{count} × {code}")).collect();
        outcome.warn("SYN020", format!("the CRM refused {} records ({}); they are tried again next time", done.refused, codes.join(", ")));
    }
    if done.kept > 0 {
        outcome.warn("SYN021", format!("{} fields were edited by people since the last write and stay as they are", done.kept));
    }
    if plan.wanted.without_key > 0 {
        outcome.warn("SYN022", format!("{} rows name no record of the CRM", plan.wanted.without_key));
    }
    outcome
}
