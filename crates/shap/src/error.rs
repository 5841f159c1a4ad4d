//! What can be wrong with a model file or with rows handed in.

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are neither XGBoost JSON nor UBJSON.
    #[error("the model file is damaged or of another format: {0}")]
    Malformed(String),
    /// A model that this crate doesn't explain.
    #[error("the model uses {0}, which is not supported")]
    Unsupported(String),
    /// The rows have another width than the model.
    #[error("the rows hold {given} values, which is no multiple of the model's {expected} features")]
    Width {
        /// Number of values handed in.
        given: usize,
        /// Number of features the model has.
        expected: usize,
    },
    /// The groups of features don't fit the explanations.
    #[error("{given} features are put into {width} groups, but there are {features} features, or a group is numbered {width} or higher")]
    Groups {
        /// Number of features that have a group.
        given: usize,
        /// Number of features that are explained.
        features: usize,
        /// Number of groups.
        width: usize,
    },
}
