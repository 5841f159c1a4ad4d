use super::*;
use arrow::array::{
    Date32Array, Decimal128Array, Float32Array, Float64Array, Int32Array, Int64Array, LargeStringArray, StringArray, TimestampSecondArray,
};
use cscopilot_spec::Source as SourceSpec;

/// A column declared so, read from an array: its values, and of each that can't be read what is said.
fn read(declared: &str, array: impl Array + 'static) -> Vec<String> {
    let yaml =
        format!("version: 1\nfiles: {{path: x}}\nstreams:\n  x:\n    files: '*.parquet'\n    columns: {{c: {{type: {declared}}}}}\n");
    let source: SourceSpec = cscopilot_spec::parse("x.yaml", &Arc::from(yaml.as_str()), &yaml, 0).unwrap();
    let plan = RowPlan::new(source.streams.get("x").unwrap()).unwrap();
    let mut problems = Problems::new(array.len());
    let array: ArrayRef = Arc::new(array);
    let cast = cast(&plan.columns[0], &array, &mut problems).unwrap();
    assert_eq!(*cast.data_type(), arrow_type(plan.columns[0].kind));
    let formatter = ArrayFormatter::try_new(cast.as_ref(), &FormatOptions::default().with_null("null")).unwrap();
    let said = |row: usize| problems.list.iter().find(|p| p.row == row).map(|p| p.detail.clone());
    (0..cast.len()).map(|row| said(row).unwrap_or_else(|| formatter.value(row).to_string())).collect()
}

#[test]
fn numbers_are_instants_only_in_the_declared_format() {
    let secs = || Int64Array::from(vec![Some(1_709_287_202), None]);
    assert_eq!(read("timestamp, format: unix_secs", secs()), ["2024-03-01T10:00:02Z", "null"]);
    assert_eq!(read("date, format: unix_secs", secs()), ["2024-03-01", "null"]);
    assert_eq!(read("timestamp, format: unix_millis", Int64Array::from(vec![1_709_287_202_123])), ["2024-03-01T10:00:02.123Z"]);
    assert_eq!(read("timestamp, format: unix_secs", Int32Array::from(vec![0])), ["1970-01-01T00:00:00Z"]);
    assert_eq!(read("timestamp, format: unix_secs", Float64Array::from(vec![1_709_287_202.25])), ["2024-03-01T10:00:02.250Z"]);
    let millis = Decimal128Array::from(vec![1_709_287_202_123]).with_precision_and_scale(20, 0).unwrap();
    assert_eq!(read("timestamp, format: unix_millis", millis), ["2024-03-01T10:00:02.123Z"]);
    assert_eq!(read("timestamp", secs()), ["`1709287202` is no timestamp of the declared format (timestamp)", "null"]);
    assert_eq!(
        read("timestamp, format: unix_secs", Int64Array::from(vec![i64::MAX])),
        ["`9223372036854775807` is no timestamp of the declared format (timestamp)"]
    );
}

#[test]
fn a_float_is_a_decimal_only_if_its_digits_fit() {
    let floats = || Float64Array::from(vec![Some(0.1), Some(12.345), Some(-3.0), Some(0.1 + 0.2), Some(1e300), Some(f64::NAN), None]);
    assert_eq!(
        read("\"decimal(10,2)\"", floats()),
        [
            "0.10",
            "`12.345` has more decimal places than its type (decimal(10,2))",
            "-3.00",
            "`0.30000000000000004` has more decimal places than its type (decimal(10,2))",
            "`1e300` is too large for its type (decimal(10,2))",
            "`NaN` is no number (decimal(10,2))",
            "null",
        ]
    );
    assert_eq!(read("\"decimal(10,2)\", round: true", floats())[..4], ["0.10", "12.35", "-3.00", "0.30"]);
    assert_eq!(
        read("\"decimal(10,2)\"", Float32Array::from(vec![0.1, 12.345])),
        ["0.10", "`12.345` has more decimal places than its type (decimal(10,2))"]
    );
    let exact = Decimal128Array::from(vec![12_340, 12_345]).with_precision_and_scale(10, 3).unwrap();
    assert_eq!(read("\"decimal(10,2)\"", exact), ["12.34", "`12.345` is no decimal(10,2) (the file has Decimal128(10, 3))"]);
}

#[test]
fn text_is_read_by_the_rules_of_text() {
    assert_eq!(
        read("date, format: '%d.%m.%Y'", StringArray::from(vec!["24.12.2023", "2023-12-24"])),
        ["2023-12-24", "`2023-12-24` is no date of the declared format (date)"]
    );
    assert_eq!(
        read("\"decimal(10,2)\"", LargeStringArray::from(vec!["1.005", "7"])),
        ["`1.005` has more decimal places than its type (decimal(10,2))", "7.00"]
    );
    assert_eq!(read("int, null_values: ['-']", StringArray::from(vec!["-", "12.0"])), ["null", "12"]);
    assert_eq!(read("string, null_values: ['-']", StringArray::from(vec!["-", " a "])), ["null", " a "]);
    assert_eq!(read("json", StringArray::from(vec!["{}", "{"])), ["{}", "`{` is no JSON (json)"]);
    assert_eq!(read("bool", Int32Array::from(vec![1, 2])), ["true", "`2` is neither true nor false (bool)"]);
}

#[test]
fn what_has_the_declared_type_stays_and_the_rest_is_cast() {
    assert_eq!(read("timestamp, zone: Europe/Berlin", TimestampSecondArray::from(vec![1_709_287_202])), ["2024-03-01T09:00:02Z"]);
    assert_eq!(read("date", Date32Array::from(vec![19_000])), ["2022-01-08"]);
    assert_eq!(read("string", Int64Array::from(vec![7])), ["7"]);
    assert_eq!(read("int", Float64Array::from(vec![3.0, 3.5])), ["3", "`3.5` is no int (the file has Float64)"]);
    assert_eq!(read("float", Int64Array::from(vec![3])), ["3.0"]);
}
