//! Whether the time to churn that a model predicts is the time it takes the customers of a company it has never seen.

use chrono::{Days, NaiveDate};
use serde_json::{Value, json};

use super::company::{Company, tonight};
use crate::data::dataset::Times;
use crate::estimate::survival::{HORIZONS, Outlook, SurvivalModel};

/// Customers are put into so many groups of one size, by predicted risk.
const GROUPS: usize = 5;

/// Predicted and observed churn on all evenings after which everybody was seen for 180 days, and on the last of them.
///
/// The simulated customers leave more and more rarely as the months go by, so on the last evening fewer leave than in the months that were
/// learned from.
pub(super) fn judge(survival: &SurvivalModel, fresh: &Company) -> Value {
    let times = fresh.data.times.as_ref().unwrap();
    let long_ago = tonight() - Days::new(u64::from(HORIZONS[2]));
    let rows: Vec<usize> = (0..times.days.len()).filter(|r| times.rows.dates[*r] <= long_ago && times.days[*r] > 0.0).collect();
    let outlooks: Vec<(usize, Outlook)> = rows.iter().copied().zip(survival.outlook(&times.rows.table, &rows).unwrap()).collect();
    let last = outlooks.iter().map(|(r, _)| times.rows.dates[*r]).max().unwrap();
    let on_last: Vec<(usize, Outlook)> = outlooks.iter().filter(|(r, _)| times.rows.dates[*r] == last).copied().collect();
    json!({"all_evenings": horizons(times, &outlooks), "last_evening": horizons(times, &on_last), "median": medians(times, &on_last, last)})
}

fn left_by(times: &Times, row: usize, days: f64) -> bool {
    times.rows.events[row] && times.days[row] <= days
}

fn horizons(times: &Times, outlooks: &[(usize, Outlook)]) -> Vec<Value> {
    let at = |h: usize| {
        let days = f64::from(HORIZONS[h]);
        let mut said: Vec<(f64, bool)> = outlooks.iter().map(|(r, o)| (1.0 - o.survival[h], left_by(times, *r, days))).collect();
        said.sort_by(|a, b| a.0.total_cmp(&b.0));
        let groups: Vec<Value> = said.chunks(said.len().div_ceil(GROUPS)).map(group).collect();
        let mut whole = group(&said);
        whole["days"] = json!(HORIZONS[h]);
        whole["groups"] = json!(groups);
        whole
    };
    (0..HORIZONS.len()).map(at).collect()
}

/// Where the median lies within what was seen, half of the customers should have left by then.
fn medians(times: &Times, outlooks: &[(usize, Outlook)], evening: NaiveDate) -> Value {
    let seen = (tonight() - evening).num_days() as f64;
    let medians: Vec<bool> =
        outlooks.iter().filter_map(|(r, o)| o.median_days.filter(|m| *m <= seen).map(|m| left_by(times, *r, m))).collect();
    json!({"customers": medians.len(), "left_by_then": medians.iter().filter(|left| **left).count()})
}

/// Mean prediction and observed share of a group.
fn group(said: &[(f64, bool)]) -> Value {
    let n = said.len() as f64;
    let predicted = said.iter().map(|s| s.0).sum::<f64>() / n;
    let share = said.iter().filter(|s| s.1).count() as f64 / n;
    json!({"rows": said.len(), "predicted": predicted, "observed": share, "observed_by_predicted": share / predicted})
}
