//! The population stability index: how far a distribution has moved.

/// The standard normal's 99.9% quantile.
const Z: f64 = 3.09;

/// The population stability index of two counts of the same bins, `Σ (q − p) ln(q / p)` over their shares; none where a side has no rows.
/// By custom up to 0.1 is little and above 0.25 much.
///
/// Half a row is added to each bin, so that an empty one is no infinity; a bin that is empty on both sides does not count.
pub fn psi(then: &[u64], now: &[u64]) -> Option<f64> {
    let Counts { used, n, m } = Counts::of(then, now)?;
    let share = |count: f64, total: f64| (count + 0.5) / (total + 0.5 * used.len() as f64);
    Some(used.iter().map(|(t, a)| (share(*a, m) - share(*t, n)) * (share(*a, m) / share(*t, n)).ln()).sum())
}

/// The index that chance alone exceeds once in a thousand times; none where a side has no rows.
///
/// Where nothing has changed, the index is about χ² with (bins − 1) degrees of freedom times (1/n + 1/m) for n and m rows (Yurdakul 2018).
pub fn psi_by_chance(then: &[u64], now: &[u64]) -> Option<f64> {
    let Counts { used, n, m } = Counts::of(then, now)?;
    // Wilson and Hilferty's approximation of the quantile of χ².
    let freedom = (used.len() as f64 - 1.0).max(1.0);
    let spread = 2.0 / (9.0 * freedom);
    let quantile = freedom * (1.0 - spread + Z * spread.sqrt()).powi(3);
    Some(quantile * (1.0 / n + 1.0 / m))
}

/// The bins that are not empty on both sides, and the rows of each side.
struct Counts {
    used: Vec<(f64, f64)>,
    n: f64,
    m: f64,
}

impl Counts {
    fn of(then: &[u64], now: &[u64]) -> Option<Self> {
        let used: Vec<(f64, f64)> = then.iter().zip(now).filter(|(t, n)| **t + **n > 0).map(|(t, n)| (*t as f64, *n as f64)).collect();
        let (n, m) = used.iter().fold((0.0, 0.0), |(n, m), (t, a)| (n + t, m + a));
        (n > 0.0 && m > 0.0).then_some(Self { used, n, m })
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn the_index_is_that_of_the_textbook() {
        // Siddiqi's example in shares: 0.1·ln(2) for each of the two bins that moved.
        let found = psi(&[100_000, 200_000, 700_000], &[200_000, 100_000, 700_000]).unwrap();
        assert!((found - 0.2 * 2f64.ln()).abs() < 1e-4);
        assert_eq!(psi(&[5, 7, 0], &[5, 7, 0]), Some(0.0));
        assert_eq!((psi(&[0, 0], &[1, 2]), psi_by_chance(&[1, 2], &[0, 0])), (None, None));
    }

    #[test]
    fn an_empty_bin_is_no_infinity() {
        let found = psi(&[500, 500], &[1000, 0]).unwrap();
        assert!(found.is_finite() && found > 0.25, "{found}");
    }

    #[test]
    fn chance_rarely_exceeds_its_bound() {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        let mut counts = |rows: usize| {
            let mut bins = vec![0u64; 11];
            (0..rows).for_each(|_| bins[random.random_range(0..10)] += 1);
            bins
        };
        let beyond = (0..400).filter(|_| {
            let (then, now) = (counts(5000), counts(150));
            psi(&then, &now) > psi_by_chance(&then, &now)
        });
        assert!(beyond.count() <= 3);
    }
}
