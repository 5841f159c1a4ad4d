//! Any table of any types that is written is read as it was: through both codecs, all types, chunks of any size.

use crate::chunker::Chunker;
use crate::codec::Codec;
use crate::codec::csv::Layout;
use crate::codec::jsonl::Paths;
use crate::parse::{FileContext, parse_chunk};
use crate::plan::RowPlan;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, Duration, NaiveDate};
use cscopilot_spec::Source;
use proptest::prelude::*;
use serde_json::json;
use std::sync::Arc;

/// A row of all types.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    text: Option<String>,
    int: Option<i64>,
    float: Option<f64>,
    cents: Option<i64>,
    day: Option<i32>,
    micros: Option<i64>,
    truth: Option<bool>,
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let float = proptest::num::f64::NORMAL | proptest::num::f64::ZERO;
    let row = (
        // The empty text is NULL in CSV.
        proptest::option::of(".{1,12}"),
        any::<Option<i64>>(),
        proptest::option::of(float),
        proptest::option::of(-1_000_000_000_000_i64..1_000_000_000_000),
        proptest::option::of(-100_000_i32..1_000_000),
        proptest::option::of(-10_000_000_000_000_000_i64..100_000_000_000_000_000),
        any::<Option<bool>>(),
    );
    let row = row.prop_map(|(text, int, float, cents, day, micros, truth)| Row { text, int, float, cents, day, micros, truth });
    prop::collection::vec(row, 0..20)
}

fn money(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{},{:02}", cents.abs() / 100, cents.abs() % 100)
}

fn date(day: i32) -> String {
    (NaiveDate::default() + Duration::days(day.into())).format("%d.%m.%Y").to_string()
}

fn instant(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros).unwrap().to_rfc3339()
}

fn plan(format: &str) -> RowPlan {
    let yaml = format!(
        "version: 1\nfiles: {{path: x}}\nstreams:\n  t:\n    files: '*'\n    format: {format}\n    columns:\n{}",
        "      text: {type: string}\n      int: {type: int}\n      float: {type: float, decimal_separator: '.'}\n      cents: {type: 'decimal(20,2)', decimal_separator: ','}\n      day: {type: date, format: '%d.%m.%Y'}\n      micros: {type: timestamp}\n      truth: {type: bool}\n"
    );
    let text: Arc<str> = Arc::from(yaml.as_str());
    let source: Source = cscopilot_spec::parse("s.yaml", &text, &yaml, 0).unwrap_or_else(|e| panic!("{e}"));
    RowPlan::new(source.streams.get("t").unwrap()).unwrap()
}

fn context() -> FileContext {
    FileContext { key: "f".into(), batch: "b".into(), seen: None, extracted_at_micros: 0 }
}

/// Everything that a text gives, read in chunks of about `target` bytes.
fn read_text(plan: &RowPlan, codec: &Codec, text: Vec<u8>, target: usize) -> Vec<Row> {
    let mut chunker = Chunker::new(Box::new(std::io::Cursor::new(text)), "f", 0, target);
    let mut found = Vec::new();
    while let Some(chunk) = chunker.next(codec).unwrap() {
        let parsed = parse_chunk(plan, codec, &context(), &chunk).unwrap();
        assert!(parsed.rejected.is_empty(), "{:?}", parsed.rejected);
        found.extend(rows_of(&parsed.batch));
    }
    found
}

fn rows_of(batch: &RecordBatch) -> Vec<Row> {
    macro_rules! at {
        ($column:literal, $kind:ty, $row:expr) => {{
            let array = batch.column($column).as_primitive::<$kind>();
            array.is_valid($row).then(|| array.value($row))
        }};
    }
    let text = batch.column(0).as_string::<i32>();
    let truth = batch.column(6).as_boolean();
    (0..batch.num_rows())
        .map(|row| Row {
            text: text.is_valid(row).then(|| text.value(row).to_owned()),
            int: at!(1, Int64Type, row),
            float: at!(2, Float64Type, row),
            cents: at!(3, Decimal128Type, row).map(|v| v.try_into().unwrap()),
            day: at!(4, Date32Type, row),
            micros: at!(5, TimestampMicrosecondType, row),
            truth: truth.is_valid(row).then(|| truth.value(row)),
        })
        .collect()
}

proptest! {
    #[test]
    fn any_csv_table_is_read_as_it_was_written(rows in rows(), target in 1_usize..400) {
        let plan = plan("{csv: {header: false}}");
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in &rows {
            let shown = |v: Option<String>| v.unwrap_or_default();
            writer.write_record([
                shown(row.text.clone()),
                shown(row.int.map(|v| v.to_string())),
                shown(row.float.map(|v| v.to_string())),
                shown(row.cents.map(money)),
                shown(row.day.map(date)),
                shown(row.micros.map(instant)),
                shown(row.truth.map(|v| v.to_string())),
            ]).unwrap();
        }
        let layout = Layout { delimiter: b',', quote: Some(b'"'), fields: 7, wanted: (0..7).map(Some).collect() };
        let found = read_text(&plan, &Codec::Csv(layout), writer.into_inner().unwrap(), target);
        prop_assert_eq!(found, rows);
    }

    #[test]
    fn any_json_lines_are_read_as_they_were_written(rows in rows(), target in 1_usize..400) {
        let plan = plan("{jsonl: {}}");
        let mut text = Vec::new();
        for row in &rows {
            let record = json!({
                "other": [{"text": 1}, "}"], "truth": row.truth, "text": row.text, "int": row.int, "float": row.float,
                "cents": row.cents.map(money), "day": row.day.map(date), "micros": row.micros.map(instant),
            });
            serde_json::to_writer(&mut text, &record).unwrap();
            text.push(b'\n');
        }
        let codec = Codec::Jsonl(Paths::new(plan.columns.iter().map(|c| c.from.as_str())));
        prop_assert_eq!(read_text(&plan, &codec, text, target), rows);
    }

    #[test]
    fn any_bytes_become_rows_or_rejected_rows(bytes in prop::collection::vec(any::<u8>(), 0..300), target in 1_usize..100) {
        let layout = Layout { delimiter: b',', quote: Some(b'"'), fields: 7, wanted: (0..7).map(Some).collect() };
        let csv = plan("{csv: {header: false}}");
        let jsonl = plan("{jsonl: {}}");
        let paths = Paths::new(jsonl.columns.iter().map(|c| c.from.as_str()));
        for (plan, codec) in [(&csv, Codec::Csv(layout)), (&jsonl, Codec::Jsonl(paths))] {
            let mut chunker = Chunker::new(Box::new(std::io::Cursor::new(bytes.clone())), "f", 0, target);
            while let Some(chunk) = chunker.next(&codec).unwrap() {
                let parsed = parse_chunk(plan, &codec, &context(), &chunk).unwrap();
                prop_assert_eq!(parsed.records, parsed.batch.num_rows() as u64 + parsed.rejected.len() as u64);
            }
        }
    }
}
