//! Which rows of the features table a model learns from.

use crate::At;
use schemars::JsonSchema;
use serde::Deserialize;

/// Which of the features table's rows a model learns from. Tonight's rows are scored whatever stands here.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Spine {
    /// The last days of the latest months.
    MonthEnds {
        /// How many months back from the date of the run.
        months: At<u32>,
    },
    /// One row per renewal: the latest that is at least so many days before it.
    Renewals {
        /// The date column of the features table that holds the next renewal.
        column: At<String>,
        /// The model is asked so many days ahead.
        days_before: At<u32>,
    },
}
