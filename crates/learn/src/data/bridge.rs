//! Arrow columns become polars columns without a copy, through Arrow's C data interface.
//!
//! This is the only module with unsafe code: both libraries describe a column by the same C structures, and one hands the
//! ownership of its buffers to the other.
#![allow(unsafe_code)]

use arrow::array::{Array, ArrayRef};
use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema, to_ffi};
use polars::prelude::{Column, DataFrame, PlSmallStr, Series};
use polars_arrow::ffi::{ArrowArray, ArrowSchema, import_array_from_c, import_field_from_c};

use crate::error::{Error, Result};

// The C structures are the same in both libraries; a library that changed its own would not compile here.
const _: () = assert!(size_of::<FFI_ArrowArray>() == size_of::<ArrowArray>() && align_of::<FFI_ArrowArray>() == align_of::<ArrowArray>());
const _: () =
    assert!(size_of::<FFI_ArrowSchema>() == size_of::<ArrowSchema>() && align_of::<FFI_ArrowSchema>() == align_of::<ArrowSchema>());

/// A frame over the columns of batches that have the same schema.
pub(crate) fn frame(batches: &[arrow::array::RecordBatch]) -> Result<DataFrame> {
    let Some(first) = batches.first() else { return Ok(DataFrame::empty()) };
    let rows = batches.iter().map(|b| b.num_rows()).sum();
    let mut columns = Vec::with_capacity(first.num_columns());
    for (at, field) in first.schema().fields().iter().enumerate() {
        let chunks = batches.iter().map(|b| import(b.column(at))).collect::<Result<Vec<_>>>()?;
        let name = PlSmallStr::from_str(field.name());
        columns.push(Column::from(Series::try_from((name, chunks))?));
    }
    Ok(DataFrame::new(rows, columns)?)
}

/// Hands one Arrow array over to polars.
fn import(array: &ArrayRef) -> Result<Box<dyn polars_arrow::array::Array>> {
    let (array, schema): (FFI_ArrowArray, FFI_ArrowSchema) = to_ffi(&array.to_data())?;
    // SAFETY: both types are `#[repr(C)]` and follow the C data interface's definition field by field; their sizes are
    // compared above. The transmute moves the structure, so its release callback is called once, by its new owner.
    let array: ArrowArray = unsafe { std::mem::transmute(array) };
    // SAFETY: as above.
    let schema: ArrowSchema = unsafe { std::mem::transmute(schema) };
    // SAFETY: `schema` was just exported by arrow and is valid according to the interface.
    let field = unsafe { import_field_from_c(&schema) }.map_err(|e| Error::Handover(e.to_string()))?;
    // SAFETY: `array` was exported together with `schema`, so it is valid and of the type that `field` says. It keeps the
    // buffers alive by reference counts on arrow's side until polars releases it.
    unsafe { import_array_from_c(array, field.dtype) }.map_err(|e| Error::Handover(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{AsArray, BooleanArray, Date32Array, Float64Array, RecordBatch, StringArray};
    use arrow::datatypes::Float64Type;
    use std::sync::Arc;

    fn batch(numbers: Vec<Option<f64>>) -> RecordBatch {
        let n = numbers.len();
        RecordBatch::try_from_iter([
            ("x", Arc::new(Float64Array::from(numbers)) as ArrayRef),
            ("day", Arc::new(Date32Array::from(vec![19_000; n]))),
            ("name", Arc::new(StringArray::from(vec!["a"; n]))),
            ("flag", Arc::new(BooleanArray::from(vec![Some(true); n]))),
        ])
        .unwrap()
    }

    #[test]
    fn values_nulls_and_slices_arrive() {
        let whole = batch(vec![Some(1.0), None, Some(3.0), Some(4.0)]);
        let df = frame(&[whole.slice(1, 2), batch(vec![Some(9.0)])]).unwrap();
        assert_eq!(df.height(), 3);
        let x: Vec<Option<f64>> = df.column("x").unwrap().f64().unwrap().iter().collect();
        assert_eq!(x, [None, Some(3.0), Some(9.0)]);
        assert!(df.column("flag").unwrap().bool().unwrap().all());
    }

    #[test]
    fn numbers_are_not_copied() {
        let source = batch((0..1000).map(|i| Some(f64::from(i))).collect());
        let theirs = source.column(0).as_primitive::<Float64Type>().values().as_ptr();
        let df = frame(std::slice::from_ref(&source)).unwrap();
        let series = df.column("x").unwrap().as_materialized_series().clone();
        let ours = series.f64().unwrap().downcast_iter().next().unwrap().values().as_ptr();
        assert_eq!(theirs, ours);
        drop(source);
        assert_eq!(series.f64().unwrap().get(999), Some(999.0));
    }
}
