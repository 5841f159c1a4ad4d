//! What must hold of a scorecard beyond its structure: weights that add up, bounds in order, names that exist.

use super::{BandOverride, Better, Linear, Scorecard, Scoring, Steps, UNKNOWN_BAND};
use crate::{At, Component, Loaded, Project};
use cscopilot_diag::{Diagnostic, Diagnostics, Place, suggest};
use std::collections::{BTreeMap, BTreeSet};

impl Component for Scorecard {
    const KIND: &'static str = "scorecard";
    const LOCATION: &'static str = "configs/scorecards";

    fn validate(loaded: &Loaded<Self>, project: &Project, out: &mut Diagnostics) {
        let card = &loaded.value;
        one_default(loaded, project, out);
        check_weights(loaded, out);
        let before = out.len();
        check_bounds(loaded, "bands", &card.bands, Some(100.0), out);
        let in_order = out.len() == before;
        if !card.tenure_bands.is_empty() {
            check_bounds(loaded, "tenure_bands", &card.tenure_bands, None, out);
        }
        if !(0.0..=100.0).contains(&card.min_coverage_pct.value) {
            let message = format!("`min_coverage_pct` is {}, a percentage lies between 0 and 100", card.min_coverage_pct);
            out.push(loaded.error("SPC402", &card.min_coverage_pct, message));
        }
        for entry in &card.band_overrides {
            check_selection(loaded, &entry.segments, &entry.tenures, out);
            check_band_override(loaded, entry, in_order, out);
        }
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        for (group, _, name, measure) in card.measures() {
            if let Some(first) = seen.insert(name, group) {
                let message = format!("the measure `{name}` stands in the groups `{first}` and `{group}`");
                out.push(loaded.error("SPC406", &measure.value, message).with_help("names of measures are unique over all groups"));
            }
            check_scoring(loaded, name, measure.better, &measure.score, out);
            for entry in &measure.overrides {
                check_selection(loaded, &entry.segments, &entry.tenures, out);
                if entry.segments.is_empty() && entry.tenures.is_empty() {
                    let message = format!("an override of `{name}` names neither segments nor tenures, so it would always apply");
                    out.push(
                        loaded.error("SPC408", &entry.score, message).with_help("add `segments:` or `tenures:`, or change `score:` itself"),
                    );
                }
                check_scoring(loaded, name, measure.better, &entry.score, out);
            }
        }
        if seen.is_empty() {
            out.push(Diagnostic::error("SPC407", "the scorecard has no measures").at(Place::file(loaded.path.clone())));
        }
    }
}

/// Several scorecards need one that says it is the default.
fn one_default(loaded: &Loaded<Scorecard>, project: &Project, out: &mut Diagnostics) {
    let defaults: Vec<&str> = project.scorecards.values().filter(|s| s.value.default).map(|s| s.name.as_str()).collect();
    let first = project.scorecards.keys().next().is_some_and(|name| *name == loaded.name);
    if project.scorecards.len() > 1 && defaults.len() != 1 && first {
        let message = match defaults.len() {
            0 => "there are several scorecards and none is the default".to_owned(),
            _ => format!("several scorecards say that they are the default: {}", defaults.join(", ")),
        };
        out.push(
            Diagnostic::error("SPC401", message)
                .at(Place::file(loaded.path.clone()))
                .with_help("put `default: true` into exactly one of them"),
        );
    }
}

const TOLERANCE: f64 = 1e-6;

fn check_weights(loaded: &Loaded<Scorecard>, out: &mut Diagnostics) {
    let mut total = 0.0;
    for (group_name, group) in &loaded.value.groups {
        total += group.weight.value;
        for (name, measure) in &group.measures {
            if !(measure.weight.value > 0.0 && measure.weight.value <= 100.0) {
                let message = format!("the weight of `{name}` is {}, it must be above 0 and at most 100", measure.weight);
                out.push(loaded.error("SPC403", &measure.weight, message).with_help("remove a measure that shall not count"));
            }
        }
        let sum: f64 = group.measures.values().map(|m| m.weight.value).sum();
        if (sum - group.weight.value).abs() > TOLERANCE {
            let message = format!("the measures of the group `{group_name}` add to {}, its weight is {}", tidy(sum), group.weight);
            out.push(loaded.error("SPC404", &group.weight, message).with_help("change the group's weight or those of its measures"));
        }
    }
    if let Some(group) = loaded.value.groups.values().max_by_key(|g| (g.weight.line, g.weight.column))
        && (total - 100.0).abs() > TOLERANCE
    {
        let weights: Vec<String> = loaded.value.groups.iter().map(|(name, g)| format!("{name} {}", g.weight)).collect();
        let message = format!("the weights of the groups add to {}, they must add to 100", tidy(total));
        out.push(loaded.error("SPC405", &group.weight, message).with_help(format!("they are: {}", weights.join(", "))));
    }
}

/// A sum without the noise of binary fractions.
fn tidy(sum: f64) -> f64 {
    (sum * 1e6).round() / 1e6
}

/// The first value of a map in the order of the file.
fn first_place(bands: &BTreeMap<String, At<f64>>) -> At<f64> {
    bands.values().min_by_key(|b| (b.line, b.column)).copied().unwrap_or_default()
}

fn check_bounds(loaded: &Loaded<Scorecard>, field: &str, bands: &BTreeMap<String, At<f64>>, max: Option<f64>, out: &mut Diagnostics) {
    let Some(lowest) = bands.values().map(|b| b.value).min_by(f64::total_cmp) else {
        out.push(Diagnostic::error("SPC409", format!("`{field}` is empty")).at(Place::file(loaded.path.clone())));
        return;
    };
    if lowest != 0.0 {
        let message = format!("the lowest bound of `{field}` is {lowest}, it must be 0 so that every value has a band");
        out.push(loaded.error("SPC409", &first_place(bands), message).with_help("give the worst band the bound 0"));
    }
    let mut seen: Vec<(&str, f64)> = Vec::new();
    for (name, bound) in bands {
        if name == UNKNOWN_BAND {
            let message = format!("`{UNKNOWN_BAND}` is the band of accounts with too little data already");
            out.push(loaded.error("SPC410", bound, message).with_help("rename the band"));
        }
        if bound.value < 0.0 || max.is_some_and(|max| bound.value > max) || !bound.value.is_finite() {
            out.push(loaded.error("SPC410", bound, format!("the bound of `{name}` is {bound}, scores lie between 0 and 100")));
        }
        if let Some((other, _)) = seen.iter().find(|(_, b)| *b == bound.value) {
            out.push(loaded.error("SPC410", bound, format!("the bands `{other}` and `{name}` have the same bound {bound}")));
        }
        seen.push((name, bound.value));
    }
}

fn check_band_override(loaded: &Loaded<Scorecard>, entry: &BandOverride, in_order: bool, out: &mut Diagnostics) {
    let card = &loaded.value;
    if entry.segments.is_empty() && entry.tenures.is_empty() {
        let message = "an override of bands names neither segments nor tenures, so it would always apply";
        out.push(
            loaded
                .error("SPC408", &first_place(&entry.bands), message)
                .with_help("add `segments:` or `tenures:`, or change `bands:` itself"),
        );
    }
    for (name, bound) in &entry.bands {
        if !card.bands.contains_key(name) {
            out.push(
                loaded
                    .error("SPC411", bound, format!("there is no health band `{name}`"))
                    .with_help_opt(suggest::help(name, card.bands.keys().map(String::as_str))),
            );
        }
    }
    let usual: Vec<&str> = card.bands_best_first().into_iter().map(|(name, _)| name).collect();
    let changed: Vec<&str> = card.overridden_bands(entry).into_iter().map(|(name, _)| name).collect();
    let bounds: BTreeSet<String> = card.overridden_bands(entry).iter().map(|(_, b)| b.to_string()).collect();
    let lowest = card.overridden_bands(entry).last().map_or(0.0, |(_, b)| *b);
    if !in_order {
        return;
    }
    if usual != changed || bounds.len() != usual.len() || lowest != 0.0 {
        let message = format!("with this override the bands would not be ordered {}, with 0 as the lowest bound", usual.join(" > "));
        out.push(loaded.error("SPC410", &first_place(&entry.bands), message));
    }
}

fn check_selection(loaded: &Loaded<Scorecard>, segments: &[At<String>], tenures: &[At<String>], out: &mut Diagnostics) {
    let card = &loaded.value;
    if let (Some(first), None) = (segments.first(), &card.segment) {
        let message = "`segments` is used, but the scorecard doesn't say what an account's segment is";
        out.push(loaded.error("SPC412", first, message).with_help("add `segment: <SQL expression>` at the top"));
    }
    if let (Some(first), None) = (tenures.first(), &card.tenure_days) {
        let message = "`tenures` is used, but the scorecard doesn't say how old an account is";
        out.push(loaded.error("SPC412", first, message).with_help("add `tenure_days: <SQL expression>` at the top"));
    }
    for tenure in tenures {
        if !card.tenure_bands.contains_key(&tenure.value) {
            out.push(
                loaded
                    .error("SPC411", tenure, format!("there is no tenure band `{tenure}`"))
                    .with_help_opt(suggest::help(tenure, card.tenure_bands.keys().map(String::as_str))),
            );
        }
    }
}

fn check_scoring(loaded: &Loaded<Scorecard>, name: &str, better: Better, score: &At<Scoring>, out: &mut Diagnostics) {
    let mut refuse = |message: String, help: &str| out.push(loaded.error("SPC413", score, message).with_help(help));
    let in_range = |score: f64| (0.0..=100.0).contains(&score);
    let word = match better {
        Better::Higher => "higher",
        Better::Lower => "lower",
    };
    match &score.value {
        Scoring::Linear(Linear { red, green }) => {
            let right = match better {
                Better::Higher => red < green,
                Better::Lower => red > green,
            };
            if !right || !red.is_finite() || !green.is_finite() {
                refuse(
                    format!("`{name}` is better when {word}, but its red is {red} and its green {green}"),
                    "green is the good end: swap the two or change `better`",
                );
            }
        }
        Scoring::Points(points) => {
            if points.len() < 2 || points.windows(2).any(|p| p[0].value >= p[1].value) || points.iter().any(|p| !p.value.is_finite()) {
                refuse(format!("the points of `{name}` are not at least two with ascending values"), "sort the points by value");
            } else if points.iter().any(|p| !in_range(p.score)) {
                refuse(format!("a score of `{name}` is not between 0 and 100"), "scores lie between 0 and 100");
            } else {
                let right = points.windows(2).all(|p| match better {
                    Better::Higher => p[0].score <= p[1].score,
                    Better::Lower => p[0].score >= p[1].score,
                });
                if !right {
                    refuse(format!("`{name}` is better when {word}, but its points say otherwise"), "change the scores or `better`");
                }
            }
        }
        Scoring::Steps(Steps { steps, otherwise }) => {
            let right = steps.windows(2).all(|s| match better {
                Better::Higher => s[0].limit > s[1].limit,
                Better::Lower => s[0].limit < s[1].limit,
            });
            let scores: Vec<f64> = steps.iter().map(|s| s.score).chain([*otherwise]).collect();
            if steps.is_empty() || !right || steps.iter().any(|s| !s.limit.is_finite()) {
                refuse(
                    format!("the steps of `{name}` don't go from best to worst limit"),
                    "the best band comes first; with `better: lower` that is the lowest limit",
                );
            } else if !scores.iter().all(|s| in_range(*s)) || scores.windows(2).any(|s| s[0] < s[1]) {
                refuse(
                    format!("the scores of `{name}` don't fall from step to step within 100 and 0"),
                    "a better band has the higher score",
                );
            }
        }
    }
}
