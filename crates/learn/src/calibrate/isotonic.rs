//! Isotonic regression by pooling adjacent violators.

/// The middles of the steps of the best rising step function: margins and probabilities, both rising.
pub(super) fn fit(margins: &[f64], events: &[bool]) -> (Vec<f64>, Vec<f64>) {
    let mut order: Vec<usize> = (0..margins.len()).collect();
    order.sort_by(|a, b| margins[*a].total_cmp(&margins[*b]));
    // Blocks of (sum of margins, events, rows).
    let mut blocks: Vec<(f64, f64, f64)> = Vec::new();
    for at in order {
        blocks.push((margins[at], if events[at] { 1.0 } else { 0.0 }, 1.0));
        while let [.., before, last] = blocks.as_slice() {
            if before.1 / before.2 < last.1 / last.2 {
                break;
            }
            let merged = (before.0 + last.0, before.1 + last.1, before.2 + last.2);
            blocks.truncate(blocks.len() - 2);
            blocks.push(merged);
        }
    }
    let (n, positives) = (events.len() as f64, events.iter().filter(|e| **e).count() as f64);
    // Never certain: the outermost steps are pulled in to what the sample size allows.
    let (floor, ceiling) = (0.5 * (positives + 1.0) / (n + 2.0) / n.max(1.0).sqrt(), 1.0 - 0.5 / n.max(1.0));
    let middles = blocks.iter().map(|b| b.0 / b.2).collect();
    let probabilities = blocks.iter().map(|b| (b.1 / b.2).clamp(floor, ceiling.max(floor))).collect();
    (middles, probabilities)
}

/// The probability of a margin: on straight lines between the points, flat outside.
pub(super) fn probability(margins: &[f64], probabilities: &[f64], margin: f64) -> f64 {
    let above = margins.partition_point(|m| *m <= margin);
    match (above.checked_sub(1), margins.get(above)) {
        (None, _) => probabilities.first().copied().unwrap_or(0.5),
        (Some(below), None) => probabilities[below],
        (Some(below), Some(next)) => {
            let share = (margin - margins[below]) / (next - margins[below]);
            probabilities[below] + share * (probabilities[above] - probabilities[below])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_what_falls() {
        let (margins, probabilities) = fit(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[false, true, false, true, true, true]);
        // scikit-learn 1.9 IsotonicRegression: 0, ½, ½, 1, 1, 1; the ends are pulled in.
        assert_eq!(margins.len(), 6 - 1 - 2);
        assert!(probabilities[0] < 0.2 && probabilities[1] == 0.5 && probabilities[2] > 0.9, "{probabilities:?}");
        assert!((probability(&margins, &probabilities, 2.5) - 0.5).abs() < 1e-12);
        assert_eq!(probability(&margins, &probabilities, -9.0), probabilities[0]);
    }
}
