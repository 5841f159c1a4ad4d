//! Which map is fitted: the one that does best on later rows than those it was fitted on.

use chrono::{Days, NaiveDate};
use cscopilot_spec::Calibration;
use serde::Serialize;

use crate::calibrate::Calibrator;
use crate::metrics::log_loss;

/// From this many events on the isotonic curve has enough to go by; below it would fit noise.
pub(super) const ISOTONIC_EVENTS: usize = 200;
/// With fewer events on either side of the cut, a difference in log loss is chance, and Platt's two parameters are enough.
pub(super) const EVENTS_TO_CHOOSE: usize = 20;
/// The share of the rows that the competing maps are fitted on.
const FITTED_SHARE: f64 = 0.6;

/// Predictions of rows that the model had not seen, in the order of their dates.
#[derive(Debug, Clone, Copy)]
pub struct Slice<'a> {
    /// Margins.
    pub margins: &'a [f64],
    /// Whether the event happened.
    pub events: &'a [bool],
    /// Dates, rising.
    pub dates: &'a [NaiveDate],
}

/// How the map was chosen, for cards.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Choice {
    /// The map.
    pub map: String,
    /// Why this one, in plain words.
    pub why: String,
    /// Rows of the folds that it was fitted on in the end.
    pub rows: usize,
    /// First date of the later rows that the maps were compared on.
    pub compared_from: Option<NaiveDate>,
    /// Rows compared on.
    pub compared_rows: usize,
    /// Each competing map with its log loss there.
    pub log_loss: Vec<(String, f64)>,
}

impl Choice {
    /// That of the model's file, before anything is compared.
    pub(super) fn asked_for(rows: usize) -> Self {
        let why = "as the model's file says".to_owned();
        Self { map: String::new(), why, rows, compared_from: None, compared_rows: 0, log_loss: Vec::new() }
    }
}

/// Fits the map that is asked for. `auto` fits all on the earlier rows and takes the one with the least log loss on the later
/// ones, whose date lies `gap_days` or more after the last row fitted on; the winner is then fitted on all rows.
pub fn choose(asked: Calibration, slice: Slice<'_>, gap_days: u32) -> (Calibrator, Choice) {
    let Slice { margins, events, .. } = slice;
    let mut choice = Choice::asked_for(margins.len());
    let wanted = match asked {
        Calibration::Auto => compare(slice, gap_days, &mut choice),
        named => named,
    };
    let calibrator = fit(wanted, margins, events);
    choice.map = calibrator.name().to_owned();
    (calibrator, choice)
}

/// Fits one map.
pub(crate) fn fit(map: Calibration, margins: &[f64], events: &[bool]) -> Calibrator {
    match map {
        Calibration::Isotonic => Calibrator::isotonic(margins, events),
        Calibration::Beta => Calibrator::beta(margins, events),
        Calibration::Platt | Calibration::Auto => Calibrator::platt(margins, events),
    }
}

fn compare(slice: Slice<'_>, gap_days: u32, choice: &mut Choice) -> Calibration {
    let Slice { margins, events, dates } = slice;
    let count = |events: &[bool]| events.iter().filter(|e| **e).count();
    let cut = dates.get((FITTED_SHARE * dates.len() as f64) as usize).copied().unwrap_or_default();
    let later = dates.partition_point(|d| *d < cut);
    // A label that is not over by the cut isn't known there.
    let earlier = dates.partition_point(|d| d.checked_add_days(Days::new(u64::from(gap_days))).is_some_and(|end| end <= cut));
    let (fitted, judged) = (count(&events[..earlier]), count(&events[later..]));
    if fitted.min(judged) < EVENTS_TO_CHOOSE {
        choice.why = format!(
            "{fitted} events to fit on and {judged} later ones to compare on are too few to choose by, {EVENTS_TO_CHOOSE} each are needed: \
             the simplest map"
        );
        return Calibration::Platt;
    }
    let isotonic = count(events) >= ISOTONIC_EVENTS;
    let mut best = (f64::INFINITY, Calibration::Platt);
    for map in [Calibration::Platt, Calibration::Beta, Calibration::Isotonic] {
        if map == Calibration::Isotonic && !isotonic {
            continue;
        }
        let fitted = fit(map, &margins[..earlier], &events[..earlier]);
        let loss = log_loss(&fitted.probabilities(&margins[later..]), &events[later..]);
        choice.log_loss.push((fitted.name().to_owned(), loss));
        // In a draw the simpler one, which comes first.
        if loss < best.0 {
            best = (loss, map);
        }
    }
    choice.compared_from = Some(cut);
    choice.compared_rows = events.len() - later;
    choice.why = "the least log loss on later rows than those the maps were fitted on".to_owned();
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::sigmoid;

    fn days(n: usize) -> Vec<NaiveDate> {
        (0..n).map(|i| NaiveDate::default() + Days::new(i as u64 / 100)).collect()
    }

    fn world(n: usize, chance: impl Fn(f64) -> f64) -> (Vec<f64>, Vec<bool>) {
        let margins: Vec<f64> = (0..n).map(|i| ((i * 7919) % 997) as f64 / 997.0 * 6.0 - 3.0).collect();
        let events = margins.iter().enumerate().map(|(i, m)| ((i * 104_729) % 9973) as f64 / 9973.0 < chance(*m)).collect();
        (margins, events)
    }

    fn chosen(n: usize, chance: impl Fn(f64) -> f64) -> Choice {
        let (margins, events) = world(n, chance);
        choose(Calibration::Auto, Slice { margins: &margins, events: &events, dates: &days(n) }, 3).1
    }

    #[test]
    fn each_map_wins_in_its_own_world() {
        let straight = chosen(9000, |m| sigmoid(0.7 * m - 1.0));
        assert!(straight.map != "isotonic" && straight.log_loss.len() == 3, "{straight:?}");
        let steps = chosen(9000, |m| {
            if m < 0.0 {
                0.05
            } else if m < 1.5 {
                0.5
            } else {
                0.55
            }
        });
        assert_eq!(steps.map, "isotonic", "{steps:?}");
        let tails = chosen(9000, |m| sigmoid(2.5 * m.min(0.0) + 0.1 * m.max(0.0) - 0.5));
        assert!(tails.map != "platt", "{tails:?}");
        assert_eq!(straight.rows, 9000);
        assert_eq!(straight.compared_rows, 3600);
    }

    #[test]
    fn few_events_take_the_simplest_map_and_say_so() {
        let few = chosen(300, |m| sigmoid(m - 3.0));
        assert_eq!(few.map, "platt");
        assert!(few.why.contains("too few to choose by"), "{few:?}");
        let some = chosen(700, |m| sigmoid(m - 2.0));
        assert_eq!(some.log_loss.len(), 2, "isotonic needs more events: {some:?}");
    }

    #[test]
    fn what_is_asked_for_is_fitted() {
        let (margins, events) = world(300, |m| sigmoid(m - 3.0));
        let slice = Slice { margins: &margins, events: &events, dates: &days(300) };
        for (asked, name) in [(Calibration::Isotonic, "isotonic"), (Calibration::Beta, "beta"), (Calibration::Platt, "platt")] {
            assert_eq!(choose(asked, slice, 3).1.map, name);
        }
    }
}
