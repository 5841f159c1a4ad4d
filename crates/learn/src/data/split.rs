//! Cutting the past: what is learned from always ends a whole label window before what is judged on begins.

use chrono::{Days, NaiveDate};
use cscopilot_spec::Split;

use crate::data::dataset::Dataset;
use crate::data::folds;

/// One fold of the development period: a model of `train` predicts `valid`.
#[derive(Debug, Clone, PartialEq)]
pub struct Fold {
    /// Rows to learn from.
    pub train: Vec<usize>,
    /// Later rows to predict; in a cross-validation, those of the fold.
    pub valid: Vec<usize>,
}

/// How the rows are used.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Folds that roll forward in time.
    pub folds: Vec<Fold>,
    /// All rows that the judged model learns from.
    pub development: Vec<usize>,
    /// The latest rows, which only judge. In a cross-validation all rows, each judged by a model that never saw its fold.
    pub test: Vec<usize>,
    /// Whether this is a cross-validation: the folds are given ones, and have no order in time.
    pub crossed: bool,
}

/// Cuts the rows, or says in plain words why there are too few.
pub fn plan(data: &Dataset, split: &Split, gap_days: u32) -> Result<Plan, String> {
    if let Some(folds) = &data.folds {
        return folds::plan(data, folds);
    }
    let from = split.train_from.as_ref().map(|d| d.value);
    let rows: Vec<usize> = (0..data.len()).filter(|r| from.is_none_or(|f| data.dates[*r] >= f)).collect();
    if rows.is_empty() {
        return Err("no row has a label yet: the label's window is not over for any date".to_owned());
    }
    let test_from = match &split.test_from {
        Some(date) => date.value,
        None => date_at_share(data, &rows, 1.0 - split.test_fraction.value),
    };
    let test: Vec<usize> = rows.iter().copied().filter(|r| data.dates[*r] >= test_from).collect();
    let development = ending_before(data, &rows, test_from, gap_days);
    if development.is_empty() || test.is_empty() {
        return Err(format!(
            "the labelled rows span too little time: with a gap of {gap_days} days between learning and judging, nothing is left on one side of {test_from}"
        ));
    }
    let first = split.first_train_fraction.value;
    let count = split.folds.value.max(1);
    let mut starts: Vec<NaiveDate> =
        (0..count).map(|k| date_at_share(data, &development, first + (1.0 - first) * f64::from(k) / f64::from(count))).collect();
    starts.dedup();
    let mut folds = Vec::new();
    for (k, start) in starts.iter().enumerate() {
        let end = starts.get(k + 1);
        let inside = |r: &usize| data.dates[*r] >= *start && end.is_none_or(|e| data.dates[*r] < *e);
        let valid: Vec<usize> = development.iter().copied().filter(inside).collect();
        let train = ending_before(data, &development, *start, gap_days);
        // A fold teaches something only if it can learn from both classes and has an event to predict.
        let events = data.count_events(&train);
        if events >= 2 && events < train.len() && data.count_events(&valid) >= 1 {
            folds.push(Fold { train, valid });
        }
    }
    if folds.is_empty() {
        return Err(format!(
            "the {} rows before the test period hold {} events: too few to learn from and to check on later dates",
            development.len(),
            data.count_events(&development)
        ));
    }
    Ok(Plan { folds, development, test, crossed: false })
}

/// The earliest date from which on at most `1 - share` of the rows lie, but never the first date of all.
fn date_at_share(data: &Dataset, rows: &[usize], share: f64) -> NaiveDate {
    let at = ((share * rows.len() as f64) as usize).min(rows.len() - 1);
    let (first, here) = (data.dates[rows[0]], data.dates[rows[at]]);
    // Rows of one date stay together: those of the date at the cut go to the later side.
    if here > first { here } else { rows.iter().map(|r| data.dates[*r]).find(|d| *d > first).unwrap_or(first) }
}

/// The rows of as many accounts as give about `most` rows; all rows if there are no more.
///
/// Whole accounts are kept or left out, by a hash of their index: the sample is the same every time, and an account's rows
/// stay together. With some dozens of features more rows than that gain nothing that the model's interval would show.
pub fn thin(data: &Dataset, rows: &[usize], most: usize) -> Vec<usize> {
    if rows.len() <= most {
        return rows.to_vec();
    }
    let share = most as f64 / rows.len() as f64;
    rows.iter().copied().filter(|r| drawn(u64::from(data.accounts[*r]), share)).collect()
}

/// About `most` of the rows, drawn one by one; all rows if there are no more.
///
/// Where each row says much about the same event, a few evenings of many accounts teach more than all evenings of a few. The sample is the
/// same every time.
pub fn scatter(rows: &[usize], most: usize) -> Vec<usize> {
    if rows.len() <= most {
        return rows.to_vec();
    }
    let share = most as f64 / rows.len() as f64;
    rows.iter().copied().filter(|r| drawn(*r as u64, share)).collect()
}

/// Whether a number is among the share of all numbers that is drawn.
fn drawn(number: u64, share: f64) -> bool {
    (hash(number) as f64) < share * u64::MAX as f64
}

/// Which of some folds an account is in: the same every time, and its rows stay together.
pub fn fold_of(account: u32, folds: u64) -> u64 {
    hash(u64::from(account)) % folds
}

/// SplitMix64's finaliser.
fn hash(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// The rows whose label window is over before `start`.
fn ending_before(data: &Dataset, rows: &[usize], start: NaiveDate, gap_days: u32) -> Vec<usize> {
    let over = |r: &usize| data.dates[*r].checked_add_days(Days::new(u64::from(gap_days))).is_some_and(|end| end <= start);
    rows.iter().copied().filter(over).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cscopilot_spec::At;

    fn months(count: u32, per_month: u32, event_every: u32) -> Dataset {
        let mut data = Dataset::default();
        for month in 0..count {
            let date = NaiveDate::from_ymd_opt(2022 + (month / 12) as i32, month % 12 + 1, 1).unwrap();
            for account in 0..per_month {
                data.dates.push(date);
                data.accounts.push(account);
                data.events.push((month * per_month + account).is_multiple_of(event_every));
            }
        }
        data
    }

    #[test]
    fn no_label_window_of_learning_rows_reaches_what_is_judged() {
        let data = months(18, 50, 20);
        let gap = 35;
        let plan = plan(&data, &Split::default(), gap).unwrap();
        let judged = plan.folds.iter().map(|f| (&f.train, &f.valid)).chain([(&plan.development, &plan.test)]);
        for (train, later) in judged {
            let last = data.dates[*train.last().unwrap()] + Days::new(u64::from(gap));
            assert!(last <= data.dates[later[0]]);
        }
        assert_eq!(plan.folds.len(), 3);
        let share = plan.test.len() as f64 / data.len() as f64;
        assert!((0.25..=0.4).contains(&share), "{share}");
    }

    #[test]
    fn a_fixed_test_date_is_kept() {
        let data = months(18, 50, 20);
        let date = NaiveDate::from_ymd_opt(2023, 4, 1).unwrap();
        let plan = plan(&data, &Split { test_from: Some(At::nowhere(date)), ..Split::default() }, 35).unwrap();
        assert_eq!(data.dates[plan.test[0]], date);
    }

    #[test]
    fn large_data_is_thinned_by_whole_accounts() {
        let data = months(18, 1000, 20);
        let all: Vec<usize> = (0..data.len()).collect();
        let thinned = thin(&data, &all, 5000);
        assert!((4200..5800).contains(&thinned.len()), "{}", thinned.len());
        assert_eq!(thinned.len() % 18, 0);
        assert_eq!(thin(&data, &all, 18_000), all);
    }

    #[test]
    fn a_scattered_sample_holds_nearly_every_account() {
        let data = months(18, 1000, 20);
        let all: Vec<usize> = (0..data.len()).collect();
        let scattered = scatter(&all, 5000);
        assert!((4800..5200).contains(&scattered.len()), "{}", scattered.len());
        let mut accounts = data.accounts_of(&scattered);
        accounts.sort_unstable();
        accounts.dedup();
        assert!(accounts.len() > 980, "{}", accounts.len());
        assert_eq!(scatter(&all, 18_000), all);
    }

    #[test]
    fn too_little_is_refused_in_plain_words() {
        assert!(plan(&Dataset::default(), &Split::default(), 35).unwrap_err().contains("no row has a label"));
        assert!(plan(&months(1, 50, 5), &Split::default(), 35).unwrap_err().contains("too little time"));
        assert!(plan(&months(18, 50, 100_000), &Split::default(), 35).unwrap_err().contains("too few to learn"));
    }
}
