//! What made a score move since the model scored last: the customer's data, feature by feature, the new model, or the calibration.
//!
//! The score that people see is the probability `p = c(f(x))`: values `x`, a model's margin `f`, its calibration `c`. Between two evenings
//! each of the three may have changed, and they are changed one after the other, in this order:
//!
//! ```text
//! data         c₀(f₀(x₁)) − c₀(f₀(x₀))   what tonight's values would have done to the old score
//! model        c₀(f₁(x₁)) − c₀(f₀(x₁))   what another model makes of the same values
//! calibration  c₁(f₁(x₁)) − c₀(f₁(x₁))   how the new model's margin is read
//! ```
//!
//! The three add up to the change of the score, whatever happened. Data comes first, so that on a night of a new model it is told with the
//! model that the reader knows; nights without one have no other part.
//!
//! The part of the data is told by feature. In margins a feature's share `δ` is its baseline Shapley value from the old values to the new
//! ones ([`Scorer::changes`]; Sundararajan & Najmi 2020): the shares add up to `f₀(x₁) − f₀(x₀)`, and a feature that did not change has none.
//! In points of probability it is `k·δ`, where `k` is the mean slope of `c₀` on the way from the one margin to the other: what
//! integrating `c₀` along the straight line of margins gives (Aumann & Shapley 1974). Being a mean slope, `k` is
//! bounded however much the shares cancel each other; where they cancel completely it is the slope at that place.
//!
//! What was scored last time may no longer be in the features table as it was (its SQL was edited, late data came). The last score itself
//! is kept, so the difference shows: it is data, told without a feature.

use crate::calibrate::Calibrator;

/// Margins closer than this have no mean slope that `f64` could tell; their values are the same to people.
const CLOSE: f64 = 1e-6;
/// Half the width over which the slope is taken there.
const WIDTH: f64 = 1e-4;
/// Parts smaller than this, in points of probability, are left out: a thousand of them are still below a millionth.
pub(crate) const NEGLIGIBLE: f64 = 1e-9;

/// The way of a score from last time to tonight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Way {
    /// Last margin and probability.
    pub(crate) last: (f64, f64),
    /// Margin and probability that the last model and calibration give tonight's values.
    pub(crate) data: (f64, f64),
    /// Probability that the last calibration gives tonight's margin.
    pub(crate) model: f64,
    /// Tonight's probability.
    pub(crate) tonight: f64,
}

/// What moved a score, in points of probability.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Movement {
    /// Each feature's part.
    pub(crate) features: Vec<f64>,
    /// The part of data that is no longer there as it was.
    pub(crate) rest: f64,
    /// The new model's part.
    pub(crate) model: f64,
    /// The calibration's part.
    pub(crate) calibration: f64,
}

impl Way {
    /// Splits the change of the score; `shares` are the features' parts of the change of the old model's margin. They need not add up to it.
    pub(crate) fn split(self, old: &Calibrator, shares: &[f64]) -> Movement {
        let (from, to) = (self.last, self.data);
        let slope = slope(old, from, to);
        let mut features: Vec<f64> = shares.iter().map(|share| slope * share).collect();
        let mut rest = (to.1 - from.1) - features.iter().sum::<f64>();
        let known = (to.0 - from.0 - shares.iter().sum::<f64>()).abs() < CLOSE;
        let largest = features.iter_mut().filter(|f| **f != 0.0).max_by(|a, b| a.abs().total_cmp(&b.abs()));
        // The shares explain the whole way, so what is left comes from rounding, and from slopes that change over the shortest ways.
        if let Some(largest) = largest.filter(|_| known) {
            *largest += rest;
            rest = 0.0;
        }
        Movement { features, rest, model: self.model - to.1, calibration: self.tonight - self.model }
    }
}

/// The mean slope of a calibration between two margins with their probabilities.
fn slope(calibrator: &Calibrator, from: (f64, f64), to: (f64, f64)) -> f64 {
    let way = to.0 - from.0;
    if way.abs() > CLOSE {
        return (to.1 - from.1) / way;
    }
    let middle = from.0.midpoint(to.0);
    (calibrator.probability(middle + WIDTH) - calibrator.probability(middle - WIDTH)) / (2.0 * WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn calibrator() -> impl Strategy<Value = Calibrator> {
        let platt = (0.0..3.0f64, -3.0..3.0f64).prop_map(|(slope, intercept)| Calibrator::Platt { slope, intercept });
        let isotonic = (1usize..30, any::<u64>()).prop_map(|(n, seed)| {
            let (mut margin, mut probability, mut state) = (-3.0, 0.001, seed | 1);
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 40) as f64 / (1u64 << 24) as f64
            };
            let points = (0..n).map(|_| {
                margin += 1e-4 + next() * next() * 0.5;
                probability += next() * 0.03;
                (margin, probability)
            });
            let (margins, probabilities) = points.unzip();
            Calibrator::Isotonic { margins, probabilities }
        });
        prop_oneof![platt, isotonic]
    }

    /// A step of a margin, often a tiny one.
    fn share() -> impl Strategy<Value = f64> {
        prop_oneof![3 => -2.0..2.0f64, 1 => -1e-7..1e-7f64, 1 => Just(0.0)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_parts_add_up_to_the_change(
            (old, new) in (calibrator(), calibrator()),
            last in -4.0..4.0f64,
            mut shares in prop::collection::vec(share(), 0..8),
            cancel in any::<bool>(),
            restated in prop_oneof![Just(0.0), -1.0..1.0f64],
            model in prop_oneof![Just(0.0), -2.0..2.0f64],
        ) {
            if cancel {
                shares.extend(shares.clone().iter().map(|s| -s));
            }
            let data = last + shares.iter().sum::<f64>() + restated;
            let way = Way {
                last: (last, old.probability(last)),
                data: (data, old.probability(data)),
                model: old.probability(data + model),
                tonight: new.probability(data + model),
            };
            let moved = way.split(&old, &shares);
            let sum = moved.features.iter().sum::<f64>() + moved.rest + moved.model + moved.calibration;
            prop_assert!((sum - (way.tonight - way.last.1)).abs() < 1e-12);
            for (part, share) in moved.features.iter().zip(&shares) {
                prop_assert!(part.is_finite() && (*share != 0.0 || *part == 0.0));
                // Nothing is blown up by parts that cancel each other: no slope is steeper than the steepest of the calibration.
                prop_assert!(part.abs() <= share.abs() * 400.0 + 1e-2, "{part} {share}");
            }
            prop_assert!(restated != 0.0 || moved.rest == 0.0 || shares.iter().all(|s| *s == 0.0) || moved.features.iter().all(|f| *f == 0.0));
        }
    }

    #[test]
    fn features_share_the_change_of_the_probability_as_they_share_that_of_the_margin() {
        let c = Calibrator::Platt { slope: 1.0, intercept: 0.0 };
        let way = Way { last: (0.0, 0.5), data: (1.0, c.probability(1.0)), model: c.probability(1.0), tonight: c.probability(1.0) };
        let moved = way.split(&c, &[1.5, -0.5]);
        let change = c.probability(1.0) - 0.5;
        assert!((moved.features[0] - 1.5 * change).abs() < 1e-12 && (moved.features[1] + 0.5 * change).abs() < 1e-12);
        assert_eq!((moved.rest, moved.model, moved.calibration), (0.0, 0.0, 0.0));
    }

    #[test]
    fn what_can_not_be_told_by_feature_stays_data() {
        let c = Calibrator::Platt { slope: 1.0, intercept: 0.0 };
        let p = |m| c.probability(m);
        let moved = Way { last: (0.0, p(0.0)), data: (1.0, p(1.0)), model: p(2.0), tonight: p(2.0) }.split(&c, &[]);
        assert!((moved.rest - (p(1.0) - p(0.0))).abs() < 1e-12 && (moved.model - (p(2.0) - p(1.0))).abs() < 1e-12);
    }
}
