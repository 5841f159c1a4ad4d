//! What health bands mean to the eye: good, to be watched, bad.

use crate::chart::Ink;
use std::collections::BTreeMap;

/// A meaning that the style sheet colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tone {
    Bad,
    Warn,
    Calm,
    Good,
}

impl Tone {
    /// The CSS class.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Bad => "bad",
            Self::Warn => "warn",
            Self::Calm => "calm",
            Self::Good => "good",
        }
    }

    /// The colour in charts.
    pub(crate) fn ink(self) -> Ink {
        match self {
            Self::Bad => Ink::Bad,
            Self::Warn => Ink::Warn,
            Self::Calm => Ink::Calm,
            Self::Good => Ink::Good,
        }
    }

    /// The faint colour behind a trend.
    pub(crate) fn zone(self) -> Option<Ink> {
        match self {
            Self::Bad => Some(Ink::BadZone),
            Self::Warn => Some(Ink::WarnZone),
            Self::Calm => None,
            Self::Good => Some(Ink::GoodZone),
        }
    }

    /// The tone of an alert's severity.
    pub(crate) fn of_severity(severity: &str) -> Self {
        match severity {
            "critical" | "urgent" | "high" | "error" => Self::Bad,
            "medium" | "warning" | "warn" => Self::Warn,
            _ => Self::Calm,
        }
    }

    /// The tone of a data check's status.
    pub(crate) fn of_status(status: &str) -> Self {
        match status {
            "passed" => Self::Good,
            "failed" => Self::Bad,
            _ => Self::Warn,
        }
    }

    fn of_name(band: &str) -> Option<Self> {
        let has = |known: &[&str]| band.split(|c: char| !c.is_alphanumeric()).any(|word| known.contains(&word));
        if has(&["unknown", "neutral", "new", "none"]) {
            Some(Self::Calm)
        } else if has(&["risk", "red", "poor", "critical", "unhealthy", "bad", "danger", "low"]) {
            Some(Self::Bad)
        } else if has(&["watch", "yellow", "amber", "orange", "warning", "concern", "fair", "medium"]) {
            Some(Self::Warn)
        } else if has(&["healthy", "green", "good", "strong", "thriving", "great", "high"]) {
            Some(Self::Good)
        } else {
            None
        }
    }
}

/// A health band of the scorecard.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Band {
    pub(crate) name: String,
    pub(crate) tone: Tone,
    /// Its lower bound in the default of the scorecard, where it has one.
    pub(crate) from: Option<f64>,
}

/// The bands of the project, best first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bands(Vec<Band>);

impl Bands {
    /// From the scorecard's bounds (may be empty), the names that occur in the data, and what the project says about them.
    ///
    /// What `said` holds wins, then the name's own meaning, then the place among the bounds.
    pub(crate) fn new(bounds: &BTreeMap<String, f64>, seen: &[String], said: &BTreeMap<String, Tone>) -> Self {
        let mut ranked: Vec<(&String, f64)> = bounds.iter().map(|(name, from)| (name, *from)).collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        let last = ranked.len().saturating_sub(1);
        let by_rank = |i: usize| match i {
            0 => Tone::Good,
            i if i == last => Tone::Bad,
            _ => Tone::Warn,
        };
        let tone = |name: &str| said.get(name).copied().or_else(|| Tone::of_name(&name.to_lowercase()));
        let mut all: Vec<Band> = ranked
            .iter()
            .enumerate()
            .map(|(i, (name, from))| Band { name: (*name).clone(), tone: tone(name).unwrap_or_else(|| by_rank(i)), from: Some(*from) })
            .collect();
        let mut rest: Vec<Band> = seen
            .iter()
            .filter(|name| !bounds.contains_key(*name))
            .map(|name| Band { name: name.clone(), tone: tone(name).unwrap_or(Tone::Calm), from: None })
            .collect();
        rest.sort_by(|a, b| b.tone.cmp(&a.tone).then_with(|| a.name.cmp(&b.name)));
        rest.dedup_by(|a, b| a.name == b.name);
        all.extend(rest);
        Self(all)
    }

    /// All bands, best first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Band> {
        self.0.iter()
    }

    /// The tone of a band by name.
    pub(crate) fn tone(&self, name: &str) -> Tone {
        self.0.iter().find(|b| b.name == name).map_or(Tone::Calm, |b| b.tone)
    }

    /// The zones behind a trend, from the bounds: from, to, colour.
    pub(crate) fn zones(&self) -> Vec<(f64, f64, Ink)> {
        let mut upper = 100.0;
        let mut zones = Vec::new();
        for band in &self.0 {
            let Some(from) = band.from else { continue };
            if let Some(ink) = band.tone.zone()
                && from < upper
            {
                zones.push((from, upper, ink));
            }
            upper = from;
        }
        zones
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_gets_its_tone_from_the_project_its_name_or_its_rank() {
        let bounds = BTreeMap::from([("alpha".to_owned(), 80.0), ("beta".to_owned(), 40.0), ("gamma".to_owned(), 0.0)]);
        let said = BTreeMap::from([("beta".to_owned(), Tone::Calm)]);
        let bands = Bands::new(&bounds, &["unknown".to_owned()], &said);
        let tones: Vec<_> = bands.iter().map(|b| (b.name.as_str(), b.tone)).collect();
        assert_eq!(tones, [("alpha", Tone::Good), ("beta", Tone::Calm), ("gamma", Tone::Bad), ("unknown", Tone::Calm)]);
        assert_eq!(bands.zones(), [(80.0, 100.0, Ink::GoodZone), (0.0, 40.0, Ink::BadZone)]);
        assert_eq!(Bands::new(&BTreeMap::new(), &["at_risk".into(), "healthy".into()], &BTreeMap::new()).tone("at_risk"), Tone::Bad);
    }
}
