//! What the tests of this crate share.

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::util::pretty::pretty_format_batches;

use crate::{Lake, LakeOptions, Mode, Params, TableName, Txn, Write, stream_of_batches};

/// A lake in memory of its own.
pub(crate) async fn memory() -> Lake {
    Lake::open(&format!("memory://{}", uuid::Uuid::new_v4().simple()), LakeOptions::default()).await.unwrap()
}

/// A lake in a folder of its own.
pub(crate) async fn local() -> (tempfile::TempDir, Lake) {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path().join("lake").to_str().unwrap(), LakeOptions::default()).await.unwrap();
    (folder, lake)
}

pub(crate) fn name(text: &str) -> TableName {
    text.parse().unwrap()
}

pub(crate) fn columns() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("part", DataType::Utf8, true),
        Field::new("value", DataType::Int64, true),
    ]))
}

/// Rows of (id, part, value).
pub(crate) fn rows(rows: &[(i64, &str, i64)]) -> RecordBatch {
    RecordBatch::try_new(
        columns(),
        vec![
            Arc::new(rows.iter().map(|r| r.0).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|r| Some(r.1)).collect::<StringArray>()),
            Arc::new(rows.iter().map(|r| r.2).collect::<Int64Array>()),
        ],
    )
    .unwrap()
}

/// A write of (id, part, value) to `staging.t` in a run.
pub(crate) fn write(mode: Mode, data: &[(i64, &str, i64)], run: &str) -> Write {
    Write::new(name("staging.t"), mode, stream_of_batches(columns(), vec![rows(data)]), Txn::new("step", run))
}

pub(crate) fn merge_by_id() -> Mode {
    Mode::Merge { keys: vec!["id".to_owned()] }
}

/// The result of a query as (id, part, value) rows.
pub(crate) async fn read(lake: &Lake) -> Vec<(i64, String, i64)> {
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;
    let batches = lake.query("SELECT id, part, value FROM staging.t ORDER BY id, part, value", &Params::new()).await.unwrap();
    batches
        .iter()
        .flat_map(|b| {
            let (ids, parts, values) =
                (b.column(0).as_primitive::<Int64Type>(), b.column(1).as_string::<i32>(), b.column(2).as_primitive::<Int64Type>());
            (0..b.num_rows()).map(|i| (ids.value(i), parts.value(i).to_owned(), values.value(i))).collect::<Vec<_>>()
        })
        .collect()
}

/// The result of a query as text.
pub(crate) async fn table(lake: &Lake, sql: &str) -> String {
    pretty_format_batches(&lake.query(sql, &Params::new()).await.unwrap()).unwrap().to_string()
}
