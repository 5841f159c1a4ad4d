use arrow::util::pretty::pretty_format_batches;
use datafusion::execution::SendableRecordBatchStream;

use crate::testing::*;
use crate::*;

/// One column of every kind that tables hold.
const EVERY_TYPE: &str = "SELECT
    CAST(column1 AS BIGINT) AS id,
    CAST(column1 AS SMALLINT) AS small,
    column1 % 2 = 0 AS even,
    CAST(column1 AS DOUBLE) / 4 AS quarter,
    CAST(column1 AS DECIMAL(18, 2)) + 0.05 AS money,
    CAST(CAST(19631 + column1 AS INT) AS DATE) AS day,
    CAST('2023-10-01T12:30:00.123456Z' AS TIMESTAMP) AS at,
    CASE WHEN column1 > 1 THEN 'text ' || column1 END AS text,
    [named_struct('feature', 'logins', 'contribution', column1 * 0.5, 'text', NULL), named_struct('feature', 'seats', 'contribution', 1.0, 'text', 'few')] AS reasons,
    named_struct('a', column1, 'b', [1, column1]) AS nested
    FROM (VALUES (1), (2), (3))";

async fn every_type(lake: &Lake) -> SendableRecordBatchStream {
    lake.stream(&EVERY_TYPE.replace("NULL", "CAST(NULL AS VARCHAR)"), &Params::new()).await.unwrap()
}

#[tokio::test]
async fn every_type_survives_append_merge_and_reading() {
    let lake = memory().await;
    for (mode, run) in
        [(Mode::Append, "r1"), (Mode::Append, "r2"), (Mode::Merge { keys: vec!["id".into(), "text".into(), "day".into()] }, "r3")]
    {
        lake.commit(Write::new(name("staging.t"), mode, every_type(&lake).await, Txn::new("step", run)).with_policy(SchemaPolicy::Evolve))
            .await
            .unwrap();
    }
    let schema = lake.table(&name("staging.t")).await.unwrap().unwrap().schema;
    assert_eq!(schema, storage_schema(&every_type(&lake).await.schema()).unwrap());
    let batches = lake.query("SELECT * FROM staging.t ORDER BY id", &Params::new()).await.unwrap();
    assert_eq!(batches[0].schema(), schema);
    insta::assert_snapshot!(pretty_format_batches(&batches).unwrap());
    let some = lake.query("SELECT id, reasons[1]['contribution'] AS c FROM staging.t WHERE at > TIMESTAMP '2023-10-01' AND money < 3 AND day <= DATE '2023-10-03' ORDER BY id", &Params::new()).await.unwrap();
    insta::assert_snapshot!(pretty_format_batches(&some).unwrap());
}

#[tokio::test]
async fn every_partition_type_can_be_overwritten_and_pruned() {
    let (_folder, lake) = local().await;
    for column in ["id", "small", "even", "day", "text"] {
        let table = TableName::new("parts", column);
        for run in ["r1", "r2"] {
            let write = Write::new(table.clone(), Mode::OverwritePartitions, every_type(&lake).await, Txn::new("step", run))
                .partitioned_by([column]);
            lake.commit(write).await.unwrap();
        }
        let other = Lake::open(lake.location(), LakeOptions::default()).await.unwrap();
        let info = other.table(&table).await.unwrap().unwrap();
        assert_eq!(info.rows, Some(3), "{column}");
        let sql = format!("SELECT count(*) AS n FROM parts.{column} WHERE {column} = (SELECT max({column}) FROM parts.{column})");
        assert!(pretty_format_batches(&other.query(&sql, &Params::new()).await.unwrap()).unwrap().to_string().contains("| 1 "), "{column}");
    }
}
