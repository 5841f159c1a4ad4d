//! What a training leaves behind: files in the lake, a card for readers, a row for machines.

pub mod card;
pub mod compare;
pub mod decisions;
pub mod figures;
mod lake;
pub mod manifest;
pub mod mlflow;
pub mod page;
pub mod runs;
pub mod vet;
#[cfg(test)]
mod vet_tests;

pub use lake::{Aliases, FeatureInfo, FeatureList, Registered, aliases, folder, part, read, set_aliases, standing, verify, write};
