//! Tonight against the picture.

use cscopilot_lake::step::{CheckResult, CheckSeverity, CheckStatus};
use cscopilot_spec::Drift;
use rayon::prelude::*;

use super::picture::{Binned, Picture};
use crate::data::dataset::Table;
use crate::metrics::{psi, psi_by_chance};
use crate::registry::FeatureList;

/// A feature that carries a smaller share of the model's contributions than this can't move scores much.
const MATTERS: f64 = 0.05;

/// What was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Feature,
    Score,
    Label,
    Population,
}

/// How much something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Status {
    Same,
    Changed,
    Bad,
}

/// One comparison.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Drifted {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    /// None for the population, which is one number.
    pub(crate) psi: Option<f64>,
    /// The PSI that chance alone hardly exceeds.
    pub(crate) chance: Option<f64>,
    /// Mean in training, tonight; for the population its size. None for categories.
    pub(crate) means: (Option<f64>, Option<f64>),
    /// The category whose share changed the most.
    pub(crate) category: Option<Category>,
    /// Share of missing values in training, tonight.
    pub(crate) missing: (f64, f64),
    pub(crate) status: Status,
}

/// A category, and its share of the rows with a category in training, tonight.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Category {
    /// In words: that of the rare ones is theirs together.
    pub(crate) name: String,
    pub(crate) shares: (f64, f64),
}

/// What is compared with the picture.
pub(crate) struct Subject<'a> {
    pub(crate) table: &'a Table,
    pub(crate) margins: &'a [f64],
    /// Rows whose label became known since the training, and events among them.
    pub(crate) labels: (u64, u64),
}

/// Compares a night with the picture: features in their order, then score, label and population.
pub(crate) fn measure(picture: &Picture, features: &FeatureList, tonight: &Subject<'_>, bounds: &Drift) -> Vec<Drifted> {
    let compared = |kind: Kind, then: &Binned, now: &Binned, may_be_bad: bool| {
        let (before, after) = (then.bins(), now.bins());
        let (psi, chance) = (psi(&before, &after), psi_by_chance(&before, &after));
        Drifted {
            kind,
            name: then.name.clone(),
            psi,
            chance,
            means: (then.mean, now.mean),
            category: category(then, now, features),
            missing: (then.missing_share(), now.missing_share()),
            status: status(psi, chance, bounds, may_be_bad),
        }
    };
    let total: f64 = features.features.iter().map(|f| f.importance).sum();
    let matters = |name: &str| {
        let importance = features.features.iter().find(|f| f.name == name).map_or(0.0, |f| f.importance);
        importance >= MATTERS * total && importance > 0.0 && !bounds.ignore.iter().any(|ignored| ignored == name)
    };
    let columns = picture.features.par_iter().filter_map(|then| {
        let at = tonight.table.features.iter().position(|name| *name == then.name)?;
        Some(compared(Kind::Feature, then, &then.count(&tonight.table.columns[at]), matters(&then.name)))
    });
    let mut all: Vec<Drifted> = columns.collect();
    all.push(compared(Kind::Score, &picture.score, &picture.score.count(tonight.margins), true));
    all.extend(label(picture, tonight.labels, bounds));
    all.push(Drifted {
        kind: Kind::Population,
        name: "accounts".to_owned(),
        psi: None,
        chance: None,
        means: (Some(picture.accounts as f64), Some(tonight.table.rows as f64)),
        category: None,
        missing: (0.0, 0.0),
        status: Status::Same,
    });
    all
}

/// The label's rate; nothing until some became known.
fn label(picture: &Picture, (rows, events): (u64, u64), bounds: &Drift) -> Option<Drifted> {
    let before = (picture.label_rate * picture.rows as f64).round() as u64;
    let (before, after) = ([picture.rows as u64 - before, before], [rows.checked_sub(events)?, events]);
    let (psi, chance) = (psi(&before, &after), psi_by_chance(&before, &after));
    (rows > 0).then(|| Drifted {
        kind: Kind::Label,
        name: "label".to_owned(),
        psi,
        chance,
        means: (Some(picture.label_rate), Some(events as f64 / rows as f64)),
        category: None,
        missing: (0.0, 0.0),
        status: status(psi, chance, bounds, true),
    })
}

/// The category of which there are many more or many fewer; none for numbers, or where a side has no categories.
fn category(then: &Binned, now: &Binned, features: &FeatureList) -> Option<Category> {
    let codes = then.codes.as_ref()?;
    let labels = features.features.iter().find(|f| f.name == then.name)?.categories.as_ref()?;
    let total = |side: &Binned| side.counts.iter().sum::<u64>() as f64;
    let shares = then.counts.iter().zip(&now.counts).map(|(t, n)| (*t as f64 / total(then), *n as f64 / total(now)));
    let (bin, shares) = shares.enumerate().max_by(|(_, a), (_, b)| (a.0 - a.1).abs().total_cmp(&(b.0 - b.1).abs()))?;
    let name = match codes.get(bin) {
        Some(code) => format!("`{}`", labels.get(*code as usize)?),
        None => "rare categories".to_owned(),
    };
    (total(then) > 0.0 && total(now) > 0.0).then_some(Category { name, shares })
}

fn status(psi: Option<f64>, chance: Option<f64>, bounds: &Drift, may_be_bad: bool) -> Status {
    let (Some(psi), Some(chance)) = (psi, chance) else { return Status::Same };
    match psi {
        _ if psi <= chance => Status::Same,
        _ if psi >= bounds.bad_psi.value && may_be_bad => Status::Bad,
        _ if psi >= bounds.warn_psi.value => Status::Changed,
        _ => Status::Same,
    }
}

/// The checks of a night for `ops.data_quality`: each bad one warns; if there is none, one passes.
pub(crate) fn checks(model: &str, drifted: &[Drifted], accounts: usize) -> Vec<CheckResult> {
    let result = |check: String, status, failing, detail| CheckResult {
        subject: format!("model {model}"),
        check,
        severity: CheckSeverity::Warn,
        status,
        failing_rows: failing,
        total_rows: accounts as u64,
        detail: Some(detail),
        sample: None,
    };
    let bad: Vec<CheckResult> = (drifted.iter().filter(|d| d.status == Status::Bad))
        .map(|d| result(format!("drift({})", d.name), CheckStatus::Warned, accounts as u64, detail(d)))
        .collect();
    if !bad.is_empty() {
        return bad;
    }
    let changed = drifted.iter().filter(|d| d.status == Status::Changed).count();
    let what = match changed {
        0 => "tonight's accounts are like those that the model learned from".to_owned(),
        1 => "one feature or figure is not as it was in training, but none badly".to_owned(),
        n => format!("{n} features or figures are not as they were in training, but none badly"),
    };
    vec![result("drift".to_owned(), CheckStatus::Passed, 0, what)]
}

fn detail(drifted: &Drifted) -> String {
    let number = |x: f64| crate::score::reasons::number(x, None, false);
    let percent = |x: f64| format!("{}%", number(x * 100.0));
    let (then, now) = drifted.means;
    let mean = |x: Option<f64>, rate: bool| x.map_or_else(|| "none".to_owned(), |x| if rate { percent(x) } else { number(x) });
    let rate = drifted.kind == Kind::Label;
    let means = match &drifted.category {
        Some(Category { name, shares: (then, now) }) => format!("{name} {} in training, {} now", percent(*then), percent(*now)),
        None => format!("{} {} in training, {} now", if rate { "rate" } else { "mean" }, mean(then, rate), mean(now, rate)),
    };
    let missing = match drifted.missing {
        (0.0, 0.0) => String::new(),
        (then, now) => format!("; missing {} in training, {} now", percent(then), percent(now)),
    };
    let psi = drifted.psi.map_or_else(String::new, |psi| format!("population stability index {psi:.2}: "));
    format!("{psi}{means}{missing}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reproducible noise from 0 to 1.
    fn noise(i: usize, k: u64) -> f64 {
        let mut x = (i as u64 ^ (k << 40)).wrapping_add(0x9E37_79B9_7F4A_7C15);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((x ^ (x >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn night(shift: f64, rows: usize) -> (Table, Vec<f64>) {
        let column: Vec<f64> = (0..rows).map(|i| noise(i, 7) + shift).collect();
        let margins = column.iter().map(|x| 2.0 * x).collect();
        (Table { features: vec!["x".into()], columns: vec![column], rows, ..Table::default() }, margins)
    }

    #[test]
    fn a_shifted_feature_is_bad_and_the_same_one_is_not() {
        let (table, margins) = night(0.0, 4000);
        let mut data = crate::data::dataset::Dataset { events: vec![false; 4000], ..Default::default() };
        (data.table, data.dates) = (table, vec![chrono::NaiveDate::default(); 4000]);
        data.events[..400].fill(true);
        let rows: Vec<usize> = (0..4000).collect();
        let picture = Picture::of(&data, &rows, &margins);
        let info = serde_json::json!({"table": "t", "features": [{"name": "x", "label": "X", "missing_pct": 0.0, "importance": 1.0}]});
        let features: FeatureList = serde_json::from_value(info).unwrap();
        let statuses = |shift: f64, rows: usize, labels, bounds: &Drift| {
            let (table, margins) = night(shift, rows);
            let drifted = measure(&picture, &features, &Subject { table: &table, margins: &margins, labels }, bounds);
            (drifted.iter().map(|d| d.status).collect::<Vec<_>>(), checks("churn", &drifted, rows))
        };
        use Status::{Bad, Same};
        let (same, passed) = statuses(0.0, 1000, (500, 50), &Drift::default());
        assert_eq!((same, passed[0].status), (vec![Same, Same, Same, Same], CheckStatus::Passed));
        let (shifted, warned) = statuses(0.4, 1000, (500, 200), &Drift::default());
        assert_eq!(shifted, [Bad, Bad, Bad, Same]);
        assert!(warned[0].detail.as_ref().unwrap().contains("mean 0.5 in training, 0.9 now"), "{:?}", warned[0].detail);
        assert!(warned[2].detail.as_ref().unwrap().contains("rate 10% in training, 40% now"), "{:?}", warned[2].detail);
        // Five accounts tell nothing; and what is ignored is only shown.
        assert_eq!(statuses(0.1, 5, (0, 0), &Drift::default()).0, [Same, Same, Same]);
        let ignoring = Drift { ignore: vec!["x".into()], ..Drift::default() };
        assert_eq!(statuses(0.4, 1000, (0, 0), &ignoring).0[0], Status::Changed);
    }

    #[test]
    fn a_category_that_grew_is_named_with_its_shares() {
        // Of ten rows `of_ten` have the second category, one has none, the others have the first.
        let table = |of_ten: usize| {
            let code = |i: usize| if i % 10 == 9 { f64::NAN } else { f64::from(u8::from(i % 10 < of_ten)) };
            let categories = vec![Some(vec!["free".to_owned(), "paid".to_owned()])];
            Table { features: vec!["plan".into()], columns: vec![(0..2000).map(code).collect()], rows: 2000, categories }
        };
        let data = crate::data::dataset::Dataset {
            events: vec![false; 2000],
            dates: vec![chrono::NaiveDate::default(); 2000],
            table: table(3),
            ..Default::default()
        };
        let margins: Vec<f64> = (0..2000).map(|i| noise(i, 7)).collect();
        let picture = Picture::of(&data, &(0..2000).collect::<Vec<_>>(), &margins);
        let info = serde_json::json!({"table": "t", "features": [
            {"name": "plan", "label": "Plan", "missing_pct": 10.0, "importance": 1.0, "categories": ["free", "paid"]}]});
        let features: FeatureList = serde_json::from_value(info).unwrap();
        let drifted = measure(&picture, &features, &Subject { table: &table(6), margins: &margins, labels: (0, 0) }, &Drift::default());
        assert_eq!((drifted[0].status, drifted[0].means), (Status::Bad, (None, None)));
        let told = checks("churn", &drifted, 2000)[0].detail.clone().unwrap();
        assert!(told.ends_with("`paid` 33.3% in training, 66.7% now; missing 10% in training, 10% now"), "{told}");
    }
}
