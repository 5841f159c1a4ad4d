//! Bars: a histogram and a single split bar.

use super::{Frame, Ink, draw, line, plane, rect, words};
use crate::error::Error;
use plotters::style::text_anchor::{HPos, VPos};

/// One bar of a histogram.
pub(crate) struct Bin {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) count: usize,
    pub(crate) ink: Ink,
}

/// How many accounts have which score. `ticks` are labels below the axis.
pub(crate) fn histogram(bins: &[Bin], ticks: &[f64], title: &str, desc: &str) -> Result<String, Error> {
    let frame = Frame { size: (560, 190), class: "chart", title, desc, stretch: false };
    draw(&frame, |canvas| {
        let (Some(first), Some(last)) = (bins.first(), bins.last()) else { return Ok(()) };
        let top = bins.iter().map(|b| b.count).max().unwrap_or(0).max(1) as f64;
        let plane = plane(canvas, (first.from, last.to), (0.0, top * 1.08), [6, 16, 6, 24]);
        line(&plane, vec![(first.from, 0.0), (last.to, 0.0)], Ink::Grid, 1)?;
        for bin in bins.iter().filter(|b| b.count > 0) {
            let gap = (bin.to - bin.from) * 0.08;
            rect(&plane, (bin.from + gap, 0.0), (bin.to - gap, bin.count as f64), bin.ink)?;
        }
        if let Some(peak) = bins.iter().max_by_key(|b| b.count) {
            let middle = f64::midpoint(peak.from, peak.to);
            words(&plane, (middle, peak.count as f64), (0, -3), &peak.count.to_string(), (HPos::Center, VPos::Bottom))?;
        }
        for tick in ticks {
            let anchor = if *tick <= first.from {
                HPos::Left
            } else if *tick >= last.to {
                HPos::Right
            } else {
                HPos::Center
            };
            words(&plane, (*tick, 0.0), (0, 8), &format!("{tick:.0}"), (anchor, VPos::Top))?;
        }
        Ok(())
    })
}

/// A part of a split bar.
pub(crate) struct Slice {
    pub(crate) share: f64,
    pub(crate) ink: Ink,
}

/// One horizontal bar, split by share; it stretches to its box.
pub(crate) fn split_bar(slices: &[Slice], title: &str) -> Result<String, Error> {
    let frame = Frame { size: (1000, 10), class: "split", title, desc: "", stretch: true };
    draw(&frame, |canvas| {
        let total: f64 = slices.iter().map(|s| s.share).sum();
        let plane = plane(canvas, (0.0, total.max(f64::MIN_POSITIVE)), (0.0, 1.0), [0, 0, 0, 0]);
        let mut from = 0.0;
        for slice in slices.iter().filter(|s| s.share > 0.0) {
            rect(&plane, (from, 0.0), (from + slice.share, 1.0), slice.ink)?;
            from += slice.share;
        }
        Ok(())
    })
}
