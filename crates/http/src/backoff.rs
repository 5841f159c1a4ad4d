use std::time::Duration;

/// How long to wait before an attempt: as the server says, else twice as long each time, with jitter.
///
/// The jitter comes from a seed and not from chance, so that the same run waits the same times.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    seed: u64,
}

impl Backoff {
    /// Waits about `first` before the second attempt and never longer than `longest`, also where the server asks for more.
    #[must_use]
    pub fn new(first: Duration, longest: Duration, seed: u64) -> Self {
        Self { first, longest, seed }
    }

    /// How long to wait before this attempt (the second one is 2). A hint of the server wins over the doubling.
    #[must_use]
    pub fn wait(&self, attempt: u32, hint: Option<Duration>) -> Duration {
        if let Some(hint) = hint {
            return hint.min(self.longest);
        }
        let doubled = 2_u32.saturating_pow(attempt.saturating_sub(2));
        let whole = self.first.saturating_mul(doubled).min(self.longest);
        // Between half and all of it: enough to keep streams apart, and still surely longer each time.
        whole.mul_f64(0.5 + 0.5 * fraction(self.seed ^ u64::from(attempt).rotate_left(32)))
    }
}

/// A number of [0, 1) that looks like chance (SplitMix64).
fn fraction(seed: u64) -> f64 {
    let mut x = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^= x >> 31;
    (x >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(500);
    const LONGEST: Duration = Duration::from_secs(60);

    #[test]
    fn waits_grow_twofold_up_to_the_longest_and_never_beyond() {
        for seed in 0..200 {
            let backoff = Backoff::new(FIRST, LONGEST, seed);
            let mut whole = FIRST;
            for attempt in 2..40 {
                let wait = backoff.wait(attempt, None);
                assert!(wait >= whole / 2 && wait <= whole, "seed {seed}, attempt {attempt}: {wait:?} of {whole:?}");
                whole = (whole * 2).min(LONGEST);
            }
            assert!(backoff.wait(u32::MAX, None) <= LONGEST);
        }
    }

    #[test]
    fn what_the_server_says_wins_within_the_longest_wait() {
        let backoff = Backoff::new(FIRST, LONGEST, 1);
        assert_eq!(backoff.wait(2, Some(Duration::from_secs(7))), Duration::from_secs(7));
        assert_eq!(backoff.wait(9, Some(Duration::ZERO)), Duration::ZERO);
        assert_eq!(backoff.wait(2, Some(Duration::from_secs(3600))), LONGEST);
    }

    #[test]
    fn jitter_keeps_streams_apart_and_repeats_with_its_seed() {
        let waits: std::collections::BTreeSet<Duration> = (0..100).map(|seed| Backoff::new(FIRST, LONGEST, seed).wait(2, None)).collect();
        assert!(waits.len() > 95, "{} different waits", waits.len());
        assert_eq!(Backoff::new(FIRST, LONGEST, 5).wait(4, None), Backoff::new(FIRST, LONGEST, 5).wait(4, None));
    }
}
