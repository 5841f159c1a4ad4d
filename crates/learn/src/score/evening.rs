//! The rows of one evening: the feature values of every account, or of what the model is about, in the order of the ids.
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
use crate::registry::{FeatureInfo, FeatureList};

/// Accounts, or what the model is about, with their feature values.
#[derive(Debug, Clone)]
pub(crate) struct Evening {
    /// The ids, sorted.
    pub(crate) ids: StringArray,
    /// The account of each, where not accounts are scored.
    pub(crate) owners: Option<StringArray>,
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
        read(lake, features, features.names(), as_of).await
    }

    /// The same, but a column that is gone has no values.
    pub(crate) async fn read_what_is_left(lake: &Lake, features: &FeatureList, as_of: NaiveDate) -> Result<Self> {
        let missing = absent(lake, features).await?;
        let (names, mut left) = (features.names(), features.names());
        left.retain(|name| !missing.contains(name));
        let mut evening = read(lake, features, left, as_of).await?;
        let rows = evening.table.rows;
        for (at, name) in names.iter().enumerate() {
            if missing.contains(name) {
                evening.table.columns.insert(at, vec![f64::NAN; rows]);
            }
        }
        evening.table.features = names;
        evening.table.categories = features.categories();
        Ok(evening)
    }

    /// The rows of another evening's ids; what isn't here has no values.
    pub(crate) fn in_order_of(self, other: &Self) -> Self {
        if self.ids == other.ids {
            return self;
        }
        let rows: Vec<Option<usize>> = (0..other.len()).map(|row| self.row_of(other.ids.value(row))).collect();
        let columns = (self.table.columns.iter()).map(|column| rows.iter().map(|row| row.map_or(f64::NAN, |row| column[row])).collect());
        let table =
            Table { columns: columns.collect(), rows: rows.len(), features: self.table.features, categories: self.table.categories };
        Self { ids: other.ids.clone(), owners: other.owners.clone(), table }
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The account of each row.
    pub(crate) fn accounts(&self) -> &StringArray {
        self.owners.as_ref().unwrap_or(&self.ids)
    }

    /// The account of a row; none if the features table doesn't say.
    pub(crate) fn account(&self, row: usize) -> Option<&str> {
        match &self.owners {
            Some(owners) => owners.is_valid(row).then(|| owners.value(row)),
            None => Some(self.ids.value(row)),
        }
    }

    /// The row of an id.
    pub(crate) fn row_of(&self, id: &str) -> Option<usize> {
        let at = partition_point(self.len(), |row| self.ids.value(row) < id);
        (at < self.len() && self.ids.value(at) == id).then_some(at)
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

/// Features that the table doesn't have, or not of their type.
async fn absent(lake: &Lake, features: &FeatureList) -> Result<Vec<String>> {
    let schema = frame::schema_of(lake, &features.table).await?;
    let usable = |feature: &&FeatureInfo| {
        let right = if feature.categories.is_some() { frame::is_category_type } else { frame::is_feature_type };
        schema.field_with_name(&feature.name).is_ok_and(|f| right(f.data_type()))
    };
    Ok(features.features.iter().filter(|f| !usable(f)).map(|f| f.name.clone()).collect())
}

async fn read(lake: &Lake, features: &FeatureList, names: Vec<String>, as_of: NaiveDate) -> Result<Evening> {
    let labels = |name: &String| features.features.iter().find(|f| f.name == *name).and_then(|f| f.categories.clone());
    let categories: Vec<Option<Vec<String>>> = names.iter().map(labels).collect();
    let entity = features.entity.as_deref();
    let mut stream = frame::unlabelled(lake, &features.table, entity, &names, &features.categorical(), as_of).await?;
    let (mut ids, mut owners) = (StringBuilder::new(), StringBuilder::new());
    let mut columns: Vec<Vec<f64>> = vec![Vec::new(); names.len()];
    while let Some(batch) = stream.try_next().await.map_err(|e| cscopilot_lake::Error::Query(Box::new(e)))? {
        ids.append_array(cast(batch.column(0), &DataType::Utf8)?.as_string::<i32>())?;
        if entity.is_some() {
            owners.append_array(cast(batch.column(1), &DataType::Utf8)?.as_string::<i32>())?;
        }
        // Each batch has codes of its own.
        let part = frame::table(&[batch], &names)?.coded_as(&categories);
        for (column, more) in columns.iter_mut().zip(part.columns) {
            column.extend(more);
        }
    }
    let ids = ids.finish();
    let table = Table { features: names, columns, rows: ids.len(), categories };
    Ok(sorted(Evening { ids, owners: entity.map(|_| owners.finish()), table }))
}

/// Rows in the order of their ids; those of the same id in the order they came.
fn sorted(evening: Evening) -> Evening {
    // A missing id is an empty text here: a lookup never finds it, and the scores show it.
    let id = |row: usize| evening.ids.value(row);
    if (1..evening.len()).all(|row| id(row - 1) <= id(row)) {
        return evening;
    }
    let mut order: Vec<usize> = (0..evening.len()).collect();
    order.sort_by(|a, b| id(*a).cmp(id(*b)));
    let ids = order.iter().map(|row| Some(id(*row))).collect();
    let owners = evening.owners.map(|owners| order.iter().map(|row| owners.is_valid(*row).then(|| owners.value(*row))).collect());
    let columns = evening.table.columns.into_iter().map(|column| order.iter().map(|row| column[*row]).collect()).collect();
    Evening { ids, owners, table: Table { columns, ..evening.table } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_put_in_the_order_of_their_ids_and_found_by_them() {
        let made = |ids: Vec<&str>, owners: Vec<&str>, column: Vec<f64>| {
            let table = Table { features: vec!["x".into()], rows: column.len(), columns: vec![column], ..Table::default() };
            sorted(Evening { ids: StringArray::from(ids), owners: Some(StringArray::from(owners)), table })
        };
        let evening = made(vec!["c", "a", "b"], vec!["C", "A", "B"], vec![3.0, 1.0, 2.0]);
        assert_eq!(evening.table.columns[0], [1.0, 2.0, 3.0]);
        assert_eq!(*evening.accounts(), StringArray::from(vec!["A", "B", "C"]));
        let other = evening.clone().in_order_of(&made(vec!["b", "z"], vec!["B", "Z"], vec![0.0, 0.0]));
        assert!(other.table.columns[0][0] == 2.0 && other.table.columns[0][1].is_nan());
        assert_eq!((evening.row_of("a"), evening.row_of("c"), evening.row_of("bb")), (Some(0), Some(2), None));
    }
}
