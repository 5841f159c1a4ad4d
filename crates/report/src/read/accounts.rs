//! Accounts and what hangs on each of them.

use super::Reader;
use super::cols::{Dates, Floats, Ints, Lists, Money, Texts};
use crate::error::Error;
use crate::night::{Account, Action, Alert, Cents, Fact, Health, Measure, Moved, Opportunity, Reason, Risk};
use crate::slug::slug;
use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use chrono::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Columns of `marts.accounts` that have their own place on the page; all others are facts.
const KNOWN: [&str; 14] = [
    "account_id",
    "account_name",
    "as_of",
    "csm_id",
    "csm_name",
    "segment",
    "plan",
    "arr",
    "renewal_date",
    "tenure_days",
    "crm_id",
    "domain",
    "health_score",
    "health_band",
];

/// Resolved alerts stay on an account's page so long.
const RESOLVED_DAYS: i64 = 60;

/// Parts of a movement that are shown.
const MOVES: usize = 5;

type Places = BTreeMap<String, usize>;

/// Tonight's accounts: `marts.accounts` and `marts.account_scores`, whichever there is, joined by account.
pub(super) async fn accounts(reader: &Reader) -> Result<Vec<Account>, Error> {
    let mut by_id: BTreeMap<String, Account> = BTreeMap::new();
    for batch in reader.rows("marts.accounts", "").await? {
        describe(&batch, &mut by_id, true)?;
    }
    // Without scores of tonight, the accounts alone still make a report.
    let only_scored = by_id.is_empty();
    for batch in reader.rows("marts.account_scores", "WHERE as_of = $as_of").await? {
        if only_scored {
            describe(&batch, &mut by_id, false)?;
        }
        score(&batch, &mut by_id)?;
    }
    let mut slugs = BTreeSet::new();
    let mut accounts: Vec<Account> = by_id.into_values().collect();
    for account in &mut accounts {
        account.slug = slug(&account.id);
        while !slugs.insert(account.slug.clone()) {
            account.slug.push_str("-x");
        }
        account.attention = attention(account);
    }
    Ok(accounts)
}

/// ARR × probability of churn; without a model, ARR × what health lacks to 100.
fn attention(account: &Account) -> Cents {
    let arr = account.arr.unwrap_or(0) as f64;
    match (&account.risk, &account.health) {
        (Some(risk), _) => (arr * risk.probability).round() as Cents,
        (None, Some(health)) => (arr * (100.0 - health.score) / 100.0).round() as Cents,
        (None, None) => 0,
    }
}

fn describe(batch: &RecordBatch, by_id: &mut BTreeMap<String, Account>, with_facts: bool) -> Result<(), Error> {
    let text = |name: &str| Texts::of(batch, name);
    let (ids, names, csm_ids, csm_names) = (text("account_id")?, text("account_name")?, text("csm_id")?, text("csm_name")?);
    let (segments, plans, crm_ids, domains) = (text("segment")?, text("plan")?, text("crm_id")?, text("domain")?);
    let (arr, renewals, tenures) = (Money::of(batch, "arr")?, Dates::of(batch, "renewal_date")?, Ints::of(batch, "tenure_days")?);
    let facts = if with_facts { fact_columns(batch)? } else { Vec::new() };
    for row in 0..batch.num_rows() {
        let Some(id) = ids.owned(row) else { continue };
        let csm_id = csm_ids.owned(row).or_else(|| csm_names.owned(row));
        let account = Account {
            name: names.owned(row).unwrap_or_else(|| id.clone()),
            csm_name: csm_names.owned(row).or_else(|| csm_id.clone()),
            csm_id,
            segment: segments.owned(row),
            plan: plans.owned(row),
            arr: arr.get(row),
            renewal: renewals.get(row),
            tenure_days: tenures.get(row),
            crm_id: crm_ids.owned(row),
            domain: domains.owned(row),
            facts: facts.iter().filter_map(|(name, column)| Some((Arc::clone(name), column.get(row)?))).collect(),
            id: id.clone(),
            ..Account::default()
        };
        by_id.insert(id, account);
    }
    Ok(())
}

/// A further column, read as what it holds.
enum FactColumn {
    Number(Floats),
    Date(Dates),
    YesNo(Texts),
    Text(Texts),
}

impl FactColumn {
    fn get(&self, row: usize) -> Option<Fact> {
        match self {
            Self::Number(column) => column.get(row).map(Fact::Number),
            Self::Date(column) => column.get(row).map(Fact::Date),
            Self::YesNo(column) => column.get(row).map(|t| Fact::Text(if t == "true" { "yes" } else { "no" }.to_owned())),
            Self::Text(column) => column.get(row).map(|t| Fact::Text(crate::format::clip(t, 80))),
        }
    }
}

fn fact_columns(batch: &RecordBatch) -> Result<Vec<(Arc<str>, FactColumn)>, Error> {
    let mut columns = Vec::new();
    for field in batch.schema().fields() {
        let name = field.name().as_str();
        if KNOWN.contains(&name) || name.starts_with('_') {
            continue;
        }
        let column = match field.data_type() {
            t if t.is_numeric() => FactColumn::Number(Floats::of(batch, name)?),
            DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => FactColumn::Date(Dates::of(batch, name)?),
            DataType::Boolean => FactColumn::YesNo(Texts::of(batch, name)?),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => FactColumn::Text(Texts::of(batch, name)?),
            _ => continue,
        };
        columns.push((Arc::from(name), column));
    }
    Ok(columns)
}

fn score(batch: &RecordBatch, by_id: &mut BTreeMap<String, Account>) -> Result<(), Error> {
    let (ids, bands) = (Texts::of(batch, "account_id")?, Texts::of(batch, "health_band")?);
    let (health, coverage) = (Floats::of(batch, "health_score")?, Floats::of(batch, "health_coverage_pct")?);
    let (risks, deciles) = (Floats::of(batch, "churn_probability")?, Ints::of(batch, "churn_decile")?);
    let expansion = Floats::of(batch, "expansion_probability")?;
    let survival = |days: u32| Floats::of(batch, &format!("survival_{days}d"));
    let (in_30, in_90, in_180) = (survival(30)?, survival(90)?, survival(180)?);
    let reasons = Lists::of(batch, "top_reasons");
    for row in 0..batch.num_rows() {
        let Some(account) = ids.get(row).and_then(|id| by_id.get_mut(id)) else { continue };
        account.health = health.get(row).map(|score| Health {
            score,
            band: bands.get(row).map_or_else(|| Arc::from("unknown"), Arc::from),
            coverage_pct: coverage.get(row),
        });
        account.risk = match risks.get(row) {
            Some(probability) => Some(Risk {
                probability,
                decile: deciles.get(row),
                stays: in_30.get(row).zip(in_90.get(row)).zip(in_180.get(row)).map(|((a, b), c)| [a, b, c]),
                reasons: read_reasons(reasons.get(row))?,
            }),
            None => None,
        };
        account.expansion = expansion.get(row);
    }
    Ok(())
}

/// Reasons, the largest contribution first.
fn read_reasons(batch: Option<RecordBatch>) -> Result<Vec<Reason>, Error> {
    let Some(batch) = batch else { return Ok(Vec::new()) };
    let (features, texts) = (Texts::of(&batch, "feature")?, Texts::of(&batch, "text")?);
    let contributions = Floats::of(&batch, "contribution")?;
    let mut reasons: Vec<Reason> = (0..batch.num_rows())
        .filter_map(|row| {
            Some(Reason {
                feature: features.owned(row)?,
                contribution: contributions.get(row)?,
                text: texts.owned(row).unwrap_or_default(),
            })
        })
        .collect();
    reasons.sort_by(|a, b| b.contribution.abs().total_cmp(&a.contribution.abs()).then_with(|| a.feature.cmp(&b.feature)));
    Ok(reasons)
}

/// What moved the risk of churn since it was last scored.
pub(super) async fn add_movements(reader: &Reader, accounts: &mut [Account], places: &Places) -> Result<(), Error> {
    let sql = format!(
        "SELECT account_id, feature, text, contribution_delta, from_as_of, sum(contribution_delta) OVER (PARTITION BY account_id) AS change \
         FROM marts.score_movements WHERE as_of = $as_of AND model = 'churn' QUALIFY row_number() OVER \
         (PARTITION BY account_id ORDER BY abs(contribution_delta) DESC, cause, feature) <= {MOVES}"
    );
    for batch in reader.query("marts.score_movements", &sql).await? {
        let text = |name: &str| Texts::of(&batch, name);
        let (ids, features, texts) = (text("account_id")?, text("feature")?, text("text")?);
        let (deltas, changes, since) =
            (Floats::of(&batch, "contribution_delta")?, Floats::of(&batch, "change")?, Dates::of(&batch, "from_as_of")?);
        for row in 0..batch.num_rows() {
            let (Some(account), Some(contribution)) = (place(ids.get(row), accounts, places), deltas.get(row)) else { continue };
            let moved = account.risk_moved.get_or_insert_with(Moved::default);
            (moved.since, moved.change) = (since.get(row), changes.get(row).unwrap_or(0.0));
            let feature = features.owned(row).unwrap_or_default();
            moved.parts.push(Reason { feature, contribution, text: texts.owned(row).unwrap_or_default() });
        }
    }
    for moved in accounts.iter_mut().filter_map(|a| a.risk_moved.as_mut()) {
        let key = |r: &Reason| (r.text.clone(), r.feature.clone());
        moved.parts.sort_by(|a, b| b.contribution.abs().total_cmp(&a.contribution.abs()).then_with(|| key(a).cmp(&key(b))));
    }
    Ok(())
}

/// Keeps one copy of texts that repeat for every account.
#[derive(Default)]
struct Interner(BTreeSet<Arc<str>>);

impl Interner {
    fn get(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = Arc::from(text);
        self.0.insert(Arc::clone(&new));
        new
    }
}

/// The measures of health, by account.
pub(super) async fn add_measures(reader: &Reader, accounts: &mut [Account], places: &Places) -> Result<(), Error> {
    let mut texts = Interner::default();
    for batch in reader.rows("marts.health_measures", "WHERE as_of = $as_of").await? {
        let text = |name: &str| Texts::of(&batch, name);
        let (ids, names, groups, labels, bands) = (text("account_id")?, text("measure")?, text("group")?, text("label")?, text("band")?);
        let (units, missing) = (text("unit")?, text("missing")?);
        let (values, scores, weights) = (Floats::of(&batch, "value")?, Floats::of(&batch, "score")?, Floats::of(&batch, "weight")?);
        for row in 0..batch.num_rows() {
            let Some(account) = place(ids.get(row), accounts, places) else { continue };
            let missing = missing.get(row) == Some("true");
            account.measures.push(Measure {
                name: texts.get(names.get(row).unwrap_or_default()),
                group: texts.get(groups.get(row).unwrap_or_default()),
                label: texts.get(labels.get(row).unwrap_or_default()),
                unit: units.get(row).map(|u| texts.get(u)),
                value: values.get(row),
                score: scores.get(row).filter(|_| !missing),
                weight: weights.get(row).unwrap_or(0.0),
                band: bands.get(row).map(|b| texts.get(b)),
                missing,
            });
        }
    }
    for account in accounts {
        account.measures.sort_by(|a, b| (&a.group, &a.name).cmp(&(&b.group, &b.name)));
    }
    Ok(())
}

fn place<'a>(id: Option<&str>, accounts: &'a mut [Account], places: &Places) -> Option<&'a mut Account> {
    accounts.get_mut(*places.get(id?)?)
}

/// Alerts: the open ones, and those that were resolved lately.
pub(super) async fn add_alerts(reader: &Reader, accounts: &mut [Account], places: &Places) -> Result<(), Error> {
    for batch in reader.rows("ops.alerts", "").await? {
        let text = |name: &str| Texts::of(&batch, name);
        let (ids, rules, severities, states) = (text("account_id")?, text("rule")?, text("severity")?, text("state")?);
        let (owners, titles, messages) = (text("owner")?, text("title")?, text("message")?);
        let date = |name: &str| Dates::of(&batch, name);
        let (opened, updated, resolved) = (date("opened_at")?, date("updated_at")?, date("resolved_at")?);
        for row in 0..batch.num_rows() {
            let alert = Alert {
                rule: rules.owned(row).unwrap_or_default(),
                title: titles.owned(row),
                severity: severities.owned(row).unwrap_or_default(),
                state: states.owned(row).unwrap_or_default(),
                opened: opened.get(row),
                updated: resolved.get(row).or_else(|| updated.get(row)),
                owner: owners.owned(row),
                evidence: messages.owned(row),
            };
            let future = alert.opened.is_some_and(|d| d > reader.as_of);
            let old = !alert.is_open() && alert.updated.is_none_or(|d| d < reader.as_of - Duration::days(RESOLVED_DAYS));
            if future || old {
                continue;
            }
            if let Some(account) = place(ids.get(row), accounts, places) {
                account.alerts.push(alert);
            }
        }
    }
    for account in accounts {
        account.alerts.sort_by(|a, b| {
            let key = |x: &Alert| (!x.is_open(), x.rank(), std::cmp::Reverse(x.opened));
            key(a).cmp(&key(b)).then_with(|| (&a.rule, &a.evidence).cmp(&(&b.rule, &b.evidence)))
        });
    }
    Ok(())
}

/// Opportunities, the largest first.
pub(super) async fn add_opportunities(reader: &Reader, accounts: &mut [Account], places: &Places) -> Result<(), Error> {
    for batch in reader.rows("marts.opportunities", "WHERE as_of = $as_of").await? {
        let text = |name: &str| Texts::of(&batch, name);
        let (ids, kinds, products, titles, messages) =
            (text("account_id")?, text("kind")?, text("product")?, text("title")?, text("message")?);
        let (propensity, expected) = (Floats::of(&batch, "propensity")?, Money::of(&batch, "expected_arr")?);
        for row in 0..batch.num_rows() {
            if let Some(account) = place(ids.get(row), accounts, places) {
                account.opportunities.push(Opportunity {
                    kind: kinds.owned(row).unwrap_or_default(),
                    title: titles.owned(row),
                    product: products.owned(row),
                    propensity: propensity.get(row),
                    expected_arr: expected.get(row),
                    evidence: messages.owned(row),
                });
            }
        }
    }
    for account in accounts {
        account.opportunities.sort_by(|a, b| b.expected_arr.cmp(&a.expected_arr).then_with(|| a.kind.cmp(&b.kind)));
    }
    Ok(())
}

/// Next actions by rank.
pub(super) async fn add_actions(reader: &Reader, accounts: &mut [Account], places: &Places) -> Result<(), Error> {
    for batch in reader.rows("marts.next_actions", "WHERE as_of = $as_of").await? {
        let text = |name: &str| Texts::of(&batch, name);
        let (ids, plays, titles, reasons) = (text("account_id")?, text("play")?, text("title")?, text("reason")?);
        let (owners, effects) = (text("owner")?, text("expected_effect")?);
        let (ranks, due) = (Ints::of(&batch, "rank")?, Dates::of(&batch, "due_on")?);
        for row in 0..batch.num_rows() {
            if let Some(account) = place(ids.get(row), accounts, places) {
                account.actions.push(Action {
                    play: plays.owned(row).unwrap_or_default(),
                    title: titles.owned(row),
                    rank: ranks.get(row),
                    reason: reasons.owned(row),
                    due: due.get(row),
                    owner: owners.owned(row),
                    effect: effects.owned(row),
                });
            }
        }
    }
    for account in accounts {
        account.actions.sort_by(|a, b| (a.rank.is_none(), a.rank, &a.play).cmp(&(b.rank.is_none(), b.rank, &b.play)));
    }
    Ok(())
}
