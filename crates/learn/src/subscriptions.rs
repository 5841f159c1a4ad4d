//! Nights of a model of subscriptions, of which each account has two: scores, explanations and movements go by subscription, folds and
//! intervals by account.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema};
use chrono::{Days, NaiveDate};
use cscopilot_diag::{Coded, Diagnostics};
use cscopilot_lake::step::{Outcome, Progress, StepContext};
use cscopilot_lake::{Lake, LakeOptions, Mode, Params, Txn, Write, stream_of_batches};
use cscopilot_spec::{LoadOptions, Project};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::data::frame;
use crate::metrics::sigmoid;
use crate::{explain, run};

const ACCOUNTS: i64 = 120;
const WEEKS: u64 = 30;
/// The subscription whose usage falls on the second night.
const FALLING: i64 = 7;

fn first_night() -> NaiveDate {
    NaiveDate::from_ymd_opt(2024, 3, 1).unwrap()
}

fn day(night: u64) -> NaiveDate {
    first_night() + Days::new(night)
}

struct House {
    folder: tempfile::TempDir,
    lake: Lake,
}

impl House {
    /// A lake with `features.subscriptions` and `labels.churn`, without some column.
    async fn without(column: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path().join("lake").to_str().unwrap(), LakeOptions::default()).await.unwrap();
        let house = Self { folder, lake };
        house.fill(column).await;
        house
    }

    async fn fill(&self, without: &str) {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let dates: Vec<NaiveDate> = (1..=WEEKS).rev().map(|week| first_night() - Days::new(7 * week)).chain([day(0), day(1)]).collect();
        let (mut ids, mut accounts, mut days, mut renewals) = (vec![], vec![], vec![], vec![]);
        let (mut usage, mut churned, mut last) = (vec![], vec![], BTreeMap::new());
        for date in dates {
            for id in 0..2 * ACCOUNTS {
                // Much of a subscription's usage is its account's.
                let used = ((id / 2 % 10) as f64 + rng.random_range(0.0..4.0)).floor();
                let used = match last.insert(id, used) {
                    Some(before) if date == day(1) => {
                        if id == FALLING {
                            0.0
                        } else {
                            before
                        }
                    }
                    _ => used,
                };
                last.insert(id, used);
                ids.push(id);
                accounts.push(format!("a{:03}", id / 2));
                days.push(date.to_epoch_days());
                renewals.push(day(60).to_epoch_days());
                usage.push(used);
                churned.push((date < first_night()).then(|| rng.random_range(0.0..1.0) < sigmoid(0.5 - 0.5 * used)));
            }
        }
        let (ids, days): (ArrayRef, ArrayRef) = (Arc::new(Int64Array::from(ids)), Arc::new(Date32Array::from(days)));
        let features: Vec<(&str, ArrayRef)> = vec![
            ("subscription_id", Arc::clone(&ids)),
            ("account_id", Arc::new(StringArray::from(accounts.clone()))),
            ("as_of", Arc::clone(&days)),
            ("renewal_date", Arc::new(Date32Array::from(renewals))),
            ("usage", Arc::new(Float64Array::from(usage))),
        ];
        let labels: Vec<(&str, ArrayRef)> = vec![
            ("subscription_id", ids),
            ("account_id", Arc::new(StringArray::from(accounts))),
            ("as_of", days),
            ("churned", Arc::new(BooleanArray::from(churned))),
        ];
        for (table, mut columns) in [("features.subscriptions", features), ("labels.churn", labels)] {
            // Labels need no account.
            columns.retain(|(name, _)| *name != without && (table != "labels.churn" || *name != "account_id"));
            let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap();
            let data = stream_of_batches(batch.schema(), vec![batch]);
            self.lake
                .commit(Write::new(table.parse().unwrap(), Mode::Overwrite, data, Txn::new(table, format!("without {without}"))))
                .await
                .unwrap();
        }
    }

    fn project(&self, more: &str) -> Arc<Project> {
        let model = format!(
            "version: 1\nlabel: {{table: labels.churn, column: churned, horizon_days: 3}}\nfeatures: {{table: features.subscriptions}}\n\
             estimators: [logistic_regression: {{}}]\nretrain_after_days: 30\n{more}"
        );
        for (path, text) in [("cscopilot.yaml", "version: 1\nname: test\nlake: lake\n"), ("configs/models/churn.yaml", &model)] {
            let path = self.folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Arc::new(Project::load(self.folder.path(), &LoadOptions::default()).unwrap())
    }

    fn context(&self, more: &str, night: u64) -> StepContext {
        StepContext {
            project: self.project(more),
            lake: self.lake.clone(),
            as_of: day(night),
            run_id: format!("run-{night}-{}", more.len()),
            step: "learn.churn".to_owned(),
            full_refresh: false,
            params: Params::new(),
            progress: Progress::new(),
            fingerprint: None,
        }
    }

    async fn night(&self, more: &str, night: u64) -> Outcome {
        run(&self.context(more, night), "churn").await.unwrap()
    }

    async fn query(&self, sql: &str) -> RecordBatch {
        let batches = self.lake.query(sql, &Params::new()).await.unwrap();
        arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap()
    }

    async fn count(&self, sql: &str) -> i64 {
        self.query(sql).await.column(0).as_primitive::<Int64Type>().value(0)
    }
}

const SUBSCRIPTIONS: &str = "entity: subscription_id\ngates: {bootstrap_samples: 100}\n";

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_have_scores_reasons_and_movements_of_their_own() {
    let house = House::without("").await;
    let outcome = house.night(SUBSCRIPTIONS, 0).await;
    assert_eq!(outcome.facts["promoted"], true, "{:?}", outcome.facts);
    assert_eq!(outcome.rows_out, 2 * ACCOUNTS as u64);
    let scores = "SELECT count(*) FROM marts.entity_scores WHERE entity = 'subscription_id'";
    assert_eq!(house.count(scores).await, 2 * ACCOUNTS);
    let right = "account_id = 'a' || lpad(CAST(CAST(entity_id AS INT) / 2 AS VARCHAR), 3, '0') AND cardinality(top_reasons) = 1";
    assert_eq!(house.count(&format!("{scores} AND {right}")).await, 2 * ACCOUNTS);
    let differing = "SELECT count(*) FROM (SELECT account_id FROM marts.entity_scores GROUP BY account_id \
                     HAVING max(probability) > min(probability) AND count(DISTINCT entity_id) = 2)";
    assert!(house.count(differing).await > ACCOUNTS / 2);
    // Whoever reads scores of accounts sees nothing of them.
    assert!(house.lake.table(&"marts.model_scores".parse().unwrap()).await.unwrap().is_none());
    let ctx = house.context(SUBSCRIPTIONS, 0);
    assert!(explain(&ctx, "a003").await.unwrap().is_empty() && explain(&ctx, "7").await.unwrap().is_empty());

    let second = house.night(SUBSCRIPTIONS, 1).await;
    assert_eq!(
        (second.facts["explained"].as_u64(), second.facts["explanations_reused"].as_u64()),
        (Some(1), Some(2 * ACCOUNTS as u64 - 1))
    );
    let moved = house
        .query(
            "SELECT m.entity_id, m.account_id, m.feature, m.to_value, m.contribution_delta - (n.probability - l.probability) AS off, \
             m.contribution_delta AS delta FROM marts.entity_movements m \
             JOIN marts.entity_scores n ON n.entity_id = m.entity_id AND n.as_of = m.as_of \
             JOIN marts.entity_scores l ON l.entity_id = m.entity_id AND l.as_of = m.from_as_of WHERE m.entity = 'subscription_id'",
        )
        .await;
    let text = |at: usize| moved.column(at).as_string::<i32>().value(0).to_owned();
    let number = |at: usize| moved.column(at).as_primitive::<Float64Type>().value(0);
    assert_eq!((moved.num_rows(), text(0), text(1), text(2)), (1, FALLING.to_string(), format!("a{:03}", FALLING / 2), "usage".to_owned()));
    assert!(number(3) == 0.0 && number(4).abs() < 1e-6 && number(5) > 0.01, "{moved:?}");

    // Another run of a night replaces its rows, also where a newer version was refused.
    house.night("entity: subscription_id\ngates: {bootstrap_samples: 100, min_auc_ci_low: 1}\nseed: 2\n", 1).await;
    assert_eq!(house.count(scores).await, 4 * ACCOUNTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_an_account_stay_together_whatever_is_scored() {
    let house = House::without("").await;
    let project = house.project(SUBSCRIPTIONS);
    let model = &project.models["churn"].value;
    let schema = frame::schema_of(&house.lake, "features.subscriptions").await.unwrap();
    assert_eq!(frame::features_of(model, &schema, None), ["usage"]);
    let data = frame::labelled(&house.lake, model, &["usage".to_owned()], first_night()).await.unwrap();
    assert_eq!(data.len() as u64, WEEKS * 2 * ACCOUNTS as u64);
    let mut accounts = data.accounts.clone();
    accounts.sort_unstable();
    accounts.dedup();
    assert_eq!(accounts.len() as i64, ACCOUNTS);
    assert!(data.accounts.chunks(2).all(|pair| pair[0] == pair[1]), "two subscriptions of an account follow each other");

    house.night(SUBSCRIPTIONS, 0).await;
    let detail = house.query("SELECT detail FROM ops.model_runs").await;
    let detail: serde_json::Value = serde_json::from_str(detail.column(0).as_string::<i32>().value(0)).unwrap();
    let (events, with_event) = (detail["test"]["events"].as_i64().unwrap(), detail["test"]["event_accounts"].as_i64().unwrap());
    assert!(with_event <= ACCOUNTS && ACCOUNTS < events, "{with_event} of {events}");
    assert_eq!(detail["judgement"]["bootstrap"]["drawn_by"], "account");
}

#[tokio::test]
async fn each_renewal_of_a_subscription_is_learned_from_once() {
    let house = House::without("").await;
    let renewals = house.project(&format!("{SUBSCRIPTIONS}spine: {{renewals: {{column: renewal_date, days_before: 90}}}}\n"));
    let data = frame::labelled(&house.lake, &renewals.models["churn"].value, &["usage".to_owned()], first_night()).await.unwrap();
    assert_eq!(data.len() as i64, 2 * ACCOUNTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_without_the_entity_or_its_account_is_a_named_error() {
    for (column, said) in [
        ("account_id", "`features.subscriptions` has no column `account_id`, which a model of `subscription_id` needs"),
        ("subscription_id", "`features.subscriptions` has no column `subscription_id`, which a model of `subscription_id` needs"),
    ] {
        let house = House::without(column).await;
        let error = run(&house.context(SUBSCRIPTIONS, 0), "churn").await.unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), ("LRN005", said));
    }
    // Also where the column goes after the training.
    let house = House::without("").await;
    house.night(SUBSCRIPTIONS, 0).await;
    house.fill("account_id").await;
    let error = run(&house.context(SUBSCRIPTIONS, 1), "churn").await.unwrap_err();
    assert_eq!(error.code(), "LRN005");
    assert!(error.help().unwrap().contains("folds and intervals go by account"));
}

#[tokio::test]
async fn a_check_names_the_place_of_a_column_that_the_entity_needs() {
    let house = House { folder: tempfile::tempdir().unwrap(), lake: Lake::open("memory://", LakeOptions::default()).await.unwrap() };
    let said = |entity: &str, features: &[(&str, DataType)]| {
        let project = house.project(&format!("entity: {entity}\n"));
        let schema = |columns: &[(&str, DataType)]| {
            Arc::new(Schema::new(columns.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true)).collect::<Vec<_>>()))
        };
        let labels = schema(&[("subscription_id", DataType::Int64), ("as_of", DataType::Date32), ("churned", DataType::Boolean)]);
        let mut schemas = BTreeMap::from([("labels.churn".parse().unwrap(), labels)]);
        schemas.insert("features.subscriptions".parse().unwrap(), schema(features));
        let mut out = Diagnostics::new();
        crate::check(&project, &schemas, &mut out);
        out.to_string()
    };
    let [id, account, date, usage] =
        [("subscription_id", DataType::Int64), ("account_id", DataType::Utf8), ("as_of", DataType::Date32), ("usage", DataType::Float64)];
    let all = [id.clone(), account.clone(), date.clone(), usage.clone()];
    assert_eq!(said("subscription_id", &all), "");
    let lone = said("subscription_id", &[id, date.clone(), usage.clone()]);
    assert!(lone.contains("churn.yaml:3:") && lone.contains("LRN061") && lone.contains("has no column `account_id`"), "{lone}");
    let unknown = said("subscripton_id", &all);
    assert!(unknown.contains("churn.yaml:6:") && unknown.contains("`subscription_id`") && unknown.contains("labels.churn"), "{unknown}");
    let number = said("subscription_id", &[("subscription_id", DataType::Float64), account, date, usage]);
    assert!(number.contains("LRN062") && number.contains("is Float64, it must be text or a whole number"), "{number}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_champion_of_something_else_does_not_score() {
    let house = House::without("").await;
    // A model of accounts on the first subscriptions, then one of subscriptions that is refused.
    let of = |entity: &str, least: f64| format!("entity: {entity}\ngates: {{bootstrap_samples: 100, min_auc_ci_low: {least}}}\n");
    house.night(&of("subscription_id", 0.5), 0).await;
    let contacts = house.query("SELECT *, subscription_id AS contact_id FROM features.subscriptions").await;
    let labels = house.query("SELECT *, subscription_id AS contact_id FROM labels.churn").await;
    for (table, batch) in [("features.subscriptions", contacts), ("labels.churn", labels)] {
        let data = stream_of_batches(batch.schema(), vec![batch]);
        house.lake.commit(Write::new(table.parse().unwrap(), Mode::Overwrite, data, Txn::new(table, "again"))).await.unwrap();
    }
    let outcome = house.night(&of("contact_id", 1.0), 1).await;
    assert_eq!((&outcome.facts["promoted"], &outcome.facts["mode"]), (&false.into(), &"rules alone".into()));
    let codes: Vec<&str> = outcome.warnings.iter().map(|w| w.code.as_ref()).collect();
    assert_eq!(codes, ["LRN050", "LRN053"]);
    assert_eq!(house.count("SELECT count(*) FROM marts.entity_scores WHERE as_of = DATE '2024-03-02'").await, 0);

    // Its successor owes it nothing: ids that look the same are another thing's.
    house.night(&of("contact_id", 0.5), 1).await;
    assert_eq!(house.count("SELECT count(*) FROM marts.entity_scores WHERE entity = 'contact_id'").await, 2 * ACCOUNTS);
    assert_eq!(house.count("SELECT count(*) FROM marts.entity_movements").await, 0);
}
