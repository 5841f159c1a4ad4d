//! Ten nights of ten thousand accounts with a retraining in between: what moved the scores adds up, and nothing is explained twice.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Date32Array, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{Float64Type, Int64Type};
use chrono::{Days, NaiveDate};
use cscopilot_lake::step::{CheckStatus, Outcome, Progress, StepContext};
use cscopilot_lake::{Lake, LakeOptions, Mode, Params, Txn, Write, stream_of_batches};
use cscopilot_spec::{LoadOptions, Project};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::metrics::sigmoid;
use crate::run;

const ACCOUNTS: usize = 10_000;
const LEARNED_FROM: usize = 2_500;
const NIGHTS: u64 = 10;
const RETRAINED: u64 = 5;

fn first_night() -> NaiveDate {
    NaiveDate::from_ymd_opt(2024, 3, 1).unwrap()
}

/// A table's rows, column by column.
#[derive(Default)]
struct Rows {
    ids: Vec<String>,
    days: Vec<i32>,
    columns: [Vec<Option<f64>>; 6],
    churned: Vec<Option<bool>>,
}

/// Six features that walk from day to day: counts, a share with holes, one that hardly ever changes, one that nothing depends on.
struct World {
    rng: ChaCha8Rng,
    state: Vec<[f64; 6]>,
}

impl World {
    fn new() -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let state = (0..ACCOUNTS).map(|_| std::array::from_fn(|k| rng.random_range(0.0..10.0f64 + k as f64))).collect();
        Self { rng, state }
    }

    fn day(&mut self, rows: &mut Rows, date: NaiveDate, accounts: usize, labelled: bool) {
        for account in 0..accounts {
            let x = &mut self.state[account];
            for (k, value) in x.iter_mut().enumerate() {
                // Most values of most accounts are the same tomorrow.
                if k != 4 && self.rng.random_range(0..10) < 2 {
                    *value = (*value + self.rng.random_range(-2.0..2.0)).clamp(0.0, 20.0);
                }
            }
            // Some accounts are away at times.
            if self.rng.random_range(0..200) == 0 {
                continue;
            }
            let seen: [Option<f64>; 6] = std::array::from_fn(|k| match k {
                0 | 1 => Some(x[k].floor()),
                2 => (account % 13 != date.to_epoch_days() as usize % 13).then_some(x[k] / 20.0),
                _ => Some(x[k]),
            });
            let risk = -2.5 + 0.25 * x[0] - 0.2 * x[1] + if x[3] > 8.0 { 0.8 } else { 0.0 } + 0.03 * x[4] * x[2] / 4.0;
            rows.ids.push(format!("a{account:05}"));
            rows.days.push(date.to_epoch_days());
            rows.columns.iter_mut().zip(seen).for_each(|(column, value)| column.push(value));
            rows.churned.push(labelled.then(|| self.rng.random_range(0.0..1.0) < sigmoid(risk)));
        }
    }
}

async fn commit(lake: &Lake, table: &str, batch: RecordBatch) {
    let data = stream_of_batches(batch.schema(), vec![batch]);
    lake.commit(Write::new(table.parse().unwrap(), Mode::Overwrite, data, Txn::new(table, "setup"))).await.unwrap();
}

struct House {
    _folder: tempfile::TempDir,
    lake: Lake,
    project: Arc<Project>,
}

impl House {
    async fn new(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model = format!(
            "version: 1\nlabel: {{table: labels.churn, column: churned, horizon_days: 3}}\nfeatures: {{table: features.accounts}}\n\
             estimators:\n  - xgboost: {{max_depth: 4, max_rounds: 80, eta: 0.1}}\ngates: {{bootstrap_samples: 100}}\nretrain_after_days: {RETRAINED}\n{more}"
        );
        for (path, text) in [("cscopilot.yaml", "version: 1\nname: test\nlake: lake\n"), ("configs/models/churn.yaml", &model)] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let project = Arc::new(Project::load(folder.path(), &LoadOptions::default()).unwrap());
        let lake = Lake::open(folder.path().join("lake").to_str().unwrap(), LakeOptions::default()).await.unwrap();
        let house = Self { _folder: folder, lake, project };
        house.fill().await;
        house
    }

    async fn fill(&self) {
        let (mut world, mut rows) = (World::new(), Rows::default());
        for back in [70, 60, 50, 40, 30, 20, 10, 5] {
            world.day(&mut rows, first_night() - Days::new(back), LEARNED_FROM, true);
        }
        for night in 0..NIGHTS {
            // The labels of the second night are known by the time of the retraining.
            world.day(&mut rows, first_night() + Days::new(night), ACCOUNTS, night == 1);
        }
        let ids = Arc::new(StringArray::from(rows.ids)) as ArrayRef;
        let days = Arc::new(Date32Array::from(rows.days)) as ArrayRef;
        let mut columns: Vec<(String, ArrayRef)> = vec![("account_id".into(), Arc::clone(&ids)), ("as_of".into(), Arc::clone(&days))];
        for (k, column) in rows.columns.into_iter().enumerate() {
            columns.push((format!("f{k}"), Arc::new(Float64Array::from(column))));
        }
        commit(&self.lake, "features.accounts", RecordBatch::try_from_iter(columns).unwrap()).await;
        let churned = Arc::new(BooleanArray::from(rows.churned)) as ArrayRef;
        let labels =
            RecordBatch::try_from_iter_with_nullable([("account_id", ids, true), ("as_of", days, true), ("churned", churned, true)]);
        commit(&self.lake, "labels.churn", labels.unwrap()).await;
    }

    async fn night(&self, night: u64, run_id: &str) -> Outcome {
        let ctx = StepContext {
            project: Arc::clone(&self.project),
            lake: self.lake.clone(),
            as_of: first_night() + Days::new(night),
            run_id: format!("{run_id}-{night}"),
            step: "learn.churn".to_owned(),
            full_refresh: false,
            params: Params::new(),
            progress: Progress::new(),
            fingerprint: None,
        };
        run(&ctx, "churn").await.unwrap()
    }

    async fn query(&self, sql: &str) -> RecordBatch {
        let batches = self.lake.query(sql, &Params::new()).await.unwrap();
        arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap()
    }

    async fn text(&self, sql: &str) -> String {
        arrow::util::pretty::pretty_format_batches(&[self.query(sql).await]).unwrap().to_string()
    }

    async fn count(&self, sql: &str) -> i64 {
        self.query(sql).await.column(0).as_primitive::<Int64Type>().value(0)
    }
}

fn day(night: u64) -> String {
    format!("DATE '{}'", first_night() + Days::new(night))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_moved_ten_thousand_scores_adds_up_over_ten_nights_with_a_retraining() {
    let house = House::new("").await;
    let mut largest = 0.0f64;
    for night in 0..NIGHTS {
        let outcome = house.night(night, "run").await;
        let trained = night == 0 || night == RETRAINED;
        assert_eq!(
            outcome.facts.get("promoted").and_then(serde_json::Value::as_bool),
            trained.then_some(true),
            "{night}: {:?}",
            outcome.facts
        );
        let (tonight, before) = (day(night), day(night.saturating_sub(1)));
        let rows = house.count(&format!("SELECT count(*) FROM marts.score_movements WHERE as_of = {tonight}")).await;
        if night == 0 {
            assert_eq!(rows, 0);
            continue;
        }
        let off = house
            .query(&format!(
                "SELECT max(abs(n.probability - l.probability - coalesce(m.moved, 0))) AS off, max(abs(n.probability - l.probability)) AS most \
                 FROM marts.model_scores n JOIN marts.model_scores l ON l.account_id = n.account_id AND l.as_of = {before} \
                 LEFT JOIN (SELECT account_id, sum(contribution_delta) AS moved FROM marts.score_movements WHERE as_of = {tonight} \
                 GROUP BY account_id) m ON m.account_id = n.account_id WHERE n.as_of = {tonight}"
            ))
            .await;
        let figure = |at: usize| off.column(at).as_primitive::<Float64Type>().value(0);
        assert!(figure(1) > 0.01, "nothing moved");
        largest = largest.max(figure(0));
        let wrong = "cause NOT IN ('data', 'model', 'calibration') OR feature IS NOT NULL AND (cause <> 'data' OR from_value IS NOT DISTINCT FROM to_value)";
        let of = |condition: &str| format!("SELECT count(*) FROM marts.score_movements WHERE as_of = {tonight} AND ({condition})");
        assert_eq!(house.count(&of(wrong)).await, 0);
        assert_eq!(house.count(&of("cause = 'data' AND feature IS NULL")).await, 0);
        for cause in ["model", "calibration"] {
            assert_eq!(house.count(&of(&format!("cause = '{cause}'"))).await > 9_000, night == RETRAINED, "{night}: {cause}");
        }
        // Who was away last night is new tonight.
        let strangers = format!("account_id NOT IN (SELECT account_id FROM marts.model_scores WHERE as_of = {before})");
        assert_eq!(house.count(&of(&strangers)).await, 0);
    }
    assert!(largest < 1e-6, "{largest}");

    // Another run of a night says the same of it.
    let movements = format!("SELECT * FROM marts.score_movements WHERE as_of = {} ORDER BY account_id, cause, feature", day(RETRAINED));
    let before = house.text(&movements).await;
    house.night(RETRAINED, "again").await;
    assert_eq!(house.text(&movements).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_changed_accounts_are_explained_and_the_rows_are_the_same() {
    let house = House::new("").await;
    let first = house.night(0, "run").await;
    assert_eq!(first.facts["explanations_reused"], 0);
    let second = house.night(1, "run").await;
    let reused = second.facts["explanations_reused"].as_u64().unwrap();
    assert!((2_000..6_000).contains(&reused), "{reused}");
    assert_eq!(second.facts["explained"].as_u64().unwrap() + reused, second.rows_out);
    let scores = format!("SELECT * FROM marts.model_scores WHERE as_of = {} ORDER BY account_id", day(1));
    let with = house.text(&scores).await;

    // Without last night's keys everything is explained anew.
    let all = house
        .query("SELECT * REPLACE (CAST(NULL AS BIGINT) AS explanation_key) FROM marts.model_scores WHERE as_of = DATE '2024-03-01'")
        .await;
    let data = stream_of_batches(all.schema(), vec![all]);
    let write = Write::new("marts.model_scores".parse().unwrap(), Mode::Overwrite, data, Txn::new("test", "forget"));
    house.lake.commit(write.partitioned_by(["model", "as_of"])).await.unwrap();
    let again = house.night(1, "again").await;
    assert_eq!(again.facts["explanations_reused"], 0);
    assert!(house.text(&scores).await == with);
}

#[tokio::test(flavor = "multi_thread")]
async fn features_of_the_last_evening_that_are_gone_leave_a_movement_without_a_feature() {
    let house = House::new("").await;
    house.night(0, "run").await;
    let left = house.query(&format!("SELECT * FROM features.accounts WHERE as_of <> {}", day(0))).await;
    let data = stream_of_batches(left.schema(), vec![left]);
    let write = Write::new("features.accounts".parse().unwrap(), Mode::Overwrite, data, Txn::new("test", "forget"));
    house.lake.commit(write).await.unwrap();
    house.night(1, "run").await;
    assert_eq!(house.count("SELECT count(*) FROM marts.score_movements WHERE feature IS NOT NULL").await, 0);
    let off = "SELECT CAST(1e12 * max(abs(n.probability - l.probability - m.contribution_delta)) AS BIGINT) FROM marts.model_scores n \
               JOIN marts.model_scores l ON l.account_id = n.account_id AND l.as_of < n.as_of \
               JOIN marts.score_movements m ON m.account_id = n.account_id AND m.as_of = n.as_of";
    assert_eq!(house.count(off).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_explanations_there_are_scores_alone_and_earlier_movements_go() {
    let house = House::new("").await;
    house.night(0, "run").await;
    house.night(1, "run").await;
    assert!(house.count("SELECT count(*) FROM marts.score_movements").await > 0);
    let plain = House { project: House::new("explain: none\n").await.project, ..house };
    let outcome = plain.night(1, "again").await;
    assert!(!outcome.facts.contains_key("trained_version"), "{:?}", outcome.facts);
    assert_eq!(plain.count("SELECT count(*) FROM marts.score_movements").await, 0);
    let explained = "SELECT count(*) FROM marts.model_scores WHERE as_of = DATE '2024-03-02' AND (cardinality(top_reasons) > 0 OR explanation_key IS NOT NULL)";
    assert_eq!(plain.count(explained).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_unlike_those_learned_from_are_a_warning_check() {
    let house = House::new("").await;
    let calm = house.night(0, "run").await;
    assert_eq!(calm.checks.iter().map(|c| c.status).collect::<Vec<_>>(), [CheckStatus::Passed], "{:?}", calm.checks);
    let moved =
        house.query(&format!("SELECT * REPLACE (CASE WHEN as_of = {} THEN f0 + 9 ELSE f0 END AS f0) FROM features.accounts", day(1))).await;
    let data = stream_of_batches(moved.schema(), vec![moved]);
    let write = Write::new("features.accounts".parse().unwrap(), Mode::Overwrite, data, Txn::new("test", "shift"));
    house.lake.commit(write).await.unwrap();
    let outcome = house.night(1, "run").await;
    let warned: Vec<&str> = outcome.checks.iter().filter(|c| c.status == CheckStatus::Warned).map(|c| c.check.as_str()).collect();
    assert_eq!(warned, ["drift(f0)", "drift(margin)"], "{:?}", outcome.checks);
    let told =
        house.text("SELECT name, status FROM ops.model_drift WHERE status <> 'same' AND as_of = DATE '2024-03-02' ORDER BY name").await;
    assert!(told.contains("| f0     | bad    |") && told.contains("| margin | bad    |"), "{told}");
    assert_eq!(house.count("SELECT count(*) FROM ops.model_drift WHERE as_of = DATE '2024-03-01'").await, 8);
}
