//! What to simulate.

use std::path::PathBuf;

use chrono::NaiveDate;

use crate::Error;

/// What to simulate, and where to write it.
#[derive(Debug, Clone)]
pub struct Config {
    /// Paying customers on the first day. About 1.4 % more join each month, and about as many leave.
    pub accounts: usize,
    /// Calendar months of history; the last one is the month of `as_of`.
    pub months: u32,
    /// Usage events a day over the whole company, on average; by default seven for four accounts.
    pub events_per_day: Option<u64>,
    /// Another seed is another company.
    pub seed: u64,
    /// The last day that the extracts know.
    pub as_of: NaiveDate,
    /// The folder that gets `salesforce/`, `stripe/`, `zendesk/`, `mixpanel/` and `truth/`.
    pub out: PathBuf,
}

impl Config {
    /// The demo's company: 2,000 accounts, 18 months, until the end of June 2026.
    #[must_use]
    pub fn demo(out: PathBuf) -> Self {
        Self {
            accounts: 2_000,
            months: 18,
            events_per_day: None,
            seed: 42,
            as_of: NaiveDate::from_ymd_opt(2026, 6, 30).unwrap_or_default(),
            out,
        }
    }

    /// The events a day that were asked for, or the default.
    #[must_use]
    pub fn daily_events(&self) -> u64 {
        self.events_per_day.unwrap_or((self.accounts as u64 * 7).div_ceil(4))
    }

    /// # Errors
    /// If a number makes no company.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        let wrong = |what: &str| Err(Error::Config(what.to_string()));
        if self.accounts == 0 || self.accounts > 2_000_000 {
            return wrong("accounts must be between 1 and 2,000,000");
        }
        if self.months == 0 || self.months > 120 {
            return wrong("months must be between 1 and 120");
        }
        if self.daily_events() > 50_000_000 {
            return wrong("events per day must not be more than 50,000,000");
        }
        Ok(())
    }
}
