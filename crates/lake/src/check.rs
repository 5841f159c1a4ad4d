//! Checking SQL against declared columns: everything but the rows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use arrow::datatypes::SchemaRef;
use datafusion::datasource::ViewTable;
use datafusion::datasource::empty::EmptyTable;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::SessionContext;

use crate::catalog::{CATALOG, LakeCatalog};
use crate::schema::lenient_schema;
use crate::session::{config, plan_sql};
use crate::sql_error::SqlError;
use crate::{Params, TableName, udf};

/// Plans a query over tables with these columns, types included, and gives the columns of its result as a table would hold them. No
/// data, no network; parameters are needed because their types matter.
///
/// # Errors
/// What is wrong, where in the text, and what may have been meant.
pub fn check_sql(sql: &str, tables: &BTreeMap<TableName, SchemaRef>, params: &Params) -> Result<SchemaRef, SqlError> {
    check_sql_with_views(sql, tables, &BTreeMap::new(), params)
}

/// Like [`check_sql`], where some names are views: SQL over the tables (not over each other).
pub fn check_sql_with_views(
    sql: &str,
    tables: &BTreeMap<TableName, SchemaRef>,
    views: &BTreeMap<TableName, String>,
    params: &Params,
) -> Result<SchemaRef, SqlError> {
    let state = SessionStateBuilder::new().with_config(config(1)).with_default_features().build();
    let context = SessionContext::new_with_state(state);
    udf::register(&context);
    let catalog = LakeCatalog::new(None);
    for (name, schema) in tables {
        catalog.register(name.clone(), Arc::new(EmptyTable::new(Arc::clone(schema))));
    }
    context.register_catalog(CATALOG, Arc::clone(&catalog) as _);
    let names = || tables.keys().chain(views.keys()).cloned().collect::<Vec<_>>();
    let work = async {
        for (name, view) in views {
            let plan = plan_sql(&context.state(), view, params).await.map_err(|e| SqlError::from_planning(view, &e, &names()))?;
            catalog.register(name.clone(), Arc::new(ViewTable::new(plan, Some(view.clone()))));
        }
        let state = context.state();
        let located = |e| SqlError::from_planning(sql, &e, &names());
        let plan = plan_sql(&state, sql, params).await.map_err(located)?;
        // Some mistakes show only when types are coerced or subqueries are turned into joins, so plan to the end.
        let physical = state.create_physical_plan(&plan).await.map_err(located)?;
        Ok(lenient_schema(&physical.schema()))
    };
    // Called within a task, planning would use up the budget that tokio gives to it, and then wait for ever for a new one.
    run_to_end(tokio::task::unconstrained(work))
}

/// Planning over empty tables in memory waits for nothing, so it needs no runtime and may be called from anywhere.
fn run_to_end<T>(work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match work.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::yield_now(),
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field, Schema};
    use chrono::NaiveDate;

    use super::*;

    fn tables() -> BTreeMap<TableName, SchemaRef> {
        let schema = |fields: &[(&str, DataType)]| {
            Arc::new(Schema::new(fields.iter().map(|(n, t)| Field::new(*n, t.clone(), true)).collect::<Vec<_>>()))
        };
        BTreeMap::from([
            (
                TableName::new("raw", "crm__accounts"),
                schema(&[("account_id", DataType::Utf8), ("seats", DataType::Int64), ("arr", DataType::Decimal128(18, 2))]),
            ),
            (TableName::new("raw", "events"), schema(&[("account_id", DataType::Utf8), ("day", DataType::Date32), ("n", DataType::Int64)])),
        ])
    }

    fn params() -> Params {
        Params::new().with("as_of", NaiveDate::from_ymd_opt(2023, 10, 1).unwrap())
    }

    fn check(sql: &str) -> Result<String, SqlError> {
        let schema = check_sql(sql, &tables(), &params())?;
        Ok(schema.fields().iter().map(|f| format!("{}: {}", f.name(), f.data_type())).collect::<Vec<_>>().join(", "))
    }

    fn refusal(sql: &str) -> String {
        let error = check(sql).unwrap_err();
        format!("{}:{} {} [{}]", error.line, error.column, error.message, error.help.unwrap_or_default())
    }

    #[test]
    fn a_result_has_the_types_that_a_table_would_hold() {
        let sql = "SELECT a.account_id, sum(n) AS n, max(day) AS last_day, $as_of - max(day) AS idle, arr * 2 AS arr2, date_trunc('month', $as_of) AS month,
            row_number() OVER (ORDER BY a.account_id) AS rank, now() AS at, 'x' AS label
            FROM raw.crm__accounts a JOIN raw.events e USING (account_id) WHERE e.day <= $as_of AND e.day > $as_of - INTERVAL '28 days'
            GROUP BY a.account_id, arr";
        insta::assert_snapshot!(check(sql).unwrap());
    }

    #[test]
    fn mistakes_are_found_at_their_place() {
        let mistakes = [
            "SELECT acount_id\nFROM raw.crm__accounts",
            "SELECT a.seat FROM raw.crm__accounts a",
            "SELECT 1 FROM\n  raw.crm_accounts",
            "SELECT * FROM events",
            "SELECT sume(seats) FROM raw.crm__accounts",
            "SELECT account_id, sum(seats) FROM raw.crm__accounts",
            "SELECT seats FROM raw.crm__accounts WHERE account_id + 1",
            "SELECT seats FROM raw.crm__accounts WHERE day > $asof",
            "SELECT FROM WHERE",
            "SELECT 'open FROM raw.events",
            "SELECT 1;\nSELECT 2",
            "DROP TABLE raw.events",
            "SELECT account_id FROM raw.crm__accounts JOIN raw.events ON true",
            "SELECT lower(seats, arr) FROM raw.crm__accounts",
            "SELECT day - 'x' FROM raw.events",
            "SELECT arr AND true FROM raw.crm__accounts",
            "",
        ];
        let found: Vec<String> = mistakes.iter().map(|sql| format!("{sql:?}\n    {}", refusal(sql))).collect();
        insta::assert_snapshot!(found.join("\n"));
    }

    #[test]
    fn views_are_checked_with_what_uses_them() {
        let views =
            BTreeMap::from([(TableName::new("staging", "v"), "SELECT account_id, seats + 1 AS more FROM raw.crm__accounts".to_owned())]);
        let schema = check_sql_with_views("SELECT more FROM staging.v", &tables(), &views, &params()).unwrap();
        assert_eq!(schema.field(0).data_type(), &DataType::Int64);
    }
}
