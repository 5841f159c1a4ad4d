//! Minimising the penalised log loss, in `f64`: Newton's method for a ridge, proximal Newton for an elastic net.
//!
//! Both take the same gradient and Hessian. A ridge's step is the solution of a linear system. With an L1 part the step is the minimum
//! of the quadratic model plus the absolute values, found by cyclic coordinate descent (Friedman, Hastie and Tibshirani 2010; Lee, Sun
//! and Saunders 2014 for the line search). Sums are formed in chunks of a fixed size, so results don't depend on the number of threads.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::metrics::sigmoid;

/// Rows whose sums are formed together. Fixed, so that the sums are the same for any number of threads.
const CHUNK: usize = 2048;

/// An elastic net: `strength · (l1_ratio · Σ|c| + (1 − l1_ratio)/2 · Σc²)`, added to the summed log loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Penalty {
    /// How strong it is: what scikit-learn calls `1/C`.
    pub strength: f64,
    /// Which share of it is L1.
    pub l1_ratio: f64,
}

impl Penalty {
    fn l1(self) -> f64 {
        self.strength * self.l1_ratio
    }

    fn l2(self) -> f64 {
        self.strength * (1.0 - self.l1_ratio)
    }

    fn of(self, coefficients: &[f64]) -> f64 {
        self.l1() * absolute(coefficients) + self.l2() / 2.0 * coefficients.iter().map(|c| c * c).sum::<f64>()
    }
}

fn absolute(coefficients: &[f64]) -> f64 {
    coefficients.iter().map(|c| c.abs()).sum()
}

/// Minimises the summed log loss plus the penalty; the intercept is not penalised. Returns intercept and coefficients.
pub(super) fn minimise(
    design: &[f64],
    inputs: usize,
    events: &[bool],
    penalty: Penalty,
    start: Option<(f64, Vec<f64>)>,
) -> Result<(f64, Vec<f64>)> {
    let n = events.len() as f64;
    let rate = (events.iter().filter(|e| **e).count() as f64 / n).clamp(1e-6, 1.0 - 1e-6);
    // The intercept is parameter 0.
    let mut theta = vec![0.0; inputs + 1];
    theta[0] = (rate / (1.0 - rate)).ln();
    if let Some((intercept, coefficients)) = start {
        theta[0] = intercept;
        theta[1..].copy_from_slice(&coefficients);
    }
    let mut current = objective(design, inputs, events, penalty, &theta);
    for _ in 0..100 {
        let (gradient, hessian) = derivatives(design, inputs, events, penalty.l2(), &theta);
        let direction = if penalty.l1() == 0.0 {
            solve(hessian, gradient.iter().map(|g| -g).collect(), inputs + 1).ok_or(Error::NotConverging)?
        } else {
            descend(hessian, &gradient, penalty.l1(), &theta)
        };
        let at = |step: f64| -> Vec<f64> { theta.iter().zip(&direction).map(|(t, d)| t + step * d).collect() };
        let slope: f64 = gradient.iter().zip(&direction).map(|(g, d)| g * d).sum();
        // What the quadratic model promises, without its curvature: at least as much again as it keeps.
        let promise = -slope - penalty.l1() * (absolute(&at(1.0)[1..]) - absolute(&theta[1..]));
        let done = promise < 1e-10 * n.max(1.0);
        let mut step = 1.0;
        loop {
            let next = at(step);
            let value = objective(design, inputs, events, penalty, &next);
            if value <= current {
                theta = next;
                current = value;
                break;
            }
            step /= 2.0;
            if step < 1e-8 {
                // No step makes it better: this is the minimum as far as the arithmetic can tell.
                return Ok((theta[0], theta[1..].to_vec()));
            }
        }
        if done {
            // The last step was taken as well: near the minimum it squares the error.
            return Ok((theta[0], theta[1..].to_vec()));
        }
    }
    Err(Error::NotConverging)
}

/// The step that minimises `g·d + ½ d·H·d + l1·Σ|θ + d|` (the intercept's absolute value does not count).
fn descend(mut hessian: Vec<f64>, gradient: &[f64], l1: f64, theta: &[f64]) -> Vec<f64> {
    let size = theta.len();
    for i in 0..size {
        for j in 0..i {
            hessian[j * size + i] = hessian[i * size + j];
        }
    }
    let mut direction = vec![0.0; size];
    // H·d, kept up to date.
    let mut curved = vec![0.0; size];
    for _ in 0..10_000 {
        let mut largest: f64 = 0.0;
        for j in 0..size {
            let curvature = hessian[j * size + j];
            if curvature <= 0.0 {
                continue;
            }
            let here = theta[j] + direction[j];
            let wish = here - (gradient[j] + curved[j]) / curvature;
            let next = if j == 0 { wish } else { wish.signum() * (wish.abs() - l1 / curvature).max(0.0) };
            let change = next - here;
            if change != 0.0 {
                // From θ, not by adding up: a coefficient that should be zero is zero then.
                direction[j] = next - theta[j];
                for (c, h) in curved.iter_mut().zip(&hessian[j * size..(j + 1) * size]) {
                    *c += h * change;
                }
                largest = largest.max(change * change * curvature);
            }
        }
        if largest < 1e-20 {
            break;
        }
    }
    direction
}

fn margin(row: &[f64], theta: &[f64]) -> f64 {
    theta[0] + row.iter().zip(&theta[1..]).map(|(x, t)| x * t).sum::<f64>()
}

fn objective(design: &[f64], inputs: usize, events: &[bool], penalty: Penalty, theta: &[f64]) -> f64 {
    let losses: Vec<f64> = events
        .par_chunks(CHUNK)
        .enumerate()
        .map(|(chunk, events)| {
            let each = |(at, event): (usize, &bool)| {
                let row = (chunk * CHUNK + at) * inputs;
                let z = margin(&design[row..row + inputs], theta);
                z.max(0.0) + (-z.abs()).exp().ln_1p() - if *event { z } else { 0.0 }
            };
            events.iter().enumerate().map(each).sum::<f64>()
        })
        .collect();
    losses.iter().sum::<f64>() + penalty.of(&theta[1..])
}

/// Gradient and Hessian (lower triangle, row-major) of the loss and the ridge.
pub(super) fn derivatives(design: &[f64], inputs: usize, events: &[bool], l2: f64, theta: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let size = inputs + 1;
    let partial: Vec<(Vec<f64>, Vec<f64>)> = events
        .par_chunks(CHUNK)
        .enumerate()
        .map(|(chunk, events)| {
            let (mut gradient, mut hessian) = (vec![0.0; size], vec![0.0; size * size]);
            for (at, event) in events.iter().enumerate() {
                let row = (chunk * CHUNK + at) * inputs;
                let row = &design[row..row + inputs];
                let p = sigmoid(margin(row, theta));
                let residual = p - if *event { 1.0 } else { 0.0 };
                let curvature = p * (1.0 - p);
                gradient[0] += residual;
                hessian[0] += curvature;
                for i in 0..inputs {
                    gradient[i + 1] += residual * row[i];
                    let weighted = curvature * row[i];
                    let line = &mut hessian[(i + 1) * size..(i + 1) * size + i + 2];
                    line[0] += weighted;
                    for (h, x) in line[1..].iter_mut().zip(row) {
                        *h += weighted * x;
                    }
                }
            }
            (gradient, hessian)
        })
        .collect();
    let (mut gradient, mut hessian) = (vec![0.0; size], vec![0.0; size * size]);
    for (g, h) in partial {
        gradient.iter_mut().zip(g).for_each(|(sum, x)| *sum += x);
        hessian.iter_mut().zip(h).for_each(|(sum, x)| *sum += x);
    }
    // A trace of curvature for the intercept keeps the matrix invertible when every probability is extreme.
    hessian[0] += 1e-9;
    for i in 1..size {
        gradient[i] += l2 * theta[i];
        hessian[i * size + i] += l2;
    }
    (gradient, hessian)
}

/// Solves a symmetric positive definite system by Cholesky; `matrix` holds the lower triangle.
fn solve(mut matrix: Vec<f64>, mut b: Vec<f64>, n: usize) -> Option<Vec<f64>> {
    for j in 0..n {
        for i in j..n {
            let dot: f64 = (0..j).map(|k| matrix[i * n + k] * matrix[j * n + k]).sum();
            let value = matrix[i * n + j] - dot;
            if i == j {
                if value <= 0.0 || !value.is_finite() {
                    return None;
                }
                matrix[j * n + j] = value.sqrt();
            } else {
                matrix[i * n + j] = value / matrix[j * n + j];
            }
        }
    }
    for i in 0..n {
        let dot: f64 = (0..i).map(|k| matrix[i * n + k] * b[k]).sum();
        b[i] = (b[i] - dot) / matrix[i * n + i];
    }
    for i in (0..n).rev() {
        let dot: f64 = (i + 1..n).map(|k| matrix[k * n + i] * b[k]).sum();
        b[i] = (b[i] - dot) / matrix[i * n + i];
    }
    Some(b)
}
