//! What a training leaves behind: files in the lake, a card for readers, a row for machines.

pub mod card;
mod lake;
pub mod runs;

pub use lake::{Aliases, FeatureInfo, FeatureList, Registered, aliases, folder, read, set_aliases, write};
