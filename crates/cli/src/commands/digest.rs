//! A digest of a table's rows that doesn't depend on their order.

use crate::context::Failure;
use arrow::row::{RowConverter, SortField};
use cscopilot_diag::Diagnostic;
use cscopilot_lake::{Lake, Params, TableName};
use futures::TryStreamExt;

/// The sum (modulo 2^128) of the hashes of all rows: equal for equal rows in any order, repetitions counted.
pub(super) async fn digest(lake: &Lake, table: &TableName) -> Result<String, Failure> {
    let failed = |e: &dyn std::fmt::Display| Failure::failed(Diagnostic::error("CLI060", format!("`{table}` can't be digested: {e}")));
    let mut rows = lake.stream(&format!("SELECT * FROM \"{}\".\"{}\"", table.schema, table.name), &Params::new()).await?;
    let fields = rows.schema().fields().iter().map(|f| SortField::new(f.data_type().clone())).collect();
    let converter = RowConverter::new(fields).map_err(|e| failed(&e))?;
    let mut sum = 0u128;
    while let Some(batch) = rows.try_next().await.map_err(|e| failed(&e))? {
        for row in &converter.convert_columns(batch.columns()).map_err(|e| failed(&e))? {
            let mut half = [0u8; 16];
            half.copy_from_slice(&blake3::hash(row.as_ref()).as_bytes()[..16]);
            sum = sum.wrapping_add(u128::from_le_bytes(half));
        }
    }
    Ok(format!("{sum:032x}"))
}
