//! Whole nights on a small lake: train, refuse, score, repeat.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Date32Array, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Float64Type, Schema};
use chrono::{Months, NaiveDate};
use cscopilot_lake::step::{Progress, StepContext};
use cscopilot_lake::{Lake, LakeOptions, Mode, Params, Txn, Write, stream_of_batches};
use cscopilot_spec::{LoadOptions, Project};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::metrics::sigmoid;
use crate::{Error, aliases, models, run};
use cscopilot_diag::Coded;

const ACCOUNTS: usize = 250;
const MONTHS: u32 = 18;

fn tonight() -> NaiveDate {
    NaiveDate::from_ymd_opt(2023, 7, 1).unwrap()
}

/// What the simulated features know about the event.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum World {
    /// Logins say something.
    Signal,
    /// Nothing says anything.
    Noise,
    /// One column is the label.
    Leak,
}

async fn commit(lake: &Lake, table: &str, batch: RecordBatch) {
    let data = stream_of_batches(batch.schema(), vec![batch]);
    lake.commit(Write::new(table.parse().unwrap(), Mode::Overwrite, data, Txn::new(table, "setup"))).await.unwrap();
}

async fn fill(lake: &Lake, world: World) {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let (mut ids, mut days, mut logins, mut tickets, mut flag, mut segment) = (vec![], vec![], vec![], vec![], vec![], vec![]);
    let mut churned: Vec<Option<bool>> = vec![];
    let (mut until, mut observed, mut amount) = (vec![], vec![], vec![]);
    for month in 0..=MONTHS {
        let date = tonight() - Months::new(MONTHS - month);
        for account in 0..ACCOUNTS {
            let habit: f64 = (account % 10) as f64;
            let seen: f64 = (habit + rng.random_range(0.0..6.0)).floor();
            let risk = if world == World::Noise { -2.2 } else { 0.3 - 0.45 * seen };
            let event = rng.random_range(0.0..1.0) < sigmoid(risk);
            ids.push(format!("a{account:03}"));
            days.push(date.to_epoch_days());
            logins.push((account % 17 != 3).then_some(seen));
            tickets.push(rng.random_range(0.0f64..5.0).floor());
            let known = if world == World::Leak { event } else { rng.random_range(0..2) == 0 };
            flag.push(known);
            segment.push(if account % 2 == 0 { "small" } else { "large" });
            churned.push((date < tonight() - Months::new(1)).then_some(event));
            let looked = tonight().signed_duration_since(date).num_days() as f64;
            until.push(if event { looked.min(16.0) } else { looked });
            observed.push(event && looked >= 16.0);
            amount.push(event.then_some(100.0 * (1.0 + habit)));
        }
    }
    let features = RecordBatch::try_from_iter([
        ("account_id", Arc::new(StringArray::from(ids.clone())) as ArrayRef),
        ("as_of", Arc::new(Date32Array::from(days.clone()))),
        ("logins_28d", Arc::new(Float64Array::from(logins))),
        ("tickets_open", Arc::new(Float64Array::from(tickets))),
        ("is_new", Arc::new(BooleanArray::from(flag))),
        ("segment", Arc::new(StringArray::from(segment))),
    ]);
    let schema = Schema::new(vec![
        Field::new("account_id", DataType::Utf8, true),
        Field::new("as_of", DataType::Date32, true),
        Field::new("churned", DataType::Boolean, true),
        Field::new("days_to_churn", DataType::Float64, true),
        Field::new("churn_seen", DataType::Boolean, true),
        Field::new("arr_lost", DataType::Float64, true),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(ids)),
        Arc::new(Date32Array::from(days)),
        Arc::new(BooleanArray::from(churned)),
        Arc::new(Float64Array::from(until)),
        Arc::new(BooleanArray::from(observed)),
        Arc::new(Float64Array::from(amount)),
    ];
    commit(lake, "features.account_features", features.unwrap()).await;
    commit(lake, "labels.churn", RecordBatch::try_new(Arc::new(schema), columns).unwrap()).await;
}

pub(crate) struct House {
    _folder: tempfile::TempDir,
    pub(crate) ctx: StepContext,
}

impl House {
    async fn new(world: World) -> Self {
        Self::with_model(world, "gates: {bootstrap_samples: 200}\n").await
    }

    async fn with_model(world: World, more: &str) -> Self {
        Self::with_files(world, more, "", &[]).await
    }

    /// With more in the files of the model and of the project, and with further files.
    pub(crate) async fn with_files(world: World, more: &str, project: &str, files: &[(&str, &str)]) -> Self {
        let label = "{table: labels.churn, column: churned, horizon_days: 28, lead_days: 2}";
        Self::with_yaml(world, &format!("label: {label}\nfeatures: {{table: features.account_features}}\n{more}"), project, files).await
    }

    async fn with_yaml(world: World, yaml: &str, project: &str, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("cscopilot.yaml", &format!("version: 1\nname: test\nlake: lake\n{project}"));
        for (path, text) in files {
            write(path, text);
        }
        write("configs/models/churn.yaml", &format!("version: 1\ntitle: Churn\n{yaml}"));
        write(
            "configs/features/account_features.yaml",
            "version: 1\nfeatures:\n  logins_28d: {label: \"Logins, 28 days\", unit: logins, down: logs in less than usual}\n",
        );
        let project = Project::load(folder.path(), &LoadOptions::default()).unwrap();
        let lake = Lake::open(folder.path().join("lake").to_str().unwrap(), LakeOptions::default()).await.unwrap();
        fill(&lake, world).await;
        let ctx = StepContext {
            project: Arc::new(project),
            lake,
            as_of: tonight(),
            run_id: "run-1".to_owned(),
            step: "learn.churn".to_owned(),
            full_refresh: false,
            params: Params::new(),
            progress: Progress::new(),
            fingerprint: None,
        };
        Self { _folder: folder, ctx }
    }

    pub(crate) fn again(&self, run: &str, full_refresh: bool) -> StepContext {
        StepContext { run_id: run.to_owned(), full_refresh, ..self.ctx.clone() }
    }

    async fn files(&self) -> Vec<(String, Vec<u8>)> {
        let objects = self.ctx.lake.objects();
        let mut all = Vec::new();
        for object in objects.list("models").await.unwrap() {
            all.push((object.path.clone(), objects.get(&object.path).await.unwrap().unwrap().to_vec()));
        }
        all
    }

    async fn rows(&self, table: &str, order: &str) -> String {
        let rows = self.ctx.lake.query(&format!("SELECT * FROM {table} ORDER BY {order}"), &Params::new()).await.unwrap();
        arrow::util::pretty::pretty_format_batches(&rows).unwrap().to_string()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_night_with_signal_promotes_scores_and_repeats_to_the_byte() {
    let house = House::new(World::Signal).await;
    let outcome = run(&house.ctx, "churn").await.unwrap();
    assert_eq!(outcome.facts["promoted"], true, "{:?}", outcome.facts);
    assert_eq!((outcome.rows_in, outcome.rows_out), (ACCOUNTS as u64, ACCOUNTS as u64));
    let listed = models(&house.ctx.lake).await.unwrap();
    assert_eq!((listed.len(), listed[0].alias, listed[0].run.version), (1, Some("champion"), 1));
    assert!(listed[0].run.auc_low.unwrap() > 0.6);
    assert_eq!(listed[0].run.rows_censored, 2 * ACCOUNTS as i64);

    let sql = "SELECT probability, margin, decile, top_reasons FROM marts.model_scores ORDER BY margin DESC LIMIT 1";
    let top = &house.ctx.lake.query(sql, &Params::new()).await.unwrap()[0];
    let p = top.column(0).as_primitive::<Float64Type>().value(0);
    assert!(p > 0.1 && p < 0.9, "{p}");
    let reasons = top.column(3).as_list::<i32>().value(0);
    let text = reasons.as_struct().column_by_name("text").unwrap().as_string::<i32>().value(0).to_owned();
    assert!(text.starts_with("Logins, 28 days: ") && text.ends_with("logs in less than usual, raises the risk"), "{text}");

    let (files, scores, runs) =
        (house.files().await, house.rows("marts.model_scores", "account_id").await, house.rows("ops.model_runs", "version").await);
    let names: Vec<&str> = files.iter().map(|(n, _)| n.rsplit('/').next().unwrap()).collect();
    for needed in
        ["aliases.json", "calibration.json", "card.html", "card.json", "card.md", "features.json", "manifest.json", "metrics.json"]
    {
        assert!(names.contains(&needed), "{names:?}");
    }

    // The next run of the same night does not train; a full refresh does, and finds the same version.
    let second = run(&house.again("run-2", false), "churn").await.unwrap();
    assert!(!second.facts.contains_key("trained_version"));
    let refreshed = run(&house.again("run-3", true), "churn").await.unwrap();
    assert_eq!(refreshed.facts["trained_version"], 1);
    assert_eq!(house.files().await, files);
    assert_eq!(house.rows("marts.model_scores", "account_id").await, scores);
    assert_eq!(house.rows("ops.model_runs", "version").await, runs);

    // And so does another house.
    let twin = House::new(World::Signal).await;
    run(&twin.ctx, "churn").await.unwrap();
    assert_eq!(twin.files().await, files);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_night_without_signal_goes_on_with_rules_alone() {
    let house = House::new(World::Noise).await;
    let outcome = run(&house.ctx, "churn").await.unwrap();
    assert_eq!(outcome.facts["promoted"], false, "{:?}", outcome.facts);
    assert_eq!(outcome.facts["mode"], "rules alone");
    assert!(outcome.warnings[0].message.contains("rules alone"), "{:?}", outcome.warnings);
    assert_eq!(outcome.rows_out, 0);
    assert_eq!(
        house.ctx.lake.query("SELECT * FROM marts.model_scores", &Params::new()).await.unwrap().iter().map(|b| b.num_rows()).sum::<usize>(),
        0
    );
    let a = aliases(&house.ctx.lake.objects(), "churn").await.unwrap();
    assert_eq!((a.champion, a.challenger), (None, Some(1)));
    // A refusal is not repeated until data or definition are new.
    assert!(!run(&house.again("run-2", false), "churn").await.unwrap().facts.contains_key("trained_version"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feature_that_knows_the_label_stops_the_training() {
    let house = House::new(World::Leak).await;
    let error = run(&house.ctx, "churn").await.unwrap_err();
    assert_eq!(error.code(), "LRN010");
    assert!(error.to_string().contains("`is_new`"), "{error}");
    assert!(models(&house.ctx.lake).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_the_champion_needs_and_that_is_gone_is_named() {
    let house = House::new(World::Signal).await;
    run(&house.ctx, "churn").await.unwrap();
    let left =
        house.ctx.lake.query("SELECT account_id, as_of, is_new, segment FROM features.account_features", &Params::new()).await.unwrap();
    let left = arrow::compute::concat_batches(&left[0].schema(), &left).unwrap();
    let data = stream_of_batches(left.schema(), vec![left]);
    let write = Write::new("features.account_features".parse().unwrap(), Mode::Overwrite, data, Txn::new("x", "y"));
    house.ctx.lake.commit(write).await.unwrap();
    let error = run(&house.again("run-2", false), "churn").await.unwrap_err();
    assert!(matches!(error, Error::MissingFeatures { .. }), "{error}");
    assert!(error.to_string().contains("`logins_28d`, `tickets_open`"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_explained_in_full() {
    let house = House::new(World::Signal).await;
    run(&house.ctx, "churn").await.unwrap();
    let explained = crate::explain(&house.ctx, "a007").await.unwrap();
    assert_eq!(explained.len(), 1);
    let sum: f64 = explained[0].contributions.iter().map(|c| c.reason.contribution).sum();
    assert!((explained[0].base_value + sum - explained[0].margin).abs() < 1e-4);
    assert_eq!(explained[0].contributions.len(), 3);
    assert!(crate::explain(&house.ctx, "nobody").await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_of_a_person_outlasts_the_night_and_ends_with_the_next_promotion() {
    let house = House::new(World::Signal).await;
    run(&house.ctx, "churn").await.unwrap();
    let on =
        |run: &str, days: u64, full_refresh| StepContext { as_of: tonight() + chrono::Days::new(days), ..house.again(run, full_refresh) };
    let (lake, day) = (&house.ctx.lake, |days| tonight() + chrono::Days::new(days));
    // The first champion has nothing before it, and can't be promoted again; what isn't there can't either.
    let invalid = cscopilot_diag::ExitClass::Invalid;
    for (error, code) in [
        (crate::rollback(lake, "churn", tonight(), None).await.unwrap_err(), "LRN035"),
        (crate::promote(lake, "churn", 1, tonight(), None).await.unwrap_err(), "LRN036"),
        (crate::promote(lake, "churn", 7, tonight(), None).await.unwrap_err(), "LRN033"),
        (crate::promote(lake, "expansion", 1, tonight(), None).await.unwrap_err(), "LRN032"),
    ] {
        assert_eq!((error.code(), error.exit_class()), (code, invalid), "{error}");
    }
    // A month later it is trained again.
    let second = run(&on("run-2", 31, false), "churn").await.unwrap();
    assert_eq!((&second.facts["trained_version"], &second.facts["champion_version"]), (&2.into(), &2.into()), "{:?}", second.facts);
    let decision = crate::rollback(lake, "churn", day(32), Some("odd reasons")).await.unwrap();
    assert_eq!((decision.version, decision.previous, decision.number), (1, Some(2), 1));
    let a = aliases(&house.ctx.lake.objects(), "churn").await.unwrap();
    assert_eq!((a.champion, a.challenger), (Some(1), Some(2)));
    assert_eq!(run(&on("run-3", 33, false), "churn").await.unwrap().facts["champion_version"], 1);
    // A night of before the decision knows nothing of it.
    assert_eq!(run(&on("run-4", 31, true), "churn").await.unwrap().facts["champion_version"], 2);
    // The next training that passes is champion again.
    assert_eq!(run(&on("run-5", 64, false), "churn").await.unwrap().facts["champion_version"], 3);

    // A version whose file is damaged is not promoted.
    let objects = house.ctx.lake.objects();
    objects.put("models/churn/v0002/card.json", b"{}".to_vec()).await.unwrap();
    let error = crate::promote(lake, "churn", 2, day(65), None).await.unwrap_err();
    assert_eq!(error.code(), "LRN030");
    assert!(error.to_string().contains("models/churn/v0002/card.json"), "{error}");
    assert_eq!(run(&on("run-6", 65, false), "churn").await.unwrap().facts["champion_version"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_recipe_or_picture_of_the_champion_is_named() {
    let house = House::new(World::Signal).await;
    let before = StepContext { as_of: tonight() - Months::new(1), ..house.ctx.clone() };
    assert_eq!(run(&before, "churn").await.unwrap().facts["promoted"], true);
    let objects = house.ctx.lake.objects();
    for name in ["drift.json", "recipe.json"] {
        let path = format!("models/churn/v0001/{name}");
        let written = objects.get(&path).await.unwrap().unwrap().to_vec();
        // Still JSON of the same form: only the manifest tells.
        let changed = String::from_utf8(written.clone()).unwrap().replacen('1', "2", 1);
        objects.put(&path, changed.into_bytes()).await.unwrap();
        // The picture is needed to score, the recipe to train on the night after.
        let night =
            if name == "drift.json" { StepContext { run_id: "run-2".to_owned(), ..before.clone() } } else { house.again("run-3", false) };
        let error = run(&night, "churn").await.unwrap_err();
        assert_eq!(error.code(), "LRN030");
        assert!(error.to_string().contains(&path), "{error}");
        objects.put(&path, written).await.unwrap();
    }
    assert_eq!(run(&house.again("run-4", false), "churn").await.unwrap().facts["trained_version"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_training_is_compared_with_the_champion_on_rows_that_neither_has_seen() {
    let more = "gates: {bootstrap_samples: 200}\nweight: logins_28d\nsegments: [segment]\n\
                tenure: {column: tickets_open, min_days: 1, bands_days: [2, 4]}\nprofit: {clv: 100, incentive: 5, contact_cost: 1}\n";
    let house = House::with_model(World::Signal, more).await;
    let before = tonight() - Months::new(1);
    let first = run(&StepContext { as_of: before, ..house.ctx.clone() }, "churn").await.unwrap();
    assert_eq!(first.facts["promoted"], true, "{:?}", first.facts);
    run(&house.again("run-2", false), "churn").await.unwrap();

    let metrics = |version: i64| {
        let objects = house.ctx.lake.objects();
        async move { objects.get_json::<serde_json::Value>(&format!("models/churn/v{version:04}/metrics.json")).await.unwrap().unwrap() }
    };
    let (first, second) = (metrics(1).await, metrics(2).await);
    assert!(first["judgement"]["champion"].is_null());
    let judgement = &second["judgement"];
    assert_eq!(judgement["champion"]["version"], 1, "{:#}", judgement["champion"]);
    let gate = |name: &str| judgement["gates"].as_array().unwrap().iter().find(|g| g["gate"] == name).unwrap()["passed"].clone();
    assert_eq!((gate("champion"), gate("backtest")), (true.into(), true.into()));

    // Every estimator at every cut-off, by rows and by weight; segments and bands of tenure; the youngest left out.
    for estimator in judgement["backtest"].as_array().unwrap() {
        let cutoffs = estimator["cutoffs"].as_array().unwrap();
        assert_eq!(cutoffs.last().unwrap()["part"], "test");
        for figures in cutoffs.iter().chain([&estimator["pooled"]]) {
            assert!(figures["by_rows"]["auc"]["low"].as_f64().unwrap() > 0.5, "{figures:#}");
            assert!(figures["by_rows"]["expected_profit"]["value"].as_f64().unwrap() > 0.0);
            assert!(figures["by_weight"]["lift_10pct"]["high"].is_f64() && figures["by_weight"]["expected_profit"].is_null());
        }
    }
    let segments: Vec<&str> = judgement["segments"].as_array().unwrap().iter().map(|s| s["segment"].as_str().unwrap()).collect();
    assert_eq!(segments, ["large", "small", "under 2 days", "2 to 3 days", "4 days and more"]);
    assert!(judgement["rows_too_young"].as_u64().unwrap() > 500);
}

const EVERYTHING: &str = "
label:
  table: labels.churn
  column: churned
  horizon_days: 28
  lead_days: 2
  survival: {days: days_to_churn, observed: churn_seen}
  amount: arr_lost
features: {table: features.account_features, categorical: [segment], monotone: {logins_28d: falling}}
estimators: [xgboost: {max_rounds: 150}, logistic_regression: {}, blend: {}]
gates: {bootstrap_samples: 200}
";

#[tokio::test(flavor = "multi_thread")]
async fn categories_times_and_amounts_go_from_the_tables_to_the_scores() {
    let house = House::with_yaml(World::Signal, EVERYTHING, "", &[]).await;
    let outcome = run(&house.ctx, "churn").await.unwrap();
    assert_eq!(outcome.facts["promoted"], true, "{:?}", outcome.facts);
    let sql = "SELECT min(survival_30d - survival_90d) AS a, min(survival_90d - survival_180d) AS b, min(survival_180d) AS c, \
                      max(survival_30d) AS d, min(expected_amount / probability) AS e, max(expected_amount / probability) AS f, \
                      corr(margin, survival_30d) AS g, CAST(count(median_days) AS DOUBLE) AS h FROM marts.model_scores";
    let found = &house.ctx.lake.query(sql, &Params::new()).await.unwrap()[0];
    let at = |i: usize| found.column(i).as_primitive::<Float64Type>().value(0);
    assert!(at(0) > 0.0 && at(1) > 0.0 && at(2) > 0.0 && at(3) < 1.0, "{found:?}");
    assert!(at(4) >= 100.0 && at(5) <= 1000.0 && at(4) < at(5), "{found:?}");
    assert!(at(6) < -0.8 && at(7) > 0.0, "{found:?}");

    let explained = &crate::explain(&house.ctx, "a008").await.unwrap()[0];
    let segment = explained.contributions.iter().find(|c| c.reason.feature == "segment").unwrap();
    assert_eq!(segment.shown, "small");
    let files = house.files().await;
    let named = |name: &str| files.iter().find(|(n, _)| n.ends_with(name)).map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned());
    assert!(named("survival.ubj").is_some() && named("amount.ubj").is_some());
    assert!(named("features.json").unwrap().contains("\"large\""));
    assert!(named("metrics.json").unwrap().contains("integrated_brier"));
}
