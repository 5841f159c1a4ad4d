//! Next best actions: which play to run for which account, ranked.

use crate::alerts::{Named, as_text};
use crate::error::Result;
use crate::opportunities::write_night;
use crate::outputs::{alerts, next_actions, next_actions_schema, opportunities};
use crate::rules::cells::{Cell, as_date, cell, columns, days};
use crate::rules::{Hit, Row, Rule, evaluate, render};
use crate::sql::{bracket, date};
use arrow::array::{ArrayRef, Date32Array, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use chrono::{Days, NaiveDate};
use cscopilot_lake::TableName;
use cscopilot_lake::step::{Outcome, StepContext};
use cscopilot_spec::{At, Play, Project};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

const OWNER: &str = "__owner";
const RANK_BY: &str = "__rank_by";

/// Placeholders that tell of the alert or opportunity which a play answers; no column of the row has these names.
pub(crate) const ANSWERED: [&str; 5] = ["alert_title", "alert_message", "opportunity_title", "opportunity_message", "opportunity_product"];

/// The plays of all files, by name.
pub(crate) fn plays(project: &Project) -> Vec<Named<'_, Play>> {
    let mut all: Vec<_> = project
        .plays
        .values()
        .flat_map(|file| file.value.plays.iter().map(|(name, item)| Named { name, path: &file.path, item }))
        .collect();
    all.sort_by_key(|n| n.name);
    all
}

/// The row of plays: that of the rules, and how many alerts and opportunities the account has.
pub(crate) fn extend(row: &mut Row, as_of: NaiveDate, has_alerts: bool, has_opportunities: bool) {
    let none = |column: &str, sql_type: &str| format!("SELECT CAST(NULL AS VARCHAR) AS account_id, CAST(NULL AS {sql_type}) AS {column}");
    let open = if has_alerts {
        format!("SELECT account_id, count(*) AS n FROM {} WHERE {} GROUP BY account_id", alerts(), open_condition(as_of))
    } else {
        none("n", "BIGINT")
    };
    row.join("oa", &open, &[("open_alert_count", DataType::Int64, "coalesce(oa.n, 0)")]);
    let offers = if has_opportunities {
        format!(
            "SELECT account_id, count(*) AS n, CAST(sum(expected_arr) AS DOUBLE) AS arr FROM {} WHERE as_of = {} GROUP BY account_id",
            opportunities(),
            date(as_of)
        )
    } else {
        format!("{}, CAST(NULL AS DOUBLE) AS arr", none("n", "BIGINT"))
    };
    row.join(
        "oo",
        &offers,
        &[("opportunity_count", DataType::Int64, "coalesce(oo.n, 0)"), ("opportunity_arr", DataType::Float64, "coalesce(oo.arr, 0.0)")],
    );
}

fn open_condition(as_of: NaiveDate) -> String {
    format!("state IN ('open', 'acknowledged') AND CAST(opened_at AS DATE) <= {}", date(as_of))
}

/// What a play can answer to: an open alert, or an opportunity.
#[derive(Debug, Clone)]
struct Occasion {
    name: String,
    title: Cell,
    message: Cell,
    product: Cell,
}

type Occasions = BTreeMap<String, Vec<Occasion>>;

async fn occasions(ctx: &StepContext, sql: &str) -> Result<Occasions> {
    let mut all = Occasions::new();
    for batch in ctx.lake.query(sql, &ctx.params).await? {
        let columns = columns(&batch)?;
        let get = |name: &str, row: usize| columns.get(name).map_or(Cell::Null, |c| cell(c, row));
        for row in 0..batch.num_rows() {
            if let (Cell::Text(account), Cell::Text(name)) = (get("account_id", row), get("name", row)) {
                let occasion = Occasion { name, title: get("title", row), message: get("message", row), product: get("product", row) };
                all.entry(account).or_default().push(occasion);
            }
        }
    }
    Ok(all)
}

async fn open_alerts(ctx: &StepContext) -> Result<Occasions> {
    let sql = format!(
        "SELECT account_id, rule AS name, title, message FROM {} WHERE {} ORDER BY account_id, \
         CASE severity WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2 ELSE 3 END, rule, alert_id",
        alerts(),
        open_condition(ctx.as_of)
    );
    occasions(ctx, &sql).await
}

async fn offers(ctx: &StepContext) -> Result<Occasions> {
    let sql = format!(
        "SELECT account_id, kind AS name, title, message, product FROM {} WHERE as_of = {} \
         ORDER BY account_id, expected_arr DESC NULLS LAST, kind",
        opportunities(),
        date(ctx.as_of)
    );
    occasions(ctx, &sql).await
}

/// Computes tonight's rows of `marts.next_actions`.
///
/// # Errors
/// Where tonight's scores are missing, an expression fails on data, or the lake fails.
pub async fn run_actions(ctx: &StepContext) -> Result<Outcome> {
    let plays = plays(&ctx.project);
    let mut chosen = Vec::new();
    let mut advised = 0;
    if !plays.is_empty() {
        let has = async |table: TableName| ctx.lake.table(&table).await.map(|t| t.is_some());
        let (has_alerts, has_opportunities) = (has(alerts()).await?, has(opportunities()).await?);
        let mut row = Row::tonight(ctx).await?;
        extend(&mut row.0, ctx.as_of, has_alerts, has_opportunities);
        let queries: Vec<Rule<'_>> = plays.iter().map(query).collect();
        let sql = row.0.sql(ctx.as_of, row.1);
        let hits = evaluate(&ctx.lake, &ctx.params, &sql, &queries).await?;
        let open = if has_alerts { open_alerts(ctx).await? } else { Occasions::new() };
        let offers = if has_opportunities { offers(ctx).await? } else { Occasions::new() };
        let candidates: Vec<Hit> = hits.into_iter().filter_map(|hit| answer(plays[hit.rule].item, hit, &open, &offers)).collect();
        advised = candidates.len() as u64;
        let max = ctx.project.plays.values().map(|p| p.value.max_per_account.value).min().unwrap_or(u32::MAX);
        chosen = rank(&plays, candidates, max);
    }
    let since = running_since(ctx).await?;
    let batch = to_batch(ctx.as_of, &plays, &chosen, &since)?;
    let mut outcome = Outcome { rows_in: advised, ..Outcome::default() };
    outcome.rows_out = write_night(ctx, &next_actions(), &next_actions_schema(), batch).await?;
    outcome.fact("actions", outcome.rows_out);
    Ok(outcome)
}

fn query<'a>(named: &Named<'a, Play>) -> Rule<'a> {
    let play = named.item;
    let mut query = Rule::new(named.name, named.path, play.when.as_ref().map(|w| w.value.as_str())).with(OWNER, &as_text(&play.owner));
    if let Some(rank_by) = &play.rank_by {
        query = query.with(RANK_BY, &format!("CAST({} AS DOUBLE)", bracket(rank_by)));
    }
    for message in [Some(&play.title), Some(&play.reason), play.expected_effect.as_ref()].into_iter().flatten() {
        query = query.with_message(message);
    }
    query.values.retain(|name, _| !ANSWERED.contains(&name.as_str()));
    query
}

/// The hit, if the play's other conditions hold too, with what it answers to among its values.
fn answer(play: &Play, mut hit: Hit, alerts: &Occasions, offers: &Occasions) -> Option<Hit> {
    if hit.holds != Some(true) {
        return None;
    }
    // Occasions are ordered: the most urgent alert and the largest opportunity come first.
    let first = |wanted: &[At<String>], all: &Occasions| {
        all.get(&hit.account_id).and_then(|o| o.iter().find(|o| wanted.iter().any(|w| w.value == o.name)).cloned())
    };
    let (alert, offer) = (first(&play.alerts, alerts), first(&play.opportunities, offers));
    if (!play.alerts.is_empty() && alert.is_none()) || (!play.opportunities.is_empty() && offer.is_none()) {
        return None;
    }
    if let Some(alert) = alert {
        hit.values.insert("alert_title".to_owned(), alert.title);
        hit.values.insert("alert_message".to_owned(), alert.message);
    }
    if let Some(offer) = offer {
        hit.values.insert("opportunity_title".to_owned(), offer.title);
        hit.values.insert("opportunity_message".to_owned(), offer.message);
        hit.values.insert("opportunity_product".to_owned(), offer.product);
    }
    Some(hit)
}

/// The best so many actions of each account with their ranks from 1, ordered by account and rank.
///
/// Lower priority numbers come first, then higher `rank_by` (none comes last), then the play's name.
fn rank(plays: &[Named<'_, Play>], mut hits: Vec<Hit>, max: u32) -> Vec<(u32, Hit)> {
    let urgency = |hit: &Hit| Reverse(Total(hit.values.get(RANK_BY).and_then(Cell::number).unwrap_or(f64::NEG_INFINITY)));
    hits.sort_by(|a, b| {
        let key = |h: &Hit| (plays[h.rule].item.priority.value, urgency(h), plays[h.rule].name);
        a.account_id.cmp(&b.account_id).then_with(|| key(a).cmp(&key(b)))
    });
    let mut ranked: Vec<(u32, Hit)> = Vec::new();
    for hit in hits {
        let rank = ranked.last().filter(|(_, last)| last.account_id == hit.account_id).map_or(1, |(rank, _)| rank + 1);
        // What is beyond the maximum still counts up, so that the next one is beyond it too; it is dropped below.
        ranked.push((rank, hit));
    }
    ranked.retain(|(rank, _)| *rank <= max);
    ranked
}

/// A number with a total order.
#[derive(PartialEq)]
struct Total(f64);

impl Eq for Total {}

impl PartialOrd for Total {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Total {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// Since when the actions of the night before are advised, by account and play.
async fn running_since(ctx: &StepContext) -> Result<BTreeMap<(String, String), NaiveDate>> {
    let mut since = BTreeMap::new();
    if ctx.lake.table(&next_actions()).await?.is_none() {
        return Ok(since);
    }
    let table = next_actions();
    let tonight = date(ctx.as_of);
    let sql = format!(
        "SELECT account_id, play, since FROM {table} WHERE as_of = (SELECT max(as_of) FROM {table} WHERE as_of < {tonight}) ORDER BY account_id, play"
    );
    for batch in ctx.lake.query(&sql, &ctx.params).await? {
        let columns = columns(&batch)?;
        let get = |name: &str, row: usize| columns.get(name).map_or(Cell::Null, |c| cell(c, row));
        for row in 0..batch.num_rows() {
            if let (Cell::Text(account), Cell::Text(play), Some(day)) =
                (get("account_id", row), get("play", row), as_date(batch.column(2), row)?)
            {
                since.insert((account, play), day);
            }
        }
    }
    Ok(since)
}

fn to_batch(
    as_of: NaiveDate,
    plays: &[Named<'_, Play>],
    chosen: &[(u32, Hit)],
    running: &BTreeMap<(String, String), NaiveDate>,
) -> Result<RecordBatch> {
    let text = |get: &dyn Fn(&Hit) -> Option<String>| -> ArrayRef { Arc::new(chosen.iter().map(|(_, h)| get(h)).collect::<StringArray>()) };
    let play = |hit: &Hit| plays[hit.rule].item;
    let name = |hit: &Hit| plays[hit.rule].name.to_owned();
    let small = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    let since: Vec<NaiveDate> =
        chosen.iter().map(|(_, h)| running.get(&(h.account_id.clone(), name(h))).copied().unwrap_or(as_of)).collect();
    let due = chosen.iter().zip(&since).map(|((_, h), since)| {
        let due = since.checked_add_days(Days::new(u64::from(play(h).due_in_days.value)));
        days(due.unwrap_or(*since))
    });
    Ok(RecordBatch::try_new(
        next_actions_schema(),
        vec![
            text(&|h| Some(h.account_id.clone())),
            Arc::new(Date32Array::from(vec![days(as_of); chosen.len()])),
            text(&|h| Some(name(h))),
            Arc::new(chosen.iter().map(|(rank, _)| small(*rank)).collect::<Int32Array>()),
            Arc::new(chosen.iter().map(|(_, h)| small(play(h).priority.value)).collect::<Int32Array>()),
            text(&|h| Some(render(&play(h).title, &h.values))),
            text(&|h| Some(render(&play(h).reason, &h.values))),
            Arc::new(Date32Array::from_iter_values(since.iter().map(|d| days(*d)))),
            Arc::new(Date32Array::from_iter_values(due)),
            text(&|h| h.values.get(OWNER).and_then(Cell::text).map(str::to_owned)),
            text(&|h| play(h).expected_effect.as_ref().map(|m| render(m, &h.values))),
        ],
    )?)
}
