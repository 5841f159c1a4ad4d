//! What a classifier's ranking and probabilities are worth.
//!
//! Ties are handled everywhere as if their order were random, so no figure depends on the order of the rows.

use serde::Serialize;

/// Row indices by falling score; rows without order between them stay in the order given.
pub(crate) fn falling(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    order
}

/// Runs of equal scores in falling order, as (rows, events).
fn tied_groups(scores: &[f64], events: &[bool]) -> Vec<(f64, f64)> {
    let mut groups: Vec<(f64, f64)> = Vec::new();
    let mut last = f64::NAN;
    for at in falling(scores) {
        let event = if events[at] { 1.0 } else { 0.0 };
        match groups.last_mut() {
            Some((rows, hits)) if scores[at] == last => {
                *rows += 1.0;
                *hits += event;
            }
            _ => groups.push((1.0, event)),
        }
        last = scores[at];
    }
    groups
}

/// Area under the ROC curve; `None` unless both classes occur.
pub fn auc(scores: &[f64], events: &[bool]) -> Option<f64> {
    let (mut positives, mut negatives, mut wins) = (0.0, 0.0, 0.0);
    for (rows, hits) in tied_groups(scores, events) {
        let misses = rows - hits;
        // Each negative here loses to all positives seen before, and draws with those of its own group.
        wins += misses * (positives + hits / 2.0);
        positives += hits;
        negatives += misses;
    }
    (positives > 0.0 && negatives > 0.0).then(|| wins / (positives * negatives))
}

/// Average precision: the mean precision at each event, steps as in scikit-learn.
pub fn average_precision(scores: &[f64], events: &[bool]) -> Option<f64> {
    let total = events.iter().filter(|e| **e).count() as f64;
    if total == 0.0 {
        return None;
    }
    let (mut rows_seen, mut hits_seen, mut sum) = (0.0, 0.0, 0.0);
    for (rows, hits) in tied_groups(scores, events) {
        rows_seen += rows;
        hits_seen += hits;
        sum += hits / total * (hits_seen / rows_seen);
    }
    Some(sum)
}

/// Mean negative log likelihood of probabilities.
pub fn log_loss(probabilities: &[f64], events: &[bool]) -> f64 {
    let loss = |(p, e): (&f64, &bool)| {
        let p = p.clamp(1e-12, 1.0 - 1e-12);
        if *e { -p.ln() } else { -(1.0 - p).ln() }
    };
    probabilities.iter().zip(events).map(loss).sum::<f64>() / events.len().max(1) as f64
}

/// Mean squared error of probabilities.
pub fn brier(probabilities: &[f64], events: &[bool]) -> f64 {
    let square = |(p, e): (&f64, &bool)| (p - if *e { 1.0 } else { 0.0 }).powi(2);
    probabilities.iter().zip(events).map(square).sum::<f64>() / events.len().max(1) as f64
}

/// Share of the events among the `share` of the rows with the highest scores.
pub fn captured(scores: &[f64], events: &[bool], share: f64) -> Option<f64> {
    let total = events.iter().filter(|e| **e).count() as f64;
    if total == 0.0 {
        return None;
    }
    let mut room = share * events.len() as f64;
    let mut found = 0.0;
    for (rows, hits) in tied_groups(scores, events) {
        let taken = rows.min(room);
        found += hits * taken / rows;
        room -= taken;
        if room <= 0.0 {
            break;
        }
    }
    Some(found / total)
}

/// How many times more events than on average are among the `share` of the rows with the highest scores.
pub fn lift(scores: &[f64], events: &[bool], share: f64) -> Option<f64> {
    captured(scores, events, share).map(|c| c / share)
}

/// A bin of rows with neighbouring probabilities.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bin {
    /// Mean probability.
    pub predicted: f64,
    /// Share of events.
    pub observed: f64,
    /// Lower end of the share's 95% interval.
    pub low: f64,
    /// Upper end of it.
    pub high: f64,
    /// Number of rows.
    pub rows: usize,
    /// Number of events.
    pub events: usize,
}

/// How many bins the calibration of rows with these events is shown in: ten, or fewer so that each can expect five events.
///
/// With few events more bins would measure noise: a bin of 50 rows at 3% has an error of 2.4 points from chance alone.
pub(crate) fn bin_count(events: &[bool]) -> usize {
    let total = events.iter().filter(|e| **e).count();
    (total / 5).clamp(1, 10).min(events.len().max(1))
}

/// Bins of equal size by probability. Each share has a Wilson interval for as many rows as the bin's are worth: an account's
/// rows are alike, so their number is divided by the design effect (Kish 1965), the variance between accounts over that of
/// independent rows. `accounts` holds each row's account.
pub fn calibration_bins(probabilities: &[f64], events: &[bool], accounts: &[u32]) -> Vec<Bin> {
    let count = bin_count(events);
    let order = falling(probabilities);
    let mut bins = Vec::with_capacity(count);
    for b in 0..count {
        let slice = &order[b * order.len() / count..(b + 1) * order.len() / count];
        if slice.is_empty() {
            continue;
        }
        let rows = slice.len();
        let hits = slice.iter().filter(|at| events[**at]).count();
        let observed = hits as f64 / rows as f64;
        let mut residuals: Vec<(u32, f64)> =
            slice.iter().map(|at| (accounts[*at], if events[*at] { 1.0 } else { 0.0 } - observed)).collect();
        residuals.sort_by_key(|(account, _)| *account);
        let between: f64 = residuals.chunk_by(|a, b| a.0 == b.0).map(|run| run.iter().map(|r| r.1).sum::<f64>().powi(2)).sum();
        let independent = rows as f64 * observed * (1.0 - observed);
        let effect = if independent > 0.0 { (between / independent).max(1.0) } else { 1.0 };
        let (low, high) = wilson(observed, rows as f64 / effect);
        let predicted = slice.iter().map(|at| probabilities[*at]).sum::<f64>() / rows as f64;
        bins.push(Bin { predicted, observed, low, high, rows, events: hits });
    }
    bins.reverse();
    bins
}

/// Expected calibration error: the mean distance of predicted and observed over the bins, weighted by rows.
pub fn calibration_error(bins: &[Bin]) -> f64 {
    let rows: usize = bins.iter().map(|b| b.rows).sum();
    bins.iter().map(|b| b.rows as f64 * (b.predicted - b.observed).abs()).sum::<f64>() / rows.max(1) as f64
}

/// Wilson's 95% interval of a share `p` of `n` independent rows.
fn wilson(p: f64, n: f64) -> (f64, f64) {
    let z = 1.959_963_984_540_054;
    let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

/// The logistic function.
pub fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

/// The inverse of [`sigmoid`], kept finite.
pub fn logit(p: f64) -> f64 {
    let p = p.clamp(1e-9, 1.0 - 1e-9);
    (p / (1.0 - p)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Values from scikit-learn 1.9: roc_auc_score, average_precision_score, log_loss, brier_score_loss.
    const SCORES: [f64; 8] = [0.9, 0.8, 0.8, 0.6, 0.4, 0.4, 0.2, 0.1];
    const EVENTS: [bool; 8] = [true, false, true, true, false, true, false, false];

    #[test]
    fn agrees_with_scikit_learn() {
        assert!((auc(&SCORES, &EVENTS).unwrap() - 0.812_5).abs() < 1e-12);
        assert!((average_precision(&SCORES, &EVENTS).unwrap() - 0.770_833_333_333_333_3).abs() < 1e-12);
        assert!((log_loss(&SCORES, &EVENTS) - 0.525_548_503_223).abs() < 1e-9);
        assert!((brier(&SCORES, &EVENTS) - 0.177_5).abs() < 1e-12);
    }

    #[test]
    fn ties_count_by_share_whatever_their_order() {
        let mut scores = SCORES.to_vec();
        let mut events = EVENTS.to_vec();
        // The top 25% are one row of 0.9 and half of the pair at 0.8, which holds one event.
        assert!((captured(&scores, &events, 0.25).unwrap() - 1.5 / 4.0).abs() < 1e-12);
        scores.reverse();
        events.reverse();
        assert!((captured(&scores, &events, 0.25).unwrap() - 1.5 / 4.0).abs() < 1e-12);
        assert!((auc(&scores, &events).unwrap() - 0.812_5).abs() < 1e-12);
    }

    #[test]
    fn one_class_has_no_auc() {
        assert_eq!(auc(&[0.1, 0.2], &[false, false]), None);
        assert_eq!(average_precision(&[0.1], &[false]), None);
        assert_eq!(auc(&[], &[]), None);
    }

    #[test]
    fn few_events_make_few_bins() {
        let p: Vec<f64> = (0..1000).map(|i| i as f64 / 1000.0).collect();
        let few: Vec<bool> = (0..1000).map(|i| i % 60 == 0).collect();
        let accounts: Vec<u32> = (0..1000).collect();
        assert_eq!(calibration_bins(&p, &few, &accounts).len(), 3);
        let exact: Vec<bool> = (0..1000).map(|i| (i * 7919) % 1000 < i).collect();
        let bins = calibration_bins(&p, &exact, &accounts);
        assert_eq!(bins.len(), 10);
        assert!(calibration_error(&bins) < 0.05);
        assert!(bins.windows(2).all(|w| w[0].predicted < w[1].predicted));
    }

    #[test]
    fn rows_of_the_same_accounts_make_wider_bins() {
        let p = vec![0.3; 400];
        let events: Vec<bool> = (0..400).map(|i| (i / 8) % 10 < 3).collect();
        let alone: Vec<u32> = (0..400).collect();
        let together: Vec<u32> = (0..400).map(|i| i / 8).collect();
        let width = |accounts: &[u32]| calibration_bins(&p, &events, accounts).iter().map(|b| b.high - b.low).sum::<f64>();
        // Eight rows that always agree are worth one.
        assert!(width(&together) > 1.5 * width(&alone), "{} {}", width(&together), width(&alone));
    }
}
