//! Values as the texts that a hash holds; the contract with readers is in `docs/reference/feature-store.md`.

use crate::Result;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float32Array, Float64Array, StringArray};
use arrow::compute::{can_cast_types, cast};
use arrow::datatypes::{DataType, FieldRef};
use arrow::json::writer::{EncoderOptions, NullableEncoder, make_encoder};
use std::io::Write;
use std::sync::LazyLock;

/// A NULL inside of a struct is said, so that all items of a list look alike.
static JSON: LazyLock<EncoderOptions> = LazyLock::new(|| EncoderOptions::default().with_explicit_nulls(true));

/// A column, ready to be written as texts.
pub(super) enum Texts<'a> {
    Bool(&'a BooleanArray),
    Float32(&'a Float32Array),
    Float64(&'a Float64Array),
    /// Integers and decimals, texts, dates and times: as Arrow writes them.
    Plain(StringArray),
    /// Lists, structs and maps.
    Json(NullableEncoder<'a>),
}

impl<'a> Texts<'a> {
    pub(super) fn new(field: &'a FieldRef, column: &'a ArrayRef) -> Result<Self> {
        Ok(match column.data_type() {
            DataType::Boolean => Self::Bool(column.as_boolean()),
            DataType::Float32 => Self::Float32(column.as_primitive()),
            DataType::Float64 => Self::Float64(column.as_primitive()),
            kind if kind.is_nested() => Self::Json(make_encoder(field, column.as_ref(), &JSON)?),
            // Times are UTC, whether their type says so or not.
            DataType::Timestamp(unit, _) => {
                let utc = cast(column, &DataType::Timestamp(*unit, Some("UTC".into())))?;
                Self::Plain(cast(&utc, &DataType::Utf8)?.as_string().clone())
            }
            _ => Self::Plain(cast(column, &DataType::Utf8)?.as_string().clone()),
        })
    }

    /// Appends the text of a row's value; `false` where it has none.
    pub(super) fn write(&mut self, row: usize, out: &mut Vec<u8>) -> bool {
        // Rust's own decimal notation: the shortest digits that give the same number again, never with an exponent. Writing to memory
        // can't fail.
        match self {
            Self::Bool(values) if values.is_valid(row) => out.push(if values.value(row) { b'1' } else { b'0' }),
            Self::Float32(values) if values.is_valid(row) && values.value(row).is_finite() => drop(write!(out, "{}", values.value(row))),
            Self::Float64(values) if values.is_valid(row) && values.value(row).is_finite() => drop(write!(out, "{}", values.value(row))),
            Self::Plain(values) if values.is_valid(row) => out.extend_from_slice(values.value(row).as_bytes()),
            Self::Json(encoder) if !encoder.is_null(row) => encoder.encode(row, out),
            _ => return false,
        }
        true
    }
}

/// Whether a column of this type can be a field. Bytes can't: a reader could not tell them from text.
pub(crate) fn fits(kind: &DataType) -> bool {
    let bytes = matches!(kind, DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_));
    kind.is_nested() || (!bytes && can_cast_types(kind, &DataType::Utf8))
}

/// Whether a column of this type can end a key.
pub(crate) fn fits_key(kind: &DataType) -> bool {
    kind.is_integer() || matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Date32Array, Decimal128Array, Int64Array, ListBuilder, StringBuilder, StructArray, TimestampMicrosecondArray};
    use arrow::datatypes::Field;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn of(array: impl Array + 'static) -> Vec<String> {
        let array: ArrayRef = Arc::new(array);
        let field: FieldRef = Arc::new(Field::new("c", array.data_type().clone(), true));
        let mut texts = Texts::new(&field, &array).unwrap();
        let text = |row| {
            let mut out = Vec::new();
            if texts.write(row, &mut out) { String::from_utf8(out).unwrap() } else { "(none)".to_owned() }
        };
        (0..array.len()).map(text).collect()
    }

    #[test]
    fn numbers_are_plain_decimals() {
        let floats = vec![Some(0.1), Some(1e21), Some(1e-7), Some(3.0), None, Some(f64::NAN), Some(f64::INFINITY)];
        assert_eq!(of(Float64Array::from(floats)), ["0.1", "1000000000000000000000", "0.0000001", "3", "(none)", "(none)", "(none)"]);
        assert_eq!(of(Float32Array::from(vec![0.1])), ["0.1"]);
        assert_eq!(of(Int64Array::from(vec![Some(i64::MIN), None])), ["-9223372036854775808", "(none)"]);
        assert_eq!(of(Decimal128Array::from(vec![123_450, -5]).with_precision_and_scale(18, 2).unwrap()), ["1234.50", "-0.05"]);
    }

    #[test]
    fn truth_dates_and_times_have_one_form_each() {
        assert_eq!(of(BooleanArray::from(vec![Some(true), Some(false), None])), ["1", "0", "(none)"]);
        assert_eq!(of(Date32Array::from(vec![19_783])), ["2024-03-01"]);
        let time = TimestampMicrosecondArray::from(vec![1_709_287_200_123_456, 1_709_287_200_000_000]);
        let expected = ["2024-03-01T10:00:00.123456Z", "2024-03-01T10:00:00Z"];
        assert_eq!(of(time.clone()), expected);
        assert_eq!(of(time.with_timezone("+02:00")), expected);
    }

    #[test]
    fn lists_and_structs_are_json() {
        let mut list = ListBuilder::new(StringBuilder::new());
        list.append_value([Some("a \"b\""), None]);
        list.append_null();
        assert_eq!(of(list.finish()), [r#"["a \"b\"",null]"#, "(none)"]);
        let fields = [
            ("feature", Arc::new(StringArray::from(vec![Some("logins")])) as ArrayRef),
            ("value", Arc::new(Float64Array::from(vec![None]))),
        ];
        let structs = StructArray::from(fields.map(|(n, a)| (Arc::new(Field::new(n, a.data_type().clone(), true)), a)).to_vec());
        assert_eq!(of(structs), [r#"{"feature":"logins","value":null}"#]);
    }

    #[test]
    fn bytes_are_no_fields_and_fractions_no_keys() {
        assert!(!fits(&DataType::Binary) && fits(&DataType::Date32) && fits(&DataType::Decimal128(18, 2)));
        assert!(fits_key(&DataType::Int64) && fits_key(&DataType::Utf8) && !fits_key(&DataType::Float64) && !fits_key(&DataType::Boolean));
    }

    proptest! {
        #[test]
        fn a_number_is_the_same_when_it_is_read_back(x: f64, y: f32) {
            prop_assume!(x.is_finite() && y.is_finite());
            prop_assert_eq!(of(Float64Array::from(vec![x]))[0].parse::<f64>().unwrap().to_bits(), x.to_bits());
            prop_assert_eq!(of(Float32Array::from(vec![y]))[0].parse::<f32>().unwrap().to_bits(), y.to_bits());
        }
    }
}
