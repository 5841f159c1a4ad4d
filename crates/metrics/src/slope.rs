//! The slope of a logistic recalibration.

use crate::bootstrap::Interval;
use crate::{logit, sigmoid};

/// The slope `b` of `logit P(event) = a + b · logit(probability)`, by Newton's method, with an interval from the
/// account-clustered sandwich variance. `accounts` holds each row's account as an index below `count`.
pub fn calibration_slope(probabilities: &[f64], events: &[bool], accounts: &[u32], count: usize, confidence: f64) -> Interval {
    let rows: Vec<(f64, f64)> = probabilities.iter().zip(events).map(|(p, e)| (logit(*p), if *e { 1.0 } else { 0.0 })).collect();
    let (mut a, mut b) = (0.0, 1.0);
    let mut inverse = [0.0; 3];
    for _ in 0..50 {
        let (mut ga, mut gb, mut haa, mut hab, mut hbb) = (0.0, 0.0, 1e-9, 0.0, 1e-9);
        for (x, event) in &rows {
            let p = sigmoid(a + b * x);
            let (residual, curvature) = (event - p, p * (1.0 - p));
            ga += residual;
            gb += residual * x;
            haa += curvature;
            hab += curvature * x;
            hbb += curvature * x * x;
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
    let mut influence = vec![0.0; count];
    for ((x, event), account) in rows.iter().zip(accounts) {
        influence[*account as usize] += (inverse[1] + inverse[2] * x) * (event - sigmoid(a + b * x));
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

    #[test]
    fn probabilities_that_are_too_extreme_have_a_slope_below_one() {
        let margins: Vec<f64> = (0..4000).map(|i| (i % 400) as f64 / 100.0 - 2.0).collect();
        let events: Vec<bool> = margins.iter().enumerate().map(|(i, m)| ((i * 7919) % 4001) as f64 / 4001.0 < sigmoid(*m)).collect();
        let accounts: Vec<u32> = (0..4000).map(|i| i / 4).collect();
        let of = |stretch: f64| {
            let p: Vec<f64> = margins.iter().map(|m| sigmoid(stretch * m)).collect();
            calibration_slope(&p, &events, &accounts, 1000, 0.95)
        };
        let (right, extreme) = (of(1.0), of(2.0));
        assert!(right.low < 1.0 && right.high > 1.0, "{right:?}");
        assert!((extreme.value - right.value / 2.0).abs() < 1e-6 && extreme.high < 1.0, "{extreme:?}");
    }
}
