//! Confidence intervals by a bootstrap over accounts.
//!
//! An account appears at many dates, and its rows are alike: drawing rows would make intervals too narrow, so whole
//! accounts are drawn (the cluster bootstrap; Davison and Hinkley 1997, section 3.8), and intervals are percentiles. Each
//! sample has its own random stream, so the result does not depend on the number of threads. All slices that are given
//! together see the same draws: what two models get right on the same customers can then be compared pair by pair.
//!
//! The cost is one walk over all rows of all slices for every eight samples.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;

use crate::measure::{Figure, Figures, LANES, Lanes, Measured, Slice};

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

/// What decides about a test slice.
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

impl Draws {
    /// How often each account is drawn in each sample from one on.
    fn copies(&self, first: u32, accounts: usize) -> Vec<Lanes> {
        let mut copies = vec![[0.0; LANES]; accounts];
        for (k, sample) in (first..self.samples).enumerate().take(LANES) {
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
            rng.set_stream(u64::from(sample) + 1);
            for _ in 0..accounts {
                copies[rng.random_range(0..accounts)][k] += 1.0;
            }
        }
        copies
    }
}

/// One slice's figures on the whole and in every sample.
#[derive(Debug, Clone)]
pub struct Sampled {
    whole: Figures,
    /// `None` where a sample has only one class.
    samples: Vec<Option<Figures>>,
    confidence: f64,
}

impl Sampled {
    /// A figure with its interval; `None` if it isn't known.
    pub fn interval(&self, figure: Figure) -> Option<Interval> {
        let at = figure as usize;
        let values = self.samples.iter().flatten().map(|s| s[at]);
        interval(self.whole[at], values, self.confidence)
    }

    /// All figures that are known.
    pub fn measured(&self) -> Measured {
        Figure::ALL.into_iter().filter_map(|f| Some((f, self.interval(f)?))).collect()
    }

    /// This slice's figure minus that of another one under the same draws.
    pub fn difference(&self, other: &Self, figure: Figure) -> Option<Interval> {
        let at = figure as usize;
        let pairs = self.samples.iter().zip(&other.samples);
        let values = pairs.filter_map(|(a, b)| Some(a.as_ref()?[at] - b.as_ref()?[at]));
        interval(self.whole[at] - other.whole[at], values, self.confidence)
    }
}

fn interval(value: f64, samples: impl Iterator<Item = f64>, confidence: f64) -> Option<Interval> {
    if value.is_nan() {
        return None;
    }
    let mut samples: Vec<f64> = samples.filter(|x| !x.is_nan()).collect();
    samples.sort_by(f64::total_cmp);
    let tail = (1.0 - confidence) / 2.0;
    let pick = |share: f64| samples.get((share * samples.len().saturating_sub(1) as f64).round() as usize).copied().unwrap_or(value);
    Some(Interval { value, low: pick(tail), high: pick(1.0 - tail) })
}

/// Measures slices under the same draws from `accounts` accounts. A slice with one class only gives `None`.
pub fn sample(slices: &[Slice], accounts: usize, draws: Draws) -> Vec<Option<Sampled>> {
    let whole = vec![[1.0; LANES]; accounts];
    let walks: Vec<Vec<[Option<Figures>; LANES]>> = (0..draws.samples.div_ceil(LANES as u32))
        .into_par_iter()
        .map(|walk| {
            let copies = draws.copies(walk * LANES as u32, accounts);
            slices.iter().map(|slice| slice.measure(&copies)).collect()
        })
        .collect();
    let of = |(at, slice): (usize, &Slice)| {
        let samples = walks.iter().flat_map(|walk| walk[at]).take(draws.samples as usize).collect();
        slice.measure(&whole)[0].map(|whole| Sampled { whole, samples, confidence: draws.confidence })
    };
    slices.iter().enumerate().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Rows;
    use crate::sigmoid;

    struct Noisy {
        margins: Vec<f64>,
        probabilities: Vec<f64>,
        events: Vec<bool>,
        accounts: Vec<u32>,
    }

    impl Noisy {
        fn slice(&self) -> Slice {
            let rows = Rows {
                scores: &self.margins,
                probabilities: &self.probabilities,
                events: &self.events,
                accounts: &self.accounts,
                values: None,
            };
            Slice::new(rows, None)
        }
    }

    fn noisy(seed: u64, accounts: u32, signal: f64) -> Noisy {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut made = Noisy { margins: vec![], probabilities: vec![], events: vec![], accounts: vec![] };
        for account in 0..accounts {
            let x: f64 = rng.random_range(-2.0..2.0);
            for _ in 0..4 {
                let chance = sigmoid(signal * x - 2.0);
                made.margins.push(x);
                made.probabilities.push(chance);
                made.events.push(rng.random_range(0.0..1.0) < chance);
                made.accounts.push(account);
            }
        }
        made
    }

    #[test]
    fn right_probabilities_have_a_ratio_about_one_and_repeat() {
        let slice = noisy(7, 800, 1.0).slice();
        let draws = Draws { samples: 300, confidence: 0.95, seed: 1 };
        let [Some(sampled)] = &sample(std::slice::from_ref(&slice), 800, draws)[..] else { panic!() };
        let (auc, ratio) = (sampled.interval(Figure::Auc).unwrap(), sampled.interval(Figure::CalibrationRatio).unwrap());
        assert!(auc.low > 0.6 && auc.low < auc.value && auc.value < auc.high);
        assert!(ratio.low < 1.0 && ratio.high > 1.0, "{ratio:?}");
        let again = sample(&[slice], 800, draws);
        assert_eq!(again[0].as_ref().unwrap().measured(), sampled.measured());
        assert!(!sampled.measured().contains_key(&Figure::ExpectedProfit));
    }

    #[test]
    fn an_interval_without_signal_reaches_one_half() {
        let mut outside = 0;
        for seed in 0..40 {
            let sampled = sample(&[noisy(seed, 200, 0.0).slice()], 200, Draws { samples: 200, confidence: 0.95, seed });
            outside += usize::from(sampled[0].as_ref().unwrap().interval(Figure::Auc).unwrap().low > 0.5);
        }
        assert!(outside <= 4, "{outside} of 40");
    }

    #[test]
    fn a_pair_under_the_same_draws_differs_less_than_two_strangers() {
        let one = noisy(3, 400, 1.0);
        let worse: Vec<f64> = one.margins.iter().enumerate().map(|(i, m)| m + ((i * 37) % 11) as f64 / 8.0).collect();
        let (a, b) = (one.slice(), Noisy { margins: worse, ..noisy(3, 400, 1.0) }.slice());
        let sampled = sample(&[a, b], 400, Draws { samples: 400, confidence: 0.95, seed: 5 });
        let [Some(a), Some(b)] = &sampled[..] else { panic!() };
        let difference = b.difference(a, Figure::Auc).unwrap();
        let width = |i: Interval| i.high - i.low;
        assert!(difference.value < 0.0);
        assert!(width(difference) < 0.7 * width(a.interval(Figure::Auc).unwrap()), "{difference:?}");
        let itself = a.difference(a, Figure::LogLoss).unwrap();
        assert_eq!((itself.low, itself.value, itself.high), (0.0, 0.0, 0.0));
    }
}
