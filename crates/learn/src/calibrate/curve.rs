//! Logistic curves with few parameters, by Newton's method.

use crate::metrics::sigmoid;

/// Platt's targets: not 0 and 1 but what as many rows allow to claim, so that a curve stays finite where the classes separate.
pub(super) struct Smoothed {
    targets: Vec<f64>,
    rate: f64,
}

impl Smoothed {
    pub(super) fn of(events: &[bool]) -> Self {
        let positives = events.iter().filter(|e| **e).count() as f64;
        let negatives = events.len() as f64 - positives;
        let (high, low) = ((positives + 1.0) / (positives + 2.0), 1.0 / (negatives + 2.0));
        Self {
            targets: events.iter().map(|e| if *e { high } else { low }).collect(),
            rate: (positives + 1.0) / (events.len() as f64 + 2.0),
        }
    }

    /// The curve that knows the base rate only.
    pub(super) fn intercept(&self) -> f64 {
        (self.rate / (1.0 - self.rate)).ln()
    }
}

/// Minimises the log loss of `sigmoid(intercept + Σ slopeₖ · inputₖ)`; gives the intercept and the slopes.
pub(super) fn fit_curve<const K: usize>(inputs: &[[f64; K]], targets: &Smoothed) -> (f64, [f64; K]) {
    let margin = |theta: &[f64], x: &[f64; K]| theta[0] + x.iter().zip(&theta[1..]).map(|(x, t)| x * t).sum::<f64>();
    let loss = |theta: &[f64]| -> f64 {
        let each = |(x, target): (&[f64; K], &f64)| {
            let z = margin(theta, x);
            // ln(1 + exp(z)) − target · z, without overflow
            z.max(0.0) + (-z.abs()).exp().ln_1p() - target * z
        };
        inputs.iter().zip(&targets.targets).map(each).sum()
    };
    let mut theta = vec![0.0; K + 1];
    theta[0] = targets.intercept();
    let mut current = loss(&theta);
    for _ in 0..100 {
        let mut gradient = vec![0.0; K + 1];
        let mut hessian = vec![vec![0.0; K + 1]; K + 1];
        for (at, row) in hessian.iter_mut().enumerate() {
            row[at] = 1e-9;
        }
        for (x, target) in inputs.iter().zip(&targets.targets) {
            let p = sigmoid(margin(&theta, x));
            let of = |k: usize| if k == 0 { 1.0 } else { x[k - 1] };
            for i in 0..=K {
                gradient[i] += (target - p) * of(i);
                for (j, sum) in hessian[i].iter_mut().enumerate() {
                    *sum += p * (1.0 - p) * of(i) * of(j);
                }
            }
        }
        let Some(step) = solve(hessian, gradient) else { break };
        let mut length = 1.0;
        let (next, loss_there) = loop {
            let next: Vec<f64> = theta.iter().zip(&step).map(|(t, s)| t + length * s).collect();
            let there = loss(&next);
            if there <= current || length < 1e-6 {
                break (next, there);
            }
            length /= 2.0;
        };
        let gain = current - loss_there;
        if gain < 0.0 {
            break;
        }
        (theta, current) = (next, loss_there);
        if gain < 1e-12 * (1.0 + current.abs()) {
            break;
        }
    }
    (theta[0], std::array::from_fn(|k| theta[k + 1]))
}

/// Solves a small symmetric positive definite system by Gaussian elimination; `None` if it is singular.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let n = right.len();
    for i in 0..n {
        if matrix[i][i] <= 0.0 {
            return None;
        }
        for j in i + 1..n {
            let factor = matrix[j][i] / matrix[i][i];
            let (above, below) = matrix.split_at_mut(j);
            for (cell, pivot) in below[0].iter_mut().zip(&above[i]).skip(i) {
                *cell -= factor * pivot;
            }
            right[j] -= factor * right[i];
        }
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|k| matrix[i][k] * right[k]).sum();
        right[i] = (right[i] - known) / matrix[i][i];
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_an_unpenalised_logistic_regression_of_scikit_learn() {
        // scikit-learn 1.9: LogisticRegression(C=inf, solver="newton-cholesky"), on hard targets.
        let margins: Vec<f64> = (0..400).map(|i| f64::from(i % 80) / 20.0 - 2.0).collect();
        let chance = |m: f64| sigmoid(1.5 * m - 1.0 - 0.5 * m.abs());
        let hard: Vec<f64> =
            margins.iter().enumerate().map(|(i, m)| if ((i * 7919) % 401) as f64 / 401.0 < chance(*m) { 1.0 } else { 0.0 }).collect();
        let targets = Smoothed { rate: hard.iter().sum::<f64>() / 400.0, targets: hard };
        let one: Vec<[f64; 1]> = margins.iter().map(|m| [*m]).collect();
        let (intercept, [slope]) = fit_curve(&one, &targets);
        assert!((slope - 1.250_601_747_265_594_6).abs() < 1e-6 && (intercept + 1.273_948_827_539_544_5).abs() < 1e-6);
        let two: Vec<[f64; 2]> = margins.iter().map(|m| super::super::tails(*m)).collect();
        let (intercept, [a, b]) = fit_curve(&two, &targets);
        assert!((a - 2.055_017_253_140_315).abs() < 1e-5 && (b - 0.653_452_395_257_329_7).abs() < 1e-5, "{a} {b}");
        assert!((intercept + 0.179_551_841_101_511).abs() < 1e-5, "{intercept}");
    }
}
