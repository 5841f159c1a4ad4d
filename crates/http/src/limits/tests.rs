use super::*;

/// A made-up moment; not a multiple of anything.
const NOW: u64 = 1_790_000_012_345;

fn rule(requests: u32, per: Duration, path: Option<&str>) -> LimitRule {
    LimitRule { requests, per, path: path.map(str::to_owned) }
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Numbers that look like chance and repeat with their seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// The most requests to matching paths in any time of the rule's length.
fn most_at_once(rule: &LimitRule, sent: &[(u64, &str)]) -> usize {
    let times: Vec<u64> =
        sent.iter().filter(|(_, path)| rule.path.as_ref().is_none_or(|part| path.contains(part))).map(|(at, _)| *at).collect();
    let per = millis(rule.per);
    let mut first = 0;
    let mut most = 0;
    for last in 0..times.len() {
        while times[last] - times[first] >= per {
            first += 1;
        }
        most = most.max(last - first + 1);
    }
    most
}

#[test]
fn no_rule_is_ever_exceeded_and_none_is_wasted() {
    let paths = ["/crm/v3/objects", "/crm/v3/search", "/oauth"];
    for seed in 0..300 {
        let mut dice = Dice(seed);
        let rules: Vec<LimitRule> = (0..=dice.below(3))
            .map(|_| {
                let per = [10, 100, 1000, 7777, 10_000, 60_000, 3_600_000][usize::try_from(dice.below(7)).unwrap()];
                let path = [None, None, Some("search"), Some("v3")][usize::try_from(dice.below(4)).unwrap()];
                rule(1 + u32::try_from(dice.below(20)).unwrap(), Duration::from_millis(per), path)
            })
            .collect();
        let mut ledger = Ledger::new(rules.clone(), None);
        let mut sent = Vec::new();
        let mut now = NOW;
        let mut most_pause = 0;
        while sent.len() < 200 {
            let path = paths[usize::try_from(dice.below(3)).unwrap()];
            match ledger.take(path, now) {
                None => sent.push((now, path)),
                Some(wait) => {
                    assert!(wait > Duration::ZERO);
                    most_pause = most_pause.max(millis(wait));
                    // Some come back too early, some too late.
                    now += millis(wait) * dice.below(3) / 2;
                }
            }
            now += dice.below(4) * dice.below(40);
            if dice.below(50) == 0 {
                // Saved and restored in the middle: nothing is forgotten, nothing counted twice.
                let spent = ledger.spent(now);
                ledger.restore(&spent, now);
            }
        }
        for rule in &rules {
            let most = most_at_once(rule, &sent);
            assert!(most <= rule.requests as usize, "seed {seed}: {most} requests under {rule:?}");
        }
        let longest = rules.iter().map(|rule| millis(rule.per)).max().unwrap();
        assert!(most_pause <= longest + longest / 60 + 1, "seed {seed}: waited {most_pause} ms under {rules:?}");
        assert_eq!(ledger.requests(), 200);
    }
}

#[test]
fn a_rate_is_used_almost_wholly() {
    let mut ledger = Ledger::new(vec![rule(100, secs(10), None)], None);
    let (mut now, mut sent) = (NOW, 0);
    while now < NOW + 600_000 {
        match ledger.take("/x", now) {
            None => sent += 1,
            Some(wait) => now += millis(wait),
        }
    }
    assert!((5900..=6100).contains(&sent), "{sent} requests in ten minutes");
}

#[test]
fn a_rule_for_a_path_holds_back_that_path_only() {
    let mut ledger = Ledger::new(vec![rule(2, secs(60), Some("search"))], None);
    assert_eq!((ledger.take("/search", NOW), ledger.take("/search", NOW)), (None, None));
    let wait = ledger.take("/search", NOW).unwrap();
    assert!(wait > secs(59) && wait <= secs(61), "{wait:?}");
    assert_eq!(ledger.take("/list", NOW), None);
    assert_eq!((ledger.take("/search", NOW + millis(wait)), ledger.requests()), (None, 4));
}

#[test]
fn what_was_spent_survives_the_process() {
    let rules = || vec![rule(5, secs(86_400), None), rule(3, secs(3600), Some("export")), rule(1, secs(1), None)];
    let mut first = Ledger::new(rules(), None);
    for n in 0..3 {
        assert_eq!(first.take("/export", NOW + n * 2000), None);
    }
    let spent = first.spent(NOW + 6000);
    assert_eq!(spent.rules.len(), 2, "only long rules are saved");
    let text = serde_json::to_string(&spent).unwrap();
    let spent: Spent = serde_json::from_str(&text).unwrap();
    assert!(!spent.is_empty());

    let mut second = Ledger::new(rules(), None);
    let later = NOW + 10_000;
    second.restore(&spent, later);
    // Twice is as good as once.
    second.restore(&spent, later);
    assert!(second.take("/export", later).unwrap() > secs(3500));
    assert_eq!((second.take("/list", later), second.take("/list", later + 2000)), (None, None));
    assert!(second.take("/list", later + 4000).unwrap() > secs(86_000));

    let mut tomorrow = Ledger::new(rules(), None);
    tomorrow.restore(&second.spent(later + 4000), NOW + 2 * 86_400_000);
    assert_eq!(tomorrow.take("/export", NOW + 2 * 86_400_000), None);
}

#[test]
fn spent_requests_of_another_rule_or_another_clock_do_no_harm() {
    let mut other = Ledger::new(vec![rule(1, secs(7200), None)], None);
    assert_eq!(other.take("/x", NOW), None);
    let mut ledger = Ledger::new(vec![rule(1, secs(3600), None)], None);
    ledger.restore(&other.spent(NOW), NOW);
    assert_eq!(ledger.take("/x", NOW), None);
    // Spent on a machine whose clock is a year ahead: as if spent now, not in a year.
    let mut ahead = Ledger::new(vec![rule(1, secs(3600), None)], None);
    assert_eq!(ahead.take("/x", NOW + 31_536_000_000), None);
    let mut ledger = Ledger::new(vec![rule(1, secs(3600), None)], None);
    ledger.restore(&ahead.spent(NOW + 31_536_000_000), NOW);
    let wait = ledger.take("/x", NOW).unwrap();
    assert!(wait <= secs(3660), "{wait:?}");
}

fn headers(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn budget(reset: bool, reset_in_secs: bool, keep: u32) -> BudgetRule {
    BudgetRule { remaining: Some("X-Left".to_owned()), reset: reset.then(|| "X-Reset".to_owned()), reset_in_secs, keep, quota: None }
}

#[test]
fn at_the_last_requests_of_a_window_the_next_one_waits_for_its_end() {
    let unix = (NOW / 1000 + 30).to_string();
    for (in_secs, reset, ends) in [(true, "30", NOW + 30_000), (false, unix.as_str(), NOW / 1000 * 1000 + 30_000)] {
        let mut ledger = Ledger::new(Vec::new(), Some(budget(true, in_secs, 1)));
        assert_eq!(ledger.take("/x", NOW), None, "nothing is known yet");
        ledger.observe(&headers(&[("x-left", "3"), ("x-reset", reset)]), NOW);
        // Three are left, one of which is kept; those under way count before their answers come.
        assert_eq!((ledger.take("/x", NOW), ledger.take("/x", NOW)), (None, None));
        assert_eq!(ledger.take("/x", NOW), Some(Duration::from_millis(ends - NOW)));
        assert_eq!(ledger.left(), Some(3));
        assert_eq!(ledger.take("/x", ends), None, "a new window");
    }
}

#[test]
fn answers_in_the_wrong_order_do_not_raise_what_is_left() {
    let mut ledger = Ledger::new(Vec::new(), Some(budget(true, true, 0)));
    ledger.observe(&headers(&[("x-left", "0"), ("x-reset", "30")]), NOW);
    ledger.observe(&headers(&[("x-left", "5"), ("x-reset", "30")]), NOW + 10);
    assert!(ledger.take("/x", NOW + 20).is_some());
    // A window that begins later is a new one, and an answer about the old one says nothing of it.
    ledger.observe(&headers(&[("x-left", "99"), ("x-reset", "60")]), NOW + 30_000);
    ledger.observe(&headers(&[("x-left", "0"), ("x-reset", "0")]), NOW + 30_010);
    assert_eq!(ledger.take("/x", NOW + 30_020), None);
}

#[test]
fn without_a_reset_the_shortest_rule_says_how_long_a_window_is() {
    let mut ledger = Ledger::new(vec![rule(1000, secs(60), None), rule(9, secs(1), Some("search"))], Some(budget(false, false, 0)));
    ledger.observe(&headers(&[("x-left", "0")]), NOW);
    assert_eq!(ledger.take("/x", NOW), Some(secs(60)));
    // Nobody knows when: better to ask and be told.
    let mut ledger = Ledger::new(Vec::new(), Some(budget(false, false, 0)));
    ledger.observe(&headers(&[("x-left", "0")]), NOW);
    assert_eq!(ledger.take("/x", NOW), None);
}

#[test]
fn headers_that_make_no_sense_change_nothing() {
    let mut ledger = Ledger::new(Vec::new(), Some(budget(true, true, 0)));
    for (left, reset) in [("many", "1"), ("NaN", "1"), ("0", "soon"), ("-1", "-5"), ("0", "inf")] {
        ledger.observe(&headers(&[("x-left", left), ("x-reset", reset)]), NOW);
        assert_eq!(ledger.take("/x", NOW), None, "{left} {reset}");
    }
    ledger.observe(&BTreeMap::new(), NOW);
    assert_eq!(ledger.take("/x", NOW), None);
}

fn quota(pattern: &str) -> QuotaRule {
    QuotaRule { header: "Sforce-Limit-Info".to_owned(), pattern: pattern.to_owned(), stop_at_pct: 80.0 }
}

#[test]
fn a_quota_says_when_to_stop() {
    let quota = quota(r"api-usage=(?<used>\d+)/(?<limit>\d+)");
    let limits = Limits::new(Vec::new(), Some(BudgetRule { quota: Some(quota), ..BudgetRule::default() }), 1);
    assert_eq!(limits.quota_spent(), None);
    for (value, expected) in [
        ("api-usage=18/5000", (18, 5000, false)),
        ("api-usage=3999/5000; per-app-api-usage=17/250(appName=x)", (3999, 5000, false)),
        ("api-usage=4000/5000", (4000, 5000, true)),
        ("something else", (4000, 5000, true)),
    ] {
        limits.observe(&headers(&[("sforce-limit-info", value)]));
        assert_eq!(limits.quota_spent(), Some(expected), "{value}");
    }
}

#[test]
fn a_quota_pattern_without_its_groups_finds_nothing() {
    for bad in ["(", r"(?<used>\d+)", r"(\d+)/(\d+)"] {
        let limits = Limits::new(Vec::new(), Some(BudgetRule { quota: Some(quota(bad)), ..BudgetRule::default() }), 1);
        limits.observe(&headers(&[("sforce-limit-info", "api-usage=18/5000")]));
        assert_eq!(limits.quota_spent(), None, "{bad}");
    }
}

#[tokio::test]
async fn no_more_requests_are_under_way_than_allowed() {
    let limits = Limits::new(Vec::new(), None, 3);
    let first: Vec<Permit> = [limits.permit("/a").await, limits.permit("/b").await, limits.permit("/c").await].into();
    let waiting = limits.clone();
    let fourth = tokio::spawn(async move { waiting.permit("/d").await });
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert!(!fourth.is_finished());
    assert_eq!(limits.requests(), 3);
    drop(first);
    drop(fourth.await.unwrap());
    assert_eq!(limits.requests(), 4);
}

#[tokio::test]
async fn who_waits_for_a_rule_does_not_hold_up_others() {
    let limits = Limits::new(vec![rule(1, secs(3600), Some("export"))], None, 1);
    drop(limits.permit("/export").await);
    let waiting = limits.clone();
    let second = tokio::spawn(async move { waiting.permit("/export").await });
    tokio::task::yield_now().await;
    drop(limits.permit("/list").await);
    assert!(!second.is_finished() && limits.pause("/export") > secs(3500) && limits.pause("/list").is_zero());
    second.abort();
}

#[tokio::test]
async fn waiters_of_many_streams_keep_to_the_rate_together() {
    let limits = Limits::new(vec![rule(10, Duration::from_millis(200), None)], None, 8);
    let watch = Stopwatch::start();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let limits = limits.clone();
        tasks.spawn(async move {
            for _ in 0..5 {
                drop(limits.permit("/x").await);
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    // Ten at once, then ten each 200 ms.
    assert!(watch.elapsed() >= Duration::from_millis(600), "{:?}", watch.elapsed());
    assert_eq!(limits.requests(), 40);
}
