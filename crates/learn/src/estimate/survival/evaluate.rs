//! What survival curves are worth on rows whose observation ended at different times.
//!
//! Brier scores are weighted by the inverse probability of censoring (Graf et al. 1999): what was seen stands for what was not.

use serde::Serialize;

use super::{HORIZONS, PERIOD_DAYS, PERIODS};
use crate::data::dataset::Seen;

/// Where fewer than this share of the rows is still observed, weights would be huge and say nothing.
const LEAST_OBSERVED: f64 = 0.05;

/// Figures of predicted survival on later rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SurvivalFigures {
    /// Rows.
    pub rows: usize,
    /// Events seen.
    pub events: usize,
    /// The horizons that observation reaches.
    pub horizons: Vec<AtHorizon>,
    /// Mean Brier score over the periods that observation reaches, up to 180 days.
    pub integrated_brier: Option<f64>,
    /// The same of giving everybody the overall survival curve: what a useful model must beat.
    pub integrated_brier_of_curve: Option<f64>,
}

/// Predicted and observed events by a horizon.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AtHorizon {
    /// The horizon.
    pub days: u32,
    /// Mean predicted chance of the event by then.
    pub predicted: f64,
    /// Share with the event by then, by Kaplan and Meier.
    pub observed: f64,
    /// Brier score.
    pub brier: f64,
}

/// The figures of curves (`PERIODS` values a row) on rows.
pub(in crate::estimate) fn figures(curves: &[f64], known: &Seen, rows: &[usize]) -> SurvivalFigures {
    let mut seen: Vec<Watched<'_>> = rows
        .iter()
        .zip(curves.chunks_exact(PERIODS))
        .map(|(row, curve)| Watched { days: known.days[*row], observed: known.observed[*row], curve })
        .collect();
    seen.retain(|s| s.days > 0.0);
    let survival = Steps::new(seen.iter().map(|s| (s.days, s.observed)));
    let censoring = Steps::new(seen.iter().map(|s| (s.days, !s.observed)));
    let longest = seen.iter().map(|s| s.days).fold(0.0, f64::max);
    let reached = |days: f64| days <= longest && censoring.after(days) >= LEAST_OBSERVED;
    let (mut horizons, mut scores, mut scores_of_curve) = (Vec::new(), Vec::new(), Vec::new());
    for period in 0..PERIODS {
        let days = PERIOD_DAYS * (period + 1) as f64;
        if days > f64::from(HORIZONS[2]) || !reached(days) {
            break;
        }
        let score = brier(&seen, &censoring, days, |s| s.curve[period]);
        let overall = survival.after(days);
        scores.push(score);
        scores_of_curve.push(brier(&seen, &censoring, days, |_| overall));
        if let Some(horizon) = HORIZONS.into_iter().find(|h| f64::from(*h) == days) {
            let predicted = 1.0 - seen.iter().map(|s| s.curve[period]).sum::<f64>() / seen.len() as f64;
            horizons.push(AtHorizon { days: horizon, predicted, observed: 1.0 - overall, brier: score });
        }
    }
    let mean = |scores: &[f64]| (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64);
    SurvivalFigures {
        rows: seen.len(),
        events: seen.iter().filter(|s| s.observed).count(),
        horizons,
        integrated_brier: mean(&scores),
        integrated_brier_of_curve: mean(&scores_of_curve),
    }
}

struct Watched<'a> {
    days: f64,
    observed: bool,
    curve: &'a [f64],
}

fn brier(seen: &[Watched<'_>], censoring: &Steps, days: f64, survival: impl Fn(&Watched<'_>) -> f64) -> f64 {
    let each = |s: &Watched<'_>| {
        let predicted = survival(s);
        if s.days > days {
            (1.0 - predicted).powi(2) / censoring.after(days)
        } else if s.observed {
            predicted.powi(2) / censoring.before(s.days)
        } else {
            0.0
        }
    };
    seen.iter().map(each).sum::<f64>() / seen.len().max(1) as f64
}

/// The product-limit estimate of Kaplan and Meier: a falling step function.
struct Steps {
    /// Days of the steps, rising, with what is left after each.
    steps: Vec<(f64, f64)>,
}

impl Steps {
    /// From times and whether each is an end that counts.
    fn new(times: impl Iterator<Item = (f64, bool)>) -> Self {
        let mut times: Vec<(f64, bool)> = times.collect();
        times.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut left, mut at, mut steps) = (1.0, 0, Vec::new());
        while at < times.len() {
            let day = times[at].0;
            let group = times[at..].iter().take_while(|t| t.0 == day).count();
            let ends = times[at..at + group].iter().filter(|t| t.1).count();
            if ends > 0 {
                left *= 1.0 - ends as f64 / (times.len() - at) as f64;
                steps.push((day, left));
            }
            at += group;
        }
        Self { steps }
    }

    fn left(&self, steps: usize) -> f64 {
        steps.checked_sub(1).map_or(1.0, |last| self.steps[last].1)
    }

    /// What is left after a day.
    fn after(&self, day: f64) -> f64 {
        self.left(self.steps.partition_point(|s| s.0 <= day))
    }

    /// What is left just before a day.
    fn before(&self, day: f64) -> f64 {
        self.left(self.steps.partition_point(|s| s.0 < day))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kaplan_and_meier_handle_ties_and_censoring() {
        // The textbook's six patients: events at 1, 3, 3 and 6, censored at 2 and 5.
        let steps = Steps::new([(1.0, true), (2.0, false), (3.0, true), (3.0, true), (5.0, false), (6.0, true)].into_iter());
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        near(steps.after(0.5), 1.0);
        near(steps.before(1.0), 1.0);
        near(steps.after(1.0), 5.0 / 6.0);
        near(steps.after(4.0), 5.0 / 6.0 * 0.5);
        near(steps.after(6.0), 0.0);
    }

    #[test]
    fn a_curve_that_knows_more_has_a_smaller_brier_score() {
        let n = 400;
        let early = |i: usize| i.is_multiple_of(2);
        let days: Vec<f64> = (0..n).map(|i| if early(i) { 20.0 + (i % 50) as f64 } else { 400.0 }).collect();
        let known = Seen { observed: (0..n).map(early).collect(), days };
        let rows: Vec<usize> = (0..n).collect();
        let curves = |good: bool| -> Vec<f64> {
            (0..n)
                .flat_map(|i| {
                    [if !good {
                        0.5
                    } else if early(i) {
                        0.1
                    } else {
                        0.95
                    }; PERIODS]
                })
                .collect()
        };
        let (good, flat) = (figures(&curves(true), &known, &rows), figures(&curves(false), &known, &rows));
        assert!(good.integrated_brier < good.integrated_brier_of_curve);
        assert!(flat.integrated_brier > good.integrated_brier);
        assert_eq!(good.horizons.iter().map(|h| h.days).collect::<Vec<_>>(), HORIZONS);
        assert!((good.horizons[2].observed - 0.5).abs() < 1e-12 && (good.horizons[2].predicted - 0.475).abs() < 1e-12);
    }
}
