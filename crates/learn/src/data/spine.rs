//! Which rows of the features table are learned from, as SQL.

use cscopilot_spec::{Model, Spine};

use crate::data::frame::{quoted, table_name};
use crate::error::Result;

/// What stands behind FROM: the features table, or the part of it that the model's spine names. `$as_of` is bound by the query.
pub(super) fn rows(model: &Model) -> Result<String> {
    let table = table_name(&model.features.table)?;
    Ok(match &model.spine {
        None => table.to_string(),
        Some(Spine::MonthEnds { months }) => format!(
            "(SELECT * FROM {table} WHERE extract(DAY FROM CAST(as_of AS DATE) + INTERVAL '1' DAY) = 1 \
              AND CAST(as_of AS DATE) > CAST($as_of AS DATE) - INTERVAL '{months}' MONTH)"
        ),
        Some(Spine::Renewals { column, days_before }) => {
            let (column, key) = (quoted(column), quoted(&model.entity));
            format!(
                "(SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY {key}, {column} ORDER BY as_of DESC) AS \"row before renewal\" \
                  FROM {table} WHERE CAST(as_of AS DATE) <= CAST({column} AS DATE) - INTERVAL '{days_before}' DAY) \
                  WHERE \"row before renewal\" = 1)"
            )
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, BooleanArray, Date32Array, Int64Array, RecordBatch, StringArray};
    use chrono::NaiveDate;
    use cscopilot_lake::{Lake, LakeOptions, Mode, Txn, Write, stream_of_batches};

    use crate::data::frame;

    fn day(text: &str) -> i32 {
        text.parse::<NaiveDate>().unwrap().to_epoch_days()
    }

    /// A lake with one row per evening, and the evenings that a model with this spine learns from.
    async fn evenings(spine: &str) -> Vec<String> {
        let rows = [
            ("a", "2025-01-31", Some("2025-06-30")),
            ("a", "2025-03-15", Some("2025-06-30")),
            ("a", "2025-03-31", Some("2025-06-30")),
            ("a", "2025-04-30", Some("2025-06-30")),
            ("a", "2025-07-31", Some("2026-06-30")),
            ("b", "2025-04-30", None),
        ];
        let ids: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.0)));
        let days: ArrayRef = Arc::new(Date32Array::from_iter_values(rows.iter().map(|r| day(r.1))));
        let renewals: ArrayRef = Arc::new(Date32Array::from_iter(rows.iter().map(|r| r.2.map(day))));
        let seats: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows.len() as i64));
        let label: ArrayRef = Arc::new(BooleanArray::from(vec![false; rows.len()]));
        let features = RecordBatch::try_from_iter([
            ("account_id", ids.clone()),
            ("as_of", days.clone()),
            ("renewal_date", renewals),
            ("seats", seats),
        ]);
        let labels = RecordBatch::try_from_iter([("account_id", ids), ("as_of", days), ("churned", label)]);
        let lake = Lake::open("memory://", LakeOptions::default()).await.unwrap();
        for (table, batch) in [("features.t", features.unwrap()), ("labels.churn", labels.unwrap())] {
            let data = stream_of_batches(batch.schema(), vec![batch]);
            lake.commit(Write::new(table.parse().unwrap(), Mode::Overwrite, data, Txn::new(table, "setup"))).await.unwrap();
        }
        let yaml = format!(
            "version: 1\nlabel: {{table: labels.churn, column: churned, horizon_days: 28}}\nfeatures: {{table: features.t}}\n{spine}"
        );
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("configs/models")).unwrap();
        std::fs::write(folder.path().join("cscopilot.yaml"), "version: 1\nname: t\nlake: lake\n").unwrap();
        std::fs::write(folder.path().join("configs/models/churn.yaml"), yaml).unwrap();
        let project = cscopilot_spec::Project::load(folder.path(), &cscopilot_spec::LoadOptions::default()).unwrap();
        let tonight = NaiveDate::from_ymd_opt(2026, 1, 10).unwrap();
        let data = frame::labelled(&lake, &project.models["churn"].value, &["seats".to_owned()], tonight).await.unwrap();
        (0..data.len()).map(|r| format!("{} {}", ["a", "b"][data.accounts[r] as usize], data.dates[r])).collect()
    }

    #[tokio::test]
    async fn month_ends_leave_out_other_days_and_long_ago() {
        let all = evenings("").await;
        assert_eq!(all.len(), 6);
        let recent = evenings("spine: {month_ends: {months: 10}}\n").await;
        assert_eq!(recent, ["a 2025-03-31", "a 2025-04-30", "b 2025-04-30", "a 2025-07-31"]);
    }

    #[tokio::test]
    async fn each_renewal_is_learned_from_once_as_far_ahead_as_it_will_be_asked() {
        let asked = evenings("spine: {renewals: {column: renewal_date, days_before: 90}}\n").await;
        assert_eq!(asked, ["a 2025-03-31", "a 2025-07-31"]);
    }
}
