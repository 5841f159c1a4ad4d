//! Whether the time to churn that a model predicts is the time it takes the customers of a company it has never seen.

use std::ops::RangeInclusive;

use chrono::{Days, NaiveDate};
use cscopilot_spec::Model;
use serde_json::{Value, json};

use super::company::{Company, tonight};
use crate::data::dataset::{Dataset, Seen, Times};
use crate::data::split;
use crate::estimate::survival::{self, HORIZONS, Outlook, SurvivalModel};

/// Customers are put into so many groups of one size, by predicted risk.
const GROUPS: usize = 5;
/// By how much what was said may be off: a share of it, or so many points (as a share) if that is more.
#[derive(Clone, Copy)]
struct Limit {
    share: f64,
    points: f64,
}

/// The months that the model has learned from, but of another company.
const SAME_MONTHS: Limit = Limit { share: 0.10, points: 0.01 };
/// The half year after the evening of the model: of the whole, and of a fifth.
const LATER_MONTHS: [Limit; 2] = [Limit { share: 0.15, points: 0.0 }, Limit { share: 0.20, points: 0.015 }];
/// By their median so many of the customers should have left, as shares, where there are enough of them.
const LEFT_BY_MEDIAN: RangeInclusive<f64> = 0.40..=0.60;
const ENOUGH_MEDIANS: u64 = 100;
/// Models of fewer customers may be off by more: of 500 some dozens leave in a year.
const ENOUGH_ACCOUNTS: u64 = 1000;
/// So many companies of one size are enough for means.
const MOST_COMPANIES: u64 = 8;
/// The evening of the models that know nothing of the time they are judged on: 180 days before the extracts end, so that everybody was
/// seen for the longest horizon. The shorter ones are judged on later evenings, too: churn after one evening is that of one season.
fn half_a_year_ago() -> NaiveDate {
    NaiveDate::from_ymd_opt(2025, 12, 31).unwrap()
}

/// The model that a night would have trained on an evening.
fn trained_on(evening: NaiveDate, model: &Model, company: &Company) -> Option<SurvivalModel> {
    let over = |date: &NaiveDate| *date + Days::new(u64::from(model.window_days())) <= evening;
    let labelled = company.data.dates.partition_point(over);
    let times = company.data.times.as_ref()?;
    let Seen { mut days, mut observed } = times.known_by(evening);
    let mut rows = times.rows.clone();
    let there = rows.dates.partition_point(|date| *date < evening);
    days.truncate(there);
    observed.truncate(there);
    rows.dates.truncate(there);
    rows.accounts.truncate(there);
    rows.table.columns.iter_mut().for_each(|column| column.truncate(there));
    rows.table.rows = there;
    rows.events = observed;
    let data = Dataset {
        dates: company.data.dates[..labelled].to_vec(),
        events: company.data.events[..labelled].to_vec(),
        accounts: company.data.accounts[..labelled].to_vec(),
        times: Some(Box::new(Times { rows, days })),
        ..Dataset::default()
    };
    let plan = split::plan(&data, &model.split, model.window_days()).ok()?;
    let (from, test_from) = (data.dates[0], data.dates[plan.test[0]]);
    Some(survival::train(model, &data, from, test_from).unwrap()?.model)
}

fn left_by(times: &Times, row: usize, days: f64) -> bool {
    times.rows.events[row] && times.days[row] <= days
}

/// How long everybody was seen for after a row's evening, in days.
fn seen_days(times: &Times, row: usize) -> f64 {
    (tonight() - times.rows.dates[row]).num_days() as f64
}

/// Predicted and observed churn of the fresh company on some evenings: for each horizon those that are followed by as many days.
fn judge(survival: &SurvivalModel, fresh: &Company, evenings: RangeInclusive<NaiveDate>) -> Value {
    let times = fresh.data.times.as_ref().unwrap();
    let rows: Vec<usize> = (0..times.days.len()).filter(|r| evenings.contains(&times.rows.dates[*r]) && times.days[*r] > 0.0).collect();
    let outlooks: Vec<(usize, Outlook)> = rows.iter().copied().zip(survival.outlook(&times.rows.table, &rows).unwrap()).collect();
    let half_a_year = f64::from(HORIZONS[2]);
    json!({
        "horizons": horizons(times, &outlooks),
        "median": medians(times, &outlooks, |row| seen_days(times, row)),
        "median_within_180_days": medians(times, &outlooks, |row| seen_days(times, row).min(half_a_year)),
    })
}

fn horizons(times: &Times, outlooks: &[(usize, Outlook)]) -> Vec<Value> {
    let at = |h: usize| {
        let days = f64::from(HORIZONS[h]);
        let over = outlooks.iter().filter(|(r, _)| seen_days(times, *r) >= days);
        let mut said: Vec<(f64, bool)> = over.map(|(r, o)| (1.0 - o.survival[h], left_by(times, *r, days))).collect();
        said.sort_by(|a, b| a.0.total_cmp(&b.0));
        let groups: Vec<Value> = said.chunks(said.len().div_ceil(GROUPS)).map(group).collect();
        let mut whole = group(&said);
        whole["days"] = json!(HORIZONS[h]);
        whole["groups"] = json!(groups);
        whole
    };
    (0..HORIZONS.len()).map(at).collect()
}

/// How many customers have a median within so many days, and how many of them had left by it.
fn medians(times: &Times, outlooks: &[(usize, Outlook)], until: impl Fn(usize) -> f64) -> Value {
    let medians: Vec<bool> =
        outlooks.iter().filter_map(|(r, o)| o.median_days.filter(|m| *m <= until(*r)).map(|m| left_by(times, *r, m))).collect();
    json!({"customers": medians.len(), "left_by_then": medians.iter().filter(|left| **left).count()})
}

/// Mean prediction and observed share of a group.
fn group(said: &[(f64, bool)]) -> Value {
    let n = said.len() as f64;
    let predicted = said.iter().map(|s| s.0).sum::<f64>() / n;
    let share = said.iter().filter(|s| s.1).count() as f64 / n;
    json!({"predicted": predicted, "observed": share, "observed_by_predicted": share / predicted})
}

/// Whether what was said of a group came about.
fn holds(group: &Value, limit: Limit) -> bool {
    let (predicted, observed) = (group["predicted"].as_f64().unwrap(), group["observed"].as_f64().unwrap());
    (observed - predicted).abs() <= f64::max(limit.points, limit.share * predicted)
}

/// The mean of groups, one of each company.
fn mean(groups: &[&Value]) -> Value {
    let of = |key: &str| groups.iter().map(|g| g[key].as_f64().unwrap()).sum::<f64>() / groups.len() as f64;
    json!({"predicted": of("predicted"), "observed": of("observed")})
}

#[tokio::test]
#[ignore = "takes many simulated companies: make study"]
async fn study_time_to_churn() {
    let folder = super::folder();
    let (_, fresh) = Company::read(&folder.join("fresh")).await;
    let mut points: Vec<Value> = Vec::new();
    let companies = super::companies(&folder);
    for (accounts, seed, path) in companies.into_iter().filter(|(_, seed, _)| *seed <= MOST_COMPANIES) {
        let (model, company) = Company::read(&path).await;
        let of = |evening: NaiveDate, evenings: RangeInclusive<NaiveDate>| {
            Some(judge(&trained_on(evening, &model, &company)?, &fresh, evenings))
        };
        let point = json!({
            "accounts": accounts, "seed": seed,
            "same_months": of(tonight(), NaiveDate::MIN..=half_a_year_ago()),
            "later_months": of(half_a_year_ago(), half_a_year_ago()..=NaiveDate::MAX),
        });
        println!("{point}");
        points.push(point);
    }
    std::fs::write(folder.join("time_to_churn.json"), serde_json::to_string_pretty(&points).unwrap()).unwrap();
    assert!(points.iter().any(|p| p["same_months"].is_object()), "no model was judged");
    let mut wrong = Vec::new();
    let mut sizes: Vec<u64> = points.iter().filter_map(|p| p["accounts"].as_u64()).collect();
    sizes.dedup();
    let limits = [("same_months", [SAME_MONTHS; 2]), ("later_months", LATER_MONTHS)];
    for (accounts, (months, limit)) in sizes.into_iter().flat_map(|accounts| limits.map(|limit| (accounts, limit))) {
        let judged: Vec<&Value> =
            points.iter().filter(|p| p["accounts"] == accounts).map(|p| &p[months]).filter(|p| p.is_object()).collect();
        for (h, days) in HORIZONS.into_iter().enumerate() {
            let all: Vec<&Value> = judged.iter().map(|p| &p["horizons"][h]).collect();
            let fifths: Vec<Value> = (0..GROUPS).map(|k| mean(&all.iter().map(|p| &p["groups"][k]).collect::<Vec<_>>())).collect();
            let percent = |g: &Value, key: &str| format!("{:.1}", 100.0 * g[key].as_f64().unwrap());
            let said: Vec<String> = fifths.iter().map(|g| format!("{} / {}", percent(g, "predicted"), percent(g, "observed"))).collect();
            let whole = mean(&all);
            let ratio = whole["observed"].as_f64().unwrap() / whole["predicted"].as_f64().unwrap();
            println!(
                "{accounts} accounts, {} models, {months}, {days} days: {ratio:.2} times as many left as was said; said / left in % by fifths of risk: {}",
                all.len(),
                said.join(", ")
            );
            if accounts >= ENOUGH_ACCOUNTS && !(holds(&whole, limit[0]) && fifths.iter().all(|fifth| holds(fifth, limit[1]))) {
                wrong.push(format!("{accounts} accounts, {months}, {days} days"));
            }
        }
        for key in ["median", "median_within_180_days"] {
            let of = |count: &str| judged.iter().filter_map(|p| p[key][count].as_u64()).sum::<u64>();
            let (left, customers) = (of("left_by_then"), of("customers"));
            let share = left as f64 / customers as f64;
            println!("{accounts} accounts, {months}: {left} of {customers} ({share:.2}) had left by their {key}");
            if accounts >= ENOUGH_ACCOUNTS && customers >= ENOUGH_MEDIANS && !LEFT_BY_MEDIAN.contains(&share) {
                wrong.push(format!("{accounts} accounts, {months}, {key}"));
            }
        }
    }
    assert!(wrong.is_empty(), "the time to churn is not what was said: {wrong:?}");
}
