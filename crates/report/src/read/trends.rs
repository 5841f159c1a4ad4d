//! Health over time: a few dates out of all nights, tonight and the night of comparison among them.

use super::Reader;
use super::cols::{Dates, Floats, Texts};
use crate::error::Error;
use crate::night::{Account, Health, Night, Point};
use chrono::{Duration, NaiveDate};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Points of a trend at most, roughly.
const POINTS: i64 = 24;

/// Adds the portfolio's and each account's trend, and health on the night of comparison.
pub(super) async fn add(
    reader: &Reader,
    night: &mut Night,
    accounts: &mut [Account],
    places: &BTreeMap<String, usize>,
    compare_days: u32,
) -> Result<(), Error> {
    let table = "marts.health_scores";
    let mut dates = BTreeSet::new();
    for batch in reader.query(table, "SELECT DISTINCT as_of FROM marts.health_scores WHERE as_of <= $as_of").await? {
        let column = Dates::of(&batch, "as_of")?;
        dates.extend((0..batch.num_rows()).filter_map(|row| column.get(row)));
    }
    night.compared_with = compared_with(&dates, reader.as_of, compare_days);
    let chosen = choose(&dates, night.compared_with);
    if chosen.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = chosen.iter().map(|d| format!("DATE '{d}'")).collect();
    let sql = format!(
        "SELECT account_id, as_of, health_score, health_band FROM {table} WHERE as_of IN ({}) AND health_score IS NOT NULL \
         ORDER BY as_of, account_id",
        list.join(", ")
    );
    let mut portfolio: BTreeMap<NaiveDate, (u64, f64)> = BTreeMap::new();
    for batch in reader.query(table, &sql).await? {
        let (ids, bands) = (Texts::of(&batch, "account_id")?, Texts::of(&batch, "health_band")?);
        let (on, scores) = (Dates::of(&batch, "as_of")?, Floats::of(&batch, "health_score")?);
        for row in 0..batch.num_rows() {
            let (Some(date), Some(score)) = (on.get(row), scores.get(row)) else { continue };
            let point = portfolio.entry(date).or_default();
            point.0 += 1;
            point.1 += score;
            let Some(account) = ids.get(row).and_then(|id| places.get(id)).and_then(|i| accounts.get_mut(*i)) else { continue };
            account.trend.push((date, score));
            if Some(date) == night.compared_with {
                let band = bands.get(row).map_or_else(|| Arc::from("unknown"), Arc::from);
                account.before = Some(Health { score, band, coverage_pct: None });
            }
        }
    }
    night.portfolio =
        portfolio.into_iter().map(|(as_of, (accounts, sum))| Point { as_of, mean_health: sum / accounts.max(1) as f64 }).collect();
    Ok(())
}

/// The newest night that is at least so many days back; else the oldest one there is.
fn compared_with(dates: &BTreeSet<NaiveDate>, as_of: NaiveDate, days: u32) -> Option<NaiveDate> {
    let limit = as_of - Duration::days(i64::from(days));
    let earlier = || dates.iter().copied().filter(|d| *d < as_of);
    earlier().filter(|d| *d <= limit).max().or_else(|| earlier().min())
}

/// Dates to draw: from the newest back, with a gap that keeps them few.
fn choose(dates: &BTreeSet<NaiveDate>, must: Option<NaiveDate>) -> BTreeSet<NaiveDate> {
    let (Some(first), Some(last)) = (dates.first(), dates.last()) else { return BTreeSet::new() };
    let gap = Duration::days((*last - *first).num_days().div_euclid(POINTS).max(1));
    let mut chosen = BTreeSet::from([*last]);
    let mut newest = *last;
    for date in dates.iter().rev() {
        if newest - *date >= gap {
            chosen.insert(*date);
            newest = *date;
        }
    }
    chosen.extend(must);
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(n: i64) -> NaiveDate {
        NaiveDate::default() + Duration::days(n)
    }

    #[test]
    fn compares_with_a_night_that_is_old_enough() {
        let dates: BTreeSet<_> = [0, 30, 59, 60].map(day).into();
        assert_eq!(compared_with(&dates, day(60), 28), Some(day(30)));
        assert_eq!(compared_with(&dates, day(60), 90), Some(day(0)));
        assert_eq!(compared_with(&[day(60)].into(), day(60), 28), None);
    }

    #[test]
    fn few_dates_are_drawn_however_many_nights_there_are() {
        let nightly: BTreeSet<_> = (0..730).map(day).collect();
        let chosen = choose(&nightly, Some(day(701)));
        assert!(chosen.len() <= 27 && chosen.contains(&day(729)) && chosen.contains(&day(701)), "{}", chosen.len());
        let monthly: BTreeSet<_> = (0..18).map(|m| day(m * 30)).collect();
        assert_eq!(choose(&monthly, None).len(), 18);
    }
}
