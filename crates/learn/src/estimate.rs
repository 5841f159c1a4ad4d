//! The estimators, their fitted models, and how they compete.

pub mod amount;
pub mod blend;
pub mod boosted;
pub mod extras;
pub mod fitted;
pub mod logistic;
pub mod search;
pub mod survival;
pub mod validate;

/// A model file for tests.
#[cfg(test)]
pub(crate) fn model_of(yaml: &str) -> cscopilot_spec::Model {
    cscopilot_spec::parse("model.yaml", &yaml.into(), yaml, 0).unwrap()
}
