//! The places of one record's values, while it is walked over.
//!
//! Records of one file or answer have their keys in nearly the same order. So the keys of each object are remembered as they came, and
//! the next record's key is first compared with the one that is due: one comparison of bytes in place of a search.

use super::cells::Cell;
use super::json::unescape;
use super::paths::Paths;
use std::collections::BTreeMap;

/// So many remembered keys are compared before a key is searched: as many may be missing in a row.
const LOOK_AHEAD: usize = 8;
/// So many keys of an object are remembered; objects used as maps have any number.
const MOST_KEYS: usize = 512;

/// What is known of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// The child of the node, where a path passes through the key.
    pub(crate) child: Option<usize>,
    /// The number of a key that is noted since no path passes through it.
    pub(crate) field: Option<usize>,
}

#[derive(Debug)]
struct Seen {
    /// The key as it stands in the text, and the quote behind it.
    quoted: Vec<u8>,
    known: Known,
}

/// The cells of one record.
#[derive(Debug)]
pub(crate) struct Places<'p> {
    pub(crate) paths: &'p Paths,
    /// One cell a column.
    pub(crate) row: Vec<Cell>,
    /// Keys of the record that no path passes through, where such keys are noted.
    pub(crate) unknown: Vec<(usize, Cell)>,
    /// The names of all such keys so far.
    names: Vec<String>,
    numbers: BTreeMap<Vec<u8>, usize>,
    seen: Vec<Vec<Seen>>,
}

impl<'p> Places<'p> {
    pub(crate) fn new(paths: &'p Paths) -> Self {
        Self {
            paths,
            row: vec![Cell::MISSING; paths.columns()],
            unknown: Vec::new(),
            names: Vec::new(),
            numbers: BTreeMap::new(),
            seen: (0..paths.nodes()).map(|_| Vec::new()).collect(),
        }
    }

    /// Forgets a record's values; what was learnt of keys stays.
    pub(crate) fn clear(&mut self) {
        self.row.fill(Cell::MISSING);
        self.unknown.clear();
    }

    /// The names of noted keys, by their numbers.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The number of a noted key.
    pub(crate) fn number(&mut self, name: &[u8]) -> usize {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        self.names.push(String::from_utf8_lossy(name).into_owned());
        self.numbers.insert(name.to_vec(), self.names.len() - 1);
        self.names.len() - 1
    }

    /// The key that a text begins with, if it is one of those that are due; and its length with the quote.
    #[inline]
    pub(super) fn due(&self, node: usize, text: &[u8], next: &mut usize) -> Option<(Known, usize)> {
        let seen = self.seen[node].get(*next..)?;
        for (n, key) in seen.iter().take(LOOK_AHEAD).enumerate() {
            if text.starts_with(&key.quoted) {
                *next += n + 1;
                return Some((key.known, key.quoted.len()));
            }
        }
        None
    }

    /// Searches a key, and remembers it for the next record. The text ends with the closing quote.
    pub(super) fn learn(&mut self, node: usize, quoted: &[u8], escaped: bool, next: &mut usize) -> Known {
        let raw = &quoted[..quoted.len().saturating_sub(1)];
        let plain = if escaped { unescape(raw) } else { None };
        let key = plain.as_deref().map_or(raw, str::as_bytes);
        let child = self.paths.find(node, key);
        let field = if child.is_none() && self.paths.notes(node) { Some(self.number(key)) } else { None };
        let known = Known { child, field };
        let seen = &mut self.seen[node];
        if seen.len() < MOST_KEYS {
            seen.insert((*next).min(seen.len()), Seen { quoted: quoted.to_vec(), known });
            *next += 1;
        }
        known
    }

    /// Notes the place of a child's value.
    #[inline]
    pub(crate) fn note(&mut self, node: usize, child: usize, cell: Cell) {
        for column in &self.paths.at(node, child).columns {
            self.row[*column] = cell;
        }
    }
}
