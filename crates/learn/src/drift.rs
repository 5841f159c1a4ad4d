//! Drift: how far tonight's accounts are from those that the model learned from.
//!
//! A training leaves a picture of its rows beside the model (`drift.json`): for each feature and for the margin the shares of the rows in
//! bins, and the label's rate. Each night is counted into the same bins, and each is compared by the *population stability index*
//!
//! ```text
//! PSI = Σ (a − e) · ln(a / e)     e: the bin's share in training, a: tonight
//! ```
//!
//! (below 0.1 little has changed, above 0.25 a lot: the trade's rule of thumb). The bins end at the deciles of the training rows, each
//! value once, so a feature with few values has a bin for each; missing values have one of their own. A categorical feature has a bin for
//! each category with a twentieth of the rows, and one for all others. Half a row is added to each bin, so that an empty one is no infinity.
//!
//! With few accounts the PSI is large by chance alone: without any change it is about χ² with (bins − 1) degrees of freedom times
//! (1/n + 1/m) for n and m rows (Yurdakul 2018). A PSI below the 99.9% quantile of that counts as none.

mod measure;
mod picture;
mod rows;

pub(crate) use measure::{Subject, checks, measure};
pub(crate) use picture::Binned;
pub use picture::Picture;
pub(crate) use rows::batch;
pub use rows::{schema, table};

/// The picture's file in a version's folder.
pub const FILE: &str = "drift.json";
