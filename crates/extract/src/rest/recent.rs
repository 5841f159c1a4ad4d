//! The newest rows of a run of requests: when records change while they are read, pages shift, and some come twice.

use std::collections::{BTreeSet, VecDeque};

/// So many rows back a repetition is recognised: far more than a few pages of any API that shifts.
const KEPT: usize = 50_000;

/// Hashes of the newest rows; about 3 MB at most.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    set: BTreeSet<u64>,
    order: VecDeque<u64>,
}

impl Recent {
    /// Whether a row is not among the newest; it is afterwards.
    pub(crate) fn is_new(&mut self, hash: u64) -> bool {
        if !self.set.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.set.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognises_repetitions_and_stays_small() {
        let mut recent = Recent::default();
        assert!(recent.is_new(7) && !recent.is_new(7));
        for hash in 100..100 + 2 * KEPT as u64 {
            assert!(recent.is_new(hash));
        }
        assert!(recent.is_new(7), "what is long gone counts as new");
        assert_eq!((recent.set.len(), recent.order.len()), (KEPT, KEPT));
    }
}
