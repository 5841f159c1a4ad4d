//! Lines over time: the health trend of an account or a portfolio, and sparklines.

use super::{Frame, Ink, dot, draw, line, plane, rect, shape, words};
use crate::error::Error;
use chrono::{Datelike, NaiveDate};
use plotters::style::text_anchor::{HPos, VPos};

/// Where the vertical axis begins and ends, and what stands behind the line.
pub(crate) struct Scale<'a> {
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// Labels of the axis: value and words.
    pub(crate) ticks: Vec<(f64, String)>,
    /// Coloured zones behind the line: from, to, colour.
    pub(crate) zones: &'a [(f64, f64, Ink)],
}

/// A line over dates.
pub(crate) struct Series<'a> {
    pub(crate) points: &'a [(NaiveDate, f64)],
    pub(crate) title: &'a str,
    pub(crate) desc: &'a str,
    /// The value of the last point in words.
    pub(crate) last: String,
}

/// How much room a trend has; text keeps its size, so a narrow box needs a drawing of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Room {
    /// Half a page.
    Half,
    /// A column at the side.
    Side,
}

impl Room {
    fn class(self) -> &'static str {
        match self {
            Self::Half => "chart",
            Self::Side => "chart side",
        }
    }

    fn size(self) -> (u32, u32) {
        match self {
            Self::Half => (560, 200),
            Self::Side => (350, 190),
        }
    }
}

const FREE: [i32; 4] = [30, 10, 34, 24];

fn day(date: NaiveDate) -> f64 {
    f64::from(date.num_days_from_ce())
}

/// A line with area, zones, date labels and the last value.
pub(crate) fn trend(series: &Series<'_>, scale: &Scale<'_>, room: Room) -> Result<String, Error> {
    let frame = Frame { size: room.size(), class: room.class(), title: series.title, desc: series.desc, stretch: false };
    draw(&frame, |canvas| {
        let (Some(first), Some(last)) = (series.points.first(), series.points.last()) else { return Ok(()) };
        let (from, to) = (day(first.0), day(last.0));
        let to = if to > from { to } else { from + 1.0 };
        let plane = plane(canvas, (from, to), (scale.from, scale.to), FREE);
        for (low, high, ink) in scale.zones {
            rect(&plane, (from, *low), (to, *high), *ink)?;
        }
        for (value, label) in &scale.ticks {
            line(&plane, vec![(from, *value), (to, *value)], Ink::Grid, 1)?;
            words(&plane, (from, *value), (-8, 0), label, (HPos::Right, VPos::Center))?;
        }
        let points: Vec<(f64, f64)> = series.points.iter().map(|(date, value)| (day(*date), value.clamp(scale.from, scale.to))).collect();
        if let [(only_x, only_y)] = points[..] {
            line(&plane, vec![(only_x, only_y), (to, only_y)], Ink::Accent, 2)?;
        } else {
            let mut area = points.clone();
            area.push((to, scale.from));
            area.push((from, scale.from));
            shape(&plane, area, Ink::Wash)?;
            line(&plane, points.clone(), Ink::Accent, 2)?;
        }
        if let Some((_, y)) = points.last() {
            dot(&plane, (to, *y), 4, Ink::Accent)?;
            words(&plane, (to, *y), (9, 0), &series.last, (HPos::Left, VPos::Center))?;
        }
        for (date, anchor) in labels(first.0, last.0, room) {
            let text = date.format("%b %Y").to_string();
            words(&plane, (day(date), scale.from), (0, 8), &text, (anchor, VPos::Top))?;
        }
        Ok(())
    })
}

/// Dates to write below the axis: both ends, and the middle where there is room for it.
fn labels(first: NaiveDate, last: NaiveDate, room: Room) -> Vec<(NaiveDate, HPos)> {
    let span = (last - first).num_days();
    if span <= 0 {
        return vec![(first, HPos::Left)];
    }
    if span < 45 {
        return vec![(first, HPos::Left), (last, HPos::Right)];
    }
    let mut all = vec![(first, HPos::Left)];
    if span > 120 && matches!(room, Room::Half) {
        all.push((first + chrono::Duration::days(span / 2), HPos::Center));
    }
    all.push((last, HPos::Right));
    all
}

/// A tiny line without labels, beside figures that say the same: it has no title, and colours come from its class alone.
pub(crate) fn spark(values: &[f64]) -> Result<String, Error> {
    let frame = Frame { size: (160, 40), class: "spark", title: "", desc: "", stretch: false };
    draw(&frame, |canvas| {
        let Some(last) = values.last() else { return Ok(()) };
        let plane = plane(canvas, (0.0, (values.len().max(2) - 1) as f64), spark_range(values), [4, 5, 7, 5]);
        let points: Vec<(f64, f64)> = values.iter().enumerate().map(|(i, v)| (i as f64, *v)).collect();
        line(&plane, points, Ink::Accent, 3)?;
        dot(&plane, ((values.len() - 1) as f64, *last), 5, Ink::Accent)
    })
}

/// The vertical range of a sparkline: at least 20 points high, so that noise doesn't look like drama.
fn spark_range(values: &[f64]) -> (f64, f64) {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let slack = ((20.0 - (high - low)) / 2.0).max(0.0);
    (low - slack, high + slack)
}
