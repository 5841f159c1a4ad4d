//! From the margins of coming periods to chances that mean what they say.

use serde::{Deserialize, Serialize};

use super::curve::{Smoothed, fit_curve};
use crate::metrics::sigmoid;

/// Platt's curve whose slope and intercept change with the time ahead: what is seen tonight says more of the first period than of the last.
///
/// The chance of period k (0 is the next) is `sigmoid((slope + near_slope · w) · margin + intercept + near_intercept · w)` with
/// `w = 1 / (k + 1)`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PeriodCalibrator {
    /// Slope far ahead.
    pub slope: f64,
    /// What the slope of the next period is above that.
    pub near_slope: f64,
    /// Intercept far ahead.
    pub intercept: f64,
    /// What the intercept of the next period is above that.
    pub near_intercept: f64,
}

impl PeriodCalibrator {
    /// Leaves margins as they are.
    pub const AS_IT_IS: Self = Self { slope: 1.0, near_slope: 0.0, intercept: 0.0, near_intercept: 0.0 };

    /// Fits the curve to periods (counted from 0) of rows that the model had not seen, with Platt's smoothed targets.
    pub fn fit(margins: &[(usize, f64)], events: &[bool]) -> Self {
        let targets = Smoothed::of(events);
        let inputs: Vec<[f64; 3]> = margins.iter().map(|(period, m)| [*m, nearness(*period) * m, nearness(*period)]).collect();
        let (intercept, [slope, near_slope, near_intercept]) = fit_curve(&inputs, &targets);
        if slope >= 0.0 && slope + near_slope >= 0.0 {
            return Self { slope, near_slope, intercept, near_intercept };
        }
        // A falling curve would turn the ranking round somewhere: one slope for all periods, or none.
        let inputs: Vec<[f64; 1]> = margins.iter().map(|(_, m)| [*m]).collect();
        match fit_curve(&inputs, &targets) {
            (intercept, [slope]) if slope >= 0.0 => Self { slope, intercept, ..Self::AS_IT_IS },
            _ => Self { slope: 0.0, intercept: targets.intercept(), ..Self::AS_IT_IS },
        }
    }

    /// The chance of the event within a period, counted from 0.
    pub fn probability(&self, period: usize, margin: f64) -> f64 {
        let w = nearness(period);
        sigmoid((self.slope + self.near_slope * w) * margin + self.intercept + self.near_intercept * w)
    }
}

fn nearness(period: usize) -> f64 {
    1.0 / (period + 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Margins from -3 to 3 in each of twelve periods, and events by a chance, evenly drawn.
    fn drawn(chance: impl Fn(usize, f64) -> f64) -> (Vec<(usize, f64)>, Vec<bool>) {
        let margins: Vec<(usize, f64)> = (0..48_000).map(|i| (i % 12, f64::from(i as u32 / 12 % 500) / 83.0 - 3.0)).collect();
        let u = |i: usize| ((i * 7919) % 48_017) as f64 / 48_017.0;
        let events = margins.iter().enumerate().map(|(i, (period, m))| u(i) < chance(*period, *m)).collect();
        (margins, events)
    }

    #[test]
    fn a_slope_that_falls_with_the_time_ahead_is_found() {
        let truth = |period: usize, m: f64| {
            let w = 1.0 / (period as f64 + 1.0);
            sigmoid((0.6 + 0.7 * w) * m - 1.0 + 0.3 * w)
        };
        let (margins, events) = drawn(truth);
        let found = PeriodCalibrator::fit(&margins, &events);
        for period in [0, 2, 11] {
            for margin in [-2.0, 0.0, 2.0] {
                let (ours, theirs) = (found.probability(period, margin), truth(period, margin));
                assert!((ours - theirs).abs() < 0.02, "{period} {margin}: {ours} {theirs}");
            }
        }
    }

    #[test]
    fn a_slope_that_would_turn_the_ranking_round_is_not_used() {
        let (margins, events) = drawn(|period, m| sigmoid(if period == 0 { -0.5 * m } else { m } - 1.0));
        let found = PeriodCalibrator::fit(&margins, &events);
        assert!(found.slope > 0.0 && found.near_slope == 0.0, "{found:?}");
        let (margins, events) = drawn(|_, m| sigmoid(-m - 1.0));
        let found = PeriodCalibrator::fit(&margins, &events);
        assert_eq!((found.slope, found.near_slope), (0.0, 0.0));
        let share = events.iter().filter(|e| **e).count() as f64 / events.len() as f64;
        assert!((found.probability(3, 2.0) - share).abs() < 1e-3);
    }
}
