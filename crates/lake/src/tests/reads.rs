use arrow::datatypes::DataType;
use chrono::NaiveDate;

use crate::testing::*;
use crate::*;

#[tokio::test]
async fn a_session_sees_every_table_as_it_first_was() {
    let lake = memory().await;
    lake.commit(write(Mode::Append, &[(1, "a", 1)], "r1")).await.unwrap();
    let session = lake.session();
    let count = async |session: &Session| {
        let batches = session.query("SELECT count(*) FROM staging.t", &Params::new()).await.unwrap();
        arrow::util::display::array_value_to_string(batches[0].column(0), 0).unwrap()
    };
    assert_eq!(count(&session).await, "1");
    lake.commit(write(Mode::Append, &[(2, "a", 2)], "r2")).await.unwrap();
    assert_eq!(count(&session).await, "1");
    assert_eq!(session.pinned_versions(), [(name("staging.t"), 0)].into());
    assert_eq!(count(&lake.session()).await, "2");
}

#[tokio::test]
async fn parameters_are_values_of_their_type_not_text() {
    let lake = memory().await;
    lake.commit(write(Mode::Append, &[(1, "x' OR '1'='1", 1), (2, "b", 2)], "r1")).await.unwrap();
    let params = Params::new()
        .with("name", "x' OR '1'='1")
        .with("as_of", NaiveDate::from_ymd_opt(2023, 10, 1).unwrap())
        .with("n", 2)
        .with("rate", 0.5)
        .with("on", true);
    let sql = "SELECT id, $as_of - INTERVAL '1 day' AS before, $n * $rate AS half, $on AS yes FROM staging.t WHERE part = $name LIMIT $n";
    let batches = lake.query(sql, &params).await.unwrap();
    insta::assert_snapshot!(arrow::util::pretty::pretty_format_batches(&batches).unwrap());
    let missing = lake.query("SELECT $asof", &params).await.unwrap_err();
    insta::assert_snapshot!(missing, @"there is no parameter `$asof` (line 1, column 8)");
}

#[tokio::test]
async fn only_files_that_may_match_are_scanned() {
    let lake = memory().await;
    let data: Vec<_> = (0..6).map(|i| (i, ["a", "b", "c"][i as usize % 3], i)).collect();
    lake.commit(write(Mode::Append, &data, "r1").partitioned_by(["part"])).await.unwrap();
    let session = lake.session();
    let plan = async |filter: &str| {
        let frame = session.sql(&format!("SELECT value FROM staging.t WHERE {filter}"), &Params::new()).await.unwrap();
        let plan = frame.create_physical_plan().await.unwrap();
        datafusion::physical_plan::displayable(plan.as_ref()).indent(false).to_string().matches(".parquet").count()
    };
    assert_eq!(plan("true").await, 3);
    assert_eq!(plan("part = 'b'").await, 1);
    assert_eq!(plan("part IN ('a', 'c') AND id > 3").await, 1);
    assert_eq!(plan("id = 77").await, 0);
}

#[tokio::test]
async fn counts_and_bounds_come_from_the_log() {
    let lake = memory().await;
    lake.commit(write(Mode::Append, &[(1, "a", 1), (9, "b", 2)], "r1")).await.unwrap();
    let session = lake.session();
    let frame = session.sql("SELECT count(*) AS n, min(id) AS low, max(id) AS high FROM staging.t", &Params::new()).await.unwrap();
    let plan = frame.clone().create_physical_plan().await.unwrap();
    let text = datafusion::physical_plan::displayable(plan.as_ref()).indent(false).to_string();
    assert!(!text.contains(".parquet"), "{text}");
    insta::assert_snapshot!(arrow::util::pretty::pretty_format_batches(&frame.collect().await.unwrap()).unwrap());
}

#[tokio::test]
async fn views_are_planned_when_they_are_read() {
    let lake = memory().await;
    lake.commit(write(Mode::Append, &[(1, "a", 1), (2, "b", 2)], "r1")).await.unwrap();
    lake.put_view(&View::new(
        name("staging.big"),
        "SELECT id, value * 2 AS twice FROM staging.t WHERE id >= $least",
        Params::new().with("least", 2),
    ))
    .await
    .unwrap();
    lake.put_view(&View::new(name("marts.over"), "SELECT sum(twice) AS total FROM staging.big", Params::new())).await.unwrap();
    lake.commit(write(Mode::Append, &[(3, "c", 3)], "r2")).await.unwrap();
    insta::assert_snapshot!(table(&lake, "SELECT * FROM marts.over").await, @r"
    +-------+
    | total |
    +-------+
    | 10    |
    +-------+
    ");
    let names: Vec<_> = lake.tables().await.unwrap().iter().map(|t| (t.name.to_string(), t.kind)).collect();
    assert_eq!(
        names,
        [("marts.over".into(), TableKind::View), ("staging.big".into(), TableKind::View), ("staging.t".into(), TableKind::Table)]
    );
    lake.put_view(&View::new(name("marts.a"), "SELECT * FROM marts.b", Params::new())).await.unwrap();
    lake.put_view(&View::new(name("marts.b"), "SELECT * FROM marts.a", Params::new())).await.unwrap();
    let error = lake.query("SELECT * FROM marts.a", &Params::new()).await.unwrap_err();
    assert!(error.to_string().contains("needs itself"), "{error}");
}

#[tokio::test]
async fn what_a_session_registers_hides_the_lake() {
    let lake = memory().await;
    lake.commit(write(Mode::Append, &[(1, "a", 1)], "r1")).await.unwrap();
    let session = lake.session();
    session.register_batches(&name("staging.t"), columns(), vec![rows(&[(7, "z", 7)])]).unwrap();
    session.register_view(&name("staging.v"), "SELECT id + 1 AS more FROM staging.t", &Params::new()).await.unwrap();
    let batches = session.query("SELECT more FROM staging.v", &Params::new()).await.unwrap();
    insta::assert_snapshot!(arrow::util::pretty::pretty_format_batches(&batches).unwrap());
    assert_eq!(session.table_schema(&name("staging.v")).await.unwrap().unwrap().field(0).data_type(), &DataType::Int64);
    assert_eq!(read(&lake).await.len(), 1);
}

#[tokio::test]
async fn wrong_names_are_answered_with_the_right_ones() {
    let lake = memory().await;
    lake.commit(write(Mode::Append, &[(1, "a", 1)], "r1")).await.unwrap();
    let mut said = vec![];
    for sql in ["SELECT * FROM staging.tt", "SELECT * FROM t", "SELECT vallue FROM staging.t", "DELETE FROM staging.t"] {
        let Error::Sql(error) = lake.query(sql, &Params::new()).await.unwrap_err() else { panic!("{sql}") };
        said.push(format!("{error} [{}]", error.help.clone().unwrap_or_default()));
    }
    insta::assert_snapshot!(said.join("\n"));
}

#[tokio::test]
async fn tables_of_other_programs_can_be_read_but_not_changed() {
    use deltalake::protocol::SaveMode;
    let (_folder, lake) = local().await;
    let folder = lake.local_root().unwrap().join("tables/staging/t");
    std::fs::create_dir_all(&folder).unwrap();
    let url = url::Url::from_directory_path(&folder).unwrap();
    let table = deltalake::DeltaTable::try_from_url(url).await.unwrap();
    table.write(vec![rows(&[(1, "a", 1), (2, "b", 2)])]).with_save_mode(SaveMode::Append).with_partition_columns(["part"]).await.unwrap();
    assert_eq!(read(&lake).await, [(1, "a".into(), 1), (2, "b".into(), 2)]);
    let error = lake.commit(write(Mode::Append, &[(3, "c", 3)], "r1")).await.unwrap_err();
    assert!(error.to_string().contains("made by another program"), "{error}");
}

#[tokio::test]
async fn delta_itself_reads_what_we_write() {
    let (_folder, lake) = local().await;
    lake.commit(write(Mode::Append, &[(1, "a", 1), (2, "b", 2)], "r1").partitioned_by(["part"])).await.unwrap();
    lake.commit(write(merge_by_id(), &[(2, "c", 3)], "r2")).await.unwrap();
    let url = url::Url::from_directory_path(lake.local_root().unwrap().join("tables/staging/t")).unwrap();
    let table = deltalake::open_table(url).await.unwrap();
    let context = datafusion::prelude::SessionContext::new();
    table.update_datafusion_session(&context.state()).unwrap();
    context.register_table("t", table.table_provider().await.unwrap()).unwrap();
    let batches = context.sql("SELECT id, part, value FROM t WHERE part <> 'z' ORDER BY id").await.unwrap().collect().await.unwrap();
    insta::assert_snapshot!(arrow::util::pretty::pretty_format_batches(&batches).unwrap());
}

#[tokio::test]
async fn objects_stay_in_their_folders() {
    let (_folder, lake) = local().await;
    let objects = lake.objects();
    assert!(objects.put_if_absent("runs/r1/plan.json", "one").await.unwrap());
    assert!(!objects.put_if_absent("runs/r1/plan.json", "two").await.unwrap());
    objects.put_json("state/x.json", &[1, 2]).await.unwrap();
    assert_eq!(objects.get_json::<Vec<i32>>("state/x.json").await.unwrap(), Some(vec![1, 2]));
    assert_eq!(objects.get("runs/r1/plan.json").await.unwrap().as_deref(), Some(&b"one"[..]));
    assert_eq!(objects.get("runs/none").await.unwrap(), None);
    objects.copy("runs/r1/plan.json", "runs/r2/plan.json").await.unwrap();
    assert_eq!(objects.folders("runs").await.unwrap(), ["r1", "r2"]);
    assert_eq!(objects.list("runs").await.unwrap().len(), 2);
    assert!(objects.local_path("runs/r1/plan.json").unwrap().unwrap().is_file());
    objects.delete_folder("runs/r1").await.unwrap();
    assert!(!objects.exists("runs/r1/plan.json").await.unwrap());
    for bad in ["tables/x", "../x", "/etc/passwd", "", "views/a/b.json"] {
        assert!(matches!(objects.get(bad).await, Err(Error::BadPath { .. })), "{bad}");
    }
}
