//! What scoring explains, and when the population counts as changed.

use crate::At;
use schemars::JsonSchema;
use serde::Deserialize;

/// Which scores are explained.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Explain {
    /// All: each has its reasons, and what moved it since last time.
    #[default]
    All,
    /// None: probabilities and deciles alone, several times faster.
    None,
}

/// When tonight's accounts count as different from those that the model learned from.
///
/// Measured by the population stability index (PSI) of each feature, of the score, and of the label among the accounts whose window is
/// over since. Small numbers vary by chance: a PSI counts only if chance alone would hardly give it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Drift {
    /// From this PSI on the report shows it.
    pub warn_psi: At<f64>,
    /// From this PSI on it is a warning: the run ends with exit code 3. For a feature only if it carries at least a twentieth of the
    /// model's contributions.
    pub bad_psi: At<f64>,
    /// Features that always change, such as the age of an account: they are measured but never warned of.
    pub ignore: Vec<String>,
}

impl Default for Drift {
    fn default() -> Self {
        Self { warn_psi: At::nowhere(0.1), bad_psi: At::nowhere(0.25), ignore: Vec::new() }
    }
}
