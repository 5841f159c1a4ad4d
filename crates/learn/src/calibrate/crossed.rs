//! Which map is fitted where rows come in folds instead of in time: the one that does best on folds it was not fitted on.

use cscopilot_spec::Calibration;

use crate::calibrate::Calibrator;
use crate::calibrate::choose::{Choice, EVENTS_TO_CHOOSE, ISOTONIC_EVENTS, fit};
use crate::metrics::log_loss;

/// Predictions of a fold's rows by a model that had not seen them.
#[derive(Debug, Clone, Copy)]
pub struct Outside<'a> {
    /// Margins.
    pub margins: &'a [f64],
    /// Whether the event happened.
    pub events: &'a [bool],
}

/// Fits the map that is asked for. `auto` takes the one with the least log loss where each fold's probabilities come from a map
/// fitted on the other folds; the winner is then fitted on all of them.
pub fn choose_by_folds(asked: Calibration, folds: &[Outside<'_>]) -> (Calibrator, Choice) {
    let (margins, events) = pool(folds, None);
    let mut choice = Choice::asked_for(margins.len());
    let wanted = match asked {
        Calibration::Auto => compare(folds, &mut choice),
        named => named,
    };
    let calibrator = fit(wanted, &margins, &events);
    choice.map = calibrator.name().to_owned();
    (calibrator, choice)
}

/// All folds together, or all but one.
fn pool(folds: &[Outside<'_>], without: Option<usize>) -> (Vec<f64>, Vec<bool>) {
    let (mut margins, mut events) = (Vec::new(), Vec::new());
    for (_, fold) in folds.iter().enumerate().filter(|(k, _)| Some(*k) != without) {
        margins.extend(fold.margins);
        events.extend(fold.events);
    }
    (margins, events)
}

fn compare(folds: &[Outside<'_>], choice: &mut Choice) -> Calibration {
    let counts: Vec<usize> = folds.iter().map(|f| f.events.iter().filter(|e| **e).count()).collect();
    let total: usize = counts.iter().sum();
    let least = total - counts.iter().max().copied().unwrap_or(0);
    if least < EVENTS_TO_CHOOSE {
        choice.why = format!(
            "without the fold that has most of them there are {least} events to fit on, too few to choose by, {EVENTS_TO_CHOOSE} are \
             needed: the simplest map"
        );
        return Calibration::Platt;
    }
    let mut best = (f64::INFINITY, Calibration::Platt);
    for map in [Calibration::Platt, Calibration::Beta, Calibration::Isotonic] {
        if map == Calibration::Isotonic && least < ISOTONIC_EVENTS {
            continue;
        }
        let (mut sum, mut name) = (0.0, "");
        for (k, fold) in folds.iter().enumerate() {
            let (margins, events) = pool(folds, Some(k));
            let fitted = fit(map, &margins, &events);
            name = fitted.name();
            sum += log_loss(&fitted.probabilities(fold.margins), fold.events) * fold.events.len() as f64;
        }
        let loss = sum / choice.rows as f64;
        choice.log_loss.push((name.to_owned(), loss));
        // In a draw the simpler one, which comes first.
        if loss < best.0 {
            best = (loss, map);
        }
    }
    choice.compared_rows = choice.rows;
    choice.why = "the least log loss on folds that the maps were not fitted on".to_owned();
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::sigmoid;

    fn world(n: usize, chance: impl Fn(f64) -> f64) -> (Vec<f64>, Vec<bool>) {
        let margins: Vec<f64> = (0..n).map(|i| ((i * 7919) % 997) as f64 / 997.0 * 6.0 - 3.0).collect();
        let events = margins.iter().enumerate().map(|(i, m)| ((i * 104_729) % 9973) as f64 / 9973.0 < chance(*m)).collect();
        (margins, events)
    }

    fn chosen(asked: Calibration, n: usize, chance: impl Fn(f64) -> f64) -> Choice {
        let (margins, events) = world(n, chance);
        let size = n.div_ceil(5);
        let folds: Vec<Outside<'_>> =
            margins.chunks(size).zip(events.chunks(size)).map(|(margins, events)| Outside { margins, events }).collect();
        choose_by_folds(asked, &folds).1
    }

    #[test]
    fn the_map_that_fits_the_world_wins_on_folds_it_has_not_seen() {
        let steps = |m: f64| {
            if m < 0.0 {
                0.05
            } else if m < 1.5 {
                0.5
            } else {
                0.55
            }
        };
        let found = chosen(Calibration::Auto, 6000, steps);
        assert_eq!((found.map.as_str(), found.log_loss.len(), found.compared_rows), ("isotonic", 3, 6000), "{found:?}");
        assert_eq!(found.log_loss.iter().map(|(map, _)| map.as_str()).collect::<Vec<_>>(), ["platt", "beta", "isotonic"]);
        let straight = chosen(Calibration::Auto, 6000, |m| sigmoid(0.7 * m - 1.0));
        assert_ne!(straight.map, "isotonic", "{straight:?}");
        assert_eq!(chosen(Calibration::Platt, 6000, steps).map, "platt");
    }

    #[test]
    fn few_events_take_the_simplest_map_and_say_so() {
        let few = chosen(Calibration::Auto, 300, |m| sigmoid(m - 4.0));
        assert_eq!(few.map, "platt");
        assert!(few.why.contains("too few to choose by"), "{few:?}");
        assert_eq!(chosen(Calibration::Auto, 700, |m| sigmoid(m - 2.0)).log_loss.len(), 2, "isotonic needs more events");
    }
}
