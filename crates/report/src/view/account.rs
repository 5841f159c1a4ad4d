//! One page per account: what is known, how healthy it is, what threatens it, what to do.

use super::row::{href, row};
use super::{Page, View, iso, iso_opt, link, title};
use crate::chart::{self, Scale, Series};
use crate::error::Error;
use crate::format::{clip, humanise};
use crate::night::{Account, Fact, Measure};
use crate::tone::Tone;
use minijinja::{Value, context};
use std::collections::BTreeMap;

/// Lists on the page are cut here, so that no account makes its page too large.
const MOST: usize = 12;
/// And texts here.
const TEXT: usize = 240;
/// Measures shown.
const MEASURES: usize = 40;
/// The smallest change of a probability that a reader sees.
const VISIBLE: f64 = 0.0005;

/// The pages of all accounts, with links to the neighbours in their manager's list.
pub(super) fn pages<'a>(view: &'a View<'a>) -> Vec<Page<'a>> {
    let mean_risk = mean_risk(view);
    let mut pages = Vec::with_capacity(view.night.accounts.len());
    for csm in super::csm::managers(view) {
        for (i, account) in csm.accounts.iter().copied().enumerate() {
            let before = i.checked_sub(1).and_then(|i| csm.accounts.get(i)).copied();
            let after = csm.accounts.get(i + 1).copied();
            let place = (i + 1, csm.accounts.len());
            let csm_name = csm.name.clone();
            pages.push(Page {
                path: href(account),
                template: "account.html",
                context: Box::new(move || context(view, account, mean_risk, &csm_name, place, before, after)),
            });
        }
    }
    pages
}

fn mean_risk(view: &View<'_>) -> Option<f64> {
    let risks: Vec<f64> = view.night.accounts.iter().filter_map(|a| a.risk.as_ref().map(|r| r.probability)).collect();
    (!risks.is_empty()).then(|| risks.iter().sum::<f64>() / risks.len() as f64)
}

fn neighbour(account: Option<&Account>) -> Option<Value> {
    account.map(|a| context! { name => clip(&a.name, super::row::NAME), href => link(href(a)) })
}

fn context(
    view: &View<'_>,
    account: &Account,
    mean_risk: Option<f64>,
    csm_name: &str,
    place: (usize, usize),
    before: Option<&Account>,
    after: Option<&Account>,
) -> Result<Value, Error> {
    let facts: Vec<Value> = account.facts.iter().take(MOST).map(|(name, value)| fact(name, value)).collect();
    Ok(context! {
        root => link("../".to_owned()),
        page => "accounts",
        account => row(view, account, false)?,
        id => account.id.as_str(),
        crm_id => account.crm_id.as_deref(),
        domain => account.domain.as_deref(),
        tenure => account.tenure_days.map(tenure),
        facts => facts,
        manager => csm_name,
        place => place.0,
        places => place.1,
        before => neighbour(before),
        after => neighbour(after),
        coverage => account.health.as_ref().and_then(|h| h.coverage_pct),
        groups => groups(view, account),
        trend => trend(view, account)?,
        risk => risk(view, account, mean_risk),
        risk_moved => risk_moved(view, account),
        expansion => account.expansion,
        alerts => alerts(view, account),
        alerts_left => account.alerts.len().saturating_sub(MOST),
        opportunities => opportunities(view, account),
        actions => actions(view, account),
    })
}

fn fact(name: &str, fact: &Fact) -> Value {
    let (text, number, date) = match fact {
        Fact::Text(text) => (Some(text.as_str()), None, None),
        Fact::Number(number) => (None, Some(*number), None),
        Fact::Date(date) => (None, None, Some(iso(*date))),
    };
    context! { name => humanise(name), text => text, number => number, date => date }
}

/// `2 years 3 months`, `5 months`, `12 days`.
fn tenure(days: i64) -> String {
    let words = |n: i64, unit: &str| format!("{n} {unit}{}", if n == 1 { "" } else { "s" });
    let months = days.max(0) * 12 / 365;
    match (months / 12, months % 12) {
        (0, 0) => words(days.max(0), "day"),
        (0, m) => words(m, "month"),
        (y, 0) => words(y, "year"),
        (y, m) => format!("{} {}", words(y, "year"), words(m, "month")),
    }
}

/// The measures by group, the heaviest first; a group's score is the weighted mean of its measures with data.
fn groups(view: &View<'_>, account: &Account) -> Vec<Value> {
    let mut by_group: BTreeMap<&str, Vec<&Measure>> = BTreeMap::new();
    for measure in account.measures.iter().take(MEASURES) {
        by_group.entry(&measure.group).or_default().push(measure);
    }
    let mut groups: Vec<(f64, &str, Vec<&Measure>)> = by_group
        .into_iter()
        .map(|(group, mut measures)| {
            measures.sort_by(|a, b| b.weight.total_cmp(&a.weight).then_with(|| a.name.cmp(&b.name)));
            (measures.iter().map(|m| m.weight).sum(), group, measures)
        })
        .collect();
    groups.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    groups
        .iter()
        .map(|(weight, group, measures)| {
            let known: Vec<(f64, f64)> = measures.iter().filter_map(|m| Some((m.weight, m.score?))).collect();
            let base: f64 = known.iter().map(|(w, _)| w).sum();
            let score = (base > 0.0).then(|| known.iter().map(|(w, s)| w * s).sum::<f64>() / base);
            let measures: Vec<Value> = measures.iter().map(|m| measure(view, m)).collect();
            context! {
                name => title(&view.titles.groups, group),
                weight => *weight,
                score => score,
                tone => score.map(|s| score_tone(view, s).class()),
                measures => measures,
            }
        })
        .collect()
}

fn measure(view: &View<'_>, measure: &Measure) -> Value {
    let tone = measure.score.map(|score| match &measure.band {
        Some(band) => view.bands.tone(band).class(),
        None => score_tone(view, score).class(),
    });
    context! {
        label => if measure.label.is_empty() { humanise(&measure.name) } else { measure.label.to_string() },
        unit => measure.unit.as_deref(),
        value => measure.value,
        score => measure.score,
        weight => measure.weight,
        missing => measure.missing,
        tone => tone,
    }
}

/// The tone of a score that has no band of its own: by the scorecard's bounds, else by thirds.
fn score_tone(view: &View<'_>, score: f64) -> Tone {
    let band = view.bands.iter().filter(|b| b.from.is_some_and(|from| score >= from)).max_by(|a, b| {
        let key = |b: &crate::tone::Band| b.from.unwrap_or(0.0);
        key(a).total_cmp(&key(b))
    });
    band.map_or_else(
        || match score {
            s if s >= 66.7 => Tone::Good,
            s if s >= 33.3 => Tone::Warn,
            _ => Tone::Bad,
        },
        |b| b.tone,
    )
}

fn trend(view: &View<'_>, account: &Account) -> Result<Option<Value>, Error> {
    let (Some(first), Some(last)) = (account.trend.first(), account.trend.last()) else { return Ok(None) };
    if account.trend.len() < 2 {
        return Ok(None);
    }
    let desc = format!("From {:.0} on {} to {:.0} on {}.", first.1, iso(first.0), last.1, iso(last.0));
    let series = Series { points: &account.trend, title: "Health score over time", desc: &desc, last: format!("{:.0}", last.1) };
    Ok(Some(Value::from_safe_string(chart::trend(&series, &health_scale(&view.bands.zones()), chart::Room::Side)?)))
}

/// The axis of health: 0 to 100.
pub(super) fn health_scale(zones: &[(f64, f64, chart::Ink)]) -> Scale<'_> {
    Scale { from: 0.0, to: 100.0, ticks: [0.0, 50.0, 100.0].map(|v: f64| (v, format!("{v:.0}"))).into(), zones }
}

fn risk(view: &View<'_>, account: &Account, mean: Option<f64>) -> Option<Value> {
    let risk = account.risk.as_ref()?;
    let card = view.night.models.iter().find(|m| m.scored > 0);
    let most = risk.reasons.iter().map(|r| r.contribution.abs()).fold(0.0, f64::max);
    let reasons: Vec<Value> = risk
        .reasons
        .iter()
        .take(8)
        .map(|r| {
            let text = if r.text.is_empty() { title(&view.titles.features, &r.feature) } else { r.text.clone() };
            context! {
                text => clip(&text, TEXT),
                raises => r.contribution > 0.0,
                width => if most > 0.0 { (r.contribution.abs() / most * 100.0).round() } else { 0.0 },
            }
        })
        .collect();
    Some(context! {
        probability => risk.probability,
        mean => mean,
        times => mean.filter(|m| *m > 0.0).map(|m| risk.probability / m),
        decile => risk.decile,
        stays => risk.stays,
        estimator => card.and_then(|m| m.estimator.as_deref()).map(super::estimator),
        reasons => reasons,
    })
}

/// What moved the risk since it was last scored: parts that people would see in the figure.
fn risk_moved(view: &View<'_>, account: &Account) -> Option<Value> {
    let moved = account.risk_moved.as_ref().filter(|_| account.risk.is_some())?;
    let most = moved.parts.iter().map(|p| p.contribution.abs()).fold(0.0, f64::max);
    let parts: Vec<Value> = (moved.parts.iter().filter(|p| p.contribution.abs() >= VISIBLE))
        .map(|p| {
            let text = if p.text.is_empty() { title(&view.titles.features, &p.feature) } else { p.text.clone() };
            context! {
                text => clip(&text, TEXT),
                points => points(p.contribution),
                raises => p.contribution > 0.0,
                width => (p.contribution.abs() / most * 100.0).round(),
            }
        })
        .collect();
    Some(context! { since => iso_opt(moved.since), change => points(moved.change), parts => parts })
}

/// A change of a probability: `+1.2 points`.
fn points(change: f64) -> String {
    let shown = format!("{:.1}", change.abs() * 100.0);
    let sign = match change {
        _ if shown == "0.0" => "±",
        c if c < 0.0 => "−",
        _ => "+",
    };
    format!("{sign}{shown} points")
}

fn alerts(view: &View<'_>, account: &Account) -> Vec<Value> {
    account
        .alerts
        .iter()
        .take(MOST)
        .map(|a| {
            context! {
                title => clip(&a.title.clone().unwrap_or_else(|| title(&view.titles.rules, &a.rule)), 120),
                severity => humanise(&a.severity),
                tone => Tone::of_severity(&a.severity).class(),
                state => humanise(&a.state),
                open => a.is_open(),
                fresh => a.opened == Some(view.night.as_of),
                opened => iso_opt(a.opened),
                updated => iso_opt(a.updated),
                owner => a.owner.as_deref().filter(|o| Some(*o) != account.csm_id.as_deref()),
                evidence => a.evidence.as_deref().map(|e| clip(e, TEXT)),
            }
        })
        .collect()
}

fn opportunities(view: &View<'_>, account: &Account) -> Vec<Value> {
    account
        .opportunities
        .iter()
        .take(MOST)
        .map(|o| {
            context! {
                title => clip(&o.title.clone().unwrap_or_else(|| title(&view.titles.kinds, &o.kind)), 120),
                product => o.product.as_deref(),
                propensity => o.propensity,
                expected => o.expected_arr,
                evidence => o.evidence.as_deref().map(|e| clip(e, TEXT)),
            }
        })
        .collect()
}

fn actions(view: &View<'_>, account: &Account) -> Vec<Value> {
    account
        .actions
        .iter()
        .take(MOST)
        .map(|a| {
            context! {
                title => clip(&a.title.clone().unwrap_or_else(|| title(&view.titles.plays, &a.play)), 120),
                reason => a.reason.as_deref().map(|r| clip(r, TEXT)),
                due => iso_opt(a.due),
                due_in => a.due.map(|d| (d - view.night.as_of).num_days()),
                owner => a.owner.as_deref().filter(|o| Some(*o) != account.csm_id.as_deref()),
                effect => a.effect.as_deref().map(|e| clip(e, TEXT)),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{points, tenure};

    #[test]
    fn changes_of_probabilities_are_said_in_points() {
        assert_eq!([0.0123, -0.2, 0.0001].map(points), ["+1.2 points", "−20.0 points", "±0.0 points"]);
    }

    #[test]
    fn tenure_is_said_in_words() {
        let said: Vec<_> = [0, 1, 45, 365, 400, 800].map(tenure).into();
        assert_eq!(said, ["0 days", "1 day", "1 month", "1 year", "1 year 1 month", "2 years 2 months"]);
    }
}
