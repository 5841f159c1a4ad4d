//! A million accounts scored from end to end: the lake's Parquet files in, the lake's Parquet files out. `cargo xtask bench learn
//! --scoring` runs this program, each measurement in a process of its own.
//!
//! - `prepare FOLDER ROWS`: a project, a lake with two nights of ROWS accounts and 60 features, and a model trained on earlier accounts
//! - `score FOLDER none|first|next`: the step that scores, without explanations, with them, and with them on the night after that, when
//!   three of the features of three accounts in ten have changed; prints seconds and peak memory
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::{Days, NaiveDate};
use cscopilot_diag::clock::Stopwatch;
use cscopilot_lake::step::{Progress, StepContext};
use cscopilot_lake::{Lake, LakeOptions, Mode, Params, Txn, Write, channel};
use cscopilot_spec::{LoadOptions, Project};

const FEATURES: usize = 60;
const TREES: u32 = 300;
/// Accounts with labels, and evenings on which they were seen.
const LEARNED_FROM: usize = 2_500;
const EVENINGS: u64 = 8;
/// Rows of a batch that is written.
const BATCH: usize = 20_000;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    // Cargo adds a flag of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match arguments[..] {
        ["prepare", folder, rows] => runtime.block_on(prepare(Path::new(folder), rows.parse()?)),
        ["score", folder, how] => runtime.block_on(score(Path::new(folder), how)),
        _ => {
            println!("run by `cargo xtask bench learn --scoring`");
            Ok(())
        }
    }
}

fn first_night() -> NaiveDate {
    NaiveDate::from_ymd_opt(2024, 3, 1).unwrap_or_default()
}

/// A number from 0 to 1 that is the same for the same arguments (SplitMix64's finaliser).
fn noise(account: usize, evening: u64, feature: usize) -> f64 {
    let mut x = ((account as u64) << 24 ^ evening << 8 ^ feature as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ (x >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

/// A third of the features are counts, a third shares, a third money; a twentieth is missing.
fn value(account: usize, evening: u64, feature: usize) -> f64 {
    let x = noise(account, evening, feature);
    match feature % 3 {
        0 => (x * x * 40.0).floor(),
        1 => (x * 1000.0).round() / 1000.0,
        _ => (x.powi(3) * 1e6).round() / 100.0,
    }
}

fn missing(account: usize, feature: usize) -> bool {
    noise(account, 999, feature) < 0.05
}

fn event(account: usize, evening: u64) -> bool {
    let x = |feature| noise(account, evening, feature) - 0.5;
    let margin: f64 = (0..20).map(|k| x(k) * 1.2 + x(k + 20) * x(k + 40) * 3.0).sum::<f64>() - 2.0;
    noise(account, evening, 1000) < 1.0 / (1.0 + (-margin).exp())
}

fn schema() -> SchemaRef {
    let keys = [Field::new("account_id", DataType::Utf8, true), Field::new("as_of", DataType::Date32, true)];
    Arc::new(Schema::new(
        keys.into_iter().chain((0..FEATURES).map(|k| Field::new(format!("f{k:02}"), DataType::Float64, true))).collect::<Vec<_>>(),
    ))
}

/// What is known of some accounts on an evening. On the second night most of it is as it was on the first.
fn batch(accounts: std::ops::Range<usize>, date: NaiveDate, evening: u64) -> Result<RecordBatch> {
    let column = |feature: usize| -> ArrayRef {
        let of = |account: usize| {
            let changed = evening != 101 || account % 10 < 3 && feature % 20 == account % 20;
            (!missing(account, feature)).then(|| value(account, if changed { evening } else { 100 }, feature))
        };
        Arc::new(accounts.clone().map(of).collect::<Float64Array>())
    };
    let ids: StringArray = accounts.clone().map(|account| Some(format!("a{account:07}"))).collect();
    let days = Date32Array::from(vec![date.to_epoch_days(); accounts.len()]);
    let mut columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(days)];
    columns.extend((0..FEATURES).map(column));
    Ok(RecordBatch::try_new(schema(), columns)?)
}

async fn prepare(folder: &Path, rows: usize) -> Result<()> {
    let model = |explain: &str| {
        format!(
            "version: 1\nlabel: {{table: labels.events, column: happened, horizon_days: 3}}\nfeatures: {{table: features.accounts}}\nexplain: {explain}\n\
             estimators:\n  - xgboost: {{max_depth: 6, max_rounds: {TREES}, early_stopping_rounds: {TREES}, eta: 0.01, min_child_weight: 1, lambda: 1}}\n\
             gates: {{bootstrap_samples: 100}}\nthreads: 2\n"
        )
    };
    for explain in ["all", "none"] {
        let configs = folder.join(explain).join("configs/models");
        std::fs::create_dir_all(&configs)?;
        std::fs::write(folder.join(explain).join("cscopilot.yaml"), "version: 1\nname: bench\nlake: ../lake\n")?;
        std::fs::write(configs.join("churn.yaml"), model(explain))?;
    }
    let lake = open(folder).await?;
    let evenings = (0..EVENINGS).map(|e| (first_night() - Days::new(4 + 7 * e), e, LEARNED_FROM));
    let nights = [(first_night(), 100, rows), (first_night() + Days::new(1), 101, rows)];
    let all: Vec<(NaiveDate, u64, usize)> = evenings.clone().chain(nights).collect();
    let (sender, stream) = channel(schema(), 2);
    let making = std::thread::spawn(move || {
        for (date, evening, accounts) in all {
            for start in (0..accounts).step_by(BATCH) {
                let Ok(batch) = batch(start..(start + BATCH).min(accounts), date, evening) else { return };
                if !sender.send_blocking(batch) {
                    return;
                }
            }
        }
        sender.finish_blocking();
    });
    let write = Write::new("features.accounts".parse()?, Mode::Overwrite, stream, Txn::new("features", "prepare"));
    lake.commit(write.partitioned_by(["as_of"])).await?;
    making.join().map_err(|_| "the rows could not be made")?;

    let (mut ids, mut days, mut happened) = (Vec::new(), Vec::new(), Vec::new());
    for (date, evening, accounts) in evenings {
        for account in 0..accounts {
            ids.push(format!("a{account:07}"));
            days.push(date.to_epoch_days());
            happened.push(event(account, evening));
        }
    }
    let columns: [(&str, ArrayRef); 3] = [
        ("account_id", Arc::new(StringArray::from(ids))),
        ("as_of", Arc::new(Date32Array::from(days))),
        ("happened", Arc::new(BooleanArray::from(happened))),
    ];
    let labels = RecordBatch::try_from_iter(columns)?;
    let data = cscopilot_lake::stream_of_batches(labels.schema(), vec![labels]);
    lake.commit(Write::new("labels.events".parse()?, Mode::Overwrite, data, Txn::new("labels", "prepare"))).await?;
    let run = cscopilot_learn::train(&context(folder, "all", first_night()).await?, "churn").await?;
    if !run.promoted {
        return Err(run.reason.into());
    }
    println!("{}", serde_json::json!({"rows_train": run.rows_train, "auc": run.auc}));
    Ok(())
}

async fn open(folder: &Path) -> Result<Lake> {
    let place = folder.join("lake");
    Ok(Lake::open(place.to_str().ok_or("the folder's name is no text")?, LakeOptions::default()).await?)
}

async fn context(folder: &Path, explain: &str, as_of: NaiveDate) -> Result<StepContext> {
    let project = Project::load(&folder.join(explain), &LoadOptions::default()).map_err(|problems| problems.to_string())?;
    Ok(StepContext {
        project: Arc::new(project),
        lake: open(folder).await?,
        as_of,
        // Every process is a run of its own.
        run_id: format!("run-{}", std::process::id()),
        step: "learn.churn".to_owned(),
        full_refresh: false,
        params: Params::new(),
        progress: Progress::new(),
        fingerprint: None,
    })
}

async fn score(folder: &Path, how: &str) -> Result<()> {
    let (explain, as_of) = match how {
        "none" => ("none", first_night()),
        "first" => ("all", first_night()),
        _ => ("all", first_night() + Days::new(1)),
    };
    let ctx = context(folder, explain, as_of).await?;
    let watch = Stopwatch::start();
    let outcome = cscopilot_learn::score(&ctx, "churn").await?;
    let seconds = watch.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let facts = ["explained", "explanations_reused"].map(|fact| outcome.facts.get(fact).cloned());
    println!(
        "{}",
        serde_json::json!({"night": how, "rows": outcome.rows_out, "seconds": (seconds * 100.0).round() / 100.0,
            "peak_memory_mib": peak.map(|k| k >> 10), "explained": facts[0], "explanations_reused": facts[1]})
    );
    Ok(())
}
