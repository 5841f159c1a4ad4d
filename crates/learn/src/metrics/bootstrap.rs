//! Confidence intervals by a bootstrap over accounts.
//!
//! An account appears at many dates, and its rows are alike: drawing rows would make intervals too narrow, so whole
//! accounts are drawn. Each sample has its own random stream, so the result does not depend on the number of threads.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;

use crate::metrics::{logit, sigmoid};

/// An estimate with its confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The estimate on the whole sample.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// What the bootstrap says about a test slice.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Uncertainty {
    /// Area under the ROC curve.
    pub auc: Interval,
    /// Observed events divided by expected ones: 1 when probabilities are right on the whole.
    pub calibration_ratio: Interval,
    /// Slope of a logistic recalibration: 1 when probabilities spread as they should, less when they are too extreme. Its
    /// interval comes from the account-clustered sandwich variance: refitting it in every sample would cost more and say the same.
    pub calibration_slope: Interval,
}

/// How to draw.
#[derive(Debug, Clone, Copy)]
pub struct Draws {
    /// Number of samples.
    pub samples: u32,
    /// Confidence, such as 0.95.
    pub confidence: f64,
    /// Seed.
    pub seed: u64,
}

/// Intervals of a test slice's figures. `accounts` holds each row's account as an index. `None` unless both classes occur.
pub fn uncertainty(margins: &[f64], probabilities: &[f64], events: &[bool], accounts: &[u32], draws: Draws) -> Option<Uncertainty> {
    let mut order: Vec<usize> = (0..margins.len()).collect();
    order.sort_by(|a, b| margins[*b].total_cmp(&margins[*a]));
    // Dense account indices of this slice alone.
    let mut distinct: Vec<u32> = accounts.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let index = |account: u32| distinct.binary_search(&account).unwrap_or(0);
    let rows: Vec<Row> = order
        .iter()
        .map(|&at| Row {
            account: index(accounts[at]),
            margin: margins[at],
            probability: probabilities[at],
            logit: logit(probabilities[at]),
            event: events[at],
        })
        .collect();
    let whole = figures(&rows, &vec![1.0; distinct.len()])?;
    let mut samples: Vec<[f64; 2]> = (0..u64::from(draws.samples))
        .into_par_iter()
        .filter_map(|sample| {
            let mut rng = ChaCha8Rng::seed_from_u64(draws.seed);
            rng.set_stream(sample + 1);
            let mut weights = vec![0.0; distinct.len()];
            for _ in 0..distinct.len() {
                weights[rng.random_range(0..distinct.len())] += 1.0;
            }
            figures(&rows, &weights)
        })
        .collect();
    let mut interval = |which: usize| {
        samples.sort_by(|a, b| a[which].total_cmp(&b[which]));
        let tail = (1.0 - draws.confidence) / 2.0;
        let pick = |share: f64| {
            let at = (share * (samples.len().saturating_sub(1)) as f64).round() as usize;
            samples.get(at).map_or(whole[which], |s| s[which])
        };
        Interval { value: whole[which], low: pick(tail), high: pick(1.0 - tail) }
    };
    Some(Uncertainty {
        auc: interval(0),
        calibration_ratio: interval(1),
        calibration_slope: slope(&rows, distinct.len(), draws.confidence),
    })
}

struct Row {
    account: usize,
    margin: f64,
    probability: f64,
    logit: f64,
    event: bool,
}

/// AUC and calibration ratio of rows in falling order of margin, weighted by account.
fn figures(rows: &[Row], weights: &[f64]) -> Option<[f64; 2]> {
    let (mut positives, mut negatives, mut wins, mut expected) = (0.0, 0.0, 0.0, 0.0);
    for group in rows.chunk_by(|a, b| a.margin == b.margin) {
        let (mut hits, mut misses) = (0.0, 0.0);
        for row in group {
            let weight = weights[row.account];
            if row.event {
                hits += weight;
            } else {
                misses += weight;
            }
            expected += weight * row.probability;
        }
        wins += misses * (positives + hits / 2.0);
        positives += hits;
        negatives += misses;
    }
    if positives == 0.0 || negatives == 0.0 || expected <= 0.0 {
        return None;
    }
    Some([wins / (positives * negatives), positives / expected])
}

/// The slope `b` of `logit P(event) = a + b · logit(probability)`, by Newton's method.
fn slope(rows: &[Row], accounts: usize, confidence: f64) -> Interval {
    let (mut a, mut b) = (0.0, 1.0);
    let mut inverse = [0.0; 3];
    for _ in 0..50 {
        let (mut ga, mut gb, mut haa, mut hab, mut hbb) = (0.0, 0.0, 1e-9, 0.0, 1e-9);
        for row in rows {
            let p = sigmoid(a + b * row.logit);
            let residual = if row.event { 1.0 } else { 0.0 } - p;
            let curvature = p * (1.0 - p);
            ga += residual;
            gb += residual * row.logit;
            haa += curvature;
            hab += curvature * row.logit;
            hbb += curvature * row.logit * row.logit;
        }
        let determinant = haa * hbb - hab * hab;
        if determinant <= 0.0 {
            break;
        }
        inverse = [hbb / determinant, -hab / determinant, haa / determinant];
        let (da, db) = (inverse[0] * ga + inverse[1] * gb, inverse[1] * ga + inverse[2] * gb);
        // Short steps: far from the minimum the curvature promises too much.
        let length = (da * da + db * db).sqrt().max(1.0);
        a += da / length;
        b += db / length;
        if da.abs() + db.abs() < 1e-9 {
            break;
        }
    }
    // Each account's score for b, through the inverse Hessian: the spread of their sum is the spread of b.
    let mut influence = vec![0.0; accounts];
    for row in rows {
        let residual = if row.event { 1.0 } else { 0.0 } - sigmoid(a + b * row.logit);
        influence[row.account] += (inverse[1] + inverse[2] * row.logit) * residual;
    }
    let error = influence.iter().map(|x| x * x).sum::<f64>().sqrt();
    let z = normal_quantile(0.5 + confidence / 2.0);
    Interval { value: b, low: b - z * error, high: b + z * error }
}

/// The standard normal distribution's quantile for probabilities above one half (Abramowitz and Stegun 26.2.23, error below 5e-4).
fn normal_quantile(p: f64) -> f64 {
    let t = (-2.0 * (1.0 - p).ln()).sqrt();
    t - (2.515_517 + 0.802_853 * t + 0.010_328 * t * t) / (1.0 + 1.432_788 * t + 0.189_269 * t * t + 0.001_308 * t * t * t)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noisy(seed: u64, accounts: u32, signal: f64) -> (Vec<f64>, Vec<f64>, Vec<bool>, Vec<u32>) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut margins, mut p, mut events, mut ids) = (vec![], vec![], vec![], vec![]);
        for account in 0..accounts {
            let x: f64 = rng.random_range(-2.0..2.0);
            for _ in 0..4 {
                let chance = sigmoid(signal * x - 2.0);
                margins.push(x);
                p.push(chance);
                events.push(rng.random_range(0.0..1.0) < chance);
                ids.push(account);
            }
        }
        (margins, p, events, ids)
    }

    #[test]
    fn right_probabilities_have_ratio_and_slope_about_one() {
        let (m, p, e, a) = noisy(7, 800, 1.0);
        let draws = Draws { samples: 300, confidence: 0.95, seed: 1 };
        let u = uncertainty(&m, &p, &e, &a, draws).unwrap();
        assert!(u.auc.low > 0.6 && u.auc.low < u.auc.value && u.auc.value < u.auc.high);
        assert!(u.calibration_ratio.low < 1.0 && u.calibration_ratio.high > 1.0, "{u:?}");
        assert!(u.calibration_slope.low < 1.0 && u.calibration_slope.high > 1.0, "{u:?}");
        assert_eq!(u, uncertainty(&m, &p, &e, &a, draws).unwrap());
    }

    #[test]
    fn an_interval_without_signal_reaches_one_half() {
        let mut outside = 0;
        for seed in 0..40 {
            let (m, p, e, a) = noisy(seed, 200, 0.0);
            let u = uncertainty(&m, &p, &e, &a, Draws { samples: 200, confidence: 0.95, seed }).unwrap();
            outside += usize::from(u.auc.low > 0.5);
        }
        assert!(outside <= 4, "{outside} of 40");
    }
}
