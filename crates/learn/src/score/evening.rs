//! The rows of one evening: every account's feature values, in the order of the account ids.
//!
//! Rows are taken as the lake streams them and put in order here: sorting an index of the ids costs a fraction of the memory that
//! sorting whole rows does, which counts with a million accounts.

use arrow::array::{Array, AsArray, StringArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use chrono::NaiveDate;
use cscopilot_lake::Lake;
use futures::TryStreamExt;

use crate::data::dataset::Table;
use crate::data::frame;
use crate::error::{Error, Result};
use crate::registry::FeatureList;

/// Accounts with their feature values.
#[derive(Debug, Clone)]
pub(crate) struct Evening {
    /// The account ids, sorted.
    pub(crate) accounts: StringArray,
    /// Their features.
    pub(crate) table: Table,
}

impl Evening {
    /// The rows of a date for a version of a model, whose columns must all be there.
    pub(crate) async fn read(lake: &Lake, name: &str, version: i64, features: &FeatureList, as_of: NaiveDate) -> Result<Self> {
        let missing = absent(lake, features).await?;
        if !missing.is_empty() {
            let missing = missing.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
            return Err(Error::MissingFeatures { model: name.to_owned(), version, missing, table: features.table.clone() });
        }
        read(lake, &features.table, features.names(), as_of).await
    }

    /// The same, but a column that is gone has no values.
    pub(crate) async fn read_what_is_left(lake: &Lake, features: &FeatureList, as_of: NaiveDate) -> Result<Self> {
        let missing = absent(lake, features).await?;
        let (names, mut left) = (features.names(), features.names());
        left.retain(|name| !missing.contains(name));
        let mut evening = read(lake, &features.table, left, as_of).await?;
        let rows = evening.table.rows;
        for (at, name) in names.iter().enumerate() {
            if missing.contains(name) {
                evening.table.columns.insert(at, vec![f64::NAN; rows]);
            }
        }
        evening.table.features = names;
        Ok(evening)
    }

    /// The rows of these accounts; one that isn't here has no values.
    pub(crate) fn in_order_of(self, accounts: &StringArray) -> Self {
        if self.accounts == *accounts {
            return self;
        }
        let rows: Vec<Option<usize>> = (0..accounts.len()).map(|row| self.row_of(accounts.value(row))).collect();
        let columns = (self.table.columns.iter()).map(|column| rows.iter().map(|row| row.map_or(f64::NAN, |row| column[row])).collect());
        let table = Table { columns: columns.collect(), features: self.table.features.clone(), rows: rows.len() };
        Self { accounts: accounts.clone(), table }
    }

    /// Number of accounts.
    pub(crate) fn len(&self) -> usize {
        self.accounts.len()
    }

    /// The row of an account.
    pub(crate) fn row_of(&self, account: &str) -> Option<usize> {
        let at = partition_point(self.len(), |row| self.accounts.value(row) < account);
        (at < self.len() && self.accounts.value(at) == account).then_some(at)
    }
}

fn partition_point(len: usize, below: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low.midpoint(high);
        if below(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

/// Features that the table doesn't have, or not as numbers.
async fn absent(lake: &Lake, features: &FeatureList) -> Result<Vec<String>> {
    let schema = frame::schema_of(lake, &features.table).await?;
    let usable = |name: &String| schema.field_with_name(name).is_ok_and(|f| frame::is_feature_type(f.data_type()));
    Ok(features.names().into_iter().filter(|name| !usable(name)).collect())
}

async fn read(lake: &Lake, table: &str, names: Vec<String>, as_of: NaiveDate) -> Result<Evening> {
    let mut stream = frame::unlabelled(lake, table, &names, as_of).await?;
    let mut ids = StringBuilder::new();
    let mut columns: Vec<Vec<f64>> = vec![Vec::new(); names.len()];
    while let Some(batch) = stream.try_next().await.map_err(|e| cscopilot_lake::Error::Query(Box::new(e)))? {
        let accounts = cast(batch.column(0), &DataType::Utf8)?;
        ids.append_array(accounts.as_string::<i32>())?;
        let part = frame::table(&[batch], &names)?;
        for (column, more) in columns.iter_mut().zip(part.columns) {
            column.extend(more);
        }
    }
    let (ids, columns) = sorted(ids.finish(), columns);
    Ok(Evening { table: Table { features: names, columns, rows: ids.len() }, accounts: ids })
}

/// Rows in the order of their ids; those of the same id in the order they came.
fn sorted(ids: StringArray, columns: Vec<Vec<f64>>) -> (StringArray, Vec<Vec<f64>>) {
    // A missing id is an empty text here: a lookup never finds it, and the scores show it.
    let id = |row: usize| ids.value(row);
    if (1..ids.len()).all(|row| id(row - 1) <= id(row)) {
        return (ids, columns);
    }
    let mut order: Vec<usize> = (0..ids.len()).collect();
    order.sort_by(|a, b| id(*a).cmp(id(*b)));
    let columns = columns.into_iter().map(|column| order.iter().map(|row| column[*row]).collect()).collect();
    (order.iter().map(|row| Some(id(*row))).collect(), columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_put_in_the_order_of_their_accounts_and_found_by_them() {
        let (ids, columns) = sorted(StringArray::from(vec!["c", "a", "b"]), vec![vec![3.0, 1.0, 2.0]]);
        let evening = Evening { accounts: ids, table: Table { features: vec!["x".into()], columns, rows: 3 } };
        assert_eq!(evening.table.columns[0], [1.0, 2.0, 3.0]);
        let other = evening.clone().in_order_of(&StringArray::from(vec!["b", "z"]));
        assert!(other.table.columns[0][0] == 2.0 && other.table.columns[0][1].is_nan());
        assert_eq!((evening.row_of("a"), evening.row_of("c"), evening.row_of("bb")), (Some(0), Some(2), None));
    }
}
