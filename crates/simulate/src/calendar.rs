//! Days are counted from the first simulated one; months are those of the calendar.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, Utc};

/// A calendar month as a span of days, counted from the first simulated day; the last one ends with `as_of`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Month {
    /// 0 for the first one.
    pub(crate) index: usize,
    /// First day.
    pub(crate) from: i32,
    /// The day after its last one.
    pub(crate) to: i32,
    /// Its first day as a date.
    pub(crate) first: NaiveDate,
}

impl Month {
    /// `2026-06`.
    pub(crate) fn label(&self) -> String {
        self.first.format("%Y-%m").to_string()
    }

    /// Is what happened on `day` written into this month's files? The first month's files also hold all that came before.
    pub(crate) fn holds(&self, day: i32) -> bool {
        day < self.to && (day >= self.from || self.index == 0)
    }
}

/// Turns day numbers into dates.
#[derive(Debug, Clone)]
pub(crate) struct Calendar {
    /// The first simulated day.
    pub(crate) start: NaiveDate,
    /// Simulated days.
    pub(crate) days: i32,
    /// The calendar months.
    pub(crate) months: Vec<Month>,
}

impl Calendar {
    pub(crate) fn new(as_of: NaiveDate, months: u32) -> Self {
        let this_month = as_of.with_day(1).unwrap_or(as_of);
        let start = this_month.checked_sub_months(Months::new(months.saturating_sub(1))).unwrap_or(this_month);
        let days = (as_of - start).num_days() as i32 + 1;
        let day_of = |date: NaiveDate| (date - start).num_days() as i32;
        let months = (0..months)
            .filter_map(|index| {
                let first = start.checked_add_months(Months::new(index))?;
                let next = start.checked_add_months(Months::new(index + 1))?;
                Some(Month { index: index as usize, from: day_of(first), to: day_of(next).min(days), first })
            })
            .collect();
        Self { start, days, months }
    }

    pub(crate) fn date(&self, day: i32) -> NaiveDate {
        let days = Days::new(day.unsigned_abs().into());
        let date = if day < 0 { self.start.checked_sub_days(days) } else { self.start.checked_add_days(days) };
        date.unwrap_or(self.start)
    }

    /// Seconds since 1970 of a second of a day.
    pub(crate) fn unix(&self, day: i32, second: i64) -> i64 {
        self.date(day).signed_duration_since(NaiveDate::default()).num_days() * 86_400 + second
    }

    fn at(&self, day: i32, second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(self.unix(day, second), 0).unwrap_or_default()
    }

    /// As Salesforce writes it: `2026-06-30T09:12:44.000+0000`.
    pub(crate) fn salesforce(&self, day: i32, second: i64) -> String {
        self.at(day, second).format("%Y-%m-%dT%H:%M:%S.000+0000").to_string()
    }

    /// As Zendesk writes it: `2026-06-30T09:12:44Z`.
    pub(crate) fn zendesk(&self, day: i32, second: i64) -> String {
        self.at(day, second).format("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// The day that lies `months` months after `day`.
    pub(crate) fn add_months(&self, day: i32, months: u32) -> i32 {
        let date = self.date(day);
        let later = date.checked_add_months(Months::new(months)).unwrap_or(date);
        (later - self.start).num_days() as i32
    }

    /// Month of the year, 1 to 12.
    pub(crate) fn month_of_year(&self, day: i32) -> u32 {
        self.date(day).month()
    }

    /// Is it Saturday or Sunday?
    pub(crate) fn is_weekend(&self, day: i32) -> bool {
        self.date(day).weekday().number_from_monday() > 5
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(s: &str) -> NaiveDate {
        s.parse().unwrap()
    }

    #[test]
    fn eighteen_months_until_june_begin_in_january_of_the_year_before() {
        let calendar = Calendar::new(date("2026-06-30"), 18);
        assert_eq!(calendar.start, date("2025-01-01"));
        assert_eq!(calendar.days, 546);
        assert_eq!(calendar.months.len(), 18);
        assert_eq!(calendar.months[17].to, 546);
        assert_eq!(calendar.date(545), date("2026-06-30"));
    }

    #[test]
    fn the_last_month_ends_with_as_of() {
        let calendar = Calendar::new(date("2026-07-04"), 2);
        assert_eq!(calendar.months[1].to - calendar.months[1].from, 4);
        assert!(calendar.months[0].holds(-500) && !calendar.months[1].holds(-500));
    }
}
