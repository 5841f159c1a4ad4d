//! Rows from the lake: the SQL that joins features with labels, and frames of what it gives.

use std::collections::BTreeMap;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type, Schema};
use chrono::NaiveDate;
use cscopilot_lake::{Lake, Params, SendableRecordBatchStream, TableName, Value};
use cscopilot_spec::{FeatureDictionary, Model};
use polars::prelude::{DataFrame, DataType as PolarsType};

use crate::data::dataset::{Dataset, Table};
use crate::data::{bridge, row_columns, spine};
use crate::error::{Error, Result};

/// The columns that name a row.
pub const KEYS: [&str; 2] = ["account_id", "as_of"];

/// Whether a column of this type can be a feature.
pub fn is_feature_type(data_type: &DataType) -> bool {
    data_type.is_numeric() || matches!(data_type, DataType::Boolean)
}

/// The model's features: numeric and boolean columns of the table that are not keys, not folds and not excluded, and that have one
/// of the wanted tags in the dictionary if the model names any, sorted by name.
///
/// Sorted, because a table that gained a column has it last, and the same table made anew has it where the SQL says.
pub fn features_of(model: &Model, schema: &Schema, dictionary: Option<&FeatureDictionary>) -> Vec<String> {
    let listed = |list: &[cscopilot_spec::At<String>], name: &str| list.iter().any(|c| c.value == name);
    let set = &model.features;
    let tagged = |name: &str| {
        let tags = dictionary.and_then(|d| d.features.get(name)).map_or(&[][..], |words| &words.tags);
        set.tags.is_empty() || tags.iter().any(|tag| listed(&set.tags, &tag.value))
    };
    let fold = model.split.cross_validation.as_ref().map(|c| c.fold_column.value.as_str());
    let mut names: Vec<String> = schema
        .fields()
        .iter()
        .filter(|f| is_feature_type(f.data_type()) && !KEYS.contains(&f.name().as_str()))
        .map(|f| f.name().clone())
        .filter(|name| fold != Some(name.as_str()))
        .filter(|name| !listed(&set.exclude, name) && (set.include.is_empty() || listed(&set.include, name)) && tagged(name))
        .collect();
    names.sort();
    names
}

/// A table's name, parsed.
pub fn table_name(text: &str) -> Result<TableName> {
    Ok(text.parse()?)
}

/// The schema of a table that must be in the lake.
pub async fn schema_of(lake: &Lake, table: &str) -> Result<arrow::datatypes::SchemaRef> {
    let info = lake.table(&table_name(table)?).await?;
    info.map(|i| i.schema).ok_or_else(|| Error::NoTable(table.to_owned()))
}

pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Feature columns under short aliases, so that no feature's name can collide with a key's.
fn select_features(features: &[String]) -> String {
    features.iter().enumerate().map(|(i, name)| format!(", CAST(f.{} AS DOUBLE) AS f{i}", quoted(name))).collect()
}

/// The labelled rows up to a date.
///
/// A row counts only once its window is over by `as_of`, whatever the label's SQL says: what comes later isn't known yet. Rows
/// of accounts that are too young for the model are left out as well.
pub async fn labelled(lake: &Lake, model: &Model, features: &[String], as_of: NaiveDate) -> Result<Dataset> {
    let label = &model.label;
    let sql = format!(
        "SELECT CAST(f.account_id AS VARCHAR) AS account, CAST(f.as_of AS DATE) AS day, \
                CASE WHEN CAST(f.as_of AS DATE) <= $last THEN CAST(l.{} AS BOOLEAN) END AS label{}{} \
         FROM {} AS f JOIN {} AS l ON l.account_id = f.account_id AND l.as_of = f.as_of \
         WHERE CAST(f.as_of AS DATE) <= $as_of \
         ORDER BY f.as_of, f.account_id",
        quoted(&label.column),
        select_features(features),
        row_columns::select(model),
        spine::rows(model)?,
        table_name(&label.table)?,
    );
    let last = as_of - chrono::Days::new(u64::from(model.window_days()));
    let params = Params::new().with("as_of", Value::Date(as_of)).with("last", Value::Date(last));
    let batches = lake.query(&sql, &params).await?;
    dataset(&batches, features, model)
}

/// How many rows have their label since the last ones that a model learned from, and how many of them have the event.
pub async fn labels_since(lake: &Lake, model: &Model, after: NaiveDate, as_of: NaiveDate) -> Result<(u64, u64)> {
    let sql = format!(
        "SELECT count(*) AS known, count(*) FILTER (WHERE label) AS happened FROM (SELECT CAST({} AS BOOLEAN) AS label FROM {} \
         WHERE CAST(as_of AS DATE) > $after AND CAST(as_of AS DATE) <= $last) WHERE label IS NOT NULL",
        quoted(&model.label.column),
        table_name(&model.label.table)?,
    );
    let last = as_of - chrono::Days::new(u64::from(model.window_days()));
    let params = Params::new().with("after", Value::Date(after)).with("last", Value::Date(last));
    let counts = lake.query(&sql, &params).await?;
    let count = |at: usize| counts.iter().map(|b| b.column(at).as_primitive::<Int64Type>().values().iter().sum::<i64>()).sum::<i64>();
    Ok((count(0).unsigned_abs(), count(1).unsigned_abs()))
}

/// The rows of one date, without labels and in no order: account, then the features.
pub async fn unlabelled(lake: &Lake, table: &str, features: &[String], as_of: NaiveDate) -> Result<SendableRecordBatchStream> {
    let sql = format!(
        "SELECT CAST(f.account_id AS VARCHAR) AS account{} FROM {} AS f WHERE CAST(f.as_of AS DATE) = $as_of",
        select_features(features),
        table_name(table)?,
    );
    Ok(lake.stream(&sql, &Params::new().with("as_of", Value::Date(as_of))).await?)
}

/// The features of batches whose feature columns have the short aliases.
pub fn table(batches: &[RecordBatch], features: &[String]) -> Result<Table> {
    columns(&bridge::frame(batches)?, features)
}

fn columns(df: &DataFrame, features: &[String]) -> Result<Table> {
    let mut columns = Vec::with_capacity(features.len());
    for i in 0..features.len() {
        if df.height() == 0 {
            columns.push(Vec::new());
            continue;
        }
        let values = df.column(&format!("f{i}"))?.f64()?;
        // Infinity comes from divisions and says no more than that there is no value.
        columns.push(values.iter().map(|x| x.filter(|x| x.is_finite()).unwrap_or(f64::NAN)).collect());
    }
    Ok(Table { features: features.to_vec(), columns, rows: df.height() })
}

fn dataset(batches: &[RecordBatch], features: &[String], model: &Model) -> Result<Dataset> {
    let df = bridge::frame(batches)?;
    if df.height() == 0 {
        return Ok(Dataset { table: columns(&df, features)?, ..Dataset::default() });
    }
    let known = df.column("label")?.bool()?.is_not_null();
    let censored = df.height() - known.sum().unwrap_or(0) as usize;
    let df = df.filter(&known)?;
    let labelled = df.height();
    let df = row_columns::old_enough(df, model)?;
    let too_young = labelled - df.height();
    let events = df.column("label")?.bool()?.iter().map(|e| e == Some(true)).collect();
    let days = df.column("day")?.cast(&PolarsType::Int32)?;
    let dates = days.i32()?.iter().map(|d| d.and_then(date_of_day).unwrap_or_default()).collect();
    let names = df.column("account")?.cast(&PolarsType::String)?;
    let names: Vec<&str> = names.str()?.iter().map(Option::unwrap_or_default).collect();
    let index: BTreeMap<&str, u32> = {
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        sorted.into_iter().enumerate().map(|(i, name)| (name, i as u32)).collect()
    };
    let accounts = names.iter().map(|n| index.get(n).copied().unwrap_or_default()).collect();
    let (weights, tenure_days) = (row_columns::weights(&df, model)?, row_columns::tenure_days(&df, model)?);
    let (segments, folds) = (row_columns::segments(&df, model)?, row_columns::folds(&df, model)?);
    let table = columns(&df, features)?;
    Ok(Dataset { table, events, dates, accounts, censored, weights, segments, tenure_days, folds, too_young })
}

fn date_of_day(day: i32) -> Option<NaiveDate> {
    NaiveDate::from_epoch_days(day)
}
