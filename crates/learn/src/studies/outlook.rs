//! Whether the time to churn that a model predicts is the time it takes the customers of a company it has never seen.

use chrono::Days;
use serde_json::{Value, json};

use super::company::{Company, tonight};
use crate::estimate::survival::{HORIZONS, SurvivalModel};

/// Customers are put into so many groups of one size, by predicted risk.
const GROUPS: usize = 5;

/// Predicted and observed churn on the last evening after which everybody was seen for 180 days: one row a customer.
pub(super) fn judge(survival: &SurvivalModel, fresh: &Company) -> Value {
    let times = fresh.data.times.as_ref().unwrap();
    let long_ago = tonight() - Days::new(u64::from(HORIZONS[2]));
    let evening = *times.rows.dates.iter().filter(|d| **d <= long_ago).max().unwrap();
    let rows: Vec<usize> = (0..times.days.len()).filter(|r| times.rows.dates[*r] == evening && times.days[*r] > 0.0).collect();
    let outlooks = survival.outlook(&times.rows.table, &rows).unwrap();
    let left_by = |row: usize, days: f64| times.rows.events[row] && times.days[row] <= days;
    let horizons: Vec<Value> = (0..HORIZONS.len())
        .map(|h| {
            let days = f64::from(HORIZONS[h]);
            let mut said: Vec<(f64, bool)> = rows.iter().zip(&outlooks).map(|(r, o)| (1.0 - o.survival[h], left_by(*r, days))).collect();
            said.sort_by(|a, b| a.0.total_cmp(&b.0));
            let groups: Vec<Value> = said.chunks(said.len().div_ceil(GROUPS)).map(group).collect();
            let mut whole = group(&said);
            whole["days"] = json!(HORIZONS[h]);
            whole["groups"] = json!(groups);
            whole
        })
        .collect();
    // Where the median lies within what was seen, half of the customers should have left by then.
    let seen = (tonight() - evening).num_days() as f64;
    let medians: Vec<bool> =
        rows.iter().zip(&outlooks).filter_map(|(r, o)| o.median_days.filter(|m| *m <= seen).map(|m| left_by(*r, m))).collect();
    let left = medians.iter().filter(|left| **left).count();
    json!({"customers": rows.len(), "horizons": horizons, "median": {"customers": medians.len(), "left_by_then": left}})
}

/// Mean prediction and observed share of a group, with the share's 95% interval (Wilson 1927).
fn group(said: &[(f64, bool)]) -> Value {
    let n = said.len() as f64;
    let predicted = said.iter().map(|s| s.0).sum::<f64>() / n;
    let share = said.iter().filter(|s| s.1).count() as f64 / n;
    let (z2, middle) = (1.96f64.powi(2), share + 1.96f64.powi(2) / (2.0 * n));
    let half = 1.96 * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    let (low, high) = ((middle - half) / (1.0 + z2 / n), (middle + half) / (1.0 + z2 / n));
    json!({"predicted": predicted, "observed": share, "low": low, "high": high, "observed_by_predicted": share / predicted})
}
