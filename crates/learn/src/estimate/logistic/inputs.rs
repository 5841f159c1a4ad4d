//! The inputs of the linear model: what is made of a feature, and what has to be learned for that.

use std::collections::BTreeMap;

use cscopilot_spec::LogisticRegression;
use serde::{Deserialize, Serialize};

use crate::data::dataset::Table;

/// Skewness from which on a tail counts as heavy.
const HEAVY_TAIL: f64 = 1.0;

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
    /// Whether the feature has one of some categories.
    Category {
        /// Index of the feature.
        feature: usize,
        /// Codes of the categories: one, or all the rare ones together.
        codes: Vec<u32>,
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
    /// The feature it is made from.
    pub(crate) fn feature(&self) -> usize {
        match self {
            Self::Value { feature, .. } | Self::Category { feature, .. } | Self::Missing { feature, .. } => *feature,
        }
    }

    /// The input of a feature's value.
    pub(super) fn of(&self, x: f64) -> f64 {
        match self {
            Self::Value { median, low, high, log, mean, deviation, .. } => {
                let x = if x.is_nan() { *median } else { x };
                let x = x.clamp(*low, *high);
                let x = if *log { signed_log(x) } else { x };
                (x - mean) / deviation
            }
            Self::Category { codes, mean, deviation, .. } => (if is_one_of(codes, x) { 1.0 } else { 0.0 } - mean) / deviation,
            Self::Missing { mean, deviation, .. } => (if x.is_nan() { 1.0 } else { 0.0 } - mean) / deviation,
        }
    }
}

fn signed_log(x: f64) -> f64 {
    x.signum() * x.abs().ln_1p()
}

/// Standardised inputs of rows, row-major.
pub(super) fn design(inputs: &[Input], table: &Table, rows: &[usize]) -> Vec<f64> {
    let mut out = Vec::with_capacity(rows.len() * inputs.len());
    for &row in rows {
        out.extend(inputs.iter().map(|input| input.of(table.columns[input.feature()][row])));
    }
    out
}

/// Whether a value is the code of one of the categories.
fn is_one_of(codes: &[u32], x: f64) -> bool {
    codes.iter().any(|code| f64::from(*code) == x)
}

/// The inputs of a feature, learned from rows.
pub(super) fn inputs_of(feature: usize, table: &Table, rows: &[usize], settings: &LogisticRegression) -> Vec<Input> {
    let column = &table.columns[feature];
    if table.labels(feature).is_some() {
        return indicators(feature, column, rows);
    }
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
    inputs.extend(missing(feature, column, rows));
    inputs
}

/// An indicator of missing values, if that is worth one.
fn missing(feature: usize, column: &[f64], rows: &[usize]) -> Option<Input> {
    let count = rows.iter().filter(|r| column[**r].is_nan()).count();
    worth_an_indicator(count, rows.len()).then(|| {
        let (mean, deviation) = moments(rows.iter().map(|r| if column[*r].is_nan() { 1.0 } else { 0.0 }));
        Input::Missing { feature, mean, deviation }
    })
}

/// An indicator of fewer than 1% of the rows, or of all but so few, would be fitted to chance.
fn worth_an_indicator(count: usize, rows: usize) -> bool {
    count > 0 && count.min(rows - count) * 100 >= rows
}

/// An indicator of each category, and one of the rare ones together. None is left out as the one to compare with: the penalty treats
/// all alike.
fn indicators(feature: usize, column: &[f64], rows: &[usize]) -> Vec<Input> {
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    for row in rows {
        if !column[*row].is_nan() {
            *counts.entry(column[*row] as u32).or_default() += 1;
        }
    }
    let (common, rare): (Vec<_>, Vec<_>) = counts.into_iter().partition(|(_, count)| count * 100 >= rows.len());
    let mut groups: Vec<(Vec<u32>, usize)> = common.into_iter().map(|(code, count)| (vec![code], count)).collect();
    groups.push((rare.iter().map(|(code, _)| *code).collect(), rare.iter().map(|(_, count)| count).sum()));
    let mut inputs: Vec<Input> = groups
        .into_iter()
        .filter(|(_, count)| worth_an_indicator(*count, rows.len()))
        .map(|(codes, _)| {
            let (mean, deviation) = moments(rows.iter().map(|r| if is_one_of(&codes, column[*r]) { 1.0 } else { 0.0 }));
            Input::Category { feature, codes, mean, deviation }
        })
        .collect();
    inputs.extend(missing(feature, column, rows));
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
