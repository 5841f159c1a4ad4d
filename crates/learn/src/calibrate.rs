//! From margins to probabilities that mean what they say.

use serde::{Deserialize, Serialize};

use crate::metrics::sigmoid;

/// From this many events on the isotonic curve has enough to go by; below it would fit noise.
pub const ISOTONIC_EVENTS: usize = 200;

/// A rising map from margin to probability, fitted on rows that the model had not seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calibrator {
    /// `sigmoid(slope · margin + intercept)`.
    Platt {
        /// Slope.
        slope: f64,
        /// Intercept.
        intercept: f64,
    },
    /// Straight lines between points; flat outside.
    Isotonic {
        /// Margins, rising.
        margins: Vec<f64>,
        /// Probabilities, rising.
        probabilities: Vec<f64>,
    },
}

impl Calibrator {
    /// Fits a logistic curve, with Platt's smoothed targets.
    pub fn platt(margins: &[f64], events: &[bool]) -> Self {
        let positives = events.iter().filter(|e| **e).count() as f64;
        let negatives = events.len() as f64 - positives;
        let (high, low) = ((positives + 1.0) / (positives + 2.0), 1.0 / (negatives + 2.0));
        let rate = (positives + 1.0) / (events.len() as f64 + 2.0);
        let (mut slope, mut intercept) = (0.0, (rate / (1.0 - rate)).ln());
        let loss = |slope: f64, intercept: f64| -> f64 {
            let each = |(m, e): (&f64, &bool)| {
                let z = slope * m + intercept;
                let target = if *e { high } else { low };
                // ln(1 + exp(z)) − target · z, without overflow
                z.max(0.0) + (-z.abs()).exp().ln_1p() - target * z
            };
            margins.iter().zip(events).map(each).sum()
        };
        let mut current = loss(slope, intercept);
        for _ in 0..100 {
            let (mut ga, mut gb, mut haa, mut hab, mut hbb) = (0.0, 0.0, 1e-9, 0.0, 1e-9);
            for (m, e) in margins.iter().zip(events) {
                let p = sigmoid(slope * m + intercept);
                let residual = if *e { high } else { low } - p;
                let curvature = p * (1.0 - p);
                ga += residual * m;
                gb += residual;
                haa += curvature * m * m;
                hab += curvature * m;
                hbb += curvature;
            }
            let determinant = haa * hbb - hab * hab;
            if determinant <= 0.0 {
                break;
            }
            let (da, db) = ((hbb * ga - hab * gb) / determinant, (haa * gb - hab * ga) / determinant);
            let mut step = 1.0;
            let mut next = current;
            while step > 1e-6 {
                next = loss(slope + step * da, intercept + step * db);
                if next <= current {
                    break;
                }
                step /= 2.0;
            }
            if next > current {
                break;
            }
            slope += step * da;
            intercept += step * db;
            let gain = current - next;
            current = next;
            if gain < 1e-12 * (1.0 + current.abs()) {
                break;
            }
        }
        // A falling curve would turn the ranking round: then the margin says nothing, and everybody gets the base rate.
        if slope < 0.0 {
            (slope, intercept) = (0.0, (rate / (1.0 - rate)).ln());
        }
        Self::Platt { slope, intercept }
    }

    /// Fits a rising step function by pooling adjacent violators, then joins the middles of its steps, so that accounts with
    /// different margins keep different probabilities.
    pub fn isotonic(margins: &[f64], events: &[bool]) -> Self {
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
        let margins = blocks.iter().map(|b| b.0 / b.2).collect();
        let probabilities = blocks.iter().map(|b| (b.1 / b.2).clamp(floor, ceiling.max(floor))).collect();
        Self::Isotonic { margins, probabilities }
    }

    /// The probability of a margin.
    pub fn probability(&self, margin: f64) -> f64 {
        match self {
            Self::Platt { slope, intercept } => sigmoid(slope * margin + intercept),
            Self::Isotonic { margins, probabilities } => {
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
        }
    }

    /// The map's name for people.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Platt { .. } => "platt",
            Self::Isotonic { .. } => "isotonic",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platt_recovers_a_shifted_and_stretched_margin() {
        let margins: Vec<f64> = (0..20_000).map(|i| (i % 400) as f64 / 100.0 - 2.0).collect();
        let events: Vec<bool> =
            margins.iter().enumerate().map(|(i, m)| ((i * 7919) % 10_007) as f64 / 10_007.0 < sigmoid(0.5 * m - 1.0)).collect();
        let Calibrator::Platt { slope, intercept } = Calibrator::platt(&margins, &events) else { panic!() };
        assert!((slope - 0.5).abs() < 0.05 && (intercept + 1.0).abs() < 0.05, "{slope} {intercept}");
    }

    #[test]
    fn an_inverted_margin_gives_everybody_the_base_rate() {
        let margins = [3.0, 2.0, 1.0, 0.0, -1.0, -2.0];
        let events = [false, false, false, true, true, true];
        let c = Calibrator::platt(&margins, &events);
        assert!((c.probability(3.0) - 0.5).abs() < 1e-9 && (c.probability(-2.0) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn isotonic_rises_and_stays_between_zero_and_one() {
        let margins: Vec<f64> = (0..500).map(|i| ((i * 37) % 500) as f64 / 100.0).collect();
        let events: Vec<bool> = margins.iter().enumerate().map(|(i, m)| (i * 31) % 100 < (m * 18.0) as usize).collect();
        let c = Calibrator::isotonic(&margins, &events);
        let grid: Vec<f64> = (-10..70).map(|i| c.probability(f64::from(i) / 10.0)).collect();
        assert!(grid.windows(2).all(|w| w[0] <= w[1]));
        assert!(grid.iter().all(|p| *p > 0.0 && *p < 1.0));
    }
}
