//! Values of columns as the CRM takes them, and when two values are the same to it.

use crate::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float32Type, Float64Type, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::DateTime;
use cscopilot_spec::SyncField;
use serde_json::{Number, Value};

/// Decimal places of floating-point numbers, unless the mapping says otherwise: more is noise.
const PLACES: u8 = 6;

/// The values of a column, row by row, as the field takes them.
pub(crate) fn values(array: &ArrayRef, field: &SyncField) -> Result<Vec<Value>> {
    (0..array.len()).map(|row| value(array.as_ref(), row, field)).collect()
}

fn value(array: &dyn Array, row: usize, field: &SyncField) -> Result<Value> {
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    Ok(match array.data_type() {
        DataType::Boolean => Value::Bool(array.as_boolean().value(row)),
        DataType::Float64 => number(array.as_primitive::<Float64Type>().value(row), field),
        DataType::Float32 => number(array.as_primitive::<Float32Type>().value(row).into(), field),
        kind if kind.is_integer() || kind.is_decimal() => {
            let text = shown(array, row)?;
            match text.parse::<i64>() {
                Ok(whole) if field.multiply_by.is_none() => Value::from(whole),
                _ => number(text.parse().unwrap_or(f64::NAN), field),
            }
        }
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => text(shown(array, row)?, field),
        DataType::Date32 | DataType::Date64 => Value::String(shown(array, row)?),
        DataType::Timestamp(_, _) => timestamp(array, row)?,
        DataType::List(_) => list(array.as_list::<i32>().value(row).as_ref(), field)?,
        DataType::LargeList(_) => list(array.as_list::<i64>().value(row).as_ref(), field)?,
        other => return Err(bad_type(field, other)),
    })
}

/// Whether a column of this type can go into a field.
pub(crate) fn fits(kind: &DataType, field: &SyncField) -> bool {
    match kind {
        DataType::List(item) | DataType::LargeList(item) => match (item.data_type(), &field.part) {
            (DataType::Struct(parts), Some(part)) => parts.iter().any(|p| p.name() == &part.value),
            (DataType::Struct(_), None) | (DataType::List(_) | DataType::LargeList(_), _) => false,
            (_, part) => part.is_none(),
        },
        DataType::Struct(_) | DataType::Map(_, _) | DataType::Binary | DataType::LargeBinary => false,
        _ => true,
    }
}

fn bad_type(field: &SyncField, kind: &DataType) -> Error {
    Error::BadType { column: field.column.value.clone(), data_type: kind.to_string() }
}

fn shown(array: &dyn Array, row: usize) -> Result<String> {
    Ok(ArrayFormatter::try_new(array, &FormatOptions::default())?.value(row).to_string())
}

fn number(value: f64, field: &SyncField) -> Value {
    let scaled = value * field.multiply_by.as_ref().map_or(1.0, |f| f.value);
    let places = i32::from(field.places.as_ref().map_or(PLACES, |p| p.value).min(15));
    let unit = 10_f64.powi(places);
    let rounded = (scaled * unit).round() / unit;
    let rounded = if rounded.is_finite() { rounded } else { scaled };
    // Minus zero is zero to people.
    Number::from_f64(rounded + 0.0).map_or(Value::Null, Value::Number)
}

fn text(text: String, field: &SyncField) -> Value {
    let text = text.trim_end().to_owned();
    if text.is_empty() {
        return Value::Null;
    }
    match &field.max_length {
        Some(most) if text.chars().count() > most.value => {
            let kept: String = text.chars().take(most.value.saturating_sub(1)).collect();
            Value::String(format!("{}…", kept.trim_end()))
        }
        _ => Value::String(text),
    }
}

fn timestamp(array: &dyn Array, row: usize) -> Result<Value> {
    let utc = arrow::compute::cast(&array.slice(row, 1), &DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())))?;
    let millis = utc.as_primitive::<arrow::datatypes::TimestampMillisecondType>().value(0);
    Ok(DateTime::from_timestamp_millis(millis).map_or(Value::Null, |t| Value::String(t.format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string())))
}

/// The items of a list as one text. Items that don't fit are left out whole, so that no reason ends in the middle.
fn list(items: &dyn Array, field: &SyncField) -> Result<Value> {
    let column = match (items.data_type(), &field.part) {
        (DataType::Struct(_), Some(part)) => {
            items.as_struct().column_by_name(part).cloned().ok_or_else(|| bad_type(field, items.data_type()))?
        }
        (DataType::Struct(_), None) => return Err(bad_type(field, items.data_type())),
        _ => items.slice(0, items.len()),
    };
    let most = field.max_length.as_ref().map_or(usize::MAX, |l| l.value);
    let mut joined = String::new();
    for row in (0..column.len()).filter(|row| !column.is_null(*row)).take(field.max_items.unwrap_or(usize::MAX)) {
        let item = shown(column.as_ref(), row)?;
        let longer = if joined.is_empty() { item } else { format!("{joined}{}{item}", field.join) };
        if !joined.is_empty() && longer.chars().count() > most {
            break;
        }
        joined = longer;
    }
    Ok(text(joined, field))
}

/// Whether the CRM would see no difference.
pub(crate) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Null, Value::String(text)) | (Value::String(text), Value::Null) => text.is_empty(),
        (Value::Number(a), Value::Number(b)) => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0),
            _ => a == b,
        },
        (Value::String(a), Value::String(b)) => a == b || normal(a) == normal(b) || instant(a).is_some_and(|t| instant(b) == Some(t)),
        _ => one == other,
    }
}

/// The CRM stores line breaks its own way and drops blanks at the end.
fn normal(text: &str) -> String {
    text.replace("\r\n", "\n").trim_end().to_owned()
}

fn instant(text: &str) -> Option<i64> {
    let parsed = DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"));
    parsed.ok().map(|t| t.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, ListBuilder, StringArray, StringBuilder,
        TimestampMicrosecondArray,
    };
    use cscopilot_spec::{At, SyncField};
    use proptest::prelude::*;
    use serde_json::json;
    use std::sync::Arc;

    fn field() -> SyncField {
        SyncField {
            column: At::nowhere("c".to_owned()),
            multiply_by: None,
            places: None,
            part: None,
            join: "; ".to_owned(),
            max_items: None,
            max_length: None,
            keep_if_null: false,
        }
    }

    fn of(array: impl Array + 'static, field: &SyncField) -> Value {
        let array: ArrayRef = Arc::new(array);
        values(&array, field).unwrap().into()
    }

    #[test]
    fn numbers_are_scaled_and_rounded() {
        let percent = SyncField { multiply_by: Some(100.0.into()), places: Some(1.into()), ..field() };
        assert_eq!(of(Float64Array::from(vec![Some(0.12345), None, Some(-0.0)]), &percent), json!([12.3, null, 0.0]));
        assert_eq!(of(Float64Array::from(vec![0.1 + 0.2, f64::NAN]), &field()), json!([0.3, null]));
        assert_eq!(of(Int64Array::from(vec![7]), &field()), json!([7]));
        let money = Decimal128Array::from(vec![123_456, -5]).with_precision_and_scale(18, 2).unwrap();
        assert_eq!(of(money, &field()), json!([1234.56, -0.05]));
    }

    #[test]
    fn dates_times_and_truth_have_the_forms_of_the_crm() {
        assert_eq!(of(Date32Array::from(vec![19_783]), &field()), json!(["2024-03-01"]));
        let time = TimestampMicrosecondArray::from(vec![1_709_287_200_123_456]).with_timezone("UTC");
        assert_eq!(of(time, &field()), json!(["2024-03-01T10:00:00.123+0000"]));
        assert_eq!(of(BooleanArray::from(vec![true]), &field()), json!([true]));
    }

    #[test]
    fn texts_keep_to_the_length_of_the_field() {
        let short = SyncField { max_length: Some(5.into()), ..field() };
        assert_eq!(of(StringArray::from(vec!["abcde", "abcdef", "", "ä b c d"]), &short), json!(["abcde", "abcd…", null, "ä b…"]));
    }

    #[test]
    fn lists_leave_out_items_that_do_not_fit() {
        let mut list = ListBuilder::new(StringBuilder::new());
        list.append_value([Some("fewer logins"), None, Some("no champion"), Some("late invoices")]);
        list.append_value(Vec::<Option<&str>>::new());
        let list = list.finish();
        assert_eq!(of(list.clone(), &SyncField { max_items: Some(2), ..field() }), json!(["fewer logins; no champion", null]));
        assert_eq!(of(list, &SyncField { max_length: Some(30.into()), ..field() }), json!(["fewer logins; no champion", null]));
    }

    #[test]
    fn the_crm_sees_no_difference_between_some_values() {
        for (a, b) in [
            (json!(null), json!("")),
            (json!(1), json!(1.0)),
            (json!(0.3), json!(0.1 + 0.2)),
            (json!("a\r\nb "), json!("a\nb")),
            (json!("2024-03-01T10:00:00.000+0000"), json!("2024-03-01T11:00:00+01:00")),
        ] {
            assert!(same(&a, &b) && same(&b, &a), "{a} {b}");
        }
        for (a, b) in [(json!(null), json!(0)), (json!("a"), json!("b")), (json!(true), json!("true")), (json!(1.1), json!(1.2))] {
            assert!(!same(&a, &b), "{a} {b}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_the_same_when_it_comes_back(x: f64, places in 0_u8..8, text: String) {
            let field = SyncField { places: Some(places.into()), max_length: Some(40.into()), ..field() };
            let sent = of(Float64Array::from(vec![x]), &field)[0].clone();
            let back: Value = serde_json::from_str(&sent.to_string()).unwrap();
            prop_assert!(same(&sent, &back));
            let sent = of(StringArray::from(vec![text]), &field)[0].clone();
            prop_assert!(sent.as_str().is_none_or(|t| t.chars().count() <= 40));
            prop_assert!(same(&sent, &sent.clone()));
        }
    }
}
