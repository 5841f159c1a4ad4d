//! Why an account has its score, in the words of the feature dictionary.

use cscopilot_spec::{FeatureDictionary, FeatureFormat, FeatureWords};
use serde::{Deserialize, Serialize};

use crate::registry::FeatureInfo;

/// How many reasons a score shows.
pub const TOP: usize = 5;

/// One reason of a score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// The feature's column.
    pub feature: String,
    /// The account's value; none where it is missing.
    pub value: Option<f64>,
    /// What it adds to the margin: positive raises the probability.
    pub contribution: f64,
    /// The reason in words.
    pub text: String,
}

/// Turns values and contributions into words.
#[derive(Debug, Clone, Copy)]
pub struct Narrator<'a> {
    /// The features as the model knows them.
    pub features: &'a [FeatureInfo],
    /// The group of each feature, numbered from 0: features that say the same thing make one reason.
    pub groups: &'a [usize],
    /// The dictionary, if the project has one.
    pub dictionary: Option<&'a FeatureDictionary>,
    /// What the probability is called: `risk`.
    pub outcome: &'a str,
}

impl Narrator<'_> {
    /// The reasons with the largest contributions, the largest first.
    ///
    /// A group's contribution is the sum of its features'; its words are those of the feature that did most towards the sum.
    pub fn top(&self, values: &[f64], contributions: &[f64]) -> Vec<Reason> {
        let mut sums = vec![0.0; self.groups.iter().max().map_or(0, |g| g + 1)];
        for (group, contribution) in self.groups.iter().zip(contributions) {
            sums[*group] += contribution;
        }
        let mut order: Vec<usize> = (0..sums.len()).filter(|group| sums[*group] != 0.0).collect();
        order.sort_by(|a, b| sums[*b].abs().total_cmp(&sums[*a].abs()).then(a.cmp(b)));
        order.truncate(TOP);
        let strongest = |group: usize| {
            let towards = |feature: &usize| contributions[*feature] * sums[group].signum();
            let features = (0..contributions.len()).filter(|feature| self.groups[*feature] == group);
            features.max_by(|a, b| towards(a).total_cmp(&towards(b)).then(b.cmp(a)))
        };
        order.into_iter().filter_map(|group| strongest(group).map(|at| self.reason(at, values[at], sums[group]))).collect()
    }

    /// One feature's reason.
    pub fn reason(&self, feature: usize, value: f64, contribution: f64) -> Reason {
        let info = &self.features[feature];
        let words = self.dictionary.and_then(|d| d.features.get(&info.name));
        let label = words.map_or_else(|| info.label.clone(), |w| w.label.value.clone());
        let effect = format!("{} the {}", if contribution > 0.0 { "raises" } else { "lowers" }, self.outcome);
        let known = !value.is_nan();
        let mut text = format!("{label}: {}", if known { shown(value, words) } else { "unknown".to_owned() });
        // The unit stands once, behind the account's own value; "yes (typical yes)" would tell nobody anything.
        let typical = info.median.filter(|_| known).map(|m| shown_without_unit(m, words));
        if let Some(typical) = typical.filter(|t| *t != shown_without_unit(value, words)) {
            text.push_str(&format!(" (typical {typical})"));
        }
        let phrase = words.and_then(|w| match info.median {
            _ if !known => w.missing.as_deref(),
            Some(typical) if value > typical => w.up.as_deref(),
            Some(typical) if value < typical => w.down.as_deref(),
            _ => None,
        });
        match phrase {
            Some(phrase) => text.push_str(&format!(" — {phrase}, {effect}")),
            None => text.push_str(&format!(" — {effect}")),
        }
        Reason { feature: info.name.clone(), value: known.then_some(value), contribution, text }
    }
}

/// A feature's step from one value to another in words: `Logins, 28 days: 17 → 3 logins`.
pub fn step(info: &FeatureInfo, dictionary: Option<&FeatureDictionary>, from: f64, to: f64) -> String {
    let words = dictionary.and_then(|d| d.features.get(&info.name));
    let label = words.map_or(info.label.as_str(), |w| w.label.value.as_str());
    let unknown = || "unknown".to_owned();
    let (from, to) = match (from.is_nan(), to.is_nan()) {
        (false, false) => (shown_without_unit(from, words), shown(to, words)),
        (from_missing, to_missing) => {
            (if from_missing { unknown() } else { shown(from, words) }, if to_missing { unknown() } else { shown(to, words) })
        }
    };
    format!("{label}: {from} → {to}")
}

/// A value with its unit.
pub fn shown(value: f64, words: Option<&FeatureWords>) -> String {
    let number = shown_without_unit(value, words);
    match words.and_then(|w| w.unit.as_deref()).map(str::trim) {
        None | Some("") => number,
        // Signs follow the number as the trade writes them: 5%, €5.
        Some("%") => format!("{number}%"),
        Some(sign @ ("€" | "$" | "£")) => match number.strip_prefix('−') {
            Some(rest) => format!("−{sign}{rest}"),
            None => format!("{sign}{number}"),
        },
        Some(unit) => format!("{number} {}", singular(unit, &number)),
    }
}

/// `1 login`, not `1 logins`.
fn singular<'a>(unit: &'a str, number: &str) -> &'a str {
    let regular = unit.ends_with('s') && !unit.ends_with("ss") && unit.len() > 3;
    if number == "1" && regular { &unit[..unit.len() - 1] } else { unit }
}

fn shown_without_unit(value: f64, words: Option<&FeatureWords>) -> String {
    let format = words.map(|w| w.format).unwrap_or_default();
    let decimals = words.and_then(|w| w.decimals).map(usize::from);
    match format {
        FeatureFormat::YesNo => if value > 0.5 { "yes" } else { "no" }.to_owned(),
        FeatureFormat::Number => number(value, decimals, false),
        FeatureFormat::Change => number(value, decimals, true),
        FeatureFormat::Percent => format!("{}%", number(value * 100.0, decimals, false)),
        FeatureFormat::PercentChange => format!("{}%", number(value * 100.0, decimals, true)),
    }
}

/// A number as people write it: thousands grouped, as many digits as matter, a true minus sign.
pub fn number(value: f64, decimals: Option<usize>, signed: bool) -> String {
    let decimals = decimals.unwrap_or(match value.abs() {
        x if (x - x.round()).abs() < 1e-9 || x >= 100.0 => 0,
        x if x >= 10.0 => 1,
        x if x >= 0.1 => 2,
        _ => 3,
    });
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(w, f)| (w, Some(f)));
    let mut grouped = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    // 3.50 says no more than 3.5.
    let fraction = fraction.map(|f| f.trim_end_matches('0')).filter(|f| !f.is_empty());
    let zero = whole.chars().all(|c| c == '0') && fraction.is_none();
    let sign = match value {
        _ if zero => "",
        v if v < 0.0 => "−",
        _ if signed => "+",
        _ => "",
    };
    match fraction {
        Some(fraction) => format!("{sign}{grouped}.{fraction}"),
        None => format!("{sign}{grouped}"),
    }
}

/// A column's name for people, where the dictionary has none: `logins_28d` becomes `Logins 28d`.
pub fn label_of(column: &str, dictionary: Option<&FeatureDictionary>) -> String {
    if let Some(words) = dictionary.and_then(|d| d.features.get(column)) {
        return words.label.value.clone();
    }
    let text = column.replace('_', " ");
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cscopilot_spec::At;

    fn info(name: &str, median: f64) -> FeatureInfo {
        FeatureInfo {
            name: name.into(),
            label: label_of(name, None),
            median: Some(median),
            min: None,
            max: None,
            missing_pct: 0.0,
            importance: 0.0,
        }
    }

    #[test]
    fn reasons_say_value_typical_value_and_direction() {
        let mut dictionary = FeatureDictionary::default();
        dictionary.features.insert(
            "logins_28d".into(),
            FeatureWords {
                label: At::nowhere("Logins, 28 days".into()),
                unit: Some("logins".into()),
                down: Some("logs in less than usual".into()),
                missing: Some("never logged in".into()),
                ..FeatureWords::default()
            },
        );
        let features = [info("logins_28d", 17.0), info("seat_use", 0.5), info("idle", 0.0)];
        let narrator = Narrator { features: &features, groups: &[0, 1, 2], dictionary: Some(&dictionary), outcome: "risk" };
        let top = narrator.top(&[3.0, 0.25, 0.0], &[0.4, -0.7, 0.0]);
        let texts: Vec<&str> = top.iter().map(|r| r.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "Seat use: 0.25 (typical 0.5) — lowers the risk",
                "Logins, 28 days: 3 logins (typical 17) — logs in less than usual, raises the risk"
            ]
        );
        assert_eq!(step(&features[0], Some(&dictionary), 17.0, 3.0), "Logins, 28 days: 17 → 3 logins");
        assert_eq!(step(&features[0], Some(&dictionary), 1.0, f64::NAN), "Logins, 28 days: 1 login → unknown");
        let hole = narrator.reason(0, f64::NAN, 0.1);
        assert_eq!(hole.text, "Logins, 28 days: unknown — never logged in, raises the risk");
        assert_eq!(hole.value, None);
    }

    #[test]
    fn features_that_say_the_same_make_one_reason_in_the_words_of_the_strongest() {
        let features = [info("events_7d", 5.0), info("tickets", 1.0), info("events_28d", 20.0)];
        let narrator = Narrator { features: &features, groups: &[0, 1, 0], dictionary: None, outcome: "risk" };
        let top = narrator.top(&[1.0, 4.0, 2.0], &[-0.1, 0.3, 0.6]);
        let told: Vec<(&str, f64, Option<f64>)> = top.iter().map(|r| (r.feature.as_str(), r.contribution, r.value)).collect();
        assert_eq!(told, [("events_28d", 0.5, Some(2.0)), ("tickets", 0.3, Some(4.0))]);
        assert!(top[0].text.starts_with("Events 28d: 2 ") && top[0].text.ends_with("raises the risk"), "{}", top[0].text);
    }

    #[test]
    fn numbers_look_as_people_write_them() {
        assert_eq!(number(1_234_567.0, None, false), "1,234,567");
        assert_eq!(number(-0.5, None, false), "−0.5");
        assert_eq!(number(3.0, None, true), "+3");
        assert_eq!(number(-0.0001, None, true), "0");
        assert_eq!(number(12.345, None, false), "12.3");
        let words = |unit: &str, format| FeatureWords { unit: Some(unit.into()), format, ..FeatureWords::default() };
        assert_eq!(shown(1.0, Some(&words("days", FeatureFormat::Number))), "1 day");
        assert_eq!(shown(-20.0, Some(&words("€", FeatureFormat::Number))), "−€20");
        assert_eq!(shown(0.123, Some(&words("", FeatureFormat::PercentChange))), "+12.3%");
        assert_eq!(shown(1.0, Some(&words("", FeatureFormat::YesNo))), "yes");
    }
}
