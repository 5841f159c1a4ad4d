//! Logistic regression with a ridge penalty, in `f64`, by Newton's method.
//!
//! Small data is where it wins, and small data has heavy tails and holes: each feature is pulled in at its outer quantiles,
//! taken logarithmically if its tail is heavy, filled with its median where it is missing (with an indicator beside it) and
//! standardised. Everything that this needs is learned from the training rows and saved with the model.

use cscopilot_shap::{Explanations, LinearModel};
use cscopilot_spec::LogisticRegression;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::data::dataset::Table;
use crate::error::{Error, Result};
use crate::metrics::sigmoid;

/// Skewness from which on a tail counts as heavy.
const HEAVY_TAIL: f64 = 1.0;
/// Rows whose sums are formed together. Fixed, so that the sums are the same for any number of threads.
const CHUNK: usize = 2048;

/// An input of the linear model, made from one feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// The feature's value, transformed.
    Value {
        /// Index of the feature.
        feature: usize,
        /// Stands in for a missing value.
        median: f64,
        /// Lower values are pulled in to this one.
        low: f64,
        /// Higher values are pulled in to this one.
        high: f64,
        /// Whether `sign(x) ln(1 + |x|)` is taken.
        log: bool,
        /// Subtracted.
        mean: f64,
        /// Divided by.
        deviation: f64,
    },
    /// Whether the feature is missing.
    Missing {
        /// Index of the feature.
        feature: usize,
        /// Subtracted.
        mean: f64,
        /// Divided by.
        deviation: f64,
    },
}

impl Input {
    /// Index of the feature it is made from.
    pub(crate) fn feature(&self) -> usize {
        match self {
            Self::Value { feature, .. } | Self::Missing { feature, .. } => *feature,
        }
    }

    fn of(&self, x: f64) -> f64 {
        match self {
            Self::Value { median, low, high, log, mean, deviation, .. } => {
                let x = if x.is_nan() { *median } else { x };
                let x = x.clamp(*low, *high);
                let x = if *log { signed_log(x) } else { x };
                (x - mean) / deviation
            }
            Self::Missing { mean, deviation, .. } => (if x.is_nan() { 1.0 } else { 0.0 } - mean) / deviation,
        }
    }
}

fn signed_log(x: f64) -> f64 {
    x.signum() * x.abs().ln_1p()
}

/// A fitted model: saved as `logistic.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogisticModel {
    /// Features in the order of the columns.
    pub features: Vec<String>,
    /// How the inputs are made.
    pub inputs: Vec<Input>,
    /// The penalty it was fitted with.
    pub l2: f64,
    /// The linear part.
    pub linear: LinearModel,
}

impl LogisticModel {
    /// The margins of rows.
    pub fn margins(&self, table: &Table, rows: &[usize]) -> Vec<f64> {
        let inputs = self.inputs.len();
        if inputs == 0 {
            return vec![self.linear.intercept; rows.len()];
        }
        design(&self.inputs, table, rows).par_chunks(inputs).map(|row| self.linear.margin(row)).collect()
    }

    /// What each feature adds to the margins of rows.
    pub fn explain(&self, table: &Table, rows: &[usize]) -> Result<Explanations> {
        let width = self.features.len();
        if self.inputs.is_empty() {
            return Ok(Explanations::new(self.linear.intercept, width, vec![0.0; rows.len() * width]));
        }
        let groups: Vec<usize> = self.inputs.iter().map(Input::feature).collect();
        self.linear.explain(&design(&self.inputs, table, rows), &groups, width).map_err(Error::Explanation)
    }
}

/// Standardised inputs of rows, row-major.
fn design(inputs: &[Input], table: &Table, rows: &[usize]) -> Vec<f64> {
    let mut out = Vec::with_capacity(rows.len() * inputs.len());
    for &row in rows {
        out.extend(inputs.iter().map(|input| input.of(table.columns[input.feature()][row])));
    }
    out
}

/// Training rows made ready once, to be fitted with several penalties.
pub struct Prepared {
    features: Vec<String>,
    inputs: Vec<Input>,
    design: Vec<f64>,
    events: Vec<bool>,
}

impl Prepared {
    /// Learns the inputs from the training rows.
    pub fn new(table: &Table, rows: &[usize], events: Vec<bool>, settings: &LogisticRegression) -> Self {
        let inputs: Vec<Input> = (0..table.columns.len())
            .into_par_iter()
            .flat_map_iter(|feature| inputs_of(feature, &table.columns[feature], rows, settings))
            .collect();
        let design = design(&inputs, table, rows);
        Self { features: table.features.clone(), inputs, design, events }
    }

    /// Fits with one penalty, from the coefficients of another fit if there is one.
    pub fn fit(&self, l2: f64, start: Option<&LogisticModel>) -> Result<LogisticModel> {
        let start = start.map(|m| (m.linear.intercept, m.linear.coefficients.clone()));
        let (intercept, coefficients) = newton(&self.design, self.inputs.len(), &self.events, l2, start)?;
        // Inputs are standardised on the training rows: their means are zero there.
        let means = vec![0.0; coefficients.len()];
        let linear = LinearModel { intercept, coefficients, means };
        Ok(LogisticModel { features: self.features.clone(), inputs: self.inputs.clone(), l2, linear })
    }
}

fn inputs_of(feature: usize, column: &[f64], rows: &[usize], settings: &LogisticRegression) -> Vec<Input> {
    let mut known: Vec<f64> = rows.iter().map(|r| column[*r]).filter(|x| !x.is_nan()).collect();
    let mut inputs = Vec::new();
    if known.is_empty() {
        return inputs;
    }
    known.sort_by(f64::total_cmp);
    let at = |share: f64| known[((known.len() - 1) as f64 * share).round() as usize];
    let (low, high, median) = (at(settings.winsorise), at(1.0 - settings.winsorise), at(0.5));
    let clipped = |x: f64| x.clamp(low, high);
    let log = settings.log_heavy_tails && skewness(known.iter().map(|x| clipped(*x))).abs() > HEAVY_TAIL;
    let transformed = |x: f64| {
        let x = clipped(if x.is_nan() { median } else { x });
        if log { signed_log(x) } else { x }
    };
    let (mean, deviation) = moments(rows.iter().map(|r| transformed(column[*r])));
    if deviation > 1e-9 * (1.0 + mean.abs()) {
        inputs.push(Input::Value { feature, median, low, high, log, mean, deviation });
    }
    let missing = rows.len() - known.len();
    // An indicator of fewer than 1% of the rows, or of all but so few, would be fitted to chance.
    if missing.min(known.len()) * 100 >= rows.len() {
        let (mean, deviation) = moments(rows.iter().map(|r| if column[*r].is_nan() { 1.0 } else { 0.0 }));
        inputs.push(Input::Missing { feature, mean, deviation });
    }
    inputs
}

fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let n = values.clone().count().max(1) as f64;
    let mean = values.clone().sum::<f64>() / n;
    let variance = values.map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt())
}

fn skewness(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let (mean, deviation) = moments(values.clone());
    if deviation < 1e-12 {
        return 0.0;
    }
    let n = values.clone().count().max(1) as f64;
    values.map(|x| ((x - mean) / deviation).powi(3)).sum::<f64>() / n
}

/// Minimises the summed log loss plus `l2/2 · |coefficients|²`; the intercept is not penalised.
fn newton(design: &[f64], inputs: usize, events: &[bool], l2: f64, start: Option<(f64, Vec<f64>)>) -> Result<(f64, Vec<f64>)> {
    let n = events.len() as f64;
    let rate = (events.iter().filter(|e| **e).count() as f64 / n).clamp(1e-6, 1.0 - 1e-6);
    // The intercept is parameter 0.
    let mut theta = vec![0.0; inputs + 1];
    theta[0] = (rate / (1.0 - rate)).ln();
    if let Some((intercept, coefficients)) = start {
        theta[0] = intercept;
        theta[1..].copy_from_slice(&coefficients);
    }
    let mut current = objective(design, inputs, events, l2, &theta);
    for _ in 0..100 {
        let (gradient, hessian) = derivatives(design, inputs, events, l2, &theta);
        let direction = solve(hessian, gradient.clone(), inputs + 1).ok_or(Error::NotConverging)?;
        let decrement: f64 = gradient.iter().zip(&direction).map(|(g, d)| g * d).sum();
        if decrement < 1e-10 * n.max(1.0) {
            return Ok((theta[0], theta[1..].to_vec()));
        }
        let mut step = 1.0;
        loop {
            let next: Vec<f64> = theta.iter().zip(&direction).map(|(t, d)| t - step * d).collect();
            let value = objective(design, inputs, events, l2, &next);
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
    }
    Err(Error::NotConverging)
}

fn margin(row: &[f64], theta: &[f64]) -> f64 {
    theta[0] + row.iter().zip(&theta[1..]).map(|(x, t)| x * t).sum::<f64>()
}

fn objective(design: &[f64], inputs: usize, events: &[bool], l2: f64, theta: &[f64]) -> f64 {
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
    losses.iter().sum::<f64>() + l2 / 2.0 * theta[1..].iter().map(|t| t * t).sum::<f64>()
}

/// Gradient and Hessian (lower triangle, row-major).
fn derivatives(design: &[f64], inputs: usize, events: &[bool], l2: f64, theta: &[f64]) -> (Vec<f64>, Vec<f64>) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Table, Vec<bool>) {
        // A fixed pseudo-random sample; the reference below was fitted on the same formulae.
        let n = 400;
        let mut columns = vec![Vec::new(), Vec::new(), Vec::new()];
        let mut events = Vec::new();
        for i in 0..n {
            let u = |k: u64| ((i as u64 * 2_654_435_761 + k * 40_503) % 1_000_003) as f64 / 1_000_003.0;
            let (a, b, c) = (u(1) * 4.0 - 2.0, (u(2) * 5.0).exp(), u(3));
            columns[0].push(a);
            columns[1].push(b);
            columns[2].push(if c < 0.2 { f64::NAN } else { c });
            events.push(u(7) < sigmoid(a - 0.5 * b.ln() + if c < 0.2 { 1.0 } else { 0.0 }));
        }
        (Table { features: vec!["a".into(), "b".into(), "c".into()], columns, rows: n }, events)
    }

    #[test]
    fn the_gradient_vanishes_at_the_fit() {
        let (table, events) = sample();
        let rows: Vec<usize> = (0..table.rows).collect();
        let prepared = Prepared::new(&table, &rows, events.clone(), &LogisticRegression::default());
        let model = prepared.fit(10.0, None).unwrap();
        let mut theta = vec![model.linear.intercept];
        theta.extend(&model.linear.coefficients);
        let (gradient, _) = derivatives(&prepared.design, prepared.inputs.len(), &events, 10.0, &theta);
        assert!(gradient.iter().all(|g| g.abs() < 1e-3), "{gradient:?}");
        let again = prepared.fit(10.0, Some(&prepared.fit(1.0, None).unwrap())).unwrap();
        for (x, y) in again.linear.coefficients.iter().zip(&model.linear.coefficients) {
            assert!((x - y).abs() < 1e-4);
        }
    }

    #[test]
    fn heavy_tails_are_logged_holes_are_marked_and_reasons_add_up() {
        let (table, events) = sample();
        let rows: Vec<usize> = (0..table.rows).collect();
        let model = Prepared::new(&table, &rows, events, &LogisticRegression::default()).fit(1.0, None).unwrap();
        let logged = |f: usize| model.inputs.iter().any(|i| matches!(i, Input::Value { feature, log: true, .. } if *feature == f));
        assert!(!logged(0) && logged(1));
        assert!(model.inputs.iter().any(|i| matches!(i, Input::Missing { feature: 2, .. })));
        let margins = model.margins(&table, &rows);
        let explained = model.explain(&table, &rows).unwrap();
        for (i, m) in margins.iter().enumerate() {
            assert!((explained.margin(i) - m).abs() < 1e-10);
        }
    }

    #[test]
    fn constant_and_empty_columns_are_left_out() {
        let table = Table { features: vec!["k".into(), "e".into()], columns: vec![vec![3.0; 10], vec![f64::NAN; 10]], rows: 10 };
        let rows: Vec<usize> = (0..10).collect();
        let events = (0..10).map(|i| i % 2 == 0).collect();
        let model = Prepared::new(&table, &rows, events, &LogisticRegression::default()).fit(1.0, None).unwrap();
        assert!(model.inputs.is_empty());
        assert!(model.margins(&table, &rows).iter().all(|m| m.abs() < 1e-6));
        assert_eq!(model.explain(&table, &rows).unwrap().row(0), [0.0, 0.0]);
    }
}
