//! What an incremental table lacks, and its driver cut down to that.
//!
//! The SQL never mentions any of this: it reads its driver table as if it were whole, and gets a view that holds the
//! new partitions or rows only. So the same query serves the nightly run, a full refresh and a unit test.

use crate::compile::Model;
use crate::condition::{STAGED, quoted, quoted_table};
use crate::error::{Error, Result};
use crate::header::EXTRACTED_AT;
use crate::publish::{Guard, Resulting, register};
use crate::rows::cells;
use arrow::array::{Array, RecordBatch};
use cscopilot_lake::{Params, Session, TableInfo, TableName, Value};
use datafusion::common::{JoinType, ScalarValue};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::logical_expr::{Expr, ident, lit};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The partitions that are to be computed, as a table of the session.
const WANTED: &str = "wanted_partitions";

/// What an incremental table remembers of its last commit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Memory {
    /// Hash of the SQL and its parameters: rows made by another text don't count.
    pub(crate) definition: String,
    /// The newest `_extracted_at` of the driver that was processed, in microseconds.
    pub(crate) watermark: Option<i64>,
    /// The driver's version then.
    pub(crate) driver_version: Option<u64>,
}

/// What has to be computed.
pub(crate) enum Work {
    /// Nothing is new.
    Nothing,
    /// The driver holds only these partitions now.
    Partitions { wanted: Vec<RecordBatch>, count: usize, filter: Expr },
    /// The driver holds only rows from the last watermark on now.
    Rows { memory: Memory },
    /// The driver is whole, and the table is written anew.
    Everything { memory: Memory, wanted: Option<Vec<RecordBatch>> },
}

/// The driver of an incremental model and its columns.
pub(crate) struct Driver<'a> {
    pub(crate) model: &'a Model,
    pub(crate) table: TableName,
    pub(crate) partition_by: Vec<String>,
    pub(crate) lookback: u32,
}

impl<'a> Driver<'a> {
    /// The driver that the header names.
    pub(crate) fn of(model: &'a Model) -> Option<Self> {
        let header = &model.file.value.header;
        Some(Self {
            model,
            table: header.on.as_ref()?.parse().ok()?,
            partition_by: header.partition_by.iter().map(|c| c.value.clone()).collect(),
            lookback: header.lookback.as_ref().map_or(0, |n| n.value),
        })
    }

    /// Finds out what is new, and puts a view of it under the driver's name.
    pub(crate) async fn narrow(
        &self,
        session: &Arc<Session>,
        target: Option<&TableInfo>,
        definition: String,
        full_refresh: bool,
    ) -> Result<Work> {
        let remembered = target.and_then(|t| t.state.clone()).and_then(|s| serde_json::from_value::<Memory>(s).ok());
        let kept = remembered.filter(|m| m.definition == definition);
        if self.partition_by.is_empty() {
            self.rows(session, kept, definition, full_refresh).await
        } else {
            self.partitions(session, kept, definition, full_refresh).await
        }
    }

    async fn partitions(&self, session: &Arc<Session>, kept: Option<Memory>, definition: String, full_refresh: bool) -> Result<Work> {
        let list = self.partition_by.iter().map(|c| quoted(c)).collect::<Vec<_>>().join(", ");
        let driver = format!("SELECT DISTINCT {list} FROM {}", quoted_table(&self.table));
        let memory = Memory { definition, ..Memory::default() };
        if kept.is_none() {
            let wanted = session.query(&driver, &Params::new()).await?;
            return Ok(Work::Everything { memory, wanted: Some(wanted) });
        }
        let sql = if full_refresh {
            format!("{driver} ORDER BY {list}")
        } else {
            let order = self.partition_by.iter().map(|c| format!("{} DESC", quoted(c))).collect::<Vec<_>>().join(", ");
            let target = format!("SELECT DISTINCT {list} FROM {}", quoted_table(&self.model.table));
            let newest = format!("SELECT * FROM ({driver} ORDER BY {order} LIMIT {}) AS newest", self.lookback);
            format!("SELECT DISTINCT {list} FROM (({driver} EXCEPT {target}) UNION ALL ({newest})) AS wanted ORDER BY {list}")
        };
        let wanted = session.query(&sql, &Params::new()).await?;
        let count = wanted.iter().map(RecordBatch::num_rows).sum();
        if count == 0 {
            return Ok(Work::Nothing);
        }
        let filter = self.filter(&wanted)?;
        let cut = session.sql(&format!("SELECT * FROM {}", quoted_table(&self.table)), &Params::new()).await?;
        let cut = cut.filter(filter.clone()).map_err(Error::query(&self.model.table))?;
        session.register_provider(&self.table, cut.into_view());
        Ok(Work::Partitions { wanted, count, filter })
    }

    /// The condition that a row is of one of these partitions, as literals, so that files can be pruned by it.
    fn filter(&self, wanted: &[RecordBatch]) -> Result<Expr> {
        let literal = |array: &dyn Array, row| ScalarValue::try_from_array(array, row).map_err(Error::query(&self.model.table));
        let one_of = |name: &str, values: Vec<ScalarValue>| {
            let (nulls, values): (Vec<_>, Vec<_>) = values.into_iter().partition(ScalarValue::is_null);
            let listed = ident(name).in_list(values.into_iter().map(lit).collect(), false);
            if nulls.is_empty() { listed } else { listed.or(ident(name).is_null()) }
        };
        if let [name] = self.partition_by.as_slice() {
            let mut values = Vec::new();
            for batch in wanted {
                for row in 0..batch.num_rows() {
                    values.push(literal(batch.column(0).as_ref(), row)?);
                }
            }
            return Ok(one_of(name, values));
        }
        let mut any = lit(false);
        for batch in wanted {
            for row in 0..batch.num_rows() {
                let mut all = lit(true);
                for (i, name) in self.partition_by.iter().enumerate() {
                    all = all.and(one_of(name, vec![literal(batch.column(i).as_ref(), row)?]));
                }
                any = any.or(all);
            }
        }
        Ok(any)
    }

    async fn rows(&self, session: &Arc<Session>, kept: Option<Memory>, definition: String, full_refresh: bool) -> Result<Work> {
        let driver = quoted_table(&self.table);
        let newest = session.query(&format!("SELECT CAST(max({EXTRACTED_AT}) AS BIGINT) AS newest FROM {driver}"), &Params::new()).await?;
        let newest = cells(&newest, &["newest".to_owned()]).map_err(|e| Error::query(&self.model.table)(e.into()))?;
        let newest = newest.first().and_then(|row| row.first()).and_then(|cell| cell.text.parse::<i64>().ok());
        let memory = Memory { definition, watermark: newest, driver_version: session.pinned_versions().get(&self.table).copied() };
        let Some(kept) = kept.filter(|_| !full_refresh) else { return Ok(Work::Everything { memory, wanted: None }) };
        if memory == kept && memory.driver_version.is_some() {
            return Ok(Work::Nothing);
        }
        // From the watermark on, not after it: rows of the same extraction may have come since. Merging them again is harmless.
        if let Some(since) = kept.watermark.and_then(chrono::DateTime::from_timestamp_micros) {
            let params = Params::new().with("watermark", Value::Timestamp(since));
            session.register_view(&self.table, &format!("SELECT * FROM {driver} WHERE {EXTRACTED_AT} >= $watermark"), &params).await?;
        }
        Ok(Work::Rows { memory })
    }

    /// Stops rows of partitions that were not asked for: a second run would not make them again. With `replacing`, it
    /// also stops when a partition that the table has comes out empty: replacing partition by partition would keep it.
    pub(crate) fn no_strays(&self, wanted: Vec<RecordBatch>, replacing: bool) -> Guard {
        let list = self.partition_by.iter().map(|c| quoted(c)).collect::<Vec<_>>().join(", ");
        let (table, driver, names) = (self.model.table.clone(), self.table.clone(), self.partition_by.clone());
        Box::new(move |session| {
            Box::pin(async move {
                let Some(first) = wanted.first() else { return Ok(()) };
                let provider = MemTable::try_new(first.schema(), vec![wanted]).map_err(Error::query(&table))?;
                register(&session, WANTED, Arc::new(provider));
                let sql = format!("SELECT DISTINCT {list} FROM {STAGED} EXCEPT SELECT {list} FROM {WANTED}");
                let strays = session.query(&format!("SELECT * FROM ({sql}) AS strays ORDER BY {list} LIMIT 1"), &Params::new()).await?;
                let strays = cells(&strays, &names).map_err(|e| Error::query(&table)(e.into()))?;
                if let Some(row) = strays.first() {
                    let partition = names.iter().zip(row).map(|(n, c)| format!("{n}={}", c.text)).collect::<Vec<_>>().join(", ");
                    return Err(Error::StrayPartition { table, driver, partition });
                }
                if replacing {
                    let had = format!("SELECT {list} FROM {WANTED} INTERSECT SELECT DISTINCT {list} FROM {}", quoted_table(&table));
                    let emptied = format!("SELECT {list} FROM ({had}) AS had EXCEPT SELECT DISTINCT {list} FROM {STAGED}");
                    let emptied = session.query(&emptied, &Params::new()).await?;
                    if emptied.iter().any(|batch| batch.num_rows() > 0) {
                        return Err(Error::EmptiedPartition { table });
                    }
                }
                Ok(())
            })
        })
    }
}

/// The whole table anew: its rows outside the partitions of `filter`, and those of the query.
pub(crate) async fn rewritten(session: &Session, model: &Model, params: &Params, filter: Expr) -> Result<DataFrame> {
    let new = session.sql(&model.sql, params).await?;
    let list = new.schema().fields().iter().map(|f| quoted(f.name())).collect::<Vec<_>>().join(", ");
    let old = session.sql(&format!("SELECT {list} FROM {}", quoted_table(&model.table)), &Params::new()).await?;
    old.filter(filter.is_not_true()).and_then(|kept| kept.union(new)).map_err(Error::query(&model.table))
}

/// The table as it will be when the partitions of `filter` are replaced.
pub(crate) fn with_partitions_replaced(table: &TableName, columns: Vec<String>, filter: Expr) -> Resulting {
    let table = table.clone();
    Box::new(move |session| {
        Box::pin(async move {
            let list = columns.iter().map(|c| quoted(c)).collect::<Vec<_>>().join(", ");
            let old = session.sql(&format!("SELECT {list} FROM {}", quoted_table(&table)), &Params::new()).await?;
            // NULL partitions make the condition NULL, which counts as kept.
            let kept = old.filter(filter.is_not_true()).map_err(Error::query(&table))?;
            let new = session.sql(&format!("SELECT {list} FROM {STAGED}"), &Params::new()).await?;
            kept.union(new).map(Some).map_err(Error::query(&table))
        })
    })
}

/// The table as it will be when rows of the same key are replaced.
pub(crate) fn with_keys_replaced(table: &TableName, columns: Vec<String>, keys: Vec<String>) -> Resulting {
    let table = table.clone();
    Box::new(move |session| {
        Box::pin(async move {
            let list = columns.iter().map(|c| quoted(c)).collect::<Vec<_>>().join(", ");
            let old = session.sql(&format!("SELECT {list} FROM {}", quoted_table(&table)), &Params::new()).await?;
            let fresh_names: Vec<String> = keys.iter().enumerate().map(|(i, _)| format!("fresh_key_{i}")).collect();
            let fresh = keys.iter().zip(&fresh_names).map(|(k, f)| format!("{} AS {f}", quoted(k))).collect::<Vec<_>>().join(", ");
            let fresh = session.sql(&format!("SELECT {fresh} FROM {STAGED}"), &Params::new()).await?;
            let left: Vec<&str> = keys.iter().map(String::as_str).collect();
            let right: Vec<&str> = fresh_names.iter().map(String::as_str).collect();
            let kept = old.join(fresh, JoinType::LeftAnti, &left, &right, None).map_err(Error::query(&table))?;
            let new = session.sql(&format!("SELECT {list} FROM {STAGED}"), &Params::new()).await?;
            kept.union(new).map(Some).map_err(Error::query(&table))
        })
    })
}
