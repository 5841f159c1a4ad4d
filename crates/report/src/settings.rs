//! What a project's files say about its pages: formats, colours, words.

use crate::format::Format;
use crate::night::Night;
use crate::tone::{Bands, Tone};
use crate::view::Titles;
use cscopilot_spec::{Message, Position, Project, Site};
use std::collections::BTreeMap;

/// The site's settings, those of `configs/site.yaml` or the standard ones.
pub(crate) fn site(project: &Project) -> Site {
    project.site.as_ref().map_or_else(Site::standard, |loaded| loaded.value.clone())
}

/// The project's way of writing numbers.
pub(crate) fn format(site: &Site) -> Format {
    Format {
        symbol: site.currency.symbol.clone(),
        symbol_after: site.currency.position == Position::After,
        decimal: site.numbers.decimal.clone(),
        thousands: site.numbers.thousands.clone(),
        date: site.date_format.value.clone(),
    }
}

/// The bands of the scorecard and of the data, with their tones.
pub(crate) fn bands(project: &Project, site: &Site, night: &Night) -> Bands {
    let card = project.scorecards.values().find(|c| c.value.default).or_else(|| project.scorecards.values().next());
    let bounds = card.map(|c| c.value.bands.iter().map(|(name, from)| (name.clone(), from.value)).collect()).unwrap_or_default();
    let mut seen: Vec<String> =
        night.accounts.iter().flat_map(|a| a.health.iter().chain(a.before.iter()).map(|h| h.band.to_string())).collect();
    seen.sort_unstable();
    seen.dedup();
    let said = site.bands.iter().map(|(name, tone)| (name.clone(), said(*tone))).collect();
    Bands::new(&bounds, &seen, &said)
}

fn said(tone: cscopilot_spec::Tone) -> Tone {
    match tone {
        cscopilot_spec::Tone::Bad => Tone::Bad,
        cscopilot_spec::Tone::Warn => Tone::Warn,
        cscopilot_spec::Tone::Calm => Tone::Calm,
        cscopilot_spec::Tone::Good => Tone::Good,
    }
}

/// A message that says the same of every account; one with placeholders names no rule.
fn fixed(message: &Message) -> Option<String> {
    message.names().next().is_none().then(|| message.raw().to_owned())
}

/// What the project calls its rules, kinds, plays, groups and features.
pub(crate) fn titles(project: &Project) -> Titles {
    let mut titles = Titles::default();
    for file in project.alerts.values() {
        titles.rules.extend(file.value.rules.iter().filter_map(|(name, r)| Some((name.clone(), fixed(&r.title)?))));
    }
    for file in project.opportunities.values() {
        titles.kinds.extend(file.value.kinds.iter().filter_map(|(name, k)| Some((name.clone(), fixed(&k.title)?))));
    }
    for file in project.plays.values() {
        titles.plays.extend(file.value.plays.iter().filter_map(|(name, p)| Some((name.clone(), fixed(&p.title)?))));
    }
    for file in project.scorecards.values() {
        titles.groups.extend(file.value.groups.iter().filter_map(|(name, g)| Some((name.clone(), g.label.clone()?))));
    }
    for file in project.features.values() {
        let words: BTreeMap<String, String> = file.value.features.iter().map(|(name, f)| (name.clone(), f.label.value.clone())).collect();
        titles.features.extend(words);
    }
    titles
}
