//! Sentences for people, evidence for machines.

use super::Cell;
use cscopilot_spec::{Message, MessagePiece, ValueFormat};
use std::collections::BTreeMap;

/// What stands for NULL in a sentence.
const UNKNOWN: &str = "unknown";

/// Fills the placeholders of a message.
#[must_use]
pub fn render(message: &Message, values: &BTreeMap<String, Cell>) -> String {
    let mut text = String::new();
    for piece in message.pieces() {
        match piece {
            MessagePiece::Literal(literal) => text.push_str(literal),
            MessagePiece::Value { name, format } => text.push_str(&show(values.get(name).unwrap_or(&Cell::Null), *format)),
        }
    }
    text.trim().to_owned()
}

fn show(cell: &Cell, format: ValueFormat) -> String {
    match (cell, format) {
        (Cell::Null, _) => UNKNOWN.to_owned(),
        (Cell::Text(text), _) => text.clone(),
        (Cell::Bool(v), _) => if *v { "yes" } else { "no" }.to_owned(),
        (Cell::Date(date), _) => date.format("%Y-%m-%d").to_string(),
        (number, format) => match (number.number(), format) {
            (None, _) => UNKNOWN.to_owned(),
            (Some(v), ValueFormat::Decimals(n)) => grouped(v, usize::from(n)),
            (Some(v), ValueFormat::Money) => grouped(v, 0),
            (Some(v), ValueFormat::Pct) => format!("{}%", grouped(v * 100.0, 0)),
            (Some(v), ValueFormat::Auto) => {
                let text = grouped(v, 2);
                if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
            }
        },
    }
}

/// A number with so many decimals, halves rounded away from zero, thousands separated by commas.
fn grouped(value: f64, decimals: usize) -> String {
    let factor = 10f64.powi(i32::try_from(decimals).unwrap_or(0));
    let scaled = (value * factor).round();
    let value = if scaled.is_finite() { scaled / factor } else { value };
    let digits = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    let mut text = String::new();
    if scaled < 0.0 {
        text.push('-');
    }
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if !fraction.is_empty() {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

/// Named values as one JSON object, names in alphabetical order.
#[must_use]
pub fn evidence_json<'a>(names: impl IntoIterator<Item = &'a str>, values: &BTreeMap<String, Cell>) -> String {
    let object: BTreeMap<&str, serde_json::Value> =
        names.into_iter().map(|name| (name, json(values.get(name).unwrap_or(&Cell::Null)))).collect();
    serde_json::to_string(&object).unwrap_or_default()
}

fn json(cell: &Cell) -> serde_json::Value {
    match cell {
        Cell::Null => serde_json::Value::Null,
        Cell::Text(v) => v.as_str().into(),
        Cell::Int(v) => (*v).into(),
        Cell::Bool(v) => (*v).into(),
        Cell::Date(v) => v.format("%Y-%m-%d").to_string().into(),
        Cell::Float(_) | Cell::Decimal(..) => cell.number().map_or(serde_json::Value::Null, |v| {
            // Six decimals are enough for evidence and hide the noise of binary fractions.
            let rounded = (v * 1e6).round() / 1e6;
            serde_json::Number::from_f64(if rounded.is_finite() { rounded } else { v }).map_or(serde_json::Value::Null, Into::into)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;
    use rstest::rstest;

    #[rstest]
    #[case("{x}", Cell::Float(12345.678), "12,345.68")]
    #[case("{x}", Cell::Float(3.0), "3")]
    #[case("{x}", Cell::Float(-0.001), "0")]
    #[case("{x}", Cell::Int(1_000_000), "1,000,000")]
    #[case("{x:int}", Cell::Float(61.5), "62")]
    #[case("{x:1}", Cell::Float(0.25), "0.3")]
    #[case("{x:pct}", Cell::Float(0.237), "24%")]
    #[case("{x:pct}", Cell::Float(-0.5), "-50%")]
    #[case("{x:money}", Cell::Decimal(1_234_567, 2), "12,346")]
    #[case("{x}", Cell::Null, "unknown")]
    #[case("{x:pct}", Cell::Float(f64::NAN), "unknown")]
    #[case("{x}", Cell::Bool(true), "yes")]
    #[case("{x}", Cell::Text("Gold".into()), "Gold")]
    #[case("{x}", Cell::Date(NaiveDate::from_ymd_opt(2025, 3, 1).unwrap()), "2025-03-01")]
    fn shows_values_as_people_write_them(#[case] message: &str, #[case] cell: Cell, #[case] expected: &str) {
        let values = BTreeMap::from([("x".to_owned(), cell)]);
        assert_eq!(render(&Message::parse(message).unwrap(), &values), expected);
    }

    #[test]
    fn evidence_is_ordered_and_keeps_null() {
        let values = BTreeMap::from([("b".to_owned(), Cell::Float(0.1 + 0.2)), ("a".to_owned(), Cell::Text("x\"y".into()))]);
        assert_eq!(evidence_json(["b", "a", "c"], &values), r#"{"a":"x\"y","b":0.3,"c":null}"#);
    }
}
