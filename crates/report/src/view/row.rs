//! An account as a row of a list.

use super::{View, iso_opt, link, title};
use crate::chart;
use crate::error::Error;
use crate::format::{clip, humanise};
use crate::night::Account;
use minijinja::{Value, context};

/// Characters of a name at most: a page has room for so many.
pub(super) const NAME: usize = 60;

/// What a list shows of an account.
pub(super) fn row(view: &View<'_>, account: &Account, spark: bool) -> Result<Value, Error> {
    let action = account.actions.first();
    let worst = account.open_alerts().min_by_key(|a| a.rank());
    let recent: Vec<f64> = account.trend.iter().rev().take(12).rev().map(|(_, v)| *v).collect();
    let spark = match (spark, recent.len() > 1) {
        (true, true) => Some(Value::from_safe_string(chart::spark(&recent)?)),
        _ => None,
    };
    Ok(context! {
        name => clip(&account.name, NAME),
        href => link(href(account)),
        csm => account.csm_name.as_deref().map(|n| clip(n, 30)),
        csm_href => link(super::csm::href(account.csm_id.as_deref())),
        segment => account.segment.as_deref().map(|s| clip(s, 30)),
        plan => account.plan.as_deref().filter(|p| !account.segment.as_deref().is_some_and(|s| s.eq_ignore_ascii_case(p))).map(|p| clip(p, 30)),
        arr => account.arr,
        score => account.health.as_ref().map(|h| h.score),
        band => account.health.as_ref().map(|h| humanise(&h.band)),
        tone => account.health.as_ref().map(|h| view.bands.tone(&h.band).class()),
        before => account.before.as_ref().map(|h| h.score),
        moved => account.moved(),
        risk => account.risk.as_ref().map(|r| r.probability),
        decile => account.risk.as_ref().and_then(|r| r.decile),
        attention => account.attention,
        reason => reason(view, account).map(|r| clip(&r, 110)),
        action => action.map(|a| clip(&a.title.clone().unwrap_or_else(|| title(&view.titles.plays, &a.play)), 80)),
        due => iso_opt(action.and_then(|a| a.due)),
        renewal => iso_opt(account.renewal),
        renews_in => account.renewal.map(|r| (r - view.night.as_of).num_days()),
        alerts => account.open_alerts().count(),
        alert_tone => worst.map(|a| crate::tone::Tone::of_severity(&a.severity).class()),
        spark => spark,
    })
}

/// The path of an account's page below the site's root.
pub(super) fn href(account: &Account) -> String {
    format!("account/{}.html", account.slug)
}

/// The first reason for worry: what raises the risk most, else the measure that costs most health.
pub(super) fn reason(_view: &View<'_>, account: &Account) -> Option<String> {
    let risky = account.risk.as_ref().and_then(|r| r.reasons.iter().find(|r| r.contribution > 0.0));
    if let Some(reason) = risky {
        return Some(reason.text.clone());
    }
    let costly = account
        .measures
        .iter()
        .filter_map(|m| Some((m.weight * (100.0 - m.score?), m)))
        .filter(|(cost, m)| *cost > 0.0 && m.score.is_some_and(|s| s < 60.0))
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.name.cmp(&a.1.name)));
    costly.map(|(_, m)| format!("{}: {:.0} of 100", m.label, m.score.unwrap_or_default()))
}
