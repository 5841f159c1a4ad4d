//! Curves that judge a model: calibration and cumulative gains.

use super::{Frame, Ink, dot, draw, line, plane, shape, words};
use crate::error::Error;
use plotters::style::text_anchor::{HPos, VPos};

const SIZE: (u32, u32) = (420, 300);
const FREE: [i32; 4] = [44, 10, 14, 40];

/// A group of rows with neighbouring probabilities.
pub(crate) struct Calibrated {
    pub(crate) predicted: f64,
    pub(crate) observed: f64,
    /// The interval of what was observed.
    pub(crate) interval: Option<(f64, f64)>,
}

/// What was predicted against what happened; on the diagonal, predictions mean what they say.
pub(crate) fn calibration(bins: &[Calibrated], title: &str, desc: &str) -> Result<String, Error> {
    let frame = Frame { size: SIZE, class: "chart square", title, desc, stretch: false };
    draw(&frame, |canvas| {
        // Intervals of small groups may be huge: they don't decide the scale, they are cut at the top.
        let highest = bins.iter().map(|b| b.predicted.max(b.observed)).fold(0.0, f64::max);
        let top = nice_top(highest * 1.15);
        let plane = plane(canvas, (0.0, top), (0.0, top), FREE);
        axes(&plane, top, "predicted", "observed")?;
        line(&plane, vec![(0.0, 0.0), (top, top)], Ink::Rival, 1)?;
        for (x, (low, high)) in bins.iter().filter_map(|b| Some((b.predicted, b.interval?))) {
            line(&plane, vec![(x, low.min(top)), (x, high.min(top))], Ink::Whisker, 2)?;
        }
        let points: Vec<(f64, f64)> = bins.iter().map(|b| (b.predicted, b.observed)).collect();
        line(&plane, points.clone(), Ink::Accent, 2)?;
        for point in points {
            dot(&plane, point, 4, Ink::Accent)?;
        }
        Ok(())
    })
}

/// Share of all churners found among the accounts with the highest risk; the diagonal is chance.
pub(crate) fn gains(points: &[(f64, f64)], title: &str, desc: &str) -> Result<String, Error> {
    let frame = Frame { size: SIZE, class: "chart square", title, desc, stretch: false };
    draw(&frame, |canvas| {
        let plane = plane(canvas, (0.0, 1.0), (0.0, 1.0), FREE);
        axes(&plane, 1.0, "accounts contacted", "found")?;
        let mut curve = vec![(0.0, 0.0)];
        curve.extend(points.iter().copied().filter(|(x, _)| *x > 0.0));
        let mut area = curve.clone();
        area.push((1.0, 0.0));
        shape(&plane, area, Ink::Wash)?;
        line(&plane, vec![(0.0, 0.0), (1.0, 1.0)], Ink::Rival, 1)?;
        line(&plane, curve, Ink::Accent, 2)
    })
}

fn axes(plane: &super::Plane<'_>, top: f64, x: &str, y: &str) -> Result<(), Error> {
    for i in 0..=4_u8 {
        let value = top * f64::from(i) / 4.0;
        let label = percent(value, top);
        line(plane, vec![(0.0, value), (top, value)], Ink::Grid, 1)?;
        words(plane, (0.0, value), (-8, 0), &label, (HPos::Right, VPos::Center))?;
        let anchor = if i == 4 { HPos::Right } else { HPos::Center };
        words(plane, (value, 0.0), (0, 7), &label, (anchor, VPos::Top))?;
    }
    words(plane, (top / 2.0, 0.0), (0, 24), x, (HPos::Center, VPos::Top))?;
    words(plane, (0.0, top), (6, 2), y, (HPos::Left, VPos::Top))
}

fn percent(value: f64, top: f64) -> String {
    if top < 0.08 { format!("{:.1}%", value * 100.0) } else { format!("{:.0}%", value * 100.0) }
}

/// The next number at or above whose quarters are round, in percent: 4, 8, 12, 20 …
fn nice_top(value: f64) -> f64 {
    [0.02, 0.04, 0.08, 0.12, 0.16, 0.2, 0.24, 0.32, 0.4, 0.6, 0.8].into_iter().find(|top| value <= *top).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_ends_at_a_round_number() {
        assert!((nice_top(0.17) - 0.2).abs() < 1e-12);
        assert!((nice_top(0.97) - 1.0).abs() < 1e-12);
    }
}
