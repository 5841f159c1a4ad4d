//! Deletes that nobody's life brings about, and a last simulated day on which something happens in every stream.
//!
//! What customers do leaves some streams still for weeks: users hardly change, and nobody deletes an opportunity. An
//! extraction that is right by luck would look right on such a company.

use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use super::world::{DAY, Record, SECOND, Store, Version};
use crate::company::Company;
use crate::rng::{Purpose, Rng};

/// How a vendor's records show that they change, go and come. Times are microseconds since 1970, in whole seconds.
pub(super) trait Shape {
    /// The record after an edit.
    fn changed(&self, body: &Value, at: i64) -> Value;
    /// The record after its deletion; none where the vendor can't delete such records.
    fn deleted(&self, body: &Value, at: i64) -> Option<Value>;
    /// A new record much like this one, and its id. `number` counts the new ones of a stream.
    fn born(&self, body: &Value, number: u64, at: i64) -> (String, Value);
}

/// Records whose deletion is older than the clock's first stand, as a share.
const DELETED: f64 = 0.01;

/// Vendors that hold back the newest minutes would hide what happens right before the clock's stand.
const QUIET: i64 = 600 * SECOND;

/// Adds deletions, and changes on the last day. `salt` names the stream for its random numbers.
pub(super) fn enliven(store: Store, company: &Company, salt: u64, shape: &dyn Shape) -> Store {
    let began = company.calendar.unix(company.calendar.days - 2, 43_200) * SECOND;
    let last_day = began + SECOND..began + DAY - QUIET;
    let mut rng = Rng::new(company.seed, Purpose::Detail, salt, 0x11FE);
    let mut records = store.records;
    for record in &mut records {
        if rng.chance(DELETED)
            && let Some(version) = record.at(began)
        {
            let span = version.at + SECOND..began - QUIET;
            delete(record, &mut rng, &span, shape);
        }
    }
    let count = records.iter().filter(|record| record.at(began).is_some_and(|v| !v.deleted)).count();
    let mut born = Vec::new();
    let kinds = [(3, count / 2_000), (4, count / 200), (2, count / 1_000)];
    for (kind, (least, share)) in kinds.into_iter().enumerate() {
        for number in 0..share.max(least).min(count) {
            let Some(record) = pick(&mut records, &mut rng, began) else { continue };
            match kind {
                0 => born.extend(bear(record, &mut rng, &last_day, shape, number as u64)),
                1 => change(record, &mut rng, &last_day, shape),
                _ => delete(record, &mut rng, &last_day, shape),
            }
        }
    }
    records.extend(born);
    Store::new(records)
}

/// A record that is there when the clock starts.
fn pick<'a>(records: &'a mut [Record], rng: &mut Rng, began: i64) -> Option<&'a mut Record> {
    let from = rng.between(0, records.len() as i64) as usize;
    let there = |index: &usize| records[*index].at(began).is_some_and(|version| !version.deleted);
    let index = (from..records.len()).chain(0..from).find(there)?;
    Some(&mut records[index])
}

/// A whole second of a span.
fn moment(rng: &mut Rng, span: &Range<i64>) -> i64 {
    rng.between(span.start / SECOND + 1, span.end / SECOND) * SECOND
}

fn change(record: &mut Record, rng: &mut Rng, span: &Range<i64>, shape: &dyn Shape) {
    let at = moment(rng, span);
    let Some(body) = record.at(at).filter(|v| !v.deleted).map(|v| shape.changed(&v.body, at)) else { return };
    record.versions.push(Version { at, deleted: false, body: Arc::new(body) });
    record.versions.sort_by_key(|version| version.at);
}

/// Deletes a record; what would have become of it later doesn't happen.
fn delete(record: &mut Record, rng: &mut Rng, span: &Range<i64>, shape: &dyn Shape) {
    if span.start + 2 * SECOND >= span.end {
        return;
    }
    let at = moment(rng, span);
    let Some(body) = record.at(at).filter(|v| !v.deleted).and_then(|v| shape.deleted(&v.body, at)) else { return };
    record.versions.retain(|version| version.at < at);
    record.versions.push(Version { at, deleted: true, body: Arc::new(body) });
}

fn bear(like: &Record, rng: &mut Rng, span: &Range<i64>, shape: &dyn Shape, number: u64) -> Option<Record> {
    let at = moment(rng, span);
    let (id, body) = shape.born(&like.at(at)?.body, number, at);
    Some(Record { id, created: at, versions: vec![Version { at, deleted: false, body: Arc::new(body) }] })
}
