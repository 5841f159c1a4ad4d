//! Rows from the lake: the SQL that joins features with labels, and frames of what it gives.

use std::collections::BTreeMap;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type, Schema};
use chrono::NaiveDate;
use cscopilot_lake::{Lake, Params, SendableRecordBatchStream, TableName, Value};
use cscopilot_spec::{FeatureDictionary, Label, Model};
use polars::prelude::{Column, DataFrame, DataType as PolarsType};

use crate::data::dataset::{Dataset, Table, Times};
use crate::data::{bridge, row_columns, spine};
use crate::error::{Error, Result};

/// More categories than this a feature does not have.
const MOST_CATEGORIES: usize = 1000;

/// The column of accounts.
pub(crate) const ACCOUNT: &str = "account_id";

/// The columns that name a row of an account model, and that the features of any model have.
pub const KEYS: [&str; 2] = [ACCOUNT, "as_of"];

/// Checks that a table has the columns that name its rows, and the account's if `features`.
fn has_keys(schema: &Schema, table: &str, entity: Option<&str>, features: bool) -> Result<()> {
    let key = entity.unwrap_or(ACCOUNT);
    let wanted = [Some(key), Some("as_of"), Some(ACCOUNT).filter(|_| features)];
    match wanted.into_iter().flatten().find(|column| schema.field_with_name(column).is_err()) {
        None => Ok(()),
        Some(column) => Err(Error::NoKey { table: table.to_owned(), column: column.to_owned(), entity: key.to_owned() }),
    }
}

/// Whether a column of this type can be a feature.
pub fn is_feature_type(data_type: &DataType) -> bool {
    data_type.is_numeric() || matches!(data_type, DataType::Boolean)
}

/// Whether a column of this type can be a categorical feature.
pub fn is_category_type(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => is_category_type(value),
        _ => false,
    }
}

/// The model's features: numeric and boolean columns of the table that are not keys, not folds and not excluded, and that have one
/// of the wanted tags in the dictionary if the model names any, and the text columns that are listed as categorical, sorted by name.
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
        .filter(|f| !KEYS.contains(&f.name().as_str()) && model.sub_entity() != Some(f.name().as_str()))
        .filter(|f| {
            let name = f.name();
            let wanted = (set.include.is_empty() || listed(&set.include, name)) && tagged(name);
            let category = is_category_type(f.data_type()) && listed(&set.categorical, name);
            !listed(&set.exclude, name) && (category || is_feature_type(f.data_type()) && wanted)
        })
        .map(|f| f.name().clone())
        .filter(|name| fold != Some(name.as_str()))
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

/// Feature columns under short aliases, so that no feature's name can collide with a key's. Categorical ones stay text.
fn select_features(features: &[String], categorical: &[String]) -> String {
    let as_type = |name: &String| if categorical.contains(name) { "VARCHAR" } else { "DOUBLE" };
    features.iter().enumerate().map(|(i, name)| format!(", CAST(f.{} AS {}) AS f{i}", quoted(name), as_type(name))).collect()
}

/// The label's columns beside the event.
fn select_outcomes(label: &Label) -> String {
    let double = |column: &str, alias: &str| format!(", CAST(l.{} AS DOUBLE) AS {alias}", quoted(column));
    let amount = label.amount.as_ref().map(|a| double(a, "amount"));
    let survival = label
        .survival
        .as_ref()
        .map(|s| format!("{}, CAST(l.{} AS BOOLEAN) AS observed", double(&s.days, "days_to_event"), quoted(&s.observed)));
    amount.into_iter().chain(survival).collect()
}

/// The labelled rows up to a date.
///
/// A row counts only once its window is over by `as_of`, whatever the label's SQL says: what comes later isn't known yet. Rows
/// of accounts that are too young for the model are left out as well.
///
/// # Errors
/// [`Error::NoKey`] if a table lacks a column that names its rows, or the features their account.
pub async fn labelled(lake: &Lake, model: &Model, features: &[String], as_of: NaiveDate) -> Result<Dataset> {
    let label = &model.label;
    let entity = model.sub_entity();
    has_keys(&*schema_of(lake, &model.features.table).await?, &model.features.table, entity, true)?;
    has_keys(&*schema_of(lake, &label.table).await?, &label.table, entity, false)?;
    let key = quoted(entity.unwrap_or(ACCOUNT));
    let categorical: Vec<String> = model.features.categorical.iter().map(|c| c.value.clone()).collect();
    let sql = format!(
        "SELECT CAST(f.account_id AS VARCHAR) AS account, CAST(f.as_of AS DATE) AS day, \
                CASE WHEN CAST(f.as_of AS DATE) <= $last THEN CAST(l.{} AS BOOLEAN) END AS label{}{}{} \
         FROM {} AS f JOIN {} AS l ON l.{key} = f.{key} AND l.as_of = f.as_of \
         WHERE CAST(f.as_of AS DATE) <= $as_of \
         ORDER BY f.as_of, f.account_id{}",
        quoted(&label.column),
        select_features(features, &categorical),
        row_columns::select(model),
        select_outcomes(label),
        spine::rows(model)?,
        table_name(&label.table)?,
        // Rows of one account and date have an order as well.
        if entity.is_some() { format!(", f.{key}") } else { String::new() },
    );
    let last = as_of - chrono::Days::new(u64::from(model.window_days()));
    let params = Params::new().with("as_of", Value::Date(as_of)).with("last", Value::Date(last));
    let batches = lake.query(&sql, &params).await?;
    dataset(&batches, features, model, as_of)
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

/// The rows of one date, without labels and in no order: what they are about, its account if that is something else, then the features.
///
/// # Errors
/// [`Error::NoKey`] if the table lacks a column that names its rows, or their account.
pub async fn unlabelled(
    lake: &Lake,
    table: &str,
    entity: Option<&str>,
    features: &[String],
    categorical: &[String],
    as_of: NaiveDate,
) -> Result<SendableRecordBatchStream> {
    has_keys(&*schema_of(lake, table).await?, table, entity, true)?;
    let sql = format!(
        "SELECT {}CAST(f.account_id AS VARCHAR) AS account{} FROM {} AS f WHERE CAST(f.as_of AS DATE) = $as_of",
        entity.map_or_else(String::new, |column| format!("CAST(f.{} AS VARCHAR) AS entity, ", quoted(column))),
        select_features(features, categorical),
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
    let mut categories = Vec::with_capacity(features.len());
    for i in 0..features.len() {
        let column = if df.height() == 0 { None } else { Some(df.column(&format!("f{i}"))?) };
        let (values, labels) = match column {
            None => (Vec::new(), None),
            Some(column) if column.dtype() == &PolarsType::Float64 => (numbers(column)?, None),
            Some(column) => {
                let (codes, labels) = codes(column)?;
                (codes, Some(labels))
            }
        };
        columns.push(values);
        categories.push(labels);
    }
    Ok(Table { features: features.to_vec(), columns, rows: df.height(), categories })
}

/// Infinity comes from divisions and says no more than that there is no value.
fn numbers(column: &Column) -> Result<Vec<f64>> {
    Ok(column.f64()?.iter().map(|x| x.filter(|x| x.is_finite()).unwrap_or(f64::NAN)).collect())
}

/// Texts as codes: the place of each in the sorted list of those that occur.
fn codes(column: &Column) -> Result<(Vec<f64>, Vec<String>)> {
    let texts = column.cast(&PolarsType::String)?;
    let texts = texts.str()?;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for text in texts.iter().flatten() {
        *counts.entry(text).or_default() += 1;
    }
    // What has a different text in nearly every row says nothing in general: beyond the most frequent ones, texts count as missing.
    let mut frequent: Vec<(&str, usize)> = counts.into_iter().collect();
    frequent.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    frequent.truncate(MOST_CATEGORIES);
    let mut labels: Vec<&str> = frequent.into_iter().map(|(text, _)| text).collect();
    labels.sort_unstable();
    let code = |text: &str| labels.binary_search(&text).map_or(f64::NAN, |code| code as f64);
    let codes = texts.iter().map(|text| text.map_or(f64::NAN, code)).collect();
    Ok((codes, labels.into_iter().map(str::to_owned).collect()))
}

fn dataset(batches: &[RecordBatch], features: &[String], model: &Model, as_of: NaiveDate) -> Result<Dataset> {
    let df = bridge::frame(batches)?;
    if df.height() == 0 {
        return Ok(Dataset { table: columns(&df, features)?, ..Dataset::default() });
    }
    let known = df.column("label")?.bool()?.is_not_null();
    let censored = df.height() - known.sum().unwrap_or(0) as usize;
    let all = df.filter(&known)?;
    let labelled = row_columns::old_enough(all.clone(), model)?;
    let mut data = keyed(&labelled, features, "label")?;
    data.censored = censored;
    data.too_young = all.height() - labelled.height();
    data.weights = row_columns::weights(&labelled, model)?;
    data.tenure_days = row_columns::tenure_days(&labelled, model)?;
    data.segments = row_columns::segments(&labelled, model)?;
    data.folds = row_columns::folds(&labelled, model)?;
    data.amounts = labelled.column("amount").ok().map(numbers).transpose()?;
    if let Ok(days) = df.column("days_to_event") {
        let df = row_columns::old_enough(df.filter(&days.f64()?.is_not_null())?, model)?;
        let mut rows = keyed(&df, features, "observed")?;
        // One set of codes for both.
        rows.table = rows.table.coded_as(&data.table.categories);
        let mut times = Times { rows, days: numbers(df.column("days_to_event")?)? };
        let seen = times.known_by(as_of);
        (times.days, times.rows.events) = (seen.days, seen.observed);
        data.times = Some(Box::new(times));
    }
    Ok(data)
}

/// Features, dates, accounts and one boolean column.
fn keyed(df: &DataFrame, features: &[String], event: &str) -> Result<Dataset> {
    let events = df.column(event)?.bool()?.iter().map(|e| e == Some(true)).collect();
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
    Ok(Dataset { table: columns(df, features)?, events, dates, accounts, ..Dataset::default() })
}

fn date_of_day(day: i32) -> Option<NaiveDate> {
    NaiveDate::from_epoch_days(day)
}
