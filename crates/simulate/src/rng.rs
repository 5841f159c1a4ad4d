//! Random numbers by name: a stream is a seed plus the words that say what it is for.
//!
//! A generator handed from one draw to the next would make the result depend on the order of the work. Here account 17's
//! usage of day 200 has a stream of its own, so any thread can draw it at any time, twice if need be, and get the same.

use rand::RngCore;
use rand_distr::{Distribution, Poisson, StandardNormal};

/// What a stream of random numbers is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// What an account is from the start: size, plan, keys.
    Account = 1,
    /// How it goes on: health, churn, seats, touches, tickets.
    Life = 2,
    /// Usage events of one day.
    Usage = 3,
    /// Bad lines of one file.
    Corruption = 4,
    /// Small details of one record.
    Detail = 5,
    /// Ids.
    Id = 6,
}

/// A stream of random numbers (SplitMix64: one addition and one mixing step a draw, and nothing to set up).
#[derive(Debug, Clone)]
pub struct Rng {
    state: u64,
}

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Rng {
    /// The stream of `purpose` for the thing that two numbers name (an account and a day, say).
    #[must_use]
    pub fn new(seed: u64, purpose: Purpose, a: u64, b: u64) -> Self {
        let mut state = mix(seed.wrapping_add(GOLDEN));
        for word in [purpose as u64, a, b] {
            state = mix(state.wrapping_add(GOLDEN) ^ word.wrapping_mul(GOLDEN));
        }
        Self { state }
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.uniform() < p
    }

    /// Uniform in `low..high` (`low` if the range is empty).
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        if high <= low {
            return low;
        }
        low + (self.uniform() * (high - low) as f64) as i64
    }

    /// Standard normal.
    pub fn normal(&mut self) -> f64 {
        StandardNormal.sample(self)
    }

    /// Poisson with this mean; 0 where the mean isn't positive.
    pub fn poisson(&mut self, mean: f64) -> u32 {
        if mean <= 0.0 {
            return 0;
        }
        // Small means, the usual case by far, need one or two draws and no tables.
        if mean < 12.0 {
            let limit = (-mean).exp();
            let mut product = self.uniform();
            let mut count = 0;
            while product > limit {
                product *= self.uniform();
                count += 1;
            }
            return count;
        }
        Poisson::new(mean).map_or(0, |p| p.sample(self) as u32)
    }

    /// One of `choices`, by weight.
    pub fn pick<'a, T>(&mut self, choices: &'a [(T, f64)]) -> &'a T {
        let total: f64 = choices.iter().map(|(_, w)| w).sum();
        let mut left = self.uniform() * total;
        for (value, weight) in choices {
            left -= weight;
            if left < 0.0 {
                return value;
            }
        }
        &choices[choices.len() - 1].0
    }
}

impl RngCore for Rng {
    fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        for chunk in dest.chunks_mut(8) {
            let bytes = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_gives_the_same_stream_and_another_name_another() {
        let draw = |seed, purpose, a, b| Rng::new(seed, purpose, a, b).next_u64();
        assert_eq!(draw(1, Purpose::Usage, 2, 3), draw(1, Purpose::Usage, 2, 3));
        let others =
            [draw(2, Purpose::Usage, 2, 3), draw(1, Purpose::Life, 2, 3), draw(1, Purpose::Usage, 3, 2), draw(1, Purpose::Usage, 2, 4)];
        assert!(others.iter().all(|o| *o != draw(1, Purpose::Usage, 2, 3)));
    }

    #[test]
    fn poisson_has_the_mean_it_is_asked_for() {
        for mean in [0.3, 4.0, 30.0] {
            let mut rng = Rng::new(7, Purpose::Detail, 0, 0);
            let n = 20_000;
            let total: u64 = (0..n).map(|_| u64::from(rng.poisson(mean))).sum();
            let seen = total as f64 / f64::from(n);
            assert!((seen - mean).abs() < 0.05 * mean + 0.02, "{seen} for {mean}");
        }
    }
}
