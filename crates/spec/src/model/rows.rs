//! Which rows count, what they are worth, and by what they are told apart.

use crate::At;
use schemars::JsonSchema;
use serde::Deserialize;

/// How long an account has been a customer.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tenure {
    /// The numeric column of the features table that holds it, in days.
    pub column: At<String>,
    /// Rows of younger accounts, or of unknown age, are left out of training and judging, and counted. 0 keeps all rows.
    #[serde(default)]
    pub min_days: At<u32>,
    /// Where one band ends and the next begins, in days, rising: results are given for each band.
    #[serde(default = "default_bands")]
    pub bands_days: Vec<At<u32>>,
}

fn default_bands() -> Vec<At<u32>> {
    vec![At::nowhere(90), At::nowhere(365)]
}

/// What a campaign to keep customers costs and brings, per customer: with it, models are also compared by the expected
/// maximum profit (Verbraken, Verbeke and Baesens 2013).
///
/// The share of would-be leavers who accept the offer isn't known: it follows a beta distribution with `alpha` and `beta`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profit {
    /// What a customer who stays is worth, in money.
    pub clv: At<f64>,
    /// What the offer costs when it is taken, in the same money; less than `clv`.
    pub incentive: At<f64>,
    /// What contacting one customer costs.
    pub contact_cost: At<f64>,
    /// First parameter of the beta distribution; with the defaults 30 % accept on average.
    #[serde(default = "default_alpha")]
    pub alpha: At<f64>,
    /// Its second parameter.
    #[serde(default = "default_beta")]
    pub beta: At<f64>,
}

fn default_alpha() -> At<f64> {
    At::nowhere(6.0)
}

fn default_beta() -> At<f64> {
    At::nowhere(14.0)
}
