//! Charts as inline SVG.
//!
//! `plotters` draws with sentinel colours; [`ink::restyle`] turns each of them into a CSS class, so that one drawing serves
//! light, dark and print, and drops the attributes that the style sheet sets. Each chart has a title and a description for
//! those who can't see it.

mod bars;
mod curves;
mod ink;
mod trend;

pub(crate) use bars::{Bin, Slice, histogram, split_bar};
pub(crate) use curves::{Calibrated, calibration, gains};
pub(crate) use ink::Ink;
pub(crate) use trend::{Room, Scale, Series, spark, trend};

use crate::error::Error;
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// The canvas of one chart.
type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// A canvas with coordinates.
type Plane<'a> = DrawingArea<SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// What a reader gets who can't see the drawing, and the classes of the outer element.
struct Frame<'a> {
    size: (u32, u32),
    class: &'a str,
    title: &'a str,
    desc: &'a str,
    /// Stretch to the box instead of keeping the aspect.
    stretch: bool,
}

/// Draws one chart and returns it as an `<svg>` element.
fn draw(frame: &Frame<'_>, body: impl FnOnce(&Canvas<'_>) -> Result<(), Error>) -> Result<String, Error> {
    let mut raw = String::with_capacity(4096);
    {
        let canvas = SVGBackend::with_string(&mut raw, frame.size).into_drawing_area();
        body(&canvas)?;
        canvas.present().map_err(Error::chart)?;
    }
    let mut out = String::with_capacity(raw.len() / 2 + 256);
    let (width, height) = frame.size;
    out.push_str(&format!("<svg class=\"{}\" viewBox=\"0 0 {width} {height}\"", frame.class));
    out.push_str(if frame.title.is_empty() { " aria-hidden=\"true\"" } else { " role=\"img\"" });
    if frame.stretch {
        out.push_str(" preserveAspectRatio=\"none\"");
    }
    out.push('>');
    if !frame.title.is_empty() {
        ink::element(&mut out, "title", frame.title);
    }
    if !frame.desc.is_empty() {
        ink::element(&mut out, "desc", frame.desc);
    }
    ink::restyle(&raw, &mut out, !frame.title.is_empty());
    out.push_str("</svg>");
    Ok(out)
}

/// Coordinates over a part of the canvas: `x` and `y` are data ranges, `left … bottom` the pixels that stay free.
fn plane<'a>(canvas: &Canvas<'a>, x: (f64, f64), y: (f64, f64), free: [i32; 4]) -> Plane<'a> {
    let (width, height) = canvas.dim_in_pixel();
    let [left, top, right, bottom] = free;
    let (width, height) = (i32::try_from(width).unwrap_or(0), i32::try_from(height).unwrap_or(0));
    canvas.apply_coord_spec(Cartesian2d::<RangedCoordf64, RangedCoordf64>::new(
        x.0..x.1,
        y.0..y.1,
        (left..width - right, height - bottom..top),
    ))
}

/// A straight or broken line.
fn line(plane: &Plane<'_>, points: Vec<(f64, f64)>, ink: Ink, width: u32) -> Result<(), Error> {
    plane.draw(&PathElement::new(points, ink.color().stroke_width(width))).map_err(Error::chart)
}

/// A filled shape.
fn shape(plane: &Plane<'_>, points: Vec<(f64, f64)>, ink: Ink) -> Result<(), Error> {
    plane.draw(&Polygon::new(points, ink.color().filled())).map_err(Error::chart)
}

/// A filled rectangle between two corners.
fn rect(plane: &Plane<'_>, from: (f64, f64), to: (f64, f64), ink: Ink) -> Result<(), Error> {
    plane.draw(&Rectangle::new([from, to], ink.color().filled())).map_err(Error::chart)
}

/// A dot.
fn dot(plane: &Plane<'_>, at: (f64, f64), radius: i32, ink: Ink) -> Result<(), Error> {
    plane.draw(&Circle::new(at, radius, ink.color().filled())).map_err(Error::chart)
}

/// Words beside a point: `shift` in pixels.
fn words(plane: &Plane<'_>, at: (f64, f64), shift: (i32, i32), text: &str, anchor: (HPos, VPos)) -> Result<(), Error> {
    let color = Ink::Text.color();
    let style = TextStyle::from(("sans-serif", 12).into_font()).color(&color).pos(Pos::new(anchor.0, anchor.1));
    plane.draw(&(EmptyElement::at(at) + Text::new(text.to_owned(), shift, style))).map_err(Error::chart)
}
