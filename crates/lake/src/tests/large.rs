//! Big tables: how fast, and in how much memory. By hand: `make test-large`.
#![allow(clippy::print_stderr)]

use std::sync::Arc;

use arrow::array::{Date32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use cscopilot_diag::clock::Stopwatch;

use crate::testing::*;
use crate::*;

const ROWS: i64 = 20_000_000;
const BATCH: i64 = 8_192;
const ACCOUNTS: i64 = 20_000;

fn usage() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("event_id", DataType::Int64, true),
        Field::new("account_id", DataType::Utf8, true),
        Field::new("day", DataType::Date32, true),
        Field::new("kind", DataType::Utf8, true),
        Field::new("n", DataType::Int64, true),
        Field::new("minutes", DataType::Float64, true),
    ]))
}

fn batch(from: i64, to: i64) -> RecordBatch {
    let ids = || from..to;
    let mixed = |i: i64| (i.wrapping_mul(2_654_435_761) >> 7) & 0x7fff_ffff;
    RecordBatch::try_new(
        usage(),
        vec![
            Arc::new(ids().collect::<Int64Array>()),
            Arc::new(ids().map(|i| Some(format!("acc-{:06}", mixed(i) % ACCOUNTS))).collect::<StringArray>()),
            Arc::new(ids().map(|i| Some(19_000 + i32::try_from(i / (ROWS / 540)).unwrap())).collect::<Date32Array>()),
            Arc::new(
                ids()
                    .map(|i| Some(["login", "report", "export", "invite"][usize::try_from(mixed(i) % 4).unwrap()]))
                    .collect::<StringArray>(),
            ),
            Arc::new(ids().map(|i| mixed(i) % 50).collect::<Int64Array>()),
            Arc::new(ids().map(|i| mixed(i) as f64 / 1e6).collect::<Float64Array>()),
        ],
    )
    .unwrap()
}

/// Peak memory of this process so far, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() / 1024
}

async fn timed<T>(what: &str, work: impl Future<Output = T>) -> T {
    let watch = Stopwatch::start();
    let result = work.await;
    eprintln!("{what}: {:.2} s, peak {} MiB", watch.elapsed().as_secs_f64(), peak());
    result
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute: make test-large"]
async fn large_tables_are_written_and_read_in_bounded_memory() {
    let (_folder, lake) = local().await;
    let stream = |from: i64, to: i64| {
        let batches = (from / BATCH..(to + BATCH - 1) / BATCH).map(move |b| Ok(batch((b * BATCH).max(from), ((b + 1) * BATCH).min(to))));
        stream_of(usage(), futures::stream::iter(batches))
    };
    let write = |mode, from, to, run: &str| Write::new(name("raw.usage"), mode, stream(from, to), Txn::new("step", run));
    timed("write 20 million rows", lake.commit(write(Mode::Append, 0, ROWS, "r1"))).await.unwrap();
    let info = lake.table(&name("raw.usage")).await.unwrap().unwrap();
    eprintln!("{} files, {} MiB", info.files, info.bytes >> 20);
    assert!(peak() < 400, "{} MiB", peak());
    for (what, sql) in [
        ("count", "SELECT count(*) FROM raw.usage"),
        ("by account", "SELECT account_id, sum(n), max(day), sum(minutes) FROM raw.usage GROUP BY account_id ORDER BY 1"),
        (
            "by account and day, 28 days",
            "SELECT account_id, day, sum(n) FROM raw.usage WHERE day > DATE '2023-06-01' GROUP BY ALL ORDER BY 1, 2",
        ),
        (
            "windows",
            "SELECT account_id, sum(n) FILTER (WHERE day > DATE '2023-06-01'), count(DISTINCT kind), count(DISTINCT day) FROM raw.usage GROUP BY account_id ORDER BY 1",
        ),
    ] {
        timed(what, lake.query(sql, &Params::new())).await.unwrap();
    }
    let merge = Mode::Merge { keys: vec!["event_id".to_owned()] };
    timed("merge 1 million rows, half of them new", lake.commit(write(merge, ROWS - 500_000, ROWS + 500_000, "r2"))).await.unwrap();
    let copy = lake.stream("SELECT * FROM raw.usage WHERE kind = 'login'", &Params::new()).await.unwrap();
    let copy = Write::new(name("staging.logins"), Mode::Overwrite, copy, Txn::new("copy", "r1"));
    timed("copy 5 million rows", lake.commit(copy)).await.unwrap();
    assert_eq!(lake.table(&name("raw.usage")).await.unwrap().unwrap().rows, Some(20_500_000));
}
