//! Joins answers that hold the same records with different fields, because all fields at once would make too long a request.

use super::document::{Visitor, plain, records};
use super::error::PageError;
use super::plan::{ChunkKey, PagePlan};
use crate::codec::cells::{Cell, Kind};
use crate::codec::json::{Scan, Walk};
use crate::codec::paths::Paths;
use crate::codec::places::Places;
use crate::error::Result;
use crate::reject::shown;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Range;

/// What errors call the answers.
const FILE: &str = "one group of fields";

/// One body that has the fields of all: the first one, to whose records the other bodies' fields are added. Records are matched by their
/// key, in any order. A single body is returned as it is.
///
/// # Errors
/// [`PageError::GroupsDiffer`], where a record is missing in one of the answers, has no key, or is there twice; and the errors of
/// [`super::find_records`].
pub fn join_chunks(plan: &PagePlan, bodies: &[Bytes]) -> Result<Bytes> {
    let (Some(key), [first, others @ ..]) = (&plan.chunks, bodies) else {
        return Ok(bodies.first().cloned().unwrap_or_default());
    };
    if others.is_empty() {
        return Ok(first.clone());
    }
    let first = plain(FILE, first.clone())?;
    let places = found(plan, key, &first)?;
    let others: Vec<Bytes> = others.iter().map(|body| plain(FILE, body.clone())).collect::<Result<_>>()?;
    let mut more = Vec::with_capacity(others.len());
    for other in &others {
        more.push(by_key(other, found(plan, key, other)?)?);
    }
    for (other, number) in more.iter().zip(2..) {
        if other.len() != places.len() {
            return Err(differ(format!("the first has {} records, number {number} has {}", places.len(), other.len())).into());
        }
    }
    let mut joined = Vec::with_capacity(first.len() + others.iter().map(|o| o.len()).sum::<usize>());
    let mut done = 0;
    let mut met = BTreeMap::new();
    for record in &places {
        let name = record.key.bytes(&first);
        if met.insert(name, ()).is_some() {
            return Err(differ(format!("the record {} is there twice", shown(name))).into());
        }
        // Before the closing brace.
        let end = record.fields.end - 1;
        joined.extend_from_slice(&first[done..end]);
        done = end;
        let mut empty = is_blank(&first[record.fields.start + 1..end]);
        for (other, keyed) in others.iter().zip(&more) {
            let Some(fields) = keyed.get(name) else {
                return Err(differ(format!("the record {} is missing in one of them", shown(name))).into());
            };
            let inner = &other[fields.start + 1..fields.end - 1];
            if !is_blank(inner) {
                if !empty {
                    joined.push(b',');
                }
                joined.extend_from_slice(inner);
                empty = false;
            }
        }
    }
    joined.extend_from_slice(&first[done..]);
    Ok(joined.into())
}

fn is_blank(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_whitespace)
}

fn differ(reason: String) -> PageError {
    PageError::GroupsDiffer { reason }
}

/// A record: its key, and the object that holds its fields.
struct Found {
    key: Cell,
    fields: Range<usize>,
}

struct Finder<'p> {
    places: Places<'p>,
    below: bool,
    found: Vec<Found>,
    /// What is wrong with the first record that has no key or no object.
    odd: Option<String>,
}

impl Visitor for Finder<'_> {
    fn record(&mut self, walk: &mut Walk<'_>, _: u32) -> Scan<()> {
        walk.blanks();
        let start = walk.at;
        self.places.clear();
        let object = walk.peek() == Some(b'{');
        if object {
            walk.object(&mut self.places, 0, 0)?;
        } else {
            walk.skip(0)?;
        }
        let [key, below] = [self.places.row[0], self.places.row[1]];
        let fields = match below.kind() {
            _ if !self.below => start..walk.at,
            Kind::Composite => below.start()..below.start() + below.bytes(walk.text).len(),
            _ => 0..0,
        };
        let keyed = !matches!(key.kind(), Kind::Missing | Kind::Null | Kind::Composite);
        if !object || !keyed || walk.text[fields.clone()].first() != Some(&b'{') {
            let record = shown(&walk.text[start..walk.at]);
            self.odd.get_or_insert_with(|| format!("the record {record} has no key, or no object that holds the fields"));
            return Ok(());
        }
        self.found.push(Found { key, fields });
        Ok(())
    }
}

fn found(plan: &PagePlan, key: &ChunkKey, body: &[u8]) -> Result<Vec<Found>> {
    let below = key.below.as_deref();
    let paths = Paths::of(2, std::iter::once((0, key.key.as_str())).chain(below.map(|path| (1, path))));
    let mut finder = Finder { places: Places::new(&paths), below: below.is_some(), found: Vec::new(), odd: None };
    records(&plan.envelope, FILE, body, &mut finder)?;
    match finder.odd {
        Some(reason) => Err(differ(reason).into()),
        None => Ok(finder.found),
    }
}

fn by_key(body: &[u8], found: Vec<Found>) -> Result<BTreeMap<&[u8], Range<usize>>> {
    let mut keyed = BTreeMap::new();
    for Found { key, fields } in found {
        let name = key.bytes(body);
        if keyed.insert(name, fields).is_some() {
            return Err(differ(format!("the record {} is there twice", shown(name))).into());
        }
    }
    Ok(keyed)
}
