//! The one simulated company as all vendors hold it, and the clock that says how much of it can be seen.
//!
//! A vendor's records are made when somebody first asks for one of them: they are large, and most tests read one vendor.
//!
//! A record is the list of its versions, each with the time from which it was so; what an API shows is the last version
//! that is not newer than the clock. So a second run a day later needs nothing more than a moved clock, and what an exact
//! extraction must end up with can be said for every moment ([`World::truth`]).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{FakesConfig, VENDORS, mutate, vendor_stores};
use crate::company::Company;
use crate::{Config, Error};

/// Microseconds of a second.
pub(super) const SECOND: i64 = 1_000_000;
/// Microseconds of a day.
pub(super) const DAY: i64 = 86_400 * SECOND;

/// A record as it was from one moment on.
#[derive(Debug, Clone)]
pub struct Version {
    /// When the record became so, in microseconds since 1970.
    pub at: i64,
    /// Was it deleted then?
    pub deleted: bool,
    /// The record as the API shows it in a full listing.
    pub body: Arc<Value>,
}

/// A record and all it ever was.
#[derive(Debug, Clone)]
pub struct Record {
    /// The id as the API writes it, numbers as text.
    pub id: String,
    /// When it was created, in microseconds since 1970.
    pub created: i64,
    /// Its versions, by time.
    pub versions: Vec<Version>,
}

impl Record {
    /// The version that holds at a moment: the last one that is not newer.
    #[must_use]
    pub fn at(&self, now: i64) -> Option<&Version> {
        let seen = self.versions.partition_point(|version| version.at <= now);
        seen.checked_sub(1).map(|last| &self.versions[last])
    }
}

/// The records of one stream of one vendor.
#[derive(Debug, Clone, Default)]
pub struct Store {
    /// Sorted by time of creation, then id.
    pub records: Vec<Record>,
    by_id: OnceLock<BTreeMap<String, usize>>,
}

impl Store {
    /// A store of these records, in whatever order they come.
    #[must_use]
    pub fn new(mut records: Vec<Record>) -> Self {
        for record in &mut records {
            record.versions.sort_by_key(|version| version.at);
        }
        records.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        Self { records, by_id: OnceLock::new() }
    }

    /// A store made from states of records: each value is a record as it was from `at` (microseconds) on, in any order.
    /// `describe` gives id, time of creation, time of the state, and whether the record was deleted then.
    pub(super) fn from_states(states: Vec<Value>, describe: impl Fn(&Value) -> (String, i64, i64, bool)) -> Self {
        let mut records: BTreeMap<String, Record> = BTreeMap::new();
        for state in states {
            let (id, created, at, deleted) = describe(&state);
            let record = records.entry(id.clone()).or_insert_with(|| Record { id, created, versions: Vec::new() });
            record.versions.push(Version { at, deleted, body: Arc::new(state) });
        }
        Self::new(records.into_values().collect())
    }

    /// The records that exist at a moment, with their state.
    pub fn live(&self, now: i64) -> impl Iterator<Item = (&Record, &Version)> {
        self.all(now).filter(|(_, version)| !version.deleted)
    }

    /// The records that ever existed until a moment, deleted ones too, with their state.
    pub fn all(&self, now: i64) -> impl Iterator<Item = (&Record, &Version)> {
        self.records.iter().filter_map(move |record| Some((record, record.at(now)?)))
    }

    /// The record with this id, deleted or not, if it was created by then.
    #[must_use]
    pub fn get(&self, id: &str, now: i64) -> Option<(&Record, &Version)> {
        let index = self.by_id.get_or_init(|| self.records.iter().enumerate().map(|(i, record)| (record.id.clone(), i)).collect());
        let record = &self.records[*index.get(id)?];
        Some((record, record.at(now)?))
    }
}

/// A record as an exact extraction must hold it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// The id as the API writes it, numbers as text.
    pub id: String,
    /// Is it deleted?
    pub deleted: bool,
    /// The record as the API shows it in a full listing; of a deleted one, as it was last.
    pub body: Value,
}

/// A store, and the one that took its place when its records were changed while they were read. The old one stays: who
/// borrowed it may go on reading it.
#[derive(Debug, Default)]
struct Slot {
    store: Store,
    next: OnceLock<Box<Slot>>,
}

impl Slot {
    fn last(&self) -> &Self {
        let mut slot = self;
        while let Some(next) = slot.next.get() {
            slot = next;
        }
        slot
    }
}

/// The streams of a vendor, made when they are first asked for.
type Streams = OnceLock<BTreeMap<&'static str, Slot>>;

/// One simulated company as all vendors hold it.
#[derive(Debug)]
pub struct World {
    company: Company,
    vendors: BTreeMap<&'static str, Streams>,
    empty: Store,
    began: i64,
    now: AtomicI64,
    seed: u64,
    mutations: AtomicU64,
    mutating: Mutex<()>,
}

impl World {
    /// Simulates the company. The clock stands at 12:00 UTC of the day before its last simulated day, so that there is a next
    /// day with changes.
    ///
    /// # Errors
    /// If the numbers make no company.
    pub fn new(config: &FakesConfig) -> Result<Self, Error> {
        let simulated = Config {
            accounts: config.accounts,
            months: config.months,
            events_per_day: Some(u64::from(config.events_per_day)),
            seed: config.seed,
            as_of: config.as_of,
            out: std::path::PathBuf::new(),
        };
        simulated.validate()?;
        let company = Company::new(&simulated);
        let began = company.calendar.unix(company.calendar.days - 2, 43_200) * SECOND;
        Ok(Self {
            company,
            vendors: VENDORS.into_iter().map(|vendor| (vendor, OnceLock::new())).collect(),
            empty: Store::default(),
            began,
            now: AtomicI64::new(began),
            seed: config.seed,
            mutations: AtomicU64::new(0),
            mutating: Mutex::new(()),
        })
    }

    /// The fakes' clock, in microseconds since 1970. Only [`World::set_now`] moves it.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }

    /// Moves the clock.
    pub fn set_now(&self, micros: i64) {
        self.now.store(micros, Ordering::SeqCst);
    }

    /// Where the clock stood first.
    #[must_use]
    pub fn began(&self) -> i64 {
        self.began
    }

    fn slots(&self, vendor: &str) -> Option<&BTreeMap<&'static str, Slot>> {
        let made = self.vendors.get(vendor)?.get_or_init(|| {
            let stores = vendor_stores(vendor, &self.company);
            stores.into_iter().map(|(stream, store)| (stream, Slot { store, next: OnceLock::new() })).collect()
        });
        Some(made)
    }

    /// The streams of a vendor.
    pub fn streams(&self, vendor: &str) -> impl Iterator<Item = &'static str> + '_ {
        self.slots(vendor).into_iter().flat_map(|streams| streams.keys().copied())
    }

    /// The records of a stream; an empty store if there is no such stream.
    #[must_use]
    pub fn store(&self, vendor: &str, stream: &str) -> &Store {
        self.slots(vendor).and_then(|streams| streams.get(stream)).map_or(&self.empty, |slot| &slot.last().store)
    }

    /// What an exact extraction must end up with now: each record that ever could be seen, by id.
    #[must_use]
    pub fn truth(&self, vendor: &str, stream: &str) -> Vec<Held> {
        let oldest = super::kept_from(vendor, stream, self.began);
        let held = |(record, version): (&Record, &Version)| Held {
            id: record.id.clone(),
            deleted: version.deleted,
            body: Value::clone(&version.body),
        };
        let mut all: Vec<Held> = self.store(vendor, stream).all(self.now()).filter(|(r, _)| r.created >= oldest).map(held).collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }

    /// Changes some records of a stream at this moment, and makes the events that the vendor tells of them. Streams whose
    /// records never change stay as they are. Returns how many records changed.
    pub fn mutate(&self, vendor: &str, stream: &str) -> usize {
        let _one_at_a_time = self.mutating.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = self.mutations.fetch_add(1, Ordering::SeqCst);
        let now = self.now();
        let stream = mutate::source(vendor, stream);
        let (store, changed) = mutate::some(self.store(vendor, stream), self.seed, turn, now);
        if changed.is_empty() {
            return 0;
        }
        if let Some((events, told)) = mutate::events(vendor, stream, &changed, turn, now) {
            let mut records = self.store(vendor, events).records.clone();
            records.extend(told);
            self.replace(vendor, events, Store::new(records));
        }
        self.replace(vendor, stream, store);
        changed.len()
    }

    fn replace(&self, vendor: &str, stream: &str, store: Store) {
        if let Some(slot) = self.slots(vendor).and_then(|streams| streams.get(stream)) {
            // Nobody else sets it: mutations come one at a time.
            let _ = slot.last().next.set(Box::new(Slot { store, next: OnceLock::new() }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(id: &str, created: i64, versions: &[(i64, bool)]) -> Record {
        let versions = versions.iter().map(|(at, deleted)| Version { at: *at, deleted: *deleted, body: Arc::new(json!({"at": at})) });
        Record { id: id.to_string(), created, versions: versions.collect() }
    }

    #[test]
    fn shows_the_last_version_that_is_not_newer_than_the_clock() {
        let store = Store::new(vec![record("b", 10, &[(30, true), (10, false), (20, false)]), record("a", 15, &[(15, false)])]);
        assert_eq!(store.records[0].id, "b", "sorted by creation");
        let seen = |now: i64| store.live(now).map(|(r, v)| format!("{}{}", r.id, v.at)).collect::<Vec<_>>().join(" ");
        assert_eq!(seen(9), "");
        assert_eq!(seen(15), "b10 a15");
        assert_eq!(seen(29), "b20 a15");
        assert_eq!(seen(30), "a15");
        assert_eq!(store.all(30).count(), 2);
        assert!(store.get("b", 30).unwrap().1.deleted);
        assert!(store.get("b", 9).is_none() && store.get("c", 99).is_none());
    }
}
