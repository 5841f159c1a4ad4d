//! A made-up night for tests: deterministic, any number of accounts, with and without a model.

use crate::night::*;
use crate::view::Titles;
use chrono::{Duration, NaiveDate};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

struct Dice(u64);

impl Dice {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
    fn below(&mut self, n: usize) -> usize {
        ((self.next() * n as f64) as usize).min(n - 1)
    }
}

pub(crate) fn tonight() -> NaiveDate {
    NaiveDate::from_ymd_opt(2023, 10, 1).unwrap_or_default()
}

const FIRST: [&str; 20] = [
    "Northwind",
    "Blue Harbor",
    "Cedar",
    "Lumen",
    "Apex",
    "Granite",
    "Silverline",
    "Quanta",
    "Fjord",
    "Meridian",
    "Orchard",
    "Pioneer",
    "Redwood",
    "Solstice",
    "Tidal",
    "Umbra",
    "Vertex",
    "Willow",
    "Xenon",
    "Yarrow",
];
const LAST: [&str; 12] =
    ["Logistics", "Robotics", "Health", "Analytics", "Foods", "Energy", "Media", "Studios", "Insurance", "Capital", "Learning", "Mobility"];
const PEOPLE: [&str; 8] =
    ["Amara Okafor", "Ben Lindqvist", "Chiara Romano", "Daniel Cho", "Elif Yılmaz", "Farid Haddad", "Grace Muller", "Hugo Silva"];
const REASONS: [(&str, &str, &str); 6] = [
    ("logins_28d", "Logins fell by 62% against the four weeks before", "Logins rose by 18% against the four weeks before"),
    ("seats_used", "Only 11 of 60 seats were used in 28 days", "54 of 60 seats were used in 28 days"),
    ("tickets_open", "4 support tickets have been open for more than a week", "No support ticket is open"),
    ("days_to_renewal", "The contract ends in 41 days", "The contract runs for another 280 days"),
    ("discount", "Pays with a discount of 25%", "Pays the list price"),
    ("tenure_days", "Customer for only 5 months", "Customer for more than 3 years"),
];
const MEASURES: [(&str, &str, &str, f64); 6] = [
    ("logins_per_seat", "adoption", "Logins per seat, 28 days", 30.0),
    ("feature_breadth", "adoption", "Features used, of 12", 15.0),
    ("usage_trend", "adoption", "Usage against the four weeks before", 15.0),
    ("open_tickets", "support", "Open tickets", 20.0),
    ("csat", "support", "Satisfaction with support", 10.0),
    ("paid_late", "commercial", "Invoices paid late, 12 months", 10.0),
];

fn band(score: f64) -> Arc<str> {
    if score >= 70.0 {
        "healthy"
    } else if score >= 40.0 {
        "watch"
    } else {
        "at_risk"
    }
    .into()
}

fn account(i: usize, managers: usize, with_model: bool) -> Account {
    let as_of = tonight();
    let mut dice = Dice(0x9E37_79B9 ^ (i as u64).wrapping_mul(0xD1B5_4A32_D192_ED03));
    dice.next();
    let segment = ["Enterprise", "Mid-market", "SMB"][dice.below(3)];
    let arr = match segment {
        "Enterprise" => 6_000_000.0 + dice.next() * 20_000_000.0,
        "Mid-market" => 1_200_000.0 + dice.next() * 5_000_000.0,
        _ => 150_000.0 + dice.next() * 900_000.0,
    } as Cents;
    let mut score = 35.0 + dice.next() * 50.0;
    let drift = (dice.next() - 0.52) * 5.0;
    let nights = 6 + dice.below(13);
    let mut trend = Vec::new();
    for n in (0..nights).rev() {
        score = (score + drift + (dice.next() - 0.5) * 9.0).clamp(3.0, 98.0);
        trend.push((as_of - Duration::days(28 * n as i64), score));
    }
    let measures: Vec<Measure> = MEASURES
        .iter()
        .enumerate()
        .map(|(m, (name, group, label, weight))| {
            let missing = dice.next() < 0.07;
            let own = (score + (dice.next() - 0.5) * 60.0).clamp(0.0, 100.0);
            Measure {
                name: (*name).into(),
                group: (*group).into(),
                label: (*label).into(),
                unit: None,
                value: (!missing).then_some(own / (7.0 + m as f64 * 3.0)),
                score: (!missing).then_some(own),
                weight: *weight,
                band: None,
                missing,
            }
        })
        .collect();
    let probability = (0.34 - score * 0.0036 + dice.next() * 0.08).clamp(0.004, 0.9);
    let reasons = (0..5)
        .map(|r| {
            let (feature, bad, good) = REASONS[(r + i) % REASONS.len()];
            let raises = dice.next() > score / 110.0;
            let size = (0.62 - 0.11 * r as f64) * (0.7 + dice.next() * 0.6);
            Reason {
                feature: feature.into(),
                contribution: if raises { size } else { -size },
                text: if raises { bad } else { good }.into(),
            }
        })
        .collect();
    let csm = i % managers.max(1);
    let before = trend.iter().rev().nth(1).map(|(_, s)| Health { score: *s, band: band(*s), coverage_pct: Some(100.0) });
    let alerts = if score < 45.0 {
        vec![
            Alert {
                rule: "health_at_risk".into(),
                title: None,
                severity: "high".into(),
                state: "open".into(),
                opened: Some(as_of - Duration::days((i % 9) as i64)),
                updated: Some(as_of),
                owner: None,
                evidence: Some(format!("Health fell to {score:.0} (four weeks ago: {:.0})", score + 11.0)),
            },
            Alert {
                rule: "tickets_unanswered".into(),
                title: None,
                severity: "medium".into(),
                state: if i.is_multiple_of(3) { "resolved" } else { "open" }.into(),
                opened: Some(as_of - Duration::days(12)),
                updated: Some(as_of - Duration::days((i % 2) as i64)),
                owner: None,
                evidence: Some("4 tickets wait for an answer since more than a week".into()),
            },
        ]
    } else {
        Vec::new()
    };
    let opportunities = if dice.next() > 0.8 {
        vec![Opportunity {
            kind: "seats_full".into(),
            title: None,
            product: Some("Seats".into()),
            propensity: Some(0.1 + dice.next() * 0.5),
            expected_arr: Some(arr / 5),
            evidence: Some("57 of 60 seats in use".into()),
        }]
    } else {
        Vec::new()
    };
    let actions = if score < 60.0 {
        vec![Action {
            play: if score < 45.0 { "renewal_rescue" } else { "adoption_call" }.into(),
            title: None,
            rank: Some(1),
            reason: Some(format!("{:.0}% risk, and usage is falling", probability * 100.0)),
            due: Some(as_of + Duration::days((i % 14) as i64)),
            owner: Some(format!("csm-{csm}")),
            effect: Some("Rescue calls kept about one in four such accounts".into()),
        }]
    } else {
        Vec::new()
    };
    let name = format!("{} {}", FIRST[dice.below(FIRST.len())], LAST[dice.below(LAST.len())]);
    let id = format!("acc-{i:05}");
    let decile = Some(((1.0 - probability / 0.45).clamp(0.0, 0.99) * 10.0) as i64 + 1);
    let stays = Some([1, 3, 6].map(|months| (1.0 - probability).powi(months)));
    let risk = with_model.then_some(Risk { probability, decile, stays, reasons });
    let moved = with_model.then(|| Moved { since: as_of.pred_opt(), change: 0.021, parts: moves() });
    let attention = if with_model { (arr as f64 * probability) as Cents } else { (arr as f64 * (100.0 - score) / 100.0) as Cents };
    Account {
        slug: crate::slug::slug(&id),
        domain: Some(format!("{}.example", name.to_lowercase().replace(' ', "-"))),
        id,
        name,
        csm_id: Some(format!("csm-{csm}")),
        csm_name: Some(if csm < PEOPLE.len() { PEOPLE[csm].into() } else { format!("{} {csm}", PEOPLE[csm % PEOPLE.len()]) }),
        segment: Some(segment.into()),
        plan: Some(["Team", "Business", "Scale"][dice.below(3)].into()),
        arr: Some(arr),
        renewal: Some(as_of + Duration::days((dice.next() * 360.0) as i64)),
        tenure_days: Some((dice.next() * 1500.0) as i64),
        crm_id: Some(format!("001Dn00000{i:05}AAA")),
        facts: vec![
            ("seats_entitled".into(), Fact::Number(60.0)),
            ("billing_period".into(), Fact::Text("annual".into())),
            ("signed_on".into(), Fact::Date(as_of)),
        ],
        health: Some(Health { score, band: band(score), coverage_pct: Some(93.0) }),
        before,
        risk,
        risk_moved: moved,
        expansion: None,
        trend,
        measures,
        alerts,
        opportunities,
        actions,
        attention,
    }
}

fn moves() -> Vec<Reason> {
    let part = |contribution, text: &str| Reason { contribution, text: text.into(), ..Reason::default() };
    vec![
        part(0.034, "Logins, 28 days: 31 → 12 logins"),
        part(-0.019, "Satisfaction, 24 weeks: unknown → 4.6"),
        part(0.006, "Version 3 of the model, which reads the same data differently"),
    ]
}

/// A night with so many accounts and managers.
pub(crate) fn night(accounts: usize, managers: usize, with_model: bool) -> Night {
    let as_of = tonight();
    let mut all: Vec<Account> = (0..accounts).map(|i| account(i, managers, with_model)).collect();
    all.sort_by(|a, b| b.attention.cmp(&a.attention).then_with(|| a.id.cmp(&b.id)));
    let portfolio =
        (0..15).rev().map(|n| Point { as_of: as_of - Duration::days(28 * n), mean_health: 63.0 - (n as f64 - 7.0).abs() * 0.9 }).collect();
    let figures = |auc: f64| -> BTreeMap<String, f64> {
        [
            ("auc", auc),
            ("auc_low", auc - 0.045),
            ("auc_high", auc + 0.043),
            ("average_precision", 0.214),
            ("log_loss", 0.231),
            ("brier", 0.0643),
            ("lift_10pct", 2.9),
            ("calibration_error", 0.012),
            ("rows_train", 18_240.0),
            ("rows_test", 3_112.0),
            ("positives_test", 231.0),
        ]
        .map(|(k, v)| (k.to_owned(), v))
        .into()
    };
    let day = |n: i64| as_of - Duration::days(n);
    let training = |model: &str, version: &str, auc: f64, promoted: bool| Training {
        model: model.into(),
        version: version.into(),
        as_of: Some(day(if promoted { 12 } else { 0 })),
        estimator: Some("xgboost".into()),
        promoted,
        reason: Some(
            if promoted { "passed the gate" } else { "the interval of AUC, 0.47 to 0.58, reaches 0.5: it can't be told from chance" }
                .into(),
        ),
        figures: figures(auc),
        dates: [("train_from", 540), ("train_to", 180), ("test_from", 120), ("test_to", 40)].map(|(k, n)| (k.to_owned(), day(n))).into(),
        detail: serde_json::json!({
            "calibration": (1..=10_i32).map(|i| { let x = f64::from(i); serde_json::json!({"predicted": 0.015 * x, "observed": 0.014 * x + if i % 2 == 0 {0.006} else {-0.005}, "low": 0.009 * x, "high": 0.021 * x + 0.008, "rows": 311}) }).collect::<Vec<_>>(),
            "gains": ([5, 10, 20, 30, 50].map(|p| serde_json::json!({"top_pct": p, "captured_pct": 100.0 * (f64::from(p) / 100.0).powf(0.55), "lift": 2.0}))),
            "importance": REASONS.iter().enumerate().map(|(i, (f, _, _))| serde_json::json!({"feature": f, "label": crate::format::humanise(f), "mean_abs_contribution": 0.4 / (i as f64 + 1.0)})).collect::<Vec<_>>(),
            "test": {"uncertainty": {"auc": {"value": auc, "low": auc - 0.04, "high": auc + 0.04}, "calibration_ratio": {"value": 1.04, "low": 0.81, "high": 1.3}, "calibration_slope": {"value": 0.93, "low": 0.7, "high": 1.16}}, "log_loss_of_rate": 0.264, "event_accounts": 118},
            "refitted_on_all": promoted,
            "candidates": [
                {"estimator": "xgboost", "choice": {"xgboost": {"rounds": 60, "max_depth": 2, "eta": 0.05}}, "chosen": true, "validation_auc": auc - 0.01, "validation_log_loss": 0.229, "test_auc": auc, "test_lift_10pct": 2.9},
                {"estimator": "logistic_regression", "choice": {"logistic": {"l2": 10.0}}, "chosen": false, "validation_auc": auc - 0.02, "validation_log_loss": 0.233, "test_auc": auc - 0.012, "test_lift_10pct": 2.6},
            ],
        }),
    };
    let trainings = if with_model {
        vec![training("churn", "3", 0.712, true), training("churn", "2", 0.698, true), training("expansion", "1", 0.525, false)]
    } else {
        vec![training("churn", "1", 0.525, false)]
    };
    let check = |subject: &str, check: &str, status: &str, failing: i64, total: i64, detail: &str| Check {
        subject: subject.into(),
        check: check.into(),
        severity: if status == "failed" { "error" } else { "warn" }.into(),
        status: status.into(),
        failing,
        total,
        detail: (!detail.is_empty()).then(|| detail.into()),
        sample: (failing > 0).then(|| "usage_id=U-4711; usage_id=U-4719".into()),
    };
    Night {
        as_of,
        compared_with: Some(as_of - Duration::days(28)),
        accounts: all,
        portfolio,
        trainings,
        models: vec![
            ModelCard {
                name: "churn".into(),
                title: None,
                estimator: with_model.then(|| "xgboost".into()),
                horizon_days: Some(28),
                scored: if with_model { accounts as u64 } else { 0 },
                version: with_model.then(|| "3".into()),
            },
            ModelCard { name: "expansion".into(), horizon_days: Some(90), ..ModelCard::default() },
        ],
        checks: vec![
            check("raw.crm__accounts", "rejected_rows", "passed", 0, 20_412, ""),
            check("raw.usage__events", "rejected_rows", "warned", 37, 612_400, "37 rows have no readable date"),
            check("staging.usage", "unique(usage_id)", "warned", 21, 612_363, "the newest row of each key is kept"),
            check("staging.invoices", "not_null(account_id)", "passed", 0, 8_210, ""),
            check("staging.tickets", "freshness(updated_at, 3 days)", "passed", 0, 4_402, "newest row: 30 Sep 2023"),
            check("features.account_features", "row_count(min 1)", "passed", 0, 31_000, ""),
        ],
        unmatched: vec![Unmatched {
            source: "zendesk".into(),
            reason: "no account has this domain".into(),
            count: 14,
            examples: vec!["mail.example.net".into(), "tmp.example.org".into()],
        }],
        tables: ["features.account_features", "marts.account_scores", "raw.crm__accounts", "raw.usage__events", "staging.usage"]
            .iter()
            .enumerate()
            .map(|(i, n)| TableCount { name: (*n).into(), rows: Some(31_000 + i as u64 * 7919) })
            .collect(),
        absent: BTreeSet::new(),
    }
}

pub(crate) fn titles() -> Titles {
    let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Titles {
        rules: map(&[("health_at_risk", "Health is at risk"), ("tickets_unanswered", "Tickets wait too long")]),
        kinds: map(&[("seats_full", "Seats nearly used up")]),
        plays: map(&[("renewal_rescue", "Book a renewal rescue call"), ("adoption_call", "Show unused features")]),
        groups: map(&[("adoption", "Adoption"), ("support", "Support"), ("commercial", "Commercial")]),
        features: map(&[("logins_28d", "Logins, 28 days"), ("seats_used", "Seats used")]),
    }
}

pub(crate) fn bounds() -> BTreeMap<String, f64> {
    [("healthy", 70.0), ("watch", 40.0), ("at_risk", 0.0)].map(|(k, v)| (k.to_owned(), v)).into()
}
