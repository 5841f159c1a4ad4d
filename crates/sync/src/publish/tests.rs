//! Publishing to real Redis servers, each started by its test.

use super::publish;
use crate::Error;
use arrow::array::{ArrayRef, BooleanArray, Date32Array, Float64Array, ListBuilder, RecordBatch, StringArray, StringBuilder};
use chrono::{Days, NaiveDate};
use cscopilot_diag::Coded;
use cscopilot_lake::step::{Outcome, Progress, StepContext};
use cscopilot_lake::{Lake, LakeOptions, Mode, Params, Txn, Write, stream_of_batches};
use cscopilot_servers::{Redis, redis};
use cscopilot_spec::{LoadOptions, Project};
use redis::aio::MultiplexedConnection;
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;

const SECRET: &str = "s3cret-of-redis-8c1f";

struct Fixture {
    folder: tempfile::TempDir,
    lake: Lake,
    writes: u32,
}

fn day(offset: u64) -> NaiveDate {
    NaiveDate::from_ymd_opt(2024, 5, 1).unwrap() + Days::new(offset)
}

fn days(date: NaiveDate, rows: usize) -> ArrayRef {
    let number = date.signed_duration_since(NaiveDate::default()).num_days();
    Arc::new(Date32Array::from(vec![i32::try_from(number).unwrap(); rows]))
}

fn texts(of: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(of.to_vec()))
}

fn numbers(of: &[Option<f64>]) -> ArrayRef {
    Arc::new(Float64Array::from(of.to_vec()))
}

impl Fixture {
    /// A project with a store at this URL; `more` stands below it, and the hash `scores` is of `marts.account_scores`.
    async fn new(url: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path().join("lake").to_str().unwrap(), LakeOptions::default()).await.unwrap();
        let fixture = Self { folder, lake, writes: 0 };
        fixture.put("cscopilot.yaml", "version: 1\nname: test\nlake: lake\n");
        fixture.store(url, more, "scores: {from: {table: marts.account_scores}}");
        fixture
    }

    fn store(&self, url: &str, more: &str, hashes: &str) {
        let yaml = format!("version: 1\nto:\n  redis:\n    url: {url}\n{more}prefix: cs\nexpire_after_days: 7\nhashes:\n  {hashes}\n");
        self.put("configs/stores/online.yaml", &yaml);
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    async fn table(&mut self, name: &str, mode: Mode, columns: Vec<(&str, ArrayRef)>) {
        self.writes += 1;
        let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap();
        let data = stream_of_batches(batch.schema(), vec![batch]);
        let txn = Txn::new("test", self.writes.to_string());
        self.lake.commit(Write::new(name.parse().unwrap(), mode, data, txn)).await.unwrap();
    }

    /// Adds a night's scores: account and score.
    async fn scores(&mut self, date: NaiveDate, rows: &[(Option<&str>, Option<f64>)]) {
        let columns = vec![
            ("account_id", texts(&rows.iter().map(|r| r.0).collect::<Vec<_>>())),
            ("as_of", days(date, rows.len())),
            ("score", numbers(&rows.iter().map(|r| r.1).collect::<Vec<_>>())),
        ];
        self.table("marts.account_scores", Mode::Append, columns).await;
    }

    fn context(&self, as_of: NaiveDate) -> StepContext {
        let project = Project::load(self.folder.path(), &LoadOptions::default()).unwrap_or_else(|e| panic!("{e}"));
        StepContext {
            project: Arc::new(project),
            lake: self.lake.clone(),
            as_of,
            run_id: "run".to_owned(),
            step: "publish.online".to_owned(),
            full_refresh: false,
            params: Params::new().with("as_of", as_of),
            progress: Progress::new(),
            fingerprint: None,
        }
    }

    async fn publish(&self, as_of: NaiveDate) -> Result<Outcome, Error> {
        publish(&self.context(as_of), "online").await
    }
}

fn url(server: &Redis) -> String {
    format!("redis://127.0.0.1:{}", server.port)
}

async fn connect(server: &Redis) -> MultiplexedConnection {
    redis::Client::open(url(server)).unwrap().get_multiplexed_async_connection().await.unwrap()
}

async fn ask<T: redis::FromRedisValue>(connection: &mut MultiplexedConnection, words: &[&str]) -> T {
    redis::cmd(words[0]).arg(&words[1..]).query_async(connection).await.unwrap()
}

type Fields = BTreeMap<String, String>;

fn hash(fields: &[(&str, &str)]) -> Fields {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Written, unchanged, older, failed.
fn counts(outcome: &Outcome) -> [u64; 4] {
    ["rows_written", "rows_unchanged", "rows_older", "rows_failed"].map(|name| outcome.facts[name].as_u64().unwrap())
}

#[tokio::test]
async fn what_is_read_back_is_what_the_contract_says() {
    let server = redis(&[]);
    let mut f = Fixture::new(&url(&server), "").await;
    let mut reasons = ListBuilder::new(StringBuilder::new());
    reasons.append_value([Some("fewer logins"), Some("Rückgang")]);
    reasons.append_null();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("account_id", texts(&[Some("ACC-1"), Some("ACC-2")])),
        ("as_of", days(day(0), 2)),
        ("health", numbers(&[Some(71.26), None])),
        ("active", Arc::new(BooleanArray::from(vec![true, false]))),
        ("renewal", days(day(30), 2)),
        ("name", texts(&[Some("Ärzte & \"Co\"\n"), Some("")])),
        ("reasons", Arc::new(reasons.finish())),
    ];
    f.table("marts.account_scores", Mode::Append, columns).await;
    f.table("features.plans", Mode::Append, vec![("plan", texts(&[Some("pro")])), ("seats", numbers(&[Some(12.0)]))]).await;
    let hashes =
        "scores: {from: {table: marts.account_scores}}\n  plans: {from: {table: features.plans}, key: plan, columns: [plan, seats, as_of]}";
    f.store(&url(&server), "", hashes);
    let outcome = f.publish(day(0)).await.unwrap();
    assert_eq!((outcome.rows_in, outcome.rows_out, counts(&outcome)), (3, 3, [3, 0, 0, 0]));

    let mut reader = connect(&server).await;
    let mut keys: Vec<String> = ask(&mut reader, &["KEYS", "*"]).await;
    keys.sort();
    assert_eq!(keys, ["cs:plans:pro", "cs:scores:ACC-1", "cs:scores:ACC-2"]);
    let expected = [
        ("as_of", "2024-05-01"),
        ("health", "71.26"),
        ("active", "1"),
        ("renewal", "2024-05-31"),
        ("name", "Ärzte & \"Co\"\n"),
        ("reasons", r#"["fewer logins","Rückgang"]"#),
    ];
    assert_eq!(ask::<Fields>(&mut reader, &["HGETALL", "cs:scores:ACC-1"]).await, hash(&expected));
    let expected = [("as_of", "2024-05-01"), ("active", "0"), ("renewal", "2024-05-31"), ("name", "")];
    assert_eq!(ask::<Fields>(&mut reader, &["HGETALL", "cs:scores:ACC-2"]).await, hash(&expected));
    // A table without dates is of the run's date.
    let expected = [("as_of", "2024-05-01"), ("plan", "pro"), ("seats", "12")];
    assert_eq!(ask::<Fields>(&mut reader, &["HGETALL", "cs:plans:pro"]).await, hash(&expected));
    let seconds: i64 = ask(&mut reader, &["TTL", "cs:scores:ACC-1"]).await;
    assert!((7 * 86_400 - 60..=7 * 86_400).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn a_night_that_is_run_again_changes_nothing_and_an_older_one_never_does() {
    let server = redis(&[]);
    let mut f = Fixture::new(&url(&server), "").await;
    f.scores(day(0), &[(Some("A"), Some(1.0)), (Some("B"), Some(1.0)), (Some("C"), Some(1.0))]).await;
    f.scores(day(1), &[(Some("A"), Some(2.0)), (Some("B"), None)]).await;
    let mut reader = connect(&server).await;

    assert_eq!(counts(&f.publish(day(0)).await.unwrap()), [3, 0, 0, 0]);
    ask::<i64>(&mut reader, &["EXPIRE", "cs:scores:A", "100"]).await;
    assert_eq!(counts(&f.publish(day(0)).await.unwrap()), [0, 3, 0, 0]);
    assert!(ask::<i64>(&mut reader, &["TTL", "cs:scores:A"]).await > 100, "a hash that was confirmed lives on");

    assert_eq!(counts(&f.publish(day(1)).await.unwrap()), [2, 0, 0, 0]);
    assert_eq!(ask::<Fields>(&mut reader, &["HGETALL", "cs:scores:A"]).await, hash(&[("as_of", "2024-05-02"), ("score", "2")]));
    // The score of B is NULL now, so its field is gone.
    assert_eq!(ask::<Fields>(&mut reader, &["HGETALL", "cs:scores:B"]).await, hash(&[("as_of", "2024-05-02")]));

    ask::<i64>(&mut reader, &["EXPIRE", "cs:scores:A", "100"]).await;
    let replay = f.publish(day(0)).await.unwrap();
    assert_eq!(counts(&replay), [0, 1, 2, 0]);
    assert_eq!(replay.warnings.iter().map(|w| w.code.as_str()).collect::<Vec<_>>(), ["SYN024"]);
    assert_eq!(ask::<Fields>(&mut reader, &["HGETALL", "cs:scores:A"]).await, hash(&[("as_of", "2024-05-02"), ("score", "2")]));
    assert!(ask::<i64>(&mut reader, &["TTL", "cs:scores:A"]).await <= 100, "an older night made a newer hash live longer");

    // The same night with another value, as after a repair.
    ask::<i64>(&mut reader, &["HSET", "cs:scores:A", "score", "99", "stray", "x"]).await;
    assert_eq!(counts(&f.publish(day(1)).await.unwrap()), [1, 1, 0, 0]);
    assert_eq!(ask::<Fields>(&mut reader, &["HGETALL", "cs:scores:A"]).await, hash(&[("as_of", "2024-05-02"), ("score", "2")]));
}

#[tokio::test]
async fn keys_of_others_stay_and_rows_without_key_are_counted() {
    let server = redis(&[]);
    let mut f = Fixture::new(&url(&server), "").await;
    f.scores(day(0), &[(Some("A"), Some(1.0)), (Some("B"), Some(1.0)), (Some("C"), Some(1.0)), (None, Some(1.0))]).await;
    let mut reader = connect(&server).await;
    ask::<String>(&mut reader, &["SET", "cs:scores:A", "text"]).await;
    ask::<i64>(&mut reader, &["HSET", "cs:scores:B", "colour", "red"]).await;
    let outcome = f.publish(day(0)).await.unwrap();
    assert_eq!((outcome.rows_in, outcome.rows_out, outcome.rows_rejected), (4, 1, 2));
    assert_eq!(outcome.facts["rows_without_key"], 1);
    let said: Vec<String> = outcome.warnings.iter().map(|w| format!("{}: {}", w.code, w.message)).collect();
    let expected =
        ["SYN023: 2 keys hold something that was not published; they stay as they are", "SYN025: 1 rows have no value to end a key with"];
    assert_eq!(said, expected);
    assert_eq!(ask::<String>(&mut reader, &["GET", "cs:scores:A"]).await, "text");
    assert_eq!(ask::<Fields>(&mut reader, &["HGETALL", "cs:scores:B"]).await, hash(&[("colour", "red")]));
}

#[tokio::test]
async fn rows_that_claim_one_key_are_an_error_before_anything_is_written() {
    let server = redis(&[]);
    let mut f = Fixture::new(&url(&server), "").await;
    f.scores(day(0), &[(Some("A"), Some(1.0)), (Some("A"), Some(2.0)), (Some("B"), Some(1.0))]).await;
    let error = f.publish(day(0)).await.unwrap_err();
    assert_eq!(
        (error.code(), error.to_string()),
        ("SYN017", "1 rows of `marts.account_scores` have a `account_id` that another row has, too".to_owned())
    );
    assert_eq!(ask::<i64>(&mut connect(&server).await, &["DBSIZE"]).await, 0);
    f.store(&url(&server), "", "scores: {from: {table: marts.account_scores, where: score < 2}, columns: [score]}");
    assert_eq!(counts(&f.publish(day(0)).await.unwrap()), [2, 0, 0, 0]);
}

#[tokio::test]
async fn a_wrong_password_or_a_server_that_is_down_has_a_name_and_shows_no_secret() {
    let mut server = redis(&["--requirepass", SECRET]);
    let mut f = Fixture::new(&url(&server), &format!("    password: {SECRET}\n")).await;
    f.scores(day(0), &[(Some("A"), Some(1.0))]).await;
    assert_eq!(counts(&f.publish(day(0)).await.unwrap()), [1, 0, 0, 0]);
    let with_password = format!("redis://:{SECRET}@127.0.0.1:{}", server.port);
    f.store(&with_password, "", "scores: {from: {table: marts.account_scores}}");
    assert_eq!(counts(&f.publish(day(0)).await.unwrap()), [0, 1, 0, 0]);

    let scores = "scores: {from: {table: marts.account_scores}}";
    let wrong = format!("{SECRET}x");
    let mut said = Vec::new();
    for (url, more) in [
        (url(&server), format!("    password: {wrong}\n")),
        (format!("redis://:{wrong}@127.0.0.1:{}", server.port), String::new()),
        (url(&server), String::new()),
        (format!("http://:{wrong}@127.0.0.1"), String::new()),
        (url(&server), "    password: '${secret:NO_SUCH_SECRET_OF_REDIS}'\n".to_owned()),
        (url(&server), "    ca_file: absent.pem\n".to_owned()),
    ] {
        f.store(&url, &more, scores);
        said.push(f.publish(day(0)).await.unwrap_err());
    }
    server.kill();
    f.store(&with_password, "", scores);
    said.push(f.publish(day(0)).await.unwrap_err());
    let codes: Vec<&str> = said.iter().map(Coded::code).collect();
    assert_eq!(codes, ["SYN015", "SYN015", "SYN015", "SYN013", "SYN002", "SYN013", "SYN014"]);
    for error in said {
        let shown = format!("{error} {error:?} {:?}", error.help());
        assert!(!shown.contains(SECRET), "{shown}");
    }
}

#[tokio::test]
async fn tls_needs_a_certificate_that_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let (key, cert) = (folder.path().join("key.pem"), folder.path().join("cert.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .output()
        .expect("openssl was not found: scripts/servers.sh installs it");
    assert!(made.status.success(), "{made:?}");
    let (key, cert) = (key.to_str().unwrap(), cert.to_str().unwrap());
    let files = ["--tls-key-file", key, "--tls-cert-file", cert, "--tls-ca-cert-file", cert, "--tls-auth-clients", "no"];
    let server = redis(&[&["--port", "0", "--tls-port", "{port}"], &files[..]].concat());
    let url = format!("rediss://127.0.0.1:{}", server.port);
    let mut f = Fixture::new(&url, "").await;
    f.scores(day(0), &[(Some("A"), Some(1.0))]).await;
    assert_eq!(f.publish(day(0)).await.unwrap_err().code(), "SYN014");
    f.store(&url, &format!("    ca_file: {cert}\n"), "scores: {from: {table: marts.account_scores}}");
    assert_eq!(counts(&f.publish(day(0)).await.unwrap()), [1, 0, 0, 0]);
}

/// Scores of many accounts: with these batches a server that stops does so in the midst of them.
async fn many(f: &mut Fixture, accounts: usize) {
    let ids: Vec<String> = (0..accounts).map(|n| format!("ACC-{n:06}")).collect();
    let rows: Vec<_> = ids.iter().enumerate().map(|(n, id)| (Some(id.as_str()), Some(n as f64 / 7.0))).collect();
    f.scores(day(0), &rows).await;
}

#[tokio::test]
async fn a_full_server_stops_the_step_which_says_how_far_it_came_and_the_next_one_does_the_rest() {
    let server = redis(&["--maxmemory", "4mb", "--maxmemory-policy", "noeviction"]);
    let mut f = Fixture::new(&url(&server), "    batch_size: 100\n").await;
    many(&mut f, 30_000).await;
    let error = f.publish(day(0)).await.unwrap_err();
    let Error::StoreStopped { rows, reason, .. } = &error else { panic!("{error}") };
    assert!(reason.contains("OOM") && error.code() == "SYN016", "{error}");
    let mut reader = connect(&server).await;
    let there: u64 = ask(&mut reader, &["DBSIZE"]).await;
    // One more exchange was under way when the answer came.
    assert!(*rows > 0 && (*rows..=rows + 100).contains(&there), "{rows} of {there}");
    ask::<String>(&mut reader, &["CONFIG", "SET", "maxmemory", "0"]).await;
    assert_eq!(counts(&f.publish(day(0)).await.unwrap()), [30_000 - there, there, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_midway_has_all_rows_after_the_next_run() {
    let mut server = redis(&[]);
    let mut f = Fixture::new(&url(&server), "    batch_size: 50\n").await;
    many(&mut f, 30_000).await;
    let mut reader = connect(&server).await;
    let context = f.context(day(0));
    let publishing = tokio::spawn(async move { publish(&context, "online").await });
    while ask::<u64>(&mut reader, &["DBSIZE"]).await < 1_000 {}
    server.kill();
    let error = publishing.await.unwrap().unwrap_err();
    let Error::StoreStopped { rows, .. } = error else { panic!("{error}") };
    assert!((50..30_000).contains(&rows), "{rows}");
    assert_eq!(f.publish(day(0)).await.unwrap_err().code(), "SYN014");

    server.start_again();
    let [written, unchanged, older, failed] = counts(&f.publish(day(0)).await.unwrap());
    assert!(unchanged >= rows, "rows that were acknowledged are lost: {unchanged} of {rows}");
    assert_eq!((written + unchanged, older, failed), (30_000, 0, 0));
    let mut reader = connect(&server).await;
    assert_eq!(ask::<u64>(&mut reader, &["DBSIZE"]).await, 30_000);
    let last = ask::<Fields>(&mut reader, &["HGETALL", "cs:scores:ACC-029999"]).await;
    assert_eq!(last["score"].parse::<f64>().unwrap(), 29_999.0 / 7.0);
}

#[allow(clippy::print_stderr)]
#[tokio::test]
async fn a_hundred_thousand_accounts_of_forty_columns_take_seconds() {
    const ACCOUNTS: usize = 100_000;
    let server = redis(&["--appendonly", "no"]);
    let mut f = Fixture::new(&url(&server), "").await;
    let ids: Vec<String> = (0..ACCOUNTS).map(|n| format!("ACC-{n:06}")).collect();
    let names: Vec<String> = (0..40).map(|c| format!("feature_number_{c:02}")).collect();
    let mut columns = vec![("account_id", Arc::new(StringArray::from_iter_values(&ids)) as ArrayRef), ("as_of", days(day(0), ACCOUNTS))];
    for (c, name) in names.iter().enumerate() {
        let values = (0..ACCOUNTS).map(|n| (n % 50 != c).then_some((n * (c + 1)) as f64 / 997.0));
        columns.push((name, Arc::new(values.collect::<Float64Array>())));
    }
    f.table("marts.account_scores", Mode::Append, columns).await;
    let mut reader = connect(&server).await;
    for (what, expected) in [("written", [ACCOUNTS as u64, 0, 0, 0]), ("confirmed", [0, ACCOUNTS as u64, 0, 0])] {
        let watch = cscopilot_diag::clock::Stopwatch::start();
        assert_eq!(counts(&f.publish(day(0)).await.unwrap()), expected);
        let seconds = watch.elapsed().as_secs_f64();
        eprintln!("{ACCOUNTS} accounts × 40 columns {what} in {seconds:.1} s: {:.0} rows a second", ACCOUNTS as f64 / seconds);
    }
    let fields = ask::<Fields>(&mut reader, &["HGETALL", "cs:scores:ACC-099999"]).await;
    assert_eq!(fields["feature_number_39"].parse::<f64>().unwrap(), 99_999.0 * 40.0 / 997.0);
    assert_eq!(fields.len(), 41);
}
