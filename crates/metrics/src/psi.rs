//! The population stability index: how far a distribution has moved.

/// Bins of equal size of the earlier values.
const BINS: usize = 10;
/// Stands in for an empty bin's share, whose logarithm would be infinite.
const LEAST_SHARE: f64 = 1e-4;

/// The population stability index of later values against earlier ones: `Σ (q − p) ln(q / p)` over the earlier values'
/// deciles, with missing values (NaN) as a bin of their own. By custom up to 0.1 is little and above 0.25 much.
///
/// A value that many rows share has its bin to itself: bins are as many as differ.
pub fn psi(earlier: &[f64], later: &[f64]) -> f64 {
    if earlier.is_empty() || later.is_empty() {
        return 0.0;
    }
    let mut known: Vec<f64> = earlier.iter().copied().filter(|x| !x.is_nan()).collect();
    known.sort_by(f64::total_cmp);
    let mut upper: Vec<f64> = (1..BINS).filter_map(|k| known.get(k * known.len() / BINS).copied()).collect();
    upper.dedup();
    let shares = |values: &[f64]| -> Vec<f64> {
        // The last bin holds what is missing.
        let mut counts = vec![0.0; upper.len() + 2];
        for x in values {
            let bin = if x.is_nan() { upper.len() + 1 } else { upper.partition_point(|u| *u <= *x) };
            counts[bin] += 1.0;
        }
        counts.into_iter().map(|c: f64| (c / values.len() as f64).max(LEAST_SHARE)).collect()
    };
    shares(earlier).iter().zip(shares(later)).map(|(p, q)| (q - p) * (q / p).ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_population_has_none_and_a_moved_one_has_much() {
        let before: Vec<f64> = (0..1000).map(f64::from).collect();
        assert_eq!(psi(&before, &before), 0.0);
        let shifted: Vec<f64> = before.iter().map(|x| x + 300.0).collect();
        assert!(psi(&before, &shifted) > 0.25);
        let slightly: Vec<f64> = before.iter().map(|x| x + 20.0).collect();
        assert!(psi(&before, &slightly) < 0.1);
    }

    #[test]
    fn two_bins_by_hand() {
        // Half zeros and half ones against a quarter and three quarters.
        let before: Vec<f64> = (0..100).map(|i| f64::from(i % 2)).collect();
        let after: Vec<f64> = (0..100).map(|i| if i % 4 == 0 { 0.0 } else { 1.0 }).collect();
        let by_hand = (0.25f64 - 0.5) * (0.25f64 / 0.5).ln() + (0.75f64 - 0.5) * (0.75f64 / 0.5).ln();
        assert!((psi(&before, &after) - by_hand).abs() < 1e-9, "{}", psi(&before, &after));
    }

    #[test]
    fn values_that_went_missing_are_a_shift() {
        let before: Vec<f64> = (0..100).map(f64::from).collect();
        let after: Vec<f64> = before.iter().map(|x| if *x < 50.0 { f64::NAN } else { *x }).collect();
        assert!(psi(&before, &after) > 0.25);
        assert_eq!(psi(&[], &before), 0.0);
    }
}
