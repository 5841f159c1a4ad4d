//! The estimators, their fitted models, and how they compete.

pub mod boosted;
pub mod fitted;
pub mod logistic;
pub mod validate;
