//! What the tests of this crate share: a project with the real templates, and a small lake.

use chrono::NaiveDate;
use cscopilot_lake::step::{Outcome, Progress, StepContext};
use cscopilot_lake::{Lake, LakeOptions, Mode, Objects, Params, Txn, Write, stream_of_batches};
use cscopilot_spec::{LoadOptions, Project};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The repository's own templates and assets.
fn reports() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../reports")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A project in a folder, with the real templates.
pub(crate) fn project(root: &Path) -> Project {
    copy(&reports(), &root.join("reports"));
    std::fs::create_dir_all(root.join("configs/scorecards")).unwrap();
    std::fs::write(root.join("cscopilot.yaml"), "version: 1\nname: acme\nlake: lake\n").unwrap();
    std::fs::write(root.join("configs/site.yaml"), "version: 1\ntitle: Customer health\ncompany: Acme & Sons\n").unwrap();
    load(root)
}

pub(crate) fn load(root: &Path) -> Project {
    Project::load(root, &LoadOptions::default()).unwrap_or_else(|problems| panic!("{problems}"))
}

/// A lake in a folder.
pub(crate) async fn lake_in(root: &Path) -> Lake {
    Lake::open(root.to_str().unwrap(), LakeOptions::default()).await.unwrap()
}

/// The objects of a lake in memory of its own.
pub(crate) async fn objects_in_memory() -> Objects {
    static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    Lake::open(&format!("memory://report_{number}"), LakeOptions::default()).await.unwrap().objects()
}

pub(crate) fn tonight() -> NaiveDate {
    NaiveDate::from_ymd_opt(2023, 10, 1).unwrap()
}

/// Stores the result of a query as a table.
pub(crate) async fn store(lake: &Lake, table: &str, sql: &str) {
    let batches = lake.query(sql, &Params::new()).await.unwrap_or_else(|e| panic!("{table}: {e:?}"));
    let schema = batches.first().unwrap().schema();
    let txn = Txn::new(format!("test.{table}"), "run");
    lake.commit(Write::new(table.parse().unwrap(), Mode::Overwrite, stream_of_batches(schema, batches), txn)).await.unwrap();
}

/// Three accounts of two managers; what the contract promises about them.
pub(crate) async fn fill(lake: &Lake) {
    for (table, sql) in TABLES {
        store(lake, table, sql).await;
    }
}

pub(crate) fn context(project: Project, lake: &Lake) -> StepContext {
    StepContext {
        project: Arc::new(project),
        lake: lake.clone(),
        as_of: tonight(),
        run_id: "run".into(),
        step: "report".into(),
        full_refresh: false,
        params: Params::new().with("as_of", tonight()),
        progress: Progress::new(),
        fingerprint: None,
    }
}

/// Runs the step and reads what it published, by path.
pub(crate) async fn run(project: Project, lake: &Lake) -> (Outcome, BTreeMap<String, String>) {
    let outcome = crate::run(&context(project, lake)).await.unwrap_or_else(|e| panic!("{e}"));
    let mut pages = BTreeMap::new();
    let root = lake.local_root().unwrap();
    for (path, bytes) in crate::templates::read_folder(&root, "site/current").unwrap() {
        pages.insert(path, String::from_utf8_lossy(&bytes).into_owned());
    }
    (outcome, pages)
}

const TABLES: [(&str, &str); 12] = [
    (
        "marts.accounts",
        "SELECT column1 AS account_id, column2 AS account_name, column3 AS csm_id, column4 AS csm_name, column5 AS segment, \
         column6 AS plan, CAST(column7 AS DECIMAL(18,2)) AS arr, CAST(column8 AS DATE) AS renewal_date, column9 AS tenure_days, \
         column10 AS crm_id, column11 AS seats_entitled FROM (VALUES \
         ('a-1', 'Northwind', 'c1', 'Amara Okafor', 'SMB', 'Team', 12000.50, '2023-11-15', 400, '001A', 25.0), \
         ('a-2', 'Fjord <script>alert(1)</script> & Co', 'c1', 'Amara Okafor', 'Enterprise', 'Scale', 250000, '2024-05-01', 1200, '001B', 300.0), \
         ('A-2', 'Zoë \"Z\" GmbH', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL))",
    ),
    (
        "marts.account_scores",
        "SELECT column1 AS account_id, DATE '2023-10-01' AS as_of, column2 AS health_score, column3 AS health_band, \
         CAST(90 AS DOUBLE) AS health_coverage_pct, column4 AS churn_probability, column5 AS churn_decile, \
         column6 AS survival_30d, column7 AS survival_90d, column8 AS survival_180d, make_array( \
         named_struct('feature', 'logins_28d', 'value', 2.0, 'contribution', 0.8, 'text', 'Logins fell by 62%'), \
         named_struct('feature', 'tenure_days', 'value', 400.0, 'contribution', -0.3, 'text', 'Customer for 13 months')) AS top_reasons \
         FROM (VALUES ('a-1', 31.4, 'at_risk', 0.21, 1, 0.81, 0.64, 0.42), ('a-2', 82.0, 'healthy', 0.02, 8, NULL, NULL, NULL))",
    ),
    (
        "marts.health_scores",
        "SELECT column1 AS account_id, CAST(column2 AS DATE) AS as_of, column3 AS health_score, column4 AS health_band FROM (VALUES \
         ('a-1', '2023-08-31', 55.0, 'watch'), ('a-1', '2023-09-30', 33.0, 'at_risk'), ('a-1', '2023-10-01', 31.4, 'at_risk'), \
         ('a-2', '2023-08-31', 76.0, 'healthy'), ('a-2', '2023-10-01', 82.0, 'healthy'), ('gone', '2023-08-31', 10.0, 'at_risk'))",
    ),
    (
        "marts.health_measures",
        "SELECT column1 AS account_id, DATE '2023-10-01' AS as_of, column2 AS measure, column3 AS \"group\", column4 AS label, \
         column5 AS value, column6 AS score, column7 AS weight, 'watch' AS band, column8 AS missing FROM (VALUES \
         ('a-1', 'logins', 'adoption', 'Logins per seat', 0.4, 12.0, 60.0, false), ('a-1', 'csat', 'support', 'Satisfaction', NULL, NULL, 10.0, true), \
         ('a-1', 'tickets', 'support', 'Open tickets', 4.0, 55.0, 30.0, false))",
    ),
    (
        "marts.model_scores",
        "SELECT column1 AS account_id, DATE '2023-10-01' AS as_of, 'churn' AS model, CAST(3 AS BIGINT) AS model_version, \
         'xgboost' AS estimator FROM (VALUES ('a-1'), ('a-2'))",
    ),
    (
        "marts.score_movements",
        "SELECT 'a-1' AS account_id, DATE '2023-10-01' AS as_of, 'churn' AS model, column1 AS feature, column2 AS contribution_delta, \
         column3 AS cause, DATE '2023-09-30' AS from_as_of, column4 AS text FROM (VALUES \
         ('logins_28d', 0.031, 'data', 'Logins, 28 days: 17 → 2 logins'), ('csat', -0.012, 'data', 'Satisfaction: unknown → 4.5'), \
         ('tenure_days', 0.0001, 'data', 'Tenure: 399 → 400 days'), (NULL, 0.006, 'model', 'version 3 of the model'))",
    ),
    (
        "marts.opportunities",
        "SELECT 'a-2' AS account_id, DATE '2023-10-01' AS as_of, 'seats_full' AS kind, 'Seats' AS product, 'Seats nearly used up' AS title, \
         0.35 AS propensity, CAST(50000 AS DECIMAL(18,2)) AS expected_arr, '290 of 300 seats in use' AS message",
    ),
    (
        "marts.next_actions",
        "SELECT 'a-1' AS account_id, DATE '2023-10-01' AS as_of, 'rescue' AS play, 1 AS rank, 'Book a rescue call' AS title, \
         '21% risk, renewal in 45 days' AS reason, DATE '2023-10-04' AS due_on, 'c1' AS owner, 'Keeps one in four' AS expected_effect",
    ),
    (
        "ops.alerts",
        "SELECT column1 AS account_id, column2 AS rule, column3 AS severity, column4 AS state, CAST(column5 AS TIMESTAMP) AS opened_at, \
         CAST(column6 AS TIMESTAMP) AS updated_at, column7 AS title, column8 AS message FROM (VALUES \
         ('a-1', 'health_at_risk', 'high', 'open', '2023-10-01', '2023-10-01', 'Health is at risk', 'Health fell to 31'), \
         ('a-1', 'tickets', 'medium', 'resolved', '2023-09-02', '2023-09-20', 'Tickets wait', '4 tickets wait'), \
         ('a-1', 'later', 'critical', 'open', '2023-10-09', '2023-10-09', 'From the future', 'must not be shown'))",
    ),
    (
        "ops.model_runs",
        "SELECT column1 AS model, column2 AS version, DATE '2023-09-20' AS as_of, 'xgboost' AS estimator, column3 AS promoted, column4 AS reason, \
         column5 AS auc, column6 AS auc_low, column7 AS auc_high, 0.2 AS average_precision, 0.23 AS log_loss, 0.06 AS brier, 2.9 AS lift_10pct, \
         0.012 AS calibration_error, 9000 AS rows_train, 3000 AS rows_test, 230 AS positives_test, DATE '2022-04-01' AS train_from, \
         DATE '2023-03-01' AS train_to, DATE '2023-04-01' AS test_from, DATE '2023-08-01' AS test_to, \
         '{\"importance\": [{\"feature\": \"logins_28d\", \"mean_abs_contribution\": 0.4}, {\"feature\": \"tenure_days\", \"mean_abs_contribution\": 0.1}]}' AS detail \
         FROM (VALUES ('churn', 3, true, 'its AUC is good', 0.712, 0.667, 0.755), ('expansion', 1, false, 'it may be no better than chance', 0.525, 0.48, 0.57))",
    ),
    (
        "ops.data_quality",
        "SELECT DATE '2023-10-01' AS as_of, column1 AS subject, column2 AS \"check\", 'warn' AS severity, column3 AS status, column4 AS failing_rows, \
         column5 AS total_rows, column6 AS detail, column7 AS sample FROM (VALUES \
         ('raw.usage__events', 'rejected_rows', 'warned', 37, 6124, 'rows that could not be read', NULL), \
         ('staging.usage', 'unique(usage_id)', 'warned', 21, 6087, NULL, 'usage_id=U-4711'), ('staging.invoices', 'not_null(id)', 'passed', 0, 82, NULL, NULL))",
    ),
    (
        "identity.unmatched",
        "SELECT column1 AS source, column2 AS key, column3 AS reason FROM (VALUES ('zendesk', 'x.example', 'no account has this domain'), \
         ('zendesk', 'b.example', 'no account has this domain'))",
    ),
];
