//! The newest rows of a run of requests: when records change while they are read, pages shift, and some come twice.

/// So many rows back a repetition is recognised at least: far more than a few pages of any API that shifts.
const KEPT: usize = 20_000;
/// Places for hashes; at most half of them are taken.
const SLOTS: usize = (KEPT * 2).next_power_of_two();

/// Hashes of the newest rows in two generations, the newer of which becomes the older one when it is full; 1 MB.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    newer: Generation,
    older: Generation,
}

impl Recent {
    /// Whether a row is not among the newest; it is afterwards.
    pub(crate) fn is_new(&mut self, hash: u64) -> bool {
        if self.newer.has(hash) || self.older.has(hash) {
            return false;
        }
        if self.newer.taken == KEPT {
            std::mem::swap(&mut self.newer, &mut self.older);
            self.newer.clear();
        }
        self.newer.add(hash);
        true
    }
}

/// A set of hashes with open addressing. They are well mixed, so their low bits say where to look first; 0 is a free place.
#[derive(Debug, Default)]
struct Generation {
    slots: Vec<u64>,
    taken: usize,
}

impl Generation {
    /// The place of a hash, or the free one where it would stand. 0 counts as 1: one more coincidence in 2^64.
    fn find(&self, hash: u64) -> usize {
        #[allow(clippy::cast_possible_truncation)]
        let mut at = hash as usize & (SLOTS - 1);
        while self.slots[at] != 0 && self.slots[at] != hash.max(1) {
            at = (at + 1) & (SLOTS - 1);
        }
        at
    }

    fn has(&self, hash: u64) -> bool {
        self.taken > 0 && self.slots[self.find(hash)] != 0
    }

    fn add(&mut self, hash: u64) {
        if self.slots.is_empty() {
            self.slots = vec![0; SLOTS];
        }
        let at = self.find(hash);
        self.slots[at] = hash.max(1);
        self.taken += 1;
    }

    fn clear(&mut self) {
        self.slots.fill(0);
        self.taken = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognises_repetitions_and_stays_small() {
        let mut recent = Recent::default();
        assert!(recent.is_new(7) && !recent.is_new(7));
        assert!(recent.is_new(0) && !recent.is_new(0));
        for hash in 100..98 + KEPT as u64 {
            assert!(recent.is_new(hash));
        }
        assert!(!recent.is_new(7), "20,000 rows back is near");
        for hash in 0..2 * KEPT as u64 {
            assert!(recent.is_new(1 << 40 | hash));
        }
        assert!(recent.is_new(7), "what is long gone counts as new");
        assert_eq!((recent.newer.slots.len(), recent.older.slots.len()), (SLOTS, SLOTS));
    }

    #[test]
    fn hashes_that_want_the_same_place_are_kept_apart() {
        let mut recent = Recent::default();
        let alike = |n: u64| n << 32 | (SLOTS as u64 - 1);
        assert!((0..100).all(|n| recent.is_new(alike(n))));
        assert!((0..100).all(|n| !recent.is_new(alike(n))));
        assert!(recent.is_new(alike(100)));
    }
}
