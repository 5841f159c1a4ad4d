//! The fake's records: those that were simulated, and on top of them what was written, which is kept on disk.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::{Error, ids, output};

/// Fields and their values.
pub(super) type Record = Map<String, Value>;

/// Records and the files behind them.
#[derive(Debug)]
pub(super) struct State {
    seeds: BTreeMap<String, Record>,
    written: BTreeMap<String, Record>,
    path: PathBuf,
    log: File,
    log_path: PathBuf,
    requests: u64,
}

impl State {
    pub(super) fn open(data_dir: &Path, state_dir: &Path) -> Result<Self, Error> {
        output::folder(state_dir)?;
        let path = state_dir.join("salesforce.json");
        let written = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| Error::State { path: path.clone(), reason: error.to_string() })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(Error::io("read", &path)(error)),
        };
        let log_path = state_dir.join("salesforce.requests.jsonl");
        let log = OpenOptions::new().create(true).append(true).open(&log_path).map_err(Error::io("create", &log_path))?;
        Ok(Self { seeds: seeds(data_dir)?, written, path, log, log_path, requests: 0 })
    }

    /// Notes a request; how many there were since the start.
    pub(super) fn log(&mut self, method: &str, path: &str, body: &Value) -> Result<u64, Error> {
        self.requests += 1;
        let line = json!({"method": method, "path": path, "body": body}).to_string() + "\n";
        self.log.write_all(line.as_bytes()).map_err(Error::io("write", &self.log_path))?;
        Ok(self.requests)
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests
    }

    /// All ids, sorted.
    pub(super) fn ids(&self) -> impl Iterator<Item = &String> {
        let new = self.written.keys().filter(|id| !self.seeds.contains_key(*id));
        self.seeds.keys().chain(new)
    }

    /// The record with this id (15 or 18 characters).
    pub(super) fn get(&self, id: &str) -> Option<Record> {
        let id = self.full_id(id)?;
        let mut record = self.seeds.get(&id).cloned().unwrap_or_default();
        for (field, value) in self.written.get(&id).into_iter().flatten() {
            record.insert(field.clone(), value.clone());
        }
        record.insert("Id".to_string(), Value::String(id));
        Some(record)
    }

    fn full_id(&self, id: &str) -> Option<String> {
        if self.seeds.contains_key(id) || self.written.contains_key(id) {
            return Some(id.to_string());
        }
        let starts = |map: &BTreeMap<String, Record>| {
            map.range(id.to_string()..).next().map(|(full, _)| full.clone()).filter(|full| id.len() == 15 && full.starts_with(id))
        };
        starts(&self.seeds).or_else(|| starts(&self.written))
    }

    /// Ids of the records whose field has this value.
    pub(super) fn find(&self, field: &str, value: &str) -> Vec<String> {
        let has = |record: &Record| record.get(field).and_then(Value::as_str) == Some(value);
        self.ids().filter(|id| self.get(id).is_some_and(|r| has(&r))).cloned().collect()
    }

    /// Changes records (id, fields) and makes that durable, all or nothing.
    pub(super) fn write(&mut self, changes: Vec<(String, Record)>) -> Result<(), Error> {
        if changes.is_empty() {
            return Ok(());
        }
        for (id, fields) in changes {
            let id = self.full_id(&id).unwrap_or(id);
            self.written.entry(id).or_default().extend(fields);
        }
        let temporary = self.path.with_extension("json.new");
        let text = serde_json::to_vec_pretty(&self.written)
            .map_err(|error| Error::State { path: self.path.clone(), reason: error.to_string() })?;
        let mut file = File::create(&temporary).map_err(Error::io("create", &temporary))?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(Error::io("write", &temporary))?;
        std::fs::rename(&temporary, &self.path).map_err(Error::io("write", &self.path))
    }

    /// The id that the next new record gets.
    pub(super) fn next_id(&self, taken: usize) -> String {
        let new = self.written.keys().filter(|id| !self.seeds.contains_key(*id)).count();
        ids::salesforce("001", 50_000_000 + (new + taken) as u64)
    }
}

/// The latest state of each simulated account. Lines that can't be read are bad on purpose.
fn seeds(data_dir: &Path) -> Result<BTreeMap<String, Record>, Error> {
    let folder = data_dir.join("salesforce");
    let mut files: Vec<PathBuf> = match std::fs::read_dir(&folder) {
        Ok(entries) => entries
            .filter_map(|entry| entry.ok().map(|e| e.path()))
            .filter(|path| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("accounts-")))
            .collect(),
        // Other projects have no simulated records: theirs are made by upserts.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(Error::io("read", &folder)(error)),
    };
    files.sort();
    let mut records: BTreeMap<String, Record> = BTreeMap::new();
    for path in files {
        let file = File::open(&path).map_err(Error::io("read", &path))?;
        let reader = zstd::Decoder::new(file).map_err(Error::io("read", &path))?;
        for line in BufReader::new(reader).lines() {
            let line = line.map_err(Error::io("read", &path))?;
            let Ok(Value::Object(mut record)) = serde_json::from_str(&line) else { continue };
            let Some(id) = record.get("Id").and_then(Value::as_str).map(str::to_string) else { continue };
            record.remove("attributes");
            if !record["NumberOfEmployees"].is_number() {
                continue;
            }
            let stamp = |record: &Record| record.get("SystemModstamp").and_then(Value::as_str).map(str::to_string);
            let newer = records.get(&id).is_none_or(|known| stamp(known) <= stamp(&record));
            if newer {
                records.insert(id, record);
            }
        }
    }
    Ok(records)
}
