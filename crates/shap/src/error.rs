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
}
