//! Rank correlation.

/// Spearman's rank correlation of two lists of the same length, equal values sharing their mean rank; `None` if one of the
/// lists has no order.
pub fn rank_correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let (a, b) = (ranks(a), ranks(b));
    let n = a.len() as f64;
    let middle = (n + 1.0) / 2.0;
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(&b) {
        ab += (x - middle) * (y - middle);
        aa += (x - middle).powi(2);
        bb += (y - middle).powi(2);
    }
    (aa > 0.0 && bb > 0.0).then(|| ab / (aa * bb).sqrt())
}

/// Ranks from 1.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|x, y| values[*x].total_cmp(&values[*y]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    for group in order.chunk_by(|x, y| values[*x] == values[*y]) {
        let rank = start as f64 + (group.len() as f64 + 1.0) / 2.0;
        group.iter().for_each(|at| ranks[*at] = rank);
        start += group.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_scipy() {
        // scipy.stats.spearmanr
        let (a, b) = ([0.3, 0.1, 0.1, 0.9, 0.0, 0.5], [1.0, 3.0, 2.0, 9.0, 0.0, 0.0]);
        assert!((rank_correlation(&a, &b).unwrap() - 0.352_941_176_470_588_3).abs() < 1e-12);
        assert_eq!(rank_correlation(&a, &a), Some(1.0));
        assert_eq!(rank_correlation(&a, &[1.0; 6]), None);
        assert_eq!(rank_correlation(&[], &[]), None);
    }
}
