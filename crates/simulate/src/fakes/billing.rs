//! What the fakes of the two billing systems share: three streams of records, and which changes of them their events tell of.

use serde_json::Value;

use super::world::{Record, SECOND, Store, Version};
use crate::company::Company;

/// Numbers of events that tell of mutations are larger than those of all others.
const MUTATIONS: usize = 90_000_000;

/// Customers, subscriptions and invoices, with all their versions.
pub(super) struct Billing {
    pub(super) customers: Store,
    pub(super) subscriptions: Store,
    pub(super) invoices: Store,
}

/// A version of a record that events tell of.
#[derive(Clone, Copy)]
pub(super) struct Change<'a> {
    /// When they tell of it.
    pub(super) at: i64,
    pub(super) stream: &'a str,
    record: &'a Record,
    index: usize,
}

impl<'a> Change<'a> {
    /// The record as it was then.
    pub(super) fn version(&self) -> &'a Version {
        &self.record.versions[self.index]
    }

    /// The record before the change, if it was there.
    pub(super) fn before(&self) -> Option<&'a Value> {
        self.index.checked_sub(1).map(|before| self.record.versions[before].body.as_ref())
    }
}

impl Billing {
    /// All changes since an instant, in their order.
    pub(super) fn changes(&self, oldest: i64) -> Vec<Change<'_>> {
        let mut changes: Vec<Change<'_>> = Vec::new();
        for (stream, store) in [("customers", &self.customers), ("subscriptions", &self.subscriptions), ("invoices", &self.invoices)] {
            for record in &store.records {
                let versions = record.versions.iter().enumerate().filter(|(_, version)| version.at >= oldest);
                changes.extend(versions.map(|(index, version)| Change { at: version.at, stream, record, index }));
            }
        }
        changes.sort_by(|a, b| (a.at, a.stream, &a.record.id, a.index).cmp(&(b.at, b.stream, &b.record.id, b.index)));
        changes
    }

    /// The streams by name.
    pub(super) fn stores(self, events: Vec<Record>) -> Vec<(&'static str, Store)> {
        vec![
            ("customers", self.customers),
            ("subscriptions", self.subscriptions),
            ("invoices", self.invoices),
            ("events", Store::new(events)),
        ]
    }
}

/// The changes that were made just now.
pub(super) fn changes_now<'a>(stream: &'a str, changed: &'a [Record], now: i64) -> Vec<Change<'a>> {
    let change = |record: &'a Record| {
        let index = record.versions.partition_point(|version| version.at <= now).checked_sub(1)?;
        Some(Change { at: now, stream, record, index })
    };
    changed.iter().filter_map(change).collect()
}

/// The number of the first event that tells of the mutations of a turn.
pub(super) fn first_number(turn: u64) -> usize {
    MUTATIONS + turn as usize * 100
}

/// When the clock of a company first stands: noon of the day before the last.
pub(super) fn began(company: &Company) -> i64 {
    company.calendar.unix(company.calendar.days - 2, 43_200) * SECOND
}
