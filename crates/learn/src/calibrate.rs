//! From margins to probabilities that mean what they say.
//!
//! Three maps compete: Platt's logistic curve, beta calibration and isotonic regression. Each is fitted on margins of rows
//! that the model had not seen, and the one with the least log loss on still later rows wins (`choose`). The chances of coming periods have a
//! curve of their own ([`PeriodCalibrator`]).

mod choose;
mod crossed;
mod curve;
mod isotonic;
mod periods;

pub use choose::{Choice, Slice, choose};
pub use crossed::{Outside, choose_by_folds};
pub use periods::PeriodCalibrator;

use serde::{Deserialize, Serialize};

use crate::metrics::sigmoid;
use curve::{Smoothed, fit_curve};

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
    /// `sigmoid(a · ln p − b · ln(1 − p) + c)` with `p = sigmoid(margin)`.
    Beta {
        /// How fast small probabilities rise.
        a: f64,
        /// How fast large ones do.
        b: f64,
        /// Intercept.
        c: f64,
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
    /// Fits a logistic curve, with Platt's smoothed targets (Platt 1999; Newton's method as in Lin, Lin and Weng 2007).
    pub fn platt(margins: &[f64], events: &[bool]) -> Self {
        let targets = Smoothed::of(events);
        let inputs: Vec<[f64; 1]> = margins.iter().map(|m| [*m]).collect();
        let (intercept, [slope]) = fit_curve(&inputs, &targets);
        // A falling curve would turn the ranking round: then the margin says nothing, and everybody gets the base rate.
        if slope < 0.0 {
            return Self::Platt { slope: 0.0, intercept: targets.intercept() };
        }
        Self::Platt { slope, intercept }
    }

    /// Fits beta calibration with three parameters (Kull, Silva Filho and Flach, "Beta calibration: a well-founded and easily
    /// implemented improvement on logistic calibration for binary classifiers", AISTATS 2017), with Platt's smoothed targets.
    /// A tail that would fall is held at zero, as there.
    pub fn beta(margins: &[f64], events: &[bool]) -> Self {
        let targets = Smoothed::of(events);
        let tails: Vec<[f64; 2]> = margins.iter().map(|m| tails(*m)).collect();
        let (c, [a, b]) = fit_curve(&tails, &targets);
        if a >= 0.0 && b >= 0.0 {
            return Self::Beta { a, b, c };
        }
        let kept = usize::from(a < 0.0);
        let one: Vec<[f64; 1]> = tails.iter().map(|t| [t[kept]]).collect();
        let (c, [slope]) = fit_curve(&one, &targets);
        match (slope < 0.0, kept) {
            (true, _) => Self::Beta { a: 0.0, b: 0.0, c: targets.intercept() },
            (false, 0) => Self::Beta { a: slope, b: 0.0, c },
            (false, _) => Self::Beta { a: 0.0, b: slope, c },
        }
    }

    /// Fits a rising step function by pooling adjacent violators, then joins the middles of its steps, so that accounts with
    /// different margins keep different probabilities.
    pub fn isotonic(margins: &[f64], events: &[bool]) -> Self {
        let (margins, probabilities) = isotonic::fit(margins, events);
        Self::Isotonic { margins, probabilities }
    }

    /// The probability of a margin.
    pub fn probability(&self, margin: f64) -> f64 {
        match self {
            Self::Platt { slope, intercept } => sigmoid(slope * margin + intercept),
            Self::Beta { a, b, c } => {
                let [low, high] = tails(margin);
                sigmoid(a * low + b * high + c)
            }
            Self::Isotonic { margins, probabilities } => isotonic::probability(margins, probabilities, margin),
        }
    }

    /// The probabilities of margins.
    pub fn probabilities(&self, margins: &[f64]) -> Vec<f64> {
        margins.iter().map(|m| self.probability(*m)).collect()
    }

    /// The map's name for people.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Platt { .. } => "platt",
            Self::Beta { .. } => "beta",
            Self::Isotonic { .. } => "isotonic",
        }
    }
}

/// `ln p` and `−ln(1 − p)` of `p = sigmoid(margin)`, without rounding to infinity.
fn tails(margin: f64) -> [f64; 2] {
    let rest = (-margin.abs()).exp().ln_1p();
    [-((-margin).max(0.0) + rest), margin.max(0.0) + rest]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn margins() -> Vec<f64> {
        (0..400).map(|i| f64::from(i % 80) / 20.0 - 2.0).collect()
    }

    fn drawn(chance: impl Fn(f64) -> f64) -> Vec<bool> {
        margins().iter().enumerate().map(|(i, m)| ((i * 7919) % 401) as f64 / 401.0 < chance(*m)).collect()
    }

    #[test]
    fn platt_recovers_a_shifted_and_stretched_margin() {
        let margins: Vec<f64> = (0..20_000).map(|i| (i % 400) as f64 / 100.0 - 2.0).collect();
        let events: Vec<bool> =
            margins.iter().enumerate().map(|(i, m)| ((i * 7919) % 10_007) as f64 / 10_007.0 < sigmoid(0.5 * m - 1.0)).collect();
        let Calibrator::Platt { slope, intercept } = Calibrator::platt(&margins, &events) else { panic!() };
        assert!((slope - 0.5).abs() < 0.05 && (intercept + 1.0).abs() < 0.05, "{slope} {intercept}");
    }

    #[test]
    fn beta_agrees_with_betacal_but_for_the_smoothed_targets() {
        // betacal 1.1 `BetaCalibration("abm")` at 0.1, 0.5, 0.9; its targets are hard, so ours lie a little nearer the middle.
        let events = drawn(|m| sigmoid(1.5 * m - 1.0 - 0.5 * m.abs()));
        let c = Calibrator::beta(&margins(), &events);
        for (p, expected) in [(0.1f64, 0.007_806_5), (0.5, 0.240_331_4), (0.9, 0.751_731_3)] {
            let found = c.probability((p / (1.0 - p)).ln());
            assert!((found - expected).abs() < 0.005, "{p}: {found}, not {expected}");
        }
        // A tail that would fall: betacal gives a = 0 and b = 0.323.
        let falling = drawn(|m| sigmoid(0.8 * m.max(0.0) - 0.6 * m.min(0.0) - 1.0));
        let Calibrator::Beta { a, b, .. } = Calibrator::beta(&margins(), &falling) else { panic!() };
        assert!(a == 0.0 && (b - 0.323_3).abs() < 0.01, "{a} {b}");
    }

    #[test]
    fn an_inverted_margin_gives_everybody_the_base_rate() {
        let margins = [3.0, 2.0, 1.0, 0.0, -1.0, -2.0];
        let events = [false, false, false, true, true, true];
        for c in [Calibrator::platt(&margins, &events), Calibrator::beta(&margins, &events)] {
            assert!((c.probability(3.0) - 0.5).abs() < 1e-9 && (c.probability(-2.0) - 0.5).abs() < 1e-9, "{c:?}");
        }
    }

    #[test]
    fn every_map_rises_and_stays_between_zero_and_one() {
        let margins: Vec<f64> = (0..500).map(|i| ((i * 37) % 500) as f64 / 100.0).collect();
        let events: Vec<bool> = margins.iter().enumerate().map(|(i, m)| (i * 31) % 100 < (m * 18.0) as usize).collect();
        for c in [Calibrator::isotonic(&margins, &events), Calibrator::beta(&margins, &events), Calibrator::platt(&margins, &events)] {
            let grid: Vec<f64> = (-10..70).map(|i| c.probability(f64::from(i) / 10.0)).collect();
            assert!(grid.windows(2).all(|w| w[0] <= w[1]), "{c:?}");
            assert!(grid.iter().all(|p| *p > 0.0 && *p < 1.0), "{c:?}");
        }
    }

    #[test]
    fn perfectly_separated_margins_stay_finite() {
        let margins: Vec<f64> = (0..40).map(|i| f64::from(i) - 20.0).collect();
        let events: Vec<bool> = margins.iter().map(|m| *m > 0.0).collect();
        for c in [Calibrator::beta(&margins, &events), Calibrator::platt(&margins, &events)] {
            let p = c.probability(19.0);
            assert!(p > 0.8 && p < 1.0, "{c:?} {p}");
        }
    }
}
