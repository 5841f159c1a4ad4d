//! Renders the static site that customer success managers read.
//!
//! One way through: [`read`] turns the lake's tables into a [`night::Night`] of plain data, [`view`] words it for each page,
//! [`render`] fills the project's templates on all cores, [`publish`] stages the files and makes them current by one
//! atomic switch. Pages are a function of the lake's rows, the project's files and `as_of`: no clock, no hash order.
//!
//! The site works without JavaScript and from `file://`: links are relative, styles are one file, charts are inline SVG.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod chart;
mod error;
mod format;
mod night;
mod publish;
mod read;
mod render;
mod settings;
mod site;
mod slug;
mod templates;
mod tone;
mod view;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use error::Error;
pub use site::{Task, check, run, tasks};
