//! Rows that the raw table has already, so that reading a record again doesn't add it again.
//!
//! Rows are compared by 64-bit hashes ([`crate::key_hashes`]), of which 8 bytes a row are held in memory where any version of a row counts, and
//! 32 bytes a key where the latest one does.

use std::collections::BTreeMap;

/// What is known of a stream's rows.
#[derive(Debug)]
pub struct Known {
    by: By,
    /// Sorted by key.
    entries: Vec<Entry>,
    /// Sorted.
    rows: Vec<u64>,
}

/// What makes a row known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// The table has it, whatever came after it.
    Row,
    /// It is the latest of its key.
    Latest,
    /// It stands no more often in this read than in the table.
    Count,
}

/// One key; or, where rows are counted, all equal rows.
#[derive(Debug, Clone, Copy)]
struct Entry {
    key: u64,
    row: u64,
    line: i64,
    /// How many rows there are: with a key 1, or 0 where the latest is a deletion.
    live: i32,
    met: i32,
}

/// Rows of the log as [`Known::add`] takes them, all of the same length.
#[derive(Debug, Clone, Copy)]
pub struct LogRows<'a> {
    /// The hash of the key; of all columns where rows are counted.
    pub keys: &'a [u64],
    /// The hash of all columns.
    pub rows: &'a [u64],
    /// `_line`, if it rises from commit to commit: of two rows with one key the later one has the higher line.
    pub lines: Option<&'a [i64]>,
    /// Whether they are deletions.
    pub deletes: &'a [bool],
}

impl Default for Known {
    /// Nothing is known: every row is new.
    fn default() -> Self {
        Self::of_rows(Vec::new())
    }
}

impl Known {
    /// Rows are known by themselves, however old they are and however often they come.
    #[must_use]
    pub fn of_rows(mut rows: Vec<u64>) -> Self {
        rows.sort_unstable();
        rows.dedup();
        Self { by: By::Row, entries: Vec::new(), rows }
    }

    /// A row is known if it is the latest of its key.
    #[must_use]
    pub fn of_keys() -> Self {
        Self { by: By::Latest, entries: Vec::new(), rows: Vec::new() }
    }

    /// Rows without a key: as many equal ones are known as there are.
    #[must_use]
    pub fn of_counts() -> Self {
        Self { by: By::Count, entries: Vec::new(), rows: Vec::new() }
    }

    /// Adds rows of the log to [`Known::of_keys`] or [`Known::of_counts`]; [`Known::settle`] comes after the last of them.
    pub fn add(&mut self, log: &LogRows<'_>) {
        let counted = self.by == By::Count;
        for (at, ((key, row), delete)) in log.keys.iter().zip(log.rows).zip(log.deletes).enumerate() {
            let line = log.lines.map_or(0, |lines| lines[at]);
            let live = if counted { 1 - 2 * i32::from(*delete) } else { i32::from(!delete) };
            self.entries.push(Entry { key: *key, row: *row, line, live, met: 0 });
        }
    }

    /// Orders what was added.
    pub fn settle(&mut self) {
        let counted = self.by == By::Count;
        self.entries.sort_unstable_by_key(|e| (e.key, e.line));
        self.entries.dedup_by(|later, kept| {
            let same = later.key == kept.key;
            if same {
                // The latest version of a key counts; of equal rows their number.
                let live = if counted { kept.live + later.live } else { later.live };
                *kept = Entry { live, ..*later };
            }
            same
        });
        self.entries.shrink_to_fit();
    }

    /// Whether [`Known::new_rows`] looks at keys.
    #[must_use]
    pub fn by_key(&self) -> bool {
        self.by != By::Row
    }

    /// Which rows are new, by the hash of all their columns and, if they matter ([`Known::by_key`]), of their key. Notes that they were met.
    pub fn new_rows(&mut self, rows: &[u64], keys: &[u64]) -> Vec<bool> {
        if self.by == By::Row {
            if self.rows.is_empty() {
                return vec![true; rows.len()];
            }
            return rows.iter().map(|row| self.rows.binary_search(row).is_err()).collect();
        }
        rows.iter().zip(keys).map(|(row, key)| !self.meet(*key, *row)).collect()
    }

    fn meet(&mut self, key: u64, row: u64) -> bool {
        let counted = self.by == By::Count;
        let Some(entry) = self.entry(key) else { return false };
        entry.met += 1;
        if counted { entry.met <= entry.live } else { entry.row == row }
    }

    /// Notes that a row with this key is there, although it could not be read.
    pub fn spare(&mut self, key: u64) {
        if let Some(entry) = self.entry(key) {
            entry.met += 1;
        }
    }

    fn entry(&mut self, key: u64) -> Option<&mut Entry> {
        let at = self.entries.binary_search_by_key(&key, |e| e.key).ok()?;
        self.entries.get_mut(at)
    }

    /// The live rows that weren't met: after a complete read, those that have vanished.
    #[must_use]
    pub fn vanished(&self) -> Vanished {
        let gone = self.entries.iter().filter(|e| e.live > e.met);
        Vanished { left: gone.map(|e| (e.key, (e.live - e.met, e.line))).collect() }
    }
}

/// Rows that have vanished, to be found in the log once more.
#[derive(Debug)]
pub struct Vanished {
    /// By key: how many rows, and the line of the latest.
    left: BTreeMap<u64, (i32, i64)>,
}

impl Vanished {
    /// Whether nothing has vanished.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// Which rows of the log are those: of a key the one on its latest line if lines are given, else live ones, as many as have vanished.
    pub fn pick(&mut self, keys: &[u64], lines: Option<&[i64]>, deletes: &[bool]) -> Vec<bool> {
        let mut picked = vec![false; keys.len()];
        for (at, key) in keys.iter().enumerate() {
            let Some((left, line)) = self.left.get_mut(key) else { continue };
            picked[at] = match lines {
                Some(lines) => lines[at] == *line,
                None => !deletes[at] && *left > 0,
            };
            *left -= i32::from(picked[at]);
        }
        picked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(mut known: Known, log: &[(u64, u64, bool)]) -> Known {
        for (line, (key, row, delete)) in (1..).zip(log) {
            known.add(&LogRows { keys: &[*key], rows: &[*row], lines: Some(&[line]), deletes: &[*delete] });
        }
        known.settle();
        known
    }

    fn is_new(known: &mut Known, key: u64, row: u64) -> bool {
        known.new_rows(&[row], &[key])[0]
    }

    #[test]
    fn with_a_key_only_the_latest_row_is_known() {
        let mut known = known(Known::of_keys(), &[(1, 9, false), (1, 10, false), (2, 19, false), (2, 20, true)]);
        assert!(!is_new(&mut known, 1, 10));
        assert!(!is_new(&mut known, 1, 10), "a repeated key is no news either");
        assert!(is_new(&mut known, 1, 9), "an old version that comes back is news");
        assert!(is_new(&mut known, 1, 11));
        assert!(is_new(&mut known, 2, 19), "a deleted row that comes back is news");
        assert!(is_new(&mut known, 3, 30));
    }

    #[test]
    fn without_a_key_as_many_rows_are_known_as_there_are() {
        let mut known = known(Known::of_counts(), &[(7, 7, false), (7, 7, false), (7, 7, true), (7, 7, false)]);
        assert_eq!(known.new_rows(&[7, 7, 7], &[7, 7, 7]), [false, false, true]);
    }

    #[test]
    fn rows_of_an_overlap_are_known_in_any_version() {
        let mut known = Known::of_rows(vec![5, 3, 5]);
        assert_eq!(known.new_rows(&[3, 4, 5, 5], &[]), [false, true, false, false]);
        assert!(!known.by_key() && Known::default().new_rows(&[3], &[])[0]);
    }

    #[test]
    fn what_was_not_met_has_vanished_once() {
        let mut known = known(Known::of_keys(), &[(1, 10, false), (2, 19, false), (2, 20, false), (3, 30, true), (4, 40, false)]);
        known.spare(4);
        assert!(!is_new(&mut known, 1, 10));
        let mut gone = known.vanished();
        assert_eq!(gone.pick(&[1, 2, 2, 3, 4], Some(&[1, 2, 3, 4, 5]), &[false; 5]), [false, false, true, false, false]);
        let latest = known.vanished().pick(&[2, 3, 2], None, &[false, true, false]);
        assert_eq!(latest, [true, false, false]);
        assert!(known.vanished().left.len() == 1 && !gone.is_empty());
    }

    #[test]
    fn of_equal_rows_as_many_vanish_as_are_missing() {
        let mut known = known(Known::of_counts(), &[(7, 7, false), (7, 7, false), (7, 7, false)]);
        assert!(!is_new(&mut known, 7, 7));
        assert_eq!(known.vanished().pick(&[7, 7, 7], None, &[false; 3]), [true, true, false]);
    }
}
