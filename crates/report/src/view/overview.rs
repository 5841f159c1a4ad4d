//! The overview for the head of customer success.

use super::row::{href, row};
use super::sums::{RENEWAL_DAYS, Sums};
use super::{View, iso_opt, link, title};
use crate::chart::{self, Bin, Series, Slice};
use crate::error::Error;
use crate::format::{clip, humanise};
use crate::night::{Account, Alert, Cents};
use crate::tone::Tone;
use minijinja::{Value, context};
use std::collections::BTreeMap;

/// Accounts in the attention list.
const ATTENTION: usize = 10;
/// Movers on each side.
const MOVERS: usize = 6;
/// Alerts shown.
const ALERTS: usize = 8;
/// Customer success managers shown here; all are on their own page.
const MANAGERS: usize = 12;

pub(super) fn context(view: &View<'_>) -> Result<Value, Error> {
    let night = view.night;
    let sums = Sums::of(&night.accounts, view.bands, night.as_of);
    let attention: Vec<Value> =
        night.accounts.iter().filter(|a| a.attention > 0).take(ATTENTION).map(|a| row(view, a, true)).collect::<Result<_, _>>()?;
    let (fallers, risers) = movers(view)?;
    let managers = super::csm::managers(view);
    Ok(context! {
        root => "",
        page => "overview",
        compared_with => iso_opt(night.compared_with),
        sums => sums.value(view.bands),
        split => split(view, &sums, "Accounts by health band")?,
        renewal_days => RENEWAL_DAYS,
        has_model => night.accounts.iter().any(|a| a.risk.is_some()),
        horizon => horizon(view),
        histogram => histogram(view)?,
        trend => trend(view)?,
        segments => segments(view)?,
        attention => attention,
        fallers => fallers,
        risers => risers,
        rules => rules(view),
        alerts => newest_alerts(view),
        changes => changes(view, &night.accounts.iter().collect::<Vec<_>>()),
        kinds => kinds(view),
        managers => manager_rows(view, &managers)?,
        managers_left => managers.len().saturating_sub(MANAGERS),
        quality => super::quality::counts(view),
        absent => night.absent.iter().map(|t| Value::from(t.as_str())).collect::<Vec<_>>(),
    })
}

/// The horizon in days of the churn model in use.
fn horizon(view: &View<'_>) -> Option<i64> {
    view.night.models.iter().find(|m| m.name == "churn").and_then(|m| m.horizon_days)
}

/// A bar of health bands, good on the left.
pub(super) fn split(view: &View<'_>, sums: &Sums, words: &str) -> Result<Value, Error> {
    let slices: Vec<Slice> =
        view.bands.iter().zip(&sums.bands).map(|(band, (count, _))| Slice { share: *count as f64, ink: band.tone.ink() }).collect();
    let said: Vec<String> = view
        .bands
        .iter()
        .zip(&sums.bands)
        .filter(|(_, (count, _))| *count > 0)
        .map(|(band, (count, _))| format!("{} {count}", humanise(&band.name)))
        .collect();
    Ok(Value::from_safe_string(chart::split_bar(&slices, &format!("{words}: {}", said.join(", ")))?))
}

/// How many accounts have which score, in steps of five, coloured by the band that most of the step has.
fn histogram(view: &View<'_>) -> Result<Option<Value>, Error> {
    let mut steps: Vec<BTreeMap<Tone, usize>> = vec![BTreeMap::new(); 20];
    let mut scored = 0;
    for account in &view.night.accounts {
        let Some(health) = &account.health else { continue };
        let step = (health.score / 5.0).clamp(0.0, 19.0) as usize;
        if let Some(slot) = steps.get_mut(step) {
            *slot.entry(view.bands.tone(&health.band)).or_default() += 1;
            scored += 1;
        }
    }
    if scored == 0 {
        return Ok(None);
    }
    let bins: Vec<Bin> = steps
        .iter()
        .enumerate()
        .map(|(i, tones)| {
            let tone = tones.iter().max_by_key(|(_, n)| **n).map_or(Tone::Calm, |(tone, _)| *tone);
            Bin { from: i as f64 * 5.0, to: (i + 1) as f64 * 5.0, count: tones.values().sum(), ink: tone.ink() }
        })
        .collect();
    let desc = format!("{scored} accounts by health score, in steps of five points.");
    let svg = chart::histogram(&bins, &[0.0, 20.0, 40.0, 60.0, 80.0, 100.0], "Accounts by health score", &desc)?;
    Ok(Some(Value::from_safe_string(svg)))
}

fn trend(view: &View<'_>) -> Result<Option<Value>, Error> {
    let points: Vec<_> = view.night.portfolio.iter().map(|p| (p.as_of, p.mean_health)).collect();
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Ok(None) };
    if points.len() < 2 {
        return Ok(None);
    }
    let desc = format!("From {:.1} on {} to {:.1} on {}.", first.1, super::iso(first.0), last.1, super::iso(last.0));
    let series =
        Series { points: &points, title: "Mean health of active customers over time", desc: &desc, last: format!("{:.1}", last.1) };
    let scale = close_scale(points.iter().map(|(_, v)| *v));
    Ok(Some(Value::from_safe_string(chart::trend(&series, &scale, chart::Room::Half)?)))
}

/// An axis around the values in steps of ten, at least twenty points high: a portfolio's mean moves by few points.
fn close_scale(values: impl Iterator<Item = f64> + Clone) -> chart::Scale<'static> {
    let low = values.clone().fold(100.0, f64::min);
    let high = values.fold(0.0, f64::max);
    let mut from = ((low - 4.0) / 10.0).floor() * 10.0;
    let mut to = ((high + 4.0) / 10.0).ceil() * 10.0;
    if to - from < 20.0 {
        (from, to) = (from - 10.0, to + 10.0);
    }
    (from, to) = (from.max(0.0), to.min(100.0));
    let ticks = [from, f64::midpoint(from, to), to].map(|v| (v, format!("{v:.0}"))).into();
    chart::Scale { from, to, ticks, zones: &[] }
}

fn segments(view: &View<'_>) -> Result<Vec<Value>, Error> {
    let mut by_segment: BTreeMap<&str, Vec<&Account>> = BTreeMap::new();
    for account in &view.night.accounts {
        by_segment.entry(account.segment.as_deref().unwrap_or("")).or_default().push(account);
    }
    if by_segment.len() < 2 && by_segment.contains_key("") {
        return Ok(Vec::new());
    }
    let mut all: Vec<(&str, Sums)> =
        by_segment.into_iter().map(|(name, accounts)| (name, Sums::of(accounts, view.bands, view.night.as_of))).collect();
    all.sort_by(|a, b| b.1.arr.cmp(&a.1.arr).then_with(|| a.0.cmp(b.0)));
    all.iter()
        .take(10)
        .map(|(name, sums)| {
            let name = if name.is_empty() { "No segment".to_owned() } else { clip(name, 40) };
            Ok(context! { split => split(view, sums, &name)?, name => name, ..sums.value(view.bands) })
        })
        .collect()
}

/// Accounts whose health fell and rose most since the night of comparison.
fn movers(view: &View<'_>) -> Result<(Vec<Value>, Vec<Value>), Error> {
    let mut moved: Vec<(f64, &Account)> = view.night.accounts.iter().filter_map(|a| Some((a.moved()?, a))).collect();
    moved.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.arr.cmp(&a.1.arr)).then_with(|| a.1.id.cmp(&b.1.id)));
    let fallers: Vec<Value> =
        moved.iter().filter(|(by, _)| *by <= -1.0).take(MOVERS).map(|(_, a)| row(view, a, true)).collect::<Result<_, _>>()?;
    let risers: Vec<Value> =
        moved.iter().rev().filter(|(by, _)| *by >= 1.0).take(MOVERS).map(|(_, a)| row(view, a, true)).collect::<Result<_, _>>()?;
    Ok((fallers, risers))
}

/// Open alerts by rule, most severe first.
fn rules(view: &View<'_>) -> Vec<Value> {
    let mut by_rule: BTreeMap<(u8, &str), (usize, Cents, &Alert)> = BTreeMap::new();
    for account in &view.night.accounts {
        for alert in account.open_alerts() {
            let slot = by_rule.entry((alert.rank(), alert.rule.as_str())).or_insert((0, 0, alert));
            slot.0 += 1;
            slot.1 += account.arr.unwrap_or(0);
        }
    }
    by_rule
        .into_iter()
        .take(12)
        .map(|((_, rule), (count, arr, alert))| {
            context! {
                title => clip(&title(&view.titles.rules, rule), 60),
                severity => humanise(&alert.severity),
                tone => Tone::of_severity(&alert.severity).class(),
                count => count,
                arr => arr,
            }
        })
        .collect()
}

/// The newest open alerts, those of the same day by severity and what is at stake.
fn newest_alerts(view: &View<'_>) -> Vec<Value> {
    let mut all: Vec<(&Alert, &Account)> = view.night.accounts.iter().flat_map(|a| a.open_alerts().map(move |alert| (alert, a))).collect();
    all.sort_by(|(x, a), (y, b)| {
        let key = |alert: &Alert, account: &Account| (std::cmp::Reverse(alert.opened), alert.rank(), std::cmp::Reverse(account.attention));
        key(x, a).cmp(&key(y, b)).then_with(|| (&a.id, &x.rule).cmp(&(&b.id, &y.rule)))
    });
    all.iter()
        .take(ALERTS)
        .map(|(alert, account)| {
            context! {
                account => clip(&account.name, super::row::NAME),
                href => link(href(account)),
                csm => account.csm_name.as_deref().map(|n| clip(n, 40)),
                title => clip(&alert.title.clone().unwrap_or_else(|| title(&view.titles.rules, &alert.rule)), 60),
                severity => humanise(&alert.severity),
                tone => Tone::of_severity(&alert.severity).class(),
                opened => iso_opt(alert.opened),
                evidence => alert.evidence.as_deref().map(|e| clip(e, 110)),
            }
        })
        .collect()
}

/// What is new tonight about some accounts.
pub(super) fn changes(view: &View<'_>, accounts: &[&Account]) -> Value {
    let night = view.night;
    let tonight = Some(night.as_of);
    let alerts = || accounts.iter().flat_map(|a| a.alerts.iter());
    let opened = alerts().filter(|a| a.is_open() && a.opened == tonight).count();
    let resolved = alerts().filter(|a| !a.is_open() && a.updated == tonight).count();
    let rank = |band: &str| view.bands.iter().position(|b| b.name == band);
    let (mut worse, mut better) = (0, 0);
    for account in accounts {
        let (Some(now), Some(before)) = (&account.health, &account.before) else { continue };
        if let (Some(now), Some(before)) = (rank(&now.band), rank(&before.band)) {
            worse += usize::from(now > before);
            better += usize::from(now < before);
        }
    }
    let due = accounts
        .iter()
        .flat_map(|a| a.actions.iter())
        .filter(|a| a.due.is_some_and(|due| due >= night.as_of && due <= night.as_of + chrono::Duration::days(7)));
    context! { opened => opened, resolved => resolved, worse => worse, better => better, due => due.count() }
}

/// Opportunities by kind, largest first.
fn kinds(view: &View<'_>) -> Vec<Value> {
    let mut by_kind: BTreeMap<&str, (usize, Cents)> = BTreeMap::new();
    for opportunity in view.night.accounts.iter().flat_map(|a| a.opportunities.iter()) {
        let slot = by_kind.entry(&opportunity.kind).or_default();
        slot.0 += 1;
        slot.1 += opportunity.expected_arr.unwrap_or(0);
    }
    let mut all: Vec<_> = by_kind.into_iter().collect();
    all.sort_by(|a, b| b.1.1.cmp(&a.1.1).then_with(|| a.0.cmp(b.0)));
    all.iter()
        .take(10)
        .map(|(kind, (count, arr))| context! { title => clip(&title(&view.titles.kinds, kind), 60), count => *count, arr => *arr })
        .collect()
}

fn manager_rows(view: &View<'_>, managers: &[super::csm::Csm<'_>]) -> Result<Vec<Value>, Error> {
    let mut all: Vec<(&super::csm::Csm<'_>, Sums)> =
        managers.iter().map(|csm| (csm, Sums::of(csm.accounts.iter().copied(), view.bands, view.night.as_of))).collect();
    all.sort_by(|a, b| b.1.at_risk.cmp(&a.1.at_risk).then_with(|| a.0.name.cmp(&b.0.name)).then_with(|| a.0.id.cmp(&b.0.id)));
    all.iter()
        .take(MANAGERS)
        .map(|(csm, sums)| {
            Ok(context! {
                name => csm.name.as_str(),
                href => link(super::csm::href(csm.id)),
                split => split(view, sums, "Accounts by health band")?,
                ..sums.value(view.bands)
            })
        })
        .collect()
}
